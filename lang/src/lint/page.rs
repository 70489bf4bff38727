//! The page of a lint for `tfm explain`, `docs/lints.md`, and the files that its examples are parts of.

use super::{ALL, Fixes, Group, Lint};

/// What `tfm explain CODE` prints.
pub fn explain(lint: &Lint) -> String {
    let indent = |text: &str| text.lines().map(|l| format!("  {l}").trim_end().to_string() + "\n").collect::<String>();
    let mut out = format!("{} {}: {}\n\n{}\n", lint.code, lint.name, lint.title, wrapped(lint.why, 100));
    out += &format!("\nGroup: {}. Level: {}.{}\n", lint.group.name(), lint.level.name(), fix_words(lint.fix));
    let said = |n: usize| if n == 0 { "Found in:" } else { "And in:" };
    for (i, bad) in lint.bad.iter().enumerate() {
        out += &format!("\n{}\n\n{}", said(i), indent(bad));
    }
    if let Some(good) = lint.good.first() {
        out += &format!("\nBetter:\n\n{}", indent(good));
    }
    out + &format!("\n`// tfm: allow({}) reason` allows it on a line.\n", lint.name)
}

/// The words of a text in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if line > 0 {
            let fits = line + 1 + length <= width;
            out.push(if fits { ' ' } else { '\n' });
            line = if fits { line + 1 } else { 0 };
        }
        out += word;
        line += length;
    }
    out
}

fn fix_words(fix: Fixes) -> &'static str {
    match fix {
        Fixes::None => "",
        Fixes::Safe => " `tfm lint --fix` mends it.",
        Fixes::Unsafe => " `tfm lint --unsafe-fixes` mends it; what is computed may change.",
    }
}

/// `docs/lints.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Lints\n\n`tfm lint FILE…` finds hazards of numbers, models, training and data that types and shapes do not show. \
         [Continuous integration](ci.md) says how it guards a folder.\n\n\
         This page is written from the declarations in `lang/src/lint/lints/`; `UPDATE=1 cargo test -p tfm-tests --test \
         lints` writes it anew.\n\n",
    );
    for (group, name, about) in Group::ALL {
        out += &format!("- **{name}**: {about} ({} lints)\n", ALL.iter().filter(|l| l.group == group).count());
    }
    out += "\n| code | name | group | level | fix | about |\n|---|---|---|---|---|---|\n";
    for l in ALL {
        let fix = match l.fix {
            Fixes::None => "",
            Fixes::Safe => "safe",
            Fixes::Unsafe => "unsafe",
        };
        out += &format!(
            "| {} | [`{}`](#{}) | {} | {} | {fix} | {} |\n",
            l.code,
            l.name,
            anchor(l),
            l.group.name(),
            l.level.name(),
            l.title
        );
    }
    for l in ALL {
        out += &format!("\n## {} `{}`\n\n{}\n\n{}\n", l.code, l.name, sentence(l.title), l.why.trim());
        for bad in l.bad {
            out += &format!("\n```text\n{}\n```\n", bad.trim_end());
        }
        if let Some(good) = l.good.first() {
            out += &format!("\nBetter:\n\n```text\n{}\n```\n", good.trim_end());
        }
    }
    out
}

fn anchor(l: &Lint) -> String {
    format!("{}-{}", l.code.to_lowercase(), l.name)
}

fn sentence(title: &str) -> String {
    let mut chars = title.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// The file that an example is a part of, without imports. Statements alone stand in a `train` block on drawn digits.
pub fn whole(example: &str) -> String {
    let starts = |word: &str| example.lines().any(|l| l.starts_with(word));
    if ["train ", "model ", "data ", "layer ", "fn ", "import ", "const "].into_iter().any(starts) {
        return example.to_string();
    }
    let has = |word: &str| example.contains(word);
    let mut text = String::from("data digits = drawn_digits()\n\ntrain example on digits.train {\n");
    let x = example.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "x");
    if x && !has("let x") {
        text += "let x = flatten(f32(image) / 255)\n";
    }
    if !has("minimize") {
        text += "let logits = flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10)\nminimize cross_entropy(logits, label)\n";
    }
    text += example.trim_end();
    text.push('\n');
    for (words, line) in [
        (&["optimizer:", " with "][..], "optimizer: Adam()"),
        (&["batch:"], "batch: 50"),
        (&["epochs:", "steps:"], "epochs: 5"),
        (&["evaluate"], "every 1 epoch { evaluate digits.test }"),
    ] {
        if !words.iter().any(|w| has(w)) {
            text += line;
            text.push('\n');
        }
    }
    text + "}\n"
}
