//! The trees of two versions, and which node of one is which of the other.

use super::Version;
use super::align::align;
use std::collections::HashMap;
use tfm_lang::model::{Instance, VariableKind};

/// A pair of the most important kind: more of them go before all else.
const PAIR: u64 = 1 << 32;
/// Within equally many pairs: equal shapes, then an equal name or place.
const SHAPES: u64 = 1 << 16;

/// A model or layer with what stands below it.
struct Node<'a> {
    /// `None` for the top.
    instance: Option<&'a Instance>,
    /// Those that have variables, in order of first application.
    children: Vec<usize>,
    /// Parameters and states by their numbers.
    variables: Vec<usize>,
    /// Names, kinds and types of all variables below; equal for what can take each other's place.
    shape: String,
}

struct Tree<'a> {
    version: Version<'a>,
    nodes: Vec<Node<'a>>,
}

/// Pairs of parameters and of states of layers: old number, new number. Their types may differ.
pub fn matched(old: Version<'_>, new: Version<'_>) -> Vec<(usize, usize)> {
    let (old, new) = (Tree::of(old), Tree::of(new));
    let (mut left, mut pairs) = (vec![(0, 0)], Vec::new());
    while let Some((a, b)) = left.pop() {
        variables(&old, &new, (a, b), &mut pairs);
        left.extend(children(&old, &new, (a, b)));
    }
    pairs
}

impl<'a> Tree<'a> {
    fn of(version: Version<'a>) -> Tree<'a> {
        let node = |instance| Node { instance, children: Vec::new(), variables: Vec::new(), shape: String::new() };
        let mut nodes: Vec<Node<'a>> = vec![node(None)];
        nodes.extend(version.instances.iter().map(|i| node(Some(i))));
        let mut places: HashMap<&str, usize> = HashMap::from([("", 0)]);
        places.extend(version.instances.iter().enumerate().map(|(i, instance)| (instance.path.as_str(), i + 1)));
        for (i, variable) in version.variables.iter().enumerate() {
            if matches!(variable.kind, VariableKind::Parameter | VariableKind::State) {
                let owner = variable.path.rsplit_once('.').map_or("", |(owner, _)| owner);
                nodes[places.get(owner).copied().unwrap_or(0)].variables.push(i);
            }
        }
        let mut tree = Tree { version, nodes };
        // An instance stands behind what it is in, so that from the back all below a node is done before it.
        for n in (1..tree.nodes.len()).rev() {
            tree.finish(n);
            let parent = tree.nodes[n].instance.and_then(|i| places.get(i.parent.as_str())).copied().unwrap_or(0);
            if !tree.nodes[n].shape.is_empty() && parent < n {
                tree.nodes[parent].children.push(n);
            }
        }
        tree.finish(0);
        tree
    }

    fn finish(&mut self, n: usize) {
        self.nodes[n].children.reverse();
        let node = &self.nodes[n];
        let mut shape = String::new();
        for &v in &node.variables {
            let variable = &self.version.variables[v];
            shape +=
                &format!("{} {:?} {};", name(&variable.path), variable.kind, super::report::type_text(&variable.ty));
        }
        for &child in &node.children {
            shape += &format!("({})", self.nodes[child].shape);
        }
        self.nodes[n].shape = shape;
    }

    fn instance(&self, n: usize) -> &'a Instance {
        self.nodes[n].instance.expect("only the top has none, and it is no child")
    }
}

/// The last word of a path.
fn name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Pairs the variables of two nodes: by name, and then those of equal types in their order.
fn variables(old: &Tree<'_>, new: &Tree<'_>, (a, b): (usize, usize), pairs: &mut Vec<(usize, usize)>) {
    let (mut before, mut after) = (old.nodes[a].variables.clone(), new.nodes[b].variables.clone());
    let (had, has) = (&old.version.variables, &new.version.variables);
    after.retain(|&to| {
        let same = |&from: &usize| name(&had[from].path) == name(&has[to].path) && had[from].kind == has[to].kind;
        let Some(at) = before.iter().position(same) else { return true };
        pairs.push((before.remove(at), to));
        false
    });
    let equal = |i: usize, j: usize| {
        let (x, y) = (&had[before[i]], &has[after[j]]);
        (x.kind == y.kind && x.ty == y.ty).then_some(1)
    };
    // At the top lie the variables of different blocks, which have nothing to do with each other.
    if a != 0 {
        pairs.extend(align(before.len(), after.len(), equal).into_iter().map(|(i, j)| (before[i], after[j])));
    }
}

/// Which child of one node is which of the other's.
fn children(old: &Tree<'_>, new: &Tree<'_>, (a, b): (usize, usize)) -> Vec<(usize, usize)> {
    let mut match_ = Matching {
        old,
        new,
        before: old.nodes[a].children.clone(),
        after: new.nodes[b].children.clone(),
        pairs: Vec::new(),
    };
    match_.by_name();
    match_.unnamed();
    match_.renamed();
    match_.changed();
    match_.last_model();
    match_.pairs
}

struct Matching<'a> {
    old: &'a Tree<'a>,
    new: &'a Tree<'a>,
    /// What is not paired yet.
    before: Vec<usize>,
    after: Vec<usize>,
    pairs: Vec<(usize, usize)>,
}

impl Matching<'_> {
    /// Pairs some of what is left.
    fn pair(&mut self, before: &[usize], after: &[usize], score: impl Fn(usize, usize) -> Option<u64>) {
        let found = align(before.len(), after.len(), |i, j| score(before[i], after[j]));
        for (i, j) in found {
            let (x, y) = (before[i], after[j]);
            self.before.retain(|n| *n != x);
            self.after.retain(|n| *n != y);
            self.pairs.push((x, y));
        }
    }

    /// What `let` named, and models: those of one name, if the layer is the same.
    fn by_name(&mut self) {
        for y in self.after.clone() {
            let is = self.new.instance(y);
            let same = |&x: &usize| {
                let was = self.old.instance(x);
                was.is_named && is.is_named && name(&was.path) == name(&is.path) && was.layer == is.layer
            };
            if let Some(at) = self.before.iter().position(same) {
                self.pairs.push((self.before.remove(at), y));
                self.after.retain(|n| *n != y);
            }
        }
    }

    /// The longest common subsequence by layer and first list; of several, the one with most equal shapes.
    fn unnamed(&mut self) {
        let (old, new) = (self.old, self.new);
        let before: Vec<usize> = self.before.iter().copied().filter(|&n| !old.instance(n).is_named).collect();
        let after: Vec<usize> = self.after.iter().copied().filter(|&n| !new.instance(n).is_named).collect();
        self.pair(&before, &after, |x, y| {
            let (was, is) = (old.instance(x), new.instance(y));
            (was.layer == is.layer && was.settings == is.settings).then(|| PAIR + likeness(old, new, (x, y)))
        });
    }

    /// What has another name (of its own, or of its layer) and is otherwise equal.
    fn renamed(&mut self) {
        for any_layer in [false, true] {
            let (old, new) = (self.old, self.new);
            let (before, after) = (self.before.clone(), self.after.clone());
            self.pair(&before, &after, |x, y| {
                let (was, is) = (old.instance(x), new.instance(y));
                let same = (any_layer || was.layer == is.layer) && old.nodes[x].shape == new.nodes[y].shape;
                same.then(|| PAIR + likeness(old, new, (x, y)))
            });
        }
    }

    /// What stands between the same neighbours and is of the same layer: its first list has changed.
    fn changed(&mut self) {
        let (old, new) = (self.old, self.new);
        let unnamed = |tree: &Tree<'_>, n: usize| !tree.instance(n).is_named;
        let firm: Vec<(usize, usize)> =
            self.pairs.iter().copied().filter(|&(x, y)| unnamed(old, x) && unnamed(new, y)).collect();
        let before: Vec<usize> = self.before.iter().copied().filter(|&n| unnamed(old, n)).collect();
        let after: Vec<usize> = self.after.iter().copied().filter(|&n| unnamed(new, n)).collect();
        self.pair(&before, &after, |x, y| {
            let crosses = firm.iter().any(|&(p, q)| (p < x) != (q < y));
            let same = old.instance(x).layer == new.instance(y).layer && !crosses;
            same.then(|| PAIR + likeness(old, new, (x, y)))
        });
    }
}

impl Matching<'_> {
    /// A model that is alone in having gone, and one that is alone in being new, are one that was renamed and edited.
    fn last_model(&mut self) {
        let models = |tree: &Tree<'_>, of: &[usize]| -> Vec<usize> {
            of.iter().copied().filter(|&n| tree.instance(n).layer.is_empty()).collect()
        };
        if let ([x], [y]) = (models(self.old, &self.before).as_slice(), models(self.new, &self.after).as_slice()) {
            self.pairs.push((*x, *y));
        }
    }
}

/// How much else speaks for a pair: equal shapes below it, as many equal types as possible, its name.
fn likeness(old: &Tree<'_>, new: &Tree<'_>, (x, y): (usize, usize)) -> u64 {
    let (had, has) = (&old.nodes[x], &new.nodes[y]);
    let types = had.variables.iter().filter(|&&from| {
        let was = &old.version.variables[from];
        has.variables.iter().any(|&to| {
            let is = &new.version.variables[to];
            name(&is.path) == name(&was.path) && is.ty == was.ty
        })
    });
    let named = name(&old.instance(x).path) == name(&new.instance(y).path);
    let whole = if had.shape == has.shape { SHAPES } else { 0 };
    whole + 16 * types.count().min(1000) as u64 + u64::from(named)
}
