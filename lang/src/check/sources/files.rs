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
        name: "images",
        params: &[
            param("path", Kind::Text, Default::Required, "the folder that holds a folder for each class"),
            CLASSES,
            param("size", Kind::TwoSizes, Default::Required, "height and width; an image of another size is resized"),
            param("channels", Kind::Count(4), Default::Int(3), "1 for grey, 3 for red, green and blue, 4 with opacity"),
            TEST,
        ],
        doc: "PNG and JPEG files in a folder for each class, whose name is that of the class. Fields: `image`, \
              u8[channels, height, width], and `label`, i32[] below the number of classes. A folder that is no class, \
              or a class without a folder, is an error.",
        example: "data flowers = images(\"flowers\", classes: [\"daisy\", \"rose\"], size: [64, 64]) |> shuffle() |> split(0.9)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let size = ints(args, "size");
            let shape = [int(args, "channels"), size[0], size[1]];
            few_numbers("image", &shape)?;
            Ok(images(&shape, classes(args, "classes").0))
        },
        splits: &["all"],
    },
    Source {
        name: "npy",
        params: &[
            param("path", Kind::Text, Default::Required, "a `.npy` file, an `.npz` archive, or a folder of `.npy`"),
            TEST,
        ],
        doc: "Arrays of NumPy, records along the first axis, with the columns declared in braces. In an archive or a \
              folder a column is the array of its name, and arrays that are not wanted need not be named. In a single \
              file, the columns share the numbers of a record in their order: `image: u8[1, 28, 28]  label: label(5)` \
              reads an array of 785 numbers a record. Whole numbers are read as any dtype that they fit. Columns: a \
              dtype with its sizes, `label(n)`, `category(n)`, `skip`. Fields: one per column that is not skipped.",
        example: "data clothes = npy(\"clothes.npz\") { image: u8[1, 28, 28]\n  label: label(5) } |> split(0.9)",
        column: Some(array_column),
        sequence: false,
        fields: |_, columns| fields("npy", columns),
        splits: &["all"],
    },
    Source {
        name: "wav",
        params: &[
            param("path", Kind::Text, Default::Required, "the folder with the files"),
            CLASSES,
            param(
                "rate",
                Kind::Count(1 << 20),
                Default::Required,
                "samples in a second; a file of another rate is an error",
            ),
            param(
                "length",
                Kind::Count(1 << 26),
                Default::Required,
                "samples of a record; shorter ones end in zeros, longer ones are cut",
            ),
            TEST,
        ],
        doc: "Sounds in WAV files of 8, 16, 24 or 32 bits or of floats; several channels are averaged. The class is the \
              name of the folder that a file is in or, where the files lie in `path` itself, what stands before the \
              first `_` of the file's name. Fields: `wave`, f32[length], from -1 to 1; `length`, i32[], how many \
              samples are not fill; `label`, i32[] below the number of classes.",
        example: "data spoken = wav(\"fsdd\", classes: 10, rate: 8000, length: 8000) |> shuffle() |> split(0.8)",
        column: None,
        sequence: false,
        fields: |args, _| {
            let length = int(args, "length");
            Ok(vec![
                field("wave", DType::F32, &[length], None),
                field("length", DType::I32, &[], Some(length + 1)),
                field("label", DType::I32, &[], Some(classes(args, "classes").0)),
            ])
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
