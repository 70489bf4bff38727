//! E05xx: arguments, static values and requirements.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0501",
        title: "too many or too few arguments",
        explanation: "\
The call gives more arguments than there are parameters, or leaves out one that has no default.",
        example: "fn f(x: float[..S]) -> float[..S] { relu(x, 0.1) }\n",
    },
    Code {
        code: "E0502",
        title: "an argument with a name that is not a parameter's",
        explanation: "\
The help lists the parameters, or the nearest one. A parameter is given once.",
        example: "import std.layers.Conv2d\nmodel Net(x: f32[B, 1, 8, 8]) -> f32[B, 4, 6, 6] { x |> Conv2d(4, kernal: 3) }\n",
    },
    Code {
        code: "E0503",
        title: "a static value of the wrong type",
        explanation: "\
The parameter wants another type: an `int` where a `float` is given, a duration, a list. An `int` is accepted
for a `float`, and one value for a list of one.",
        example: "import std.layers.Dense\nmodel Net(x: f32[B, 4]) -> f32[B, 12] { x |> Dense(12.5) }\n",
    },
    Code {
        code: "E0504",
        title: "a value that nobody uses",
        explanation: "\
An expression stands on a line of its own and is not the last of its block. Name it with `let`, or remove it.",
        example: "fn f(x: float[..S]) -> float[..S] {\n  relu(x)\n  x\n}\n",
    },
    Code {
        code: "E0505",
        title: "arithmetic that cannot be meant",
        explanation: "\
`/` of whole numbers rounds down, so two literals that do not divide evenly are an error: write the fraction.
Division by zero is one too.",
        example: "fn f(x: float[..S]) -> float[..S] { x * (1 / 2) }\n",
    },
    Code {
        code: "E0506",
        title: "a requirement that does not hold",
        explanation: "\
A `require` of the file or of the library is false for these values. Its text says what is wanted, the notes what
the values are, the labels which application asked for it.",
        example: "const width = 100\nconst heads = 3\nrequire width % heads == 0: \"the heads must divide the width\"\n",
    },
    Code {
        code: "E0507",
        title: "something that must be known before the program runs",
        explanation: "\
A condition, a size of a parameter, the length of a loop are known when the file is checked. The size of a batch
and the elements of a tensor are not; `where(mask, a, b)` chooses between elements.",
        example: "fn f(x: f32[4]) -> f32[4] { if x > 0 { x } else { x } }\n",
    },
    Code {
        code: "E0508",
        title: "a function that applies itself",
        explanation: "\
Nothing calls itself. `fold h = x for i in 0..12 { … }` repeats, and is written out.",
        example: "fn f(x: float[..S]) -> float[..S] { f(x) + 1 }\n",
    },
    Code {
        code: "E0509",
        title: "a file that is too much to write out",
        explanation: "\
Loops, lists and applications are written out one by one while a file is checked, and there is an end to what \
can be: half a million expressions. It takes loops in loops, or layers that apply layers twice over and over.",
        example: "fn f(x: f32[]) -> f32[] {\n  fold a = x for i in 0..1000 { fold b = a for j in 0..1000 { b + 1 } }\n}\n",
    },
];
