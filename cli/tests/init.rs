//! `tfm init`: what is drafted for data of many forms checks, trains, and, where there is something to learn, learns it.

mod common;

use common::{bad, good, read};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Drafts a file, checks it and trains two steps; gives its text.
fn draft(dir: &Path, from: &str, more: &str) -> String {
    let said = good(dir, &format!("init --from {from}{more} -o net.tfm"));
    assert!(said.starts_with("net.tfm: From ") || said.starts_with("net.tfm: What follows"), "{said}");
    let text = String::from_utf8(read(dir.join("net.tfm"))).unwrap();
    fs::remove_file(dir.join("net.tfm")).unwrap();
    fs::write(dir.join("draft.tfm"), &text).unwrap();
    let checked = common::run(dir, "check draft.tfm");
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{}\n{text}",
        String::from_utf8_lossy(&checked.stderr)
    );
    // Every lint there is, also those that are off where nothing is said.
    let linted = common::run(dir, "lint --isolated draft.tfm");
    let found = String::from_utf8_lossy(&linted.stdout) + String::from_utf8_lossy(&linted.stderr);
    assert!(linted.status.success() && !found.contains("[L"), "{found}\n{text}");
    let trained = good(dir, "train draft.tfm --fast-dev-run 2");
    assert!(trained.contains("2 steps; nothing was kept"), "{trained}\n{text}");
    text
}

/// Flowers of three kinds, told by two of four numbers and a colour.
fn flowers(rows: usize) -> String {
    let mut text = String::from("kind,petal,sepal,colour,noise,price\n");
    for i in 0..rows {
        let k = i * 7919 % 3;
        let wobble = (i * 104_729 % 100) as f64 / 250.0;
        let (petal, sepal) = (k as f64 + wobble, 3.0 - k as f64 / 2.0 + wobble);
        let colour = ["red", "blue", "white", "green"][(i * 31 + k) % 4];
        let price = 2.0 * petal + sepal;
        let noise = i * 13 % 17;
        writeln!(text, "{},{petal:.3},{sepal:.3},{colour},{noise}.5,{price:.3}", ["daisy", "rose", "iris"][k]).unwrap();
    }
    text
}

#[test]
fn a_table_is_classified_by_the_column_that_is_named() {
    let bench = folder();
    let dir = bench.path();
    fs::write(dir.join("flowers.csv"), flowers(600)).unwrap();
    let text = draft(dir, "flowers.csv", " --label kind");
    assert!(text.contains("kind:   label([\"daisy\", \"iris\", \"rose\"])"), "{text}");
    assert!(text.contains("cross_entropy(logits, kind)") && text.contains("Embedding(4, "), "{text}");
    assert!(text.contains("train flowers_net on flowers.train") && text.contains("model FlowersNet("), "{text}");
    let said = good(dir, "train draft.tfm -q");
    let accuracy = said.lines().find(|l| l.starts_with("test.accuracy")).unwrap();
    let best: f64 = accuracy.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(best > 0.95, "{said}");
}

#[test]
fn numbers_are_predicted_where_the_last_column_is_one() {
    let bench = folder();
    let dir = bench.path();
    fs::write(dir.join("flowers.csv"), flowers(600)).unwrap();
    let text = draft(dir, "flowers.csv", "");
    assert!(text.contains("mse(prediction, price)") && text.contains("r2(prediction, price)"), "{text}");
    let said = good(dir, "train draft.tfm -q");
    let r2: f64 =
        said.lines().find(|l| l.starts_with("test.r2")).unwrap().split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(r2 > 0.9, "{said}");
}

#[test]
fn what_cannot_be_is_told() {
    let bench = folder();
    let dir = bench.path();
    fs::write(dir.join("flowers.csv"), flowers(60)).unwrap();
    let said = bad(dir, "init --from flowers.csv --label size", 1);
    assert!(said.contains("there is no column `size`; there are kind, petal"), "{said}");
    assert!(bad(dir, "init --from nothing.csv", 1).contains("nothing.csv"));
    good(dir, "init --from flowers.csv");
    let before = read(dir.join("flowers.tfm"));
    assert!(bad(dir, "init --from flowers.csv", 1).contains("flowers.tfm is there already"));
    assert!(read(dir.join("flowers.tfm")) == before);
    assert!(good(dir, "init --from flowers.csv -o -").contains("data flowers = csv(\"flowers.csv\")"));
    // Nearly every text is another one: a column that is left out cannot be predicted.
    let other = (0..40).map(|i| format!("{i}.5,t{i}\n")).collect::<String>();
    fs::write(dir.join("other.csv"), format!("size,name\n{other}")).unwrap();
    assert!(
        bad(dir, "init --from other.csv --label name", 1).contains("`name` has nothing in it that could be predicted")
    );
    let mut names = String::from("size,name\n");
    (0..400).for_each(|i| writeln!(names, "{i},n{}", i % 60).unwrap());
    fs::write(dir.join("names.csv"), names).unwrap();
    assert!(bad(dir, "init --from names.csv --label name", 1).contains("too many different texts"));
}

#[test]
fn columns_with_the_names_of_functions_do_no_harm() {
    let bench = folder();
    let dir = bench.path();
    let mut text = String::from("mean,max,stack,relu,numbers,kinds,flatten,logit,target\n");
    for i in 0..80 {
        let kind = ["a", "b", "c"][i % 3];
        writeln!(
            text,
            "{i}.5,{}.25,{kind},{kind},{}.5,{kind},{kind},{}.5,{}",
            i % 7,
            i % 5,
            i % 3,
            ["no", "yes"][i % 2]
        )
        .unwrap();
    }
    fs::write(dir.join("odd.csv"), text).unwrap();
    draft(dir, "odd.csv", "");
}

#[test]
fn json_lines_with_vectors_words_and_truths() {
    let bench = folder();
    let dir = bench.path();
    let mut text = String::new();
    for i in 0..90 {
        let words = ["a very good day to be out", "rain and wind all day long", "nothing to be said of it"][i % 3];
        writeln!(
            text,
            "{{\"where\": [{}, {}.5], \"said\": \"{words} {i}\", \"open\": {}, \"mood\": {}}}",
            i % 5,
            i % 7,
            i % 2 == 0,
            i % 3
        )
        .unwrap();
    }
    fs::write(dir.join("days.jsonl"), text).unwrap();
    let text = draft(dir, "days.jsonl", " --label mood");
    assert!(text.contains("mean(Embedding(10000, 32)(said), axis: 1)"), "{text}");
    assert!(text.contains("cross_entropy(logits, mood)"), "{text}");
    let text = draft(dir, "days.jsonl", " --label open");
    assert!(text.contains("binary_cross_entropy(logit, f32(open))"), "{text}");
}

/// An array of NumPy.
fn npy(dtype: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((head.len() as u16).to_le_bytes());
    out.extend(head.as_bytes());
    out.extend(bytes);
    out
}

#[test]
fn arrays_of_numpy_are_images_or_vectors() {
    let bench = folder();
    let dir = bench.path();
    fs::create_dir(dir.join("images")).unwrap();
    let pixels: Vec<u8> = (0..60 * 256).map(|i| (i * 31 % 251) as u8).collect();
    fs::write(dir.join("images/x.npy"), npy("|u1", "(60, 1, 16, 16)", &pixels)).unwrap();
    let labels: Vec<u8> = (0..60).map(|i| i % 4).collect();
    fs::write(dir.join("images/y.npy"), npy("|u1", "(60,)", &labels)).unwrap();
    let text = draft(dir, "images", "");
    assert!(text.contains("Conv2d(16, kernel: 3, pad: 1)") && text.contains("f32(x) / 255"), "{text}");
    assert!(text.contains("cross_entropy(logits, y)"), "{text}");

    fs::create_dir(dir.join("vectors")).unwrap();
    let floats: Vec<u8> = (0..60 * 5).flat_map(|i| (i as f64 / 7.0).sin().to_le_bytes()).collect();
    fs::write(dir.join("vectors/x.npy"), npy("<f8", "(60, 5)", &floats)).unwrap();
    let wanted: Vec<u8> = (0..60).flat_map(|i| (i as f32 / 9.0).cos().to_le_bytes()).collect();
    fs::write(dir.join("vectors/target.npy"), npy("<f4", "(60,)", &wanted)).unwrap();
    let text = draft(dir, "vectors", "");
    assert!(text.contains("mse(prediction, target)"), "{text}");
}

#[test]
fn a_folder_of_images() {
    let bench = folder();
    let dir = bench.path();
    for class in ["apple", "pear"] {
        fs::create_dir_all(dir.join("fruit").join(class)).unwrap();
        for i in 0..12u8 {
            fs::write(dir.join("fruit").join(class).join(format!("{i}.png")), png(20, 24, i)).unwrap();
        }
    }
    let text = draft(dir, "fruit", "");
    assert!(text.contains("images(\"fruit\", classes: [\"apple\", \"pear\"], size: [20, 24], channels: 1)"), "{text}");
    assert!(text.contains("binary_cross_entropy(logit, f32(label))") && text.contains("MaxPool2d(2)"), "{text}");
}

/// A grey picture, its bytes stored without compression.
fn png(height: u32, width: u32, level: u8) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let mut c = !0u32;
        for b in bytes {
            c ^= u32::from(*b);
            (0..8).for_each(|_| c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 });
        }
        !c
    };
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        out.extend((data.len() as u32).to_be_bytes());
        let body: Vec<u8> = name.iter().chain(data).copied().collect();
        out.extend(&body);
        out.extend(crc(&body).to_be_bytes());
    };
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 0, 0, 0, 0]);
    chunk(b"IHDR", &head);
    let rows: Vec<u8> =
        (0..height).flat_map(|y| [0].into_iter().chain((0..width).map(move |x| level * 9 + (x + y) as u8))).collect();
    let mut stored = vec![0x78, 1, 1];
    stored.extend((rows.len() as u16).to_le_bytes());
    stored.extend((!(rows.len() as u16)).to_le_bytes());
    stored.extend(&rows);
    let (mut a, mut b) = (1u32, 0u32);
    rows.iter().for_each(|r| {
        a = (a + u32::from(*r)) % 65_521;
        b = (b + a) % 65_521;
    });
    stored.extend((b << 16 | a).to_be_bytes());
    chunk(b"IDAT", &stored);
    chunk(b"IEND", &[]);
    out
}

#[test]
fn texts_are_told_on() {
    let bench = folder();
    let dir = bench.path();
    let verse = "the sun rises over the hill and nobody is there to see it, for all have gone away. ";
    fs::write(dir.join("verse.txt"), verse.repeat(40)).unwrap();
    let text = draft(dir, "verse.txt", "");
    assert!(text.contains("cross_entropy(logits, next)") && text.contains("every 200 steps"), "{text}");
    let names = ["anna", "otto", "emil", "ida", "paul", "lina"];
    fs::write(
        dir.join("names.txt"),
        (0..90).map(|i| format!("{}{}\n", names[i % 6], names[i % 5])).collect::<String>(),
    )
    .unwrap();
    let text = draft(dir, "names.txt", "");
    assert!(text.contains("let next   = line[:, 1:]") && text.contains("ignore: 0"), "{text}");
}

#[test]
fn the_census_of_1994_is_learned_from_a_draft() {
    let Some(data) = std::env::var_os("TFM_DATA").map(PathBuf::from).filter(|d| d.join("adult/adult.data").exists())
    else {
        eprintln!("skipped: TFM_DATA names no folder with adult/adult.data");
        return;
    };
    let bench = folder();
    let dir = bench.path();
    let from = data.join("adult/adult.data");
    good(dir, &format!("init --from {} -o census.tfm", from.display()));
    let said = good(dir, "train census.tfm -q --set epochs=3");
    let value = |name: &str| -> f64 {
        let line = said.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    };
    assert!(value("test.accuracy_binary") > 0.84 && value("test.auc") > 0.89, "{said}");
}
