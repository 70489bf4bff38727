//! Types of tensors: dtype, shape, bound.

use crate::dim::Dim;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// What one element is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum DType {
    F64,
    F32,
    Bf16,
    F16,
    I64,
    I32,
    I8,
    U8,
    Bool,
}

impl DType {
    /// All of them, with their names.
    pub const ALL: [(DType, &'static str); 9] = [
        (DType::F64, "f64"),
        (DType::F32, "f32"),
        (DType::Bf16, "bf16"),
        (DType::F16, "f16"),
        (DType::I64, "i64"),
        (DType::I32, "i32"),
        (DType::I8, "i8"),
        (DType::U8, "u8"),
        (DType::Bool, "bool"),
    ];

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        DType::ALL.iter().find(|(d, _)| *d == self).map_or("?", |(_, n)| n)
    }

    /// The dtype with this name.
    pub fn from_name(name: &str) -> Option<DType> {
        // Asked for all kinds of names, most of which are longer.
        (name.len() <= 4).then(|| DType::ALL.iter().find(|(_, n)| *n == name).map(|(d, _)| *d))?
    }

    /// True for the floating ones: those that gradients flow through.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F64 | DType::F32 | DType::Bf16 | DType::F16)
    }

    /// True for the integers (not `bool`).
    pub fn is_int(self) -> bool {
        matches!(self, DType::I64 | DType::I32 | DType::I8 | DType::U8)
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::Bf16 | DType::F16 => 2,
            DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An entry in the checker's history of dimensions: where one came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct OriginId(pub u32);

/// One axis: its size and where that came from.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The size.
    pub dim: Dim,
    /// Its history.
    pub origin: OriginId,
}

/// Two axes are the same when their sizes are, whatever their history.
impl PartialEq for Axis {
    fn eq(&self, other: &Axis) -> bool {
        self.dim == other.dim
    }
}

impl Eq for Axis {}

impl Hash for Axis {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dim.hash(state);
    }
}

/// The axes of a tensor, outermost first. Shared: types are copied all the time, and shapes stay as they are made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape(Arc<[Axis]>);

impl Shape {
    /// With another axis at this place, 0 for the outermost.
    pub fn with(&self, at: usize, axis: Axis) -> Shape {
        let (before, after) = self.split_at(at);
        before.iter().cloned().chain([axis]).chain(after.iter().cloned()).collect()
    }

    /// Without the axis at this place.
    pub fn without(&self, at: usize) -> Shape {
        self.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, a)| a.clone()).collect()
    }
}

impl Default for Shape {
    fn default() -> Shape {
        Shape::from(&[][..])
    }
}

impl Deref for Shape {
    type Target = [Axis];

    fn deref(&self) -> &[Axis] {
        &self.0
    }
}

impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [Axis] {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Axis>> for Shape {
    fn from(axes: Vec<Axis>) -> Shape {
        Shape(axes.into())
    }
}

impl From<&[Axis]> for Shape {
    fn from(axes: &[Axis]) -> Shape {
        Shape(axes.into())
    }
}

impl FromIterator<Axis> for Shape {
    fn from_iter<I: IntoIterator<Item = Axis>>(axes: I) -> Shape {
        Shape(axes.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Shape {
    type Item = &'a Axis;
    type IntoIter = std::slice::Iter<'a, Axis>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The type of a tensor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// What an element is.
    pub dtype: DType,
    /// The axes, outermost first.
    pub shape: Shape,
    /// For integers: all values are at least 0 and less than this, where that is known.
    pub below: Option<Dim>,
}

impl TensorType {
    /// A type from sizes without a history.
    pub fn new(dtype: DType, shape: impl IntoIterator<Item = Dim>) -> TensorType {
        let shape = shape.into_iter().map(|dim| Axis { dim, origin: OriginId::default() }).collect();
        TensorType { dtype, shape, below: None }
    }

    /// The sizes alone.
    pub fn dims(&self) -> Vec<Dim> {
        self.shape.iter().map(|a| a.dim.clone()).collect()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn size(&self) -> Dim {
        self.shape.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim))
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, a) in self.shape.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, a.dim)?;
        }
        f.write_str("]")?;
        match &self.below {
            Some(n) => write!(f, " below {n}"),
            None => Ok(()),
        }
    }
}
