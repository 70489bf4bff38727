//! A long file without mistakes: functions, layers, models and experiments as people write them, over and
//! over under other names and with other sizes.

use std::fmt::Write as _;

/// About so many lines, decided by the seed.
pub fn file(lines: usize, seed: u64) -> String {
    let mut out = String::from(HEAD);
    let mut random = seed;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    let mut i = 0;
    while out.lines().count() < lines {
        let sizes = [16 + 8 * next(8), 8 + 8 * next(4), 2 + next(3)];
        declarations(&mut out, i, sizes);
        if i % 5 == 0 {
            experiment(&mut out, i, sizes[0]);
        }
        i += 1;
    }
    out
}

const HEAD: &str = "// A long file, for measuring.

import std.layers.{BatchNorm, Conv2d, Dense, Dropout, Embedding, LayerNorm, MaxPool2d}
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.{Adam, AdamW, clip_norm}
import std.schedules.{cosine, warmup}

data digits = drawn_digits(train: 4000, test: 1000)

";

/// What a person would write about one idea: a constant, functions, layers that use them, a model.
fn declarations(out: &mut String, i: usize, [width, channels, depth]: [u64; 3]) {
    write!(
        out,
        "const width_{i} = {width}
const depth_{i} = {depth}

/// Follows x near 0 and is flat far away.
fn soft_clip_{i}(x: float[..S], limit: float = 1.0) -> float[..S] {{
  let scaled = x / limit
  limit * tanh(scaled)
}}

/// The distance of each row from the mean of all.
fn spread_{i}(x: float[B, D]) -> float[B] {{
  let off = x - mean(x, axis: 0)
  sqrt(sum(off * off, axis: -1) + 1e-6)
}}

/// The mean over the batch of the squared difference, larger where the label is rare.
loss weighted_{i}(y: float[B, N], target: float[B, N], weight: float = 1.0) -> float[] {{
  let off = y - target
  weight * mean(off * off)
}}

/// A gate beside a linear layer: `value * sigmoid(gate)`.
layer Gated{i}(units: int, rate: float = 0.1)(x: float[..B, I]) -> float[..B, units] {{
  param w_value: float[I, units] = normal(0.02)
  param w_gate:  float[I, units] = normal(0.02)
  param b:       float[units]    = zeros()
  let value = x @ w_value + b
  let gate  = sigmoid(x @ w_gate)
  soft_clip_{i}(value * gate) |> Dropout(rate)
}}

/// Two gates with a way around them.
layer Block{i}(units: int)(x: float[B, D]) -> float[B, D] {{
  let y = x |> LayerNorm() |> Gated{i}(units) |> relu |> Dense(D)
  // A way around keeps the gradient alive.
  x + y
}}

/// A convolution with normalisation, and half the size where it is asked for.
layer Stage{i}(channels: int, halve: bool = false)(x: float[B, C, H, W]) {{
  let y = x |> Conv2d(channels, kernel: 3, pad: 1, bias: false) |> BatchNorm() |> relu
  if halve {{ y |> MaxPool2d(2) }} else {{ y }}
}}

/// Attention over the rows of a picture, each a token.
layer Rows{i}(heads: int)(x: float[B, T, D]) -> float[B, T, D] {{
  require D % heads == 0: \"the heads must divide the width\"
  let by_head   = fn(y) {{ rearrange(y, `b t (h d) -> b h t d`, h: heads) }}
  let (q, k, v) = split(x |> Dense(3 * D), 3, axis: -1)
  let scores    = einsum(`b h i d, b h j d -> b h i j`, by_head(q), by_head(k)) / sqrt(D / heads)
  let mixed     = einsum(`b h i j, b h j d -> b h i d`, softmax(scores, axis: -1), by_head(v))
  rearrange(mixed, `b h t d -> b t (h d)`) |> Dense(D)
}}

model Net{i}(image: f32[B, 1, 28, 28]) -> f32[B, 10] {{
  let features = image |> Stage{i}({channels}, halve: true) |> Stage{i}({channels}, halve: true) |> flatten
  let h = features |> Dense(width_{i}, relu)
  let deep = fold h = h for i in 0..depth_{i} {{ h |> Block{i}(2 * width_{i}) }}
  deep |> Dropout(0.1) |> Dense(10)
}}

model RowNet{i}(image: f32[B, 28, 28]) -> f32[B, 10] {{
  image |> Dense(4 * {channels}) |> Rows{i}(4) |> mean(axis: 1) |> Dense(10)
}}

"
    )
    .expect("a string can be written");
}

fn experiment(out: &mut String, i: usize, width: u64) {
    write!(
        out,
        "train net_{i} on digits.train {{
  let seen   = f32(image) / 255
  let logits = Net{i}(seen)
  let rows   = RowNet{i}(squeeze(seen, axis: 1))
  let spread = mean(spread_{i}(logits))
  let target = one_hot(label, 10)

  minimize cross_entropy(logits, label) + weighted_{i}(rows, target, weight: 0.1)
  report   accuracy(logits, label), spread

  optimizer: AdamW(lr: cosine(1e-3) |> warmup(100 steps), decay: 0.01) |> clip_norm(1.0)
  batch:     {width}
  epochs:    5
  seed:      {i}

  every 1 epoch   {{ evaluate digits.test }}
  every 500 steps {{ checkpoint keep 3 }}
}}

"
    )
    .expect("a string can be written");
}
