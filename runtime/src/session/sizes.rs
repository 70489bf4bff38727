//! The values of unknown sizes, read off what is fed.

use super::error::{SessionError, type_text};
use crate::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use tfm_lang::dim::{Dim, Symbol};
use tfm_lang::model::{Attr, Literal, Word};
use tfm_lowering::graph::{Entry, Graph, Node, Op, Type};

/// Sizes by name, in the order in which they were set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sizes(Vec<(Symbol, i64)>);

impl Sizes {
    /// The value of a size.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.iter().find(|(n, _)| &**n == name).map(|(_, size)| *size)
    }

    /// Sets a size.
    pub fn set(&mut self, name: &str, size: i64) {
        match self.0.iter_mut().find(|(n, _)| &**n == name) {
            Some((_, old)) => *old = size,
            None => self.0.push((name.into(), size)),
        }
    }

    /// All of them.
    pub fn to_map(&self) -> BTreeMap<String, i64> {
        self.0.iter().map(|(name, size)| (name.to_string(), *size)).collect()
    }
}

/// An input of an entry.
#[derive(Clone, PartialEq, Debug)]
struct Input {
    name: Word,
    ty: Type,
}

/// What an entry's sizes depend on.
#[derive(Clone, PartialEq, Debug)]
pub struct EntrySizes {
    /// The entry.
    pub name: String,
    /// The inputs that it can need.
    inputs: Vec<Input>,
    /// The unknown sizes in it.
    symbols: Vec<Symbol>,
}

impl EntrySizes {
    /// Those of an entry of a graph.
    pub fn of(graph: &Graph, entry: &Entry) -> EntrySizes {
        let roots = entry.outputs.iter().map(|(_, v)| *v).chain(entry.assigns.iter().map(|(_, v)| *v));
        let needed = graph.needed(roots);
        let mut inputs: Vec<Input> = Vec::new();
        let mut symbols = BTreeSet::new();
        for (node, _) in graph.nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
            collect(node, &mut symbols);
            if let Op::Input(name) = &node.op
                && !inputs.iter().any(|i| i.name == *name)
            {
                inputs.push(Input { name: *name, ty: node.ty.clone() });
            }
        }
        EntrySizes { name: entry.name.clone(), inputs, symbols: symbols.into_iter().collect() }
    }

    /// The names of the inputs but `step`, which the session feeds.
    pub fn names(&self) -> Vec<String> {
        self.inputs.iter().map(|i| i.name.to_string()).filter(|n| n != "step").collect()
    }

    /// Reads the unknown sizes off the feeds and off those that are set, and checks that all feeds agree
    /// with the graph, with what is set and with each other.
    pub fn bind(&self, fixed: &Sizes, feeds: &[(&str, &Tensor)], sizes: &mut Sizes) -> Result<(), SessionError> {
        sizes.0.clear();
        sizes.0.extend(fixed.0.iter().filter(|(name, _)| self.symbols.contains(name)).cloned());
        let fed = || self.inputs.iter().filter_map(|i| Some((i, feeds.iter().find(|(n, _)| *n == &*i.name)?.1)));
        for (input, tensor) in fed() {
            if input.ty.dtype != tensor.dtype || input.ty.shape.len() != tensor.shape.len() {
                return Err(SessionError::FeedType {
                    name: input.name.to_string(),
                    expected: type_text(input.ty.dtype, input.ty.shape.iter().map(Dim::to_string)),
                    got: type_text(tensor.dtype, tensor.shape.iter().map(usize::to_string)),
                });
            }
            for (dim, &size) in input.ty.shape.iter().zip(&tensor.shape) {
                if let Some(name) = dim.as_var()
                    && sizes.get(name).is_none()
                {
                    sizes.0.push((*name, size as i64));
                }
            }
        }
        fed().try_for_each(|(input, tensor)| input.agrees(tensor, sizes))
    }
}

impl Input {
    fn agrees(&self, tensor: &Tensor, sizes: &Sizes) -> Result<(), SessionError> {
        for (axis, (dim, &got)) in self.ty.shape.iter().zip(&tensor.shape).enumerate() {
            // The two common cases need no arithmetic on polynomials.
            let expected = match (dim.as_constant(), dim.as_var()) {
                (Some(n), _) => Some(n),
                (_, Some(name)) => sizes.get(name),
                _ => dim.evaluate(&|name| sizes.get(name)),
            };
            if let Some(expected) = expected.filter(|n| *n != got as i64) {
                let (name, dimension) = (self.name.to_string(), dim.to_string());
                return Err(SessionError::FeedSize { name, axis, dimension, expected, got });
            }
        }
        Ok(())
    }
}

/// The unknown sizes that a node speaks of, or one in its turns.
fn collect(node: &Node, symbols: &mut BTreeSet<Symbol>) {
    dims(node).for_each(|d| symbols.extend(d.symbols()));
    if let Op::Scan(scan) = &node.op {
        symbols.extend(scan.length.symbols());
        scan.turn.nodes.iter().for_each(|n| collect(n, symbols));
    }
}

/// Every size that a node speaks of.
fn dims(node: &Node) -> impl Iterator<Item = &Dim> {
    let attrs = match &node.op {
        Op::Primitive(_, attrs) => attrs.as_slice(),
        _ => &[],
    };
    let literal = match &node.op {
        Op::Constant(Literal::Dim(d)) => Some(d),
        _ => None,
    };
    node.ty.shape.iter().chain(attrs.iter().flat_map(|(_, attr)| dims_of(attr))).chain(literal)
}

fn dims_of(attr: &Attr) -> &[Dim] {
    match attr {
        Attr::Int(d) => std::slice::from_ref(d),
        Attr::Ints(ds) => ds,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfm_lang::types::DType;

    fn input(name: &str, shape: &[&str]) -> Input {
        let shape = shape.iter().map(|d| d.parse().unwrap()).collect();
        Input { name: name.into(), ty: Type { dtype: DType::F32, shape } }
    }

    fn bound(inputs: &[Input], feeds: &[(&str, &[usize])], fixed: &[(&str, i64)]) -> Result<Sizes, String> {
        let tensors: Vec<(&str, Tensor)> = feeds.iter().map(|(n, s)| (*n, Tensor::zeros(DType::F32, s))).collect();
        let feeds: Vec<(&str, &Tensor)> = tensors.iter().map(|(n, t)| (*n, t)).collect();
        let symbols = ["B", "T", "steps_per_epoch"].map(Symbol::from).to_vec();
        let entry = EntrySizes { name: "e".into(), inputs: inputs.to_vec(), symbols };
        let (mut set, mut sizes) = (Sizes::default(), Sizes::default());
        fixed.iter().for_each(|(name, size)| set.set(name, *size));
        entry.bind(&set, &feeds, &mut sizes).map(|()| sizes).map_err(|e| e.to_string())
    }

    #[test]
    fn sizes_come_from_the_feeds() {
        let inputs = [input("x", &["B", "3"]), input("y", &["B", "2 * T + 1"]), input("z", &["T"])];
        let feeds: &[(&str, &[usize])] = &[("x", &[7, 3]), ("y", &[7, 9]), ("z", &[4]), ("unknown", &[1])];
        let sizes = bound(&inputs, feeds, &[("steps_per_epoch", 5), ("unused", 3)]).unwrap();
        assert_eq!((sizes.get("B"), sizes.get("T"), sizes.get("steps_per_epoch")), (Some(7), Some(4), Some(5)));
        assert_eq!(sizes.get("unused"), None, "a size that the entry does not speak of makes no new plan");
    }

    #[test]
    fn contradictions_are_named() {
        let inputs = [input("x", &["B", "3"]), input("y", &["B", "2 * T + 1"]), input("z", &["T"])];
        let say = |feeds: &[(&str, &[usize])]| bound(&inputs, feeds, &[]).unwrap_err();
        assert_eq!(say(&[("x", &[7, 4])]), "`x` is fed with size 4 on axis 1, where 3 is expected");
        assert_eq!(
            say(&[("x", &[7, 3]), ("y", &[6, 9])]),
            "`y` is fed with size 6 on axis 0, where 7 is expected (`B`)"
        );
        assert_eq!(
            say(&[("y", &[7, 8]), ("z", &[4])]),
            "`y` is fed with size 8 on axis 1, where 9 is expected (`2 * T + 1`)"
        );
        assert_eq!(say(&[("x", &[7])]), "`x` is fed as f32[7], and the graph takes f32[B, 3]");
        let fixed = bound(&inputs, &[("x", &[7, 3])], &[("B", 8)]).unwrap_err();
        assert_eq!(fixed, "`x` is fed with size 7 on axis 0, where 8 is expected (`B`)");
    }
}
