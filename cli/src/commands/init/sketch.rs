//! What a drafted file has besides its data, and how it is written.

use std::collections::{BTreeMap, BTreeSet};
use tfm_lang::model::FieldSpec;
use tfm_lang::types::DType;

/// Lines are not made longer than this where they can be parted.
const WIDTH: usize = 110;

/// A net, a loss and what goes with them.
pub struct Sketch {
    /// What is predicted from what, in a line.
    pub summary: String,
    /// What is used of the library: `("layers", "Dense")`.
    pub uses: BTreeSet<(&'static str, &'static str)>,
    /// The declaration of the model.
    pub model: String,
    /// The statements of `train` that apply it.
    pub forward: String,
    /// What is minimized.
    pub loss: String,
    /// What is reported.
    pub reports: Vec<String>,
    /// The optimizer.
    pub optimizer: String,
    /// `highest test.accuracy`: which checkpoint stays.
    pub best: Option<String>,
    /// The largest batch.
    pub most: usize,
    /// How many steps, where epochs mean little.
    pub steps: Option<u32>,
}

impl Sketch {
    /// The `import` lines.
    pub fn imports(&self) -> String {
        let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        self.uses.iter().for_each(|(module, name)| modules.entry(module).or_default().push(name));
        let line = |(module, names): (&&str, &Vec<&str>)| match names.as_slice() {
            [one] => format!("import std.{module}.{one}\n"),
            many => format!("import std.{module}.{{{}}}\n", many.join(", ")),
        };
        modules.iter().map(line).collect()
    }

    /// Notes that something of the library is used, and gives its name.
    pub fn uses(&mut self, module: &'static str, name: &'static str) -> &'static str {
        self.uses.insert((module, name));
        name
    }
}

/// What is predicted.
pub enum Task {
    /// One of so many classes.
    Classes(i64),
    /// Yes or no.
    Binary,
    /// So many numbers; 0 for a single one.
    Numbers(i64),
}

impl Task {
    /// The task that a field sets.
    pub fn of(target: &FieldSpec) -> Task {
        let ty = &target.ty;
        match ty.below.as_ref().and_then(|b| b.as_constant()) {
            Some(2) => Task::Binary,
            Some(n) => Task::Classes(n),
            None if ty.dtype == DType::Bool => Task::Binary,
            None => Task::Numbers(ty.shape.first().and_then(|a| a.dim.as_constant()).unwrap_or(0)),
        }
    }

    /// What the model ends with, and the type of what it gives.
    pub fn head(&self) -> (String, String) {
        match self {
            Task::Classes(n) => (format!("Dense({n})"), format!("f32[B, {n}]")),
            Task::Binary | Task::Numbers(0) => ("Dense(1) |> squeeze(axis: -1)".into(), "f32[B]".into()),
            Task::Numbers(n) => (format!("Dense({n})"), format!("f32[B, {n}]")),
        }
    }

    /// What the model's result is called: no column has that name.
    pub fn result(&self, fields: &[FieldSpec]) -> String {
        let mut name = match self {
            Task::Classes(_) => "logits",
            Task::Binary => "logit",
            Task::Numbers(_) => "prediction",
        }
        .to_string();
        while fields.iter().any(|f| f.name == name) {
            name.insert_str(0, "net_");
        }
        name
    }

    /// Sets loss, reports and the checkpoint that stays; AUC only where there is enough to be ordered.
    pub fn finish(&self, sketch: &mut Sketch, fields: &[FieldSpec], target: &FieldSpec, rows: usize) {
        let (result, field) = (self.result(fields), &target.name);
        match self {
            Task::Classes(_) => {
                sketch.loss = format!("{}({result}, {field})", sketch.uses("losses", "cross_entropy"));
                sketch.reports = vec![format!("{}({result}, {field})", sketch.uses("metrics", "accuracy"))];
                sketch.best = Some("highest test.accuracy".into());
            }
            Task::Binary => {
                sketch.loss = format!("{}({result}, f32({field}))", sketch.uses("losses", "binary_cross_entropy"));
                sketch.reports = vec![format!("{}({result}, {field})", sketch.uses("metrics", "accuracy_binary"))];
                if target.ty.dtype == DType::Bool {
                    // A truth has no bound as a number, which the metrics of the library ask for.
                    sketch.uses.remove(&("metrics", "accuracy_binary"));
                    sketch.model += "\nmetric share_right(logit: float[..S], truth: bool[..S]) -> f32[] {\n  \
                        mean(where((logit > 0) == truth, 1.0, 0.0))\n}\n";
                    sketch.reports = vec![format!("share_right({result}, {field})")];
                    sketch.best = Some("highest test.share_right".into());
                } else if rows >= 500 {
                    let auc = sketch.uses("metrics", "auc");
                    sketch.reports.push(format!("{auc}({result}, {field})"));
                    sketch.best = Some("highest test.auc".into());
                } else {
                    sketch.best = Some("highest test.accuracy_binary".into());
                }
            }
            Task::Numbers(_) => {
                let wanted = if target.ty.dtype == DType::F32 { field.clone() } else { format!("f32({field})") };
                sketch.loss = format!("{}({result}, {wanted})", sketch.uses("losses", "mse"));
                let metrics = ["mae", "r2"];
                sketch.reports = metrics.map(|m| format!("{}({result}, {wanted})", sketch.uses("metrics", m))).to_vec();
            }
        }
    }

    /// `the class of 3`, `a number`.
    pub fn words(&self) -> String {
        match self {
            Task::Classes(n) => format!("one of {n} classes"),
            Task::Binary => "one of 2 classes".into(),
            Task::Numbers(0) => "a number".into(),
            Task::Numbers(n) => format!("{n} numbers"),
        }
    }
}

/// The type of a batch of a field.
pub fn batched(field: &FieldSpec) -> String {
    let sizes: Vec<String> =
        std::iter::once("B".to_string()).chain(field.ty.shape.iter().map(|a| a.dim.to_string())).collect();
    let below = field.ty.below.as_ref().map(|b| format!(" below {b}")).unwrap_or_default();
    format!("{}[{}]{below}", field.ty.dtype.name(), sizes.join(", "))
}

/// A list in brackets, over several lines where it is long; `indent` is that of its statement.
pub fn list(open: &str, items: &[String], close: &str, indent: usize, before: usize) -> String {
    let line = format!("{open}{}{close}", items.join(", "));
    if before + line.chars().count() <= WIDTH {
        return line;
    }
    let (inner, mut out, mut column) = (" ".repeat(indent + 2), format!("{open}\n"), 0);
    for (i, item) in items.iter().enumerate() {
        let comma = if i + 1 < items.len() { "," } else { "" };
        let width = item.chars().count() + 2;
        if column == 0 {
            out += &inner;
            column = inner.len();
        } else if column + width > WIDTH {
            out += &format!("\n{inner}");
            column = inner.len();
        } else {
            out.push(' ');
        }
        out += &format!("{item}{comma}");
        column += width;
    }
    format!("{out}\n{}{close}", " ".repeat(indent))
}

/// `people_of_1994` as `PeopleOf1994`.
pub fn camel(name: &str) -> String {
    let word = |w: &str| {
        let mut letters = w.chars();
        letters.next().map_or(String::new(), |c| c.to_uppercase().chain(letters).collect())
    };
    let text: String = name.split('_').map(word).collect();
    if text.chars().next().is_some_and(char::is_alphabetic) { text } else { format!("Data{text}") }
}
