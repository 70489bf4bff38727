//! Images and sounds: convolutions and pooling down to a few places, then a dense layer.

use super::model_name;
use super::sketch::{Sketch, Task, batched};
use tfm_lang::model::{DataSpec, FieldSpec};
use tfm_lang::types::DType;

fn empty(summary: String) -> Sketch {
    Sketch {
        summary,
        uses: [("layers", "Dense"), ("layers", "Dropout"), ("optim", "Adam")].into(),
        model: String::new(),
        forward: String::new(),
        loss: String::new(),
        reports: Vec::new(),
        optimizer: "Adam(lr: 1e-3)".into(),
        best: None,
        most: 64,
        steps: None,
    }
}

fn sizes(field: &FieldSpec) -> Vec<i64> {
    field.ty.shape.iter().map(|a| a.dim.as_constant().unwrap_or(1)).collect()
}

/// A net for images, [C, H, W].
pub fn images(spec: &DataSpec, image: &FieldSpec, target: &FieldSpec) -> Sketch {
    let task = Task::of(target);
    let (head, result) = task.head();
    let model = model_name(spec);
    let (name, shape) = (&image.name, sizes(image));
    let (mut height, mut width) = (shape[1], shape[2]);
    let mut sketch = empty(format!("From images of {height} by {width} to `{}`, {}.", target.name, task.words()));
    sketch.uses("layers", "Conv2d");
    let (mut blocks, mut channels) = (String::new(), 8);
    while height.min(width) >= 8 && channels < 64 {
        channels *= 2;
        let pool = sketch.uses("layers", "MaxPool2d");
        blocks += &format!("    |> Conv2d({channels}, kernel: 3, pad: 1) |> relu |> {pool}(2)\n");
        (height, width) = (height / 2, width / 2);
    }
    if blocks.is_empty() {
        blocks = "    |> Conv2d(16, kernel: 3, pad: 1) |> relu\n".into();
    }
    let end =
        if height * width <= 64 { "flatten".into() } else { format!("{}()", sketch.uses("layers", "GlobalAvgPool")) };
    // Levels are brought to the range from 0 to 1 where the model is applied, so that a batch stays small on its way.
    let given = if image.ty.dtype == DType::U8 { format!("f32({name}) / 255") } else { format!("f32({name})") };
    let dims: Vec<String> = shape.iter().map(i64::to_string).collect();
    sketch.model = format!(
        "model {model}(x: f32[B, {}]) -> {result} {{\n  x\n{blocks}    |> {end} |> Dropout(0.25) |> {head}\n}}\n",
        dims.join(", ")
    );
    let given = if image.ty.dtype == DType::F32 { name.clone() } else { given };
    sketch.forward = format!("  let {} = {model}({given})", task.result(&spec.fields));
    task.finish(&mut sketch, &spec.fields, target, 0);
    sketch
}

/// A net for sounds, [length].
pub fn sounds(spec: &DataSpec, wave: &FieldSpec, target: &FieldSpec) -> Sketch {
    let task = Task::of(target);
    let (head, result) = task.head();
    let model = model_name(spec);
    let mut length = sizes(wave)[0];
    let mut sketch = empty(format!("From sounds of {length} samples to `{}`, {}.", target.name, task.words()));
    sketch.uses("layers", "Conv1d");
    let (mut blocks, mut channels, mut first) = (String::new(), 8, true);
    while length >= 64 && channels < 128 {
        channels *= 2;
        let (kernel, stride) = if first { (31, 8) } else { (9, 4) };
        blocks +=
            &format!("    |> Conv1d({channels}, kernel: {kernel}, stride: {stride}, pad: {}) |> relu\n", kernel / 2);
        (length, first) = (length / stride, false);
    }
    if blocks.is_empty() {
        blocks = "    |> Conv1d(16, kernel: 3, pad: 1) |> relu\n".into();
    }
    let pool = sketch.uses("layers", "GlobalAvgPool");
    sketch.model = format!(
        "model {model}(wave: {}) -> {result} {{\n  wave |> reshape([B, 1, {}])\n{blocks}    |> {pool}() |> Dropout(0.25) \
         |> {head}\n}}\n",
        batched(wave),
        sizes(wave)[0]
    );
    sketch.forward = format!("  let {} = {model}({})", task.result(&spec.fields), wave.name);
    task.finish(&mut sketch, &spec.fields, target, 0);
    sketch
}
