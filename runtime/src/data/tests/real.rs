//! Real data, where it is: in `TFM_DATA`, or in `shared/data` in a folder above.

use super::*;

/// The folder that has `name`, or a line that says the test is skipped.
pub(super) fn real(name: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/data"));
    let found =
        std::env::var_os("TFM_DATA").map(PathBuf::from).into_iter().chain(above).find(|r| r.join(name).exists());
    if found.is_none() {
        println!("skipped: no `{name}` in TFM_DATA or ../shared/data");
    }
    found
}

/// CRC-32 of a field over a whole part, as `gzip` would say.
fn crc(split: &Split, field: usize) -> u32 {
    let all: Vec<usize> = (0..split.len()).collect();
    let mut crc = flate2::Crc::new();
    crc.update(split.get(field, &all).bytes());
    crc.sum()
}

#[test]
fn mnist() {
    let Some(root) = real("mnist") else { return };
    let data = open_in(&root, &spec("mnist", &[("", text("mnist"))], vec![], &[])).unwrap();
    let (train, test) = (data.split("train").unwrap(), data.split("test").unwrap());
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    // Of the bytes after the heads of the canonical files.
    assert_eq!((crc(train, 0), crc(test, 0)), (4083391318, 3838467927));
    assert_eq!(numbers(train, "label")[..8], [5.0, 0.0, 4.0, 1.0, 9.0, 2.0, 1.0, 3.0]);
}

#[test]
fn fashion_sprites() {
    let Some(root) = real("fashion-mnist/sprite900-images-idx3-ubyte.gz") else { return };
    let shape = Static::List([1, 28, 28].map(Static::Int).into());
    let (images, labels) =
        ("fashion-mnist/sprite900-images-idx3-ubyte.gz", "fashion-mnist/sprite900-labels-idx1-ubyte.gz");
    let args = [("", text(images)), ("", text(labels)), ("shape", shape), ("classes", Static::Int(10))];
    let data = open_in(&root, &spec("idx", &args, vec![], &[])).unwrap();
    let labels = numbers(data.split("all").unwrap(), "label");
    assert!((0..10).all(|c| labels.iter().filter(|&&l| l == f64::from(c)).count() == 90));
}

#[test]
fn cifar() {
    let Some(root) = real("cifar10") else { return };
    let data = open_in(&root, &spec("cifar10", &[("", text("cifar10"))], vec![], &[])).unwrap();
    assert!(data.split("train").unwrap().len() >= 10_000 && data.split("test").unwrap().len() >= 1000);
    // The first training image is a frog, the first test image a cat.
    assert_eq!(
        (numbers(data.split("train").unwrap(), "label")[0], numbers(data.split("test").unwrap(), "label")[0]),
        (6.0, 3.0)
    );
}

#[test]
fn adult() {
    let Some(root) = real("adult/adult.data") else { return };
    let hash = |n| call("category", &[("hash", Static::Int(n))]);
    let number = |t: &'static [&'static str]| (call("f32", &[]), t);
    let columns: Vec<ColumnSpec> = [
        ("age", number(&["standardize"])),
        ("workclass", (hash(16), &[][..])),
        ("fnlwgt", (call("skip", &[]), &[])),
        ("education", (hash(32), &[])),
        ("education_num", number(&["standardize"])),
        ("marital", (hash(16), &[])),
        ("occupation", (hash(32), &[])),
        ("relationship", (hash(16), &[])),
        ("race", (hash(16), &[])),
        ("sex", (call("category", &[("", texts(&["Female", "Male"]))]), &[])),
        ("capital_gain", number(&["log1p"])),
        ("capital_loss", number(&["log1p"])),
        ("hours_per_week", number(&["standardize"])),
        ("native_country", (hash(64), &[])),
        ("income", (call("label", &[("", texts(&["<=50K", ">50K"]))]), &[])),
    ]
    .into_iter()
    .map(|(name, (kind, transforms))| column(name, kind, transforms))
    .collect();
    let args = [("", text("adult/adult.data")), ("header", Static::Bool(false)), ("missing", text("?"))];
    let operators = [call("shuffle", &[("seed", Static::Int(1))]), call("split", &[("", Static::Float(0.9))])];
    let declared = spec("csv", &args, columns, &operators);
    let data = open_in(&root, &declared).unwrap();
    let (train, test) = (data.split("train").unwrap(), data.split("test").unwrap());
    assert_eq!((train.len(), test.len()), (29_304, 3257));
    let rich: f64 = [train, test].iter().flat_map(|s| numbers(s, "income")).sum();
    assert_eq!(rich, 7841.0);
    let age = Moments::of(numbers(train, "age").into_iter());
    assert!(age.mean.abs() < 1e-5 && (age.deviation - 1.0).abs() < 1e-5, "{age:?}");
    for (name, texts) in [("workclass", 9), ("education", 16), ("occupation", 15), ("native_country", 41)] {
        let mut codes = numbers(train, name);
        codes.sort_by(f64::total_cmp);
        codes.dedup();
        assert_eq!(codes.len(), texts, "different numbers of `{name}`");
    }

    // The test file ends its labels in a full stop and has a line that is no row.
    let predict = open_file(&declared, &root.join("adult/adult.test"), &data.learned);
    let message = error_of(predict);
    assert!(message.contains("line 1: this row has 1 cell, and there are 15 columns"), "{message}");
    assert!(message.contains("write `comment: \"|\"`"), "{message}");
    let clean = [("comment", text("|")), ("trim", text(".")), ("test", text("adult/adult.test"))];
    let args: Vec<(&str, Static)> = args.iter().cloned().chain(clean).collect();
    let data = open_in(&root, &spec("csv", &args, declared.columns.clone(), &[])).unwrap();
    assert_eq!((data.splits[0].1.len(), data.splits[1].1.len()), (32_561, 16_281));
    assert_eq!(numbers(data.split("test").unwrap(), "income").iter().sum::<f64>(), 3846.0);
}

#[test]
fn tiny_shakespeare() {
    let Some(root) = real("tinyshakespeare/input.txt") else { return };
    let declared = |kind: &str, n: i64| {
        let args = [("", text("tinyshakespeare/input.txt")), ("tokens", call(kind, &[("", Static::Int(n))]))];
        spec("text", &args, vec![], &[call("split", &[("", Static::Float(0.9))])])
    };
    let data = open_in(&root, &declared("chars", 65)).unwrap();
    assert_eq!(data.learned.vocabulary.len(), 65);
    assert_eq!(data.learned.vocabulary[..4], ["\n", " ", "!", "$"]);
    assert_eq!(data.split("train").unwrap().len(), 1_003_854 - 64);
    assert_eq!(data.split("test").unwrap().len(), (111_540 - 1) / 64);
    let message = error_of(open_in(&root, &declared("chars", 64)));
    assert!(message.contains("65 different characters"), "{message}");
    let words = open_in(&root, &declared("words", 10_000)).unwrap();
    assert_eq!(words.learned.vocabulary.len(), 10_000);
}

#[test]
fn spoken_digits() {
    let Some(root) = real("fsdd") else { return };
    let args = [
        ("path", text("fsdd")),
        ("classes", Static::Int(10)),
        ("rate", Static::Int(8000)),
        ("length", Static::Int(8000)),
    ];
    let data = open_in(
        &root,
        &spec("wav", &args, vec![], &[call("shuffle", &[]), call("split", &[("", Static::Float(0.8))])]),
    )
    .unwrap();
    assert_eq!((data.splits[0].1.len(), data.splits[1].1.len()), (240, 60));
    let labels: Vec<f64> = data.splits.iter().flat_map(|(_, s)| numbers(s, "label")).collect();
    assert!((0..10).all(|c| labels.iter().filter(|&&l| l == f64::from(c)).count() == 30));
    let train = &data.splits[0].1;
    let loud = numbers(train, "wave").iter().fold(0.0f64, |m, x| m.max(x.abs()));
    assert!(loud > 0.3 && loud <= 1.0, "{loud}");
    assert!(numbers(train, "length").iter().all(|&n| n > 1000.0));
}

#[test]
fn transformer_temperatures() {
    let Some(root) = real("etth1/ETTh1.csv") else { return };
    let seven = call("f32", &[("shape", Static::List(vec![Static::Int(7)]))]);
    let columns = vec![column("date", call("skip", &[]), &[]), column("HUFL", seven, &["standardize"])];
    let split = call("split", &[("", Static::Float(0.7)), ("", Static::Float(0.1))]);
    let windows = call("windows", &[("", Static::Int(96)), ("", Static::Int(24))]);
    let data = open_in(&root, &spec("csv", &[("", text("etth1/ETTh1.csv"))], columns, &[split, windows])).unwrap();
    let lengths: Vec<usize> = data.splits.iter().map(|(_, s)| s.len()).collect();
    assert_eq!(lengths, [12_194 - 119, 1742 - 119, 3484 - 119]);
    // The seventh number is the oil's temperature, as its mean over the training part says.
    let oil = data.learned.columns["HUFL.6"].standardize[0];
    assert!((oil.mean - 16.3).abs() < 1.5 && oil.deviation > 5.0, "{oil:?}");
}

#[test]
fn names() {
    let Some(root) = real("names/names.txt") else { return };
    let chars = call("chars", &[("", Static::Int(30)), ("", Static::Int(17)), ("", Static::Bool(true))]);
    let declared = spec("lines", &[("", text("names/names.txt"))], vec![column("name", chars, &[])], &[]);
    let data = open_in(&root, &declared).unwrap();
    let all = data.split("all").unwrap();
    assert_eq!((all.len(), data.learned.vocabularies["name"].len()), (32_033, 26));
    // emma
    assert_eq!(all.get(0, &[0]).to_f64()[..7], [2.0, 8.0, 16.0, 16.0, 4.0, 3.0, 0.0]);
}

#[test]
fn fashion_in_an_array() {
    let Some(root) = real("fashion-mnist/fashion_test_5class.npy") else { return };
    let image = call("u8", &[("shape", Static::List([1, 28, 28].map(Static::Int).into()))]);
    let columns = vec![column("image", image, &[]), column("label", call("label", &[("", Static::Int(5))]), &[])];
    let data =
        open_in(&root, &spec("npy", &[("", text("fashion-mnist/fashion_test_5class.npy"))], columns, &[])).unwrap();
    let labels = numbers(data.split("all").unwrap(), "label");
    assert!((0..5).all(|c| labels.iter().filter(|&&l| l == f64::from(c)).count() == 1000));
}
