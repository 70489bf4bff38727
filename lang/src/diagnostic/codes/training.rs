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
        example: "fn f(x: f32[4, 5], i: i32[]) -> f32[4] { x[:, i] }\n",
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
    Code {
        code: "E0608",
        title: "a path that nothing has",
        explanation: "\
`over`, `freeze` and `start` name a model, an instance that `let` named, or a part of them by its path:
`Net.encoder.dense_1`, `Net.dense_1.w`. A layer is no instance: two applications of it have weights of their own.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\nmodel Net(x: f32[B, 784]) -> f32[B, 1] { x |> Dense(1) }\ntrain t on digits.train {\n  let x = flatten(f32(image))\n  minimize mean(Net(x))\n  freeze Nett\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n}\n",
    },
    Code {
        code: "E0609",
        title: "a parameter that is moved twice, or moved and frozen",
        explanation: "\
Of several `minimize`, each moves parameters of its own: say `over` what, without overlap, or minimize the sum. What
`freeze` names stays as it is, and is not descended.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\nmodel Net(x: f32[B, 784]) -> f32[B, 1] { x |> Dense(1) }\ntrain t on digits.train {\n  let x = flatten(f32(image))\n  minimize mean(Net(x))\n  minimize mean(Net(x) ^ 2)\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n}\n",
    },
    Code {
        code: "E0610",
        title: "a device that there is not",
        explanation: "\
After `on` stands `cpu`, `gpu(0)`, `job(\"ps\")` or `job(\"ps\", task: 1)`. A hint may leave parts open, and hints
inside each other add up. None changes the result.",
        example: "fn f(x: f32[4]) -> f32[4] { on tpu(0) { x } }\n",
    },
    Code {
        code: "E0611",
        title: "a tensor that is no picture",
        explanation: "\
`save images` takes `[N, H, W]`, or `[N, C, H, W]` with 1 channel (grey) or 3 (red, green, blue): floats from 0 to 1,
or from -1 to 1 where some are negative, or u8.",
        example: "import std.optim.Sgd\nimport std.layers.Dense\ndata digits = drawn_digits()\nmodel Net(x: f32[B, 784]) -> f32[B, 1] { x |> Dense(1) }\ntrain t on digits.train {\n  let x = flatten(f32(image))\n  minimize mean(Net(x))\n  optimizer: Sgd()\n  batch: 8\n  epochs: 1\n  every 1 epoch { save images x }\n}\n",
    },
    Code {
        code: "E0612",
        title: "weights to start from that do not fit",
        explanation: "\
`start Encoder from \"base.safetensors\" at vit.encoder` takes each parameter and state of `Encoder` from the tensor of
the same path below `vit.encoder`. Each must be in the file with the same dtype and shape; what else the file has is not
used. The file is looked for in the folder of TFM_DATA, beside the .tfm file and in the working directory; the folder of
a run or of a checkpoint will do too.",
        example: "// the file says what fits\n",
    },
];
