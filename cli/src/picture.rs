//! Pictures of a step: a tree for the terminal, SVG, a page, and the forms that other viewers read.
//!
//! All are drawn from one [`Outline`]: layers in layers, and the expressions of the text in them. [`svg()`] and [`html()`]
//! lay it out by themselves; nothing is downloaded, installed or run for them.

mod arrange;
mod dot;
mod html;
mod json;
mod mermaid;
mod place;
mod svg;
mod tree;
mod words;

pub use dot::dot;
pub use html::html;
pub use json::{json, model_explorer};
pub use mermaid::mermaid;
pub use svg::{escape, svg};
pub use tree::tree;

use crate::pipeline::Compiled;
use tfm_lang::model::Train;
use tfm_lang::source::Sources;
use tfm_lowering::outline::{Outline, outline};

/// What is drawn.
pub struct Picture<'a> {
    /// The step.
    pub outline: Outline,
    /// The texts that it comes from.
    pub sources: &'a Sources,
    /// The `train` block.
    pub train: &'a Train,
    /// The batch that numbers are for, where they are no polynomials.
    pub batch: i64,
    /// True when the way back and the update are drawn.
    pub training: bool,
}

impl<'a> Picture<'a> {
    /// Of one block; its forward part, or with `training` the whole step.
    pub fn of(compiled: &'a Compiled, train: &'a Train, training: bool) -> Picture<'a> {
        Picture {
            outline: outline(&compiled.graph, &compiled.model, train, &compiled.sources, training),
            sources: &compiled.sources,
            train,
            batch: train.settings.micro.unwrap_or(train.batch).max(1),
            training,
        }
    }

    /// `convnet`, `convnet: a step`
    pub fn title(&self) -> String {
        if self.training { format!("{}: a step", self.train.name) } else { self.train.name.clone() }
    }
}
