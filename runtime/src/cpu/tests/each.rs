//! Steps that are run for each element of outer axes, against the same steps over all of them; programs that leave out a
//! half, against programs that do not.

use super::elementwise::instruction;
use super::folding::reduction;
use super::*;
use tfm_lang::model::Word;
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::halves::Half;
use tfm_lowering::plan::{Fused, Instruction, KernelFacts, Request, schedule};

const F: DType = DType::F32;

/// A device whose plans go over all elements with each step.
struct Whole<'a>(&'a Cpu);

impl Device for Whole<'_> {
    fn kernel(&self, primitive: &str) -> Option<KernelFacts> {
        self.0.kernel(primitive).map(|facts| KernelFacts { matrices: false, ..facts })
    }

    fn scratch(&self, primitive: &str, attrs: &[(Word, Value)], inputs: &[View], outputs: &[View]) -> usize {
        self.0.scratch(primitive, attrs, inputs, outputs)
    }
}

/// The gradient of the result is fed.
const FED: &str = "
    %dys = input dy : f32[B, $T, $H, $D]
    %dy = transpose(%dys, order: [0, 2, 1, 3]) : f32[B, $H, $T, $D]";
/// It depends on the result of all elements, so that the backward pass cannot go with the forward one.
const OF_ALL: &str = "
    %all = sum(%y, axis: [0, 1], keep: true) : f32[1, 1, $T, $D]
    %alls = broadcast(%all, to: [B, $H, $T, $D]) : f32[B, $H, $T, $D]
    %dy = multiply(%y, %alls) : f32[B, $H, $T, $D]";

/// Attention and its gradient over heads that lie in one matrix with the channels, as models have them.
fn attention(heads: usize, time: usize, width: usize, dy: &str) -> Graph {
    let text = "
    %qs = input q : f32[B, $T, $H, $D]
    %ks = input k : f32[B, $T, $H, $D]
    %vs = input v : f32[B, $T, $H, $D]
    %q = transpose(%qs, order: [0, 2, 1, 3]) : f32[B, $H, $T, $D]
    %kt = transpose(%ks, order: [0, 2, 3, 1]) : f32[B, $H, $D, $T]
    %v = transpose(%vs, order: [0, 2, 1, 3]) : f32[B, $H, $T, $D]
    %place = iota(n: $T) : i32[$T]
    %down = reshape(%place, to: [$T, 1]) : i32[$T, 1]
    %row = broadcast(%down, to: [$T, $T]) : i32[$T, $T]
    %column = broadcast(%place, to: [$T, $T]) : i32[$T, $T]
    %low = greater_equal(%row, %column) : bool[$T, $T]
    %mask = broadcast(%low, to: [B, $H, $T, $T]) : bool[B, $H, $T, $T]
    %much = constant -1e30 : f32[]
    %none = broadcast(%much, to: [B, $H, $T, $T]) : f32[B, $H, $T, $T]
    %scores = matmul(%q, %kt) : f32[B, $H, $T, $T]
    %masked = where(%mask, %scores, %none) : f32[B, $H, $T, $T]
    %max = max(%masked, axis: [3], keep: true) : f32[B, $H, $T, 1]
    %maxs = broadcast(%max, to: [B, $H, $T, $T]) : f32[B, $H, $T, $T]
    %less = subtract(%masked, %maxs) : f32[B, $H, $T, $T]
    %e = exp(%less) : f32[B, $H, $T, $T]
    %total = sum(%e, axis: [3], keep: true) : f32[B, $H, $T, 1]
    %totals = broadcast(%total, to: [B, $H, $T, $T]) : f32[B, $H, $T, $T]
    %p = divide(%e, %totals) : f32[B, $H, $T, $T]
    %y = matmul(%p, %v) : f32[B, $H, $T, $D]$dy
    %vt = transpose(%v, order: [0, 1, 3, 2]) : f32[B, $H, $D, $T]
    %dp = matmul(%dy, %vt) : f32[B, $H, $T, $T]
    %pt = transpose(%p, order: [0, 1, 3, 2]) : f32[B, $H, $T, $T]
    %dv = matmul(%pt, %dy) : f32[B, $H, $T, $D]
    %inner = multiply(%dp, %p) : f32[B, $H, $T, $T]
    %s = sum(%inner, axis: [3], keep: true) : f32[B, $H, $T, 1]
    %ss = broadcast(%s, to: [B, $H, $T, $T]) : f32[B, $H, $T, $T]
    %off = subtract(%dp, %ss) : f32[B, $H, $T, $T]
    %ds = multiply(%p, %off) : f32[B, $H, $T, $T]
    %zero = constant 0.0 : f32[]
    %zeros = broadcast(%zero, to: [B, $H, $T, $T]) : f32[B, $H, $T, $T]
    %passed = where(%mask, %ds, %zeros) : f32[B, $H, $T, $T]
    %k = transpose(%kt, order: [0, 1, 3, 2]) : f32[B, $H, $T, $D]
    %dq = matmul(%passed, %k) : f32[B, $H, $T, $D]
    %dst = transpose(%passed, order: [0, 1, 3, 2]) : f32[B, $H, $T, $T]
    %dk = matmul(%dst, %q) : f32[B, $H, $T, $D]
    entry e
      output p = %p
      output y = %y
      output dv = %dv
      output dq = %dq
      output dk = %dk
";
    let text = text.replace("$dy", dy);
    let sizes = [("$T", time), ("$H", heads), ("$D", width)];
    let text = sizes.iter().fold(text, |text, (name, n)| text.replace(name, &n.to_string()));
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn execute(cpu: &Cpu, plan: Plan, feeds: &[(&str, &Tensor)]) -> Vec<Vec<f32>> {
    let prepared = cpu.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
    let given: Vec<&Tensor> = (prepared.plan().feeds.iter())
        .map(|(name, ..)| feeds.iter().find(|(n, _)| *n == &**name).expect("it is fed").1)
        .collect();
    let mut arena = Bytes::zeros(prepared.plan().arena);
    arena.fill(0xAB);
    cpu.execute(&prepared, Memory { arena: &mut arena, variables: &mut [], feeds: &given }, &Context::default())
        .unwrap_or_else(|e| panic!("{e}"));
    let read = |v: &View| {
        let bytes = arena[v.offset..v.offset + v.size() * 4].chunks_exact(4);
        bytes.map(|b| f32::from_ne_bytes(b.try_into().expect("4 bytes"))).collect()
    };
    prepared.plan().fetches.iter().map(read).collect()
}

/// What each device gives for a request of attention, one matrix at a time, after it was held to the same steps over all.
fn same_bits(graph: &Graph, names: &[&str], shape: [usize; 4], looks: impl Fn(&Plan)) -> Vec<Vec<Vec<f32>>> {
    let tensors: Vec<Tensor> = (1..5).map(|seed| random(F, &shape, seed).tensor).collect();
    let feeds: Vec<(&str, &Tensor)> = ["q", "k", "v", "dy"].into_iter().zip(&tensors).collect();
    let fetches: Vec<String> = names.iter().map(|n| n.to_string()).collect();
    let sizes = [("B".to_string(), shape[0] as i64)].into();
    let request = Request { entry: "e".into(), fetches, assigns: false, sizes };
    let of_device = |cpu: &Cpu| {
        let plan = schedule(graph, &request, cpu).unwrap_or_else(|e| panic!("{e}"));
        let (steps, products) = (plan.to_string(), "matmul");
        assert!(plan.steps.iter().any(|s| matches!(s.kernel, Kernel::Each(_))), "{steps}");
        assert!(plan.steps.iter().all(|s| s.kernel.name() != products), "{steps}");
        looks(&plan);
        let whole = schedule(graph, &request, &Whole(cpu)).unwrap_or_else(|e| panic!("{e}"));
        assert!(whole.steps.iter().all(|s| !matches!(s.kernel, Kernel::Each(_))), "{whole}");
        let all = execute(cpu, whole, &feeds);
        for ((name, a), b) in names.iter().zip(&all).zip(&execute(cpu, plan, &feeds)) {
            let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name}, {} threads, {:?}, {shape:?}", cpu.threads, cpu.path);
        }
        all
    };
    devices().iter().map(of_device).collect()
}

#[test]
fn elements_give_the_same_bits_as_all_at_once() {
    for (batch, heads, time, width) in [(2usize, 3, 7, 4), (3, 2, 40, 16), (1, 5, 200, 8)] {
        let graph = attention(heads, time, width, FED);
        let names = ["p", "y", "dv", "dq", "dk"];
        for all in same_bits(&graph, &names, [batch, time, heads, width], |_| ()) {
            // Rows of softmax add up to 1, and nothing is above the diagonal.
            for (i, row) in all[0].chunks_exact(time).enumerate() {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(row[i % time + 1..].iter().all(|x| *x == 0.0));
            }
        }
    }
}

#[test]
fn what_the_backward_pass_makes_again_has_the_same_bits() {
    let (batch, heads, time, width) = (2, 8, 260, 4);
    let weights = batch * heads * time * time * 4;
    let graph = attention(heads, time, width, OF_ALL);
    same_bits(&graph, &["dv", "dq", "dk"], [batch, time, heads, width], |plan| {
        let wholes = plan.steps.iter().filter(|s| matches!(s.kernel, Kernel::Each(_))).count();
        assert!(wholes == 2 && plan.arena < weights, "{plan}");
    });
}

/// Softmax of a masked row, and its largest element.
fn softmax(shape: &[usize], skips: Option<Half>) -> Kernel {
    let masked =
        Instruction { attrs: vec![("value".into(), Value::Float(-1e30))], ..instruction("constant", &[], F, F) };
    let last = [shape.len() as i64 - 1];
    let instructions = vec![
        masked,                                 // 2
        instruction("where", &[1, 0, 2], F, F), // 3
        reduction("max", 3, &last),             // 4
        instruction("subtract", &[3, 4], F, F), // 5
        instruction("exp", &[5], F, F),         // 6
        reduction("sum", 6, &last),             // 7
        instruction("divide", &[6, 7], F, F),   // 8
    ];
    Kernel::Fused(Fused { shape: shape.to_vec(), row: 1, skips, inputs: 2, instructions, outputs: vec![8, 4] })
}

#[test]
fn a_half_is_left_out_and_0() {
    // Rows of several tiles, of one, and those that are too short for it; matrices of one row and of more rows than columns.
    for shape in [&[3, 200, 200][..], &[2, 30, 700], &[2, 170, 170], &[4, 1, 300], &[2, 60, 60], &[1, 190, 180]] {
        let [batch, rows, columns] = *shape else { panic!("three axes") };
        for half in Half::ALL {
            if half == Half::Before && rows > columns {
                continue;
            }
            let open = |i: usize| {
                let (row, column) = (i / columns % rows, i % columns);
                if half == Half::After { column <= row } else { column >= row }
            };
            let mask: Vec<bool> = (0..batch * rows * columns).map(open).collect();
            let mask = Operand::dense(Tensor::of(shape, &mask));
            for x in layouts(F, shape, 3).into_iter().take(3) {
                let types = [(F, shape), (F, &shape[..2])];
                let all = run(&softmax(shape, None), &[&x, &mask], &types).unwrap_or_else(|e| panic!("{e}"));
                let some = run(&softmax(shape, Some(half)), &[&x, &mask], &types).unwrap_or_else(|e| panic!("{e}"));
                close(&some[0], &all[0].to_f64(), 4.0);
                assert_eq!(some[1].bytes(), all[1].bytes());
                let hidden = some[0].to_f64();
                assert!((0..hidden.len()).all(|i| open(i) || hidden[i] == 0.0));
            }
        }
    }
}
