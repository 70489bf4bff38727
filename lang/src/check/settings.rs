//! The settings of `train`: the closed list, and what each may be.

use super::elab::{Elab, Failed, Res};
use super::train::TrainItem;
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::model::{Period, Replicas, Settings};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Arg, Expr, ExprKind, StmtKind, Unit};
use crate::types::DType;
use std::collections::BTreeMap;

/// The names of the settings, in the order in which they are listed.
pub(crate) const SETTINGS: [&str; 10] =
    ["optimizer", "batch", "epochs", "steps", "seed", "micro", "precision", "parallel", "parameters", "memory"];

/// What a setting decides.
pub(crate) fn setting_doc(name: &str) -> Option<&'static str> {
    Some(match name {
        "optimizer" => "How parameters change, `Adam(lr: 1e-3)`.",
        "batch" => "How many records a step sees.",
        "epochs" => "How often training goes through the data.",
        "steps" => "How many steps training takes, in place of `epochs`.",
        "seed" => "What all that is drawn at random depends on.",
        "micro" => "A step is done in parts of so many records, which takes less memory.",
        "precision" => "The dtype that products are computed in: `f32`, `bf16` or `f16`.",
        "parallel" => "How a step is spread over devices: `replicas(4)`.",
        "parameters" => "Where parameters are kept: `on job(\"ps\")`.",
        "memory" => "How much memory a step may take: `2 GB`.",
        _ => return None,
    })
}

/// True for the name of a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.contains(&name)
}

/// Each setting's expression, the file that it stands in and the place of its name.
pub(super) type Given = BTreeMap<String, (Expr, FileId, Span)>;

impl Elab {
    /// The settings of a block, with those of `--set` in place of the file's.
    pub fn settings(&mut self, item: &TrainItem, overrides: &Given) -> Given {
        let mut out = Given::new();
        for s in &item.body.statements {
            let StmtKind::Setting(name, value) = &s.kind else { continue };
            if is_setting(&name.text) {
                if let Some((_, _, first)) = out.get(&*name.text) {
                    let d = Diagnostic::error("E0203", name.span, format!("`{}` is set twice", name.text))
                        .label(*first, "first here");
                    self.fail(d);
                }
                out.insert(name.text.to_string(), (value.clone(), item.file, name.span));
                continue;
            }
            self.holes = true;
            let mut d = Diagnostic::error("E0602", name.span, format!("`train` has no setting `{}`", name.text));
            let theirs = super::foreign::setting(&name.text);
            d = match super::near(&name.text, SETTINGS.into_iter()) {
                _ if theirs.is_some() => d.help(format!("write {}", theirs.unwrap_or_default())),
                Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near),
                None => d.help(format!("the settings are {}", super::list_words(&SETTINGS))),
            };
            self.fail(d);
        }
        out.extend(overrides.iter().map(|(k, v)| (k.clone(), v.clone())));
        if overrides.contains_key("epochs") && !overrides.contains_key("steps") {
            out.remove("steps");
        }
        if overrides.contains_key("steps") && !overrides.contains_key("epochs") {
            out.remove("epochs");
        }
        out
    }

    /// A whole number of at least 1; `None` where it is not set.
    fn above_zero(&mut self, given: &Given, name: &str) -> Res<Option<i64>> {
        let Some((e, file, _)) = given.get(name) else { return Ok(None) };
        let value = self.eval_static(*file, e)?;
        match self.whole(&value, e.span)? {
            n if n >= 1 => Ok(Some(n)),
            n => self.error("E0503", e.span, format!("`{name}` is at least 1, this is {n}")),
        }
    }

    pub fn batch(&mut self, given: &Given, item: &TrainItem) -> Res<i64> {
        if let Some(n) = self.above_zero(given, "batch")? {
            return Ok(n);
        }
        if self.holes {
            return Err(Failed);
        }
        let d =
            Diagnostic::error("E0603", item.name.span, format!("`train {}` does not say its batch", item.name.text))
                .help("add `batch: 32`");
        Err(self.fail(d))
    }

    pub fn length(&mut self, given: &Given, item: &TrainItem) -> Res<Period> {
        let (unit, other) = match (given.get("epochs"), given.get("steps")) {
            (Some((_, _, a)), Some((_, _, b))) => {
                let d = Diagnostic::error("E0602", *b, "`epochs` and `steps` both say how long the training is")
                    .label(*a, "and here")
                    .help("keep one of them");
                return Err(self.fail(d));
            }
            (Some(e), None) => (Unit::Epochs, e),
            (None, Some(s)) => (Unit::Steps, s),
            (None, None) if self.holes => return Err(Failed),
            (None, None) => {
                let d = Diagnostic::error(
                    "E0603",
                    item.name.span,
                    format!("`train {}` does not say how long it runs", item.name.text),
                )
                .help("add `epochs: 5` or `steps: 2000`");
                return Err(self.fail(d));
            }
        };
        let (e, file, _) = other;
        let value = self.eval_static(*file, e)?;
        match value.as_f64() {
            Some(n) if n > 0.0 && (unit == Unit::Epochs || n.fract() == 0.0) => Ok(Period { count: n, unit }),
            _ => {
                let kind = value.kind();
                self.error("E0503", e.span, format!("a number above 0 is wanted, this is {kind}"))
            }
        }
    }

    /// The settings that say how the block is run.
    pub fn run_settings(&mut self, given: &Given, batch: &Res<i64>) -> Res<Settings> {
        let micro = self.micro(given, batch);
        let rounds_to_bf16 = self.precision(given);
        let parallel = given.get("parallel").map(|(e, file, _)| self.replicas(*file, e)).transpose();
        let parameters = given.get("parameters").map(|(e, file, _)| self.parameters(*file, e)).transpose();
        let memory = given.get("memory").map(|(e, _, _)| self.memory(e)).transpose();
        Ok(Settings {
            micro: micro?,
            rounds_to_bf16: rounds_to_bf16?,
            parallel: parallel?,
            parameters: parameters?,
            memory: memory?,
        })
    }

    /// `micro: 32`, a divisor of the batch.
    fn micro(&mut self, given: &Given, batch: &Res<i64>) -> Res<Option<i64>> {
        let (Some(micro), Ok(batch)) = (self.above_zero(given, "micro")?, batch) else { return Ok(None) };
        let Some((e, _, place)) = given.get("micro") else { return Ok(None) };
        if batch % micro == 0 {
            return Ok(Some(micro).filter(|m| m != batch));
        }
        let near = (1..=*batch).filter(|n| batch % n == 0).min_by_key(|n| (n - micro).abs()).unwrap_or(1);
        let mut d = Diagnostic::error("E0602", *place, format!("a batch of {batch} is not made of parts of {micro}"))
            .help(format!("`micro` divides `batch`: write `micro: {near}`"))
            .fix("take the nearest divisor", e.span, near.to_string());
        if let Some((_, _, batch)) = given.get("batch") {
            d = d.label(*batch, "the batch");
        }
        Err(self.fail(d))
    }

    /// `precision: bf16` or `f32`; true for the first.
    fn precision(&mut self, given: &Given) -> Res<bool> {
        let Some((e, file, _)) = given.get("precision") else { return Ok(false) };
        match self.eval_static(*file, e)? {
            Value::DType(DType::Bf16) => Ok(true),
            Value::DType(DType::F32) => Ok(false),
            _ => {
                let text = self.quote(e.span);
                let d = Diagnostic::error("E0602", e.span, format!("`{text}` is no precision"))
                    .help("`precision` is `f32` or `bf16`");
                Err(self.fail(d))
            }
        }
    }

    /// `replicas(50, backup: 2)`
    fn replicas(&mut self, file: FileId, e: &Expr) -> Res<Replicas> {
        let args = self.form(e, "replicas", "write `replicas(4)`; `backup`, `async` and `groups` may follow")?;
        let (mut count, mut backup, mut groups, mut is_async) = (None, 0, 1, false);
        for (i, arg) in args.iter().enumerate() {
            let value = self.eval_static(file, &arg.value)?;
            let name = arg.name.as_ref().map(|n| n.text.as_str());
            match (name, i) {
                (None, 0) => count = Some(self.at_least(&value, 1, "replicas", arg.value.span)?),
                (Some("backup"), _) => backup = self.at_least(&value, 0, "backup", arg.value.span)?,
                (Some("groups"), _) => groups = self.at_least(&value, 1, "groups", arg.value.span)?,
                (Some("async"), _) => match value {
                    Value::Bool(b) => is_async = b,
                    _ => return self.error("E0503", arg.value.span, "`async` is `true` or `false`"),
                },
                _ => return Err(self.no_argument(arg, "replicas", &["backup", "async", "groups"])),
            }
        }
        let Some(count) = count else {
            let d = Diagnostic::error("E0501", e.span, "`replicas` also needs how many").help("write `replicas(4)`");
            return Err(self.fail(d));
        };
        if backup >= count {
            return self.error("E0503", e.span, format!("of {count} replicas, {backup} cannot be waited for by none"));
        }
        if count % groups != 0 {
            let d = Diagnostic::error("E0503", e.span, format!("{count} replicas do not make {groups} equal groups"));
            return Err(self.fail(d.help("the groups must divide the replicas")));
        }
        Ok(Replicas { count, backup, is_async, groups })
    }

    fn at_least(&mut self, value: &Value, least: i64, what: &str, span: Span) -> Res<i64> {
        match self.whole(value, span)? {
            n if n >= least => Ok(n),
            n => self.error("E0503", span, format!("`{what}` is at least {least}, this is {n}")),
        }
    }

    /// `job("ps")`
    fn parameters(&mut self, file: FileId, e: &Expr) -> Res<crate::device::Device> {
        self.form(e, "job", "write `parameters: job(\"ps\")`")?;
        self.device(&mut super::value::Env::new(file), e)
    }

    fn memory(&mut self, e: &Expr) -> Res<u64> {
        match &*e.kind {
            ExprKind::Bytes(n) => Ok(*n),
            _ => {
                let d = Diagnostic::error("E0503", e.span, "an amount of memory is wanted")
                    .help("write `memory: 2 GB`, or `500 MB`");
                Err(self.fail(d))
            }
        }
    }

    /// The arguments of a call of this word.
    fn form<'a>(&mut self, e: &'a Expr, word: &str, help: &str) -> Res<&'a [Arg]> {
        if let ExprKind::Call(callee, args) = &*e.kind
            && matches!(&*callee.kind, ExprKind::Name(n) if n == word)
        {
            return Ok(args);
        }
        let text = self.quote(e.span);
        let d = Diagnostic::error("E0602", e.span, format!("`{text}` cannot stand here")).help(help);
        Err(self.fail(d))
    }

    /// An argument that a form with a fixed list does not take.
    pub fn no_argument(&mut self, arg: &Arg, of: &str, names: &[&str]) -> Failed {
        let Some(name) = &arg.name else {
            return self.fail(
                Diagnostic::error("E0501", arg.value.span, format!("`{of}` does not take this"))
                    .help(format!("by name it takes {}", super::list_words(names))),
            );
        };
        let d = Diagnostic::error("E0502", name.span, format!("`{of}` has no parameter `{}`", name.text));
        self.fail(match super::near(&name.text, names.iter().copied()) {
            Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near),
            None => d.help(format!("it takes {}", super::list_words(names))),
        })
    }
}
