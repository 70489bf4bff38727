//! What a lint sees: the trees of the user's files, the checked model, what was applied, and what is known of values.

use super::pass::Pass;
use super::{Settings, data};
use crate::check::Checked;
use crate::check::trace::{Made, TracedTrain};
use crate::model::{DataRef, DataSpec, Model, Train};
use crate::source::{Sources, Span};
use crate::syntax::ast::{Block, Expr, File, ItemKind, StmtKind};
use crate::syntax::walk;

/// What a lint sees.
pub struct Context<'a> {
    /// All texts.
    pub sources: &'a Sources,
    /// The user's files, the main one first.
    pub files: Vec<File>,
    /// The checked file.
    pub model: &'a Model,
    /// Bodies: each block's with `training` true and false, then models that no block applies.
    pub passes: Vec<Pass<'a>>,
    /// What the run is told.
    pub settings: &'a Settings,
    trains: Vec<(&'a Train, &'a TracedTrain)>,
}

impl<'a> Context<'a> {
    /// `None` for a file with errors.
    pub fn new(sources: &'a Sources, checked: &'a Checked, settings: &'a Settings) -> Option<Context<'a>> {
        let model = checked.model.as_ref()?;
        let files = checked.files.iter().map(|id| crate::syntax::parse(sources, *id).0).collect();
        let trains: Vec<_> = model.trains.iter().zip(&checked.trace.trains).collect();
        let mut passes = Vec::new();
        for (train, traced) in &trains {
            let fields = model.data.get(train.data.data).map(data::fields).unwrap_or_default();
            for training in [true, false] {
                passes.push(Pass::of_train(train, traced, &model.variables, &fields, training));
            }
        }
        for alone in &checked.trace.alone {
            let roots = alone.outputs.clone();
            passes.push(Pass::of_body(&alone.body, &alone.variables, &alone.applications, &[], roots));
        }
        Some(Context { sources, files, model, passes, settings, trains })
    }

    /// Whether a place is in a file of the user's.
    pub fn is_own(&self, place: Span) -> bool {
        self.files.iter().any(|f| f.id == place.file)
    }

    /// The blocks with what was applied in them.
    pub fn trains(&self) -> impl Iterator<Item = (&'a Train, &'a TracedTrain)> + '_ {
        self.trains.iter().copied()
    }

    /// Each block with `training` true.
    pub fn training(&self) -> impl Iterator<Item = &Pass<'a>> {
        self.passes.iter().filter(|p| p.training && p.train.is_some())
    }

    /// Each block with `training` false.
    pub fn evaluation(&self) -> impl Iterator<Item = &Pass<'a>> {
        self.passes.iter().filter(|p| !p.training && p.train.is_some())
    }

    /// The bodies in which the structure of models is looked at: blocks with `training` true, and models by themselves.
    pub fn models(&self) -> impl Iterator<Item = &Pass<'a>> {
        self.passes.iter().filter(|p| p.training)
    }

    /// The text of a place.
    pub fn text(&self, place: Span) -> &'a str {
        self.sources.text(place)
    }

    /// The data that a block or an evaluation names.
    pub fn data(&self, part: &DataRef) -> Option<&'a DataSpec> {
        self.model.data.get(part.data)
    }

    /// `digits.train`, as it is written.
    pub fn part_name(&self, part: &DataRef) -> String {
        let Some(spec) = self.data(part) else { return String::new() };
        let split = spec.splits.get(part.split).map_or("", String::as_str);
        format!("{}.{split}", spec.name)
    }

    /// The body of a block in the tree.
    pub fn block(&self, train: &Train) -> Option<&Block> {
        let items = self.files.iter().flat_map(|f| &f.items);
        items.into_iter().find_map(|item| match &item.kind {
            ItemKind::Train { name, body, .. } if name.span == train.span => Some(body),
            _ => None,
        })
    }

    /// What a setting of a block is given.
    pub fn setting(&self, train: &Train, name: &str) -> Option<&Expr> {
        self.block(train)?.statements.iter().find_map(|s| match &s.kind {
            StmtKind::Setting(n, value) if n.text == name => Some(value),
            _ => None,
        })
    }

    /// The place of a setting's value, or of the block's head where the file does not set it.
    pub fn setting_place(&self, train: &Train, name: &str) -> Span {
        self.setting(train, name).map_or(train.span, |e| e.span)
    }

    /// The expression of the user's text at a place.
    pub fn expression(&self, place: Span) -> Option<&Expr> {
        let file = self.files.iter().find(|f| f.id == place.file)?;
        let mut found = None;
        walk::expressions(file, &mut |e| {
            if e.span == place && found.is_none() {
                found = Some(e);
            }
        });
        found
    }

    /// The number of steps of an epoch, where the size of the data is known.
    pub fn steps_per_epoch(&self, train: &Train) -> Option<f64> {
        let n = data::count(self.data(&train.data)?, &train.data)?;
        Some((n / train.batch as f64).ceil().max(1.0))
    }

    /// The number of steps of a run, where it is known.
    pub fn total_steps(&self, train: &Train) -> Option<f64> {
        use crate::syntax::ast::Unit;
        match train.length.unit {
            Unit::Steps => Some(train.length.count),
            Unit::Epochs => Some((train.length.count * self.steps_per_epoch(train)?).ceil()),
            _ => None,
        }
    }
}

/// The optimizer inside its wrappers, and these, the outermost first.
pub fn unwrapped(made: &Made) -> (&Made, Vec<&Made>) {
    let (mut inner, mut around) = (made, Vec::new());
    while let Some(next) = inner.given("inner").and_then(|g| g.made()) {
        around.push(inner);
        inner = next;
    }
    (inner, around)
}
