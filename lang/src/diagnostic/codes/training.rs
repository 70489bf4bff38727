//! E06xx: data and training.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0600",
        title: "a fault of the checker",
        explanation: "\
This is not your mistake: something that was checked could not be written out. Please report it with the file.",
        example: "// no text gives this error\n",
    },
    Code {
        code: "E0601",
        title: "a data declaration that is wrong",
        explanation: "\
The source, a column, a transform or an operator is not one that there is, or its arguments do not fit. The help
lists what there is. A data set with several parts is named with one of them: `digits.train`.",
        example: "data digits = drawn_digit()\n",
    },
    Code {
        code: "E0602",
        title: "a setting or statement that does not belong here",
        explanation: "\
`train` has a closed list of settings. What is done every so often stands under `every 1 epoch { … }` or
`at end { … }`. `--set` changes a `const` of the file or a setting.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.train {\n  minimize mean(Dense(1)(flatten(f32(image))))\n  optimizer: Sgd()\n  batch: 8\n  epoch: 1\n}\n",
    },
    Code {
        code: "E0603",
        title: "something that `train` does not say",
        explanation: "\
A training needs a loss (`minimize`), an optimizer, a batch size and a length (`epochs` or `steps`).",
        example: "import std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.train {\n  minimize mean(Dense(1)(flatten(f32(image))))\n  batch: 8\n  epochs: 1\n}\n",
    },
    Code {
        code: "E0604",
        title: "something that this version does not do",
        explanation: "\
The language has this, the program does not have it yet. The reference says what works.",
        example: "fn f(x: f32[4]) -> f32[4] { on gpu(0) { x } }\n",
    },
    Code {
        code: "E0605",
        title: "a metric that no evaluation gives",
        explanation: "\
`checkpoint highest` and `stop when` name a metric as an evaluation gives it: the part of the data, a dot, and the
loss or what `report` names: `test.loss`, `test.accuracy`. Something must be evaluated for it to exist.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.train {\n  minimize mean(Dense(1)(flatten(f32(image))))\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n  every 1 epoch { checkpoint lowest test.loss }\n}\n",
    },
    Code {
        code: "E0606",
        title: "a parameter that no loss moves, or a loss that moves none",
        explanation: "\
Every parameter must be reached by a loss through operations that have gradients. A layer whose output is not used
is a mistake more often than a wish.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.train {\n  minimize mean(f32(image))\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n}\n",
    },
    Code {
        code: "E0607",
        title: "an operation without a gradient",
        explanation: "\
The loss depends on a parameter through an operation that has no gradient. `stop_gradient(…)` says that none is
wanted.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.train {\n  minimize mean(read_rows(Dense(4)(flatten(f32(image))), [0, 1]))\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n}\n",
    },
];
