//! Checkpoints survive the way to disk and back, and say what is wrong when they did not.

use super::*;
use crate::tensor::Tensor;
use std::fs;
use std::path::Path;
use tfm_lang::dim::Dim;
use tfm_lang::model::VariableKind;
use tfm_lang::types::DType;
use tfm_lowering::graph::{Type, Variable};

fn variable(path: &str, kind: VariableKind, dtype: DType, shape: &[i64]) -> Variable {
    let shape = shape.iter().map(|n| Dim::constant(*n)).collect();
    Variable { path: path.into(), kind, ty: Type { dtype, shape }, device: None }
}

fn sample() -> (Vec<Variable>, Vec<Tensor>) {
    let variables = vec![
        variable("Net.w", VariableKind::Parameter, DType::F32, &[2, 3]),
        variable("Net.norm.count", VariableKind::State, DType::I64, &[]),
        variable("Net.w/adam_1.m", VariableKind::Optimizer, DType::F32, &[2, 3]),
        variable("Net.mask", VariableKind::State, DType::Bool, &[3]),
    ];
    let tensors = vec![
        Tensor::of::<f32>(&[2, 3], &[1.5, -0.0, f32::MIN_POSITIVE / 2.0, f32::NAN, f32::INFINITY, 3.0]),
        Tensor::of::<i64>(&[], &[-7]),
        Tensor::of::<f32>(&[2, 3], &[0.25; 6]),
        Tensor::of::<bool>(&[3], &[true, false, true]),
    ];
    (variables, tensors)
}

fn empty(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|t| Tensor::zeros(t.dtype, &t.shape)).collect()
}

fn progress() -> Progress {
    let mut progress = Progress { train: "net".into(), step: 12, seconds: 1.25, ..Progress::default() };
    progress.position = Position { epoch: 2, batch: 2 };
    progress.metrics.insert("loss".into(), Series { last: Some(0.1), best: Some(f32::MIN_POSITIVE), best_step: 3 });
    progress.stalls.push(Stall { best: Some(1.0 / 3.0), ..Stall::default() });
    progress
}

fn saved(dir: &Path) -> std::path::PathBuf {
    let (variables, tensors) = sample();
    let to = dir.join("step-000012");
    write(&to, &progress(), &variables, &tensors).unwrap();
    to
}

fn problems(folder: &Path, variables: &[Variable], tensors: &mut [Tensor]) -> Vec<String> {
    let before: Vec<Vec<u8>> = tensors.iter().map(|t| t.bytes().to_vec()).collect();
    let error = load(folder, variables, tensors).unwrap_err();
    assert!(tensors.iter().zip(&before).all(|(t, b)| t.bytes() == b), "nothing changes when something is wrong");
    error.problems
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (variables, tensors) = sample();
    let folder = saved(dir.path());
    let mut read = empty(&tensors);
    let manifest = load(&folder, &variables, &mut read).unwrap();
    assert_eq!(manifest.progress, progress());
    assert!(read.iter().zip(&tensors).all(|(a, b)| a.bytes() == b.bytes()));
    assert_eq!(manifest.variables[0].shape, [2, 3]);

    let mut model_only = empty(&tensors);
    load_model(&folder, &variables, &mut model_only).unwrap();
    assert_eq!(model_only[0].bytes(), tensors[0].bytes());
    assert_eq!(model_only[2].to_f64(), [0.0; 6]);
}

#[test]
fn averages_stand_for_their_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let (mut variables, mut tensors) = sample();
    variables.push(variable("Net.w/average", VariableKind::Optimizer, DType::F32, &[2, 3]));
    tensors.push(Tensor::of::<f32>(&[2, 3], &[8.0; 6]));
    let folder = dir.path().join("step-000001");
    write(&folder, &progress(), &variables, &tensors).unwrap();
    let mut read = empty(&tensors);
    load_model(&folder, &variables, &mut read).unwrap();
    assert_eq!((read[4].to_f64(), read[2].to_f64()), (vec![8.0; 6], vec![0.0; 6]));

    let to = dir.path().join("model.safetensors");
    export(&folder, &to).unwrap();
    let bytes = fs::read(&to).unwrap();
    let exported = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(exported.tensor("Net.w").unwrap().data(), tensors[4].bytes());
    assert_eq!(exported.tensor("Net.mask").unwrap().data(), tensors[3].bytes());
    assert_eq!(exported.len(), 3);
}

#[test]
fn damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (variables, tensors) = sample();
    let mut read = empty(&tensors);
    let folder = saved(dir.path());
    let model = folder.join("model.safetensors");
    let bytes = fs::read(&model).unwrap();

    fs::write(&model, &bytes[..bytes.len() - 5]).unwrap();
    let n = bytes.len();
    let expected = format!("model.safetensors: is truncated: {} bytes, {n} expected", n - 5);
    assert_eq!(problems(&folder, &variables, &mut read), [expected]);

    let mut flipped = bytes.clone();
    flipped[n - 3] ^= 1;
    fs::write(&model, &flipped).unwrap();
    let damaged = "model.safetensors: is damaged: its checksum differs from the manifest's";
    assert_eq!(problems(&folder, &variables, &mut read), [damaged]);

    fs::remove_file(&model).unwrap();
    assert!(problems(&folder, &variables, &mut read)[0].starts_with("model.safetensors: "));
    fs::remove_file(folder.join("manifest.json")).unwrap();
    assert_eq!(problems(&folder, &variables, &mut read), ["has no manifest.json: it is not a checkpoint"]);
    fs::write(folder.join("manifest.json"), "{\"format\": 9}").unwrap();
    assert!(problems(&folder, &variables, &mut read)[0].contains("format 9"));
    fs::write(folder.join("manifest.json"), "{\"form").unwrap();
    assert!(problems(&folder, &variables, &mut read)[0].starts_with("cannot be read"));
}

#[test]
fn another_model_is_compared_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let folder = saved(dir.path());
    let variables = vec![
        variable("Net.w", VariableKind::Parameter, DType::F32, &[2, 4]),
        variable("Net.norm.count", VariableKind::State, DType::I32, &[]),
        variable("Net.b", VariableKind::Parameter, DType::F32, &[3]),
        variable("Net.w/adam_1.m", VariableKind::Optimizer, DType::F32, &[2, 3]),
    ];
    let mut tensors = vec![
        Tensor::zeros(DType::F32, &[2, 4]),
        Tensor::zeros(DType::I32, &[]),
        Tensor::zeros(DType::F32, &[3]),
        Tensor::zeros(DType::F32, &[2, 3]),
    ];
    assert_eq!(
        problems(&folder, &variables, &mut tensors),
        [
            "Net.w: f32[2, 3] in the checkpoint, f32[2, 4] in the model",
            "Net.norm.count: i64[] in the checkpoint, i32[] in the model",
            "Net.b: missing; the model has f32[3]",
            "Net.mask: in the checkpoint, not in the model",
        ]
    );
}

#[test]
fn a_store_never_shows_half_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("checkpoints");
    let (variables, tensors) = sample();
    let store = Store::open(&root).unwrap();
    assert_eq!(store.steps(), [0u64; 0]);
    let keep = |keep| Retention { keep };
    for step in [10, 20, 30] {
        let progress = Progress { step, periodic: true, ..progress() };
        store.save(&progress, keep(2), &variables, &tensors).unwrap();
    }
    assert_eq!(store.steps(), [20, 30]);

    // A kill while 40 was written, and one while 30 was being replaced.
    fs::create_dir(root.join(".step-000040.new")).unwrap();
    fs::rename(root.join("step-000030"), root.join(".step-000030.old")).unwrap();
    let store = Store::open(&root).unwrap();
    assert_eq!(store.steps(), [20, 30]);
    assert!(!root.join(".step-000040.new").exists());

    // The newest is damaged: the one before it is taken, and the damage is told.
    fs::write(root.join("step-000030/model.safetensors"), b"").unwrap();
    let mut read = empty(&tensors);
    let (manifest, passed_over) = store.restore(&Which::Last, &variables, &mut read).unwrap();
    assert_eq!((manifest.progress.step, passed_over.len()), (20, 1));
    assert!(passed_over[0].to_string().contains("truncated"));

    let again = Progress { step: 20, periodic: true, seed: 5, ..progress() };
    store.save(&again, keep(2), &variables, &tensors).unwrap();
    assert_eq!(read_manifest(&store.path(20)).unwrap().progress.seed, 5);
    assert_eq!(Which::from("best"), Which::Best);
    assert!(store.find(&Which::Best).is_err());
}

#[test]
fn weights_alone_are_matched_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("weights.safetensors");
    export(&saved(dir.path()), &file).unwrap();
    let (variables, tensors) = sample();
    let mut started = empty(&tensors);
    Weights::open(&file).unwrap().set_all(&variables, &mut started).unwrap();
    assert_eq!(started[0].bytes(), tensors[0].bytes());
    assert_eq!(started[1].bytes(), tensors[1].bytes());
    assert!(started[2].bytes().iter().all(|b| *b == 0), "the optimizer starts anew");

    let mut other = variables.clone();
    other[0].path = "Net.v".into();
    let error = Weights::open(&file).unwrap().set_all(&other, &mut started).unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    std::fs::write(&file, b"no weights").unwrap();
    assert!(Weights::open(&file).and_then(|w| w.set_all(&variables, &mut started)).is_err());
}
