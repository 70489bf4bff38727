//! Writing nodes: constants, zeros, primitives by name.

use super::{Graph, Node, Op, Type, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use tfm_lang::device::Device;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs, Literal, Word};
use tfm_lang::source::Span;
use tfm_lang::types::DType;

/// Where a node that a pass writes belongs: the scope, place and hint of the node it was made for.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The path of the instance.
    pub scope: Option<Word>,
    /// The place in the text.
    pub span: Option<Span>,
    /// The hint where to compute it.
    pub device: Option<Arc<Device>>,
}

impl Site {
    /// The site of a node.
    pub fn of(node: &Node) -> Site {
        Site { scope: Some(node.scope), span: node.span, device: node.device.clone() }
    }

    /// The path, empty where there is none.
    pub fn path(&self) -> Word {
        self.scope.unwrap_or_default()
    }
}

impl Site {
    /// A node that belongs here.
    pub fn node(&self, op: Op, args: Vec<Value>, ty: Type) -> Node {
        Node { op, args, ty, scope: self.path(), span: self.span, device: self.device.clone() }
    }
}

impl Graph {
    /// Adds a primitive.
    pub fn primitive(&mut self, name: &str, args: Vec<Value>, attrs: Attrs, ty: Type, site: &Site) -> Value {
        self.push(site.node(Op::Primitive(name.into(), attrs), args, ty))
    }

    /// Adds a number of rank 0.
    pub fn number(&mut self, x: f64, dtype: DType, site: &Site) -> Value {
        self.push(site.node(Op::Constant(Literal::Number(x)), Vec::new(), Type::scalar(dtype)))
    }

    /// Adds a tensor that is the number everywhere.
    pub fn filled(&mut self, x: f64, ty: Type, site: &Site) -> Value {
        let number = self.number(x, ty.dtype, site);
        self.broadcast(number, ty.shape, site)
    }

    /// Adds the broadcast of a value to a shape, where it does not have it already.
    pub fn broadcast(&mut self, x: Value, to: Vec<Dim>, site: &Site) -> Value {
        let dtype = self.ty(x).dtype;
        self.reshaping("broadcast", x, Type { dtype, shape: to }, site)
    }

    /// Adds the same elements in another shape, where it does not have it already.
    pub fn reshape(&mut self, x: Value, to: Vec<Dim>, site: &Site) -> Value {
        let dtype = self.ty(x).dtype;
        self.reshaping("reshape", x, Type { dtype, shape: to }, site)
    }

    fn reshaping(&mut self, name: &str, x: Value, ty: Type, site: &Site) -> Value {
        if self.ty(x).shape == ty.shape {
            return x;
        }
        let attrs = vec![("to".into(), Attr::Ints(ty.shape.clone()))];
        self.primitive(name, vec![x], attrs, ty, site)
    }

    /// Adds the value in another dtype, where it does not have it already.
    pub fn cast(&mut self, x: Value, dtype: DType, site: &Site) -> Value {
        if self.ty(x).dtype == dtype {
            return x;
        }
        let ty = Type { dtype, shape: self.ty(x).shape.clone() };
        self.primitive("cast", vec![x], vec![("dtype".into(), Attr::DType(dtype))], ty, site)
    }

    /// Adds `a + b`, of one type.
    pub fn add(&mut self, a: Value, b: Value, site: &Site) -> Value {
        let ty = self.ty(a).clone();
        self.primitive("add", vec![a, b], Attrs::new(), ty, site)
    }

    /// Adds the parts one after the other along axis 0; a single part is itself.
    pub fn concat(&mut self, parts: Vec<Value>, site: &Site) -> Value {
        let [first, rest @ ..] = parts.as_slice() else { unreachable!("nothing is joined only by mistake") };
        if rest.is_empty() {
            return *first;
        }
        let mut ty = self.ty(*first).clone();
        for part in rest {
            ty.shape[0] = ty.shape[0].add(&self.ty(*part).shape[0]);
        }
        self.primitive("concat", parts, vec![("axis".into(), Attr::Int(Dim::constant(0)))], ty, site)
    }

    /// The primitive's arguments and attributes, when the value is one with this name.
    pub fn is_primitive(&self, v: Value, name: &str) -> Option<(&[Value], &Attrs)> {
        match &self.node(v).op {
            Op::Primitive(n, attrs) if &**n == name => Some((&self.node(v).args, attrs)),
            _ => None,
        }
    }

    /// The number that every element of the value is, where it is seen to be a literal.
    pub fn constant_value(&self, v: Value) -> Option<f64> {
        let node = self.node(v);
        match &node.op {
            Op::Constant(Literal::Number(x)) => Some(*x),
            Op::Constant(Literal::Dim(d)) => d.as_constant().map(|n| n as f64),
            Op::Primitive(name, _) if matches!(&**name, "broadcast" | "reshape") => self.constant_value(node.args[0]),
            _ => None,
        }
    }
}

/// An attribute by its name.
pub fn attr<'a>(attrs: &'a Attrs, name: &str) -> Option<&'a Attr> {
    attrs.iter().find(|(n, _)| &**n == name).map(|(_, a)| a)
}

/// An attribute that is a list of sizes; a single one is a list of it.
pub fn sizes<'a>(attrs: &'a Attrs, name: &str) -> Option<&'a [Dim]> {
    match attr(attrs, name)? {
        Attr::Ints(dims) => Some(dims),
        Attr::Int(dim) => Some(std::slice::from_ref(dim)),
        _ => None,
    }
}

/// True for the primitives that give one element per element of equal-shaped operands: those that
/// the library declares in `primitives/elementwise.tfm`.
pub fn is_elementwise(primitive: &str) -> bool {
    static NAMES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let file = tfm_stdlib::FILES.iter().find(|(path, _)| *path == "primitives/elementwise.tfm");
        let heads = file.map_or("", |(_, text)| text).lines().filter_map(|l| l.strip_prefix("primitive "));
        heads.filter_map(|l| l.split_once('(')).map(|(name, _)| name.trim()).collect()
    });
    names.contains(primitive)
}

#[cfg(test)]
mod tests {
    use super::is_elementwise;

    #[test]
    fn the_library_says_what_is_elementwise() {
        assert!(["add", "where", "tanh", "cast"].into_iter().all(is_elementwise));
        assert!(!["sum", "cumsum", "matmul", "broadcast", "stop_gradient"].into_iter().any(is_elementwise));
    }
}
