//! Tables: numbers side by side, categories and words embedded, a few dense layers.

use super::model_name;
use super::sketch::{Sketch, Task, batched, list};
use tfm_lang::model::{DataSpec, FieldSpec};
use tfm_lang::types::DType;

/// Functions that the model uses: a column of such a name gets another one inside of it.
const USED: [&str; 7] = ["stack", "concat", "relu", "squeeze", "flatten", "mean", "f32"];

/// A net for the columns of a table.
pub fn sketch(spec: &DataSpec, inputs: &[&FieldSpec], target: &FieldSpec, rows: usize) -> Sketch {
    let task = Task::of(target);
    let (head, result) = task.head();
    let model = model_name(spec);
    let mut sketch = Sketch {
        summary: format!("From {} to `{}`, {}.", counted(inputs), target.name, task.words()),
        uses: [("layers", "Dense"), ("optim", "AdamW")].into(),
        model: String::new(),
        forward: String::new(),
        loss: String::new(),
        reports: Vec::new(),
        optimizer: "AdamW(lr: 1e-3, decay: 0.01)".into(),
        best: None,
        most: 256,
        steps: None,
    };
    let parts = parts(&mut sketch, inputs);
    let width = if rows >= 5000 { 128 } else { 32 };
    let mut net = vec![format!("Dense({width})")];
    if rows >= 1000 {
        net.push(format!("{}()", sketch.uses("layers", "LayerNorm")));
        net.push("relu".into());
        net.push(format!("{}(0.1)", sketch.uses("layers", "Dropout")));
    } else {
        net.push("relu".into());
    }
    net.push(format!("Dense({}, relu)", width / 2));
    let params: Vec<String> = inputs.iter().map(|f| format!("{}: {}", inside(f), batched(f))).collect();
    let opening = format!("model {model}");
    let mut body = String::new();
    let joined: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
    for (name, text) in &parts {
        body += &format!("  let {name} = {text}\n");
    }
    let joined =
        if joined.len() == 1 { joined[0].clone() } else { format!("concat([{}], axis: -1)", joined.join(", ")) };
    body += &format!("  {joined}\n    |> {}\n    |> {head}\n", net.join(" |> "));
    let params = list(&format!("{opening}("), &params, &format!(") -> {result} {{"), 0, 0);
    sketch.model = format!("{params}\n{body}}}\n");
    let names: Vec<String> = inputs.iter().map(|f| f.name.clone()).collect();
    let letting = format!("  let {} = ", task.result(&spec.fields));
    sketch.forward = format!("{letting}{}", list(&format!("{model}("), &names, ")", 2, letting.len())) + "\n";
    sketch.forward.truncate(sketch.forward.trim_end().len());
    task.finish(&mut sketch, &spec.fields, target, rows);
    sketch
}

/// The name of a column inside the model.
fn inside(field: &FieldSpec) -> String {
    if USED.contains(&field.name.as_str()) { format!("{}_", field.name) } else { field.name.clone() }
}

/// What the net reads, by the name it has in the model: numbers, kinds, texts, each `[B, width]`.
fn parts(sketch: &mut Sketch, inputs: &[&FieldSpec]) -> Vec<(String, String)> {
    let as_float = |f: &FieldSpec| {
        let name = inside(f);
        if f.ty.dtype == DType::F32 { name } else { format!("f32({name})") }
    };
    let bound = |f: &&&FieldSpec| f.ty.below.as_ref().and_then(|b| b.as_constant());
    let single = |f: &&&FieldSpec| f.ty.rank() == 0;
    let numbers: Vec<String> =
        inputs.iter().filter(single).filter(|f| bound(f).is_none()).map(|f| as_float(f)).collect();
    let mut kinds = Vec::new();
    for f in inputs.iter().filter(single) {
        let Some(n) = bound(&f) else { continue };
        let width = ((n as f64).powf(0.56) * 1.6).ceil().clamp(2.0, 50.0) as i64;
        kinds.push(format!("{}({n}, {width})({})", sketch.uses("layers", "Embedding"), inside(f)));
    }
    let mut wide = Vec::new();
    for f in inputs.iter().filter(|f| f.ty.rank() > 0) {
        wide.push(match (bound(&f), f.ty.rank()) {
            (Some(n), 1) => {
                format!("mean({}({n}, 32)({}), axis: 1)", sketch.uses("layers", "Embedding"), inside(f))
            }
            (_, 1) => as_float(f),
            _ => format!("flatten({})", as_float(f)),
        });
    }
    let taken = |name: &str| inputs.iter().any(|f| inside(f) == name);
    let free = |name: &str| if taken(name) { format!("all_{name}") } else { name.to_string() };
    let mut parts = Vec::new();
    if !numbers.is_empty() {
        parts.push((free("numbers"), list("stack([", &numbers, "], axis: -1)", 2, 16)));
    }
    for (name, items) in [("kinds", kinds), ("wide", wide)] {
        match items.as_slice() {
            [] => {}
            [one] => parts.push((free(name), one.clone())),
            many => parts.push((free(name), list("concat([", many, "], axis: -1)", 2, 14))),
        }
    }
    parts
}

/// `5 numbers and 8 categories`
fn counted(inputs: &[&FieldSpec]) -> String {
    let is_kind = |f: &&&FieldSpec| f.ty.below.is_some() && f.ty.rank() == 0;
    let is_wide = |f: &&&FieldSpec| f.ty.rank() > 0;
    let kinds = inputs.iter().filter(is_kind).count();
    let wide = inputs.iter().filter(is_wide).count();
    let some = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let all = [
        some(inputs.len() - kinds - wide, "number", "numbers"),
        some(kinds, "category", "categories"),
        some(wide, "column of many values", "columns of many values"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    match all.as_slice() {
        [one] => one.clone(),
        many => format!("{} and {}", many[..many.len() - 1].join(", "), many[many.len() - 1]),
    }
}
