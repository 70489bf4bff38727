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
