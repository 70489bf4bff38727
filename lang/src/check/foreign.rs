//! What other frameworks call things, and what is written here: one table, read wherever a name is not known.

use super::program::Program;
use crate::source::FileId;
use crate::word::Word;

/// Layers, functions, losses, optimizers and words: their names there, what is written here, and what to know about
/// it. What is written here is a name of the library or a word of the language.
const NAMES: &[(&[&str], &str, &str)] = &[
    (&["Linear", "linear", "FullyConnected"], "Dense", "it takes the size of its input from what it is applied to"),
    (&["Conv1D", "Convolution1D"], "Conv1d", "the channels that come in are those of its input"),
    (&["Conv2D", "Convolution2D", "conv2D"], "Conv2d", "the channels that come in are those of its input"),
    (&["Conv3D", "Convolution3D"], "Conv3d", "the channels that come in are those of its input"),
    (&["Conv1DTranspose", "ConvTranspose1D"], "ConvTranspose1d", ""),
    (&["Conv2DTranspose", "ConvTranspose2D", "Deconv2d"], "ConvTranspose2d", ""),
    (&["Conv3DTranspose", "ConvTranspose3D"], "ConvTranspose3d", ""),
    (&["DepthwiseConv2D"], "DepthwiseConv2d", ""),
    (&["SeparableConv2D"], "SeparableConv2d", ""),
    (&["MaxPooling1D", "MaxPool1D"], "MaxPool1d", ""),
    (&["MaxPooling3D", "MaxPool3D"], "MaxPool3d", ""),
    (&["AveragePooling1D"], "AvgPool1d", ""),
    (&["AveragePooling3D"], "AvgPool3d", ""),
    (&["GlobalAveragePooling2D", "AdaptiveAvgPool2d", "GlobalAvgPool2d"], "mean", "`mean(x, axis: [2, 3])`"),
    (&["GlobalAveragePooling1D", "AdaptiveAvgPool1d"], "mean", "`mean(x, axis: 1)`"),
    (&["GlobalMaxPooling2D", "AdaptiveMaxPool2d"], "max", "`max(x, axis: [2, 3])`"),
    (&["MaxPooling2D", "MaxPool2D", "max_pooling2d", "maxpool"], "MaxPool2d", ""),
    (&["AveragePooling2D", "AvgPool2D", "AvgPooling2D"], "AvgPool2d", ""),
    (&["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "BatchNormalization"], "BatchNorm", ""),
    (&["LayerNormalization"], "LayerNorm", ""),
    (&["GroupNormalization"], "GroupNorm", ""),
    (&["MultiheadAttention", "MultiHeadAttention", "SelfAttention"], "Attention", ""),
    (&["ReLU", "Relu", "RELU"], "relu", "it is a function, not a layer: `x |> relu`"),
    (&["LeakyReLU", "LeakyRelu"], "leaky_relu", "it is a function, not a layer"),
    (&["GELU", "Gelu"], "gelu", "it is a function, not a layer"),
    (&["SiLU", "Silu", "Swish", "swish"], "silu", "it is a function, not a layer"),
    (&["Sigmoid"], "sigmoid", "it is a function, not a layer"),
    (&["Tanh"], "tanh", "it is a function, not a layer"),
    (&["Softmax"], "softmax", "it is a function, not a layer"),
    (&["LogSoftmax"], "log_softmax", "it is a function, not a layer"),
    (&["Softplus"], "softplus", "it is a function, not a layer"),
    (&["Flatten"], "flatten", "it is a function, not a layer: `x |> flatten`"),
    (&["view", "Reshape"], "reshape", "`reshape(x, [B, -1])`"),
    (&["permute", "Permute", "swapaxes", "moveaxis"], "transpose", "`transpose(x, [0, 2, 3, 1])`"),
    (&["cat", "concatenate", "Concatenate", "hstack", "vstack"], "concat", "`concat([a, b], axis: 1)`"),
    (&["unsqueeze", "expand_dims"], "reshape", "`reshape(x, [B, 1, 8])` adds an axis of size 1"),
    (&["mm", "bmm", "dot"], "@", "`a @ b` is the product of matrices"),
    (&["pow"], "^", "`x ^ 2`"),
    (
        &[
            "CrossEntropyLoss",
            "sparse_categorical_crossentropy",
            "SparseCategoricalCrossentropy",
            "categorical_crossentropy",
            "CategoricalCrossentropy",
        ],
        "cross_entropy",
        "it takes logits, without a softmax, and class numbers: `cross_entropy(logits, label)`",
    ),
    (
        &["BCEWithLogitsLoss", "BCELoss", "binary_crossentropy", "BinaryCrossentropy"],
        "binary_cross_entropy",
        "it takes logits, without a sigmoid",
    ),
    (&["NLLLoss", "nll_loss"], "nll", "it takes log probabilities; `cross_entropy` takes logits"),
    (&["MSELoss", "mean_squared_error", "MeanSquaredError", "mse_loss"], "mse", ""),
    (&["L1Loss", "mean_absolute_error", "MeanAbsoluteError", "l1_loss"], "mae", ""),
    (&["SmoothL1Loss", "HuberLoss"], "huber", ""),
    (&["KLDivLoss", "kl_div", "KLDivergence"], "kl_divergence", ""),
    (&["TripletMarginLoss"], "triplet", ""),
    (&["CosineEmbeddingLoss"], "cosine_embedding", ""),
    (&["MarginRankingLoss"], "margin_ranking", ""),
    (&["HingeEmbeddingLoss", "HingeLoss"], "hinge", ""),
    (&["PoissonNLLLoss", "Poisson"], "poisson_nll", ""),
    (&["GaussianNLLLoss"], "gaussian_nll", ""),
    (&["MultiMarginLoss"], "multi_margin", ""),
    (&["SGD", "sgd", "GradientDescent"], "Sgd", ""),
    (&["adam", "ADAM"], "Adam", ""),
    (&["adamw", "Adamw"], "AdamW", ""),
    (&["RMSProp", "rmsprop", "RmsProp"], "RMSprop", ""),
    (&["AdaGrad", "adagrad"], "Adagrad", ""),
    (&["CosineAnnealingLR", "CosineDecay"], "cosine", ""),
    (&["StepLR", "MultiStepLR"], "step_decay", ""),
    (&["ExponentialLR", "ExponentialDecay"], "exponential", ""),
    (&["Accuracy", "sparse_categorical_accuracy", "CategoricalAccuracy"], "accuracy", ""),
    (&["Precision"], "precision", ""),
    (&["Recall"], "recall", ""),
    (&["F1Score"], "f1", ""),
    (&["MeanIoU", "JaccardIndex"], "mean_iou", ""),
    (&["AUC"], "auc", ""),
    (&["True", "TRUE"], "true", ""),
    (&["False", "FALSE"], "false", ""),
    (&["None", "null", "nil"], "", "leave the argument out: its default stands for it"),
    (&["print"], "report", "`report value` in `train` shows a value"),
    (&["range"], "0..n", "`for i in 0..n`"),
    (&["Sequential"], "|>", "`x |> Dense(32, relu) |> Dense(10)` applies one after the other"),
    (&["detach", "no_grad"], "stop_gradient", ""),
    (&["clamp", "clip"], "minimum(maximum(x, low), high)", ""),
    (&["arange"], "iota", "`iota(n)`"),
    (&["randn"], "random_normal", "`random_normal([2, 3])`"),
    (&["rand"], "random_uniform", "`random_uniform([2, 3])`"),
    (&["float32", "float_"], "f32", ""),
    (&["int64", "long"], "i64", ""),
    (&["int32"], "i32", ""),
    (&["self", "this"], "", "a layer's parameters stand by their names"),
];

/// Modules whose names stand before everything there, and before nothing here.
const PREFIXES: [&str; 12] =
    ["nn", "torch", "tf", "np", "numpy", "F", "keras", "layers", "optim", "jax", "jnp", "functional"];

/// Parameters.
const PARAMETERS: [(&[&str], &str); 21] = [
    (&["kernel_size", "filter_size", "ksize"], "kernel"),
    (&["padding"], "pad"),
    (&["strides"], "stride"),
    (&["pool_size", "window", "kernel_size"], "size"),
    (&["filters", "out_channels", "num_filters"], "channels"),
    (&["out_features", "num_outputs", "output_size"], "units"),
    (&["num_embeddings", "input_dim", "vocab_size", "vocab"], "rows"),
    (&["embedding_dim", "output_dim", "dim", "hidden_size", "units"], "width"),
    (&["p", "prob", "drop_prob"], "rate"),
    (&["learning_rate", "rate"], "lr"),
    (&["dim", "dims", "axes"], "axis"),
    (&["keepdim", "keepdims", "keep_dims"], "keep"),
    (&["num_heads", "n_heads", "nhead"], "heads"),
    (&["num_groups"], "groups"),
    (&["epsilon"], "eps"),
    (&["use_bias"], "bias"),
    (&["act", "nonlinearity"], "activation"),
    (&["reduction"], "reduce"),
    (&["is_causal"], "causal"),
    (&["beta_1"], "beta1"),
    (&["beta_2"], "beta2"),
];

/// Parameters of optimizers that are optimizers around them here.
const WRAPPERS: [(&[&str], &str); 3] = [
    (&["weight_decay", "l2", "decay"], "`… |> decay(0.01)` behind the optimizer"),
    (&["clipnorm", "max_grad_norm", "grad_clip", "max_norm", "global_clipnorm"], "`… |> clip_norm(1.0)` behind it"),
    (&["clipvalue", "clip_value"], "`… |> clip_value(1.0)` behind it"),
];

/// Settings of `train`, and what says the same.
const SETTINGS: [(&[&str], &str); 12] = [
    (&["batch_size", "batchsize", "minibatch"], "`batch: 32`"),
    (&["num_epochs", "n_epochs", "max_epochs", "nb_epoch"], "`epochs: 5`"),
    (&["max_steps", "num_steps", "iterations", "max_iter"], "`steps: 1000`"),
    (&["random_seed", "random_state"], "`seed: 1`"),
    (&["optim", "opt"], "`optimizer: Adam(lr: 1e-3)`"),
    (&["lr", "learning_rate"], "`optimizer: Adam(lr: 1e-3)`: the rate belongs to the optimizer"),
    (&["loss", "criterion", "objective"], "`minimize cross_entropy(logits, label)`"),
    (&["metrics", "metric"], "`report accuracy(logits, label)`"),
    (&["accumulate_grad_batches", "gradient_accumulation_steps"], "`micro: 32`"),
    (&["validation_data", "validation_split", "val"], "`every 1 epoch { evaluate digits.test }`"),
    (&["shuffle"], "nothing: training sees the data in a new order each epoch"),
    (&["device"], "`on gpu(0) { … }` around what runs there"),
];

fn row<T: Copy>(table: &'static [(&'static [&'static str], T)], name: &str) -> Option<T> {
    table.iter().find(|(theirs, _)| theirs.contains(&name)).map(|(_, ours)| *ours)
}

/// What a setting of another framework is here, as code.
pub(super) fn setting(name: &str) -> Option<&'static str> {
    row(&SETTINGS, name)
}

/// What stands behind an optimizer here instead of a parameter of it.
pub(super) fn wrapper(name: &str) -> Option<&'static str> {
    row(&WRAPPERS, name)
}

/// What a parameter of another framework is called here, when one of these is it.
pub(super) fn parameter<'a>(name: &str, params: &[&'a str]) -> Option<&'a str> {
    let rows = PARAMETERS.iter().filter(|(theirs, _)| theirs.contains(&name));
    rows.filter_map(|(_, ours)| params.iter().find(|p| *p == ours).copied()).next()
}

/// True for a word that stands before names in another framework, `nn.Linear`.
pub(super) fn is_prefix(name: &str) -> bool {
    PREFIXES.contains(&name)
}

impl Program {
    /// The module of the library that has a name, for an import.
    pub fn module_with(&self, name: &str) -> Option<&str> {
        let found =
            self.modules.iter().find(|(m, names)| m.starts_with("std.") && names.contains_key(&Word::from(name)));
        found.map(|(m, _)| m.as_str())
    }
}

/// What is written here instead of a name of another framework: the name when there is one, and the help.
pub(super) fn name(program: &Program, file: FileId, name: &str) -> Option<(&'static str, String)> {
    let (_, here, note) = NAMES.iter().find(|(theirs, ..)| theirs.contains(&name))?;
    let word = here.chars().all(|c| c.is_alphanumeric() || c == '_') && !here.is_empty();
    let seen = program.lookup(file, *here).is_some();
    let import = match program.module_with(here) {
        Some(module) if word && !seen => format!(", with `import {module}.{here}` at the top of the file"),
        _ => String::new(),
    };
    let help = match (*here, *note) {
        ("", note) => note.to_string(),
        (here, "") => format!("write `{here}`{import}"),
        (here, note) if note.starts_with('`') => format!("write `{here}`{import}: {note}"),
        (here, note) => format!("write `{here}`{import}; {note}"),
    };
    Some((if word { here } else { "" }, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let all: Vec<&str> = NAMES.iter().flat_map(|(theirs, ..)| theirs.iter().copied()).collect();
        for (i, name) in all.iter().enumerate() {
            assert!(!all[..i].contains(name), "{name}");
        }
        // What is written here is declared in the library, or is a word of the language.
        fn texts(folder: &std::path::Path, out: &mut String) {
            for entry in std::fs::read_dir(folder).expect("the library lies beside this crate").flatten() {
                if entry.path().is_dir() {
                    texts(&entry.path(), out);
                } else if entry.path().extension().is_some_and(|e| e == "tfm") {
                    *out += &std::fs::read_to_string(entry.path()).unwrap_or_default();
                }
            }
        }
        let mut library = String::new();
        texts(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib"), &mut library);
        let words = ["true", "false", "report", "f32", "i64", "i32", ""];
        for (_, here, _) in NAMES.iter().filter(|(_, here, _)| here.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            let declared = ["layer", "fn", "loss", "metric", "optimizer", "schedule", "primitive"].iter().any(|kind| {
                library.contains(&format!("\n{kind} {here}(")) || library.starts_with(&format!("{kind} {here}("))
            });
            assert!(declared || words.contains(here) || super::super::builtins::find(*here).is_some(), "{here}");
        }
        assert_eq!(setting("batch_size"), Some("`batch: 32`"));
        assert_eq!(parameter("kernel_size", &["size", "stride"]), Some("size"));
        assert_eq!(parameter("kernel_size", &["channels", "kernel"]), Some("kernel"));
        assert_eq!(parameter("kernel_size", &["rate"]), None);
    }
}
