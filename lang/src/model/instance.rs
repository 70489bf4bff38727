//! What the variables of a model belong to.

use crate::source::Span;

/// A layer that was made and applied, or a model: where its parameters, states and layers get their paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// `ConvNet.conv2d_1`
    pub path: String,
    /// The path of what it is applied in; empty at the top.
    pub parent: String,
    /// The layer's name in its declaration, `Conv2d`; empty for a model.
    pub layer: String,
    /// What its first list says, `channels: 32, kernel: 3`.
    pub settings: String,
    /// True when `let` named it, and for a model; otherwise its name is the layer's and a number.
    pub is_named: bool,
    /// True when the library declares it.
    pub library: bool,
    /// Where it was made.
    pub span: Span,
}
