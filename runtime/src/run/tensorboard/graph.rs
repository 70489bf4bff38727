//! The forward part of a step as TensorFlow's `GraphDef`: names with `/` are scopes.

use super::proto::{AttrValue, GraphDef, ListValue, NodeDef, Shape, ShapeSize, Versions};
use std::collections::{BTreeMap, HashMap};
use tfm_lang::model::Train;
use tfm_lowering::graph::{Graph, Type};
use tfm_lowering::outline::{Kind, flat};

/// Literals are left out; a variable is a node of its own in its layer's scope.
pub fn definition(graph: &Graph, train: &Train) -> GraphDef {
    let flats = flat(graph, train, false);
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    let mut unique = |name: String| {
        let n = used.entry(name.clone()).or_insert(0);
        *n += 1;
        if *n == 1 { name } else { format!("{name}_{}", *n - 1) }
    };
    let mut names: Vec<Option<String>> = Vec::with_capacity(flats.nodes.len());
    let mut nodes = Vec::new();
    for node in &flats.nodes {
        let scope = node.scope.replace('.', "/");
        let under = |word: &str| if scope.is_empty() { word.to_string() } else { format!("{scope}/{word}") };
        let (name, op) = match &node.kind {
            Kind::Literal => {
                names.push(None);
                continue;
            }
            Kind::Input(field) => (field.to_string(), "Placeholder".to_string()),
            Kind::Variable(var) => (graph.variables[var.0 as usize].path.replace('.', "/"), "VariableV2".to_string()),
            Kind::Primitive(op) => (under(op), op.to_string()),
        };
        let name = unique(name);
        let input = node.args.iter().filter_map(|(a, _)| names[*a].clone()).collect();
        nodes.push(NodeDef { name: name.clone(), op, input, device: String::new(), attr: shape_of(&node.ty) });
        names.push(Some(name));
    }
    for (output, value) in &flats.outputs {
        let input: Vec<String> = names[*value].iter().cloned().collect();
        let attr = shape_of(&flats.nodes[*value].ty);
        nodes.push(NodeDef { name: unique(output.clone()), op: "Identity".into(), input, device: String::new(), attr });
    }
    GraphDef { node: nodes, versions: Some(Versions { producer: 22 }) }
}

fn shape_of(ty: &Type) -> HashMap<String, AttrValue> {
    let sizes = ty.shape.iter().map(|d| ShapeSize { size: d.as_constant().unwrap_or(-1) }).collect();
    let shapes = AttrValue { list: Some(ListValue { shape: vec![Shape { sizes }] }), text: None };
    let text = AttrValue { list: None, text: Some(ty.to_string().into_bytes()) };
    HashMap::from([("_output_shapes".to_string(), shapes), ("type".to_string(), text)])
}
