//! `tfm lint` as CI meets it: exit statuses, settings, edits, baselines, the standard input, the sample repository.

mod common;

use common::{bad, good, run, tfm};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const BAD: &str = "\
import std.layers.{Conv2d, Dense}
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits()

train net on digits.train {
  let p = flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10) |> softmax
  minimize cross_entropy(p, label)
  optimizer: Adam()
  batch:     64
  epochs:    3
}
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// What a command line that finds something writes.
fn finds(dir: &Path, line: &str) -> String {
    let output = run(dir, line);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "tfm {line}\n{out}{}", String::from_utf8_lossy(&output.stderr));
    out
}

#[test]
fn the_status_is_0_1_or_2() {
    let dir = folder(&[("bad.tfm", BAD), ("wrong.tfm", "model Net(x: f32[B, 3]) -> f32[B, 2] { x |> Dens(2) }\n")]);
    let clean = BAD.replace(" |> softmax", "").replace("{Conv2d, Dense}", "Dense");
    fs::write(dir.path().join("clean.tfm"), clean).unwrap();
    assert_eq!(good(dir.path(), "lint clean.tfm"), "");
    let found = finds(dir.path(), "lint --format concise bad.tfm");
    assert_eq!(
        found,
        "bad.tfm:1:20: warning[L0601] unused_import: nothing uses `Conv2d`\n\
         bad.tfm:8:72: error[L0101] probabilities_as_logits: `cross_entropy` wants logits and is given probabilities\n"
    );
    // Errors of the checker are in the same output.
    assert!(finds(dir.path(), "lint --format concise .").contains("wrong.tfm:1:45: error[E0201]: "));
    good(dir.path(), "lint bad.tfm --fail-on never");
    finds(dir.path(), "lint bad.tfm --fail-on error");
    good(dir.path(), "lint bad.tfm --fail-on error --warn correctness");
    finds(dir.path(), "lint bad.tfm --fail-on error --select style --deny L0601");
    good(dir.path(), "lint bad.tfm --ignore probabilities_as_logits,unused_import");
    for (line, told) in [
        ("lint none.tfm", "none.tfm: there is no such file"),
        ("lint bad.tfm --select unused_imports", "did you mean `unused_import`?"),
        ("lint bad.tfm --format sarf", "sarif"),
        ("lint bad.tfm --baseline none.json", "none.json"),
        ("lint bad.tfm --output no/such/folder", "no/such/folder"),
    ] {
        let said = bad(dir.path(), line, 2);
        assert!(said.contains(told), "{line}: {said}");
    }
}

#[test]
fn the_closest_settings_count() {
    let dir = folder(&[
        ("tfm.toml", "[lint]\nexclude = [\"old\"]\n[lint.levels]\nall = \"allow\"\n"),
        ("bad.tfm", BAD),
        ("old/bad.tfm", BAD),
        ("strict/tfm.toml", "[lint.levels]\nstyle = \"deny\"\ncorrectness = \"allow\"\n"),
        ("strict/deep/bad.tfm", BAD),
    ]);
    assert_eq!(
        finds(dir.path(), "lint --format concise"),
        "strict/deep/bad.tfm:1:20: error[L0601] unused_import: nothing uses `Conv2d`\n"
    );
    assert_eq!(finds(dir.path(), "lint --isolated --format concise .").lines().count(), 6);
    assert_eq!(finds(dir.path(), "lint --config strict/tfm.toml --format concise bad.tfm").lines().count(), 1);
    assert_eq!(good(dir.path(), "lint --show-files ."), "bad.tfm\nstrict/deep/bad.tfm\n");
    fs::write(dir.path().join("tfm.toml"), "[lint]\nmemory = 3\n[lnt]\n").unwrap();
    let said = bad(dir.path(), "lint bad.tfm", 2);
    assert!(said.starts_with("error: tfm.toml:"), "{said}");
    fs::write(dir.path().join("tfm.toml"), "[lint.levels]\nunused_imports = \"deny\"\n").unwrap();
    assert!(bad(dir.path(), "lint bad.tfm", 2).contains("did you mean `unused_import`?"));
}

#[test]
fn edits_are_applied_shown_or_left() {
    let dir = folder(&[("bad.tfm", BAD)]);
    let path = dir.path().join("bad.tfm");
    let diff = finds(dir.path(), "lint --diff --unsafe-fixes bad.tfm");
    assert!(diff.contains("-import std.layers.{Conv2d, Dense}\n+import std.layers.{Dense}\n"), "{diff}");
    assert!(diff.contains("+  let p = flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10)\n"), "{diff}");
    assert_eq!(fs::read_to_string(&path).unwrap(), BAD, "--diff changes nothing");
    let left = finds(dir.path(), "lint --fix --format concise bad.tfm");
    assert_eq!(left.lines().count(), 1, "{left}");
    good(dir.path(), "lint --fix --unsafe-fixes bad.tfm");
    good(dir.path(), "check bad.tfm");
    good(dir.path(), "lint bad.tfm");
    assert_eq!(good(dir.path(), "lint --diff --unsafe-fixes bad.tfm").trim(), "");
}

#[test]
fn a_baseline_leaves_new_findings() {
    let dir = folder(&[("bad.tfm", BAD)]);
    good(dir.path(), "lint --write-baseline known.json .");
    good(dir.path(), "lint --baseline known.json .");
    // Lines that move change nothing; a new finding is shown.
    let more = format!(
        "// A head line.\n\n{}",
        BAD.replace("epochs:    3", "epochs:    3\n  every 9 epochs { evaluate digits.test }")
    );
    fs::write(dir.path().join("bad.tfm"), more).unwrap();
    let found = finds(dir.path(), "lint --baseline known.json --format concise .");
    assert!(found.contains("L0408") && found.lines().count() == 1, "{found}");
}

#[test]
fn a_text_comes_through_the_standard_input() {
    let dir = folder(&[("layers.tfm", "fn half(x: float[..S]) -> float[..S] { x / 2 }\n")]);
    let piped = |line: &str, text: &str| {
        let mut child =
            tfm(dir.path(), line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = piped("lint - --stdin-filename models/net.tfm --format concise", BAD);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{out}");
    assert!(out.starts_with("models/net.tfm:1:20: "), "{out}");
    // What is imported lies beside the name.
    let text = "import layers.{half}\nimport std.layers.Dense\n\nmodel N(x: f32[B, 3]) -> f32[B, 2] { x |> half |> Dense(2) }\n";
    assert_eq!(piped("lint - --stdin-filename net.tfm", text), (Some(0), String::new()));
    let (code, out) = piped("lint --fix -", BAD);
    assert_eq!(code, Some(1));
    assert_eq!(out, BAD.replace("{Conv2d, Dense}", "{Dense}"));
}

#[test]
fn words_of_the_environment_and_counts() {
    let dir = folder(&[("bad.tfm", BAD)]);
    let with = |form: &str| tfm(dir.path(), "lint bad.tfm").env("TFM_OUTPUT_FORMAT", form).output().unwrap();
    assert!(with("github").stdout.starts_with(b"::warning file=bad.tfm,"));
    assert_eq!(with("nothing").status.code(), Some(2));
    let counts = finds(dir.path(), "lint --statistics bad.tfm");
    assert_eq!(counts, "L0101 probabilities_as_logits  1\nL0601 unused_import            1\n");
    let page = good(dir.path(), "explain unused_import");
    assert!(page.starts_with("L0601 unused_import: ") && page == good(dir.path(), "explain L0601"));
}

/// The sample repository, copied into a folder of its own.
fn sample(broken: &[&str]) -> TempDir {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/sample_repo");
    let dir = tempfile::tempdir().unwrap();
    copy(&root, dir.path());
    for name in broken {
        fs::copy(root.join("broken").join(name), dir.path().join("models").join(name)).unwrap();
    }
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).unwrap() }
    }
}

/// The lines of the workflow that run `tfm`, as they are written there, by a shell in which `tfm` is this binary.
fn job(dir: &Path) -> Vec<(String, i32, String)> {
    let workflow = fs::read_to_string(dir.join(".github/workflows/lint.yml")).unwrap();
    let page = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/ci.md")).unwrap();
    assert!(page.contains(&workflow), "docs/ci.md shows another workflow than the sample repository has");
    let commands = workflow.lines().filter_map(|l| l.trim().strip_prefix("run: ").filter(|c| c.starts_with("tfm ")));
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_tfm"));
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let run = |command: &str| {
        let output = Command::new("sh").args(["-c", command]).current_dir(dir).env("PATH", &path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (command.to_string(), output.status.code().unwrap(), text)
    };
    commands.map(run).collect()
}

#[test]
fn the_jobs_of_the_sample_repository_pass_and_fail() {
    let results = job(sample(&[]).path());
    assert_eq!(results.len(), 2);
    for (command, code, out) in &results {
        assert_eq!((*code, out.as_str()), (0, ""), "{command}");
    }
    let dir = sample(&["softmax.tfm"]);
    let results = job(dir.path());
    assert_eq!((results[0].1, results[1].1), (1, 0));
    let line = results[0].2.lines().find(|l| l.starts_with("::error")).unwrap();
    assert!(line.starts_with("::error file=models/softmax.tfm,line=10,endLine=10,col=72,endColumn=79,title=L0101 probabilities_as_logits::"), "{line}");
    assert!(fs::read_to_string(dir.path().join("lint.sarif")).unwrap().contains("\"ruleId\": \"L0101\""));
    let results = job(sample(&["shapes.tfm"]).path());
    assert!(results[0].1 == 1 && results[0].2.contains("title=E0"), "{results:?}");
    // Without its baseline the old file is found; without its reason the allowed rate is.
    let dir = sample(&[]);
    fs::write(dir.path().join("lint-baseline.json"), "{ \"version\": 1, \"findings\": [] }").unwrap();
    assert_eq!(job(dir.path())[0].1, 1);
    let dir = sample(&[]);
    let file = dir.path().join("models/digits.tfm");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("  // tfm: allow(learning_rate) found by a search over 40 runs, together with the batch\n", ""),
    )
    .unwrap();
    assert!(job(dir.path())[0].2.contains("title=L0401 learning_rate"));
}
