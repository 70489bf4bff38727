//! The text form of a graph, read back by [`super::parse`].
//!
//! ```text
//! variable Mlp.dense_1.w : f32[784, 512] parameter on "gpu:0"
//! %0 = input image : f32[B, 784]
//! %1 = read Mlp.dense_1.w : f32[784, 512]  # Mlp.dense_1
//! %2 = matmul(%0, %1) : f32[B, 512]  # Mlp.dense_1
//! %3 = sum(%2, axis: [], keep: false) : f32[] on "gpu:0"
//! entry mlp.step
//!   output loss = %3
//! ```
//!
//! The turn of a `scan` stands below it between `{` and `}`. One node a line; after `on` its device hint, after
//! `#` its scope. Names that are not plain words stand in quotes. Spans and
//! what is pending are not in it; everything else comes back exactly.

use super::{Graph, Node, Op, Type};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use tfm_lang::device::Device;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs, Literal, VariableKind};
use tfm_lang::types::DType;

/// The names of the kinds of variables.
pub(super) const KINDS: [(VariableKind, &str); 4] = [
    (VariableKind::Parameter, "parameter"),
    (VariableKind::State, "state"),
    (VariableKind::Optimizer, "optimizer"),
    (VariableKind::Metric, "metric"),
];

/// True for the characters of names that need no quotes.
pub(super) fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_./@-".contains(c)
}

/// A name as the text form writes it.
pub(super) struct Quoted<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(is_plain) { f.write_str(self.0) } else { write!(f, "{:?}", self.0) }
    }
}

/// Things with commas between them.
pub(super) struct Listed<'a, T>(pub &'a [T]);

impl<T: Display> Display for Listed<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, x) in self.0.iter().enumerate() {
            write!(f, "{}{x}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Display for super::Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.dtype, Listed(&self.shape))
    }
}

/// A hint at the end of a line, where there is one.
struct On<'a>(Option<&'a Device>);

impl Display for On<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(device) => write!(f, " on \"{device}\""),
            None => Ok(()),
        }
    }
}

/// An attribute as the text form writes it; what could be read as another kind stands in brackets.
pub(super) struct AttrText<'a>(pub &'a Attr);

impl Display for AttrText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Attr::Int(d) => write_size(f, d),
            Attr::Ints(ds) => write!(f, "[{}]", Listed(ds)),
            Attr::Float(x) => write!(f, "{x:?}"),
            Attr::Bool(b) => write!(f, "{b}"),
            Attr::DType(d) => write!(f, "{d}"),
            Attr::Str(s) => write!(f, "{s:?}"),
        }
    }
}

fn write_size(f: &mut Formatter<'_>, d: &Dim) -> fmt::Result {
    let text = d.to_string();
    let taken = text == "true" || text == "false" || DType::from_name(&text).is_some() || is_float(&text);
    if taken { write!(f, "({text})") } else { f.write_str(&text) }
}

/// True for texts that are read as a float and not as a whole number.
pub(super) fn is_float(text: &str) -> bool {
    text.parse::<f64>().is_ok() && text.parse::<i64>().is_err()
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Input(name) => write!(f, "input {}", Quoted(name)),
            Op::Constant(Literal::Number(x)) => write!(f, "constant {x:?}"),
            Op::Constant(Literal::Bool(b)) => write!(f, "constant {b}"),
            Op::Constant(Literal::Dim(d)) => write!(f, "constant size {d}"),
            Op::Constant(Literal::Numbers(xs)) => {
                f.write_str("constant [")?;
                for (i, x) in xs.iter().enumerate() {
                    write!(f, "{}{x:?}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Op::Read(var) => write!(f, "read #{}", var.0),
            Op::Primitive(name, _) => write!(f, "{}", Quoted(name)),
            Op::Scan(_) => f.write_str("scan"),
            Op::Result(_) => f.write_str("result"),
            Op::Gradient(_) => f.write_str("gradient"),
        }
    }
}

impl Node {
    /// The node's line without its number; variables by their paths in `graph`.
    fn write(&self, f: &mut Formatter<'_>, graph: &Graph) -> fmt::Result {
        match &self.op {
            Op::Read(var) => match graph.variables.get(var.0 as usize) {
                Some(variable) => write!(f, "read {}", Quoted(&variable.path))?,
                None => write!(f, "{}", self.op)?,
            },
            op => write!(f, "{op}")?,
        }
        if let Some(attrs) = attributes(&self.op) {
            write!(f, "({}", Listed(&self.args))?;
            for (i, (name, attr)) in attrs.iter().enumerate() {
                let comma = if i > 0 || !self.args.is_empty() { ", " } else { "" };
                write!(f, "{comma}{}: {}", Quoted(name), AttrText(attr))?;
            }
            f.write_str(")")?;
        }
        write!(f, " : {}{}", self.ty, On(self.device.as_deref()))?;
        if self.scope.is_empty() { Ok(()) } else { write!(f, "  # {}", Quoted(&self.scope)) }
    }
}

/// What stands behind the arguments; `None` for leaves.
fn attributes(op: &Op) -> Option<Cow<'_, Attrs>> {
    let number = |n: usize| Attr::Int(Dim::constant(n as i64));
    match op {
        Op::Primitive(_, attrs) => Some(Cow::Borrowed(attrs)),
        Op::Result(k) | Op::Gradient(k) => Some(Cow::Owned(vec![("of".into(), number(*k as usize))])),
        Op::Scan(scan) => {
            let walked = scan.walked.iter().map(|w| Dim::constant(i64::from(*w))).collect();
            let length = ("length".into(), Attr::Int(scan.length.clone()));
            let reverse = ("reverse".into(), Attr::Bool(scan.reverse));
            Some(Cow::Owned(vec![length, reverse, ("walked".into(), Attr::Ints(walked))]))
        }
        Op::Input(_) | Op::Constant(_) | Op::Read(_) => None,
    }
}

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for v in &self.variables {
            let kind = KINDS.iter().find(|(k, _)| *k == v.kind).map_or("", |(_, n)| n);
            writeln!(f, "variable {} : {} {kind}{}", Quoted(&v.path), v.ty, On(v.device.as_deref()))?;
        }
        for (i, node) in self.nodes.iter().enumerate() {
            write!(f, "%{i} = ")?;
            node.write(f, self)?;
            writeln!(f)?;
            if let Op::Scan(scan) = &node.op {
                writeln!(f, "{{")?;
                scan.turn.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
                writeln!(f, "}}")?;
            }
        }
        for entry in &self.entries {
            writeln!(f, "entry {}", Quoted(&entry.name))?;
            for (name, value) in &entry.outputs {
                writeln!(f, "  output {} = {value}", Quoted(name))?;
            }
            for (var, value) in &entry.assigns {
                let path = self.variables.get(var.0 as usize).map_or("?", |v| &v.path);
                writeln!(f, "  assign {} = {value}", Quoted(path))?;
            }
        }
        Ok(())
    }
}

/// A primitive with its attributes, as a key: equal texts are equal operations.
pub(crate) fn head(name: &str, attrs: &Attrs) -> String {
    let attrs: Vec<String> = attrs.iter().map(|(n, a)| format!("{n}: {}", AttrText(a))).collect();
    format!("{name}({})", attrs.join(", "))
}
