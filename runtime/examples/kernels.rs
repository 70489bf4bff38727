//! How fast the kernels are: products in GFLOP/s, elementwise programs in GB/s of the operands, draws in M/s.
//!
//! `cargo run --release -p tfm-runtime --example kernels -- [threads] [word in the name] [cold]`
//!
//! With `cold` nothing of an operand is in a cache when a kernel begins.

use std::time::{Duration, Instant};
use tfm_lang::types::DType;
use tfm_lowering::plan::{Device, Fused, Instruction, Kernel, Plan, Space, Step, Value, View};
use tfm_runtime::cpu::{Context, Cpu, KernelError, Memory};
use tfm_runtime::tensor::{Bytes, Tensor};

const F: DType = DType::F32;

fn main() -> Result<(), KernelError> {
    let mut args = std::env::args().skip(1);
    let threads = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let only = args.next().unwrap_or_default();
    let bench = Bench { cpu: Cpu::new(threads), only, cold: args.next().is_some_and(|word| word == "cold") };
    println!("{threads} threads; at most {:.1} GFLOP/s", tfm_runtime::cpu::peak::flops(threads) / 1e9);
    products(&bench)?;
    convolutions(&bench)?;
    programs(&bench)?;
    others(&bench)
}

struct Bench {
    cpu: Cpu,
    only: String,
    /// Whether operands are in no cache when a step begins, as those of a large step that were made long before.
    cold: bool,
}

/// Bytes that push everything else out of the caches.
const ALL_CACHES: usize = 256 << 20;

/// A view for an operand that has not been placed yet.
fn view(shape: &[usize], strides: &[isize]) -> View {
    View { space: Space::Arena, offset: 0, dtype: F, shape: shape.to_vec(), strides: strides.to_vec() }
}

fn dense(shape: &[usize]) -> View {
    let mut strides = vec![1isize; shape.len()];
    for a in (1..shape.len()).rev() {
        strides[a - 1] = strides[a] * shape[a] as isize;
    }
    view(shape, &strides)
}

impl Bench {
    /// Times a step whose second operand is a weight that lasts from run to run, as in inference.
    fn time_lasting(
        &self,
        name: &str,
        kernel: Kernel,
        (x, w): (View, View),
        y: View,
        flops: f64,
    ) -> Result<(), KernelError> {
        let w = View { space: Space::Variable(0), ..w };
        self.time(&format!("{name}, kept"), kernel, vec![x, w], vec![y], flops, "GFLOP/s")
    }

    /// Times one step; `amount` is what is done in it, in units of 1e9.
    fn time(
        &self,
        name: &str,
        kernel: Kernel,
        mut inputs: Vec<View>,
        mut outputs: Vec<View>,
        amount: f64,
        unit: &str,
    ) -> Result<(), KernelError> {
        if !name.contains(&self.only) {
            return Ok(());
        }
        let mut arena = 0;
        let mut variables = Vec::new();
        for v in inputs.iter_mut().chain(&mut outputs) {
            let reach: usize = v.shape.iter().zip(&v.strides).map(|(n, s)| (n - 1) * s.unsigned_abs()).sum();
            if v.space != Space::Arena {
                let elements: Vec<f32> = (0..reach + 1).map(|i| (i % 97) as f32 * 0.01).collect();
                variables.push(Tensor::of(&[reach + 1], &elements));
                continue;
            }
            v.offset = arena;
            arena += ((reach + 1) * v.dtype.bytes()).next_multiple_of(64) + 64;
        }
        let scratch = match &kernel {
            Kernel::Primitive(name, attrs) => self.cpu.scratch(name, attrs, &inputs, &outputs),
            _ => 0,
        };
        let step = Step { kernel, inputs, outputs, scratch: (arena, scratch), nodes: Vec::new() };
        let plan = Plan { steps: vec![step], arena: arena + scratch, ..Plan::default() };
        let prepared = self.cpu.prepare(plan)?;
        // As large as what has huge pages, like the arena of a training step.
        let mut memory = Bytes::zeros((arena + scratch).max(8 << 20));
        for (i, bytes) in memory.chunks_exact_mut(4).enumerate() {
            bytes.copy_from_slice(&((i % 97) as f32 * 0.01).to_ne_bytes());
        }
        let mut best = Duration::MAX;
        let others = vec![1u8; if self.cold { ALL_CACHES } else { 0 }];
        let start = Instant::now();
        let mut runs = 0;
        while runs < 5 || start.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(others.iter().step_by(64).map(|byte| u64::from(*byte)).sum::<u64>());
            let begin = Instant::now();
            let given = Memory { arena: &mut memory, variables: &mut variables, feeds: &[] };
            self.cpu.execute(&prepared, given, &Context { seed: 1, step: runs })?;
            best = best.min(begin.elapsed());
            runs += 1;
        }
        println!("{name:44} {:10.1} us {:8.1} {unit}", best.as_secs_f64() * 1e6, amount / best.as_secs_f64() / 1e9);
        Ok(())
    }
}

fn primitive(name: &str, attrs: &[(&str, i64)]) -> Kernel {
    Kernel::Primitive(name.into(), attrs.iter().map(|(n, v)| ((*n).into(), Value::Int(*v))).collect())
}

fn products(b: &Bench) -> Result<(), KernelError> {
    for (m, k, n) in [
        (128, 784, 512),
        (128, 512, 512),
        (784, 128, 512),
        (768, 128, 384),
        (512, 768, 128),
        (128, 768, 512),
        (512, 512, 512),
        (768, 128, 65),
        (128, 512, 10),
        (1024, 1024, 1024),
        (2048, 384, 1536),
        (1536, 2048, 384),
        (384, 2048, 1536),
        (400, 10000, 200),
        (400, 200, 10000),
        (200, 400, 10000),
        (18432, 288, 64),
        (64, 64, 64),
        (1, 512, 512),
        (512, 512, 1),
    ] {
        let flops = 2.0 * (m * k * n) as f64;
        for (kind, lhs, rhs) in [
            ("", dense(&[m, k]), dense(&[k, n])),
            (" lhs transposed", view(&[m, k], &[1, m as isize]), dense(&[k, n])),
            (" rhs transposed", dense(&[m, k]), view(&[k, n], &[1, k as isize])),
        ] {
            let name = format!("matmul {m} x {k} x {n}{kind}");
            b.time(&name, primitive("matmul", &[]), vec![lhs, rhs], vec![dense(&[m, n])], flops, "GFLOP/s")?;
        }
    }
    for (m, k, n) in [(4, 784, 512), (16, 512, 512), (64, 128, 512), (64, 512, 128), (16, 1024, 4096), (256, 512, 512)]
    {
        let flops = 2.0 * (m * k * n) as f64;
        for (kind, rhs) in [("", dense(&[k, n])), (" rhs transposed", view(&[k, n], &[1, k as isize]))] {
            let name = format!("matmul {m} x {k} x {n}{kind}");
            let (lhs, out) = (dense(&[m, k]), dense(&[m, n]));
            let operands = vec![lhs.clone(), rhs.clone()];
            b.time(&name, primitive("matmul", &[]), operands, vec![out.clone()], flops, "GFLOP/s")?;
            b.time_lasting(&name, primitive("matmul", &[]), (lhs, rhs), out, flops)?;
        }
    }
    let (q, k) = (dense(&[48, 64, 32]), view(&[48, 32, 64], &[2048, 1, 32]));
    let flops = 2.0 * (48 * 64 * 32 * 64) as f64;
    b.time(
        "matmul 48 of 64 x 32 x 64",
        primitive("matmul", &[]),
        vec![q, k],
        vec![dense(&[48, 64, 64])],
        flops,
        "GFLOP/s",
    )
}

fn convolutions(b: &Bench) -> Result<(), KernelError> {
    for (x, w, stride, pad) in [
        ([1, 1, 28, 28], [32, 1, 3, 3], 1, 0),
        ([1, 32, 13, 13], [64, 32, 3, 3], 1, 0),
        ([1, 16, 32, 32], [16, 16, 3, 3], 1, 1),
        ([1, 64, 8, 8], [64, 64, 3, 3], 1, 1),
        ([4, 64, 56, 56], [64, 64, 3, 3], 1, 1),
        ([1, 256, 14, 14], [256, 256, 3, 3], 1, 1),
        ([1, 512, 7, 7], [512, 512, 3, 3], 1, 1),
        ([1, 16, 32, 32], [32, 16, 3, 3], 2, 1),
        ([128, 1, 28, 28], [32, 1, 3, 3], 1, 0),
        ([128, 32, 13, 13], [64, 32, 3, 3], 1, 0),
        ([128, 3, 32, 32], [16, 3, 3, 3], 1, 1),
        ([128, 16, 32, 32], [16, 16, 3, 3], 1, 1),
        ([128, 32, 16, 16], [32, 32, 3, 3], 1, 1),
        ([128, 64, 8, 8], [64, 64, 3, 3], 1, 1),
        ([128, 16, 32, 32], [32, 16, 3, 3], 2, 1),
        ([128, 16, 32, 32], [32, 16, 1, 1], 2, 0),
    ] {
        let out = |a: usize| (x[a] + 2 * pad - w[a]) / stride + 1;
        let y = [x[0], w[0], out(2), out(3)];
        let flops = 2.0 * (y.iter().product::<usize>() * w[1] * w[2] * w[3]) as f64;
        let name = |what: &str| format!("{what} {x:?} {w:?} by {stride}");
        let how = [("stride", stride as i64), ("pad", pad as i64)];
        b.time(&name("conv"), primitive("conv", &how), vec![dense(&x), dense(&w)], vec![dense(&y)], flops, "GFLOP/s")?;
        if x[0] < 16 {
            b.time_lasting(&name("conv"), primitive("conv", &how), (dense(&x), dense(&w)), dense(&y), flops)?;
            continue;
        }
        let input = primitive("conv_input", &how);
        b.time(&name("conv_input"), input, vec![dense(&y), dense(&w)], vec![dense(&x)], flops, "GFLOP/s")?;
        let kernel = primitive("conv_kernel", &how);
        b.time(&name("conv_kernel"), kernel, vec![dense(&x), dense(&y)], vec![dense(&w)], flops, "GFLOP/s")?;
    }
    let (x, y) = ([128, 64, 24, 24], [128, 64, 12, 12]);
    let how = [("size", 2), ("stride", 2), ("pad", 0)];
    let bytes = 4.0 * (x.iter().product::<usize>() + y.iter().product::<usize>()) as f64;
    b.time("max_pool", primitive("max_pool", &how), vec![dense(&x)], vec![dense(&y)], bytes, "GB/s")?;
    let gradient = primitive("max_pool_gradient", &how);
    b.time("max_pool_gradient", gradient, vec![dense(&x), dense(&y)], vec![dense(&x)], bytes * 2.0, "GB/s")
}

fn instruction(op: &str, args: &[u16]) -> Instruction {
    Instruction { op: op.into(), attrs: Vec::new(), args: args.to_vec(), from: F, to: F }
}

fn constant(x: f64) -> Instruction {
    Instruction { attrs: vec![("value".into(), Value::Float(x))], ..instruction("constant", &[]) }
}

fn programs(b: &Bench) -> Result<(), KernelError> {
    let run = |name: &str, inputs: Vec<View>, instructions: Vec<Instruction>, outputs: Vec<u16>| {
        let shape = inputs[0].shape.clone();
        let fused = Fused { shape: shape.clone(), row: 0, skips: None, inputs: inputs.len(), instructions, outputs };
        let made = vec![dense(&shape); fused.outputs.len()];
        let bytes = 4.0 * ((inputs.len() + made.len()) * shape.iter().product::<usize>()) as f64;
        b.time(name, Kernel::Fused(fused), inputs, made, bytes, "GB/s")
    };
    for n in [1 << 16, 1 << 22] {
        let x = || dense(&[n]);
        run(&format!("add {n}"), vec![x(), x()], vec![instruction("add", &[0, 1])], vec![2])?;
        for op in ["exp", "log", "tanh", "sigmoid", "sin", "sqrt", "floor"] {
            run(&format!("{op} {n}"), vec![x()], vec![instruction(op, &[0])], vec![1])?;
        }
        for op in ["subtract", "multiply", "divide", "maximum", "minimum", "power", "remainder"] {
            run(&format!("{op} {n}"), vec![x(), x()], vec![instruction(op, &[0, 1])], vec![2])?;
        }
        for op in ["greater", "less_equal", "equal"] {
            let mask = Instruction { to: DType::Bool, ..instruction(op, &[0, 1]) };
            let choice = Instruction { from: DType::Bool, ..instruction("where", &[2, 0, 1]) };
            run(&format!("where {op} {n}"), vec![x(), x()], vec![mask, choice], vec![3])?;
        }
        let adam = vec![
            constant(0.9),
            constant(0.1),
            constant(0.999),
            constant(0.001),
            constant(1e-3),
            constant(1e-8),
            instruction("multiply", &[2, 4]),
            instruction("multiply", &[1, 5]),
            instruction("add", &[10, 11]),
            instruction("multiply", &[1, 1]),
            instruction("multiply", &[3, 6]),
            instruction("multiply", &[13, 7]),
            instruction("add", &[14, 15]),
            instruction("sqrt", &[16]),
            instruction("add", &[17, 9]),
            instruction("divide", &[12, 18]),
            instruction("multiply", &[19, 8]),
            instruction("subtract", &[0, 20]),
        ];
        run(&format!("adam {n}"), vec![x(), x(), x(), x()], adam, vec![21, 12, 16])?;
    }
    let shape = [768, 512];
    let gelu = vec![
        constant(0.5),
        constant(0.797_884_56),
        constant(0.044_715),
        constant(1.0),
        instruction("multiply", &[0, 0]),
        instruction("multiply", &[5, 0]),
        instruction("multiply", &[6, 3]),
        instruction("add", &[0, 7]),
        instruction("multiply", &[8, 2]),
        instruction("tanh", &[9]),
        instruction("add", &[10, 4]),
        instruction("multiply", &[0, 1]),
        instruction("multiply", &[11, 12]),
    ];
    run("gelu [768, 512]", vec![dense(&shape)], gelu, vec![13])?;
    let relu = || vec![constant(0.0), instruction("add", &[0, 1]), instruction("maximum", &[3, 2])];
    run("bias and relu [768, 512]", vec![dense(&shape), view(&shape, &[0, 1])], relu(), vec![4])?;
    run("bias and relu [128, 10]", vec![dense(&[128, 10]), view(&[128, 10], &[0, 1])], relu(), vec![4])?;
    let image = [128, 32, 676];
    run("bias and relu [128, 32, 676]", vec![dense(&image), view(&image, &[0, 1, 0])], relu(), vec![4])?;
    run(
        "minus a column [3072, 64]",
        vec![dense(&[3072, 64]), view(&[3072, 64], &[1, 0])],
        vec![instruction("subtract", &[0, 1])],
        vec![2],
    )?;
    run(
        "plus transposed [512, 784]",
        vec![dense(&[512, 784]), view(&[512, 784], &[1, 512])],
        vec![instruction("add", &[0, 1])],
        vec![2],
    )
}

fn others(b: &Bench) -> Result<(), KernelError> {
    let reduce = |name: &str, op: &str, x: &[usize], axes: &[i64], y: &[usize]| {
        let kernel = Kernel::Primitive(op.into(), vec![("axis".into(), Value::Ints(axes.to_vec()))]);
        let bytes = 4.0 * x.iter().product::<usize>() as f64;
        b.time(name, kernel, vec![dense(x)], vec![dense(y)], bytes, "GB/s")
    };
    reduce("sum of all of 4M", "sum", &[1 << 22], &[], &[])?;
    reduce("sum of columns [768, 512]", "sum", &[768, 512], &[0], &[512])?;
    reduce("sum of rows [768, 512]", "sum", &[768, 512], &[1], &[768])?;
    reduce("sum of rows [3072, 64]", "sum", &[3072, 64], &[1], &[3072])?;
    reduce("max of rows [3072, 64]", "max", &[3072, 64], &[1], &[3072])?;
    reduce("max of rows [128, 10]", "max", &[128, 10], &[1], &[128])?;
    reduce("sum over images [128, 64, 576]", "sum", &[128, 64, 576], &[0, 2], &[64])?;
    let draws = |name: &str, op: &str, n: usize| {
        b.time(name, primitive(op, &[("key", 1)]), Vec::new(), vec![dense(&[n])], n as f64 * 1e3, "M/s")
    };
    draws("random_uniform", "random_uniform", 1 << 20)?;
    draws("random_normal", "random_normal", 1 << 20)?;
    let bytes = 8.0 * (12 * 64 * 128) as f64;
    let heads = view(&[12, 4, 64, 32], &[64 * 128, 32, 128, 1]);
    b.time("copy [12, 4, 64, 32] heads", Kernel::Copy, vec![heads], vec![dense(&[12, 4, 64, 32])], bytes, "GB/s")?;
    let turned = view(&[512, 784], &[1, 512]);
    b.time(
        "copy transposed [512, 784]",
        Kernel::Copy,
        vec![turned],
        vec![dense(&[512, 784])],
        8.0 * (512 * 784) as f64,
        "GB/s",
    )
}
