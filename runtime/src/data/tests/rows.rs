//! Tables beyond plain CSV: several cells in a column, conditions, texts as tokens, JSON lines, a test file.

use super::*;

fn float(shape: &[i64]) -> Static {
    match shape {
        [] => call("f32", &[]),
        _ => call("f32", &[("shape", Static::List(shape.iter().map(|n| Static::Int(*n)).collect()))]),
    }
}

fn label(n: i64) -> Static {
    call("label", &[("", Static::Int(n))])
}

fn read(
    source: &str,
    args: Args,
    columns: Vec<ColumnSpec>,
    operators: &[Static],
    file: &str,
) -> Result<Dataset, DataError> {
    let args: Vec<(&str, Static)> = [("path", text("f"))].into_iter().chain(args.iter().cloned()).collect();
    open_in(folder(&[("f", file.as_bytes())]).path(), &spec(source, &args, columns, operators))
}

/// `filter(name OP value)`
fn filter(name: &str, op: &str, value: Static) -> Static {
    let condition = Static::Call(op.into(), vec![(String::new(), call(name, &[])), (String::new(), value)]);
    call("filter", &[("", condition)])
}

#[test]
fn a_column_of_several_numbers_takes_several_cells() {
    let columns = || vec![column("load", float(&[3]), &["standardize"]), column("day", label(7), &[])];
    let by_name = read("csv", &[], columns(), &[], "day,load,b,c\n0,1,5,0\n6,3,5,\n").unwrap();
    let all = by_name.split("all").unwrap();
    assert_eq!(numbers(all, "load"), [-1.0, 0.0, 0.0, 1.0, 0.0, 0.0], "each of the three by itself");
    assert_eq!(by_name.learned.columns.keys().collect::<Vec<_>>(), ["load.0", "load.1", "load.2"]);
    let by_order = read("csv", &[("header", Static::Bool(false))], columns(), &[], "1,5,0,0\n3,5,,6\n").unwrap();
    assert_eq!(numbers(by_order.split("all").unwrap(), "load"), numbers(all, "load"));
    let short = error_of(read("csv", &[], columns(), &[], "day,load,b\n0,1,5\n"));
    assert!(short.contains("`load` is 3 columns, and there are 2 from it on"), "{short}");
    let wrong = error_of(read("csv", &[], columns(), &[], "day,load,b,c\n7,1,5,0\n"));
    assert!(wrong.contains("line 2: `day` is 7, and its values are from 0 to 6"), "{wrong}");
    let wrong = error_of(read("csv", &[], columns(), &[], "day,load,b,c\nMon,1,5,0\n"));
    assert!(wrong.contains("`day` is \"Mon\", which is not a whole number"), "{wrong}");
}

#[test]
fn csv_reads_what_other_programs_write() {
    let columns = || vec![column("a", float(&[]), &[]), column("b", call("label", &[("", texts(&["x", "y"]))]), &[])];
    let args = [("header", Static::Bool(false)), ("comment", text("|")), ("trim", text("."))];
    let data = read("csv", &args, columns(), &[], "|1x3 Cross validator\n1, x.\n2, y .\n| more\n3,x\n").unwrap();
    assert_eq!(numbers(data.split("all").unwrap(), "b"), [0.0, 1.0, 0.0]);
    let args = [("skip", Static::Int(2)), ("separator", text("\t"))];
    let data = read("csv", &args, columns(), &[], "made by hand\nin 2026\na\tb\n1\tx\n").unwrap();
    assert_eq!(numbers(data.split("all").unwrap(), "a"), [1.0]);
    let wrong = error_of(read("csv", &args, columns(), &[], "made by hand\nin 2026\na\tb\n1\tz\n"));
    assert!(wrong.contains("line 4: `b` is \"z\""), "{wrong}");
    let wrong = error_of(read("csv", &[("header", Static::Bool(false))], columns(), &[], "|1x3\n1,x\n"));
    assert!(wrong.contains("write `comment: \"|\"`, or `skip: 1`"), "{wrong}");
}

#[test]
fn a_test_file_is_a_part_and_teaches_nothing() {
    let dir = folder(&[("a", b"v,w\n1,p\n3,q\n"), ("b", b"v,w\n5,p\n")]);
    let columns = || {
        vec![column("v", float(&[]), &["standardize"]), column("w", call("category", &[("hash", Static::Int(9))]), &[])]
    };
    let args = [("path", text("a")), ("test", text("b"))];
    let data = open_in(dir.path(), &spec("csv", &args, columns(), &[])).unwrap();
    assert_eq!(numbers(data.split("train").unwrap(), "v"), [-1.0, 1.0]);
    assert_eq!(numbers(data.split("test").unwrap(), "v"), [3.0]);
    std::fs::write(dir.path().join("b"), "v,w\nx,p\n").unwrap();
    let wrong = error_of(open_in(dir.path(), &spec("csv", &args, columns(), &[])));
    assert!(wrong.contains("b, line 2: `v` is \"x\""), "{wrong}");
}

#[test]
fn filters_see_the_file_and_not_the_transforms() {
    let columns = || {
        vec![
            column("v", float(&[]), &["normalize"]),
            column("w", call("category", &[("hash", Static::Int(9))]), &[]),
            column("l", call("label", &[("", texts(&["no", "yes"]))]), &[]),
        ]
    };
    let file = "v,w,l\n10,p,no\n20,q,yes\n30,p,yes\n,p,no\n";
    let kept = |operators: &[Static]| {
        numbers(read("csv", &[], columns(), operators, file).unwrap().split("all").unwrap(), "v")
    };
    assert_eq!(kept(&[filter("v", ">", Static::Int(15))]), [0.0, 1.0], "and the least is that of what is kept");
    assert_eq!(kept(&[filter("w", "==", text("p")), filter("l", "!=", text("no"))]), [0.0]);
    assert_eq!(kept(&[filter("v", "!=", Static::Int(10))]).len(), 3, "what is missing is unlike anything");
    let none = error_of(read("csv", &[], columns(), &[filter("v", ">", Static::Int(99))], file));
    assert!(none.contains("`d.all` has no examples"), "{none}");
}

#[test]
fn filters_on_sources_without_columns() {
    let few = call(
        "filter",
        &[("", Static::Call("<".into(), vec![("".into(), call("label", &[])), ("".into(), Static::Int(2))]))],
    );
    let args = [("train", Static::Int(100)), ("test", Static::Int(20))];
    let data =
        open_in(Path::new("."), &spec("drawn_digits", &args, vec![], &[few, call("skip", &[("", Static::Int(1))])]))
            .unwrap();
    let train = data.split("train").unwrap();
    assert_eq!((train.len(), data.split("test").unwrap().len()), (19, 3));
    assert!(numbers(train, "label").iter().all(|l| *l < 2.0));
}

#[test]
fn three_parts() {
    let file: String = (0..10).map(|i| format!("{i}\n")).collect();
    let split = call("split", &[("", Static::Float(0.6)), ("valid", Static::Float(0.1))]);
    let data =
        read("csv", &[("header", Static::Bool(false))], vec![column("a", float(&[]), &[])], &[split], &file).unwrap();
    let parts: Vec<(String, usize)> = data.splits.iter().map(|(n, s)| (n.clone(), s.len())).collect();
    assert_eq!(parts, [("train".into(), 6), ("valid".into(), 1), ("test".into(), 3)]);
}

#[test]
fn texts_become_tokens() {
    let words = |count: i64, marks: bool| {
        call("words", &[("", Static::Int(count)), ("length", Static::Int(6)), ("marks", Static::Bool(marks))])
    };
    let read = |kind: Static, operators: &[Static], file: &str| {
        read("lines", &[], vec![column("x", kind, &[])], operators, file)
    };
    let data = read(words(9, true), &[], "the cat\n\nthe dog sat on the mat\n").unwrap();
    assert_eq!(data.learned.vocabularies["x"], ["the", "cat", "dog", "mat", "on"]);
    assert_eq!(numbers(data.split("all").unwrap(), "x"), [2., 4., 5., 3., 0., 0., 2., 4., 6., 1., 8., 3.]);
    let plain = read(words(3, false), &[], "a b a\n").unwrap();
    assert_eq!(numbers(plain.split("all").unwrap(), "x"), [2., 1., 2., 0., 0., 0.]);
    let half = call("split", &[("", Static::Float(0.5))]);
    let chars = |count: i64| {
        call("chars", &[("", Static::Int(count)), ("length", Static::Int(4)), ("marks", Static::Bool(true))])
    };
    let data = read(chars(6), std::slice::from_ref(&half), "ba\nbc\n").unwrap();
    assert_eq!(numbers(data.split("train").unwrap(), "x"), [2., 5., 4., 3.]);
    assert_eq!(numbers(data.split("test").unwrap(), "x"), [2., 5., 1., 3.], "c was not seen in training");
    let many = error_of(read(chars(6), &[], "abc\n"));
    assert!(many.contains("3 different characters and 4 marks") && many.contains("write `chars(7, …)`"), "{many}");

    // As a run keeps it, another file is read with the same numbers.
    let kept: Learned = serde_json::from_str(&serde_json::to_string(&data.learned).unwrap()).unwrap();
    let dir = folder(&[("p", b"ab\n")]);
    let declared = spec("lines", &[("path", text("f"))], vec![column("x", chars(6), &[])], &[half]);
    assert_eq!(numbers(&open_file(&declared, &dir.path().join("p"), &kept).unwrap(), "x"), [2., 4., 5., 3.]);
    let message = error_of(open_file(&declared, &dir.path().join("p"), &Learned::default()));
    assert!(message.contains("learned nothing about `x`"), "{message}");
    let reopened = Options { roots: vec![dir.path().into()], learned: Some(kept) };
    std::fs::write(dir.path().join("f"), "zz\nab\n").unwrap();
    let again = open(&declared, &reopened).unwrap();
    assert_eq!(numbers(again.split("test").unwrap(), "x"), [2., 4., 5., 3.], "what was learned is not learned anew");
}

#[test]
fn json_lines() {
    let columns = || {
        vec![
            column("size", float(&[2]), &[]),
            column("kind", call("category", &[("", texts(&["a", "b"]))]), &[]),
            column("good", call("bool", &[]), &[]),
            column("stars", label(5), &[]),
        ]
    };
    let read = |file: &str| read("jsonl", &[], columns(), &[], file);
    let data = read("{\"kind\":\"b\",\"size\":[1,2.5],\"good\":true,\"stars\":4,\"more\":{}}\n\n{\"kind\":\"a\",\"size\":[[3],[null]],\"good\":false,\"stars\":0}\n").unwrap();
    let all = data.split("all").unwrap();
    assert_eq!(numbers(all, "size"), [1.0, 2.5, 3.0, 2.5]);
    assert_eq!(
        (numbers(all, "kind"), numbers(all, "good"), numbers(all, "stars")),
        (vec![1., 0.], vec![1., 0.], vec![4., 0.])
    );
    for (file, expected) in [
        ("{\"a\": 1", "line 1: this is no JSON"),
        ("\n[1]", "line 2: a JSON object is wanted, not a list"),
        ("{\"kind\":\"a\",\"size\":[1],\"good\":true,\"stars\":1}", "`size` has 1 values, and 2 are declared"),
        ("{\"kind\":{},\"size\":[1,2],\"good\":true,\"stars\":1}", "`kind` is an object"),
        ("{\"kind\":\"a\",\"size\":[1,2],\"good\":true,\"stars\":5}", "`stars` is 5, and its values are from 0 to 4"),
        ("{\"size\":[1,2],\"good\":true,\"stars\":1}", "`kind` is missing"),
        ("{\"kind\":\"a\",\"size\":[1,\"x\"],\"good\":true,\"stars\":1}", "`size` is \"x\", which is not a number"),
        ("\n", "there are no rows in it"),
    ] {
        let message = error_of(read(file));
        assert!(message.contains(expected), "{expected} in {message}");
    }
}

#[test]
fn parquet_says_how_to_get_it() {
    let message = error_of(read("parquet", &[], vec![column("a", float(&[]), &[])], &[], "PAR1 no"));
    let expected = if cfg!(feature = "parquet") { "cannot be read as Parquet" } else { "--features parquet" };
    assert!(message.contains(expected), "{message}");
}

#[test]
fn bytes_of_anything() {
    let tokens = call("bytes", &[]);
    let args = [("path", text("f")), ("tokens", tokens), ("block", Static::Int(2))];
    let dir = folder(&[("f", &[0, 255, 7, 200])]);
    let data = open_in(dir.path(), &spec("text", &args, vec![], &[])).unwrap();
    assert_eq!(numbers(data.split("all").unwrap(), "next"), [255., 7., 7., 200.]);
}
