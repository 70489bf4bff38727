//! The history of dimensions that `tfm why` shows: of parameters, values, inputs and fields, back to the data.

use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::check::why::{Known, find};
use tfm_tests::{check_file, check_text, root};

const MODEL: &str = "\
import std.layers.{Conv2d, Dense, Embedding, MaxPool2d}
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits()

model ConvNet(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  let features = image |> Conv2d(32, kernel: 3) |> relu |> MaxPool2d(2)
  let flat = features |> flatten
  let both = concat([flat, flat[:, :8]], axis: 1)
  both |> Dense(10)
}

train convnet on digits.train {
  let logits = ConvNet(f32(image) / 255)
  minimize cross_entropy(logits, label)
  optimizer: Adam()
  batch:     32
  epochs:    1
}

model Alone(tokens: i32[B, 16] below 100) -> f32[B, 16, 32] {
  let h = tokens |> Embedding(100, 32)
  transpose(rearrange(h, `b t (h d) -> b t d h`, h: 4), [0, 1, 3, 2]) |> reshape([B, 16, 32])
}
";

fn known() -> Vec<Known> {
    let options = Options { why: true, ..Options::default() };
    let (_, checked) = check_text("net.tfm", MODEL, Path::new("."), &options);
    assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
    checked.known
}

/// The texts of an axis's life, the latest first.
fn life(known: &[Known], path: &str, axis: usize) -> Vec<String> {
    let value = find(known, &["convnet"], path).unwrap_or_else(|e| panic!("{e}"));
    value.axes[axis].1.iter().map(|s| s.text.clone()).collect()
}

#[test]
fn a_weight_is_followed_to_the_data() {
    let known = known();
    assert_eq!(
        life(&known, "ConvNet.dense_1.w", 0),
        [
            "5416 is `I` of `Dense(10)`",
            "5416 = 5408 + 8, joined here",
            "5408 = 32 * 13 * 13, from `flatten`",
            "32 is `channels` of `Conv2d(32, kernel: 3)`",
            "13 = (26 - 2) / 2 + 1, from `MaxPool2d(2)`",
            "26 = (28 - 3) / 1 + 1, from `Conv2d(32, kernel: 3)`",
            "28, of `image` in the data `digits`",
            "8 of 5408, from `flat[:, :8]`",
        ]
    );
    assert_eq!(life(&known, "ConvNet.dense_1.w", 1), ["10 is `units` of `Dense(10)`"]);
}

#[test]
fn paths_are_taken_as_people_write_them() {
    let known = known();
    for path in ["ConvNet.dense_1.w", "convnet.dense_1.w", "dense_1.w", "Dense1.W", "conv_net.dense_1.w"] {
        assert_eq!(find(&known, &["convnet"], path).map(|k| k.path.as_str()), Ok("ConvNet.dense_1.w"), "{path}");
    }
    for (path, ty) in [
        ("logits", "f32[B, 10]"),
        ("convnet.logits", "f32[B, 10]"),
        ("ConvNet.features", "f32[B, 32, 13, 13]"),
        ("label", "i32[B] below 10"),
        ("ConvNet.image", "f32[B, 1, 28, 28]"),
        ("convnet.image", "u8[B, 1, 28, 28]"),
        ("Alone.h", "f32[B, 16, 32]"),
        ("Alone.embedding_1.table", "f32[100, 32]"),
    ] {
        assert_eq!(find(&known, &["convnet"], path).map(|k| k.ty.as_str()), Ok(ty), "{path}");
    }
    let near = find(&known, &["convnet"], "ConvNet.dense_1.v").unwrap_err();
    assert!(near.contains("did you mean `ConvNet.dense_1."), "{near}");
    assert!(find(&known, &["convnet"], "w").unwrap_err().contains("may be"));
    assert!(find(&known, &["convnet"], "nothing.like.it").is_err());
}

/// Every dimension of every parameter of the examples has a history.
#[test]
fn every_parameter_of_the_examples_is_explained() {
    let options = Options { why: true, ..Options::default() };
    let mut seen = 0;
    for path in tfm_tests::files(&root().join("examples"), "tfm") {
        let (_, checked) = check_file(&path, &options);
        for value in checked.known.iter().filter(|k| k.kind == "a parameter") {
            for (size, life) in &value.axes {
                seen += 1;
                assert!(!life.is_empty(), "{}: {} of {}", path.display(), size, value.path);
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
