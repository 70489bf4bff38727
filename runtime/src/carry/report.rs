//! What a [`Carry`] does, as rows for people: what is kept is counted, all else is told by layer.

use super::{Carry, Fate, Version};
use serde::Serialize;
use std::collections::BTreeSet;
use tfm_lang::model::VariableKind;
use tfm_lowering::graph::{Type, Variable};

/// A row of the table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    /// `kept`, `resized`, `renamed`, `new`, `dropped`.
    pub what: &'static str,
    /// The variable, or the layer when it is true of all that it has; empty for what is only counted.
    pub path: String,
    /// What happened to it, `f32[64, 10] to f32[64, 12]`.
    pub how: String,
    /// Why.
    pub why: String,
    /// Parameters and states of layers.
    pub variables: usize,
    /// Their numbers.
    pub numbers: u64,
}

/// What became of the states of optimizers, in variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct States {
    /// Those with the same bits.
    pub kept: usize,
    /// Those of which a part was copied.
    pub resized: usize,
    /// Those that start anew.
    pub new: usize,
    /// Old ones that do not go on.
    pub dropped: usize,
}

/// `f32[64, 10]`
pub fn type_text(ty: &Type) -> String {
    let sizes: Vec<String> = ty.shape.iter().map(|d| d.to_string()).collect();
    format!("{}[{}]", ty.dtype.name(), sizes.join(", "))
}

fn is_model(variable: &Variable) -> bool {
    matches!(variable.kind, VariableKind::Parameter | VariableKind::State)
}

fn numbers(variable: &Variable) -> u64 {
    variable.ty.size().as_constant().unwrap_or(0).max(0) as u64
}

/// True where a variable lies in a layer, or below it.
fn lies_in(path: &str, layer: &str) -> bool {
    path.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'))
}

impl Carry {
    /// The states of optimizers.
    pub fn states(&self, old: Version<'_>, new: Version<'_>) -> States {
        let is_state = |v: &Variable| v.kind == VariableKind::Optimizer;
        let mut found = States::default();
        for (_, fate) in new.variables.iter().zip(&self.fates).filter(|(v, _)| is_state(v)) {
            match fate {
                Fate::Kept(_) => found.kept += 1,
                Fate::Resized(_) => found.resized += 1,
                Fate::New => found.new += 1,
            }
        }
        found.dropped = self.dropped.iter().filter(|&&i| is_state(&old.variables[i])).count();
        found
    }

    /// What became of parameters and of states of layers.
    pub fn rows(&self, old: Version<'_>, new: Version<'_>) -> Vec<Row> {
        let own: Vec<usize> = (0..new.variables.len()).filter(|&i| is_model(&new.variables[i])).collect();
        let mut rows = Vec::new();
        let mut kept = Row::of("kept", "", "", "");
        for &i in &own {
            if let Fate::Kept(from) = self.fates[i]
                && old.variables[from].path == new.variables[i].path
            {
                kept.count(&new.variables[i]);
            }
        }
        if kept.variables > 0 {
            rows.push(kept);
        }
        for &i in &own {
            if let Fate::Resized(from) = self.fates[i] {
                rows.push(resized(&old.variables[from], &new.variables[i]));
            }
        }
        rows.extend(self.renamed(old, new, &own));
        let fresh: BTreeSet<usize> = own.iter().copied().filter(|&i| self.fates[i] == Fate::New).collect();
        let gone: BTreeSet<usize> = self.dropped.iter().copied().filter(|&i| is_model(&old.variables[i])).collect();
        rows.extend(told(new, &fresh, "new", |v| other_type(v, old, &gone, "was")));
        rows.extend(told(old, &gone, "dropped", |v| other_type(v, new, &fresh, "is now")));
        rows
    }

    /// One row for each layer that has another path; not for those in it that have kept their names.
    fn renamed(&self, old: Version<'_>, new: Version<'_>, own: &[usize]) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for &i in own {
            let Some(from) = self.fates[i].from() else { continue };
            let (was, is) = (&old.variables[from], &new.variables[i]);
            if was.path == is.path {
                continue;
            }
            let (was_path, is_path) = top_change(&was.path, &is.path);
            let how = format!("was {was_path}");
            let row = rows.iter_mut().find(|r| r.path == is_path && r.how == how);
            match row {
                Some(row) => row.count(is),
                None => {
                    let mut row = Row::of("renamed", is_path, &how, "equal but for its name, and its values are kept");
                    if matches!(self.fates[i], Fate::Resized(_)) {
                        row.why = "the same place in its parent".into();
                    }
                    row.count(is);
                    rows.push(row);
                }
            }
        }
        rows
    }
}

impl Row {
    fn of(what: &'static str, path: &str, how: &str, why: &str) -> Row {
        Row { what, path: path.into(), how: how.into(), why: why.into(), variables: 0, numbers: 0 }
    }

    fn count(&mut self, variable: &Variable) {
        self.variables += 1;
        self.numbers += numbers(variable);
    }
}

fn resized(was: &Variable, is: &Variable) -> Row {
    let sizes = |v: &Variable| -> Vec<i64> { v.ty.shape.iter().map(|d| d.as_constant().unwrap_or(0)).collect() };
    let common: i64 = sizes(was).iter().zip(sizes(is)).map(|(a, b)| (*a).min(b)).product();
    let how = format!("{} to {}", type_text(&was.ty), type_text(&is.ty));
    let lost = numbers(was) - common as u64;
    let fresh = numbers(is) - common as u64;
    let mut why = format!("{common} values kept");
    if fresh > 0 {
        why += &format!(", {fresh} start anew");
    }
    if lost > 0 {
        why += &format!(", {lost} dropped");
    }
    let mut row = Row::of("resized", &is.path, &how, &why);
    row.count(is);
    row
}

/// The shortest ends of two paths behind which they are the same: `Net.a.b.w` and `Net.c.b.w` differ in `Net.a` and
/// `Net.c`.
fn top_change<'a>(was: &'a str, is: &'a str) -> (&'a str, &'a str) {
    let (mut a, mut b) = (was, is);
    while let (Some((a_head, a_last)), Some((b_head, b_last))) = (a.rsplit_once('.'), b.rsplit_once('.')) {
        if a_last != b_last || a_head == b_head {
            break;
        }
        (a, b) = (a_head, b_head);
    }
    (a, b)
}

/// Rows about some variables of a version: a layer stands for all that it has, where all are among them. `known` says
/// why, where more is known of a variable than that the other version has none that fits.
fn told(
    version: Version<'_>,
    some: &BTreeSet<usize>,
    what: &'static str,
    known: impl Fn(&Variable) -> Option<String>,
) -> Vec<Row> {
    let variables = version.variables;
    let all_of = |layer: &str| {
        let mut inside =
            (0..variables.len()).filter(|&i| is_model(&variables[i]) && lies_in(&variables[i].path, layer));
        inside.all(|i| some.contains(&i) && known(&variables[i]).is_none())
    };
    let mut rows: Vec<Row> = Vec::new();
    for &i in some {
        let variable = &variables[i];
        if let Some(row) = rows.iter_mut().find(|r| lies_in(&variable.path, &r.path)) {
            row.count(variable);
            continue;
        }
        // The outermost layer that is as a whole among them.
        let dots = variable.path.match_indices('.').map(|(at, _)| &variable.path[..at]);
        let layer = dots.into_iter().find(|layer| all_of(layer));
        let mut row = match (layer, known(variable)) {
            (Some(layer), _) => {
                let made = version.instances.iter().find(|i| i.path == layer);
                let how = match made {
                    Some(made) if !made.layer.is_empty() => format!("{}({})", made.layer, made.settings),
                    _ => String::new(),
                };
                Row::of(what, layer, &how, "")
            }
            (None, Some(why)) => Row::of(what, &variable.path, &type_text(&variable.ty), &why),
            (None, None) => Row::of(what, &variable.path, &type_text(&variable.ty), ""),
        };
        if row.why.is_empty() {
            row.why = match what {
                "new" => "the version before has none that fits".into(),
                _ => "this version has none that fits".into(),
            };
        }
        row.count(variable);
        rows.push(row);
    }
    rows
}

/// Why a variable did not go on though the other version has its path: it has another type.
fn other_type(variable: &Variable, other: Version<'_>, among: &BTreeSet<usize>, word: &str) -> Option<String> {
    let same = among.iter().map(|&i| &other.variables[i]).find(|v| v.path == variable.path)?;
    (same.ty != variable.ty).then(|| format!("{word} {}, which nothing can be copied between", type_text(&same.ty)))
}
