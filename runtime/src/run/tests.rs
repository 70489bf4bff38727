//! The loop on a machine that is a few lines of arithmetic: what happens when, and that an interrupted
//! run ends like one that was not.

use super::*;
use crate::checkpoint::{CheckpointError, Position, Progress, Store, Which};
use crate::data::Batch;
use crate::tensor::Tensor;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tfm_lang::model::*;
use tfm_lang::source::Span;
use tfm_lang::syntax::ast::Unit;
use tfm_lang::types::DType;
use tfm_lowering::graph::{Type, Variable};

/// `w` moves with the data and the step, `m` counts, `area` adds up the losses since it was reset.
struct Machine {
    variables: Vec<Variable>,
    tensors: Vec<Tensor>,
    sizes: Vec<(String, i64)>,
    /// The step at which `w` is made NaN.
    breaks: Option<u64>,
    /// Batches evaluated.
    evaluations: usize,
}

impl Machine {
    fn new() -> Machine {
        let variable =
            |path: &str, kind| Variable { path: path.into(), kind, ty: Type::scalar(DType::F32), device: None };
        let variables = vec![
            variable("Net.w", VariableKind::Parameter),
            variable("Net.w/adam_1.m", VariableKind::Optimizer),
            variable("t.area_1.sum", VariableKind::Metric),
        ];
        Machine {
            variables,
            tensors: vec![Tensor::zeros(DType::F32, &[]); 3],
            sizes: Vec::new(),
            breaks: None,
            evaluations: 0,
        }
    }

    fn get(&self, i: usize) -> f32 {
        self.tensors[i].elements::<f32>()[0]
    }

    fn set(&mut self, i: usize, x: f32) {
        self.tensors[i].elements_mut::<f32>()[0] = x;
    }
}

impl Engine for Machine {
    fn set_size(&mut self, name: &str, size: i64) {
        self.sizes.push((name.into(), size));
    }

    fn outputs(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn initialize(&mut self, seed: u64) -> Result<(), RunError> {
        self.set(0, seed as f32);
        (1..3).for_each(|i| self.set(i, 0.0));
        Ok(())
    }

    fn reset_metrics(&mut self) -> Result<(), RunError> {
        self.set(2, 0.0);
        Ok(())
    }

    fn run(&mut self, call: &Call, out: &mut Vec<Tensor>) -> Result<(), RunError> {
        let &Call { entry, feeds, fetches, assigns, context } = call;
        assert!(assigns);
        let x: f32 = feeds.iter().find(|f| f.0 == "x").map(|f| f.1.elements::<f32>().iter().sum()).unwrap();
        let n = feeds[0].1.shape[0] as f32;
        let loss = (self.get(0) - x / n).abs();
        self.set(2, self.get(2) + loss);
        if entry == "t.step" {
            self.set(0, self.get(0) * 0.9 + x * 0.01 + 0.001 * context.step as f32);
            self.set(1, self.get(1) + 1.0);
            if self.breaks == Some(context.step) {
                self.set(0, f32::NAN);
            }
        } else {
            assert_eq!((entry, context.step), ("t.evaluate", 0));
            self.evaluations += 1;
        }
        let values = [("loss", loss), ("mean", x / n), ("area", self.get(2))];
        out.clear();
        for fetch in fetches {
            out.push(Tensor::of::<f32>(&[], &[values.iter().find(|v| v.0 == *fetch).unwrap().1]));
        }
        Ok(())
    }

    fn first_not_finite(&mut self, call: &Call) -> Result<Option<Cause>, RunError> {
        self.run(call, &mut Vec::new())?;
        let cause = Cause { operation: "op7".into(), scope: "Net".into(), span: None };
        Ok(self.get(0).is_nan().then_some(cause))
    }

    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    fn tensors_mut(&mut self) -> &mut [Tensor] {
        &mut self.tensors
    }
}

/// 18 examples in batches of 4, in another order each epoch; 7 to evaluate on.
struct Numbers(Vec<String>);

impl Feed for Numbers {
    fn epoch(&self) -> period::Epoch {
        period::Epoch { steps: 5, examples: 18 }
    }

    fn fields(&self) -> &[String] {
        &self.0
    }

    fn training(&self, from: Position) -> Result<Batches<'_>, RunError> {
        let start = from.epoch * 5 + from.batch;
        Ok(Box::new((start..).map(|n| {
            let (epoch, batch) = (n / 5, n % 5);
            let size = if batch == 4 { 2 } else { 4 };
            let x: Vec<f32> = (0..size).map(|i| ((batch * 4 + i) * (epoch + 1) % 18) as f32).collect();
            Ok(Batch::of(vec![Tensor::of(&[size as usize], &x)], size as usize))
        })))
    }

    fn evaluation(&self, _: &DataRef) -> Result<(Vec<String>, Batches<'_>), RunError> {
        let batch = |n: usize, x: f32| Ok(Batch::of(vec![Tensor::of(&[n], &vec![x; n])], n));
        Ok((self.0.clone(), Box::new([batch(4, 1.0), batch(3, 8.0)].into_iter())))
    }
}

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    /// A signal after this step.
    interrupt: Option<(u64, &'static AtomicUsize)>,
    /// Someone wants the machine after this step.
    hand_over: Option<(u64, &'static AtomicBool)>,
}

impl Observer for Log {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Step(s) => {
                if let Some((at, flag)) = self.interrupt
                    && at == s.step
                {
                    flag.store(2, Ordering::Relaxed);
                }
                if let Some((at, flag)) = self.hand_over {
                    flag.store(at == s.step, Ordering::Release);
                }
            }
            Event::Evaluated { step, values, .. } => self.lines.push(format!("evaluated {step} {}", values.len())),
            Event::Saved { step, best, .. } => {
                self.lines.push(format!("saved {step} {}", best.join(" ")).trim().into())
            }
            Event::Note(text) => self.lines.push(text.into()),
            Event::Images { step, path } => {
                self.lines.push(format!("images {step} {}", path.file_name().unwrap().display()));
            }
            Event::Started(_) | Event::Evaluating { .. } | Event::Table { .. } | Event::Variables { .. } => {}
        }
    }
}

fn program() -> Program {
    let report = |name: &str, value, accumulated| Report {
        name: name.into(),
        value: ValueId(value),
        accumulated,
        sizes: Vec::new(),
    };
    Program {
        body: Body::default(),
        losses: vec![ValueId(0)],
        reports: vec![report("loss", 0, false), report("mean", 1, false), report("area", 2, true)],
        outputs: Vec::new(),
        assigns: Vec::new(),
    }
}

fn every(count: f64, unit: Unit) -> Option<Period> {
    Some(Period { count, unit })
}

fn block(length: Period, periodic: Vec<Periodic>) -> Train {
    Train {
        name: "t".into(),
        data: DataRef { data: 0, split: 0, operators: Vec::new() },
        batch: 4,
        length,
        seed: 3,
        settings: Settings::default(),
        training: program(),
        evaluation: program(),
        minimize: Vec::new(),
        periodic,
        stop: Vec::new(),
        starts: Vec::new(),
        frozen: Vec::new(),
        span: Span::default(),
    }
}

fn test_split() -> DataRef {
    DataRef { data: 0, split: 1, operators: Vec::new() }
}

struct Bench {
    dir: tempfile::TempDir,
    block: Train,
    /// [`Job::sanity`] and [`Job::trial`].
    extra: (u64, Option<u64>),
}

impl Bench {
    fn new(block: Train) -> Bench {
        Bench { dir: tempfile::tempdir().unwrap(), block, extra: (0, None) }
    }

    fn run(
        &self,
        machine: &mut Machine,
        from: Option<Progress>,
        max_steps: Option<u64>,
        interrupt: Option<u64>,
    ) -> (Result<Outcome, RunError>, Vec<String>) {
        let stop: &'static AtomicUsize = Box::leak(Box::default());
        let mut log = Log { interrupt: interrupt.map(|step| (step, stop)), ..Log::default() };
        if from.is_none() {
            machine.initialize(3).unwrap();
        }
        let (outcome, log) = (self.enter(machine, from, max_steps, &mut log, stop, false), log.lines);
        (outcome, log)
    }

    fn enter(
        &self,
        machine: &mut Machine,
        from: Option<Progress>,
        max_steps: Option<u64>,
        log: &mut Log,
        stop: &AtomicUsize,
        save_soon: bool,
    ) -> Result<Outcome, RunError> {
        let folder = &Folder::open(self.dir.path());
        let splits = &[vec!["train".to_string(), "test".to_string()]];
        let hand_over = log.hand_over.map_or(&*Box::leak(Box::default()), |(_, flag)| flag);
        let block = &self.block;
        let (sanity, trial) = self.extra;
        let job = Job { train: block, splits, folder, max_steps, from, stop, hand_over, save_soon, sanity, trial };
        train(machine, &Numbers(vec!["x".into()]), job, log)
    }

    fn store(&self) -> Store {
        Store::open(&self.dir.path().join("checkpoints")).unwrap()
    }

    fn resume(&self) -> (Machine, Progress) {
        let mut machine = Machine::new();
        machine.initialize(99).unwrap();
        let (manifest, skipped): (_, Vec<CheckpointError>) =
            self.store().restore(&Which::Last, &machine.variables.clone(), &mut machine.tensors).unwrap();
        assert!(skipped.is_empty());
        (machine, manifest.progress)
    }

    fn csv(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("metrics.csv")).unwrap()
    }
}

fn bits(machine: &Machine) -> Vec<u32> {
    (0..3).map(|i| machine.get(i).to_bits()).collect()
}

fn stall(epochs: f64) -> Stop {
    let rule = StopRule::Stalls { patience: Period { count: epochs, unit: Unit::Epochs }, by: 0.0 };
    Stop { metric: "test.loss".into(), highest: None, rule }
}

fn busy_block() -> Train {
    let mut block = block(
        Period { count: 26.0, unit: Unit::Epochs },
        vec![
            Periodic {
                every: every(1.0, Unit::Epochs),
                actions: vec![
                    Action::Evaluate(test_split()),
                    Action::CheckpointBest { highest: false, metric: "test.loss".into() },
                ],
                ..Periodic::default()
            },
            Periodic {
                every: every(7.0, Unit::Steps),
                actions: vec![Action::CheckpointKeep(2)],
                ..Periodic::default()
            },
            Periodic { every: None, actions: vec![Action::Evaluate(test_split())], ..Periodic::default() },
        ],
    );
    block.stop = vec![stall(20.0)];
    block
}

#[test]
fn a_run_does_what_is_due() {
    let bench = Bench::new(busy_block());
    let (outcome, log) = bench.run(&mut Machine::new(), None, Some(15), None);
    assert_eq!(outcome.unwrap().ended, Ended::MaxSteps);
    assert!(log.contains(&"evaluated 5 3".to_string()), "{log:?}");
    assert!(log.contains(&"saved 7".to_string()) && log.contains(&"saved 14".to_string()), "{log:?}");
    assert_eq!(log.iter().filter(|l| *l == "evaluated 15 3").count(), 1, "the end finds it done: {log:?}");
    assert!(log.last().unwrap().starts_with("saved 15"), "{log:?}");
    let csv = bench.csv();
    assert!(csv.starts_with("step,epoch,loss,mean,area,test.loss,test.mean,test.area\n1,0.2,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 15 + 3);
    // 4 examples of 1 and 3 of 8: means count by examples, the accumulated value is the last.
    let row = csv.lines().rev().find(|l| l.starts_with("5,")).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    assert_eq!(cells[2..5], ["", "", ""]);
    assert_eq!(cells[6], "4");
}

#[test]
fn an_interrupted_run_ends_like_one_that_was_not() {
    let whole = Bench::new(busy_block());
    let mut machine = Machine::new();
    let outcome = whole.run(&mut machine, None, None, None).0.unwrap();
    let end = outcome.progress.step;
    for cut in [1, 5, 7, 9, 35, 104, 110] {
        let bench = Bench::new(busy_block());
        let (first, log) = bench.run(&mut Machine::new(), None, None, Some(cut));
        assert_eq!(first.unwrap().ended, Ended::Signal(2));
        assert_eq!(log.last().unwrap(), &format!("saved {cut}"));
        let (mut resumed, progress) = bench.resume();
        assert_eq!((progress.step, progress.pending), (cut, true));
        let again = bench.run(&mut resumed, Some(progress), None, None).0.unwrap();
        assert_eq!(again.progress.step, end);
        assert_eq!(bits(&resumed), bits(&machine), "cut at {cut}");
        assert_eq!(bench.csv(), whole.csv(), "cut at {cut}");
        assert_eq!(again.progress.metrics, outcome.progress.metrics);
        assert_eq!(again.progress.best, outcome.progress.best);
        assert_eq!(again.ended, outcome.ended);
        let file = |b: &Bench, name: &str| std::fs::read(b.store().path(end).join(name)).unwrap();
        for name in ["model.safetensors", "optimizer.safetensors"] {
            assert_eq!(file(&bench, name), file(&whole, name));
        }
    }
}

#[test]
fn a_run_that_is_handed_over_ends_like_one_that_was_not_and_saves_nothing_on_the_way() {
    let (whole, mut machine) = (Bench::new(busy_block()), Machine::new());
    let end = whole.run(&mut machine, None, None, None).0.unwrap();
    let (bench, mut handed) = (Bench::new(busy_block()), Machine::new());
    handed.initialize(3).unwrap();
    let (flag, stop): (&'static AtomicBool, AtomicUsize) = (Box::leak(Box::default()), AtomicUsize::new(0));
    let (mut from, mut lines) = (None, Vec::new());
    for cut in [1, 5, 7, 8, 35, 104, u64::MAX] {
        let mut log = Log { hand_over: Some((cut, flag)), ..Log::default() };
        flag.store(false, Ordering::Release);
        let outcome = bench.enter(&mut handed, from, None, &mut log, &stop, false).unwrap();
        if cut < u64::MAX {
            assert_eq!((outcome.ended.clone(), outcome.progress.step), (Ended::HandedOver, cut));
            assert_ne!(log.lines.last(), Some(&format!("saved {cut}")));
        }
        lines.extend(log.lines);
        from = Some(outcome.progress);
    }
    assert_eq!(from.unwrap().step, end.progress.step);
    assert_eq!((bits(&handed), bench.csv()), (bits(&machine), whole.csv()));
    let saved = |lines: &[String]| lines.iter().filter(|l| l.starts_with("saved")).cloned().collect::<Vec<_>>();
    assert_eq!(saved(&lines), saved(&whole.run(&mut Machine::new(), None, None, None).1));
}

#[test]
fn what_shall_be_saved_soon_is_saved_after_the_first_step() {
    let bench = Bench::new(block(Period { count: 9.0, unit: Unit::Steps }, Vec::new()));
    let (mut machine, mut log) = (Machine::new(), Log::default());
    bench.enter(&mut machine, None, None, &mut log, &AtomicUsize::new(0), true).unwrap();
    assert_eq!(log.lines, ["saved 1", "saved 9"]);
}

#[test]
fn a_killed_run_goes_on_from_the_last_checkpoint() {
    let whole = Bench::new(busy_block());
    let mut machine = Machine::new();
    whole.run(&mut machine, None, None, None).0.unwrap();
    let bench = Bench::new(busy_block());
    bench.run(&mut Machine::new(), None, Some(33), None).0.unwrap();
    // As a kill at step 33 would leave it: rows and a half-written folder beyond the last checkpoint.
    let store = bench.store();
    std::fs::remove_dir_all(store.path(33)).unwrap();
    let half = bench.dir.path().join("checkpoints/.step-000033.new");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("model.safetensors"), b"half").unwrap();
    let (mut resumed, progress) = bench.resume();
    assert!(progress.step < 33 && !half.exists());
    bench.run(&mut resumed, Some(progress), None, None).0.unwrap();
    assert_eq!(bits(&resumed), bits(&machine));
    assert_eq!(bench.csv(), whole.csv());
}

#[test]
fn retention_keeps_the_last_and_the_best() {
    let bench = Bench::new(busy_block());
    let outcome = bench.run(&mut Machine::new(), None, Some(40), None).0.unwrap();
    let best = outcome.progress.best["test.loss"].step;
    let mut expected = vec![best, 35, 40];
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(bench.store().steps(), expected);
    assert!(bench.store().find(&Which::Best).unwrap().ends_with(format!("step-{best:06}")));
    let index = std::fs::read_to_string(bench.dir.path().join("checkpoints/index.json")).unwrap();
    assert!(index.contains("\"last\": \"step-000040\""), "{index}");
}

#[test]
fn a_stall_ends_the_run_and_stays_the_end() {
    let mut block = busy_block();
    block.stop = vec![stall(2.0)];
    let bench = Bench::new(block);
    let outcome = bench.run(&mut Machine::new(), None, None, None).0.unwrap();
    let Ended::Stopped(why) = &outcome.ended else { panic!("{:?}", outcome.ended) };
    assert!(why.starts_with("test.loss has not improved on "), "{why}");
    let series = outcome.progress.metrics["test.loss"];
    assert_eq!(outcome.progress.step, series.best_step + 10);
    let (mut machine, progress) = bench.resume();
    assert_eq!(bench.run(&mut machine, Some(progress), None, None).0.unwrap().ended, outcome.ended);
}

#[test]
fn a_loss_that_is_not_finite_names_its_operation() {
    let bench = Bench::new(block(Period { count: 900.0, unit: Unit::Steps }, busy_block().periodic));
    let mut machine = Machine { breaks: Some(230), ..Machine::new() };
    let (outcome, _) = bench.run(&mut machine, None, None, None);
    let error = outcome.unwrap_err();
    // `w` breaks in the update of step 230, the loss shows it at the next.
    let RunError::NotFinite { step: 231, cause: Some((230, cause)), .. } = &error else { panic!("{error:?}") };
    assert_eq!(cause.operation, "op7");
    assert_eq!(
        error.to_string(),
        "`loss` is not a number at step 231; the first value that is not finite comes from `op7` in Net at step 230"
    );
    assert!(bench.store().steps().iter().all(|s| *s < 230));
    assert!(bench.resume().0.get(0).is_finite());
}

#[test]
fn a_spoilt_parameter_is_not_saved() {
    let bench = Bench::new(block(Period { count: 900.0, unit: Unit::Steps }, busy_block().periodic));
    let mut machine = Machine { breaks: Some(21), ..Machine::new() };
    let error = bench.run(&mut machine, None, None, None).0.unwrap_err();
    let RunError::NotFinite { step: 21, name, cause: Some((21, _)), .. } = &error else { panic!("{error:?}") };
    assert_eq!(name, "Net.w");
    assert!(bench.resume().0.get(0).is_finite());
}

#[test]
fn a_run_of_no_steps_has_a_checkpoint() {
    let bench = Bench::new(block(Period { count: 0.0, unit: Unit::Epochs }, Vec::new()));
    let (outcome, log) = bench.run(&mut Machine::new(), None, None, None);
    assert_eq!((outcome.unwrap().ended, log), (Ended::Done, vec!["saved 0".to_string()]));
    assert!(Path::new(&bench.store().path(0)).join("manifest.json").exists());
}

#[test]
fn a_sanity_pass_changes_nothing() {
    let (plain, careful) = (Bench::new(busy_block()), Bench { extra: (2, None), ..Bench::new(busy_block()) });
    let (mut one, mut other) = (Machine::new(), Machine::new());
    plain.run(&mut one, None, Some(12), None).0.unwrap();
    careful.run(&mut other, None, Some(12), None).0.unwrap();
    assert!(other.evaluations > one.evaluations, "nothing was tried");
    assert_eq!((bits(&one), plain.csv()), (bits(&other), careful.csv()));
}

#[test]
fn a_trial_does_everything_once_on_little() {
    let bench = Bench { extra: (0, Some(1)), ..Bench::new(busy_block()) };
    let mut machine = Machine::new();
    let (outcome, log) = bench.run(&mut machine, None, Some(1), None);
    assert_eq!(outcome.unwrap().ended, Ended::MaxSteps);
    assert!(
        log.iter().any(|l| l.starts_with("evaluated 1 ")) && log.iter().any(|l| l.starts_with("saved 1")),
        "{log:?}"
    );
    assert_eq!(machine.evaluations, 1, "one batch, though there are two");
}

#[test]
fn where_the_file_says_nothing_the_last_and_the_best_are_kept() {
    let evaluated = Periodic {
        every: every(1.0, Unit::Epochs),
        actions: vec![Action::Evaluate(test_split())],
        ..Periodic::default()
    };
    let bench = Bench::new(block(Period { count: 8.0, unit: Unit::Epochs }, vec![evaluated]));
    let outcome = bench.run(&mut Machine::new(), None, None, None).0.unwrap();
    let best = outcome.progress.best["test.loss"].step;
    assert_eq!(best, outcome.progress.metrics["test.loss"].best_step);
    assert!(best < 40, "the test shows nothing if the best is the last");
    assert_eq!(bench.store().steps(), [best, 40]);
    // Of a run that is killed, the last evaluation is there to go on from.
    let killed = Bench::new(bench.block.clone());
    killed.run(&mut Machine::new(), None, Some(7), None).0.unwrap();
    assert!(killed.store().steps().contains(&5), "{:?}", killed.store().steps());
}
