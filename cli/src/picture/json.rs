//! The picture as data: for programs, for our page, and for Google's Model Explorer.

use super::Picture;
use super::words;
use serde_json::{Value, json};
use tfm_lang::model::VariableKind;
use tfm_lang::source::Span;
use tfm_lowering::graph::Type;
use tfm_lowering::outline::{Block, Child, Figures, Role, Step};

/// Blocks, steps and what flows between.
pub fn json(picture: &Picture) -> Value {
    let outline = &picture.outline;
    let edges: Vec<Value> =
        outline.edges.iter().map(|e| json!({ "from": e.from, "to": e.to, "type": e.ty.to_string() })).collect();
    json!({
        "title": picture.title(), "train": picture.train.name, "batch": picture.batch,
        "blocks": outline.blocks.iter().map(|b| block(picture, b)).collect::<Vec<_>>(),
        "steps": outline.steps.iter().enumerate().map(|(i, s)| step(picture, i, s)).collect::<Vec<_>>(),
        "edges": edges,
    })
}

fn types(list: &[Type]) -> Vec<String> {
    list.iter().map(|t| t.to_string()).collect()
}

fn figures(figures: &Figures, into: &mut Value) {
    into["trained"] = figures.trained.into();
    into["frozen"] = figures.frozen.into();
    into["state"] = figures.state.into();
    into["flops"] = figures.flops.to_string().into();
    into["kept"] = figures.kept.to_string().into();
}

/// File, lines and column, from 1.
fn place(picture: &Picture, span: Option<Span>) -> Value {
    let Some(span) = span else { return Value::Null };
    let (line, column) = picture.sources.line_column(span);
    let lines = picture.sources.text(span).matches('\n').count();
    json!({ "file": span.file.0, "line": line, "end": line + lines, "column": column })
}

/// One block.
pub fn block(picture: &Picture, b: &Block) -> Value {
    let child = |c: &Child| match c {
        Child::Block(i) => json!(["b", i]),
        Child::Step(i) => json!(["s", i]),
    };
    let kind = |kind: VariableKind, frozen: bool| match kind {
        VariableKind::Parameter if frozen => "frozen",
        VariableKind::Parameter => "param",
        _ => "state",
    };
    let variables = b.variables.iter().map(|(name, ty, k, frozen)| json!([name, ty.to_string(), kind(*k, *frozen)]));
    let mut value = json!({
        "path": b.path, "name": b.name, "kind": b.kind, "title": words::block_title(b), "library": b.library,
        "parent": b.parent, "children": b.children.iter().map(child).collect::<Vec<_>>(),
        "inputs": types(&b.inputs), "outputs": types(&b.outputs), "variables": variables.collect::<Vec<_>>(),
        "turns": b.turns.as_ref().map(|t| t.to_string()), "place": place(picture, b.span),
    });
    figures(&b.figures, &mut value);
    value
}

/// One step.
pub fn step(picture: &Picture, number: usize, s: &Step) -> Value {
    let role = match s.role {
        Role::Input => "input",
        Role::Operation => "operation",
        Role::Output => "output",
    };
    let mut value = json!({
        "label": s.label, "role": role, "operations": words::operations(s), "block": s.block, "type": s.ty.to_string(),
        "inputs": words::inputs_of(&picture.outline, number), "turns": s.turns.as_ref().map(|t| t.to_string()),
        "place": place(picture, s.span),
    });
    figures(&s.figures, &mut value);
    value
}

/// The form that Model Explorer opens: a namespace for each block.
pub fn model_explorer(picture: &Picture) -> Value {
    let outline = &picture.outline;
    let namespace = |b: usize| {
        let around = outline.around(b);
        let names = around.iter().rev().skip(1).map(|b| words::block_title(&outline.blocks[*b]).replace('/', "_"));
        names.collect::<Vec<_>>().join("/")
    };
    let node =
        |(i, s): (usize, &Step)| {
            let incoming: Vec<Value> = outline
            .edges
            .iter()
            .filter(|e| e.to == i)
            .enumerate()
            .map(|(n, e)| json!({
                "sourceNodeId": e.from.to_string(), "sourceNodeOutputId": "0", "targetNodeInputId": n.to_string(),
            }))
            .collect();
            let mut attrs = vec![json!({ "key": "flops", "value": s.figures.flops.to_string() })];
            let operations = words::operations(s);
            if !operations.is_empty() {
                attrs.push(json!({ "key": "operations", "value": operations }));
            }
            if let Some((file, line, _)) = words::place(picture.sources, s.span) {
                attrs.push(json!({ "key": "source", "value": format!("{file}:{line}") }));
            }
            json!({
                "id": i.to_string(), "label": s.label, "namespace": namespace(s.block), "attrs": attrs,
                "incomingEdges": incoming,
                "outputsMetadata": [{ "id": "0", "attrs": [{ "key": "tensor_shape", "value": s.ty.to_string() }] }],
            })
        };
    let nodes: Vec<Value> = outline.steps.iter().enumerate().map(node).collect();
    let groups: serde_json::Map<String, Value> = (1..outline.blocks.len())
        .map(|b| {
            let f = &outline.blocks[b].figures;
            let attributes = json!({
                "parameters": (f.trained + f.frozen).to_string(), "flops": f.flops.to_string(), "bytes kept": f.kept.to_string(),
            });
            (namespace(b), attributes)
        })
        .collect();
    json!({ "label": picture.title(), "graphs": [{ "id": picture.train.name, "nodes": nodes, "groupNodeAttributes": groups }] })
}
