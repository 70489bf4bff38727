//! CSV: what cells become, what is learned and from which rows, and what is said about wrong files.

use super::*;

fn f32() -> Static {
    call("f32", &[])
}

fn people() -> Vec<ColumnSpec> {
    vec![
        column("age", f32(), &["standardize"]),
        column("work", call("category", &[("hash", Static::Int(16))]), &[]),
        column("id", call("skip", &[]), &[]),
        column("gain", f32(), &["log1p"]),
        column("sex", call("category", &[("", texts(&["f", "m", "?"]))]), &[]),
        column("rich", call("label", &[("", texts(&["no", "yes"]))]), &[]),
    ]
}

fn declared(header: bool, columns: Vec<ColumnSpec>, operators: &[Static]) -> DataSpec {
    let args = [("", text("a.csv")), ("header", Static::Bool(header)), ("missing", text("?"))];
    spec("csv", &args, columns, operators)
}

fn read(header: bool, columns: Vec<ColumnSpec>, file: &str) -> Result<Dataset, DataError> {
    open_in(folder(&[("a.csv", file.as_bytes())]).path(), &declared(header, columns, &[]))
}

fn close(found: &[f64], expected: &[f64]) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near, "{found:?} is not {expected:?}");
}

#[test]
fn cells_become_numbers() {
    let file = "1, Private, x, 0, f, no\n3, ?, y, 1.5, m, yes\n\n?, , z, ?, ?, \"no\"\n   \n";
    let data = read(false, people(), file).unwrap();
    let all = data.split("all").unwrap();
    // The mean of 1 and 3 is 2, the deviation 1; what is missing is the mean.
    close(&numbers(all, "age"), &[-1.0, 1.0, 0.0]);
    let gain = 2.5f64.ln();
    close(&numbers(all, "gain"), &[0.0, gain, gain / 2.0]);
    close(&numbers(all, "sex"), &[0.0, 1.0, 2.0]);
    close(&numbers(all, "rich"), &[0.0, 1.0, 0.0]);
    let work = numbers(all, "work");
    assert!(work[1] == work[2] && work[0] != work[1], "empty is as missing as `?`: {work:?}");
    assert_eq!(data.learned.columns["age"].standardize, [Moments { mean: 2.0, deviation: 1.0 }]);
}

#[test]
fn every_dtype_and_quotes() {
    let kinds = ["f64", "i64", "i32", "i8", "u8", "bool"];
    let columns: Vec<ColumnSpec> = kinds.iter().map(|k| column(k, call(k, &[]), &[])).collect();
    let name = column("name", call("category", &[("", texts(&["a, b", "say \"c\""]))]), &[]);
    let columns = columns.into_iter().chain([name]).collect();
    let data = read(false, columns, "0.5,-9000000000,-7,-8,255,true,\"a, b\"\n2,1,2,3,4,0, \"say \"\"c\"\"\"").unwrap();
    let all = data.split("all").unwrap();
    let rows: Vec<Vec<f64>> = kinds.iter().chain(&["name"]).map(|k| numbers(all, k)).collect();
    let expected = [[0.5, 2.0], [-9e9, 1.0], [-7.0, 2.0], [-8.0, 3.0], [255.0, 4.0], [1.0, 0.0], [0.0, 1.0]];
    assert_eq!(rows, expected);
}

#[test]
fn headers_find_columns_in_any_order() {
    let columns = || vec![column("hours_per_week", f32(), &[]), column("age", f32(), &[])];
    let data = read(true, columns(), "\u{feff}Age, hours-per-week\r\n1,2\r\n3,4\r\n").unwrap();
    close(&numbers(data.split("all").unwrap(), "hours_per_week"), &[2.0, 4.0]);
    let wrong = |file: &str| error_of(read(true, columns(), file));
    assert!(wrong("age,hours_per_week,Home town\n1,2,3\n").contains("`Home town` is not declared"));
    assert!(wrong("age,hours_per_week,Home town\n1,2,3\n").contains("perhaps as `home_town: skip`"));
    assert!(wrong("age\n1\n").contains("line 1: there is no column `hours_per_week`; there are age"));
    assert!(wrong("age,hours_per_week,AGE\n1,2,3\n").contains("the column `age` is there 2 times"));
}

#[test]
fn wrong_files_say_the_line() {
    let good = "1, a, x, 0, f, no\n";
    let wrong = |line: &str| error_of(read(false, people(), &format!("{good}\n{line}\n")));
    let cases = [
        (wrong("1, a, x, 0, f"), "line 3: this row has 5 cells, and there are 6 columns"),
        (wrong("1, a, x, 0, f, no, 7"), "line 3: this row has 7 cells"),
        (wrong("1.2.3, a, x, 0, f, no"), "line 3: `age` is \"1.2.3\", which is not a number"),
        (wrong("1e999, a, x, 0, f, no"), "`age` is \"1e999\", which is not a finite f32"),
        (wrong("nan, a, x, 0, f, no"), "not a finite f32"),
        (wrong("1, a, x, -1, f, no"), "line 3: `gain` is -1, and `log1p` needs more than -1"),
        (wrong("1, a, x, 0, q, no"), "`sex` is \"q\", and it is one of \"f\", \"m\", \"?\""),
        (wrong("1, a, x, 0, f, maybe"), "`rich` is \"maybe\", and it is one of \"no\", \"yes\""),
        (wrong("1, a, x, 0, f, ?"), "line 3: `rich` is missing"),
        (error_of(read(false, people(), "")), "a.csv: the file is empty"),
        (error_of(read(false, people(), "\n\n")), "there are no rows"),
        (error_of(read(true, vec![column("a", f32(), &[])], "a\n")), "there are no rows"),
        (error_of(read(false, vec![column("a", f32(), &["standardize"])], "?\n?\n")), "missing in every row"),
        (error_of(read(false, vec![column("a", call("i32", &[]), &[])], "1\n2.5\n")), "line 2: `a` is \"2.5\""),
        (error_of(read(false, vec![column("a", call("u8", &[]), &[])], "256\n")), "which is not u8"),
        (error_of(read(false, vec![column("a", call("i32", &[]), &[])], "1\n?\n")), "i32 has no missing values"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{expected} in {message}");
    }
    let dir = folder(&[("a.csv", b"1, a, x, 0, f, no\n2, \xe9, x, 0, f, no\n")]);
    let message = error_of(open_in(dir.path(), &declared(false, people(), &[])));
    assert!(message.contains("line 2: the text is not UTF-8 here"), "{message}");
}

#[test]
fn learning_looks_at_the_training_part_alone() {
    let file: String = (0..10).map(|i| if i < 8 { format!("{}\n", i % 2) } else { "1000\n".into() }).collect();
    let dir = folder(&[("a.csv", file.as_bytes())]);
    let split = call("split", &[("", Static::Float(0.8))]);
    let declared = declared(false, vec![column("a", f32(), &["standardize"])], &[split]);
    let data = open_in(dir.path(), &declared).unwrap();
    assert_eq!(data.learned.columns["a"].standardize, [Moments { mean: 0.5, deviation: 0.5 }]);
    close(&numbers(data.split("test").unwrap(), "a"), &[1999.0, 1999.0]);

    // As it comes back from a run's folder, it is used as it is.
    let kept: Learned = serde_json::from_str(&serde_json::to_string(&data.learned).unwrap()).unwrap();
    assert_eq!(kept, data.learned);
    let other = folder(&[("a.csv", b"1\n0\n")]);
    let given = Learned { columns: kept.columns, ..Learned::default() };
    let split = open_file(&declared, &other.path().join("a.csv"), &given).unwrap();
    close(&numbers(&split, "a"), &[1.0, -1.0]);
    let message = error_of(open_file(&declared, &other.path().join("a.csv"), &Learned::default()));
    assert!(message.contains("learned nothing about `a`"), "{message}");
}

/// The numbers of `hash: n` in a file of one column, and what was learned.
fn hashed(n: i64, file: &str, operators: &[Static]) -> (Vec<Vec<f64>>, Learned) {
    let dir = folder(&[("a.csv", file.as_bytes())]);
    let columns = vec![column("a", call("category", &[("hash", Static::Int(n))]), &[])];
    let data = open_in(dir.path(), &declared(false, columns, operators)).unwrap();
    (data.splits.iter().map(|(_, s)| numbers(s, "a")).collect(), data.learned)
}

#[test]
fn categories_share_no_number_where_there_are_enough() {
    let letters: Vec<String> = ('a'..='p').map(String::from).collect();
    let (codes, learned) = hashed(16, &letters.join("\n"), &[]);
    let mut sorted = codes[0].clone();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(sorted, (0..16).map(f64::from).collect::<Vec<_>>());
    assert!(!learned.categories["a"].is_empty(), "sixteen hashes below 16 do not happen to differ");

    // The order of rows does not matter, and that of frequency does: what is most frequent has its hash.
    let backwards: Vec<String> = letters.iter().rev().cloned().collect();
    assert_eq!(hashed(16, &backwards.join("\n"), &[]).1, learned);
    for letter in &letters {
        let (codes, learned) = hashed(16, &format!("{}\n{letter}\n", letters.join("\n")), &[]);
        assert!(!learned.categories["a"].contains_key(letter), "{letter} is first");
        assert_eq!(codes[0][16], hashed(16, letter, &[]).0[0][0]);
    }
}

#[test]
fn categories_that_are_too_many_keep_their_hash() {
    let letters: Vec<String> = ('a'..='p').map(String::from).collect();
    let (codes, learned) = hashed(4, &letters.join("\n"), &[]);
    let mut first = codes[0][..4].to_vec();
    first.sort_by(f64::total_cmp);
    assert_eq!(first, [0.0, 1.0, 2.0, 3.0], "equals in the order of the alphabet");
    for (letter, code) in letters.iter().zip(&codes[0]).skip(4) {
        assert_eq!(*code, hashed(4, letter, &[]).0[0][0], "{letter}");
    }
    assert!(learned.categories["a"].keys().all(|text| letters[..4].contains(text)));
    assert_eq!(hashed(1, "x\ny\nx\n", &[]).0, [[0.0, 0.0, 0.0]]);
}

#[test]
fn categories_are_learned_from_the_training_part_and_kept() {
    let letters: Vec<String> = ('a'..='p').map(String::from).collect();
    let split = call("split", &[("", Static::Float(0.5))]);
    let (codes, learned) = hashed(8, &letters.join("\n"), std::slice::from_ref(&split));
    assert_eq!(learned, hashed(8, &letters[..8].join("\n"), &[]).1, "the test part teaches nothing");
    for (letter, code) in letters[8..].iter().zip(&codes[1]) {
        assert_eq!(*code, hashed(8, letter, &[]).0[0][0], "{letter} was not seen and has its hash");
    }

    let columns = |n| vec![column("a", call("category", &[("hash", Static::Int(n))]), &[])];
    let dir = folder(&[("a.csv", letters[..8].iter().rev().cloned().collect::<Vec<_>>().join("\n").as_bytes())]);
    let path = dir.path().join("a.csv");
    let kept: Learned = serde_json::from_str(&serde_json::to_string(&learned).unwrap()).unwrap();
    let given = open_file(&declared(false, columns(8), &[]), &path, &kept).unwrap();
    assert_eq!(numbers(&given, "a"), codes[0].iter().rev().copied().collect::<Vec<_>>());
    let message = error_of(open_file(&declared(false, columns(8), &[]), &path, &Learned::default()));
    assert!(message.contains("learned nothing about `a`"), "{message}");
    let message = error_of(open_file(&declared(false, columns(1), &[]), &path, &kept));
    assert!(message.contains("of `a`, which is not below 1") && message.contains("train it again"), "{message}");
}

#[test]
fn a_full_table_of_categories_is_filled_quickly() {
    let n = 200_000;
    let file: String = (0..n).map(|i| format!("{i}\n")).collect();
    let mut codes = hashed(n, &file, &[]).0.remove(0);
    codes.sort_by(f64::total_cmp);
    assert!(codes.iter().enumerate().all(|(i, &c)| c == i as f64));
}

#[test]
fn what_was_learned_survives_json() {
    let mean = 0.1 + 0.2 + 1e-17;
    for x in [mean, 1.0 / 3.0, 38.581_646_755_32, f64::MIN_POSITIVE, 1e300 / 7.0] {
        let column = LearnedColumn { standardize: vec![Moments { mean: x, deviation: x }], fill: -x };
        let learned = Learned {
            vocabulary: vec!["\n".into()],
            columns: [("c".to_string(), column)].into(),
            ..Learned::default()
        };
        let back: Learned = serde_json::from_str(&serde_json::to_string(&learned).unwrap()).unwrap();
        assert_eq!(back, learned);
    }
}

#[test]
fn splits_do_not_overlap() {
    let file: String = (0..101).map(|i| format!("{i}\n")).collect();
    let dir = folder(&[("a.csv", file.as_bytes())]);
    let shuffle = |seed| call("shuffle", &[("seed", Static::Int(seed))]);
    let split = call("split", &[("", Static::Float(0.9))]);
    let parts = |operators: &[Static]| {
        let columns = vec![column("a", f32(), &[])];
        let data = open_in(dir.path(), &declared(false, columns, operators)).unwrap();
        data.splits.iter().map(|(_, s)| numbers(s, "a")).collect::<Vec<_>>()
    };
    let plain = parts(std::slice::from_ref(&split));
    assert_eq!(plain, [(0..90).map(f64::from).collect::<Vec<_>>(), (90..101).map(f64::from).collect()]);
    let mixed = parts(&[shuffle(1), split.clone()]);
    assert_eq!(mixed, parts(&[shuffle(1), split.clone()]));
    assert_ne!(mixed, parts(&[shuffle(2), split.clone()]));
    assert_ne!(mixed[0], plain[0]);
    let mut whole = mixed.concat();
    whole.sort_by(f64::total_cmp);
    assert_eq!(whole, (0..101).map(f64::from).collect::<Vec<_>>());
    let taken = parts(&[call("take", &[("", Static::Int(20))]), split.clone()]);
    assert_eq!(taken.iter().map(Vec::len).collect::<Vec<_>>(), [18, 2]);
    let dir = folder(&[("a.csv", b"1\n2\n3\n")]);
    let columns = vec![column("a", f32(), &[])];
    let message =
        error_of(open_in(dir.path(), &declared(false, columns, &[call("split", &[("", Static::Float(0.1))])])));
    assert!(message.contains("`d.train` has no examples; there are 3 in all"), "{message}");
}

#[test]
fn files_to_predict_may_lack_labels() {
    let dir = folder(&[("a.csv", b"1, a, x, 0, f, no\n2, b, y, 0, m, yes\n")]);
    let declared = declared(false, people(), &[]);
    let learned = open_in(dir.path(), &declared).unwrap().learned;
    let fields = |declared: &DataSpec, file: &str| {
        let dir = folder(&[("p.csv", file.as_bytes())]);
        let split = open_file(declared, &dir.path().join("p.csv"), &learned)?;
        Ok::<_, DataError>(split.fields().iter().map(|f| f.name.clone()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(fields(&declared, "1, a, x, 0, f, no\n").unwrap(), "age work gain sex rich");
    for unlabelled in ["1, a, x, 0, f\n", "1, a, x, 0, f,\n", "1, a, x, 0, f, no\n1, a, x, 0, f, ?\n"] {
        assert_eq!(fields(&declared, unlabelled).unwrap(), "age work gain sex");
    }
    assert!(error_of(fields(&declared, "1, a, x, 0\n")).contains("this row has 4 cells"));
    let headed = super::tables::declared(true, people(), &[]);
    assert_eq!(fields(&headed, "sex,gain,work,age\nf,0,a,1\n").unwrap(), "age work gain sex");
    assert!(error_of(fields(&headed, "gain,work,age\n0,a,1\n")).contains("there is no column `sex`"));
}
