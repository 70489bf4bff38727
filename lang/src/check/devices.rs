//! Device hints: what stands after `on`.

use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::device::{Device, DeviceKind};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{Arg, Block, Expr, ExprKind};
use std::sync::Arc;

/// What can stand after `on`.
const FORMS: &str = "`cpu`, `gpu(0)`, `job(\"ps\")` and `job(\"ps\", task: 1)` can stand after `on`";

impl Elab {
    /// `on gpu(0) { … }`: the block's value, with the hint on everything made in it.
    pub fn placed(&mut self, env: &mut Env, hint: &Expr, block: &Block) -> Res<Value> {
        let device = self.device(env, hint);
        let outer = self.device.clone();
        if let Ok(inner) = &device {
            let whole = outer.as_deref().map_or_else(|| inner.clone(), |o| o.around(inner));
            self.device = Some(Arc::new(whole));
        }
        let value = self.block(env, block);
        self.device = outer;
        device.and(value)
    }

    /// The device that an expression means.
    pub fn device(&mut self, env: &mut Env, e: &Expr) -> Res<Device> {
        let (word, args, place) = match &*e.kind {
            ExprKind::Name(word) => (word.as_str(), &[][..], e.span),
            ExprKind::Call(callee, args) => match &*callee.kind {
                ExprKind::Name(word) => (word.as_str(), args.as_slice(), callee.span),
                _ => ("", &[][..], e.span),
            },
            _ => ("", &[][..], e.span),
        };
        if word == "job" {
            return self.job(env, args, e);
        }
        let Some(kind) = DeviceKind::ALL.into_iter().find(|k| k.name() == word) else {
            let words = DeviceKind::ALL.into_iter().map(DeviceKind::name).chain(["job"]);
            let d = Diagnostic::error("E0610", place, format!("`{}` is no device", self.quote(place)));
            return Err(self.fail(match super::near(word, words) {
                Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", place, near),
                None => d.help(FORMS),
            }));
        };
        match args {
            [] => Ok(Device { kind: Some(kind), ..Device::default() }),
            [Arg { name: None, value }] => {
                Ok(Device { kind: Some(kind), index: self.number_of(env, value)?, ..Device::default() })
            }
            _ => {
                let d = Diagnostic::error("E0501", e.span, format!("`{word}` takes one number"))
                    .help(format!("write `{word}(0)`, or `{word}` for any"));
                Err(self.fail(d))
            }
        }
    }

    /// `job("ps", task: 1)`
    fn job(&mut self, env: &mut Env, args: &[Arg], e: &Expr) -> Res<Device> {
        let mut device = Device::default();
        for (i, arg) in args.iter().enumerate() {
            match arg.name.as_ref().map(|n| n.text.as_str()) {
                None if i == 0 => match self.eval(env, &arg.value)? {
                    Value::Str(name) if is_word(&name) => device.job = Some(name.to_string()),
                    Value::Opaque => return Err(Failed),
                    _ => {
                        let d = Diagnostic::error("E0503", arg.value.span, "a job has a name, a text of one word")
                            .help("write `job(\"ps\")`");
                        return Err(self.fail(d));
                    }
                },
                Some("task") => device.task = self.number_of(env, &arg.value)?,
                _ => return Err(self.no_argument(arg, "job", &["task"])),
            }
        }
        if device.job.is_none() {
            let d =
                Diagnostic::error("E0501", e.span, "`job` also needs its name").help("write `job(\"ps\", task: 0)`");
            return Err(self.fail(d));
        }
        Ok(device)
    }

    /// The number of a task or a device; `None` in a body by itself that is given it.
    fn number_of(&mut self, env: &mut Env, e: &Expr) -> Res<Option<u32>> {
        let value = self.eval(env, e)?;
        if matches!(value, Value::Opaque) {
            return Ok(None);
        }
        match self.whole(&value, e.span) {
            Err(_) if self.generic => Ok(None),
            Err(failed) => Err(failed),
            Ok(n) => match u32::try_from(n) {
                Ok(n) => Ok(Some(n)),
                Err(_) => self.error("E0503", e.span, format!("devices and tasks are counted from 0, this is {n}")),
            },
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
