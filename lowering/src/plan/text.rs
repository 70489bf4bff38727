//! A plan to be read.
//!
//! ```text
//! arena 4096 bytes, constants 0 bytes
//! feed 0 image : f32[128, 784]
//! 0 matmul(feed 0 : f32[128, 784], variable 3 : f32[784, 512]) → arena 0 : f32[128, 512]
//! 1 fused[128, 512](arena 0 : …, variable 4 : f32[128, 512] strides [0, 1]) → arena 0 : f32[128, 512]
//!     r2 = add r0 r1
//!     r3 = tanh r2 → 0
//! fetch arena 0 : f32[128, 512]
//! ```

use super::{Fused, Instruction, Kernel, Plan, Space, Step, Value, View};
use std::fmt::{self, Display, Formatter};

impl Display for Space {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Space::Arena => f.write_str("arena"),
            Space::Variable(i) => write!(f, "variable {i}"),
            Space::Feed(i) => write!(f, "feed {i}"),
            Space::Constant => f.write_str("constant"),
        }
    }
}

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.space)?;
        if self.offset > 0 || matches!(self.space, Space::Arena | Space::Constant) {
            write!(f, " +{}", self.offset)?;
        }
        write!(f, " : {}{:?}", self.dtype, self.shape)?;
        if self.is_contiguous() { Ok(()) } else { write!(f, " strides {:?}", self.strides) }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => write!(f, "{n}"),
            Value::Ints(ns) => write!(f, "{ns:?}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::DType(d) => write!(f, "{d}"),
            Value::Str(s) => write!(f, "{s:?}"),
        }
    }
}

impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        self.args.iter().try_for_each(|a| write!(f, " r{a}"))?;
        self.attrs.iter().try_for_each(|(_, value)| write!(f, " {value}"))
    }
}

fn write_views(f: &mut Formatter<'_>, views: &[View]) -> fmt::Result {
    for (i, v) in views.iter().enumerate() {
        write!(f, "{}{v}", if i > 0 { ", " } else { "" })?;
    }
    Ok(())
}

fn write_program(f: &mut Formatter<'_>, fused: &Fused) -> fmt::Result {
    for (i, instruction) in fused.instructions.iter().enumerate() {
        let register = fused.inputs + i;
        write!(f, "    r{register} = {instruction}")?;
        for (o, _) in fused.outputs.iter().enumerate().filter(|(_, r)| usize::from(**r) == register) {
            write!(f, " → {o}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn write_inner(f: &mut Formatter<'_>, plan: &Plan) -> fmt::Result {
    writeln!(f, "{{")?;
    plan.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
    writeln!(f, "}}")
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kernel {
            Kernel::Fused(Fused { shape, row: 0, .. }) => write!(f, "fused{shape:?}")?,
            Kernel::Fused(Fused { shape, row, skips, .. }) => {
                let (outer, inner) = shape.split_at(shape.len() - row);
                write!(f, "fused{outer:?} rows of {inner:?}")?;
                if let Some(half) = skips {
                    write!(f, " not {} the diagonal", half.name())?;
                }
            }
            Kernel::Primitive(name, _) => write!(f, "{name}")?,
            Kernel::Copy => f.write_str("copy")?,
            Kernel::Loop(turns) => {
                let back = if turns.reverse { " back" } else { "" };
                write!(f, "loop of {}{back}", turns.turns)?;
            }
            Kernel::Each(each) => write!(f, "each of {:?}", each.outer)?,
        }
        f.write_str("(")?;
        write_views(f, &self.inputs)?;
        if let Kernel::Primitive(_, attrs) = &self.kernel {
            attrs.iter().try_for_each(|(name, value)| write!(f, ", {name}: {value}"))?;
        }
        f.write_str(") → ")?;
        write_views(f, &self.outputs)?;
        if self.scratch.1 > 0 {
            write!(f, " scratch +{} of {} bytes", self.scratch.0, self.scratch.1)?;
        }
        writeln!(f)?;
        match &self.kernel {
            Kernel::Fused(fused) => write_program(f, fused),
            Kernel::Loop(turns) => write_inner(f, &turns.plan),
            Kernel::Each(each) => write_inner(f, &each.plan),
            _ => Ok(()),
        }
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "arena {} bytes, constants {} bytes", self.arena, self.constants.len())?;
        for (i, (name, dtype, shape)) in self.feeds.iter().enumerate() {
            writeln!(f, "feed {i} {name} : {dtype}{shape:?}")?;
        }
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "{i} {step}")?;
        }
        self.fetches.iter().try_for_each(|view| writeln!(f, "fetch {view}"))
    }
}
