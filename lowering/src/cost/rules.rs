//! What a primitive costs, as its declaration in the library says: `/// flops: 2 * size(y) * axis(lhs, -1)`.
//!
//! A rule is a product with `*` and `/`, from the left, of numbers and of
//!
//! ```text
//! size(x)        the elements of an argument; of the result for `y`
//! axis(x, -1)    the size of one of its axes
//! window(size)   the product of a static list over the axes behind the first two; one number stands for all of them
//! ```
//!
//! An elementwise primitive without a rule costs one operation for each element.

use crate::graph::make::{is_elementwise, sizes};
use crate::graph::{Graph, Op, Value};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tfm_lang::dim::Dim;
use tfm_lang::model::Attrs;

/// A rule, and the tensors that it speaks of in the order of the arguments.
#[derive(Clone, Debug)]
struct Rule {
    tensors: Vec<String>,
    factors: Vec<(bool, Factor)>,
}

#[derive(Clone, PartialEq, Debug)]
enum Factor {
    Number(i64),
    Size(String),
    Axis(String, i64),
    Window(String),
}

/// The floating operations of one node: multiplications and additions each count as one. A scan counts all of
/// its turns.
pub fn flops(graph: &Graph, v: Value) -> Dim {
    let node = graph.node(v);
    match &node.op {
        Op::Primitive(name, attrs) => of_primitive(graph, v, name, attrs),
        Op::Scan(scan) => {
            let turn = (0..scan.turn.nodes.len()).map(|i| flops(&scan.turn, Value(i as u32)));
            scan.length.mul(&turn.fold(Dim::default(), |all, one| all.add(&one)))
        }
        Op::Input(_) | Op::Constant(_) | Op::Read(_) | Op::Result(_) | Op::Gradient(_) => Dim::default(),
    }
}

fn of_primitive(graph: &Graph, v: Value, name: &str, attrs: &Attrs) -> Dim {
    match rules().get(name) {
        Some(rule) => rule.evaluate(graph, v, attrs).unwrap_or_default(),
        None if is_elementwise(name) => graph.ty(v).size(),
        None => Dim::default(),
    }
}

impl Rule {
    /// `None` where the node is not as the library declares it.
    fn evaluate(&self, graph: &Graph, v: Value, attrs: &Attrs) -> Option<Dim> {
        let node = graph.node(v);
        let ty = |name: &str| match name {
            "y" => Some(&node.ty),
            _ => Some(graph.ty(*node.args.get(self.tensors.iter().position(|t| t == name)?)?)),
        };
        let mut all = Dim::constant(1);
        for (divides, factor) in &self.factors {
            let value = match factor {
                Factor::Number(n) => Dim::constant(*n),
                Factor::Size(name) => ty(name)?.size(),
                Factor::Axis(name, axis) => {
                    let shape = &ty(name)?.shape;
                    let at = if *axis < 0 { shape.len().checked_add_signed(*axis as isize)? } else { *axis as usize };
                    shape.get(at)?.clone()
                }
                Factor::Window(name) => {
                    let axes = node.ty.shape.len().saturating_sub(2);
                    match sizes(attrs, name)? {
                        [one] => one.pow(axes as u32),
                        several => several.iter().fold(Dim::constant(1), |n, d| n.mul(d)),
                    }
                }
            };
            all = if *divides { all.div(&value)? } else { all.mul(&value) };
        }
        Some(all)
    }
}

/// The rules of the library, by the names of primitives.
fn rules() -> &'static BTreeMap<String, Rule> {
    static RULES: OnceLock<BTreeMap<String, Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        let declared = tfm_stdlib::FILES.iter().filter(|(path, _)| path.starts_with("primitives/"));
        declared.flat_map(|(_, text)| declarations(text)).filter_map(|(n, r)| Some((n, r?.ok()?))).collect()
    })
}

/// The primitives of a file with their rules, where they have one; an error names a rule that is none.
type Declared = (String, Option<Result<Rule, String>>);

fn declarations(text: &str) -> Vec<Declared> {
    let (mut found, mut said) = (Vec::new(), None);
    for (at, line) in text.lines().scan(0, |at, line| Some((std::mem::replace(at, *at + line.len() + 1), line))) {
        if let Some(rule) = line.strip_prefix("/// flops:") {
            said = Some(rule.trim());
        } else if let Some((name, _)) = line.strip_prefix("primitive ").and_then(|l| l.split_once('(')) {
            let tensors = tensors(&text[at..]);
            let rule = said.take().map(|rule| parse(rule, tensors.clone()));
            found.push((name.trim().to_string(), rule));
        }
    }
    found
}

/// The names of the parameters of a declaration that are tensors: their types are written as `float[..S]`.
fn tensors(declaration: &str) -> Vec<String> {
    let inside = declaration.split_once('(').map_or("", |(_, rest)| rest);
    let (mut depth, mut parameters) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        match (c, parameters.last_mut()) {
            (',', _) if depth == 0 => parameters.push(String::new()),
            (_, Some(last)) => last.push(c),
            _ => {}
        }
    }
    let tensor = |p: &String| {
        let (name, ty) = p.split_once(':')?;
        let ty = ty.trim();
        (ty.contains('[') && !ty.starts_with('[')).then(|| name.trim().to_string())
    };
    parameters.iter().filter_map(tensor).collect()
}

fn parse(text: &str, tensors: Vec<String>) -> Result<Rule, String> {
    let mut factors = Vec::new();
    let (mut rest, mut divides) = (text, false);
    loop {
        let end = rest.find([' ', '(']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let factor = match after.strip_prefix('(') {
            Some(after) => {
                let (inside, after) = after.split_once(')').ok_or(text)?;
                rest = after;
                let (name, axis) = inside.split_once(',').unwrap_or((inside, ""));
                let name = name.trim().to_string();
                match word {
                    "size" => Factor::Size(name),
                    "axis" => Factor::Axis(name, axis.trim().parse().map_err(|_| text)?),
                    "window" => Factor::Window(name),
                    _ => return Err(text.into()),
                }
            }
            None => {
                rest = after;
                Factor::Number(word.parse().map_err(|_| text)?)
            }
        };
        let known = |name: &String| name == "y" || tensors.contains(name);
        if let Factor::Size(name) | Factor::Axis(name, _) = &factor
            && !known(name)
        {
            return Err(text.into());
        }
        factors.push((divides, factor));
        rest = rest.trim_start();
        match rest.chars().next() {
            None => return Ok(Rule { tensors, factors }),
            Some('*') => divides = false,
            Some('/') => divides = true,
            Some(_) => return Err(text.into()),
        }
        rest = rest[1..].trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Node, Type};
    use tfm_lang::model::Attr;
    use tfm_lang::types::DType;

    #[test]
    fn every_primitive_says_what_it_costs() {
        let files = tfm_stdlib::FILES.iter().filter(|(path, _)| path.starts_with("primitives/"));
        let all: Vec<Declared> = files.flat_map(|(_, text)| declarations(text)).collect();
        assert!(all.len() > 60, "{}", all.len());
        for (name, rule) in all {
            match rule {
                Some(rule) => assert!(rule.is_ok(), "`{name}`: {rule:?} is no rule"),
                None => assert!(is_elementwise(&name), "`{name}` has no line `/// flops:`"),
            }
        }
    }

    fn cost(name: &str, args: &[&[i64]], attrs: Attrs, result: &str) -> String {
        let mut graph = Graph::default();
        let mut leaf = |shape: Vec<Dim>| {
            let node = Node {
                op: Op::Input("x".into()),
                args: Vec::new(),
                ty: Type::new(DType::F32, shape),
                scope: "".into(),
                device: None,
                span: None,
            };
            graph.push(node)
        };
        let batched = |shape: &[i64]| {
            shape.iter().map(|&n| if n == 0 { Dim::var("B") } else { Dim::constant(n) }).collect::<Vec<_>>()
        };
        let args: Vec<Value> = args.iter().map(|shape| leaf(batched(shape))).collect();
        let shape = result.split(' ').map(|d| d.parse().unwrap()).collect();
        let v = graph.primitive(name, args, attrs, Type::new(DType::F32, shape), &Default::default());
        flops(&graph, v).to_string()
    }

    #[test]
    fn costs_are_polynomials_in_the_batch() {
        let none = Vec::new;
        assert_eq!(cost("matmul", &[&[0, 784], &[784, 10]], none(), "B 10"), "15680 * B");
        assert_eq!(cost("tanh", &[&[0, 7]], none(), "B 7"), "7 * B");
        assert_eq!(cost("sum", &[&[0, 7]], none(), "B"), "7 * B");
        assert_eq!(cost("reshape", &[&[0, 7]], none(), "7 B"), "0");
        // 3 x 3 kernels over 4 channels, 8 of them, on 5 x 5 places
        assert_eq!(cost("conv", &[&[0, 4, 7, 7], &[8, 4, 3, 3]], none(), "B 8 5 5"), "14400 * B");
        assert_eq!(cost("conv_kernel", &[&[0, 4, 7, 7], &[0, 8, 5, 5]], none(), "8 4 3 3"), "14400 * B");
        let two = vec![("size".into(), Attr::Int(Dim::constant(2)))];
        assert_eq!(cost("max_pool", &[&[0, 4, 6, 6]], two, "B 4 3 3"), "144 * B");
    }
}
