//! Every example checks; those that need no files train for a few steps through the command itself.

use std::path::{Path, PathBuf};
use tfm_lang::check::Options;
use tfm_tests::{check_file, files, one_line, read, root};

fn examples() -> Vec<PathBuf> {
    let all = files(&root().join("examples"), "tfm");
    assert!(all.len() >= 7, "only {} examples were found", all.len());
    all
}

#[test]
fn examples_check_and_say_what_they_show() {
    for path in examples().into_iter().chain(files(&root().join("tests/agree"), "tfm")) {
        let (sources, checked) = check_file(&path, &Options::default());
        let found: Vec<String> = checked.diagnostics.iter().map(|d| one_line(&sources, d)).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
        let model = checked.model.unwrap_or_else(|| panic!("{} gives no model", path.display()));
        assert!(!model.trains.is_empty(), "{} trains nothing", path.display());
        assert!(read(&path).starts_with("// "), "{} does not say what it shows", path.display());
    }
}

#[test]
fn examples_are_numbered_and_named_in_the_readme() {
    let readme = read(&root().join("README.md"));
    for (i, path) in examples().iter().enumerate() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(name.starts_with(&format!("{:02}_", i + 1)), "{name} is out of order");
        assert!(readme.contains(&format!("examples/{name}.tfm")), "the README does not name {name}");
    }
}

#[test]
fn examples_are_short() {
    for path in examples() {
        let lines = read(&path).lines().count();
        assert!(lines < 120, "{} has {lines} lines", path.display());
    }
}

/// How many steps each block is trained for.
const STEPS: usize = 2;

/// Trains all blocks of a file for a few steps with small batches, evaluates, and gives the losses of the steps of each.
fn train(path: &Path, blocks: &[String], threads: &str) -> Vec<Vec<f64>> {
    let runs = folder(path, threads);
    let mut words = vec!["tfm".into(), "train".into(), path.as_os_str().to_owned()];
    let steps = STEPS.to_string();
    words
        .extend(["--max-steps", &steps, "--set", "batch=8", "--threads", threads, "--quiet", "--runs"].map(Into::into));
    words.push(runs.as_os_str().to_owned());
    assert_eq!(tfm::run(words), 0, "{}", path.display());
    let losses = |block: &String| {
        let logs = files(&runs.join(block), "jsonl");
        assert_eq!(logs.len(), 1, "{}: `{block}` writes one log", path.display());
        let text = read(&logs[0]);
        let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a row is JSON"));
        rows.filter_map(|row| row["loss"].as_f64()).collect()
    };
    blocks.iter().map(losses).collect()
}

#[test]
fn examples_without_files_train_the_same_with_one_thread_and_with_two() {
    let mut trained = 0;
    for path in examples() {
        if !["= drawn_digits(", "= random("].iter().any(|source| read(&path).contains(source)) {
            continue;
        }
        let model = check_file(&path, &Options::default()).1.model;
        let blocks: Vec<String> = model.into_iter().flat_map(|m| m.trains).map(|t| t.name).collect();
        let one = train(&path, &blocks, "1");
        let two = train(&path, &blocks, "2");
        assert!(one.iter().all(|losses| losses.len() == STEPS), "{}: {one:?}", path.display());
        assert!(one.iter().flatten().all(|loss| loss.is_finite() && *loss > 0.0), "{}: {one:?}", path.display());
        assert_eq!(one, two, "{}: threads change the numbers", path.display());
        trained += 1;
    }
    assert!(trained >= 13, "only {trained} examples need no files");
}

/// A fresh folder for the runs of an example.
fn folder(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(stem).join(name);
    // It may not be there.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    folder
}
