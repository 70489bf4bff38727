//! Kernels against slow and obvious references, on views of every kind, with several numbers of threads and every
//! instruction set.

mod conv;
mod draw;
mod each;
mod elementwise;
mod folding;
mod fused;
mod keeping;
mod matmul;
mod movement;
mod native;
mod plans;
mod reduce;
mod rows;

use super::*;
use crate::random::Draw;
use std::sync::OnceLock;
use tfm_lang::types::DType;
use tfm_lowering::plan::{Kernel, Plan, Space, Step};

/// Devices that must all give the same bits; the first ones have the path that is asked for.
fn devices() -> &'static [Cpu] {
    static DEVICES: OnceLock<Vec<Cpu>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let threads = [1, 2, 4].map(|n| Cpu::with_path(n, Path::chosen()));
        let paths = [Path::Portable, Path::Avx2].map(|p| Cpu::with_path(2, p));
        threads.into_iter().chain(paths).collect()
    })
}

/// A tensor and a window on it.
#[derive(Clone)]
struct Operand {
    tensor: Tensor,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

impl Operand {
    fn dense(tensor: Tensor) -> Operand {
        let (shape, strides) = (tensor.shape.clone(), super::view::contiguous(&tensor.shape));
        Operand { tensor, offset: 0, shape, strides }
    }

    /// Its elements in row-major order, one after the other by their coordinates.
    fn values(&self) -> Vec<f64> {
        let memory = self.tensor.to_f64();
        indices(&self.shape)
            .map(|at| {
                let place: isize = at.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
                memory[(self.offset as isize + place) as usize]
            })
            .collect()
    }

    fn view(&self, feed: usize) -> View {
        let dtype = self.tensor.dtype;
        let (shape, strides) = (self.shape.clone(), self.strides.clone());
        View { space: Space::Feed(feed as u32), offset: self.offset * dtype.bytes(), dtype, shape, strides }
    }
}

/// All coordinates in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    (0..shape.iter().product()).map(move |mut i: usize| {
        let mut at = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            at[axis] = i % shape[axis];
            i /= shape[axis];
        }
        at
    })
}

/// Numbers that look like data: from -2 to 2, whole ones for integers, never 0 there.
fn numbers(dtype: DType, n: usize, seed: u64) -> Tensor {
    let mut words = vec![0; n];
    Draw::new(seed, 0, 0).words(0, &mut words);
    let real = |w: &u32| f64::from(crate::random::uniform_f32(*w)) * 4.0 - 2.0;
    let whole = |w: &u32| if w.is_multiple_of(2) { (w >> 8) as i64 % 9 + 1 } else { -((w >> 8) as i64 % 9) - 1 };
    match dtype {
        DType::F64 => Tensor::of(&[n], &words.iter().map(real).collect::<Vec<_>>()),
        DType::F32 => Tensor::of(&[n], &words.iter().map(|w| real(w) as f32).collect::<Vec<_>>()),
        DType::I64 => Tensor::of(&[n], &words.iter().map(whole).collect::<Vec<_>>()),
        DType::I32 => Tensor::of(&[n], &words.iter().map(|w| whole(w) as i32).collect::<Vec<_>>()),
        DType::I8 => Tensor::of(&[n], &words.iter().map(|w| whole(w) as i8).collect::<Vec<_>>()),
        DType::U8 => Tensor::of(&[n], &words.iter().map(|w| whole(w).unsigned_abs() as u8).collect::<Vec<_>>()),
        _ => Tensor::of(&[n], &words.iter().map(|w| w % 3 == 0).collect::<Vec<_>>()),
    }
}

fn random(dtype: DType, shape: &[usize], seed: u64) -> Operand {
    let mut tensor = numbers(dtype, shape.iter().product(), seed);
    tensor.shape = shape.to_vec();
    Operand::dense(tensor)
}

/// Views of one shape on memory of several layouts: dense, transposed, reversed, cut out of more, repeated.
fn layouts(dtype: DType, shape: &[usize], seed: u64) -> Vec<Operand> {
    let dense = random(dtype, shape, seed);
    let rank = shape.len();
    let mut transposed = random(dtype, shape, seed + 1);
    transposed.strides = {
        let backwards: Vec<usize> = shape.iter().rev().copied().collect();
        super::view::contiguous(&backwards).into_iter().rev().collect()
    };
    let mut reversed = random(dtype, shape, seed + 2);
    if rank > 0 {
        let last = rank - 1;
        reversed.offset = (shape[last] - 1) * reversed.strides[last] as usize;
        reversed.strides[last] *= -1;
    }
    let wide: Vec<usize> = shape.iter().map(|n| n + 3).collect();
    let mut cut = random(dtype, &wide, seed + 3);
    cut.shape = shape.to_vec();
    cut.offset = cut.strides.iter().sum::<isize>() as usize;
    let mut list = vec![dense.clone(), transposed, reversed, cut];
    for axis in 0..rank {
        let mut repeated = dense.clone();
        repeated.strides[axis] = 0;
        list.push(repeated);
    }
    let mut row = dense.clone();
    row.strides[..rank.saturating_sub(1)].fill(0);
    let mut scalar = dense;
    scalar.strides.fill(0);
    list.extend([row, scalar]);
    list
}

/// Runs one step on one device.
fn run_on(
    cpu: &Cpu,
    kernel: &Kernel,
    inputs: &[&Operand],
    outputs: &[(DType, &[usize])],
    context: &Context,
) -> Result<Vec<Tensor>, KernelError> {
    let views: Vec<View> = inputs.iter().enumerate().map(|(i, o)| o.view(i)).collect();
    let mut arena = 64;
    let mut made = Vec::new();
    for (dtype, shape) in outputs {
        let strides = super::view::contiguous(shape);
        made.push(View { space: Space::Arena, offset: arena, dtype: *dtype, shape: shape.to_vec(), strides });
        arena += (shape.iter().product::<usize>() * dtype.bytes()).next_multiple_of(64) + 64;
    }
    let scratch = match kernel {
        Kernel::Primitive(name, attrs) => cpu.scratch(name, attrs, &views, &made),
        Kernel::Fused(fused) => fused.scratch(),
        _ => 0,
    };
    let step = Step {
        kernel: kernel.clone(),
        inputs: views,
        outputs: made.clone(),
        scratch: (arena, scratch),
        nodes: Vec::new(),
    };
    let feeds = inputs.iter().map(|o| ("x".into(), o.tensor.dtype, o.tensor.shape.clone())).collect();
    let plan = Plan { steps: vec![step], arena: arena + scratch, feeds, ..Plan::default() };
    let prepared = cpu.prepare(plan)?;
    let mut memory = Bytes::zeros(prepared.plan().arena);
    memory.fill(0xAB);
    let feeds: Vec<&Tensor> = inputs.iter().map(|o| &o.tensor).collect();
    cpu.execute(&prepared, Memory { arena: &mut memory, variables: &mut [], feeds: &feeds }, context)?;
    let results = made.iter().map(|v| {
        let mut t = Tensor::zeros(v.dtype, &v.shape);
        let n = t.bytes().len();
        t.bytes_mut().copy_from_slice(&memory[v.offset..v.offset + n]);
        // Nothing behind the result may have been touched.
        assert!(memory[v.offset + n..(v.offset + n).next_multiple_of(64)].iter().all(|&b| b == 0xAB));
        t
    });
    Ok(results.collect())
}

/// Kernels that sum in other ways on other paths; their bits are the same for any number of threads only.
const PRODUCTS: [&str; 4] = ["matmul", "conv", "conv_input", "conv_kernel"];

/// True when two results are the same, as far as the paths of their devices promise.
fn agree(kernel: &Kernel, paths: [Path; 2], a: &Tensor, b: &Tensor) -> bool {
    let product = matches!(kernel, Kernel::Primitive(name, _) if PRODUCTS.contains(&&**name));
    if !product || paths[0] == paths[1] {
        // Which NaN it is, of two that meet, depends on the order in which a compiler takes them.
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let numbers = || a.to_f64().iter().zip(b.to_f64()).all(|(a, b)| same(*a, b));
        return a.bytes() == b.bytes() || (a.dtype.is_float() && numbers());
    }
    a.to_f64().iter().zip(b.to_f64()).all(|(a, b)| (a - b).abs() <= 1e-3 * (1.0 + b.abs()))
}

/// Runs one step on every device and holds the results to be the same.
fn run(kernel: &Kernel, inputs: &[&Operand], outputs: &[(DType, &[usize])]) -> Result<Vec<Tensor>, KernelError> {
    let context = Context { seed: 7, step: 3 };
    let first = run_on(&devices()[0], kernel, inputs, outputs, &context);
    for cpu in &devices()[1..] {
        let other = run_on(cpu, kernel, inputs, outputs, &context);
        match (&first, &other) {
            (Ok(a), Ok(b)) => {
                let paths = [devices()[0].path, cpu.path];
                let same = a.iter().zip(b).all(|(a, b)| agree(kernel, paths, a, b));
                assert!(same, "{kernel:?}: {} threads, {:?} differ", cpu.threads, cpu.path);
            }
            (a, b) => assert_eq!(a.as_ref().err(), b.as_ref().err()),
        }
    }
    first
}

fn primitive(name: &str, attrs: &[(&str, Value)]) -> Kernel {
    Kernel::Primitive(name.into(), attrs.iter().map(|(n, v)| ((*n).into(), v.clone())).collect())
}

/// Runs a primitive with one output.
fn apply(name: &str, attrs: &[(&str, Value)], inputs: &[&Operand], dtype: DType, shape: &[usize]) -> Tensor {
    let kernel = primitive(name, attrs);
    match run(&kernel, inputs, &[(dtype, shape)]) {
        Ok(mut outputs) => outputs.remove(0),
        Err(e) => panic!("{e}"),
    }
}

/// The message of a step that fails.
fn failure(name: &str, attrs: &[(&str, Value)], inputs: &[&Operand], dtype: DType, shape: &[usize]) -> String {
    match run(&primitive(name, attrs), inputs, &[(dtype, shape)]) {
        Ok(_) => panic!("`{name}` did not fail"),
        Err(e) => e.to_string(),
    }
}

/// Holds numbers to be as near as the dtype allows, `scale` times.
#[track_caller]
fn close(got: &Tensor, want: &[f64], scale: f64) {
    let unit = match got.dtype {
        DType::F32 => 6e-8,
        DType::F64 => 2e-16,
        _ => 0.0,
    };
    assert_eq!(got.size(), want.len());
    for (i, (g, w)) in got.to_f64().iter().zip(want).enumerate() {
        let near = (g - w).abs() <= unit * scale * (1.0 + w.abs()) || (g.is_nan() && w.is_nan()) || g == w;
        assert!(near, "element {i}: {g} and not {w}");
    }
}
