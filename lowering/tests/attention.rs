//! Attention written out: which halves a causal mask leaves out, and what is done one matrix at a time.

mod common;

use common::graph;
use common::kernels::Array;
use common::machine::{self, Machine, Mode};
use common::oracle::{self, World};
use tfm_lowering::plan::{Kernel, Plan, Request, Step, schedule};

/// Causal attention forward and backward, `$size` keys for 6 queries, scores from `$scores`; `$compare` makes the mask.
const ATTENTION: &str = "
    %q = input q : f32[B, 6, 4]
    %k = input k : f32[B, 4, $size]
    %v = input v : f32[B, $size, 4]
    %dy = input dy : f32[B, 6, 4]
    %row = iota(n: 6) : i32[6]
    %rows = reshape(%row, to: [6, 1]) : i32[6, 1]
    %column = iota(n: $size) : i32[$size]
    %by_row = broadcast(%rows, to: [6, $size]) : i32[6, $size]
    %by_column = broadcast(%column, to: [6, $size]) : i32[6, $size]
    %low = $compare : bool[6, $size]
    %mask = broadcast(%low, to: [B, 6, $size]) : bool[B, 6, $size]
    %much = constant -1e30 : f32[]
    %none = broadcast(%much, to: [B, 6, $size]) : f32[B, 6, $size]
    %product = matmul(%q, %k) : f32[B, 6, $size]
    %scores = $scores : f32[B, 6, $size]
    %masked = where(%mask, %scores, %none) : f32[B, 6, $size]
    %max = max(%masked, axis: [2], keep: true) : f32[B, 6, 1]
    %max_all = broadcast(%max, to: [B, 6, $size]) : f32[B, 6, $size]
    %less = subtract(%masked, %max_all) : f32[B, 6, $size]
    %e = exp(%less) : f32[B, 6, $size]
    %total = sum(%e, axis: [2], keep: true) : f32[B, 6, 1]
    %total_all = broadcast(%total, to: [B, 6, $size]) : f32[B, 6, $size]
    %p = divide(%e, %total_all) : f32[B, 6, $size]
    %y = matmul(%p, %v) : f32[B, 6, 4]
    %vt = transpose(%v, order: [0, 2, 1]) : f32[B, 4, $size]
    %dp = matmul(%dy, %vt) : f32[B, 6, $size]
    %pt = transpose(%p, order: [0, 2, 1]) : f32[B, $size, 6]
    %dv = matmul(%pt, %dy) : f32[B, $size, 4]
    %inner = multiply(%dp, %p) : f32[B, 6, $size]
    %s = sum(%inner, axis: [2], keep: true) : f32[B, 6, 1]
    %s_all = broadcast(%s, to: [B, 6, $size]) : f32[B, 6, $size]
    %off = subtract(%dp, %s_all) : f32[B, 6, $size]
    %ds = multiply(%p, %off) : f32[B, 6, $size]
    %zero = constant 0.0 : f32[]
    %zeros = broadcast(%zero, to: [B, 6, $size]) : f32[B, 6, $size]
    %passed = where(%mask, %ds, %zeros) : f32[B, 6, $size]
    %kt = transpose(%k, order: [0, 2, 1]) : f32[B, $size, 4]
    %dq = matmul(%passed, %kt) : f32[B, 6, 4]
    %qt = transpose(%q, order: [0, 2, 1]) : f32[B, 4, 6]
    %dk = matmul(%qt, %passed) : f32[B, 4, $size]
    entry e
      output y = %y
      output dv = %dv
      output dq = %dq
      output dk = %dk
      output product = %product
      output p = %p
";

fn text(size: usize, compare: &str, scores: &str) -> String {
    ATTENTION.replace("$size", &size.to_string()).replace("$compare", compare).replace("$scores", scores)
}

fn plan(text: &str, fetches: &[&str]) -> Plan {
    let fetches = fetches.iter().map(|f| f.to_string()).collect();
    let request = Request { entry: "e".into(), fetches, assigns: false, sizes: [("B".to_string(), 8)].into() };
    schedule(&graph(text), &request, &Machine).unwrap_or_else(|e| panic!("{e}"))
}

/// Those of elements among them.
fn all_steps(plan: &Plan) -> Vec<Step> {
    let inner = |step: &Step| match &step.kernel {
        Kernel::Each(each) => all_steps(&each.plan),
        _ => vec![step.clone()],
    };
    plan.steps.iter().flat_map(inner).collect()
}

/// What is said of each product of a request, in the order of the graph: q k, p v, dy v, p dy, ds k, q ds.
fn said(size: usize, compare: &str, scores: &str, fetches: &[&str]) -> Vec<String> {
    let mut steps = all_steps(&plan(&text(size, compare, scores), fetches));
    steps.sort_by_key(|s| s.nodes.last().copied());
    let attrs = |s: &Step| match &s.kernel {
        Kernel::Primitive(name, attrs) if &**name == "matmul" => {
            Some(attrs.iter().map(|(name, half)| format!("{name} {half}")).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    steps.iter().filter_map(attrs).collect()
}

const LOW: &str = "greater_equal(%by_row, %by_column)";

#[test]
fn products_leave_out_what_a_causal_mask_hides() {
    let all = ["y", "dv", "dq", "dk"];
    let hidden = ["out_unused \"after\"", "lhs_zero \"after\"", "out_unused \"after\"", "lhs_zero \"before\""];
    let hidden = [&hidden[..], &["lhs_zero \"after\"", "rhs_zero \"after\""]].concat();
    let plain = "tanh(%product)";
    assert_eq!(said(6, LOW, plain, &all), hidden);
    // Who looks at scores gets them all.
    assert_eq!(said(6, LOW, plain, &["y", "product"])[0], "");
    // The other way round.
    let turned = said(6, "less_equal(%by_row, %by_column)", plain, &all);
    assert_eq!(turned[0], "out_unused \"before\"");
    assert_eq!(turned[3], "lhs_zero \"after\"");
    // Scores that another mask may have been at may be hidden in a whole row: softmax is not 0 there.
    let other = said(6, LOW, "multiply(%product, %product)", &all);
    assert_eq!(other, ["out_unused \"after\"", "", "", "", "lhs_zero \"after\"", "rhs_zero \"after\""]);
    // A mask that hides the diagonal too hides all of the first row, whose softmax is nowhere 0; its gradient is masked.
    let strict = said(6, "greater(%by_row, %by_column)", plain, &all);
    assert_eq!(strict, other);
    // Not every row of a mask that is higher than wide has something to look at.
    assert_eq!(said(5, LOW, plain, &all)[1], "");
    // What compares no row with a column hides none.
    assert!(said(6, "less(%by_row, %by_row)", plain, &all).iter().all(String::is_empty));
}

/// The names of the steps, those of elements in brackets.
fn names(plan: &Plan) -> String {
    let name = |s: &Step| match &s.kernel {
        Kernel::Each(each) => format!("[{}]", names(&each.plan)),
        kernel => kernel.name().to_string(),
    };
    plan.steps.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn scores_are_made_and_used_one_matrix_at_a_time() {
    let text = text(6, LOW, "tanh(%product)");
    let whole = plan(&text, &["y", "dv", "dq", "dk"]);
    assert_eq!(names(&whole), "iota iota fused [matmul matmul fused matmul matmul matmul matmul]");
    // Nothing of the matrices is in the arena, but the mask and what is fetched; each thread has room for its own.
    let Kernel::Each(each) = &whole.steps[3].kernel else { panic!("{whole}") };
    assert_eq!((&each.outer[..], whole.steps[3].outputs.len()), (&[8][..], 4));
    assert!(whole.arena < 8 * (6 * 6 + 4 * 6 * 4) * 4 && each.plan.arena <= 4 * 6 * 6 * 4, "{whole}");
    // What somebody else wants is written for all.
    let with = plan(&text, &["y", "p"]);
    assert_eq!(names(&with), "iota iota fused [matmul fused matmul]");
    assert_eq!(with.steps[3].outputs.len(), 2);
    // Where nothing stays inside there is nothing to gain.
    assert_eq!(names(&plan(&text, &["product", "p"])), "iota iota fused matmul fused");
    // A few elements do not keep threads busy.
    let few = text.replace('B', "2");
    assert!(!names(&plan(&few, &["y"])).contains('['));
    // One right side for all: a single product with more rows.
    let shared = text.replace("input k : f32[B, 4, 6]", "input k : f32[4, 6]").replace(
        "%product = matmul(%q, %k)",
        "%keys = broadcast(%k, to: [B, 4, 6]) : f32[B, 4, 6]\n    %product = matmul(%q, %keys)",
    );
    let shared = shared.replace("transpose(%k,", "transpose(%keys,");
    assert_eq!(names(&plan(&shared, &["y"])), "iota iota fused matmul fused matmul");
}

#[test]
fn what_only_the_backward_pass_reads_is_made_again_there() {
    // The gradient of the result depends on the result of all elements: forward and backward are two.
    let separate = |text: &str| {
        let text = text.replace("    %dy = input dy : f32[B, 6, 4]\n", "");
        let of_all = "
    %all = sum(%y, axis: [0], keep: true) : f32[1, 6, 4]
    %alls = broadcast(%all, to: [B, 6, 4]) : f32[B, 6, 4]
    %dy = multiply(%y, %alls) : f32[B, 6, 4]";
        let y = "%y = matmul(%p, %v) : f32[B, 6, 4]";
        assert!(text.contains(y));
        text.replace(y, &format!("{y}{of_all}"))
    };
    let planned = |text: &str, fetches: &[&str], batch: i64| {
        let fetches = fetches.iter().map(|f| f.to_string()).collect();
        let request = Request { entry: "e".into(), fetches, assigns: false, sizes: [("B".to_string(), batch)].into() };
        let plan = schedule(&graph(text), &request, &Machine).unwrap_or_else(|e| panic!("{e}"));
        plan.check().unwrap_or_else(|e| panic!("{e}"));
        plan
    };
    let text = separate(&text(6, LOW, "tanh(%product)"));
    let (gradients, weights) = (["dv", "dq", "dk"], |batch: usize| batch * 6 * 6 * 4);
    let forward = |plan: &Plan| {
        let each = plan.steps.iter().find(|s| matches!(s.kernel, Kernel::Each(_))).expect("there is one");
        each.outputs.len()
    };
    // Large ones are made again; small ones stay.
    let large = planned(&text, &gradients, 40_000);
    assert_eq!(forward(&large), 1, "{large}");
    let again = "[matmul fused matmul matmul fused matmul matmul]";
    assert_eq!(names(&large), format!("iota iota fused [matmul fused matmul] sum fused {again}"));
    let small = planned(&text, &gradients, 8);
    assert_eq!(forward(&small), 2, "{small}");
    assert!(names(&small).contains('[') && !names(&small).ends_with(again), "{small}");
    // What somebody else wants is there anyway.
    let wanted = planned(&text, &["p", "dv", "dq", "dk"], 40_000);
    assert_eq!(forward(&wanted), 2, "{wanted}");
    // It is less memory: the weights of all elements are nowhere.
    let kept = wanted.arena - large.arena;
    assert!(kept >= weights(40_000), "{} {}", wanted.arena, large.arena);
}

#[test]
fn programs_leave_out_what_a_causal_mask_hides() {
    let halves = |compare: &str, scores: &str, fetches: &[&str]| {
        let of = |s: &Step| match &s.kernel {
            Kernel::Fused(fused) if fused.row > 0 => Some(fused.skips.map(|half| half.name())),
            _ => None,
        };
        all_steps(&plan(&text(6, compare, scores), fetches)).iter().filter_map(of).collect::<Vec<_>>()
    };
    let all = ["y", "dv", "dq", "dk"];
    assert_eq!(halves(LOW, "tanh(%product)", &all), [Some("after")]);
    assert_eq!(halves("less_equal(%by_row, %by_column)", "tanh(%product)", &all), [Some("before")]);
    // Softmax is not 0 in a row that is hidden altogether; its gradient is masked, but sums what is not 0.
    assert_eq!(halves("greater(%by_row, %by_column)", "tanh(%product)", &all), [None]);
    assert_eq!(halves(LOW, "multiply(%product, %product)", &all), [None]);
    assert_eq!(halves("less(%by_row, %by_row)", "tanh(%product)", &all), [None]);
}

#[test]
fn the_values_are_those_of_the_graph() {
    let dims = |dims: &[usize], seed: usize| {
        let mut n = seed;
        Array::from_fn(dims, |_| {
            n = (n * 1103 + 12345) % 65536;
            n as f64 / 32768.0 - 1.0
        })
    };
    for compare in [LOW, "less_equal(%by_row, %by_column)", "greater(%by_row, %by_column)", "less(%by_row, %by_row)"] {
        for scores in ["tanh(%product)", "multiply(%product, %product)"] {
            let graph = graph(&text(6, compare, scores));
            let feeds = [("q", [5, 6, 4]), ("k", [5, 4, 6]), ("v", [5, 6, 4]), ("dy", [5, 6, 4])];
            let feeds = feeds.iter().zip(1..).map(|((name, shape), seed)| (name.to_string(), dims(shape, seed)));
            let sizes = [("B".to_string(), 5)].into();
            let world = World { sizes, feeds: feeds.collect(), variables: Vec::new() };
            let (outputs, _) = oracle::run(&graph, "e", &world);
            for mode in [Mode::ByInstruction, Mode::ByElement] {
                let (planned, _) = machine::run(&graph, "e", &world, mode);
                for (name, value) in &outputs {
                    let near = value.data.iter().zip(&planned[name].data).all(|(x, y)| (x - y).abs() < 1e-5);
                    // What is hidden of the scores may be anything.
                    assert!(near || name == "product", "{compare}, {scores}, {name}");
                }
            }
        }
    }
}
