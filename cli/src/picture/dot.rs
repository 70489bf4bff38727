//! The picture for Graphviz: blocks are clusters.

use super::Picture;
use super::words;
use std::fmt::Write as _;
use tfm_lowering::outline::{Child, Role};

/// Writes the graph. Layers of the library are single nodes; with a depth, all below it and nothing above.
pub fn dot(picture: &Picture, depth: Option<usize>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "digraph {} {{", quoted(&picture.title()));
    out.push_str("  compound=true; rankdir=TB; fontname=\"Helvetica\"; bgcolor=\"transparent\";\n");
    out.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f4f6fa\", color=\"#8b95ab\", fontname=\"Helvetica\", fontsize=11];\n");
    out.push_str("  edge [color=\"#8b95ab\", fontname=\"Helvetica\", fontsize=9];\n");
    let mut shown = Shown::of(picture, depth);
    write(picture, 0, 1, &mut shown, &mut out);
    for (from, to, ty) in shown.edges(picture) {
        let _ = writeln!(out, "  {from} -> {to} [label={}];", quoted(&ty));
    }
    out.push_str("}\n");
    out
}

/// What stands for each step: itself, or the folded block that holds it.
pub struct Shown {
    /// The name of the node by the number of the step.
    of_step: Vec<String>,
    /// Which blocks are open.
    open: Vec<bool>,
}

impl Shown {
    /// Folds what the depth says.
    pub fn of(picture: &Picture, depth: Option<usize>) -> Shown {
        let outline = &picture.outline;
        let level = |b: usize| outline.around(b).len() - 1;
        let open: Vec<bool> = (0..outline.blocks.len())
            .map(|b| b == 0 || depth.map_or(!outline.blocks[b].library, |depth| level(b) <= depth))
            .collect();
        let node = |(i, step): (usize, &tfm_lowering::outline::Step)| {
            let folded = outline.around(step.block).into_iter().rfind(|b| !open[*b]);
            folded.map_or_else(|| format!("s{i}"), |b| format!("b{b}"))
        };
        Shown { of_step: outline.steps.iter().enumerate().map(node).collect(), open }
    }

    /// Whether a block shows what is in it.
    pub fn is_open(&self, block: usize) -> bool {
        self.open[block]
    }

    /// The edges between what is shown, each once.
    pub fn edges(&self, picture: &Picture) -> Vec<(String, String, String)> {
        let mut seen = std::collections::BTreeSet::new();
        let edges = picture
            .outline
            .edges
            .iter()
            .map(|e| (self.of_step[e.from].clone(), self.of_step[e.to].clone(), e.ty.to_string()));
        edges.filter(|(from, to, _)| from != to && seen.insert((from.clone(), to.clone()))).collect()
    }
}

fn write(picture: &Picture, block: usize, level: usize, shown: &mut Shown, out: &mut String) {
    let outline = &picture.outline;
    let indent = "  ".repeat(level);
    for child in &outline.blocks[block].children {
        match child {
            Child::Step(s) => {
                let step = &outline.steps[*s];
                let shape = match step.role {
                    Role::Input => ", shape=ellipse, fillcolor=\"#e3f6ee\"",
                    Role::Output => ", shape=ellipse, fillcolor=\"#fff1d6\"",
                    Role::Operation => "",
                };
                let label = format!("{}\n{}", step.label, step.ty);
                let _ = writeln!(out, "{indent}s{s} [label={}{shape}];", quoted(&label));
            }
            Child::Block(b) if shown.is_open(*b) => {
                let inner = &outline.blocks[*b];
                let _ = writeln!(out, "{indent}subgraph cluster_{b} {{");
                let _ = writeln!(
                    out,
                    "{indent}  label={}; labeljust=l; style=\"rounded,filled\"; color=\"#8fa8dd\"; fillcolor=\"#eef3ff80\";",
                    quoted(&words::block_title(inner))
                );
                write(picture, *b, level + 1, shown, out);
                let _ = writeln!(out, "{indent}}}");
            }
            Child::Block(b) => {
                let inner = &outline.blocks[*b];
                let lines = [words::block_title(inner), words::block_output(inner), words::figures(&inner.figures)];
                let lines: Vec<String> = lines.into_iter().filter(|l| !l.is_empty()).collect();
                let _ = writeln!(
                    out,
                    "{indent}b{b} [label={}, fillcolor=\"#e6edff\", color=\"#6d8ad0\"];",
                    quoted(&lines.join("\n"))
                );
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
