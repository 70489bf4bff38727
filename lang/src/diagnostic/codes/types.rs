//! E04xx: values of the wrong kind or dtype.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0401",
        title: "dtypes that do not fit",
        explanation: "\
Two tensor dtypes never mix, and a function that wants floating numbers takes no others. Convert with the dtype's
name: `f32(x)`. Images and labels are integers: `f32(image) / 255`.",
        example: "fn f(x: f32[4], n: i32[4]) -> f32[4] { x + n }\n",
    },
    Code {
        code: "E0402",
        title: "the wrong kind of value",
        explanation: "\
A tensor, a number, a list, a tuple and a type are different things; the label says which one stands here.",
        example: "fn f(x: f32[4]) -> f32[4] { x + \"one\" }\n",
    },
    Code {
        code: "E0403",
        title: "a fraction that meets whole numbers",
        explanation: "\
A number takes the dtype of the tensor it meets, and a fraction is no integer. Convert the tensor first.",
        example: "fn f(n: i32[4]) -> i32[4] { n + 0.5 }\n",
    },
    Code {
        code: "E0404",
        title: "values that may be too large",
        explanation: "\
The bound of an integer tensor is above what is asked for: more classes than the head has outputs, more tokens
than the table has rows. Labels, categories, tokens, `argmax` and `iota` have bounds.",
        example: "import std.losses.cross_entropy\nfn f(x: f32[4, 9], n: i32[4] below 10) -> f32[] { cross_entropy(x, n) }\n",
    },
    Code {
        code: "E0405",
        title: "something that cannot be applied, or does not belong here",
        explanation: "\
A layer, optimizer or schedule is made with its first list and applied afterwards: `Dense(10)(x)`, or
`x |> Dense(10)`. `param` stands in a layer or model; `<-` changes only what was declared with `state`.",
        example: "import std.layers.Dense\nmodel Net(x: f32[B, 4]) -> f32[B, 10] { Dense(x, 10) }\n",
    },
];
