//! Sources that need no file: what they give is drawn by a generator, a function of the seed.

use super::drawn::{drawn, fields};
use super::{Default, Kind, Param, Source, field, images, int, param};
use crate::types::DType;

const TRAIN: Param = param("train", Kind::Count(10_000_000), Default::Int(8000), "how many to draw for training");
const TEST: Param = param("test", Kind::Count(10_000_000), Default::Int(2000), "how many others to draw for testing");
const SEED: Param = param("seed", Kind::Int(0), Default::Int(7), "another seed draws others");

/// How many records there are, for those that are made as they are asked for.
const fn examples(default: i64) -> Param {
    param("examples", Kind::Count(u32::MAX as i64), Default::Int(default), "how many records there are")
}

/// The rows.
pub(super) const SOURCES: &[Source] = &[
    Source {
        name: "drawn_digits",
        params: &[TRAIN, TEST, SEED],
        doc: "Handwritten-looking digits, drawn by a generator. Fields: `image`, u8[1, 28, 28], 0 for paper and 255 \
              for ink, and `label`, i32[] below 10. As many of each digit, give or take one.",
        example: "data digits = drawn_digits(train: 4000, test: 1000)",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[1, 28, 28], 10)),
        splits: &["train", "test"],
    },
    Source {
        name: "synthetic.clicks",
        params: &[
            examples(100_000),
            param("dense", Kind::Count(100_000), Default::Int(13), "how many numbers a record has"),
            param("categories", Kind::Count(100_000), Default::Int(26), "how many categories a record has"),
            param("rows", Kind::Count(i32::MAX as i64), Default::Int(10_000), "how many values a category has"),
            SEED,
        ],
        doc: "Click-through records in the form of the Criteo data. The value v of a category comes about as often as \
              1 / (v + 1); whether a record was clicked depends on the values of the first four categories, on the \
              first four numbers and on one pair of them, and on chance; about one in four was. Fields: `dense`, \
              f32[dense], normal; `category`, i32[categories] below `rows`; `clicked`, f32[], 0 or 1.",
        example: "data clicks = synthetic.clicks(examples: 1_000_000, rows: 100_000) |> split(0.95)",
        column: None,
        sequence: false,
        fields: |args, _| {
            Ok(vec![
                field("dense", DType::F32, &[int(args, "dense")], None),
                field("category", DType::I32, &[int(args, "categories")], Some(int(args, "rows"))),
                field("clicked", DType::F32, &[], None),
            ])
        },
        splits: &["all"],
    },
    Source {
        name: "drawn_shapes",
        params: &[TRAIN, TEST, param("size", Kind::Count(512), Default::Int(32), "height and width of an image"), SEED],
        doc: "Colour images of one shape each, drawn before a ground with lines and noise in it. The classes are \
              circle, square, triangle, cross, ring and star, as many of each, give or take one. Fields: `image`, \
              u8[3, size, size]; `label`, i32[] below 6; `mask`, i32[size, size] below 7, which is 0 for the ground \
              and one more than the label where the shape is.",
        example: "data shapes = drawn_shapes(train: 4000, test: 500, size: 32)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let size = int(args, "size");
            let mut fields = images(&[3, size, size], 6);
            fields.push(field("mask", DType::I32, &[size, size], Some(7)));
            Ok(fields)
        },
        splits: &["train", "test"],
    },
    Source {
        name: "synthetic.blobs",
        params: &[
            examples(2000),
            param("classes", Kind::Count(100_000), Default::Int(3), "how many blobs there are"),
            param("features", Kind::Count(100_000), Default::Int(2), "how many numbers a point has"),
            param(
                "spread",
                Kind::Number,
                Default::Number(1.0),
                "the deviation of a blob; their middles are about 6 apart",
            ),
            SEED,
        ],
        doc: "Points around a middle for each class. Fields: `x`, f32[features]; `label`, i32[] below `classes`.",
        example: "data points = synthetic.blobs(classes: 3, features: 2) |> split(0.8)",
        column: None,
        sequence: false,
        fields: |args, _| {
            Ok(vec![
                field("x", DType::F32, &[int(args, "features")], None),
                field("label", DType::I32, &[], Some(int(args, "classes"))),
            ])
        },
        splits: &["all"],
    },
    Source {
        name: "synthetic.series",
        params: &[
            param("records", Kind::Count(10_000_000), Default::Int(5000), "how many hours there are"),
            param("channels", Kind::Count(10_000), Default::Int(1), "how many numbers an hour has"),
            param("noise", Kind::Number, Default::Number(0.3), "the deviation of what cannot be foreseen"),
            SEED,
        ],
        doc: "Measurements in the order of time: a wave of 24 hours, one of 168, a slow drift, and noise of which \
              seven tenths last into the next hour; of about deviation 1, each channel with heights and phases of \
              its own. Fields: `value`, f32[channels].",
        example: "data load = synthetic.series(channels: 3) |> split(0.8) |> windows(past: 96, next: 24)",
        column: None,
        sequence: false,
        fields: |args, _| Ok(vec![field("value", DType::F32, &[int(args, "channels")], None)]),
        splits: &["all"],
    },
    Source {
        name: "synthetic.sequences",
        params: &[
            examples(10_000),
            param(
                "length",
                Kind::Count(100_000),
                Default::Int(24),
                "how many tokens the longest has; the shortest has a third",
            ),
            param("vocabulary", Kind::Count(1_000_000), Default::Int(16), "how many tokens there are, 0 among them"),
            param("classes", Kind::Count(1_000_000), Default::Int(4), "how many classes there are"),
            SEED,
        ],
        doc: "Sequences of different lengths, filled up with 0. The tokens from 1 to `classes` are signs, and those \
              above mean nothing: a sequence is of the class of its last sign, so that order counts, and what was \
              read must be remembered. Fields: `tokens`, i32[length] below `vocabulary`; `length`, i32[], how many \
              are not fill; `label`, i32[] below `classes`.",
        example: "data notes = synthetic.sequences(length: 24, vocabulary: 16, classes: 4) |> split(0.9)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let (length, vocabulary, classes) = (int(args, "length"), int(args, "vocabulary"), int(args, "classes"));
            if vocabulary < classes + 2 {
                let message = format!("{classes} classes need a vocabulary of at least {}", classes + 2);
                return Err((
                    message,
                    Some("one token is fill, one for each class a sign, and one means nothing".into()),
                ));
            }
            Ok(vec![
                field("tokens", DType::I32, &[length], Some(vocabulary)),
                field("length", DType::I32, &[], Some(length + 1)),
                field("label", DType::I32, &[], Some(classes)),
            ])
        },
        splits: &["all"],
    },
    Source {
        name: "synthetic.reversed",
        params: &[
            examples(10_000),
            param(
                "length",
                Kind::Count(100_000),
                Default::Int(10),
                "how many tokens the longest has; the shortest has a third",
            ),
            param(
                "vocabulary",
                Kind::Count(1_000_000),
                Default::Int(16),
                "how many tokens there are, the four marks among them",
            ),
            SEED,
        ],
        doc: "Sequences and the same backwards, to be translated from one into the other. Tokens are numbered as \
              those of `words(…, marks: true)`: 0 fill, 1 unknown, 2 start, 3 end. Fields: `source`, i32[length], \
              filled up with 0; `given`, i32[length + 1], a start and the tokens backwards; `target`, i32[length + \
              1], the tokens backwards and an end: what is to follow on each token of `given`. All below \
              `vocabulary`.",
        example: "data pairs = synthetic.reversed(length: 10, vocabulary: 16) |> split(0.9)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let (length, vocabulary) = (int(args, "length"), int(args, "vocabulary"));
            if vocabulary < 5 {
                let help = "four of its tokens are marks".into();
                return Err((format!("a vocabulary of {vocabulary} has no tokens to reverse"), Some(help)));
            }
            let tokens = |name: &str, n| field(name, DType::I32, &[n], Some(vocabulary));
            Ok(vec![tokens("source", length), tokens("given", length + 1), tokens("target", length + 1)])
        },
        splits: &["all"],
    },
    Source {
        name: "random",
        params: &[
            param("records", Kind::Count(10_000_000), Default::Required, "how many to draw"),
            param("seed", Kind::Int(0), Default::Int(1), "another seed draws other numbers"),
        ],
        doc: "Random numbers in the form declared in braces, for measuring and for trying things out. Nothing can be \
              learned from it but the records themselves. Fields: one per column.",
        example: "data noise = random(2048) { image: normal([1, 28, 28])\n  label: below(10) }",
        column: Some(|spec| drawn(spec).map(drop)),
        sequence: false,
        fields: |_, columns| fields(columns),
        splits: &["all"],
    },
];
