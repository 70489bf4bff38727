//! The picture as SVG, for light and dark pages.

use super::Picture;
use super::arrange::{Arrangement, arrange};
use super::place::{PADDING, Placed, Point, Size, TITLE, place};
use super::words;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tfm_lowering::outline::{Block, Child, Role, Step};

/// The width of a character of the labels, and of the small ones below.
const LARGE: f64 = 7.25;
const SMALL: f64 = 6.05;

/// The colours: of paper, text, lines, and of blocks by their kind.
const STYLE: &str = include_str!("picture.css");

/// Draws the picture. Blocks of the library are folded; with a depth, all blocks below it and no others.
pub fn svg(picture: &Picture, depth: Option<usize>) -> String {
    let drawing = Drawing { picture, arranged: arrange(&picture.outline), depth };
    let mut placed = BTreeMap::new();
    let whole = drawing.place(0, 0, &mut placed);
    let (width, height) = (whole.width + 2.0 * PADDING, whole.height + 2.0 * PADDING + 22.0);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        escape(&picture.title())
    );
    let _ = writeln!(
        out,
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" \
         markerHeight=\"6\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5L7.5 4L0 7.5Z\"/></marker></defs>"
    );
    let _ = writeln!(out, "<text class=\"title\" x=\"{PADDING}\" y=\"24\">{}</text>", escape(&picture.title()));
    drawing.block(0, (PADDING, PADDING + 22.0), &placed, &mut out);
    out.push_str("</svg>\n");
    out
}

struct Drawing<'a> {
    picture: &'a Picture<'a>,
    arranged: Vec<Arrangement>,
    depth: Option<usize>,
}

impl Drawing<'_> {
    fn is_folded(&self, block: &Block, level: usize) -> bool {
        block.children.is_empty() || self.depth.map_or(block.library, |depth| level > depth)
    }

    /// The size of a block, and the places of what is in it and not folded.
    fn place(&self, b: usize, level: usize, placed: &mut BTreeMap<usize, Placed>) -> Size {
        let outline = &self.picture.outline;
        let block = &outline.blocks[b];
        if b > 0 && self.is_folded(block, level) {
            return folded_size(&folded_lines(block, self.picture.batch));
        }
        let mut sizes: BTreeMap<Child, Size> = BTreeMap::new();
        for child in &block.children {
            let size = match child {
                Child::Block(inner) => self.place(*inner, level + 1, placed),
                Child::Step(s) => step_size(&outline.steps[*s]),
            };
            sizes.insert(*child, size);
        }
        let title = if b == 0 { 0.0 } else { TITLE + 8.0 };
        let least = if b == 0 { 0.0 } else { title_width(block, self.picture.batch) };
        let made = place(&self.arranged[b], title, least, &|child| sizes.get(&child).copied().unwrap_or_default());
        let size = made.size;
        placed.insert(b, made);
        size
    }

    fn block(&self, b: usize, at: Point, placed: &BTreeMap<usize, Placed>, out: &mut String) {
        let outline = &self.picture.outline;
        let Some(made) = placed.get(&b) else { return };
        let block = &outline.blocks[b];
        let Size { width, height, .. } = made.size;
        if b > 0 {
            let _ = writeln!(
                out,
                "<g class=\"block open {}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\"/></g>",
                tone(block),
                at.0,
                at.1
            );
        }
        for (wire, points) in self.arranged[b].wires.iter().zip(&made.wires) {
            let _ = writeln!(
                out,
                "<path class=\"wire\" d=\"{}\"{}><title>{}</title></path>",
                curve(points, at),
                if ends_in_a_child(&self.arranged[b], &wire.path) { " marker-end=\"url(#tip)\"" } else { "" },
                escape(&wire.ty.to_string())
            );
        }
        if b > 0 {
            // Above the lines.
            let y = at.1 + 18.0;
            let _ = writeln!(
                out,
                "<text class=\"name over\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>\
                 <text class=\"small over\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
                at.0 + PADDING,
                escape(&words::block_title(block)),
                at.0 + width - PADDING,
                escape(&words::short_figures(&block.figures, self.picture.batch)),
            );
        }
        for (child, (x, y)) in &made.children {
            let at = (at.0 + x, at.1 + y);
            match child {
                Child::Step(s) => step(&outline.steps[*s], at, out),
                Child::Block(inner) if placed.contains_key(inner) => self.block(*inner, at, placed, out),
                Child::Block(inner) => folded(&outline.blocks[*inner], at, self.picture.batch, out),
            }
        }
    }
}

fn ends_in_a_child(arranged: &Arrangement, path: &[usize]) -> bool {
    use super::arrange::Slot;
    use tfm_lowering::outline::End;
    let last = path.last().map(|s| arranged.slots[*s]);
    matches!(last, Some(Slot::End(End::Child(_))))
}

/// A smooth line through the points: it leaves and arrives upright.
fn curve(points: &[Point], at: Point) -> String {
    let p = |(x, y): Point| (x + at.0, y + at.1);
    let (x, y) = p(points[0]);
    let mut d = format!("M{x:.1} {y:.1}");
    for pair in points.windows(2) {
        let ((x1, y1), (x2, y2)) = (p(pair[0]), p(pair[1]));
        let pull = ((y2 - y1).abs() / 2.0).max(6.0) * if y2 < y1 { -1.0 } else { 1.0 };
        if (x1 - x2).abs() < 0.5 {
            let _ = write!(d, "L{x2:.1} {y2:.1}");
        } else {
            let _ = write!(d, "C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {y2:.1}", y1 + pull, y2 - pull);
        }
    }
    d
}

fn title_width(block: &Block, batch: i64) -> f64 {
    let title = words::block_title(block).chars().count() as f64 * LARGE;
    let figures = words::short_figures(&block.figures, batch).chars().count() as f64 * SMALL;
    title + figures + 2.0 * PADDING + 24.0
}

/// Name, result, figures.
fn folded_lines(block: &Block, batch: i64) -> [String; 3] {
    [words::block_title(block), words::block_output(block), words::short_figures(&block.figures, batch)]
}

fn folded_size(lines: &[String; 3]) -> Size {
    let width = (lines[0].chars().count() as f64 * LARGE)
        .max(lines[1].chars().count() as f64 * SMALL)
        .max(lines[2].chars().count() as f64 * SMALL);
    let below = lines[1..].iter().filter(|l| !l.is_empty()).count() as f64;
    Size::of_box((width + 28.0).max(90.0), 30.0 + 14.0 * below)
}

fn folded(block: &Block, (x, y): Point, batch: i64, out: &mut String) {
    let lines = folded_lines(block, batch);
    let size = folded_size(&lines);
    let _ = write!(
        out,
        "<g class=\"block {}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>",
        tone(block),
        size.width,
        size.height
    );
    texts(&lines, (x + size.width / 2.0, y + 19.5), out);
    out.push_str("</g>\n");
}

fn step_lines(step: &Step) -> [String; 2] {
    [step.label.clone(), step.ty.to_string()]
}

fn step_size(step: &Step) -> Size {
    let lines = step_lines(step);
    let width = (lines[0].chars().count() as f64 * LARGE).max(lines[1].chars().count() as f64 * SMALL);
    Size::of_box((width + 24.0).max(64.0), 38.0)
}

fn step(step: &Step, (x, y): Point, out: &mut String) {
    let size = step_size(step);
    let role = match step.role {
        Role::Input => "input",
        Role::Operation => "operation",
        Role::Output => "output",
    };
    let radius = if step.role == Role::Operation { 6.0 } else { size.height / 2.0 };
    let _ = write!(
        out,
        "<g class=\"step {role}\"><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\"/>",
        escape(&words::operations(step)),
        size.width,
        size.height
    );
    texts(&step_lines(step), (x + size.width / 2.0, y + 16.5), out);
    out.push_str("</g>\n");
}

/// Lines below each other, in the middle; the first is the name.
fn texts(lines: &[String], (x, y): Point, out: &mut String) {
    for (i, line) in lines.iter().filter(|l| !l.is_empty()).enumerate() {
        let class = if i == 0 { "name" } else { "small" };
        let y = y + 14.0 * i as f64;
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
            escape(line)
        );
    }
}

/// One of the tones: all blocks of a kind have the same.
pub fn tone(block: &Block) -> String {
    let name = if block.kind.is_empty() { &block.name } else { &block.kind };
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    format!("tone-{}", (hash >> 8) % 8)
}

/// Text between tags.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
