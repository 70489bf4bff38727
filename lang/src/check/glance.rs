//! What periodic parts look at: `let`, `report` and `save images`, on the last batch with `training` false.

use super::elab::{Elab, Failed, Res};
use super::train::TrainItem;
use super::value::Env;
use crate::diagnostic::Diagnostic;
use crate::model::{Glance, Images, Report, VariableKind};
use crate::source::Span;
use crate::syntax::ast::{Block, Expr, ExprKind, StmtKind};
use crate::types::{DType, TensorType};

impl Elab {
    /// The glances of a block's periodic parts, in their order. `env` is that of the body with `training` false,
    /// whose own names begin at `outer`; `reported` is what it reports.
    pub fn glances(&mut self, item: &TrainItem, env: &Env, outer: usize, reported: &[Report]) -> Res<Vec<Glance>> {
        let blocks = item.body.statements.iter().filter_map(|s| match &s.kind {
            StmtKind::Every(_, block) | StmtKind::AtEnd(block) => Some(block),
            _ => None,
        });
        let mut glances = Vec::new();
        for (i, block) in blocks.enumerate() {
            self.phase = format!("every_{}", i + 1);
            glances.push(self.glance(&mut env.clone(), block, outer, reported));
        }
        glances.into_iter().collect()
    }

    fn glance(&mut self, env: &mut Env, block: &Block, outer: usize, reported: &[Report]) -> Res<Glance> {
        let (mut glance, mut failed) = (Glance::default(), false);
        let assigned = self.assigned.len();
        for s in &block.statements {
            let made = self.variables.len();
            let outcome = match &s.kind {
                StmtKind::Let(..) => self.statement(env, s, outer, false).map(|_| ()),
                StmtKind::Report(values) => self
                    .reports(env, values, &mut glance.reports)
                    .and_then(|()| self.reported_once(&glance.reports, reported, s.span))
                    .and_then(|()| self.numbers_only(&glance.reports, s.span)),
                StmtKind::Save(e) => self.images(env, e, &mut glance.images),
                _ => continue,
            };
            failed |= outcome.is_err() || self.made_no_parameter(made, s.span).is_err();
        }
        let changed: Vec<_> = self.assigned[assigned..].to_vec();
        glance.assigns = changed.into_iter().filter_map(|id| Some((id, *self.current.get(&id)?))).collect();
        if failed { Err(Failed) } else { Ok(glance) }
    }

    /// A periodic report has a name of its own: the one of every step is in the same table.
    fn reported_once(&mut self, periodic: &[Report], reported: &[Report], span: Span) -> Res<()> {
        let Some(twice) = periodic.iter().find(|p| reported.iter().any(|r| r.name == p.name)) else { return Ok(()) };
        let d = Diagnostic::error("E0203", span, format!("`{}` is reported at every step already", twice.name))
            .help("name what is reported here with `let`, and report that name");
        Err(self.fail(d))
    }

    /// What is looked at now and then goes into the table of metrics.
    fn numbers_only(&mut self, periodic: &[Report], span: Span) -> Res<()> {
        let Some(table) = periodic.iter().find(|r| !r.sizes.is_empty()) else { return Ok(()) };
        let d = Diagnostic::error("E0301", span, format!("`{}` is a table, and a number is wanted here", table.name))
            .help("report it in the body of the block: each evaluation writes it to a file");
        Err(self.fail(d))
    }

    /// Layers are not made where nothing trains them.
    fn made_no_parameter(&mut self, from: usize, span: Span) -> Res<()> {
        let made = self.variables[from..].iter().find(|v| v.kind == VariableKind::Parameter);
        let Some(path) = made.map(|v| v.path.clone()) else { return Ok(()) };
        let d = Diagnostic::error("E0606", span, format!("this makes the parameter `{path}`, which nothing trains"))
            .help("apply models and instances that the step uses");
        Err(self.fail(d))
    }

    /// `save images e`
    fn images(&mut self, env: &mut Env, e: &Expr, images: &mut Vec<Images>) -> Res<()> {
        let value = self.eval(env, e)?;
        let v = self.tensor(&value, None, e.span)?;
        let ty = self.ty(v).clone();
        self.are_images(&ty, e.span)?;
        let base = match &*e.kind {
            ExprKind::Name(n) => n.to_string(),
            ExprKind::Field(_, field) => field.text.to_string(),
            _ => "images".into(),
        };
        let mut name = base.clone();
        let mut n = 1;
        while images.iter().any(|i| i.name == name) {
            n += 1;
            name = format!("{base}_{n}");
        }
        images.push(Images { name, value: v });
        Ok(())
    }

    /// `[N, H, W]`, or `[N, C, H, W]` with 1 or 3 channels, of floats or bytes.
    fn are_images(&mut self, ty: &TensorType, span: Span) -> Res<()> {
        let channels = match &*ty.shape {
            [_, _, _] => Some(1),
            [_, c, _, _] => self.concrete(&c.dim).as_constant(),
            _ => None,
        };
        let wrong = |text: &str| Diagnostic::error("E0611", span, format!("{text}, this is {ty}")).says(ty.to_string());
        let d = if !matches!(ty.rank(), 3 | 4) {
            wrong("images are `[N, C, H, W]` or `[N, H, W]`").help("`reshape(x, [64, 1, 28, 28])` makes them of rows")
        } else if !matches!(channels, Some(1 | 3)) {
            let last = ty.shape.last().and_then(|a| self.concrete(&a.dim).as_constant());
            let help = match last {
                Some(1 | 3) => "the channels stand last: write `transpose(x, [0, 3, 1, 2])`",
                _ => "take some channels, `x[:, 0:1]`, for pictures of each",
            };
            wrong("an image has 1 or 3 channels").help(help)
        } else if !ty.dtype.is_float() && ty.dtype != DType::U8 {
            wrong("images are floats from 0 to 1 (or from -1), or u8").help("convert them, `f32(x) / 255`")
        } else {
            return Ok(());
        };
        Err(self.fail(d))
    }
}
