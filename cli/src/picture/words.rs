//! What a picture says of blocks and steps.

use crate::cost::{Shown, symbolic};
use crate::values::{count, si};
use tfm_lang::dim::Dim;
use tfm_lang::source::{Sources, Span};
use tfm_lowering::outline::{Block, Figures, Outline, Step};

/// The name of a block; with what it is, where the name does not say it.
pub fn block_title(block: &Block) -> String {
    // `max_pool2d_1` says what it is, `embed` does not.
    let plain = block.name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_').replace('_', "");
    let same = block.kind.is_empty()
        || block.kind.eq_ignore_ascii_case(&plain)
        || block.kind.eq_ignore_ascii_case(&block.name.replace('_', ""));
    if same { block.name.clone() } else { format!("{} · {}", block.name, block.kind) }
}

/// What a block gives.
pub fn block_output(block: &Block) -> String {
    block.outputs.first().map_or(String::new(), |t| t.to_string())
}

/// Parameters and operations in a few words, `18,496 parameters · 28,901,376 * B FLOPs`.
pub fn figures(figures: &Figures) -> String {
    let mut words = Vec::new();
    match figures.trained + figures.frozen {
        0 => {}
        n => words.push(format!("{} parameters", count(n))),
    }
    if figures.flops != Dim::default() {
        words.push(format!("{} FLOPs", symbolic(&figures.flops)));
    }
    words.join(" · ")
}

/// The same in fewer: `18.5 k params`.
pub fn short_figures(figures: &Figures, batch: i64) -> String {
    let mut words = Vec::new();
    match figures.trained + figures.frozen {
        0 => {}
        n if n < 10_000 => words.push(format!("{} params", count(n))),
        n => words.push(format!("{} params", si(n as f64))),
    }
    if figures.flops != Dim::default() {
        words.push(format!("{}FLOP", Shown::For(batch).flops(&figures.flops)));
    }
    words.join(" · ")
}

/// `convnet.tfm:16`
pub fn place(sources: &Sources, span: Option<Span>) -> Option<(String, usize, usize)> {
    let span = span?;
    let (line, column) = sources.line_column(span);
    Some((sources.get(span.file).name.clone(), line, column))
}

/// The types that a step is given, each once.
pub fn inputs_of(outline: &Outline, step: usize) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for edge in outline.edges.iter().filter(|e| e.to == step) {
        let ty = edge.ty.to_string();
        if !types.contains(&ty) {
            types.push(ty);
        }
    }
    types
}

/// The operations of a step beside its label, where they say more.
pub fn operations(step: &Step) -> String {
    let names: Vec<&str> = step.operations.iter().map(|o| &**o).filter(|o| *o != "broadcast").collect();
    if names == [step.label.as_str()] { String::new() } else { names.join(", ") }
}
