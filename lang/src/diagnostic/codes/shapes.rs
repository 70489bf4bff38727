//! E03xx: shapes that do not fit.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0301",
        title: "a wrong number of axes",
        explanation: "\
The argument has more or fewer axes than the declaration takes. Most often `flatten` is missing between a
convolution and a `Dense`, or an axis of size 1 should be squeezed away.",
        example: "import std.layers.Conv2d\nmodel Net(x: f32[B, 784]) -> f32[B, 8, 26, 26] { x |> Conv2d(8, kernel: 3) }\n",
    },
    Code {
        code: "E0302",
        title: "two sizes that must be one",
        explanation: "\
A dimension variable of the signature would have to be two sizes at once, or an argument's axis has another size
than the declaration says. The notes tell where each size came from. Arguments of a function or layer agree
exactly; only operators and primitives repeat their arguments.",
        example: "import std.losses.mse\nfn f(x: f32[4], y: f32[5]) -> f32[] { mse(x, y) }\n",
    },
    Code {
        code: "E0303",
        title: "operands that do not broadcast",
        explanation: "\
Axes line up from the last one. A tensor of lower rank is repeated over the axes it lacks, and at equal rank a
literal 1 stretches; a named size never does. Two names declared with `dim` never match, even at the same size.",
        example: "fn f(x: f32[4, 5], y: f32[4]) -> f32[4, 5] { x + y }\n",
    },
    Code {
        code: "E0304",
        title: "a broadcast with two readings",
        explanation: "\
One side has fewer axes and the other an axis of size 1 that would stretch, as in `[N, 1]` with `[N]`: the result
would be a table of all pairs, which is seldom what is meant. Squeeze the axis of size 1 to pair the elements, or
reshape the other side to the same rank to make the table.",
        example: "fn f(x: f32[8, 1], y: f32[8]) -> f32[8, 8] { x - y }\n",
    },
    Code {
        code: "E0305",
        title: "a matrix product that does not fit",
        explanation: "\
In `a @ b` the last axis of a is the last but one of b. When the other axis would fit, a `transpose` is missing.",
        example: "fn f(x: f32[4, 784], w: f32[10, 784]) -> f32[4, 10] { x @ w }\n",
    },
    Code {
        code: "E0306",
        title: "a reshape that changes the number of elements",
        explanation: "\
A reshape keeps every element. `-1` for one size stands for what is left.",
        example: "fn f(x: f32[4, 6]) -> f32[5, 5] { reshape(x, [5, 5]) }\n",
    },
    Code {
        code: "E0307",
        title: "an axis that the tensor does not have",
        explanation: "\
Axes are counted from 0, or from the end with -1 for the last. Each is named once.",
        example: "fn f(x: f32[4, 6]) -> f32[4] { sum(x, axis: 2) }\n",
    },
    Code {
        code: "E0308",
        title: "a slice that does not fit",
        explanation: "\
A slice or an index must be known to lie inside the axis, for every size that can come: `x[:, 1:]` does, `x[:16]`
on the batch does not. `split` needs sizes that add up.",
        example: "fn f(x: f32[4, 6]) -> f32[8, 6] { x[0:8] }\n",
    },
    Code {
        code: "E0309",
        title: "a result that is not of the declared type",
        explanation: "\
What the body gives and what the head declares differ. The notes tell where each size of the body's value came
from. A gradient in `grad { … }` must have exactly the type of its argument.",
        example: "import std.layers.Dense\nmodel Net(x: f32[B, 784]) -> f32[B, 10] { x |> Dense(12) }\n",
    },
    Code {
        code: "E0310",
        title: "a size below 1",
        explanation: "\
Every size is at least 1. A convolution or pooling without enough padding uses up a small image.",
        example: "dim N = 0\n",
    },
    Code {
        code: "E0311",
        title: "a pattern that does not fit",
        explanation: "\
A pattern in backticks names each axis of its tensor once; `(h d)` stands for one axis that is split or joined.
`rearrange` has the same names on both sides, `reduce` fewer on the right, `repeat` more; `einsum` sums over what
the right side does not name. When a group is split, all its sizes but one are given: `h: 8`.",
        example: "fn f(x: f32[2, 3]) -> f32[3, 2] { rearrange(x, `a b -> b c`) }\n",
    },
];
