//! What `train` does every so often: periods, actions, and the metrics they name.

use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::train::TrainItem;
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::model::{Action, FieldSpec, Glance, Op, Period, Periodic, Program, Stop, StopRule, ValueId};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self as syntax, Block, Expr, Name, Stmt, StmtKind};
use crate::types::TensorType;
use std::collections::HashSet;

impl Elab {
    pub fn periodic(
        &mut self,
        item: &TrainItem,
        evaluation: &Program,
        glances: Vec<Glance>,
    ) -> Res<(Vec<Periodic>, Vec<Stop>)> {
        let (mut periodic, mut stop, mut failed) = (Vec::new(), Vec::new(), false);
        let mut glances = glances.into_iter();
        for s in &item.body.statements {
            let outcome = match &s.kind {
                StmtKind::Every(e, block) => self
                    .period(item.file, e)
                    .and_then(|every| self.actions(item.file, block).map(|actions| (Some(every), actions))),
                StmtKind::AtEnd(block) => self.actions(item.file, block).map(|actions| (None, actions)),
                _ => continue,
            };
            match outcome {
                Ok((every, actions)) => {
                    periodic.push(Periodic { every, actions, glance: glances.next().unwrap_or_default() });
                }
                Err(_) => failed = true,
            }
        }
        for s in &item.body.statements {
            let (StmtKind::Every(_, block) | StmtKind::AtEnd(block)) = &s.kind else { continue };
            for s in &block.statements {
                if let StmtKind::Evaluate(e) = &s.kind {
                    failed |= self.same_fields(item.file, e, evaluation).is_err();
                }
            }
        }
        if failed {
            return Err(Failed);
        }
        // The metrics that evaluations give, `test.loss` and `test.accuracy`, and what periodic parts report.
        let glanced = periodic.iter().flat_map(|p: &Periodic| &p.glance.reports);
        let mut known: Vec<String> = glanced.map(|r| r.name.clone()).collect();
        for action in periodic.iter().flat_map(|p: &Periodic| &p.actions) {
            if let Action::Evaluate(part) = action {
                let split = self.program.data[part.data].splits[part.split].clone();
                // Of several losses, one that is not reported is called by its place.
                let unnamed = |loss: &ValueId| evaluation.reports.iter().all(|r| r.value != *loss);
                let losses: Vec<String> = match evaluation.losses.as_slice() {
                    [_] => vec!["loss".into()],
                    many => {
                        let places = many.iter().enumerate().filter(|(_, loss)| unnamed(loss));
                        places.map(|(i, _)| format!("loss_{}", i + 1)).collect()
                    }
                };
                for name in losses
                    .into_iter()
                    .chain(evaluation.reports.iter().filter(|r| r.sizes.is_empty()).map(|r| r.name.clone()))
                {
                    known.push(format!("{split}.{name}"));
                }
            }
        }
        for s in &item.body.statements {
            match &s.kind {
                StmtKind::Stop { highest, metric, rule } => {
                    let name = self.metric_name(metric, &known);
                    match (name, self.stop_rule(item.file, rule)) {
                        (Ok(metric), Ok(rule)) => stop.push(Stop { metric, highest: *highest, rule }),
                        _ => failed = true,
                    }
                }
                StmtKind::Every(_, block) | StmtKind::AtEnd(block) => {
                    for s in &block.statements {
                        if let StmtKind::CheckpointBest(_, metric) = &s.kind {
                            failed |= self.metric_name(metric, &known).is_err();
                        }
                    }
                }
                _ => {}
            }
        }
        if failed { Err(Failed) } else { Ok((periodic, stop)) }
    }

    /// Data that is evaluated has the fields that the training uses, of the same types.
    fn same_fields(&mut self, file: FileId, e: &Expr, evaluation: &Program) -> Res<()> {
        let data = match self.eval_static(file, e) {
            Ok(Value::Data(part)) => part.data,
            Ok(Value::DataSet(data)) => data,
            _ => return Ok(()),
        };
        let program = self.program.clone();
        let spec = &program.data[data];
        let used: HashSet<ValueId> = evaluation.body.nodes.iter().flat_map(|n| n.args.iter().copied()).collect();
        for (i, node) in evaluation.body.nodes.iter().enumerate() {
            let Op::Input(name) = &node.op else { continue };
            if !used.contains(&ValueId(i as u32)) {
                continue;
            }
            let wanted: Vec<_> = node.ty.shape.iter().skip(1).cloned().collect();
            let fits = |f: &&FieldSpec| {
                let bound = match (&f.ty.below, &node.ty.below) {
                    (Some(a), Some(b)) => self.at_most(a, b) != Verdict::Refuted,
                    (a, b) => a.is_some() || b.is_none(),
                };
                f.name == **name && f.ty.dtype == node.ty.dtype && *f.ty.shape == *wanted && bound
            };
            if spec.fields.iter().any(|f| fits(&f)) {
                continue;
            }
            let one = TensorType { shape: wanted.into(), ..node.ty.clone() };
            let d = Diagnostic::error("E0601", e.span, format!("`{}` has no field `{name}` of {one}", spec.name))
                .says("evaluated here")
                .label(node.span, format!("the training uses `{name}`"));
            let have: Vec<String> = spec.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
            return Err(self.fail(d.note(format!("its fields are {}", have.join(", ")))));
        }
        Ok(())
    }

    pub fn metric_name(&mut self, metric: &[Name], known: &[String]) -> Res<String> {
        let name = metric.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
        if known.contains(&name) {
            return Ok(name);
        }
        let span = metric.first().map_or(Span::default(), |n| n.span.to(metric[metric.len() - 1].span));
        let mut d = Diagnostic::error("E0605", span, format!("no evaluation gives `{name}`"));
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        d = match (super::near(&name, words.iter().copied()), words.is_empty()) {
            (Some(near), _) => d.help(format!("did you mean `{near}`?")).fix("correct the name", span, near),
            (None, true) => d.help("nothing is evaluated: add `every 1 epoch { evaluate … }`"),
            (None, false) => d.help(format!("evaluations give {}", super::list_words(&words))),
        };
        Err(self.fail(d))
    }

    fn stop_rule(&mut self, file: FileId, rule: &syntax::StopRule) -> Res<StopRule> {
        match rule {
            syntax::StopRule::Stalls { patience, by } => {
                let patience = self.period(file, patience)?;
                let by = by.as_ref().map_or(Ok(0.0), |by| match self.bound(file, by)? {
                    x if x >= 0.0 => Ok(x),
                    x => self.error("E0503", by.span, format!("the least change is 0 or more, this is {x}")),
                })?;
                Ok(StopRule::Stalls { patience, by })
            }
            syntax::StopRule::Passes { above, bound } => {
                Ok(StopRule::Passes { above: *above, bound: self.bound(file, bound)? })
            }
        }
    }

    fn bound(&mut self, file: FileId, e: &Expr) -> Res<f32> {
        match self.eval_static(file, e)? {
            Value::Unknown | Value::Opaque => Err(Failed),
            value => match value.as_f64() {
                Some(x) => Ok(x as f32),
                None => self.error("E0503", e.span, format!("a number is wanted, this is {}", value.kind())),
            },
        }
    }

    pub fn period(&mut self, file: FileId, e: &Expr) -> Res<Period> {
        match self.eval_static(file, e)? {
            Value::Duration(count, unit) if count > 0.0 => Ok(Period { count, unit }),
            Value::Unknown | Value::Opaque => Err(Failed),
            other => {
                let d = Diagnostic::error("E0503", e.span, format!("a duration is wanted, this is {}", other.kind()))
                    .help("`1 epoch`, `500 steps`, `10 minutes`");
                Err(self.fail(d))
            }
        }
    }

    pub fn actions(&mut self, file: FileId, block: &Block) -> Res<Vec<Action>> {
        let actions: Vec<Res<Option<Action>>> = block.statements.iter().map(|s| self.action(file, s)).collect();
        actions.into_iter().filter_map(Res::transpose).collect()
    }

    /// What a statement does; `None` for those that are part of the glance.
    fn action(&mut self, file: FileId, s: &Stmt) -> Res<Option<Action>> {
        let action = match &s.kind {
            StmtKind::Evaluate(e) => {
                let value = self.eval_static(file, e)?;
                Ok(Action::Evaluate(self.part_of(value, e.span)?))
            }
            StmtKind::CheckpointKeep(e) => {
                let value = self.eval_static(file, e)?;
                match self.whole(&value, e.span)? {
                    n if n >= 1 => Ok(Action::CheckpointKeep(u32::try_from(n).unwrap_or(u32::MAX))),
                    n => self.error("E0503", e.span, format!("at least 1 checkpoint is kept, this is {n}")),
                }
            }
            StmtKind::CheckpointBest(highest, metric) => {
                let metric = metric.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
                Ok(Action::CheckpointBest { highest: *highest, metric })
            }
            StmtKind::Error(_) => Err(Failed),
            StmtKind::Save(_) | StmtKind::Let(..) | StmtKind::Report(_) => return Ok(None),
            _ => {
                let d = Diagnostic::error("E0602", s.span, "this is not done every so often").help(
                    "`evaluate`, `checkpoint keep 3`, `checkpoint highest test.accuracy`, `save images`, `let` and \
                     `report` are",
                );
                Err(self.fail(d))
            }
        };
        action.map(Some)
    }
}
