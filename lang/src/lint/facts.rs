//! What is known of each value of a body: its range, whether it is a distribution, where it comes from. One walk over
//! the body in its order, with what each primitive does in the table of `transfer.rs`.

use super::data::FieldFacts;
use super::transfer;
use crate::dim::Dim;
use crate::model::{Body, Literal, Op, ValueId, Variable, VariableKind};
use std::collections::BTreeSet;

/// Whether a value may be 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zero {
    /// It never is.
    Never,
    /// For some inputs and weights it is, or so near that the dtype makes it 0.
    Sometimes,
    /// Nothing is known.
    Unknown,
}

/// Numbers that sum to 1 along an axis, or their logarithms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sums {
    /// The axis.
    pub axis: usize,
    /// Logarithms.
    pub log: bool,
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub struct Fact {
    /// No element is below.
    pub low: f64,
    /// No element is above.
    pub high: f64,
    /// The range is what the values do take, and not only what is known of them.
    pub sure: bool,
    /// Whether an element may be 0.
    pub zero: Zero,
    /// A distribution along an axis.
    pub sums: Option<Sums>,
    /// `x - max(x)`, or the exponential of it: along these axes the largest is 0, or 1.
    pub peak: Option<Vec<usize>>,
    /// For a sum: the range of what was added, and how many.
    pub total: Option<(f64, f64, Dim)>,
    /// The numbers of classes, as they are or scaled by a constant.
    pub class: bool,
    /// One-hot rows of class numbers.
    pub one_hot: bool,
    /// Columns of a table that nothing has scaled.
    pub plain: BTreeSet<String>,
    /// Fields of categories whose numbers it has, as they are or scaled.
    pub numbered: BTreeSet<String>,
    /// The fields of the data that it depends on.
    pub fields: BTreeSet<String>,
    /// It depends on a parameter.
    pub weights: bool,
    /// A gradient goes from it to a parameter.
    pub flows: bool,
    /// It depends on a draw.
    pub random: bool,
}

impl Fact {
    /// Nothing is known.
    pub fn unknown() -> Fact {
        Fact {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            sure: false,
            zero: Zero::Unknown,
            sums: None,
            peak: None,
            total: None,
            class: false,
            one_hot: false,
            plain: BTreeSet::new(),
            numbered: BTreeSet::new(),
            fields: BTreeSet::new(),
            weights: false,
            flows: false,
            random: false,
        }
    }

    /// A range that the values take.
    pub fn range(low: f64, high: f64) -> Fact {
        let zero = if low > 0.0 || high < 0.0 { Zero::Never } else { Zero::Sometimes };
        Fact { low, high, sure: true, zero, ..Fact::unknown() }
    }

    /// A number.
    pub fn number(x: f64) -> Fact {
        Fact::range(x, x)
    }

    /// Whether all elements are one number.
    pub fn is(&self, x: f64) -> bool {
        self.low == x && self.high == x
    }

    /// No element is below 0.
    pub fn nonnegative(&self) -> bool {
        self.low >= 0.0
    }

    /// Numbers from 0 to 1 that sum to 1 along an axis.
    pub fn is_distribution(&self) -> bool {
        self.sums.as_ref().is_some_and(|s| !s.log)
    }

    /// Their logarithms.
    pub fn is_log_distribution(&self) -> bool {
        self.sums.as_ref().is_some_and(|s| s.log)
    }

    /// Takes over where the other comes from, and not what it is.
    pub fn from(mut self, other: &Fact) -> Fact {
        self.fields.extend(other.fields.iter().cloned());
        self.weights |= other.weights;
        self.flows |= other.flows;
        self.random |= other.random;
        self
    }
}

/// What is known of each value of a body.
pub fn of(body: &Body, variables: &[Variable], fields: &[FieldFacts]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::with_capacity(body.nodes.len());
    for (i, node) in body.nodes.iter().enumerate() {
        let fact = match &node.op {
            Op::Input(name) => input(name, fields),
            Op::Constant(literal) => constant(literal),
            Op::Read(id) => {
                let weights = variables.get(id.0 as usize).is_some_and(|v| v.kind == VariableKind::Parameter);
                if weights {
                    Fact { weights, flows: true, ..Fact::range(f64::NEG_INFINITY, f64::INFINITY) }
                } else {
                    Fact::unknown()
                }
            }
            Op::CustomGradient(_) => facts[node.args[0].0 as usize].clone(),
            Op::Primitive(name, _) => {
                let fact = transfer::of(name, body, &facts, ValueId(i as u32));
                let fact = node.args.iter().fold(fact, |f, a| f.from(&facts[a.0 as usize]));
                if &**name == "stop_gradient" { Fact { flows: false, ..fact } } else { fact }
            }
            Op::Scan(_) | Op::Result(_) | Op::Gradient(_) => {
                node.args.iter().fold(Fact::unknown(), |f, a| f.from(&facts[a.0 as usize]))
            }
        };
        facts.push(fact);
    }
    facts
}

fn input(name: &str, fields: &[FieldFacts]) -> Fact {
    if name == "step" {
        return Fact::range(1.0, f64::INFINITY);
    }
    fields.iter().find(|f| f.name == name).map_or_else(Fact::unknown, |f| f.fact.clone())
}

fn constant(literal: &Literal) -> Fact {
    match literal {
        Literal::Number(x) => Fact::number(*x),
        Literal::Bool(b) => Fact::number(f64::from(u8::from(*b))),
        Literal::Numbers(all) => {
            let low = all.iter().copied().fold(f64::INFINITY, f64::min);
            let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let zero = if all.contains(&0.0) { Zero::Sometimes } else { Zero::Never };
            Fact { zero, ..Fact::range(low, high) }
        }
        Literal::Dim(d) => match d.as_constant() {
            Some(n) => Fact::number(n as f64),
            None => Fact::range(d.at_least().map_or(f64::NEG_INFINITY, |n| n as f64), f64::INFINITY),
        },
    }
}

/// The range of a value, for a label.
pub fn range(fact: &Fact) -> String {
    match (fact.low.is_finite(), fact.high.is_finite()) {
        (true, true) => format!("from {} to {}", fact.low, fact.high),
        (true, false) => format!("{} or more", fact.low),
        (false, true) => format!("{} or less", fact.high),
        (false, false) => "any number, on either side of 0".into(),
    }
}
