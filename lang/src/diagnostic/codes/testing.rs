//! E07xx: tests.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0701",
        title: "a test that fails",
        explanation: "\
`tfm test` ran an `expect`, or an example of a doc comment, and it does not hold. The notes show both values and where
they are furthest apart. Either what is tested is wrong, or the expectation is.",
        example: "test \"a half\" { expect close(sigmoid(0.0), 0.6) }\n",
    },
    Code {
        code: "E0702",
        title: "an expectation that says nothing",
        explanation: "\
After `expect` stands a condition, `close(a, b)`, `gradient(f)`, or `error(E0302) { … }` with a block that must have
that error. A value alone says nothing of what it should be, and a test without `expect` tests nothing.",
        example: "test \"a half\" { expect sigmoid(zeros([2])) }\n",
    },
];
