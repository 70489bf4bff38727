//! The layers of a block as a table.

use super::{Costs, at};
use crate::output::table;
use crate::values::{bytes, count, si};
use tfm_lang::dim::Dim;
use tfm_lowering::graph::Type;
use tfm_lowering::outline::{Block, Child};

/// How figures are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// As polynomials in `B`.
    Symbolic,
    /// As numbers for this batch.
    For(i64),
}

impl Shown {
    /// A number of operations.
    pub fn flops(self, d: &Dim) -> String {
        match self {
            Shown::Symbolic => symbolic(d),
            Shown::For(batch) => at(d, batch).map_or_else(|| symbolic(d), |n| si(n.max(0) as f64)),
        }
    }

    /// A number of bytes.
    pub fn bytes(self, d: &Dim) -> String {
        match self {
            Shown::Symbolic => symbolic(d),
            Shown::For(batch) => at(d, batch).map_or_else(|| symbolic(d), |n| bytes(n.max(0) as u64)),
        }
    }

    /// A type; with a batch its sizes are numbers.
    pub fn ty(self, ty: &Type) -> String {
        let Shown::For(batch) = self else { return ty.to_string() };
        let size = |d: &Dim| at(d, batch).map_or_else(|| d.clone(), Dim::constant);
        Type { dtype: ty.dtype, shape: ty.shape.iter().map(size).collect() }.to_string()
    }
}

/// A polynomial with separators in its numbers, `1,179,648 * B`.
pub fn symbolic(d: &Dim) -> String {
    let text = d.to_string();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| start + n);
        let in_a_name = rest[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        out.push_str(&rest[..start]);
        match rest[start..end].parse() {
            Ok(n) if !in_a_name => out.push_str(&count(n)),
            _ => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out + rest
}

/// The rows of layers, those in others below them; no deeper than `depth`.
pub fn layers(costs: &Costs, shown: Shown, depth: usize) -> String {
    let head = ["layer", "kind", "output", "parameters", "FLOPs forward", "bytes kept"].map(String::from).to_vec();
    let mut rows = vec![head];
    walk(costs, 0, 0, depth, shown, &mut rows);
    let aligned = |text: &str| {
        let mut columns = rows.iter().map(|r| r[1].chars().count()).max().unwrap_or(0);
        columns = columns.max(4);
        format!("{text:<columns$}")
    };
    let output = rows.iter().map(|r| r[2].chars().count()).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let mut row = r.clone();
            (row[1], row[2]) = (aligned(&r[1]), format!("{:<output$}", r[2]));
            row
        })
        .collect();
    table(&rows)
}

fn walk(costs: &Costs, block: usize, level: usize, depth: usize, shown: Shown, rows: &mut Vec<Vec<String>>) {
    let b = &costs.outline.blocks[block];
    rows.push(row(b, level, shown));
    if level >= depth {
        return;
    }
    for child in &b.children {
        if let Child::Block(inner) = child {
            walk(costs, *inner, level + 1, depth, shown, rows);
        }
    }
}

fn row(block: &Block, level: usize, shown: Shown) -> Vec<String> {
    let parameters = block.figures.trained + block.figures.frozen;
    let name = format!("{}{}", "  ".repeat(level), block.name);
    let kind = if block.kind == block.name { String::new() } else { block.kind.clone() };
    let output = block.outputs.first().map_or(String::new(), |t| shown.ty(t));
    let parameters = if parameters == 0 { "-".into() } else { count(parameters) };
    let dash = |d: &Dim, text: String| if *d == Dim::default() { "-".into() } else { text };
    let flops = dash(&block.figures.flops, shown.flops(&block.figures.flops));
    vec![name, kind, output, parameters, flops, dash(&block.figures.kept, shown.bytes(&block.figures.kept))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_polynomials_have_separators() {
        let d: Dim = "1179648 * B + 12 * rows_1234 ^ 2 + 1000".parse().unwrap();
        assert_eq!(symbolic(&d), "1,179,648 * B + 12 * rows_1234 ^ 2 + 1,000");
        assert_eq!(Shown::For(2).flops(&"1000 * B".parse().unwrap()), "2.00 k");
    }
}
