//! `tfm bench`: the standard workloads compute the same whatever they are run on.

mod common;

use common::tfm;
use serde_json::Value;
use std::path::Path;

/// The first losses of a workload on so many threads, with less than the processor has where that is said.
fn losses(work: &str, threads: usize, path: Option<&str>) -> Vec<f64> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tfm(dir.path(), &format!("bench --work {work} --losses 2 --threads {threads}"));
    if let Some(path) = path {
        command.env("TFM_CPU", path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{work}: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["losses"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The second loss has seen every gradient and the optimizer, in the sizes that kernels are chosen by.
#[test]
fn workloads_have_the_same_losses_on_all_threads_and_instructions() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("bench")).unwrap();
    let mut works: Vec<String> = files.map(|f| f.unwrap().path().file_stem().unwrap().display().to_string()).collect();
    works.sort();
    assert!(works.len() >= 7, "{works:?}");
    for work in works {
        let alone = losses(&work, 1, None);
        assert!(alone.iter().all(|x| x.is_finite()), "{work}: {alone:?}");
        for threads in [2, 3] {
            assert_eq!(losses(&work, threads, None), alone, "{work} on {threads} threads");
        }
        let plain = losses(&work, 2, Some("portable"));
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-4 * b.abs();
        assert!(alone.iter().zip(&plain).all(near), "{work}: {alone:?}, without vectors {plain:?}");
    }
}
