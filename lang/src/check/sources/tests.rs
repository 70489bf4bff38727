//! What the tables say about arguments, columns and operators, right and wrong.

use super::*;
use crate::source::Span;

fn call(name: &str, args: &[(&str, Static)]) -> Static {
    Static::Call(name.into(), args.iter().map(|(n, v)| (n.to_string(), v.clone())).collect())
}

fn text(s: &str) -> Static {
    Static::Str(s.into())
}

fn list(items: &[&str]) -> Static {
    Static::List(items.iter().map(|s| text(s)).collect())
}

/// The fields and splits of a call, shown; or the message and the help.
fn schema(value: Static, columns: &[(&str, Static, &[&str])], operators: &[Static]) -> Result<String, String> {
    let Static::Call(name, given) = value else { panic!("a call") };
    let columns: Vec<ColumnSpec> = columns
        .iter()
        .map(|(name, kind, transforms)| ColumnSpec {
            name: name.to_string(),
            kind: kind.clone(),
            transforms: transforms.iter().map(|t| t.to_string()).collect(),
            span: Span::default(),
        })
        .collect();
    let run = || {
        let source = source(&name).expect("a source");
        let args = bind(source.name, source.params, &given)?;
        assert_eq!(bind(source.name, source.params, &args)?, args, "binding is idempotent");
        let mut schema = source.schema(&args, &columns)?;
        for o in operators {
            schema = source.apply(schema, &operator(o)?, &columns)?;
        }
        Ok(schema)
    };
    match run() {
        Ok(s) => {
            let fields: Vec<String> = s.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
            Ok(format!("{} | {}", fields.join(", "), s.splits.join(", ")))
        }
        Err((message, help)) => Err(format!("{message} | {}", help.unwrap_or_default())),
    }
}

#[test]
fn schemas_of_files() {
    let images = "image: u8[1, 28, 28], label: i32[] below 10 | train, test";
    assert_eq!(schema(call("drawn_digits", &[]), &[], &[]).unwrap(), images);
    assert_eq!(schema(call("mnist", &[("", text("mnist"))]), &[], &[]).unwrap(), images);
    let cifar = schema(call("cifar10", &[("path", text("c"))]), &[], &[]).unwrap();
    assert_eq!(cifar, "image: u8[3, 32, 32], label: i32[] below 10 | train, test");
    let shape = Static::List(vec![Static::Int(1), Static::Int(8), Static::Int(9)]);
    let args = [("", text("a")), ("", text("b")), ("shape", shape), ("classes", Static::Int(4))];
    assert_eq!(schema(call("idx", &args), &[], &[]).unwrap(), "image: u8[1, 8, 9], label: i32[] below 4 | all");
}

#[test]
fn schemas_of_texts() {
    let chars = call("chars", &[("", Static::Int(65))]);
    let value = call("text", &[("", text("a.txt")), ("tokens", chars), ("block", Static::Int(16))]);
    let split = call("split", &[("", Static::Float(0.9))]);
    let fields = "tokens: i32[16] below 65, next: i32[16] below 65";
    assert_eq!(schema(value.clone(), &[], &[]).unwrap(), format!("{fields} | all"));
    assert_eq!(schema(value.clone(), &[], &[split]).unwrap(), format!("{fields} | train, test"));
    let error = schema(value.clone(), &[], &[call("shuffle", &[])]).unwrap_err();
    assert!(error.contains("tear"), "{error}");
    let error = schema(value, &[], &[call("take", &[("", Static::Int(3))])]).unwrap_err();
    assert!(error.contains("no parts yet"), "{error}");
    let error = schema(call("text", &[("", text("a.txt"))]), &[], &[]).unwrap_err();
    assert!(error.starts_with("`text` needs `tokens`"), "{error}");
    let error =
        schema(call("text", &[("", text("a.txt")), ("tokens", call("char", &[("", Static::Int(6))]))]), &[], &[]);
    assert!(error.unwrap_err().ends_with("did you mean `chars`?"));
}

#[test]
fn schemas_of_columns() {
    let csv = || call("csv", &[("", text("a.csv")), ("header", Static::Bool(false))]);
    let hash = call("category", &[("hash", Static::Int(16))]);
    let label = call("label", &[("", list(&["no", "yes"]))]);
    let columns: [(&str, Static, &[&str]); 5] = [
        ("age", call("f32", &[]), &["log1p", "standardize"]),
        ("id", call("skip", &[]), &[]),
        ("work", hash, &[]),
        ("sex", call("category", &[("", list(&["f", "m"]))]), &[]),
        ("rich", label, &[]),
    ];
    let expected = "age: f32[], work: i32[] below 16, sex: i32[] below 2, rich: i32[] below 2 | train, test";
    let operators = [call("shuffle", &[("seed", Static::Int(1))]), call("split", &[("", Static::Float(0.9))])];
    assert_eq!(schema(csv(), &columns, &operators).unwrap(), expected);

    let wrong = |kind: Static, transforms: &[&str]| schema(csv(), &[("a", kind, transforms)], &[]).unwrap_err();
    assert!(wrong(call("f32", &[]), &["standardise"]).ends_with("did you mean `standardize`?"));
    assert!(wrong(call("i32", &[]), &["log1p"]).ends_with("declare `a: f32 |> log1p`"));
    assert!(wrong(call("bf16", &[]), &[]).starts_with("a column cannot be bf16"));
    assert!(wrong(call("category", &[]), &[]).starts_with("`category` takes either names, a number or `hash`"));
    assert!(wrong(call("label", &[("", list(&["a", "a"]))]), &[]).contains("a list of different texts"));
    assert!(wrong(call("labels", &[("", list(&["a"]))]), &[]).ends_with("did you mean `label`?"));
    assert!(wrong(call("skip", &[]), &[]).starts_with("`csv` needs columns that are read"));
    let twice: [(&str, Static, &[&str]); 2] = [("a", call("f32", &[]), &[]), ("a", call("f32", &[]), &[])];
    assert!(schema(csv(), &twice, &[]).unwrap_err().starts_with("there are two columns `a`"));
}

#[test]
fn schemas_of_random_columns() {
    let sizes = |sizes: &[i64]| Static::List(sizes.iter().map(|n| Static::Int(*n)).collect());
    let random = || call("random", &[("", Static::Int(64))]);
    let columns: [(&str, Static, &[&str]); 4] = [
        ("image", call("normal", &[("", sizes(&[1, 8, 9]))]), &[]),
        ("weight", call("uniform", &[]), &[]),
        ("label", call("below", &[("", Static::Int(10))]), &[]),
        ("tokens", call("below", &[("", Static::Int(65)), ("", sizes(&[16]))]), &[]),
    ];
    let fields = "image: f32[1, 8, 9], weight: f32[], label: i32[] below 10, tokens: i32[16] below 65";
    assert_eq!(schema(random(), &columns, &[]).unwrap(), format!("{fields} | all"));
    let split = call("split", &[("", Static::Float(0.5))]);
    assert_eq!(schema(random(), &columns, &[split]).unwrap(), format!("{fields} | train, test"));

    let wrong = |kind: Static, transforms: &[&str]| schema(random(), &[("a", kind, transforms)], &[]).unwrap_err();
    assert!(schema(random(), &[], &[]).unwrap_err().starts_with("`random` needs columns"));
    assert!(wrong(call("normall", &[]), &[]).ends_with("did you mean `normal`?"));
    assert!(wrong(call("below", &[]), &[]).starts_with("`below` needs `count`"));
    assert!(wrong(call("normal", &[]), &["standardize"]).contains("stay as drawn"));
    assert!(wrong(call("normal", &[("", sizes(&[1 << 40, 1 << 40]))]), &[]).contains("too many numbers"));
}

#[test]
fn wrong_arguments() {
    let wrong = |value: Static| schema(value, &[], &[]).unwrap_err();
    assert!(wrong(call("mnist", &[])).starts_with("`mnist` needs `path`"));
    assert!(wrong(call("mnist", &[("pth", text("a"))])).ends_with("did you mean `path`?"));
    assert!(wrong(call("mnist", &[("", text("a")), ("", text("b"))])).contains("takes 1 argument, and 2 are given"));
    assert!(wrong(call("mnist", &[("", text("a")), ("path", text("b"))])).contains("given twice"));
    assert!(wrong(call("mnist", &[("", Static::Int(3))])).contains("a text in quotes, not `3`"));
    assert!(
        wrong(call("drawn_digits", &[("train", Static::Int(0))]))
            .contains("a whole number from 1 to 10000000, not `0`")
    );
    let huge = wrong(call("drawn_digits", &[("train", Static::Int(i64::MAX))]));
    assert!(huge.contains("from 1 to 10000000"), "{huge}");
    let separator = wrong(call("csv", &[("", text("a")), ("separator", text("ab"))]));
    assert!(separator.contains("one character, not the text \"ab\""), "{separator}");
}

#[test]
fn wrong_operators() {
    let wrong = |o: Static| schema(call("drawn_digits", &[]), &[], &[o]).unwrap_err();
    assert!(
        wrong(call("split", &[("", Static::Float(0.9))])).starts_with("this data has the parts `train` and `test`")
    );
    assert!(wrong(call("split", &[("", Static::Float(1.5))])).contains("a number between 0 and 1, not `1.5`"));
    assert!(wrong(call("shufle", &[])).ends_with("did you mean `shuffle`?"));
    assert!(wrong(Static::Int(3)).starts_with("`3` is not a data operator"));
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/data.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, reference()).expect("docs/data.md can be written");
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(page == reference(), "docs/data.md is not what the tables say; run `UPDATE=1 cargo test -p tfm-lang`");
}

/// The data declarations of a text, or its errors.
fn checked(text: &str) -> Result<Vec<crate::model::DataSpec>, String> {
    let mut sources = crate::source::Sources::default();
    let main = sources.add("a.tfm", text, false);
    let options = crate::check::Options::default();
    let checked = crate::check::check(&mut sources, &[], main, &mut |_| None, &options);
    let errors: Vec<String> = checked
        .diagnostics
        .iter()
        .map(|d| format!("{} | {}", d.message, d.help.iter().map(|h| h.to_string()).collect::<Vec<_>>().join(" ")))
        .collect();
    match checked.model {
        Some(model) if errors.is_empty() => Ok(model.data),
        _ => Err(errors.join("\n")),
    }
}

fn shown(text: &str) -> String {
    let data = checked(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let fields: Vec<String> = data[0].fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
    format!("{} | {}", fields.join(", "), data[0].splits.join(", "))
}

#[test]
fn the_examples_of_sources_check() {
    for s in SOURCES.iter().copied().flatten() {
        let data = checked(s.example).unwrap_or_else(|e| panic!("{}: {e}", s.example));
        assert_eq!(data[0].source, s.name, "the example of `{}` shows another source", s.name);
    }
}

#[test]
fn windows_have_a_past_and_a_next() {
    let csv = "data d = csv(\"a.csv\") { load: f32[6] |> standardize\n  oil: f32\n  kind: category(3) }";
    let both = "past.load: f32[96, 6], past.oil: f32[96], past.kind: i32[96] below 3, next.load: f32[24, 6], \
                next.oil: f32[24], next.kind: i32[24] below 3 | train, valid, test";
    assert_eq!(shown(&format!("{csv} |> split(0.7, valid: 0.1) |> windows(past: 96, next: 24)")), both);
    assert_eq!(
        shown(&format!("{csv} |> windows(past: 2)")),
        "past.load: f32[2, 6], past.oil: f32[2], past.kind: i32[2] below 3 | all"
    );
    let wrong = |operators: &str| checked(&format!("{csv} |> {operators}")).unwrap_err();
    assert!(wrong("windows(past: 2) |> split(0.5)").contains("write `split` before `windows`"));
    assert!(wrong("shuffle() |> windows(past: 2)").contains("in the order of time"));
    assert!(wrong("filter(oil > 0) |> windows(past: 2)").contains("in the order of time"));
    assert!(wrong("windows(past: 2) |> windows(past: 2)").contains("windows already"));
    assert!(wrong("windows(past: 2) |> filter(oil > 0)").contains("looks at one record"));
    assert!(wrong("split(0.8, valid: 0.2)").contains("leaves nothing for `test`"));
}

#[test]
fn conditions_are_checked() {
    let csv = "data d = csv(\"a.csv\") { age: f32\n  load: f32[6]\n  id: skip\n  work: category(hash: 9)\n  \
               sex: category([\"f\", \"m\"])\n  label: label(3) }";
    let wrong = |condition: &str| checked(&format!("{csv} |> filter({condition})")).err().unwrap_or_default();
    for right in
        ["age >= 18", "age * 2 - 1 < label", "work != \"Private\" and not (sex == \"f\")", "label % 2 == 0 or age > -1"]
    {
        assert_eq!(wrong(right), "", "{right}");
    }
    for (condition, expected) in [
        ("agee > 3", "did you mean `age`?"),
        ("age", "needs something that is true or false"),
        ("age + 1", "needs something that is true or false"),
        ("load > 1", "`load` is f32[6]"),
        ("id > 1", "`id` is skipped"),
        ("sex == \"x\"", "`sex` is never \"x\""),
        ("sex == 1", "`==` does not go between these"),
        ("work < \"b\"", "`<` does not go between these"),
        ("age > 1 and label", "`and` needs something that is true or false"),
        ("exp(age) > 1", "does not belong in a condition"),
        ("age", "as in `filter(age >= 18)`"),
    ] {
        assert!(wrong(condition).contains(expected), "{condition}: {}", wrong(condition));
    }
}

#[test]
fn columns_of_texts_and_pictures() {
    let of = |kind: &str| format!("data d = jsonl(\"a\") {{ x: {kind} }}");
    assert_eq!(shown(&of("words(8_000, length: 24, marks: true)")), "x: i32[24] below 8000 | all");
    assert_eq!(shown(&of("chars(30, length: 17)")), "x: i32[17] below 30 | all");
    assert_eq!(shown(&of("image([32, 48], channels: 1)")), "x: u8[1, 32, 48] | all");
    assert_eq!(shown(&of("u8[1, 28, 28]")), "x: u8[1, 28, 28] | all");
    let wrong = |kind: &str| checked(&of(kind)).unwrap_err();
    assert!(wrong("words(4, length: 9, marks: true)").contains("room for 4 tokens, and 4 of them are marks"));
    assert!(wrong("chars(30)").contains("`chars` needs `length`"));
    assert!(wrong("image([32])").contains("a list of two whole numbers"));
    assert!(wrong("f32[0]").contains("a size is a whole number from 1"));
    assert!(wrong("wrds(8, length: 2)").contains("did you mean `words`?"));
    assert!(
        checked("data d = lines(\"a\") { x: chars(9, length: 4)\n  y: f32 }").unwrap_err().contains("has one column")
    );
    assert!(checked("data d = npy(\"a\") { x: words(9, length: 4) }").unwrap_err().contains("an array holds numbers"));
    let few = checked("data d = synthetic.sequences(vocabulary: 5, classes: 4)").unwrap_err();
    assert!(few.contains("at least 6"), "{few}");
    let near = checked("data d = synthetic.click()").unwrap_err();
    assert!(near.contains("did you mean `synthetic.clicks`?"), "{near}");
}
