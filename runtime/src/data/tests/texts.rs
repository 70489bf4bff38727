//! Texts: vocabularies, where blocks begin, and what is said about wrong ones.

use super::*;

fn declared(kind: &str, count: i64, block: i64, split: Option<f64>) -> DataSpec {
    let tokens = call(kind, &[("", Static::Int(count))]);
    let operators: Vec<Static> = split.map(|s| call("split", &[("", Static::Float(s))])).into_iter().collect();
    spec("text", &[("", text("t")), ("tokens", tokens), ("block", Static::Int(block))], vec![], &operators)
}

fn read(declared: &DataSpec, content: &str) -> Result<Dataset, DataError> {
    open_in(folder(&[("t", content.as_bytes())]).path(), declared)
}

/// The examples of a field, written out with the vocabulary.
fn written(data: &Dataset, split: &str, field: usize) -> Vec<String> {
    let split = data.split(split).unwrap();
    (0..split.len())
        .map(|i| {
            split.get(field, &[i]).elements::<i32>().iter().map(|&t| &*data.learned.vocabulary[t as usize]).collect()
        })
        .collect()
}

#[test]
fn blocks_of_characters() {
    let data = read(&declared("chars", 8, 3, Some(0.6)), "hello, hello, hello!").unwrap();
    // 12 characters to train, 8 to test; `!` is only in the second part.
    assert_eq!(data.learned.vocabulary, [" ", ",", "e", "h", "l", "o", "!"]);
    assert_eq!(written(&data, "train", 0)[..3], ["hel", "ell", "llo"]);
    assert_eq!(written(&data, "train", 1)[..3], ["ell", "llo", "lo,"]);
    assert_eq!((written(&data, "train", 0)[8].as_str(), written(&data, "train", 1)[8].as_str()), ("ell", "llo"));
    assert_eq!(written(&data, "train", 0).len(), 9);
    assert_eq!(written(&data, "test", 0), [", h", "ell"]);
    assert_eq!(written(&data, "test", 1), [" he", "llo"]);
    let all = read(&declared("chars", 7, 19, None), "hello, hello, hello!").unwrap();
    assert_eq!(written(&all, "all", 0), ["hello, hello, hello"]);
}

#[test]
fn blocks_of_words() {
    let content = "the cat's hat, the hat\nthe end.\nthe mat";
    let data = read(&declared("words", 4, 2, Some(0.7)), content).unwrap();
    // Of 12 words 8 are to learn from: the (3), hat (2), then `\n` before those that are later.
    assert_eq!(data.learned.vocabulary, ["<unknown>", "the", "hat", "\n"]);
    let words = |i: usize| data.split("train").unwrap().get(0, &[i]).elements::<i32>().to_vec();
    assert_eq!([words(0), words(2), words(4)].concat(), [1, 0, 2, 0, 1, 2]);
    assert_eq!(data.split("test").unwrap().get(0, &[0]).elements::<i32>(), [0, 3]);
}

#[test]
fn wrong_texts() {
    let wrong = |declared: DataSpec, content: &str| error_of(read(&declared, content));
    let message = wrong(declared("chars", 3, 2, None), "abcd abcd");
    assert!(message.contains("the text has 5 different characters, and `chars(3)` is declared"), "{message}");
    assert!(message.contains("write `tokens: chars(5)`"), "{message}");
    let message = wrong(declared("chars", 3, 5, Some(0.5)), "abcabcabca");
    assert!(message.contains("`d.train` has 5 tokens, and a block needs 6"), "{message}");
    let message = wrong(declared("chars", 3, 5, None), "");
    assert!(message.contains("the file is empty"), "{message}");
    let dir = folder(&[("t", b"ab\nc\xff")]);
    let message = error_of(open_in(dir.path(), &declared("chars", 3, 2, None)));
    assert!(message.contains("line 2: the text is not UTF-8 here"), "{message}");
}

#[test]
fn texts_to_predict() {
    let declared = declared("chars", 4, 3, None);
    let learned = read(&declared, "abcd abcd".trim_end_matches("d").replace(' ', "").as_str()).unwrap().learned;
    let file = |content: &str| {
        let dir = folder(&[("p", content.as_bytes())]);
        open_file(&declared, &dir.path().join("p"), &learned)
    };
    let split = file("abcdabca").unwrap();
    assert_eq!(split.fields().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["tokens"]);
    assert_eq!(split.get(0, &[0, 1, 2]).elements::<i32>(), [0, 1, 2, 3, 0, 1, 1, 2, 0]);
    assert!(error_of(file("ab")).contains("the text has 2 tokens, and a block needs 3"));
    assert!(error_of(file("abc\nabe")).contains("line 1: the character '\\n' is not among the 4"));
    assert!(error_of(open_file(&declared, Path::new("p"), &Learned::default())).contains("there is no such file"));
}

#[test]
fn a_run_keeps_its_vocabulary() {
    let declared = declared("chars", 4, 2, None);
    let dir = folder(&[("t", b"bcda")]);
    let vocabulary: Vec<String> = ["d", "c", "b", "a"].map(String::from).into();
    let kept = Learned { vocabulary, ..Learned::default() };
    let options = |learned| Options { roots: vec![dir.path().to_path_buf()], learned: Some(learned) };
    let data = open(&declared, &options(kept.clone())).unwrap();
    assert_eq!(data.split("all").unwrap().get(0, &[0]).elements::<i32>(), [2, 1]);
    assert_eq!(data.learned, kept);
    let message = error_of(open(&declared, &options(Learned::default())));
    assert!(message.contains("does not belong to this declaration"), "{message}");
}

#[test]
fn parts_of_parts() {
    let data = read(&declared("chars", 3, 2, Some(0.5)), &"abc".repeat(40)).unwrap();
    let test = data.split("test").unwrap();
    assert_eq!(test.len(), 29);
    let few = test.apply(&[call("take", &[("", Static::Int(5))])]).unwrap();
    assert_eq!((few.len(), test.take(1000).len()), (5, 29));
    assert_eq!(few.get(1, &[4, 0]).bytes(), test.get(1, &[4, 0]).bytes());
    assert!(error_of(test.apply(&[call("split", &[("", Static::Float(0.5))])])).contains("only `take` and `skip`"));
}
