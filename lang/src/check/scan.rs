//! `scan`: a body that runs over an axis with one set of weights.
//!
//! The body is evaluated once, in place, with inputs for what is carried and walked. What it wrote is then
//! taken out again: what depends on the turn becomes a body of its own, what every turn would compute alike
//! stays outside and is computed once.

use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Body, Node, Op, Scan, ValueId};
use crate::source::Span;
use crate::syntax::ast::{Block, Each, Expr, Name};
use crate::types::{Axis, DType, TensorType};
use std::collections::HashMap;
use std::sync::Arc;

/// Views cost nothing: they are taken inside, so that a turn is given what they look at.
const VIEWS: [&str; 4] = ["broadcast", "reverse", "slice", "transpose"];

/// A scan whose body is being evaluated.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// How many applications were in progress around it: a `yield` belongs to its own text alone.
    frames: usize,
    /// What it yielded, and where.
    yielded: Option<(Value, Span)>,
    /// Its place.
    span: Span,
}

/// What a scan goes through.
struct Walk {
    /// What the names stand for, with tensors whose axis 0 is walked.
    value: Value,
    /// As it was written: what is yielded is stacked along it, from the end when negative.
    axis: i64,
    length: Axis,
}

impl Walk {
    /// The axis that elements of this rank are stacked along.
    fn stacks_along(&self, rank: usize) -> Option<usize> {
        let axis = if self.axis < 0 { self.axis + rank as i64 + 1 } else { self.axis };
        usize::try_from(axis).ok().filter(|axis| *axis <= rank)
    }
}

impl Elab {
    pub fn scan(
        &mut self,
        env: &mut Env,
        carries: &[(Name, Expr)],
        each: &Each,
        body: &Block,
        span: Span,
    ) -> Res<Value> {
        let initial: Vec<Res<Value>> = carries
            .iter()
            .map(|(_, e)| {
                let value = self.eval(env, e)?;
                self.in_tensors(&value, None, e.span)
            })
            .collect();
        let walk = self.walk_over(env, each);
        let initial: Vec<Value> = initial.into_iter().collect::<Res<_>>()?;
        let walk = walk?;

        let start = self.body.nodes.len();
        let (recorded, applied) = (self.outputs.len(), self.applications.len());
        let carried: Vec<Value> =
            carries.iter().zip(&initial).map(|((name, _), v)| self.inputs_for(v, name, false)).collect();
        let place = each.names.first().map_or(span, |n| n.span);
        let element = self.inputs_for(&walk.value, &Name { text: "element".into(), span: place }, true);
        let inputs: Vec<ValueId> = (start..self.body.nodes.len()).map(|i| ValueId(i as u32)).collect();

        let outer = env.names.len();
        for ((name, _), value) in carries.iter().zip(&carried) {
            env.bind(name.text, value.clone(), name.span);
        }
        self.scans.push(Turn { frames: self.frames.len(), yielded: None, span });
        let value = self.bind_each(env, each, element).and_then(|()| self.block(env, body));
        env.names.truncate(outer);
        let turn = self.scans.pop();
        let next = self.next_carried(carries, &initial, value?, body)?;
        let yielded = match turn.and_then(|t| t.yielded) {
            Some((value, place)) => Some(self.in_tensors(&value, None, place)?),
            None => None,
        };
        self.outputs.truncate(recorded);
        // Their values are numbered anew when the turn becomes a body of its own.
        self.applications.truncate(applied);

        let mut yields = Vec::new();
        yielded.iter().for_each(|v| leaves(v, &mut yields));
        let mut parts = Parts { carried: Vec::new(), walked: Vec::new(), initial: Vec::new(), next, yields, inputs };
        carried.iter().for_each(|v| leaves(v, &mut parts.carried));
        initial.iter().for_each(|v| leaves(v, &mut parts.initial));
        leaves(&walk.value, &mut parts.walked);
        self.check_yields(&parts, &walk)?;
        let results = self.take_out(start, &walk, parts, span)?;

        let mut results = results.into_iter();
        let mut values: Vec<Value> = initial.iter().map(|v| rebuild(v, &mut results)).collect();
        if let Some(shape) = &yielded {
            let mut moved = Vec::new();
            for v in results {
                let axis = walk.stacks_along(self.ty(v).rank() - 1).unwrap_or(0);
                moved.push(self.axis_to(v, axis, span));
            }
            values.insert(0, rebuild(shape, &mut moved.into_iter()));
        }
        Ok(if values.len() == 1 { values.remove(0) } else { Value::Tuple(Arc::new(values)) })
    }

    /// `yield e`, of the innermost scan.
    pub fn yielded(&mut self, value: Value, at: Span, span: Span) -> Res<()> {
        let frames = self.frames.len();
        let turn = self.scans.last_mut().filter(|t| t.frames == frames);
        let Some(turn) = turn else {
            let d = Diagnostic::error("E0802", span, "`yield` stands outside the body of a `scan`")
                .help("`scan h = h0 for x_t in x axis 1 { …; yield h2; h2 }` stacks what each turn yields");
            return Err(self.fail(d));
        };
        if let Some((_, first)) = &turn.yielded {
            let d = Diagnostic::error("E0802", span, "a turn yields twice")
                .label(*first, "first here")
                .help("yield both together, `yield (a, b)`: each is stacked by itself");
            return Err(self.fail(d));
        }
        turn.yielded = Some((value, at));
        Ok(())
    }

    /// Refuses what would have to happen once each turn.
    pub fn not_in_scan(&mut self, what: &str, span: Span) -> Res<()> {
        let Some(turn) = self.scans.last().map(|t| t.span) else { return Ok(()) };
        let head = Span { end: turn.start + 4, ..turn };
        let d = Diagnostic::error("E0802", span, format!("{what} stands inside a `scan`"))
            .label(head, "whose body runs once for each element")
            .help("carry it: name it before `for`, and give its next value at the end of the body");
        Err(self.fail(d))
    }

    /// A value whose leaves are tensors: numbers become tensors of rank 0.
    fn in_tensors(&mut self, value: &Value, dtype: Option<DType>, span: Span) -> Res<Value> {
        match value {
            Value::Tuple(items) => Ok(Value::Tuple(Arc::new(self.all_in_tensors(items, span)?))),
            Value::List(items) if !is_literal(value) => Ok(Value::list(self.all_in_tensors(items, span)?)),
            Value::Named(items) => {
                let values: Vec<Value> = items.iter().map(|(_, v)| v.clone()).collect();
                let values = self.all_in_tensors(&values, span)?;
                let names = items.iter().map(|(n, _)| *n);
                Ok(Value::Named(Arc::new(names.zip(values).collect())))
            }
            other => Ok(Value::Tensor(self.tensor(other, dtype, span)?)),
        }
    }

    fn all_in_tensors(&mut self, items: &[Value], span: Span) -> Res<Vec<Value>> {
        items.iter().map(|v| self.in_tensors(v, None, span)).collect()
    }

    /// What is walked: tensors along an axis, or the numbers of a range.
    fn walk_over(&mut self, env: &mut Env, each: &Each) -> Res<Walk> {
        let over = self.eval(env, &each.over)?;
        if let Some(until) = &each.until {
            let end = self.eval(env, until)?;
            return self.walk_range(&over, &end, each.over.span, until.span);
        }
        let over = match &over {
            Value::Tensor(_) | Value::Tuple(_) | Value::Named(_) | Value::List(_) => {
                self.in_tensors(&over, None, each.over.span)?
            }
            Value::Opaque | Value::Unknown => return Err(Failed),
            other => {
                let kind = other.kind();
                let d = Diagnostic::error("E0801", each.over.span, format!("`scan` walks a tensor, this is {kind}"))
                    .help("`for x_t in x axis 1` walks an axis, `for t in 0..n` the numbers of a range");
                return Err(self.fail(d));
            }
        };
        let Some(axis) = &each.axis else {
            let d = Diagnostic::error("E0801", each.over.span, "`scan` is not told which axis it walks")
                .help(format!("write `{} axis 1`, or another axis", self.quote(each.over.span)));
            return Err(self.fail(d));
        };
        let given = self.eval(env, axis)?;
        let number = self.whole(&given, axis.span)?;
        let mut tensors = Vec::new();
        leaves(&over, &mut tensors);
        let mut found: Option<(Axis, TensorType)> = None;
        let mut moved = Vec::new();
        for v in tensors {
            let ty = self.ty(v).clone();
            let axis = self.axis_number(number, ty.rank(), "scan", axis.span)?;
            let length = ty.shape[axis].clone();
            match &found {
                Some((first, other)) if !self.agree(&first.dim, &length.dim) => {
                    let message = format!("two lengths are walked together: {} and {}", first.dim, length.dim);
                    let mut d = Diagnostic::error("E0801", each.over.span, message)
                        .says(format!("{other} and {ty} along axis {number}"));
                    for line in [self.story(first.origin), self.story(length.origin)].concat() {
                        d = d.note(line);
                    }
                    return Err(self.fail(d));
                }
                Some(_) => {}
                None => found = Some((length, ty)),
            }
            moved.push(self.axis_first(v, axis, each.over.span));
        }
        let Some((length, _)) = found else {
            return self.error("E0801", each.over.span, "there is nothing to walk here");
        };
        Ok(Walk { value: rebuild(&over, &mut moved.into_iter()), axis: number, length })
    }

    /// `from..to`: the numbers as a tensor.
    fn walk_range(&mut self, from: &Value, to: &Value, at: Span, until: Span) -> Res<Walk> {
        let (from, to) = (self.dim_of(from, at)?, self.dim_of(to, until)?);
        let length = to.sub(&from);
        if self.at_most(&Dim::constant(1), &length) == super::compare::Verdict::Refuted {
            let d = Diagnostic::error("E0801", at.to(until), format!("this range has {length} numbers"))
                .note("a scan has at least one turn");
            return Err(self.fail(d));
        }
        let span = at.to(until);
        let numbers = self.call_primitive("iota", vec![Value::Int(length.clone())], span)?;
        let numbers = match from.as_constant() {
            Some(0) => numbers,
            _ => self.call_primitive("add", vec![numbers, Value::Int(from)], span)?,
        };
        let Value::Tensor(v) = numbers else { return Err(Failed) };
        self.body.nodes[v.0 as usize].ty.below = Some(to);
        let length = self.ty(v).shape[0].clone();
        Ok(Walk { value: numbers, axis: 0, length })
    }

    fn axis_first(&mut self, v: ValueId, axis: usize, span: Span) -> ValueId {
        let order = (0..self.ty(v).rank()).filter(|i| *i != axis);
        let order = std::iter::once(axis).chain(order).collect();
        self.reorder(v, order, span)
    }

    /// The inverse of [`Elab::axis_first`].
    fn axis_to(&mut self, v: ValueId, axis: usize, span: Span) -> ValueId {
        let rank = self.ty(v).rank();
        let order = (1..=axis).chain([0]).chain(axis + 1..rank).collect();
        self.reorder(v, order, span)
    }

    fn reorder(&mut self, v: ValueId, order: Vec<usize>, span: Span) -> ValueId {
        if order.is_sorted() {
            return v;
        }
        let ty = self.ty(v).clone();
        let shape = order.iter().map(|i| ty.shape[*i].clone()).collect();
        let attr = crate::model::Attr::Ints(order.iter().map(|i| Dim::constant(*i as i64)).collect());
        self.primitive("transpose", vec![("order".into(), attr)], vec![v], TensorType { shape, ..ty }, span)
    }

    /// Inputs of a turn in place of a value's tensors. What is carried has no bound: the next turn's may
    /// have another.
    fn inputs_for(&mut self, value: &Value, name: &Name, walked: bool) -> Value {
        let mut tensors = Vec::new();
        leaves(value, &mut tensors);
        let inputs: Vec<ValueId> = tensors
            .into_iter()
            .map(|v| {
                let mut ty = self.ty(v).clone();
                if walked {
                    ty.shape = ty.shape.without(0);
                } else {
                    ty.below = None;
                }
                self.push(Op::Input(name.text.as_str().into()), Vec::new(), ty, name.span)
            })
            .collect();
        rebuild(value, &mut inputs.into_iter())
    }

    /// The value of the body as what the next turn is given: of the same types.
    fn next_carried(
        &mut self,
        carries: &[(Name, Expr)],
        initial: &[Value],
        value: Value,
        body: &Block,
    ) -> Res<Vec<ValueId>> {
        let place = body.statements.last().map_or(body.span, |s| s.span);
        let n = carries.len();
        let values = match value {
            value if n == 1 => vec![value],
            Value::Tuple(items) if items.len() == n => items.to_vec(),
            other => {
                let names: Vec<&str> = carries.iter().map(|(name, _)| name.text.as_str()).collect();
                let mut d = Diagnostic::error(
                    "E0801",
                    place,
                    format!("each turn must give {n} carried values, this gives {}", how_many(&other)),
                );
                d = d.help(format!("end the body with `({})`, the values for the next turn", names.join(", ")));
                return Err(self.fail(d));
            }
        };
        let mut next = Vec::new();
        for (((name, first), before), value) in carries.iter().zip(initial).zip(&values) {
            self.fit_carried(name, first.span, before, value, place, &mut next)?;
        }
        Ok(next)
    }

    fn fit_carried(
        &mut self,
        name: &Name,
        first: Span,
        before: &Value,
        value: &Value,
        place: Span,
        next: &mut Vec<ValueId>,
    ) -> Res<()> {
        let inner = |v: &Value| match v {
            Value::Tuple(items) | Value::List(items) => Some(items.to_vec()),
            Value::Named(items) => Some(items.iter().map(|(_, v)| v.clone()).collect()),
            _ => None,
        };
        if let (Some(have), false) = (inner(before), matches!(value, Value::Opaque | Value::Unknown)) {
            let parts = inner(value).filter(|parts| parts.len() == have.len());
            let Some(parts) = parts else {
                let told =
                    format!("`{}` is {} values, the next turn would get {}", name.text, have.len(), how_many(value));
                let d = Diagnostic::error("E0801", place, told).label(first, "what it starts with");
                return Err(self.fail(d));
            };
            return have.iter().zip(&parts).try_for_each(|(b, v)| self.fit_carried(name, first, b, v, place, next));
        }
        let Value::Tensor(before) = before else { return Err(Failed) };
        let want = self.ty(*before).clone();
        if matches!(value, Value::Tuple(items) if items.is_empty()) {
            let d = Diagnostic::error("E0801", place, format!("this turn gives no next value of `{}`", name.text))
                .says("the last line of the body is what is carried on");
            return Err(self.fail(d));
        }
        let mut v = self.tensor(value, Some(want.dtype), place)?;
        if self.ty(v).rank() == 0 && want.rank() > 0 && value.is_number() {
            v = self.broadcast(v, &want.shape, place);
        }
        let have = self.ty(v).clone();
        let fits = have.dtype == want.dtype
            && have.rank() == want.rank()
            && have.shape.iter().zip(&want.shape).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if !fits {
            let (want, have) = (TensorType { below: None, ..want }, TensorType { below: None, ..have });
            let d =
                Diagnostic::error("E0801", place, format!("`{}` is {want}, the next turn would get {have}", name.text))
                    .says(format!("{have}"))
                    .label(first, format!("{want}"))
                    .help("what a scan carries keeps its type; `fold` is unrolled, there it may change");
            return Err(self.fail(d));
        }
        next.push(v);
        Ok(())
    }

    fn check_yields(&mut self, parts: &Parts, walk: &Walk) -> Res<()> {
        for v in &parts.yields {
            let ty = self.ty(*v).clone();
            if walk.stacks_along(ty.rank()).is_none() {
                let span = self.body.node(*v).span;
                let d = Diagnostic::error("E0801", span, format!("{ty} cannot be stacked along axis {}", walk.axis))
                    .note("what is yielded is stacked along the axis that is walked")
                    .help("yield something of a higher rank, or walk axis 0: `transpose` moves the axis there");
                return Err(self.fail(d));
            }
        }
        Ok(())
    }
}

/// The tensors of a scan by what they are for.
struct Parts {
    /// Inputs of the turn.
    carried: Vec<ValueId>,
    /// What is walked, axis 0 first.
    walked: Vec<ValueId>,
    /// What the first turn is given.
    initial: Vec<ValueId>,
    next: Vec<ValueId>,
    yields: Vec<ValueId>,
    /// All inputs of the turn: what is carried, then elements of what is walked.
    inputs: Vec<ValueId>,
}

impl Elab {
    /// Takes what was written from `start` on out of the body, and writes the scan in its place; gives
    /// what is carried at the end, then what was stacked along axis 0.
    fn take_out(&mut self, start: usize, walk: &Walk, parts: Parts, span: Span) -> Res<Vec<ValueId>> {
        let written = self.body.nodes.split_off(start);
        let turns = self.depends_on_turn(start, &written, &parts.inputs);
        // What every turn computes alike stays outside.
        let mut outside: HashMap<ValueId, ValueId> = HashMap::new();
        for (i, node) in written.iter().enumerate().filter(|(i, _)| !turns[*i]) {
            let mut node = node.clone();
            node.args.iter_mut().for_each(|a| *a = outside.get(a).copied().unwrap_or(*a));
            outside.insert(ValueId((start + i) as u32), self.body.push(node));
        }
        for v in self.current.values_mut() {
            *v = outside.get(v).copied().unwrap_or(*v);
        }
        let mut inner = Inner { outer: &self.body, body: Body::default(), of: HashMap::new(), captured: Vec::new() };
        let mut inside: HashMap<ValueId, ValueId> = HashMap::new();
        let place = |inner: &mut Inner, inside: &HashMap<ValueId, ValueId>, v: &ValueId| match inside.get(v) {
            Some(v) => *v,
            None => inner.capture(outside.get(v).copied().unwrap_or(*v)),
        };
        for (i, node) in written.iter().enumerate().filter(|(i, _)| turns[*i]) {
            let mut node = node.clone();
            let args: Vec<ValueId> = node.args.iter().map(|a| place(&mut inner, &inside, a)).collect();
            node.args = args;
            inside.insert(ValueId((start + i) as u32), inner.body.push(node));
        }
        let next: Vec<ValueId> = parts.next.iter().map(|v| place(&mut inner, &inside, v)).collect();
        let yields: Vec<ValueId> = parts.yields.iter().map(|v| place(&mut inner, &inside, v)).collect();
        let types: Vec<TensorType> = yields.iter().map(|v| inner.body.ty(*v).clone()).collect();
        let (carried, walked) = parts.inputs.split_at(parts.carried.len());
        let inputs = |vs: &[ValueId]| vs.iter().map(|v| inside[v]).collect::<Vec<_>>();
        let (outer, captured): (Vec<ValueId>, Vec<ValueId>) = inner.captured.iter().copied().unzip();
        let stands_for: HashMap<ValueId, ValueId> = inner.of.iter().map(|(outer, inner)| (*inner, *outer)).collect();
        let scan = Scan {
            length: walk.length.dim.clone(),
            captured,
            walked: inputs(walked),
            carried: inputs(carried),
            next,
            yields,
            body: inner.body,
        };
        self.whole_gradients(&scan.body, &stands_for)?;
        let args = [outer, parts.walked, parts.initial.clone()].concat();
        let node = self.push(Op::Scan(Arc::new(scan)), args, TensorType::new(DType::Bool, []), span);
        let mut results = Vec::new();
        let finals = parts.initial.iter().map(|v| TensorType { below: None, ..self.ty(*v).clone() });
        let stacked = types.into_iter().map(|mut ty| {
            ty.shape = ty.shape.with(0, walk.length.clone());
            ty
        });
        for (k, ty) in finals.chain(stacked).collect::<Vec<_>>().into_iter().enumerate() {
            results.push(self.push(Op::Result(k as u32), vec![node], ty, span));
        }
        Ok(results)
    }

    /// Which of the nodes differ from turn to turn: they depend on an input of the turn, or draw.
    fn depends_on_turn(&self, start: usize, written: &[Node], inputs: &[ValueId]) -> Vec<bool> {
        let mut roots: Vec<ValueId> = inputs.to_vec();
        loop {
            let mut turns = vec![false; written.len()];
            for (i, node) in written.iter().enumerate() {
                let depends =
                    |a: &ValueId| roots.contains(a) || (a.0 as usize).checked_sub(start).is_some_and(|k| turns[k]);
                let is_root = roots.contains(&ValueId((start + i) as u32));
                turns[i] =
                    !matches!(node.op, Op::Read(_)) && (is_root || draws(&node.op) || node.args.iter().any(depends));
            }
            // A gradient that is taken in a turn goes through what lies between, all of which must be there.
            let taken = written.iter().zip(&turns).filter(|(n, turn)| **turn && matches!(n.op, Op::Gradient(_)));
            let more: Vec<ValueId> =
                taken.flat_map(|(n, _)| &n.args[1..]).copied().filter(|x| !roots.contains(x)).collect();
            if more.is_empty() {
                return turns;
            }
            roots.extend(more);
        }
    }
}

/// True for a random draw, and for a scan with one.
fn draws(op: &Op) -> bool {
    match op {
        Op::Primitive(_, attrs) => attrs.iter().any(|(name, _)| &**name == "key"),
        Op::Scan(scan) => scan.body.nodes.iter().any(|n| draws(&n.op)),
        _ => false,
    }
}

/// The body of a turn while it is written.
struct Inner<'a> {
    outer: &'a Body,
    body: Body,
    /// Nodes of the turn in place of nodes outside.
    of: HashMap<ValueId, ValueId>,
    captured: Vec<(ValueId, ValueId)>,
}

impl Inner<'_> {
    /// The node that stands for a value from outside.
    fn capture(&mut self, v: ValueId) -> ValueId {
        if let Some(known) = self.of.get(&v) {
            return *known;
        }
        let node = self.outer.node(v);
        let inner = match &node.op {
            Op::Constant(_) => self.body.push(node.clone()),
            Op::Primitive(name, _) if VIEWS.contains(&&**name) => {
                let args = node.args.iter().map(|a| self.capture(*a)).collect();
                self.body.push(Node { args, ..node.clone() })
            }
            _ => {
                let op = Op::Input("outside".into());
                let inner = self.body.push(Node { op, args: Vec::new(), ..node.clone() });
                self.captured.push((v, inner));
                inner
            }
        };
        self.of.insert(v, inner);
        inner
    }
}

/// `2 values`, `a tensor`
fn how_many(value: &Value) -> String {
    match value {
        Value::Tuple(items) | Value::List(items) => match items.len() {
            0 => "none".into(),
            n => format!("{n} values"),
        },
        other => other.kind().into(),
    }
}

/// True for numbers and nested lists of them, which are one tensor.
fn is_literal(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().all(is_literal),
        other => other.is_number() || matches!(other, Value::Bool(_)),
    }
}

/// The tensors in a value, from left to right.
pub(super) fn leaves(value: &Value, out: &mut Vec<ValueId>) {
    match value {
        Value::Tensor(v) => out.push(*v),
        Value::Tuple(items) | Value::List(items) => items.iter().for_each(|v| leaves(v, out)),
        Value::Named(items) => items.iter().for_each(|(_, v)| leaves(v, out)),
        _ => {}
    }
}

/// The same value with other tensors.
pub(super) fn rebuild(value: &Value, tensors: &mut dyn Iterator<Item = ValueId>) -> Value {
    match value {
        Value::Tensor(v) => Value::Tensor(tensors.next().unwrap_or(*v)),
        Value::Tuple(items) => Value::Tuple(Arc::new(items.iter().map(|v| rebuild(v, tensors)).collect())),
        Value::List(items) => Value::list(items.iter().map(|v| rebuild(v, tensors)).collect()),
        Value::Named(items) => Value::Named(Arc::new(items.iter().map(|(n, v)| (*n, rebuild(v, tensors))).collect())),
        other => other.clone(),
    }
}
