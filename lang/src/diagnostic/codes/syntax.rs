//! E01xx: text that does not follow the grammar.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0101",
        title: "a token that cannot stand here",
        explanation: "\
The text up to the marked token could still become a statement; with this token it cannot. The label \
lists what could stand there. Often a comma or an operator is missing before it, or two statements \
stand on one line: a statement ends at the end of its line, or at `;`.

The parser goes on with the next statement, so one such error hides no other.",
        example: "const width = 128 256\n",
    },
    Code {
        code: "E0102",
        title: "a bracket is never closed",
        explanation: "\
A `(`, `[` or `{` has no partner. The second place is where that showed: a statement or declaration \
that cannot begin inside the bracket, or the end of the file. Where the indentation tells which of \
several `{` was forgotten, that one is shown.",
        example: "layer Twice(n: int)(x) {\n  x + x\n\nconst width = 128\n",
    },
    Code {
        code: "E0103",
        title: "a `}` closes nothing",
        explanation: "\
No `{` is open where this `}` stands. Either it is one too many, or an earlier `}` has closed a body \
too soon; the label shows where the declaration above ends.",
        example: "fn twice(x: f32[]) -> f32[] {\n  x + x\n}\n}\n",
    },
    Code {
        code: "E0104",
        title: "a text or pattern in quotes is wrong",
        explanation: "\
A text begins and ends with `\"` on one line, a pattern with a backtick. Inside a text a backslash \
stands only in `\\n`, `\\t`, `\\r`, `\\0`, `\\\"` and `\\\\`; a Windows path is written with `/` or `\\\\`.",
        example: "const path = \"data\\digits\"\n",
    },
    Code {
        code: "E0105",
        title: "comparisons do not chain",
        explanation: "\
`a < b < c` would compare the truth of `a < b` with `c`, which is never meant. Write the two \
comparisons, joined by `and`.",
        example: "const small = 0 < 3 < 10\n",
    },
    Code {
        code: "E0106",
        title: "a word of the language as a name",
        explanation: "\
These words are never names: let, if, else, for, in, fold, scan, fn, on, and, or, not, true, false, \
yield. All other words are known by their place, so `label`, `state` or `step` may be names.",
        example: "const in = 3\n",
    },
    Code {
        code: "E0107",
        title: "a slice is written with `:`",
        explanation: "\
Between the brackets of an index a range is written `x[0:3]`, with either end left out where it is \
the axis's own: `x[1:]`. `0..3` is a range of numbers, for `fold` and for lists, and `..` alone in an \
index stands for all axes that are not named: `x[.., 0]`.",
        example: "fn head(x: f32[B, 10]) { x[:, 0..3] }\n",
    },
    Code {
        code: "E0108",
        title: "a number with letters in it",
        explanation: "\
A number is digits, with `_` between them, a `.` before further digits and an exponent: `1_000`, \
`0.5`, `1e-3`. A unit stands after a blank, `5 epochs`, and a name begins with a letter.",
        example: "const pause = 5epochs\n",
    },
    Code {
        code: "E0109",
        title: "a character that the language does not use",
        explanation: "\
Outside texts and comments only ASCII letters, digits and the signs of the language are read. Signs \
that look alike, like `×`, `−` or curly quotes, come in with text copied from elsewhere.",
        example: "const area = 3 × 4\n",
    },
    Code {
        code: "E0110",
        title: "nested too deeply",
        explanation: "\
Brackets stand in each other more than 200 deep, or an expression has too many operators in a \
row. No program that is written by hand comes near; give the parts names, with `let` or `const`, or put \
the numbers into a list.",
        example: "const n = (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))\n",
    },
    Code {
        code: "E0111",
        title: "a number that does not fit",
        explanation: "\
Whole numbers go up to 9,223,372,036,854,775,807, those that are computed up to half of it, and others up to \
about 1.8e308. A large number that need not be exact can be written with an exponent. A tensor has at most 2^50 \
elements.",
        example: "const many = 10_000_000_000_000_000_000\n",
    },
    Code {
        code: "E0112",
        title: "a pattern that means nothing",
        explanation: "\
A pattern in backticks is axes, sizes, `..` and groups in round brackets, in lists parted by commas, \
with at most one `->` before the one output: `b t (h d) -> b h t d`. Groups do not stand in each \
other, and neither `,` nor `->` stands in a group.",
        example: "fn f(x: f32[B, C]) { rearrange(x, `b c -> c -> b`) }\n",
    },
    Code {
        code: "E0113",
        title: "a statement in the wrong place",
        explanation: "\
Some statements belong to one kind of body: settings, `minimize`, `every`, `at end`, `stop`, `start` and \
`freeze` directly to `train`; `evaluate`, `checkpoint` and `save` to `every … { }` and `at end { }`; \
`report` to both; `expect` to `test`; `param`, `state`, `<-` and `yield` to the bodies of layers and \
functions.",
        example: "train t on d {\n  minimize x\n  evaluate d.test\n}\n",
    },
    Code {
        code: "E0114",
        title: "not a declaration",
        explanation: "\
A file is made of declarations: `import`, `dim`, `const`, `require`, `data`, `model`, `layer`, `fn`, \
`loss`, `metric`, `optimizer`, `schedule`, `primitive`, `train` and `test`. Statements stand inside \
their bodies; a static value at the top of a file is a `const`.",
        example: "let width = 128\n",
    },
];
