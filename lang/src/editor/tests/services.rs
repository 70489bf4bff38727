//! Each service, on texts that are right and on texts that are being written.

use super::{Asked, asked, library};
use crate::editor::{
    Location, TokenKind, actions, complete, folds, hints, hover, rename, semantic_tokens, signature, symbols,
};
use crate::source::Span;

const NET: &str = "\
import std.layers.{Dense, Conv2d}
import std.losses.cross_entropy
import std.optim.Adam
import helpers.twice

const width = 64

data digits = drawn_digits()

/// Looks at an image.
model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  let seen = image
    |> Conv2d(16, kernel: 3) |> relu
    |> flatten
  let wide = Dense(width, relu)(seen)
  wide |> Dense(10)
}

train net on digits.train {
  let logits = Net(twice(f32(image) / 255))
  minimize cross_entropy(logits, label)
  optimizer: Adam(lr: 1e-3)
  batch:     64
  epochs:    1
}
";

/// The net with the place before (or in) the nth occurrence of some words.
fn net(words: &str, into: usize) -> Asked {
    let at = NET.find(words).unwrap_or_else(|| panic!("{words}")) + into;
    let mut text = NET.to_string();
    text.insert(at, '¦');
    asked(&text)
}

fn told(of: &Asked) -> String {
    hover(&of.document, Some(&of.analysis), library(), of.place).map_or(String::new(), |(_, text)| text)
}

#[test]
fn every_setting_is_documented() {
    use crate::check::{SETTINGS, setting_doc};
    assert!(SETTINGS.iter().all(|name| setting_doc(name).is_some()));
}

#[test]
fn the_net_is_right() {
    let of = net("import", 0);
    assert!(of.analysis.diagnostics.is_empty(), "{:?}", of.analysis.diagnostics);
}

#[test]
fn hovers() {
    let cases: [(&str, usize, &[&str]); 9] = [
        ("seen = image", 1, &["let seen: f32[B, 10816]", "10816"]),
        ("wide |> Dense(10)", 0, &["wide: f32[B, 64]", "test.tfm:15"]),
        ("Dense(10)", 2, &["-> f32[B, 10]", "layer Dense(units: int", "`std.layers`", "shape(Dense(3)"]),
        ("relu\n", 1, &["-> f32[B, 16, 26, 26]", "fn relu"]),
        ("logits, label", 1, &["logits: f32[B, 10]"]),
        ("label)", 1, &["label: i32[B] below 10", "a field of `digits`"]),
        ("batch:", 1, &["How many records"]),
        ("Net(twice", 1, &["model Net(image: f32[B, 1, 28, 28])", "Looks at an image."]),
        ("twice(f32", 1, &["helpers.tfm"]),
    ];
    for (words, into, expected) in cases {
        let text = told(&net(words, into));
        for part in expected {
            assert!(text.contains(part), "{words}: {part} is not in\n{text}");
        }
    }
    assert_eq!(told(&net("const", 2)), "");
    // What the checker has not seen is told from the text.
    let of = asked("fn f(x: f32[B¦]) { x |> }\n");
    assert!(told(&of).contains("size B"), "{}", told(&of));
}

#[test]
fn hints_stand_at_names_and_ends_of_stages() {
    let of = net("import", 0);
    let whole = Span { file: of.document.main, start: 0, end: u32::MAX };
    let all = hints(&of.document, &of.analysis, whole);
    let text = of.document.text();
    let shown: Vec<String> = all
        .iter()
        .map(|h| {
            let line = text[..h.offset as usize].rsplit('\n').next().unwrap_or("");
            format!("{}{}", line.trim_start(), h.text)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "let seen: f32[B, 10816]",
            "let seen = image  f32[B, 1, 28, 28]",
            "|> Conv2d(16, kernel: 3) |> relu  f32[B, 16, 26, 26]",
            "let wide: f32[B, 64]",
            "wide |> Dense(10)  f32[B, 10]",
            "let logits: f32[B, 10]",
        ]
    );
    let part = Span { end: 10, ..whole };
    assert!(hints(&of.document, &of.analysis, part).is_empty());
}

fn definition(of: &Asked) -> String {
    match of.document.definition(library(), of.place) {
        Some(Location::File(span)) => {
            let (line, column) = of.document.sources.line_column(span);
            format!("{}:{line}:{column}", of.document.sources.get(span.file).name)
        }
        Some(Location::Library(span)) => {
            let (name, text) = library().file(span.file);
            format!("{name} {}", &text[span.start as usize..span.end as usize])
        }
        None => "none".into(),
    }
}

#[test]
fn definitions() {
    let cases = [
        ("Dense(10)", "std/layers/dense.tfm Dense"),
        ("relu\n", "std/functions/activations.tfm relu"),
        ("twice(f32", "helpers.tfm:2:4"),
        ("Net(twice", "test.tfm:11:7"),
        ("width, relu", "test.tfm:6:7"),
        ("wide |>", "test.tfm:15:7"),
        ("label)", "test.tfm:8:6"),
        ("digits.train", "test.tfm:8:6"),
        ("batch:", "none"),
    ];
    for (words, expected) in cases {
        assert_eq!(definition(&net(words, 1)), expected, "{words}");
    }
    let of = asked("layer L(n: int)(x: f32[B, n]) { x }\nfn f(y: f32[B, 3]) { L(¦n: 3)(y) }\n");
    assert_eq!(definition(&of), "test.tfm:1:9");
    let of = asked("data d = csv(\"a.csv\") { age: f32 }\ntrain t on d.all { report a¦ge }\n");
    assert_eq!(definition(&of), "test.tfm:1:25");
}

#[test]
fn references_are_those_of_the_same_thing() {
    let of = net("width = 64", 1);
    assert_eq!(of.document.references(of.place, true).len(), 2);
    assert_eq!(of.document.references(of.place, false).len(), 1);
    // Dense: the import and two uses.
    assert_eq!(net("Dense(10)", 1).document.references(net("Dense(10)", 1).place, true).len(), 3);
    // The image of the model is another than the field.
    let of = net("image: f32", 1);
    assert_eq!(of.document.references(of.place, true).len(), 2);
}

#[test]
fn renames() {
    let of = net("wide = ", 1);
    let edits = rename(&of.document, of.place, Some("broad")).unwrap();
    assert_eq!(edits.len(), 2);
    let cases = [
        ("wide = ", "let", "is a word of the language"),
        ("wide = ", "a b", "is no name"),
        ("wide = ", "1a", "is no name"),
        ("wide = ", "", "is no name"),
        ("wide = ", "seen", "there is a `seen` already, in line 12"),
        ("Dense(10)", "Thick", "is declared in the library"),
        ("twice(f32", "double", "is declared in `helpers.tfm`"),
        ("label)", "class", "is a field that the source of `digits` names"),
        ("batch:", "size", "is a setting"),
    ];
    for (words, to, expected) in cases {
        let of = net(words, 1);
        let refused = rename(&of.document, of.place, Some(to)).unwrap_err();
        assert!(refused.contains(expected), "{words}: {refused}");
    }
    // Parameters are renamed where they are given by name, sizes where they are used.
    let of = asked("layer L(n¦: int)(x: f32[B, n]) { x }\nfn f(y: f32[B, 3]) { L(n: 3)(y) }\n");
    assert_eq!(rename(&of.document, of.place, Some("wide")).unwrap().len(), 3);
    let of = asked("fn f(x: f32[¦B, C]) -> f32[B] { zeros([B]) }\n");
    assert_eq!(rename(&of.document, of.place, Some("N")).unwrap().len(), 3);
}

fn offered(text: &str) -> Vec<String> {
    let of = asked(text);
    let mut all = complete(&of.document, Some(&of.analysis), library(), of.place);
    all.sort_by_key(|item| item.rank);
    all.into_iter().map(|item| item.label).collect()
}

#[track_caller]
fn offers(text: &str, expected: &[&str], not: &[&str]) {
    let all = offered(text);
    for word in expected {
        assert!(all.iter().any(|label| label == word), "{word} is not among {all:?}");
    }
    for word in not {
        assert!(!all.iter().any(|label| label == word), "{word} is among {all:?}");
    }
}

#[test]
fn completions() {
    offers("import std.¦", &["layers", "optim"], &["std.layers"]);
    offers("import ¦", &["std.layers"], &["Dense"]);
    offers("import std.layers.{Dense, ¦}", &["Conv2d"], &["Dense", "Adam"]);
    offers("import std.optim.A¦", &["Adam"], &["Dense"]);
    offers("¦", &["model", "train"], &["let", "relu"]);
    offers("fn f(x: f32[B]) {\n  let wide = x\n  wi¦\n}", &["wide", "x", "B", "relu", "Dense"], &["model"]);
    offers("fn f(x: ¦) { x }", &["f32[]", "schedule"], &["relu"]);
    offers("fn f(x: f32[B]) { x |> ¦ }", &["relu", "Dense"], &["f32", "if"]);
    offers("data d = ¦", &["csv", "drawn_digits"], &["relu"]);
    offers("data d = csv(\"a.csv\") {\n  age: ¦\n}", &["category", "skip"], &["relu", "csv"]);
    offers("data d = csv(\"a.csv\") {\n  age: f32\n} |> ¦", &["split", "shuffle"], &["relu"]);
    offers("data d = csv(¦", &["header:"], &["relu"]);
    let train = "data digits = drawn_digits()\ntrain t on digits.train {\n  let x = f32(image)\n";
    offers(&format!("{train}  ¦\n}}"), &["optimizer:", "minimize", "label", "x"], &["param"]);
    offers(&format!("{train}  every 1 epoch {{ evaluate digits.¦ }}\n}}"), &["test", "train"], &["relu"]);
    offers("fn f(x: f32[B, 3]) { zeros([2], dtype: ¦) }", &["f32", "bf16"], &[]);
    let layer = "import std.layers.Conv2d\nfn f(x: f32[B, 1, 8, 8]) { x |> Conv2d(8, kernel: 3, ¦) }";
    offers(layer, &["stride:", "pad:"], &["kernel:"]);
    offers("import std.layers.Dense\nfn f(x: f32[B, 3]) { Dense(3, bias: ¦)(x) }", &["true", "false"], &[]);
    offers(
        "model E(x: f32[B, 3]) -> (mu: f32[B, 3], sd: f32[B, 3]) { (x, x) }\nfn f(x: f32[2, 3]) {\n  let e = E(x)\n  e.¦\n}",
        &["mu", "sd"],
        &["relu"],
    );
    assert!(offered("// a ¦").is_empty() && offered("const a = \"t ¦\"").is_empty());
}

#[test]
fn an_import_comes_along() {
    let import = |text: &str, name: &str| {
        let of = asked(text);
        let all = complete(&of.document, Some(&of.analysis), library(), of.place);
        let item = all.into_iter().find(|item| item.label == name).unwrap();
        let edit = item.also.unwrap();
        let mut made = of.document.text().to_string();
        made.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
        made
    };
    let body = "fn f(x: f32[B]) { D }\n";
    assert_eq!(import(&body.replace("D }", "D¦ }"), "Dense"), format!("import std.layers.Dense\n{body}"));
    assert_eq!(
        import(&format!("// note\n\n{}", body.replace("D }", "D¦ }")), "Dense"),
        format!("// note\n\nimport std.layers.Dense\n\n{body}")
    );
    assert_eq!(
        import(&format!("import std.layers.Conv2d\n{}", body.replace("D }", "D¦ }")), "Dense"),
        format!("import std.layers.{{Conv2d, Dense}}\n{body}")
    );
    assert_eq!(
        import(&format!("import std.optim.Adam\n{}", body.replace("D }", "D¦ }")), "Dense"),
        format!("import std.optim.Adam\nimport std.layers.Dense\n{body}")
    );
}

#[test]
fn signatures() {
    let active = |text: &str| {
        let of = asked(text);
        signature(&of.document, library(), of.place).map(|s| {
            let of = s.active.map_or("", |i| &s.head[s.parameters[i].0 as usize..s.parameters[i].1 as usize]);
            format!("{} / {of}", s.head.split('(').next().unwrap_or(""))
        })
    };
    let told = |text: &str| active(text).unwrap_or_default();
    assert_eq!(told("import std.layers.Conv2d\nfn f(x: f32[B]) { Conv2d(¦"), "layer Conv2d / channels: int");
    assert_eq!(told("fn f(x: f32[B]) { Conv2d(3, ¦) }"), "layer Conv2d / kernel: [int]");
    assert_eq!(told("fn f(x: f32[B]) { Conv2d(3, pad: g(1), kernel: ¦) }"), "layer Conv2d / kernel: [int]");
    assert_eq!(told("fn f(x: f32[B]) { Dense(3)(¦) }"), "layer Dense / x: float[..B, I]");
    assert_eq!(told("fn g(a: int, b: int) { a }\nfn f(x: f32[B]) { g(1, ¦"), "fn g / b: int");
    assert_eq!(told("fn g(a: int, b: int) { a }\nfn f(x: f32[B]) { x |> g(¦"), "fn g / b: int");
    assert_eq!(active("fn g(a: ¦int) { a }"), None);
    assert_eq!(active("const a = 1¦"), None);
}

#[test]
fn actions_mend() {
    let of = asked("fn f(x: f32[B, 3]) { x |> Den¦se(3) |> rellu }\n");
    let whole = Span { file: of.document.main, start: 0, end: 1000 };
    let all = actions(&of.document, &of.analysis, library(), whole);
    let titles: Vec<&str> = all.iter().map(|a| a.title.as_str()).collect();
    assert!(titles.contains(&"import `std.layers.Dense`"), "{titles:?} {:?}", of.analysis.diagnostics);
    let none = Span { end: 1, ..whole };
    assert!(actions(&of.document, &of.analysis, library(), none).is_empty());
}

#[test]
fn outlines() {
    let of = asked(
        "layer L(n: int)(x: f32[B, n]) {\n  param w: f32[n] = zeros()\n  x * w\n}\n\ntest \"a\" { expect true }\n",
    );
    let all = symbols(&of.document);
    let names: Vec<(&str, &str)> = all.iter().map(|s| (s.name.as_str(), s.kind)).collect();
    assert_eq!(names, [("L", "layer"), ("a", "test")]);
    assert_eq!((all[0].children[0].name.as_str(), all[0].children[0].detail.as_str()), ("w", "f32[n]"));
    assert_eq!(folds(&of.document).len(), 2, "the declaration and its block");
}

#[test]
fn words_have_kinds() {
    let of = asked("import std.layers.Dense\n// c\nfn f(x: f32[B, 3]) { let y = Dense(3)(x); y + 1 }\n");
    let text = of.document.text();
    let kind = |word: &str| {
        let all = semantic_tokens(&of.document, library());
        all.into_iter().rev().find(|(s, e, _)| &text[*s as usize..*e as usize] == word).map(|(.., kind)| kind)
    };
    for (word, expected) in [
        ("import", TokenKind::Keyword),
        ("Dense", TokenKind::Class),
        ("// c", TokenKind::Comment),
        ("f", TokenKind::Function),
        ("x", TokenKind::Parameter),
        ("f32", TokenKind::Type),
        ("B", TokenKind::TypeParameter),
        ("let", TokenKind::Keyword),
        ("y", TokenKind::Variable),
        ("1", TokenKind::Number),
        ("std", TokenKind::Namespace),
    ] {
        assert_eq!(kind(word), Some(expected), "{word}");
    }
}
