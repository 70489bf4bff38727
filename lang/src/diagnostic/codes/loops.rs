//! E08xx: scans, and gradients that a file takes itself.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0801",
        title: "a scan whose parts do not fit together",
        explanation: "\
A `scan` runs its body once for each element of an axis, always the same body. What it carries from turn to turn
keeps its type, the body ends with the next value of everything that is carried, and tensors that are walked
together have one length. `fold` is unrolled: there a carried value may change its type.",
        example: "\
layer Sums()(x: float[B, T, I]) -> float[B] {
  scan s = zeros([B]) for x_t in x axis 1 { reshape(s, [B, 1]) + x_t }
}
",
    },
    Code {
        code: "E0802",
        title: "something that a scan cannot do",
        explanation: "\
A turn of a `scan` yields once; several values are yielded as a tuple. A state cannot change in a turn, since a
step changes each state once: carry the value through the scan, and change the state after it.",
        example: "\
layer Twice()(x: float[B, T]) -> float[B, T] {
  let (ys, s) = scan s = zeros([B]) for x_t in x axis 1 {
    yield x_t
    yield s
    s + x_t
  }
  ys
}
",
    },
    Code {
        code: "E0803",
        title: "a gradient that cannot be taken",
        explanation: "\
`gradient(loss, x)` is the gradient of one number in floating values that it depends on. Reduce the loss first,
`gradient(sum(y), x)`. Where the loss does not depend on `x`, often because it was computed from another value
that only looks the same, the gradient would be 0 everywhere, which nobody means.",
        example: "fn slope(x: float[B]) -> float[B] { gradient(x * x, x) }\n",
    },
];
