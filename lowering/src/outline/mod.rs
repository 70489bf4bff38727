//! A step as people see it: layers in layers, and in them the expressions of the text, with what flows between.
//!
//! The blocks are the scopes of nodes: models, layers, metrics, as the file applies them. What stands directly in a
//! block is grouped into [`Step`]s: the operations of one expression of the user's text are one step; inside a layer of
//! the library each operation is. A step never waits for itself through another one. Parameters are properties of their
//! blocks, literals are left out. With [`Phase::Backward`] and [`Phase::Update`] drawn, each phase is a block that holds
//! the layers again.

mod flat;
mod group;

pub use flat::{Flat, Flats, Kind, Phase, flat};

use crate::cost::kept_bytes;
use crate::graph::{Graph, Type};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tfm_lang::dim::Dim;
use tfm_lang::model::{Instance, Model, Train, VariableKind, Word};
use tfm_lang::source::{Sources, Span};

/// What a step computes, costs and keeps.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Trained numbers.
    pub trained: u64,
    /// Parameters that `freeze` keeps.
    pub frozen: u64,
    /// Numbers of states, such as running means.
    pub state: u64,
    /// Floating operations.
    pub flops: Dim,
    /// Bytes kept for the way back.
    pub kept: Dim,
}

impl Figures {
    fn add(&mut self, other: &Figures) {
        self.trained += other.trained;
        self.frozen += other.frozen;
        self.state += other.state;
        self.flops = self.flops.add(&other.flops);
        self.kept = self.kept.add(&other.kept);
    }
}

/// Something in a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Child {
    /// A block, by its number.
    Block(usize),
    /// A step, by its number.
    Step(usize),
}

/// A layer, a model, a metric, a phase; number 0 is the whole.
#[derive(Clone, Debug)]
pub struct Block {
    /// `ConvNet.conv2d_1`; empty for the whole.
    pub path: String,
    /// Its last word.
    pub name: String,
    /// What was applied: `Conv2d`; empty for what has no declaration.
    pub kind: String,
    /// True when the library declares it.
    pub library: bool,
    /// Where it is applied.
    pub span: Option<Span>,
    /// What it is in.
    pub parent: Option<usize>,
    /// What is in it, in the order of computation.
    pub children: Vec<Child>,
    /// Its parameters and states: last word of the path, type, kind, whether frozen.
    pub variables: Vec<(String, Type, VariableKind, bool)>,
    /// What it is given, without what only goes through.
    pub inputs: Vec<Type>,
    /// What others are given by it.
    pub outputs: Vec<Type>,
    /// All that is in it.
    pub figures: Figures,
    /// How often it is computed, in a scan.
    pub turns: Option<Dim>,
}

/// What a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A field of the data.
    Input,
    /// An expression.
    Operation,
    /// A loss or a report.
    Output,
}

/// An expression, or an operation in a layer of the library.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is called: `relu`, `x + y`, `loss`.
    pub label: String,
    /// What it is.
    pub role: Role,
    /// Its operations by name, each once, in their order.
    pub operations: Vec<Word>,
    /// The block it stands in.
    pub block: usize,
    /// Its place.
    pub span: Option<Span>,
    /// Its last result.
    pub ty: Type,
    /// What it costs.
    pub figures: Figures,
    /// How often it is computed, in a scan.
    pub turns: Option<Dim>,
}

/// What one step gives another.
#[derive(Clone, PartialEq, Debug)]
pub struct Edge {
    /// The step that computes it.
    pub from: usize,
    /// The step that reads it.
    pub to: usize,
    /// What it is.
    pub ty: Type,
}

/// A step as blocks and what flows between.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Number 0 is the whole; a block stands before those in it.
    pub blocks: Vec<Block>,
    /// In the order of computation.
    pub steps: Vec<Step>,
    /// Each pair of steps once.
    pub edges: Vec<Edge>,
}

/// The step of a `train` block; without `training` its forward part. The graph is one that all passes have been over.
pub fn outline(graph: &Graph, model: &Model, train: &Train, sources: &Sources, training: bool) -> Outline {
    let flats = flat(graph, train, training);
    let mut writer = Writer {
        instances: model.instances.iter().map(|i| (i.path.as_str(), i)).collect(),
        sources,
        training,
        outline: Outline { blocks: vec![block("", &train.name, None)], steps: Vec::new(), edges: Vec::new() },
        by_key: HashMap::new(),
    };
    writer.outline.blocks[0].span = Some(train.span);
    writer.write(&flats);
    writer.variables(graph, train);
    let mut outline = writer.outline;
    outline.sort();
    outline.add_up();
    outline.interfaces();
    outline
}

fn block(path: &str, name: &str, parent: Option<usize>) -> Block {
    Block {
        path: path.into(),
        name: name.into(),
        kind: String::new(),
        library: false,
        span: None,
        parent,
        children: Vec::new(),
        variables: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        figures: Figures::default(),
        turns: None,
    }
}

struct Writer<'a> {
    instances: HashMap<&'a str, &'a Instance>,
    sources: &'a Sources,
    training: bool,
    outline: Outline,
    by_key: HashMap<(Phase, String), usize>,
}

/// The paths of a scope and of what it is in, the outermost first. Metrics stand side by side.
fn prefixes(scope: &str) -> Vec<&str> {
    if scope.is_empty() {
        return Vec::new();
    }
    if scope.starts_with("metrics.") {
        return vec![scope];
    }
    let ends = scope.match_indices('.').map(|(i, _)| i).chain([scope.len()]);
    ends.map(|end| &scope[..end]).collect()
}

/// `accuracy` for `metrics.train.accuracy_1`, and `conv2d_1` for `ConvNet.conv2d_1`.
fn last_word(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

impl Writer<'_> {
    fn write(&mut self, flats: &Flats) {
        let blocks: Vec<usize> = flats.nodes.iter().map(|n| self.block(n.phase, &n.scope)).collect();
        let expands = |b: usize| self.outline.blocks[b].library;
        let groups = group::groups(flats, &blocks, &expands);
        let mut of_group: Vec<Option<usize>> = vec![None; groups.members.len()];
        for (g, members) in groups.members.iter().enumerate() {
            if let Some(step) = self.step(flats, members, blocks[members[0]], &groups) {
                of_group[g] = Some(step);
            }
        }
        let owner = |flat: usize| groups.of[flat].and_then(|g| of_group[g]);
        let mut seen = BTreeSet::new();
        for (i, node) in flats.nodes.iter().enumerate() {
            let Some(to) = owner(i) else { continue };
            for (arg, ty) in &node.args {
                if let Some(from) = owner(*arg)
                    && from != to
                    && seen.insert((from, to))
                {
                    self.outline.edges.push(Edge { from, to, ty: ty.clone() });
                }
            }
        }
        for (name, value) in &flats.outputs {
            let Some(from) = owner(*value) else { continue };
            let ty = flats.nodes[*value].ty.clone();
            let block = self.block_of(Phase::Forward);
            let to = self.push(Step {
                label: name.clone(),
                role: Role::Output,
                operations: Vec::new(),
                block,
                span: flats.nodes[*value].span,
                ty: ty.clone(),
                figures: Figures::default(),
                turns: None,
            });
            self.outline.edges.push(Edge { from, to, ty });
        }
    }

    /// The block that holds a phase: the whole, when only one is drawn.
    fn block_of(&mut self, phase: Phase) -> usize {
        self.block(phase, "")
    }

    /// The block of a scope; those around it are made on the way.
    fn block(&mut self, phase: Phase, scope: &str) -> usize {
        let scope = if phase == Phase::Update { "" } else { scope };
        if let Some(known) = self.by_key.get(&(phase, scope.to_string())) {
            return *known;
        }
        let mut at = 0;
        if self.training {
            let name = match phase {
                Phase::Forward => "forward",
                Phase::Backward => "backward",
                Phase::Update => "update",
            };
            at = self.child(at, phase, "", name, None);
        }
        for path in prefixes(scope) {
            let instance = self.instances.get(path).copied();
            // Metrics have numbers, `metrics.train.accuracy_1`, which nobody wrote.
            let name = match path.strip_prefix("metrics.") {
                Some(_) => last_word(path).trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_'),
                None => last_word(path),
            };
            at = self.child(at, phase, path, name, instance);
        }
        self.by_key.insert((phase, scope.to_string()), at);
        at
    }

    fn child(&mut self, parent: usize, phase: Phase, path: &str, name: &str, instance: Option<&Instance>) -> usize {
        if let Some(known) = self.by_key.get(&(phase, path.to_string())) {
            return *known;
        }
        let mut new = block(path, name, Some(parent));
        if let Some(instance) = instance {
            (new.kind, new.span) = (instance.layer.clone(), Some(instance.span));
            new.library = instance.library;
        }
        // What a metric does is seldom looked at.
        new.library |= path.starts_with("metrics.");
        self.outline.blocks.push(new);
        let number = self.outline.blocks.len() - 1;
        self.outline.blocks[parent].children.push(Child::Block(number));
        self.by_key.insert((phase, path.to_string()), number);
        number
    }

    fn push(&mut self, step: Step) -> usize {
        let number = self.outline.steps.len();
        self.outline.blocks[step.block].children.push(Child::Step(number));
        self.outline.steps.push(step);
        number
    }

    /// `None` for what is not shown: literals, variables, the number of the step.
    fn step(&mut self, flats: &Flats, members: &[usize], block: usize, groups: &group::Groups) -> Option<usize> {
        let last = &flats.nodes[*members.last()?];
        let mut step = Step {
            label: String::new(),
            role: Role::Operation,
            operations: Vec::new(),
            block,
            span: last.span,
            ty: last.ty.clone(),
            figures: Figures::default(),
            turns: last.turns.clone(),
        };
        for member in members {
            let node = &flats.nodes[*member];
            match &node.kind {
                Kind::Input(name) if &**name == "step" || name.starts_with("micro/") => {}
                Kind::Input(name) => {
                    (step.label, step.role) = (name.to_string(), Role::Input);
                    step.block = self.block_of(Phase::Forward);
                }
                Kind::Literal | Kind::Variable(_) => {}
                Kind::Primitive(name) => {
                    let is_new = !step.operations.contains(name);
                    step.operations.extend(is_new.then_some(*name));
                }
            }
            step.figures.flops = step.figures.flops.add(&node.flops);
            step.figures.kept = step.figures.kept.add(&kept_bytes(node));
        }
        if step.role == Role::Operation {
            let reads = members.iter().flat_map(|m| &flats.nodes[*m].args).any(|(a, _)| groups.of[*a].is_some());
            let repeats = step.operations.iter().all(|o| &**o == "broadcast");
            if step.operations.is_empty() || repeats && !reads {
                return None;
            }
            step.label = match groups.is_expression(flats, members, &self.outline.blocks[block]) {
                true => step.span.map_or_else(String::new, |s| label(self.sources.text(s))),
                false => step.operations.last().map(|o| o.to_string()).unwrap_or_default(),
            };
        }
        Some(self.push(step))
    }

    /// Hands the variables of the forward part to their blocks.
    fn variables(&mut self, graph: &Graph, train: &Train) {
        for (i, variable) in graph.variables.iter().enumerate() {
            let frozen = train.frozen.iter().any(|f| f.0 as usize == i);
            let (scope, name) = variable.path.rsplit_once('.').unwrap_or(("", &variable.path));
            if !matches!(variable.kind, VariableKind::Parameter | VariableKind::State) {
                continue;
            }
            // What the block does not use belongs to another `train` block.
            let Some(&block) = self.by_key.get(&(Phase::Forward, scope.to_string())) else { continue };
            let size = variable.ty.size().as_constant().unwrap_or(0).max(0) as u64;
            let block = &mut self.outline.blocks[block];
            match variable.kind {
                VariableKind::Parameter if frozen => block.figures.frozen += size,
                VariableKind::Parameter => block.figures.trained += size,
                _ => block.figures.state += size,
            }
            block.variables.push((name.to_string(), variable.ty.clone(), variable.kind, frozen));
        }
    }
}

/// An expression in few words: `relu`, `cross_entropy`, `x + y`.
fn label(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let word = text.chars().take_while(|c| c.is_alphanumeric() || "_.".contains(*c)).count();
    let is_call = text.chars().nth(word) == Some('(') && text.ends_with(')');
    let one_call = is_call
        && text
            .chars()
            .skip(word)
            .scan(0, |d, c| {
                *d += i32::from(c == '(') - i32::from(c == ')');
                Some(*d)
            })
            .take_while(|d| *d > 0)
            .count()
            == text.chars().count() - word - 1;
    match one_call {
        true if word > 0 && text.chars().count() > 24 => text.chars().take(word).collect(),
        _ if text.chars().count() > 36 => text.chars().take(34).collect::<String>() + "…",
        _ => text,
    }
}

impl Outline {
    /// What is in each block in the order in which it is first computed.
    fn sort(&mut self) {
        let mut first: Vec<usize> = vec![usize::MAX; self.blocks.len()];
        for (i, step) in self.steps.iter().enumerate() {
            let mut at = Some(step.block);
            while let Some(b) = at {
                first[b] = first[b].min(i);
                at = self.blocks[b].parent;
            }
        }
        for block in &mut self.blocks {
            block.children.retain(|c| !matches!(c, Child::Block(b) if first[*b] == usize::MAX));
            block.children.sort_by_key(|c| match c {
                Child::Step(s) => *s,
                Child::Block(b) => first[*b],
            });
        }
    }

    /// A block costs what is in it.
    fn add_up(&mut self) {
        for step in &self.steps {
            self.blocks[step.block].figures.add(&step.figures);
        }
        for b in (1..self.blocks.len()).rev() {
            let (figures, parent) = (self.blocks[b].figures.clone(), self.blocks[b].parent.unwrap_or(0));
            self.blocks[parent].figures.add(&figures);
        }
        for b in 0..self.blocks.len() {
            let turns = |c: &Child| match c {
                Child::Step(s) => self.steps[*s].turns.clone(),
                Child::Block(_) => None,
            };
            self.blocks[b].turns = self.blocks[b].children.iter().find_map(turns);
        }
    }

    /// What goes into and comes out of each block.
    fn interfaces(&mut self) {
        let edges = std::mem::take(&mut self.edges);
        for edge in &edges {
            let (from, to) = (self.around(self.steps[edge.from].block), self.around(self.steps[edge.to].block));
            let add = |list: &mut Vec<Type>| {
                if !list.contains(&edge.ty) {
                    list.push(edge.ty.clone());
                }
            };
            from.iter().filter(|b| !to.contains(b)).for_each(|b| add(&mut self.blocks[*b].outputs));
            to.iter().filter(|b| !from.contains(b)).for_each(|b| add(&mut self.blocks[*b].inputs));
        }
        self.edges = edges;
    }

    /// A block and those it is in, the whole last.
    pub fn around(&self, block: usize) -> Vec<usize> {
        std::iter::successors(Some(block), |b| self.blocks[*b].parent).collect()
    }

    /// What flows in each block, by its number: between what is in it, and through its borders. Each pair once, with
    /// the type that flows first.
    pub fn flows(&self) -> Vec<BTreeMap<(End, End), Type>> {
        let mut flows: Vec<BTreeMap<(End, End), Type>> = vec![BTreeMap::new(); self.blocks.len()];
        for edge in &self.edges {
            let (from, to) = (self.around(self.steps[edge.from].block), self.around(self.steps[edge.to].block));
            let shared = from.iter().position(|b| to.contains(b)).unwrap_or(from.len() - 1);
            let above = to.iter().position(|b| *b == from[shared]).unwrap_or(to.len() - 1);
            // The child of the i-th block around a step that holds the step.
            let child = |around: &[usize], i: usize, step: usize| match i {
                0 => End::Child(Child::Step(step)),
                i => End::Child(Child::Block(around[i - 1])),
            };
            let mut add = |block: usize, from: End, to: End| {
                flows[block].entry((from, to)).or_insert_with(|| edge.ty.clone());
            };
            (0..shared).for_each(|i| add(from[i], child(&from, i, edge.from), End::Below));
            (0..above).for_each(|i| add(to[i], End::Above, child(&to, i, edge.to)));
            add(from[shared], child(&from, shared, edge.from), child(&to, above, edge.to));
        }
        flows
    }
}

/// Where a flow in a block begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    /// Outside, from where it comes in.
    Above,
    /// Something in the block.
    Child(Child),
    /// Outside, to where it goes out.
    Below,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        assert_eq!(label("relu"), "relu");
        assert_eq!(label("x + y"), "x + y");
        assert_eq!(label("cross_entropy(logits, label)"), "cross_entropy");
        assert_eq!(label("f(a) + g(b, some, more, words, here)"), "f(a) + g(b, some, more, words, here)");
        assert_eq!(label("MaxPool2d(2)"), "MaxPool2d(2)");
        assert_eq!(label("a\n   * b"), "a * b");
        assert!(label(&"x + ".repeat(30)).ends_with('…'));
    }

    #[test]
    fn scopes_are_paths() {
        assert_eq!(prefixes("A.b.c"), ["A", "A.b", "A.b.c"]);
        assert_eq!(prefixes("metrics.train.accuracy_1"), ["metrics.train.accuracy_1"]);
        assert!(prefixes("").is_empty());
    }
}
