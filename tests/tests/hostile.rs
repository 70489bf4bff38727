//! Any text at all, through parser, checker and both renderings: no panic, every place inside its file and on the
//! bounds of characters, an error that can be explained, and an end soon.
//!
//! Soon is 100 ms where the code is optimised, ten times that where it is not, of the time that the processor worked
//! for this thread where the system tells it. A case that took longer is tried again by itself, twice, and the least
//! time counts, so that a busy machine fails no test.

use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tfm_lang::check::{Checked, Options};
use tfm_lang::diagnostic::render::{render, render_plain};
use tfm_lang::diagnostic::{Severity, codes};
use tfm_lang::source::{Sources, Span};
use tfm_tests::{check_text, files, read, root};

const SOON: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 100 });

/// Texts of each kind.
const CASES: u32 = if cfg!(debug_assertions) { 400 } else { 4000 };

/// Checks a text, and what has to hold for every text. Gives the number of errors.
fn holds(text: &str) -> usize {
    let run = || {
        let start = worked();
        let result = check_text("text.tfm", text, Path::new("."), &Options::default());
        (worked().saturating_sub(start), result)
    };
    let (mut took, (sources, checked)) = run();
    for _ in 0..2 {
        if took > SOON {
            took = took.min(run().0);
        }
    }
    assert!(took <= SOON, "took {took:?}:\n{text}");
    said_well(text, &sources, &checked)
}

/// The time that the processor worked for this thread, else the time since the first question.
fn worked() -> Duration {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let worked = told.and_then(|text| text.split(' ').next()?.parse().ok());
    worked.map_or_else(|| FIRST.elapsed(), Duration::from_nanos)
}

fn said_well(text: &str, sources: &Sources, checked: &Checked) -> usize {
    let inside = |span: Span| {
        let file = &sources.get(span.file).text;
        assert!(file.get(span.start as usize..span.end as usize).is_some(), "{span:?} is not in the text:\n{text}");
    };
    for d in &checked.diagnostics {
        d.labels.iter().map(|l| l.span).chain(d.fixes.iter().map(|f| f.span)).for_each(inside);
        assert!(!d.labels.is_empty() && !d.message.is_empty(), "{d:?}");
        assert!(codes::explain(d.code).is_some(), "{} is not explained", d.code);
        assert!(!sources.get(d.span().file).library, "an error is shown in the library: {d:?}\n{text}");
    }
    let shown: Vec<_> = checked.diagnostics.iter().take(30).cloned().collect();
    render(sources, &shown, true);
    render_plain(sources, &shown);
    let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    assert_eq!(checked.model.is_some(), errors == 0, "{text}");
    errors
}

static PROGRAMS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folders = ["examples", "tests/agree", "tests/wrong", "lang/src/syntax/tests/programs"];
    folders.iter().flat_map(|f| files(&root().join(f), "tfm")).map(|p| read(&p)).collect()
});

/// The words and signs of all programs, each once.
static VOCABULARY: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut out: Vec<String> = PROGRAMS.iter().flat_map(|text| tokens(text)).collect();
    out.sort();
    out.dedup();
    out
});

/// Words, signs, runs of blanks, and lines' ends.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let class = |c: char| if c.is_alphanumeric() || c == '_' { 0 } else { 1 + u8::from(c == ' ') };
    for c in text.chars() {
        match out.last_mut() {
            Some(last) if last.chars().all(|l| class(l) == class(c)) && class(c) != 1 => last.push(c),
            _ => out.push(c.to_string()),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    /// Tokens of the programs, in any order, in a body and by themselves.
    #[test]
    fn any_tokens(picks in proptest::collection::vec(any::<usize>(), 0..50)) {
        let words = &*VOCABULARY;
        let text: String = picks.into_iter().map(|i| words[i % words.len()].as_str().to_owned() + " ").collect();
        holds(&text);
        holds(&format!("layer L(n: int)(x: f32[B, 4]) {{\n  {text}\n}}\n"));
        holds(&format!("data d = drawn_digits()\ntrain t on d.train {{\n  {text}\n}}\n"));
    }

    /// Programs with tokens and lines taken out, doubled and exchanged, or cut short.
    #[test]
    fn spoilt_programs(which in any::<usize>(), edits in proptest::collection::vec((0..7u8, any::<usize>(), any::<usize>()), 1..5)) {
        let all = &*PROGRAMS;
        let mut text = all[which % all.len()].clone();
        for (edit, a, b) in edits {
            let by_line = edit >= 3;
            let mut parts: Vec<String> =
                if by_line { text.split_inclusive('\n').map(String::from).collect() } else { tokens(&text) };
            if parts.is_empty() {
                break;
            }
            let (a, b) = (a % parts.len(), b % parts.len());
            match edit {
                0 | 3 => drop(parts.remove(a)),
                1 | 4 => parts.insert(b, parts[a].clone()),
                2 | 5 => parts.swap(a, b),
                _ => parts.truncate(a),
            }
            text = parts.concat();
        }
        holds(&text);
    }
}

/// Little text that asks for very much: loops, doublings, numbers that do not fit.
#[test]
fn what_asks_for_too_much_is_refused_soon() {
    let body = |text: &str| format!("fn f(x: f32[B, 4], ids: i32[B] below 10) {{\n{text}\n}}\n");
    let chain = |first: &str, next: &dyn Fn(usize) -> String| {
        std::iter::once(first.to_string()).chain((1..60).map(next)).collect::<Vec<_>>().join("\n")
    };
    let most = i64::MAX;
    let cases = [
        body("fold h = x for i in 0..1_000_000_000 { h }"),
        body("fold h = x for i in 0..100_000 { h + 1 }"),
        body("let l = [i for i in 0..1_000_000_000]\nx"),
        body(&format!("let l = [i for i in -{most}..{most}]\nx")),
        body("fold a = x for i in 0..1000 { fold b = a for j in 0..1000 { fold c = b for k in 0..1000 { c + 1 } } }"),
        body("let l = fold l = [1] for i in 0..60 { l + l }\nx + sum(l)"),
        body("let w = fn(g) { g(g) }\nw(w)"),
        body("let w = fn(g, y) { g(g, y) + g(g, y) }\nw(w, x)"),
        format!("const a = {most} + 1"),
        format!("const a = {most} * {most}"),
        format!("const a = -{most} - {most}"),
        "const a = 10 ^ 40\nfn f(x: f32[]) { x + zeros([a]) }".into(),
        "const a = a + a".into(),
        "const a = 99999999999999999999".into(),
        format!("{}\nconst last = a59 + 1", chain("const a0 = 1", &|i| format!("const a{i} = a{0} + a{0}", i - 1))),
        chain("layer L0()(x: f32[B]) { x + 1 }", &|i| {
            format!("layer L{i}()(x: f32[B]) {{ x |> L{0}() |> L{0}() }}", i - 1)
        }),
        chain("fn f0(x: f32[B]) { x + 1 }", &|i| format!("fn f{i}(x: f32[B]) {{ f{0}(f{0}(x)) }}", i - 1)),
        body("let d = fold d = B for i in 0..40 { (d + 1) * (d + 2) }\nzeros([d])"),
        "fn f(x: f32[A, C, D, E]) { zeros([(A + C + D + E + 1) ^ 40]) }".into(),
        "fn f(x: f32[1_000_000_000]) { let l = split(x, 1_000_000_000, axis: 0)\nl[0] }".into(),
        "fn f(x: f32[B, 4_000_000_000, 4_000_000_000]) { flatten(x) }".into(),
        body("zeros([1_000_000_000_000, 1_000_000_000_000, 1_000_000])"),
        body(&format!("iota({most}) + 1")),
        body(&format!("one_hot(ids, {most})")),
        format!("fn f(x: f32[{most}]) {{ concat([x, x], axis: 0) }}"),
        format!("dim T = {most}\nfn f(x: f32[T]) {{ concat([x, x, x], axis: 0) }}"),
        format!("import std.layers.Conv2d\nfn f(x: f32[B, 1, 8, 8]) {{ x |> Conv2d({most}, kernel: 3, pad: {most}) }}"),
        body(&format!("repeat(x, `b d -> b d h`, h: {most})")),
    ];
    for text in cases {
        assert!(holds(&text) > 0, "nothing is said of\n{text}");
    }
    // These may be right or wrong; they end, without a panic.
    for text in [
        body(&format!("x[-{most}:{most}]")),
        body(&format!("x[:, -{most}]")),
        body("zeros([B % 0 + 1])"),
        body("zeros([(B + 1) / (B - B)])"),
        body("rearrange(x, `b (h d) -> b h d`, h: 0)"),
        body("zeros([B - 5])"),
        body(&format!("sum(x, axis: {most})")),
        body(&format!("reshape(x, [-{most}, {most}])")),
        body(&format!("x ^ {most}")),
        body(&format!("zeros([-{most} / -1])")),
        body("if B > 10 ^ 18 { x } else { x }"),
    ] {
        holds(&text);
    }
}

/// The limit on what a file asks for is no limit on how deep a net may be.
#[test]
fn a_deep_net_is_not_too_much() {
    let vit = read(&root().join("examples/09_vit.tfm"));
    let deep = vit.replace("const depth = 3\n", "const depth = 150\n");
    assert_ne!(deep, vit);
    let (_, checked) = check_text("vit.tfm", &deep, Path::new("."), &Options::default());
    assert!(checked.diagnostics.iter().all(|d| d.severity != Severity::Error), "{:?}", checked.diagnostics);
    let model = checked.model.unwrap();
    let mut graph = tfm_lowering::build(&model);
    let lowered = tfm_lowering::differentiate(&mut graph, &model);
    let lowered = lowered.and_then(|()| tfm_lowering::update(&mut graph, &model));
    assert!(lowered.is_ok(), "{lowered:?}");
}
