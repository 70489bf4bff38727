//! A checked program made by hand: gradients of a few primitives, and momentum as the optimizer.

use std::sync::Arc;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::dim::Dim;
use tfm_lang::model::*;
use tfm_lang::source::Span;
use tfm_lang::syntax::ast::Unit;
use tfm_lang::types::{DType, TensorType};

/// A body while it is written.
#[derive(Default)]
pub struct Writer {
    pub body: Body,
}

/// `f64[2, B]` and the like; unknowns by name.
pub fn ty(text: &str) -> TensorType {
    let (dtype, dims) = text.trim_end_matches(']').split_once('[').expect("a type");
    let dims = dims.split(',').map(str::trim).filter(|d| !d.is_empty()).map(|d| d.parse().expect("a dimension"));
    TensorType::new(DType::from_name(dtype).expect("a dtype"), dims)
}

pub fn ints(dims: Vec<Dim>) -> Attr {
    Attr::Ints(dims)
}

impl Writer {
    fn push(&mut self, op: Op, args: &[ValueId], ty: TensorType) -> ValueId {
        self.body.push(Node { op, args: args.to_vec(), ty, span: Span::default(), scope: "net".into(), device: None })
    }

    pub fn input(&mut self, name: &str, ty: TensorType) -> ValueId {
        self.push(Op::Input(name.into()), &[], ty)
    }

    pub fn read(&mut self, var: u32, ty: TensorType) -> ValueId {
        self.push(Op::Read(VarId(var)), &[], ty)
    }

    /// The number everywhere.
    pub fn filled(&mut self, x: f64, ty: &TensorType) -> ValueId {
        let number = self.push(Op::Constant(Literal::Number(x)), &[], TensorType::new(ty.dtype, []));
        if ty.rank() == 0 { number } else { self.op("broadcast", &[number], &[("to", ints(ty.dims()))], ty.clone()) }
    }

    pub fn op(&mut self, name: &str, args: &[ValueId], attrs: &[(&str, Attr)], ty: TensorType) -> ValueId {
        let attrs = attrs.iter().map(|(n, a)| ((*n).into(), a.clone())).collect();
        self.push(Op::Primitive(name.into(), attrs), args, ty)
    }

    /// An elementwise primitive: of the type of its first argument.
    pub fn map(&mut self, name: &str, args: &[ValueId]) -> ValueId {
        let ty = self.body.ty(args[0]).clone();
        self.op(name, args, &[], ty)
    }

    pub fn custom(&mut self, value: ValueId, others: &[ValueId], rule: GradientRule) -> ValueId {
        let ty = self.body.ty(value).clone();
        self.push(Op::CustomGradient(Arc::new(rule)), &[&[value], others].concat(), ty)
    }
}

pub struct Hand {
    /// The optimizer keeps an average.
    pub average: bool,
}

/// A rule from a function of (writer, arguments, y, dy).
pub fn rule(
    args: &[TensorType],
    result: &TensorType,
    f: impl FnOnce(&mut Writer, &[ValueId], ValueId, ValueId) -> Vec<Option<ValueId>>,
) -> GradientRule {
    let mut w = Writer::default();
    let mut inputs: Vec<ValueId> = args.iter().map(|t| w.input("arg", t.clone())).collect();
    let (y, dy) = (w.input("y", result.clone()), w.input("dy", result.clone()));
    let outputs = f(&mut w, &inputs, y, dy);
    inputs.extend([y, dy]);
    GradientRule { body: w.body, inputs, outputs }
}

fn transposed(w: &mut Writer, x: ValueId) -> ValueId {
    let mut dims = w.body.ty(x).dims();
    let n = dims.len();
    dims.swap(n - 1, n - 2);
    let ty = TensorType::new(w.body.ty(x).dtype, dims);
    w.op("transpose", &[x], &[("order", ints(Vec::new()))], ty)
}

impl Rules for Hand {
    fn gradient(
        &self,
        primitive: &str,
        attrs: &Attrs,
        args: &[TensorType],
        result: &TensorType,
    ) -> Result<GradientRule, Diagnostic> {
        let attr = |name: &str| attrs.iter().find(|(n, _)| &**n == name).map(|(_, a)| a.clone());
        let shape = |i: usize| args[i].dims();
        Ok(rule(args, result, |w, a, y, dy| match primitive {
            "add" => vec![Some(dy), Some(dy)],
            "subtract" => vec![Some(dy), Some(w.map("negate", &[dy]))],
            "multiply" => vec![Some(w.map("multiply", &[dy, a[1]])), Some(w.map("multiply", &[dy, a[0]]))],
            "negate" => vec![Some(w.map("negate", &[dy]))],
            "tanh" => {
                let square = w.map("multiply", &[y, y]);
                let one = w.filled(1.0, result);
                let rest = w.map("subtract", &[one, square]);
                vec![Some(w.map("multiply", &[dy, rest]))]
            }
            "stop_gradient" => vec![Some(w.filled(0.0, result))],
            "matmul" => {
                let (at, bt) = (transposed(w, a[0]), transposed(w, a[1]));
                let lhs = w.op("matmul", &[dy, bt], &[], args[0].clone());
                vec![Some(lhs), Some(w.op("matmul", &[at, dy], &[], args[1].clone()))]
            }
            "sum" => {
                // Of all elements, or along axis 0.
                vec![Some(w.op("broadcast", &[dy], &[("to", ints(shape(0)))], args[0].clone()))]
            }
            "broadcast" => vec![Some(w.op("sum_to", &[dy], &[("shape", ints(shape(0)))], args[0].clone()))],
            "reshape" => vec![Some(w.op("reshape", &[dy], &[("to", ints(shape(0)))], args[0].clone()))],
            "transpose" => vec![Some(transposed(w, dy))],
            "gather" => {
                let n = Attr::Int(shape(0)[0].clone());
                vec![Some(w.op("scatter_add", &[a[1], dy], &[("n", n)], args[0].clone())), None]
            }
            other => panic!("no gradient of `{other}` {:?}", attr("axis")),
        }))
    }

    /// m' = 0.9 m + g; p' = p - 0.1 m' / step; the average is (a + p') / 2.
    fn update(&self, _: OptimizerId, parameters: &[UpdateParameter], _: &UpdateSettings) -> Result<Update, Diagnostic> {
        let mut w = Writer::default();
        let (step, loss) = (w.input("step", ty("f64[]")), w.input("loss", ty("f32[]")));
        let (mut updates, mut variables) = (Vec::new(), Vec::new());
        for p in parameters {
            let mut of = p.ty.clone();
            if let Some(rows) = &p.rows {
                of.shape[0].dim = rows.clone();
            }
            let (value, gradient) = (w.input("p", of.clone()), w.input("g", of.clone()));
            let m = w.input("m", of.clone());
            let keep = w.filled(0.9, &of);
            let kept = w.map("multiply", &[m, keep]);
            let new_m = w.map("add", &[kept, gradient]);
            let tenth = w.filled(0.1, &ty("f64[]"));
            let rate = w.map("divide", &[tenth, step]);
            let rate = w.op("broadcast", &[rate], &[("to", ints(of.dims()))], of.clone());
            let by = w.map("multiply", &[rate, new_m]);
            let new_value = w.map("subtract", &[value, by]);
            let mut states = vec![state(&mut variables, p, "m", m, new_m)];
            let average = self.average.then(|| {
                let a = w.input("a", of.clone());
                let sum = w.map("add", &[a, new_value]);
                let half = w.filled(0.5, &of);
                let new_a = w.map("multiply", &[sum, half]);
                states.push(state(&mut variables, p, "a", a, new_a));
                new_a
            });
            updates.push(ParameterUpdate { value, gradient, new_value, average, states });
        }
        Ok(Update { body: w.body, step, loss, parameters: updates, variables })
    }
}

fn state(
    variables: &mut Vec<Variable>,
    p: &UpdateParameter,
    name: &str,
    value: ValueId,
    new_value: ValueId,
) -> StateUpdate {
    let path = format!("{}/momentum_1.{name}", p.path);
    variables.push(variable(&path, VariableKind::Optimizer, p.ty.clone(), 0.0));
    StateUpdate { variable: variables.len() - 1, value, new_value, by_rows: p.rows.is_some() }
}

pub fn variable(path: &str, kind: VariableKind, ty: TensorType, start: f64) -> Variable {
    let mut w = Writer::default();
    let root = w.filled(start, &ty);
    Variable { path: path.into(), kind, ty, init: (w.body, root), span: Span::default(), device: None }
}

/// A program with one loss.
pub fn program(w: Writer, losses: Vec<ValueId>) -> Program {
    Program { body: w.body, losses, reports: Vec::new(), outputs: Vec::new(), assigns: Vec::new() }
}

/// A model with one `train` block, `t`, of three epochs.
pub fn model(
    variables: Vec<Variable>,
    training: Program,
    evaluation: Program,
    over: &[&[u32]],
    average: bool,
) -> Model {
    let minimize = |(loss, vars): (usize, &&[u32])| Minimize {
        loss,
        parameters: vars.iter().map(|v| VarId(*v)).collect(),
        optimizer: OptimizerId(0),
        written: String::new(),
    };
    let train = Train {
        name: "t".into(),
        data: DataRef { data: 0, split: 0, operators: Vec::new() },
        batch: 4,
        length: Period { count: 3.0, unit: Unit::Epochs },
        seed: 1,
        settings: Settings::default(),
        training,
        evaluation,
        minimize: over.iter().enumerate().map(minimize).collect(),
        periodic: Vec::new(),
        stop: Vec::new(),
        starts: Vec::new(),
        frozen: Vec::new(),
        span: Span::default(),
    };
    Model { variables, instances: Vec::new(), data: Vec::new(), trains: vec![train], rules: Arc::new(Hand { average }) }
}
