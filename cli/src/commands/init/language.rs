//! Texts: what follows on each token, told by a recurrent net.

use super::model_name;
use super::sketch::Sketch;
use tfm_lang::model::DataSpec;

/// A net for a running text (`tokens` and `next`), or for lines of one column.
pub fn sketch(spec: &DataSpec) -> Sketch {
    let model = model_name(spec);
    let field = spec.fields.first();
    let bound = field.and_then(|f| f.ty.below.as_ref()?.as_constant()).unwrap_or(2);
    let length = field.and_then(|f| f.ty.shape.first()?.dim.as_constant()).unwrap_or(2);
    let mut sketch = Sketch {
        summary: format!("What follows on each token of a text, of {bound} that there are."),
        uses: [
            ("layers", "Dense"),
            ("layers", "Embedding"),
            ("layers", "Gru"),
            ("optim", "Adam"),
            ("optim", "clip_norm"),
        ]
        .into(),
        model: format!(
            "model {model}(tokens: i32[B, T] below {bound}) -> f32[B, T, {bound}] {{\n  \
             Embedding({bound}, 32)(tokens) |> Gru(128, sequences: true) |> Dense({bound})\n}}\n"
        ),
        forward: format!("  let logits = {model}(tokens)"),
        loss: String::new(),
        reports: Vec::new(),
        optimizer: "Adam(lr: 3e-3) |> clip_norm(1.0)".into(),
        best: None,
        most: 64,
        steps: Some(1000),
    };
    let (loss, metric) = (sketch.uses("losses", "cross_entropy"), sketch.uses("metrics", "perplexity"));
    if spec.source == "text" {
        sketch.loss = format!("{loss}(logits, next)");
        sketch.reports = vec![format!("{metric}(logits, next)")];
    } else {
        let name = field.map_or("line", |f| f.name.as_str());
        // 0 fills what is left of a line, and is not to be told.
        sketch.forward = format!(
            "  let given  = {name}[:, :{last}]\n  let next   = {name}[:, 1:]\n  let logits = {model}(given)",
            last = length - 1
        );
        sketch.loss = format!("{loss}(logits, next, ignore: 0)");
        sketch.reports = vec![format!("{metric}(logits, next, ignore: 0)")];
        sketch.steps = None;
    }
    sketch
}
