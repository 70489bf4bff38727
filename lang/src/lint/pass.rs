//! One body with what is known of it: a `train` block with `training` true or false, or a model by itself. What lints
//! ask of it: who uses a value, what stands behind views, what lies on the way to a loss.

use super::data::FieldFacts;
use super::facts::{Fact, of};
use crate::check::trace::{Application, TracedTrain};
use crate::dim::Dim;
use crate::model::{Attr, Body, Node, Op, Program, Train, ValueId, VarId, Variable, VariableKind};

/// A body and what is known of it.
pub struct Pass<'a> {
    /// The block; `None` for a model by itself.
    pub train: Option<(&'a Train, &'a TracedTrain)>,
    /// Whether `training` is true in it.
    pub training: bool,
    /// The operations.
    pub body: &'a Body,
    /// The variables that they read.
    pub variables: &'a [Variable],
    /// What was applied, the inner applications first.
    pub applications: &'a [Application],
    /// What is minimized.
    pub losses: Vec<ValueId>,
    /// What anybody wants to know: losses, reports, outputs, states, what is looked at.
    pub roots: Vec<ValueId>,
    /// What is known of each value.
    pub facts: Vec<Fact>,
    /// The nodes that take each value.
    users: Vec<Vec<ValueId>>,
    /// Whether a node was written out inside an application of the library's.
    inside: Vec<bool>,
}

impl<'a> Pass<'a> {
    /// One of the two programs of a block.
    pub fn of_train(
        train: &'a Train,
        traced: &'a TracedTrain,
        variables: &'a [Variable],
        fields: &[FieldFacts],
        training: bool,
    ) -> Pass<'a> {
        let (program, applications): (&Program, _) = match training {
            true => (&train.training, &traced.training),
            false => (&train.evaluation, &traced.evaluation),
        };
        let mut roots = program.losses.clone();
        roots.extend(program.reports.iter().map(|r| r.value));
        roots.extend(program.outputs.iter().map(|(_, v)| *v));
        roots.extend(program.assigns.iter().map(|(_, v)| *v));
        if !training {
            for glance in train.periodic.iter().map(|p| &p.glance) {
                roots.extend(glance.reports.iter().map(|r| r.value));
                roots.extend(glance.images.iter().map(|i| i.value));
            }
        }
        let losses = program.losses.clone();
        let mut pass = Pass::of_body(&program.body, variables, applications, fields, roots);
        (pass.train, pass.training, pass.losses) = (Some((train, traced)), training, losses);
        pass
    }

    /// A body by itself.
    pub fn of_body(
        body: &'a Body,
        variables: &'a [Variable],
        applications: &'a [Application],
        fields: &[FieldFacts],
        roots: Vec<ValueId>,
    ) -> Pass<'a> {
        let mut users = vec![Vec::new(); body.nodes.len()];
        for (i, node) in body.nodes.iter().enumerate() {
            node.args.iter().for_each(|a| users[a.0 as usize].push(ValueId(i as u32)));
        }
        let mut inside = vec![false; body.nodes.len()];
        for a in applications.iter().filter(|a| a.library) {
            inside[a.nodes.start as usize..(a.nodes.end as usize).min(body.nodes.len())].fill(true);
        }
        let facts = of(body, variables, fields);
        let losses = Vec::new();
        Pass { train: None, training: true, body, variables, applications, losses, roots, facts, users, inside }
    }

    /// The node of a value.
    pub fn node(&self, v: ValueId) -> &'a Node {
        self.body.node(v)
    }

    /// What is known of a value.
    pub fn fact(&self, v: ValueId) -> &Fact {
        &self.facts[v.0 as usize]
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.body.nodes.len() as u32).map(ValueId)
    }

    /// The values that the user's own text made with this primitive, outside what is written in the library.
    pub fn written(&self, name: &'a str) -> impl Iterator<Item = ValueId> + '_ {
        self.values().filter(move |v| self.is(*v, name) && self.is_own(*v))
    }

    /// Whether a value was made by the user's own text, outside what is written in the library.
    pub fn is_own(&self, v: ValueId) -> bool {
        !self.inside[v.0 as usize]
    }

    /// Whether a value is made by this primitive.
    pub fn is(&self, v: ValueId, name: &str) -> bool {
        self.primitive(v) == Some(name)
    }

    /// The primitive that makes a value.
    pub fn primitive(&self, v: ValueId) -> Option<&'a str> {
        match &self.node(v).op {
            Op::Primitive(name, _) => Some(&**name),
            _ => None,
        }
    }

    /// The nodes that take a value.
    pub fn users(&self, v: ValueId) -> &[ValueId] {
        &self.users[v.0 as usize]
    }

    /// The parameter that a value is, behind views.
    pub fn parameter(&self, v: ValueId) -> Option<(VarId, &'a Variable)> {
        match self.node(strip(self.body, v)).op {
            Op::Read(id) => {
                let variable = self.variables.get(id.0 as usize)?;
                (variable.kind == VariableKind::Parameter).then_some((id, variable))
            }
            _ => None,
        }
    }

    /// A product or convolution with a parameter: what goes in, and the weight.
    pub fn linear(&self, v: ValueId) -> Option<(ValueId, VarId, &'a Variable)> {
        if !matches!(self.primitive(v), Some("matmul" | "conv" | "conv_input")) {
            return None;
        }
        let node = self.node(v);
        let by = |i: usize| self.parameter(node.args[i]).map(|(id, w)| (node.args[1 - i], id, w));
        by(1).or_else(|| by(0).filter(|_| self.is(v, "matmul")))
    }

    /// The products and convolutions with weights that are trained, and from the values that their declaration gives.
    pub fn first_weights(&self) -> impl Iterator<Item = (ValueId, &'a Variable)> + '_ {
        let learned = |id: VarId| self.train.is_some_and(|(t, _)| t.frozen.contains(&id) || !t.starts.is_empty());
        self.values().filter_map(move |v| self.linear(v).filter(|(_, id, _)| !learned(*id)).map(|(.., w)| (v, w)))
    }

    /// A product's result without the bias that is added to it: the value behind `y + b`.
    pub fn without_bias(&self, v: ValueId) -> ValueId {
        let v = strip(self.body, v);
        if self.is(v, "add") {
            let args = &self.node(v).args;
            for i in 0..2 {
                if self.parameter(args[i]).is_some_and(|(_, b)| b.ty.rank() <= 1) {
                    return strip(self.body, args[1 - i]);
                }
            }
        }
        v
    }

    /// The applications of losses and metrics, of functions and of layers of the library, in the user's own text: not those
    /// that another declaration of the library makes.
    pub fn outermost(&self) -> impl Iterator<Item = &'a Application> + '_ {
        let covered = |a: &Application| {
            let around = |o: &&Application| {
                o.library
                    && o.nodes.start <= a.nodes.start
                    && o.nodes.end >= a.nodes.end
                    && o.nodes.len() > a.nodes.len()
            };
            self.applications.iter().any(|o| around(&o))
        };
        self.applications.iter().filter(move |a| a.library && !covered(a))
    }

    /// Every value that these depend on, themselves too.
    pub fn needed(&self, roots: &[ValueId]) -> Vec<bool> {
        let mut needed = vec![false; self.body.nodes.len()];
        let mut next = roots.to_vec();
        while let Some(v) = next.pop() {
            if !std::mem::replace(&mut needed[v.0 as usize], true) {
                next.extend(&self.node(v).args);
            }
        }
        needed
    }

    /// Every value that depends on one of these, themselves too.
    pub fn reached(&self, from: &[ValueId]) -> Vec<bool> {
        let mut reached = vec![false; self.body.nodes.len()];
        from.iter().for_each(|v| reached[v.0 as usize] = true);
        for (i, node) in self.body.nodes.iter().enumerate() {
            reached[i] |= node.args.iter().any(|a| reached[a.0 as usize]);
        }
        reached
    }

    /// The values from a layer's input to the next ones that stand behind it, through operations that a predicate lets pass.
    pub fn follow(&self, from: ValueId, pass: &dyn Fn(&Pass, ValueId) -> bool) -> Vec<ValueId> {
        let (mut seen, mut ends, mut next) = (Vec::new(), Vec::new(), vec![from]);
        while let Some(v) = next.pop() {
            for user in self.users(v) {
                if seen.contains(user) {
                    continue;
                }
                seen.push(*user);
                if pass(self, *user) { next.push(*user) } else { ends.push(*user) }
            }
        }
        ends
    }

    /// Whether an axis of a value grows with the batch.
    pub fn batch_axis(&self, v: ValueId, axis: usize) -> bool {
        self.node(v).ty.shape.get(axis).is_some_and(|a| is_batch(&a.dim))
    }
}

/// A size that grows with the batch.
pub fn is_batch(d: &Dim) -> bool {
    d.symbols().iter().any(|s| &**s == "B")
}

/// The value behind what only rearranges or repeats it.
pub fn strip(body: &Body, mut v: ValueId) -> ValueId {
    loop {
        let node = body.node(v);
        let view = match &node.op {
            Op::CustomGradient(_) => true,
            Op::Primitive(name, _) => {
                matches!(&**name, "broadcast" | "reshape" | "stop_gradient" | "transpose" | "cast")
            }
            _ => false,
        };
        // Whole numbers made from others are values of their own.
        let cast = matches!(&node.op, Op::Primitive(name, _) if &**name == "cast");
        if !view || cast && !(node.ty.dtype.is_float() && body.ty(node.args[0]).dtype.is_float()) {
            return v;
        }
        v = node.args[0];
    }
}

/// Whether two values are the same, however often they are written: views aside, the same operation on the same values.
pub fn alike(body: &Body, a: ValueId, b: ValueId) -> bool {
    fn same(body: &Body, a: ValueId, b: ValueId, depth: u32) -> bool {
        let (a, b) = (strip(body, a), strip(body, b));
        if a == b || depth == 0 {
            return a == b;
        }
        let (x, y) = (body.node(a), body.node(b));
        let operation = match (&x.op, &y.op) {
            (Op::Primitive(m, p), Op::Primitive(n, q)) => m == n && p == q && !m.starts_with("random"),
            _ => false,
        };
        let mut args = x.args.iter().zip(&y.args);
        operation && x.args.len() == y.args.len() && args.all(|(a, b)| same(body, *a, *b, depth - 1))
    }
    same(body, a, b, 4)
}

/// The axes that a reduction is taken over.
pub fn axes_of(body: &Body, v: ValueId) -> Vec<usize> {
    let node = body.node(v);
    let Op::Primitive(_, attrs) = &node.op else { return Vec::new() };
    let rank = node.args.first().map_or(0, |a| body.ty(*a).rank());
    let place = |n: i64| usize::try_from(if n < 0 { n + rank as i64 } else { n }).ok().filter(|n| *n < rank);
    match attrs.iter().find(|(n, _)| &**n == "axis").map(|(_, a)| a) {
        Some(Attr::Ints(axes)) if !axes.is_empty() => {
            axes.iter().filter_map(|d| d.as_constant().and_then(place)).collect()
        }
        Some(Attr::Int(axis)) => axis.as_constant().and_then(place).into_iter().collect(),
        _ => (0..rank).collect(),
    }
}
