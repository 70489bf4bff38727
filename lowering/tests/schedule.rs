//! What plans look like: pruning, fusion, constants, errors; and how long making one takes.

mod common;

use common::graph;
use common::machine::Machine;
use std::fmt::Write as _;
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::{Kernel, Plan, PlanError, Request, Space};
use tfm_lowering::{partition, place, schedule, simplify};

fn request(fetches: &[&str], assigns: bool) -> Request {
    let fetches = fetches.iter().map(|f| f.to_string()).collect();
    Request { entry: "e".into(), fetches, assigns, sizes: [("B".to_string(), 8)].into() }
}

fn plan(g: &Graph, fetches: &[&str], assigns: bool) -> Plan {
    schedule(g, &request(fetches, assigns), &Machine).unwrap_or_else(|e| panic!("{e}"))
}

const TWO: &str = "
    variable w : f64[4, 4] parameter
    %x = input x : f64[B, 4]
    %w = read w : f64[4, 4]
    %h = matmul(%x, %w) : f64[B, 4]
    %t = tanh(%h) : f64[B, 4]
    %one = constant 1.0 : f64[]
    %ones = broadcast(%one, to: [B, 4]) : f64[B, 4]
    %s = add(%t, %ones) : f64[B, 4]
    %sum = sum(%s, axis: []) : f64[]
    %wt = transpose(%w) : f64[4, 4]
    %neg = negate(%wt) : f64[4, 4]
    entry e
      output h = %h
      output sum = %sum
      output wt = %wt
      output one = %ones
      assign w = %neg
";

#[test]
fn only_what_is_fetched_is_computed() {
    let g = graph(TWO);
    assert_eq!(plan(&g, &["h"], false).steps.len(), 1);
    let p = plan(&g, &["sum"], false);
    assert_eq!(p.steps.len(), 2, "{p}");
    let Kernel::Fused(fused) = &p.steps[1].kernel else { panic!("{p}") };
    assert_eq!(fused.instructions.iter().map(|i| &*i.op).collect::<Vec<_>>(), ["tanh", "constant", "add", "sum"]);
    assert!(p.constants.is_empty());
    assert_eq!(p.arena, 256 + 64, "what is summed has no memory of its own: {p}");
    assert!(plan(&g, &[], false).steps.is_empty());
}

#[test]
fn a_variable_is_not_written_where_it_is_read_otherwise() {
    // The transposed weights are read while the new ones are written: not in place.
    let p = plan(&graph(TWO), &["wt"], true);
    let last = p.steps.last().expect("steps");
    assert!(matches!(last.kernel, Kernel::Copy) && last.outputs[0].space == Space::Variable(0), "{p}");
    assert_eq!(p.fetches[0].space, Space::Arena);
}

/// The gradient of a weight is the last to read an activation: it goes before that of the activation takes room.
#[test]
fn what_frees_more_than_it_makes_goes_first() {
    let g = graph(
        "
    variable w : f64[64, 4] parameter
    %x = input x : f64[B, 64]
    %w = read w : f64[64, 4]
    %a = cumsum(%x, axis: 0) : f64[B, 64]
    %y = matmul(%a, %w) : f64[B, 4]
    %dy = cumsum(%y, axis: 0) : f64[B, 4]
    %wt = transpose(%w, order: [1, 0]) : f64[4, 64]
    %da = matmul(%dy, %wt) : f64[B, 64]
    %dx = cumsum(%da, axis: 0) : f64[B, 64]
    %at = transpose(%a, order: [1, 0]) : f64[64, B]
    %dw = matmul(%at, %dy) : f64[64, 4]
    entry e
      output dx = %dx
      output dw = %dw
",
    );
    let p = plan(&g, &["dx", "dw"], false);
    let made: Vec<&[usize]> = p.steps.iter().map(|s| &*s.outputs[0].shape).collect();
    let [.., third, fourth, last] = made[..] else { panic!("{p}") };
    assert_eq!((third, fourth, last), (&[64, 4][..], &[8, 64][..], &[8, 64][..]), "{p}");
}

#[test]
fn fetches_are_contiguous_and_literals_have_bytes() {
    let p = plan(&graph(TWO), &["one", "wt"], false);
    assert!(p.fetches.iter().all(|v| v.is_contiguous()));
    assert_eq!(p.constants, 1f64.to_ne_bytes());
}

#[test]
fn what_cannot_be_planned_is_said() {
    let error = |text: &str, request: &Request| schedule(&graph(text), request, &Machine).expect_err("no plan");
    let unknown = Request { sizes: Default::default(), ..request(&["h"], false) };
    assert_eq!(error(TWO, &unknown).to_string(), "the size `B` is not known");
    let nothing = Request { sizes: [("B".to_string(), 0)].into(), ..request(&["h"], false) };
    assert_eq!(error(TWO, &nothing), PlanError::Extent("B".into(), 0));
    let huge = Request { sizes: [("B".to_string(), i64::MAX)].into(), ..request(&["h"], false) };
    assert!(matches!(error(TWO, &huge), PlanError::Extent(..)));
    assert_eq!(error(TWO, &request(&["k"], false)).to_string(), "`e` has no output `k`");
    assert_eq!(error(TWO, &Request::default()).to_string(), "the graph has no entry ``");
    let text = "%x = no_such_kernel() : f64[B]\nentry e\n  output x = %x";
    assert_eq!(error(text, &request(&["x"], false)).to_string(), "the device has no kernel for `no_such_kernel` (%0)");
    let text = "%x = input x : f64[B]\n%y = slice(%x, starts: [4], stops: [9]) : f64[5]\nentry e\n  output y = %y";
    assert_eq!(error(text, &request(&["y"], false)).to_string(), "`slice` does not fit its arguments (%1)");
}

#[test]
fn a_forward_value_is_kept_and_cheap_work_is_done_again() {
    // The last product needs tanh(x) and 1 + tanh(x); only the first is kept.
    let g = graph(
        "%x = input x : f64[B, 4000]
         %one = constant 1.0 : f64[]
         %ones = broadcast(%one, to: [B, 4000]) : f64[B, 4000]
         %t = tanh(%x) : f64[B, 4000]
         %u = add(%t, %ones) : f64[B, 4000]
         %v = multiply(%u, %u) : f64[B, 4000]
         %s = sum(%v, axis: []) : f64[]
         %dy = broadcast(%s, to: [B, 4000]) : f64[B, 4000]
         %a = multiply(%dy, %t) : f64[B, 4000]
         %b = multiply(%a, %u) : f64[B, 4000]
         entry e
           output b = %b",
    );
    let p = plan(&g, &["b"], false);
    assert_eq!(p.steps.len(), 2, "{p}");
    let Kernel::Fused(last) = &p.steps[1].kernel else { panic!("{p}") };
    assert_eq!(last.inputs, 2, "{p}");
    let count = |op: &str| {
        let programs = p.steps.iter().filter_map(|s| match &s.kernel {
            Kernel::Fused(f) => Some(&f.instructions),
            _ => None,
        });
        programs.flatten().filter(|i| &*i.op == op).count()
    };
    assert_eq!((count("tanh"), count("add")), (1, 2), "{p}");
}

#[test]
fn rows_stay_together() {
    // A softmax reads and writes each element once; the sum of its columns is taken on the way.
    let g = graph(
        "%x = input x : f64[B, 64]
         %m = max(%x, axis: [1], keep: true) : f64[B, 1]
         %mb = broadcast(%m, to: [B, 64]) : f64[B, 64]
         %low = subtract(%x, %mb) : f64[B, 64]
         %e = exp(%low) : f64[B, 64]
         %s = sum(%e, axis: [-1], keep: false) : f64[B]
         %r = reshape(%s, to: [B, 1]) : f64[B, 1]
         %b = broadcast(%r, to: [B, 64]) : f64[B, 64]
         %y = divide(%e, %b) : f64[B, 64]
         %t = sum(%y, axis: [0], keep: false) : f64[64]
         entry e
           output y = %y
           output t = %t",
    );
    let p = plan(&g, &["y", "t"], false);
    assert_eq!((p.steps.len(), p.steps[0].inputs.len(), p.steps[0].outputs.len()), (1, 1, 2), "{p}");
    let Kernel::Fused(fused) = &p.steps[0].kernel else { panic!("{p}") };
    assert_eq!((fused.row, fused.totals().count()), (1, 1), "{p}");
}

#[test]
fn the_check_finds_faults() {
    let p = plan(&graph(TWO), &["sum"], true);
    assert_eq!(p.check(), Ok(()));
    let faulty = |change: fn(&mut Plan)| {
        let mut p = p.clone();
        change(&mut p);
        p.check().expect_err("a fault")
    };
    assert!(faulty(|p| p.steps.swap(0, 1)).contains("not what was written"));
    assert!(faulty(|p| p.arena = 64).contains("reaches byte"));
    assert!(faulty(|p| p.steps[0].outputs[0].offset += 8).contains("not aligned"));
    assert!(faulty(|p| p.steps[0].outputs[0] = p.steps[0].inputs[0].clone()).contains("only read"));
    assert!(faulty(|p| p.steps[0].scratch = (0, 64)).contains("scratch"));
}

/// Layers that branch, with a loss and an update of each: about `2 * depth * 10` nodes.
fn deep(depth: usize) -> Graph {
    let mut text = String::new();
    (0..depth).for_each(|i| writeln!(text, "variable w{i} : f32[64, 64] parameter").expect("a string"));
    text.push_str(
        "%h0 = input x : f32[B, 64]\n%r = constant 0.1 : f32[]\n%rr = broadcast(%r, to: [64, 64]) : f32[64, 64]\n",
    );
    for i in 0..depth {
        let n = i + 1;
        write!(
            text,
            "%w{i} = read w{i} : f32[64, 64]
             %m{i} = matmul(%h{i}, %w{i}) : f32[B, 64]
             %t{i} = tanh(%m{i}) : f32[B, 64]
             %q{i} = multiply(%t{i}, %t{i}) : f32[B, 64]
             %c{i} = sum(%q{i}, axis: [1]) : f32[B]
             %rc{i} = reshape(%c{i}, to: [B, 1]) : f32[B, 1]
             %bc{i} = broadcast(%rc{i}, to: [B, 64]) : f32[B, 64]
             %d{i} = subtract(%t{i}, %bc{i}) : f32[B, 64]
             %h{n} = add(%d{i}, %h{i}) : f32[B, 64]\n"
        )
        .expect("a string");
    }
    writeln!(text, "%g{depth} = multiply(%h{depth}, %h{depth}) : f32[B, 64]").expect("a string");
    for i in (0..depth).rev() {
        let n = i + 1;
        write!(
            text,
            "%a{i} = multiply(%g{n}, %q{i}) : f32[B, 64]
             %e{i} = subtract(%g{n}, %a{i}) : f32[B, 64]
             %wt{i} = transpose(%w{i}) : f32[64, 64]
             %x{i} = matmul(%e{i}, %wt{i}) : f32[B, 64]
             %g{i} = add(%x{i}, %g{n}) : f32[B, 64]
             %ht{i} = transpose(%h{i}) : f32[64, B]
             %dw{i} = matmul(%ht{i}, %e{i}) : f32[64, 64]
             %sw{i} = multiply(%dw{i}, %rr) : f32[64, 64]
             %n{i} = subtract(%w{i}, %sw{i}) : f32[64, 64]\n"
        )
        .expect("a string");
    }
    writeln!(text, "%loss = sum(%h{depth}, axis: []) : f32[]\nentry e\n  output loss = %loss").expect("a string");
    (0..depth).for_each(|i| writeln!(text, "  assign w{i} = %n{i}").expect("a string"));
    graph(&text)
}

#[test]
fn a_large_graph_is_planned_quickly() {
    let mut g = deep(110);
    assert!(g.nodes.len() > 1_900);
    let start = std::time::Instant::now();
    simplify(&mut g);
    let simplified = start.elapsed();
    let timed = (0..5).map(|_| {
        let start = std::time::Instant::now();
        let p = plan(&g, &["loss"], true);
        (start.elapsed(), p)
    });
    let (planned, p) = timed.min_by_key(|(time, _)| *time).expect("five runs");
    println!("{} nodes: simplified in {simplified:?}, {} steps planned in {planned:?}", g.nodes.len(), p.steps.len());
    assert!(p.steps.iter().all(|s| !matches!(s.kernel, Kernel::Copy)), "every update is in place");
    // Far above what it takes, in debug builds too; it guards against squares of the graph's size.
    assert!(planned.as_millis() < 5_000);
}

#[test]
fn everything_is_placed_on_the_first_device() {
    let g = graph(TWO);
    assert_eq!(place(&g, &[]), None);
    let placement = place(&g, &["cpu".into(), "gpu".into()]).expect("a device");
    assert_eq!(placement.device(tfm_lowering::graph::Value(0)), Some("cpu"));
    assert_eq!(placement.device(tfm_lowering::graph::Value(99)), None);
    let parts = partition(&g, &placement);
    assert_eq!((parts.len(), &*parts[0].device, &parts[0].graph), (1, "cpu", &g));
}
