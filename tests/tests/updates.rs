//! What optimizers do with tables whose gradients are sparse: only the rows of the batch move, and what stands still
//! stays right.

use std::path::Path;
use tfm_lang::check::Options;
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};
use tfm_runtime::tensor::Tensor;
use tfm_tests::check_text;
use tfm_tests::gradients::lower;

const TABLE: &str = "\
import std.optim.{Adafactor, Adam, LAMB, LARS, Lion, Muon, NAdam, RMSprop, Sgd, accumulate, ema, lookahead}
import std.schedules.plateau

data digits = drawn_digits(train: 2, test: 1)

layer Table()(label: int[B] below 10) {
  param rows: f64[10, 2] = ones()
  sum(gather(rows, label))
}

train table on digits.train {
  minimize Table()(label)

  optimizer: OPTIMIZER
  batch: 2
  steps: 2
}
";

/// The value of each row of a variable after a batch with row 1 twice and one with rows 3 and 4; its rows are even.
fn rows_after(optimizer: &str, variable: &str) -> Vec<f64> {
    let (graph, _) = lower(&TABLE.replace("OPTIMIZER", optimizer)).expect(optimizer).expect("it has a parameter");
    let mut session = Session::new(graph, Cpu::new(1));
    session.set_size("steps_per_epoch", 1);
    session.initialize(1).expect("it starts");
    for (step, labels) in [(1, [1i32, 1]), (2, [3, 4])] {
        let label = Tensor::of(&[2], &labels);
        let context = Context { seed: 1, step };
        session.run("table.step", &[("label", &label)], &[], true, context).expect(optimizer);
    }
    let names: Vec<String> = session.variables().iter().map(|v| v.path.clone()).collect();
    let at = names.iter().position(|n| n.ends_with(variable)).unwrap_or_else(|| panic!("{variable} in {names:?}"));
    let values = session.tensors()[at].to_f64();
    values.chunks(2).for_each(|row| assert_eq!(row[0], row[1]));
    values.chunks(2).map(|row| row[0]).collect()
}

#[test]
fn rows_that_no_batch_has_stand_still() {
    // The gradient of row 1 is 2 in the first step, those of rows 3 and 4 are 1 in the second.
    let cases = [
        ("Sgd(0.25)", ".rows", [1.0, 0.5, 1.0, 0.75]),
        ("Sgd(0.25, momentum: 0.5)", ".rows", [1.0, 0.5, 1.0, 0.75]),
        // An average begins at a row's own first value, whenever that is.
        ("Sgd(0.25) |> ema(rate: 0.5)", "/average", [1.0, 0.5, 1.0, 0.75]),
        // The way back starts where a row was before it first moved.
        ("Sgd(0.25) |> lookahead(every: 2)", ".rows", [1.0, 0.5, 1.0, 0.875]),
        // The loss is 4 at both steps, so that the rate falls after the second.
        ("Sgd(plateau(0.25, patience: 0, every: 1 steps))", ".rows", [1.0, 0.5, 1.0, 0.75]),
    ];
    for (optimizer, variable, expected) in cases {
        let rows = rows_after(optimizer, variable);
        assert_eq!(rows[..4], expected, "{optimizer}");
        assert_eq!(rows[4], expected[3], "{optimizer}");
        assert!(rows[5..].iter().all(|r| *r == 1.0), "{optimizer}: {rows:?}");
    }
}

#[test]
fn every_kind_of_optimizer_moves_rows() {
    // Sums over the parameter and states of other shapes: of the rows that the batch has.
    let all = "Adafactor(0.1), Adam(0.1, amsgrad: true), LAMB(0.1), LARS(0.1), Lion(0.1), Muon(0.1), NAdam(0.1), \
               RMSprop(0.1, momentum: 0.5, centered: true)";
    for optimizer in all.split("), ") {
        let optimizer = format!("{})", optimizer.trim_end_matches(')'));
        let rows = rows_after(&optimizer, ".rows");
        let stood = [0, 2, 5, 6, 7, 8, 9].iter().all(|i| rows[*i] == 1.0);
        let moved = [1, 3, 4].iter().all(|i| rows[*i].is_finite() && rows[*i] < 1.0);
        assert!(stood && moved, "{optimizer}: {rows:?}");
    }
}

#[test]
fn whole_gradients_are_not_gathered_row_by_row() {
    let said = lower(&TABLE.replace("OPTIMIZER", "Sgd(0.25) |> accumulate(4)")).err().unwrap_or_default();
    assert!(said.contains("`accumulate` adds up whole gradients"), "{said}");
}

/// An optimizer that was right for the parameters of one block is not written again for another's of the same types;
/// parameters of other types, and optimizers with other settings, are.
#[test]
fn every_block_has_its_optimizer_checked() {
    let blocks = |second: &str, optimizer: &str| {
        format!(
            "data digits = drawn_digits(train: 2, test: 1)\n\
             optimizer Squares(axis: int)(p: float[..S], g: float[..S], step: float[]) {{\n\
               p <- p - 1e-3 * sum(g, axis: axis, keep: true) + 0 * (g @ transpose(g))[0, 0]\n\
             }}\n\
             layer Matrix()(label: int[B] below 10) {{\n  param w: f32[10, 2] = ones()\n  sum(gather(w, label))\n}}\n\
             layer Row()(label: int[B] below 10) {{\n  param w: f32[10] = ones()\n  sum(gather(w, label))\n}}\n\
             train first on digits.train {{\n  minimize Matrix()(label)\n  optimizer: Squares(0)\n  batch: 2\n  steps: 2\n}}\n\
             train second on digits.train {{\n  minimize {second}()(label)\n  optimizer: {optimizer}\n  batch: 2\n  steps: 2\n}}\n"
        )
    };
    let found = |text: String| {
        let (_, checked) = check_text("blocks.tfm", &text, Path::new("."), &Options::default());
        checked.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(found(blocks("Matrix", "Squares(0)")), Vec::<&str>::new());
    assert_eq!(found(blocks("Row", "Squares(0)")).len(), 1, "a vector has no matrix product");
    assert_eq!(found(blocks("Matrix", "Squares(2)")), ["E0307"], "a matrix has no axis 2");
}
