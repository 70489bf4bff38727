//! Elementwise primitives, which most nodes are, without binding a signature: `add(a: number[..S], b: number[..S])`
//! of tensors that fit. Whatever is not as it should be is left to the general way, which says what is wrong.

use super::apply::Argument;
use super::elab::{Elab, Res};
use super::signature::{class_holds, whole_rest};
use super::value::Value;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{Callable, ResultType, TypeKind};
use crate::types::{DType, Shape, TensorType};
use crate::word::Word;

/// No elementwise primitive takes more.
const MOST: usize = 4;

/// An elementwise primitive, read from its declaration: the dtypes or classes of its inputs and of its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    count: usize,
    inputs: [Element; MOST],
    result: Element,
}

/// What an element is declared as.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Element {
    Of(DType),
    Class(Word),
}

impl Element {
    fn named(word: Word) -> Element {
        DType::from_name(&word).map_or(Element::Class(word), Element::Of)
    }
}

impl Plain {
    /// Of a primitive whose inputs and result are all of one shape `[..S]`.
    pub fn of(callable: &Callable) -> Option<Plain> {
        let Some(ResultType::One(result)) = &callable.result else { return None };
        let shape = whole_rest(result)?;
        let element = |kind: &TypeKind| match kind {
            TypeKind::Tensor { dtype, below: None, .. } => Some(Element::named(dtype.text)),
            _ => None,
        };
        let result = element(&result.kind)?;
        let count = callable.inputs.len();
        if count == 0 || count > MOST || callable.condition.is_some() {
            return None;
        }
        let mut inputs = [result; MOST];
        for (input, param) in inputs.iter_mut().zip(&callable.inputs) {
            let ty = param.ty.as_ref().filter(|ty| param.default.is_none() && whole_rest(ty) == Some(shape))?;
            *input = element(&ty.kind)?;
        }
        // A result of a class has the dtype that an input of the same class brings.
        let known = matches!(result, Element::Of(_)) || inputs[..count].contains(&result);
        known.then_some(Plain { count, inputs, result })
    }
}

impl Elab {
    /// Applies an elementwise primitive, when its arguments are tensors and numbers that fit as they are.
    pub fn apply_plain(
        &mut self,
        plain: &Plain,
        callable: &Callable,
        args: &[Argument],
        span: Span,
    ) -> Option<Res<Value>> {
        if args.len() != plain.count || args.iter().any(|a| a.name.is_some() || a.pattern.is_some()) {
            return None;
        }
        let classes = self.classes(plain, args)?;
        let mut values = [ValueId(0); MOST];
        let mut shape: Option<Shape> = None;
        for (value, arg) in values.iter_mut().zip(args) {
            let Value::Tensor(v) = arg.value else { continue };
            *value = v;
            let own = &self.ty(v).shape;
            match &shape {
                Some(first) if !first.is_empty() || own.is_empty() => {
                    if !own.is_empty() && !covers(first, own) {
                        return None;
                    }
                }
                _ => shape = Some(own.clone()),
            }
        }
        let shape = shape?;
        for (i, arg) in args.iter().enumerate() {
            if !matches!(arg.value, Value::Tensor(_)) {
                let dtype = classes[i];
                match self.scalar(&arg.value, dtype, arg.span)? {
                    Ok(v) => values[i] = v,
                    Err(failed) => return Some(Err(failed)),
                }
            }
        }
        for (value, arg) in values.iter_mut().zip(args) {
            *value = self.broadcast(*value, &shape, arg.span);
        }
        let values = &values[..plain.count];
        let dtype = match plain.result {
            Element::Of(dtype) => dtype,
            class => plain.inputs.iter().position(|i| *i == class).map(|i| classes[i])?,
        };
        let shape = self.ty(values[0]).shape.clone();
        let below = self.kept_bound(callable, values, dtype);
        let ty = TensorType { dtype, shape, below };
        Some(Ok(Value::Tensor(self.primitive(callable.name.text, Vec::new(), values.to_vec(), ty, span))))
    }

    /// The dtype of each argument, where all of them can have those that are declared.
    fn classes(&self, plain: &Plain, args: &[Argument]) -> Option<[DType; MOST]> {
        let mut dtypes = [None; MOST];
        for (dtype, arg) in dtypes.iter_mut().zip(args) {
            if let Value::Tensor(v) = arg.value {
                *dtype = Some(self.ty(v).dtype);
            }
        }
        let mut out = [DType::F32; MOST];
        for i in 0..plain.count {
            let of_class = || (0..plain.count).filter(|&k| plain.inputs[k] == plain.inputs[i]).find_map(|k| dtypes[k]);
            let wanted = match plain.inputs[i] {
                Element::Of(dtype) => dtype,
                Element::Class(class) => of_class().filter(|d| class_holds(&class, *d))?,
            };
            let fits = match (&args[i].value, dtypes[i]) {
                (_, Some(have)) => have == wanted,
                (Value::Int(_), None) => wanted != DType::Bool,
                (Value::Float(x), None) => wanted.is_float() || (wanted.is_int() && x.fract() == 0.0),
                (Value::Bool(_), None) => wanted == DType::Bool,
                _ => false,
            };
            if !fits {
                return None;
            }
            out[i] = wanted;
        }
        Some(out)
    }
}

/// True where two operands are of one shape, and the first knows of each axis where it came from if the other does.
fn covers(first: &Shape, other: &Shape) -> bool {
    first.len() == other.len()
        && first.iter().zip(other).all(|(a, b)| {
            let told = a.origin != Default::default() || b.origin == Default::default();
            a.dim == b.dim && (told || a.dim.as_constant() == Some(1))
        })
}
