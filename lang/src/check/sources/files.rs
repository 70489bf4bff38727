//! Sources that read arrays, images, sounds and whole texts.

use super::columns::{Column, column, few_numbers, fields};
use super::tokens::{TOKENS, tokens};
use super::{Default, Kind, Param, Problem, Source, classes, field, images, int, ints, param};
use crate::model::ColumnSpec;
use crate::types::DType;

/// Classes are named or counted.
pub(super) const CLASSES: Param = param(
    "classes",
    Kind::Classes(100_000),
    Default::Required,
    "the names of the classes, in the order of their numbers; or how many there are, in the order of the alphabet",
);

/// The test part of a source that has no parts of its own.
pub(super) const TEST: Param =
    param("test", Kind::Text, Default::Absent, "the same for a part `test`; the part is `all` where it is absent");

/// The rows.
pub(super) const SOURCES: &[Source] = &[
    Source {
        name: "mnist",
        params: &[param("path", Kind::Text, Default::Required, "the folder with the four files")],
        doc: "The MNIST files and those in the same form (Fashion-MNIST, KMNIST): `train-images-idx3-ubyte`, \
              `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, plain or `.gz`. \
              Fields: `image`, u8[1, 28, 28], and `label`, i32[] below 10.",
        example: "data digits = mnist(\"mnist\")",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[1, 28, 28], 10)),
        splits: &["train", "test"],
    },
    Source {
        name: "cifar10",
        params: &[param("path", Kind::Text, Default::Required, "the folder with the files")],
        doc: "CIFAR-10 in its binary form: all files `data_batch*.bin` for training, all `test_batch*.bin` for \
              testing. Fields: `image`, u8[3, 32, 32], and `label`, i32[] below 10.",
        example: "data cifar = cifar10(\"cifar10\")",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[3, 32, 32], 10)),
        splits: &["train", "test"],
    },
    Source {
        name: "idx",
        params: &[
            param("images", Kind::Text, Default::Required, "the idx file of unsigned bytes, plain or `.gz`"),
            param("labels", Kind::Text, Default::Required, "the idx file of their labels"),
            param("shape", Kind::Sizes, Default::Required, "the sizes of one image, `[1, 28, 28]`"),
            param("classes", Kind::Count(256), Default::Required, "labels are below this"),
        ],
        doc: "One pair of idx files. Fields: `image`, u8 of the `shape` given, and `label`, i32[] below `classes`.",
        example: "data letters = idx(\"images.gz\", \"labels.gz\", shape: [1, 28, 28], classes: 26) |> split(0.9)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let shape = ints(args, "shape");
            few_numbers("image", &shape)?;
            Ok(images(&shape, int(args, "classes")))
        },
        splits: &["all"],
    },
    Source {
        name: "text",
        params: &[
            param("path", Kind::Text, Default::Required, "the file, UTF-8, plain or `.gz`"),
            param("tokens", Kind::Call(TOKENS), Default::Required, "what a token is, and how many there are at most"),
            param("block", Kind::Count(1 << 30), Default::Int(64), "tokens in an example"),
        ],
        doc: "One text, cut into pieces of `block` tokens. Fields: `tokens`, i32[block], and `next`, i32[block], the \
              same one token later; both below the size of the vocabulary. In `train` (and `all`) an example begins \
              at every token, so that an epoch sees each token `block` times, as random starts would; use `steps:` \
              for less. In `test` and `valid` an example begins at every `block`th token, so that each token is met \
              once. `split` cuts by tokens, and no example crosses the cut.",
        example: "data shakespeare = text(\"input.txt\", tokens: chars(65), block: 64) |> split(0.9)",
        column: None,
        sequence: true,
        fields: |args, _| {
            let (n, block) = (tokens(args).vocabulary(), int(args, "block"));
            Ok(["tokens", "next"].map(|name| field(name, DType::I32, &[block], Some(n))).into())
        },
        splits: &["all"],
    },
];

fn array_column(spec: &ColumnSpec) -> Result<(), Problem> {
    match column(spec)? {
        Column::Skip | Column::Number { .. } | Column::Below { .. } => Ok(()),
        _ => Err((
            format!("an array holds numbers, and `{}` is declared as text", spec.name),
            Some(format!("declare `{0}: f32[7]` or `{0}: label(10)`", spec.name)),
        )),
    }
}
