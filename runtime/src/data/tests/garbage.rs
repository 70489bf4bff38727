//! Any bytes in any file give data or an error that names the file, and never a panic.

use super::*;
use proptest::prelude::*;

/// Every source that reads a file, in a folder whose files all have the same content.
fn declarations() -> Vec<DataSpec> {
    let hash = || call("category", &[("hash", Static::Int(4))]);
    let chars = || call("chars", &[("", Static::Int(9)), ("length", Static::Int(4)), ("marks", Static::Bool(true))]);
    let two = Static::List(vec![Static::Int(2), Static::Int(2)]);
    let columns =
        || vec![column("a", call("f32", &[]), &["standardize"]), column("b", hash(), &[]), column("c", chars(), &[])];
    let numbers = || vec![column("a", call("f32", &[]), &[]), column("b", call("label", &[("", Static::Int(3))]), &[])];
    let f = || ("path", text("f"));
    let tokens = |kind: &str, args: Args| ("tokens", call(kind, args));
    vec![
        spec("csv", &[f()], columns(), &[]),
        spec("csv", &[f(), ("header", Static::Bool(false))], numbers(), &[]),
        spec("jsonl", &[f()], columns(), &[]),
        spec("parquet", &[f()], columns(), &[]),
        spec("lines", &[f()], vec![column("c", chars(), &[])], &[]),
        spec("npy", &[f()], numbers(), &[]),
        spec("text", &[f(), tokens("words", &[("", Static::Int(9))]), ("block", Static::Int(2))], vec![], &[]),
        spec("text", &[f(), tokens("bytes", &[]), ("block", Static::Int(2))], vec![], &[]),
        spec("mnist", &[("path", text("m"))], vec![], &[]),
        spec("cifar10", &[("path", text("c"))], vec![], &[]),
        spec("images", &[("path", text("i")), ("classes", Static::Int(1)), ("size", two)], vec![], &[]),
        spec(
            "wav",
            &[
                ("path", text("w")),
                ("classes", Static::Int(1)),
                ("rate", Static::Int(8000)),
                ("length", Static::Int(4)),
            ],
            vec![],
            &[],
        ),
    ]
}

/// Beginnings that lead a reader further into a file than chance would.
const HEADS: [&[u8]; 12] = [
    b"",
    b"a,b,c\n1,x,y\n",
    b"{\"a\":1,\"b\":\"x\",\"c\":\"y\"}\n",
    b"\x93NUMPY\x01\x00\x3c\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }",
    b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
    b"\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c",
    b"\0\0\x08\x01\0\0\0\x02",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x02\0\0\0\xfd\xd4\x9as",
    b"\xff\xd8\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0",
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\0\0\0\0\0\0\x10\0data",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"PAR1",
];

fn try_all(bytes: &[u8]) {
    let dir = folder(&[("f", bytes)]);
    for (inner, name) in [
        ("m", "train-images-idx3-ubyte"),
        ("m", "train-labels-idx1-ubyte"),
        ("m", "t10k-images-idx3-ubyte"),
        ("m", "t10k-labels-idx1-ubyte"),
        ("c", "data_batch_1.bin"),
        ("c", "test_batch.bin"),
        ("i/x", "a.png"),
        ("w", "x_1.wav"),
    ] {
        std::fs::create_dir_all(dir.path().join(inner)).unwrap();
        std::fs::write(dir.path().join(inner).join(name), bytes).unwrap();
    }
    for declared in declarations() {
        if let Err(e) = open(&declared, &Options { roots: vec![dir.path().to_path_buf()], learned: None }) {
            assert!(!e.message.is_empty() && !e.message.contains("thread"), "{}: {e}", declared.source);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(head in 0..HEADS.len(), tail in prop::collection::vec(any::<u8>(), 0..200)) {
        try_all(&[HEADS[head], &tail].concat());
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[a-c0-9,\"\\n\\r\\t {}\\[\\]:.|?é-]{0,80}") {
        try_all(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_inspect_panic(head in 0..HEADS.len(), tail in "[a-c0-9,;\\n\\t ?]{0,60}|\\PC{0,20}") {
        let dir = folder(&[("a-images", &[HEADS[head], tail.as_bytes()].concat())]);
        let _ = inspect(&dir.path().join("a-images"));
    }
}
