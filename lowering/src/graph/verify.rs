//! The invariants of a graph, checked after every pass in debug builds and on every graph that
//! comes from outside.

use super::make::is_elementwise;
use super::{Graph, Op, Type, Value, Var};
use std::collections::BTreeSet;
use std::fmt;
use tfm_lang::model::Literal;

/// The primitives that passes look into, with the number of arguments they count on.
const ARITY: &[(&str, usize)] =
    &[("broadcast", 1), ("gather", 2), ("iota", 0), ("negate", 1), ("reshape", 1), ("transpose", 1)];

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// The pass that broke it, or where the graph came from.
    pub pass: String,
    /// The node, where it is one's.
    pub node: Option<u32>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}: ", self.pass)?;
        match self.node {
            Some(n) => write!(f, "%{n}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for VerifyError {}

impl Graph {
    /// Checks every invariant of the module's head. `pass` names who is to blame.
    pub fn verify(&self, pass: &str) -> Result<(), VerifyError> {
        let error = |node, message| VerifyError { pass: pass.into(), node, message };
        for i in 0..self.nodes.len() {
            self.verify_node(i).map_err(|message| error(Some(i as u32), message))?;
        }
        let mut paths = BTreeSet::new();
        if let Some(v) = self.variables.iter().find(|v| !paths.insert(&v.path)) {
            return Err(error(None, format!("two variables are called `{}`", v.path)));
        }
        let mut names = BTreeSet::new();
        for entry in &self.entries {
            if !names.insert(&entry.name) {
                return Err(error(None, format!("two entries are called `{}`", entry.name)));
            }
            self.verify_entry(entry).map_err(|m| error(None, format!("entry `{}`: {m}", entry.name)))?;
        }
        Ok(())
    }

    /// Panics on a broken invariant: a pass has a fault. Does nothing in release builds.
    pub(crate) fn debug_verify(&self, pass: &str) {
        if cfg!(debug_assertions)
            && let Err(e) = self.verify(pass)
        {
            panic!("{e}\n{self}");
        }
    }

    fn verify_node(&self, i: usize) -> Result<(), String> {
        let node = &self.nodes[i];
        if let Some(a) = node.args.iter().find(|a| a.0 as usize >= i) {
            return Err(format!("its argument {a} does not stand before it"));
        }
        match &node.op {
            Op::Input(_) => Ok(()),
            Op::Read(var) => {
                same(&node.ty, self.variable_type(*var)?, "the variable's")?;
                let kept = &self.variables[var.0 as usize].device;
                if node.device == *kept { Ok(()) } else { Err("its device hint is not that of its variable".into()) }
            }
            Op::Constant(Literal::Numbers(xs)) => {
                let size = node.ty.size();
                let fits = size.as_constant() == Some(xs.len() as i64);
                if fits { Ok(()) } else { Err(format!("{} numbers for {size} elements", xs.len())) }
            }
            Op::Constant(_) if !node.ty.shape.is_empty() => Err("a literal of rank above 0".into()),
            Op::Constant(_) => Ok(()),
            Op::Primitive(name, _) if ARITY.iter().any(|(n, k)| *n == &**name && *k != node.args.len()) => {
                Err(format!("`{name}` has {} arguments", node.args.len()))
            }
            Op::Primitive(name, _) if is_elementwise(name) => {
                let shapes = node.args.iter().map(|a| self.ty(*a));
                match shapes.into_iter().find(|t| t.shape != node.ty.shape) {
                    Some(other) => Err(format!("`{name}` of {other} gives {}", node.ty)),
                    None => Ok(()),
                }
            }
            Op::Primitive(..) | Op::Gradient(_) => Ok(()),
            Op::Scan(scan) => scan.verify(&node.args.iter().map(|a| self.ty(*a)).collect::<Vec<_>>()),
            Op::Result(k) => {
                let scan = node.args.first().map(|a| &self.node(*a).op);
                let Some(Op::Scan(scan)) = scan else { return Err("a result of what is no scan".into()) };
                let ty = scan.result_type(*k as usize).ok_or("a result that its scan has not")?;
                same(&node.ty, &ty, "the result's")
            }
        }
    }

    fn verify_entry(&self, entry: &super::Entry) -> Result<(), String> {
        let known = |v: Value| (v.0 as usize) < self.nodes.len();
        if let Some((name, v)) = entry.outputs.iter().find(|(_, v)| !known(*v)) {
            return Err(format!("output `{name}` is {v}, which is not there"));
        }
        let mut assigned = BTreeSet::new();
        for (var, value) in &entry.assigns {
            let ty = self.variable_type(*var)?;
            if !known(*value) {
                return Err(format!("an assigned value, {value}, is not there"));
            }
            same(self.ty(*value), ty, "the assigned variable's")?;
            if !assigned.insert(*var) {
                return Err(format!("`{}` is assigned twice", self.variables[var.0 as usize].path));
            }
        }
        Ok(())
    }

    fn variable_type(&self, var: Var) -> Result<&Type, String> {
        self.variables.get(var.0 as usize).map(|v| &v.ty).ok_or_else(|| format!("there is no variable {}", var.0))
    }
}

fn same(have: &Type, want: &Type, whose: &str) -> Result<(), String> {
    if have == want { Ok(()) } else { Err(format!("its type is {have}, {whose} is {want}")) }
}
