//! What becomes of the variables of a file when it is edited: which of the new ones go on as which of the old.
//!
//! [`Carry::plan`] compares the trees of two checked versions, and nothing but them; [`Carry::apply`] copies values.
//!
//! A layer that `let` named is the one of that name; of the others in a parent, the longest common subsequence by
//! (layer, first list) is the same. What is left is paired where only a name differs and every shape is equal, and
//! then, between what is already paired, where the layer is the same and a size has changed. Inside a pair, variables
//! are matched by their names. **Invariants.** No old variable goes on as two new ones; what is copied has equal
//! dtypes; what is kept or renamed has the same bits after as before.

mod align;
mod report;
#[cfg(test)]
mod tests;
mod tree;

pub use report::{Row, States, type_text};

use crate::tensor::Tensor;
use tfm_lang::model::{Instance, VariableKind};
use tfm_lowering::graph::{Type, Variable};

/// One version of a file, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Models and layers.
    pub instances: &'a [Instance],
    /// All variables of the graph.
    pub variables: &'a [Variable],
}

/// What a new variable is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The old variable with this number, of the same type.
    Kept(usize),
    /// The old variable with this number, of another size: what both have is copied.
    Resized(usize),
    /// A new one, that starts as in a new run.
    New,
}

impl Fate {
    /// The old variable that goes on.
    pub fn from(self) -> Option<usize> {
        match self {
            Fate::Kept(i) | Fate::Resized(i) => Some(i),
            Fate::New => None,
        }
    }
}

/// What becomes of each variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carry {
    /// One for each new variable.
    pub fates: Vec<Fate>,
    /// The old variables that do not go on.
    pub dropped: Vec<usize>,
}

impl Carry {
    /// Compares two versions.
    pub fn plan(old: Version<'_>, new: Version<'_>) -> Carry {
        let mut fates = vec![Fate::New; new.variables.len()];
        for (from, to) in tree::matched(old, new) {
            fates[to] = fate(&old.variables[from].ty, &new.variables[to].ty, from);
        }
        states(old, new, &mut fates);
        let mut goes_on = vec![false; old.variables.len()];
        fates.iter().filter_map(|f| f.from()).for_each(|i| goes_on[i] = true);
        let dropped = (0..old.variables.len()).filter(|&i| !goes_on[i]).collect();
        Carry { fates, dropped }
    }

    /// True when every variable of both versions goes on under its path, with its type: a checkpoint of one is a
    /// checkpoint of the other.
    pub fn is_identity(&self, old: Version<'_>, new: Version<'_>) -> bool {
        let same = |(to, fate): (usize, &Fate)| match fate {
            Fate::Kept(from) => old.variables[*from].path == new.variables[to].path,
            _ => false,
        };
        self.dropped.is_empty() && self.fates.iter().enumerate().all(same)
    }

    /// Copies the old values into new ones that have been initialised.
    pub fn apply(&self, old: &[Tensor], new: &mut [Tensor]) {
        for (fate, to) in self.fates.iter().zip(new) {
            match *fate {
                Fate::Kept(from) => to.bytes_mut().copy_from_slice(old[from].bytes()),
                Fate::Resized(from) => copy_overlap(&old[from], to),
                Fate::New => {}
            }
        }
    }
}

fn fate(old: &Type, new: &Type, from: usize) -> Fate {
    match () {
        () if old == new => Fate::Kept(from),
        () if old.dtype == new.dtype && old.shape.len() == new.shape.len() => Fate::Resized(from),
        () => Fate::New,
    }
}

/// The states of optimizers, and the averages that some keep, go where their parameter goes; the states of metrics are
/// those of their path.
fn states(old: Version<'_>, new: Version<'_>, fates: &mut [Fate]) {
    let is_state = |v: &Variable| v.kind == VariableKind::Optimizer;
    let mut taken = vec![false; old.variables.len()];
    for to in 0..new.variables.len() {
        let variable = &new.variables[to];
        let from = match variable.kind {
            VariableKind::Metric => old.variables.iter().position(|v| v.path == variable.path && v.ty == variable.ty),
            VariableKind::Optimizer => variable.path.split_once('/').and_then(|(parameter, name)| {
                let parameter = new.variables.iter().position(|v| v.path == parameter)?;
                let owner = &old.variables[fates[parameter].from()?].path;
                let below = |v: &Variable| v.path.strip_prefix(owner.as_str())?.strip_prefix('/').map(str::to_string);
                let states = || old.variables.iter().enumerate().filter(|(i, v)| is_state(v) && !taken[*i]);
                let named = |same: &dyn Fn(&str) -> bool| {
                    states().find(|(_, v)| below(v).is_some_and(|n| same(&n))).map(|(i, _)| i)
                };
                // An optimizer that another now wraps, as `clip_norm` does, has the same states one name deeper.
                named(&|n| n == name).or_else(|| named(&|n| innermost(n) == innermost(name)))
            }),
            VariableKind::Parameter | VariableKind::State => None,
        };
        if let Some(from) = from {
            fates[to] = fate(&old.variables[from].ty, &variable.ty, from);
            taken[from] = fates[to] != Fate::New;
        }
    }
}

/// `adam.m` of `clip_norm.adam.m`; the `train` block that may stand behind it stays.
fn innermost(state: &str) -> (&str, &str) {
    let (path, block) = state.split_once('/').unwrap_or((state, ""));
    let last = path.rfind('.').and_then(|dot| path[..dot].rfind('.'));
    (last.map_or(path, |dot| &path[dot + 1..]), block)
}

/// Copies the block of elements that two tensors of one dtype and rank have in common.
fn copy_overlap(old: &Tensor, new: &mut Tensor) {
    let size = old.dtype.bytes();
    let common: Vec<usize> = old.shape.iter().zip(&new.shape).map(|(a, b)| *a.min(b)).collect();
    let Some((&run, outer)) = common.split_last() else {
        return new.bytes_mut().copy_from_slice(old.bytes());
    };
    let place = |shape: &[usize], at: &[usize]| {
        at.iter().zip(shape).fold(0, |place, (i, n)| place * n + i) * shape.last().unwrap_or(&1) * size
    };
    let (old_shape, new_shape) = (old.shape.clone(), new.shape.clone());
    let rows: usize = outer.iter().product();
    let mut at = vec![0; outer.len()];
    for _ in 0..rows {
        let (from, to) = (place(&old_shape, &at), place(&new_shape, &at));
        new.bytes_mut()[to..to + run * size].copy_from_slice(&old.bytes()[from..from + run * size]);
        for axis in (0..at.len()).rev() {
            at[axis] += 1;
            if at[axis] < outer[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
}
