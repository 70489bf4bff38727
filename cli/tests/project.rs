//! A new project, the health of a machine, completions and manual pages.

mod common;

use common::{bad, good, read, tfm};
use std::fs;
use std::process::Command;

#[test]
fn a_new_project_trains_at_once_and_nothing_is_written_over() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    let said = good(dir, "new tulip-fields");
    assert!(said.contains("tfm train tulip_fields.tfm"), "{said}");
    let project = dir.join("tulip-fields");
    for file in ["tulip_fields.tfm", "tfm.toml", ".gitignore", "README.md", "data/README.md"] {
        let text = String::from_utf8(read(project.join(file))).unwrap();
        assert!(!text.contains("NAME") && !text.contains("MODEL"), "{file}:\n{text}");
    }
    let checked = common::run(&project, "check tulip_fields.tfm");
    assert!(checked.status.success() && checked.stderr.is_empty());
    assert!(good(&project, "test tulip_fields.tfm").contains("1 passed"));
    let said = good(&project, "train tulip_fields.tfm -q");
    let accuracy = said.lines().find(|l| l.starts_with("test.accuracy")).unwrap();
    assert!(accuracy.split_whitespace().nth(2).unwrap().parse::<f64>().unwrap() > 0.7, "{said}");
    let ignored = fs::read_to_string(project.join(".gitignore")).unwrap();
    assert!(ignored.contains("/runs/"));

    assert!(bad(dir, "new tulip-fields", 1).contains("is there and not empty"));
    for wrong in ["new Tulips", "new 1st", "new a.b"] {
        assert!(bad(dir, wrong, 2).contains("cannot be the name of a project"), "{wrong}");
    }
    fs::create_dir(dir.join("empty")).unwrap();
    good(dir, "new empty");
}

#[test]
fn a_machine_that_is_well_is_told_so() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    let said = good(dir, "doctor");
    for name in ["version", "processor", "kernels", "memory", "data", "runs", "environment", "python", "self-test"] {
        assert!(said.lines().any(|l| l.split_whitespace().nth(1) == Some(name)), "no {name} in\n{said}");
    }
    assert!(said.contains("30 steps of a small net: loss "), "{said}");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "nothing is left behind");
    let value: serde_json::Value = serde_json::from_str(&good(dir, "doctor --json")).unwrap();
    assert_eq!((value["ok"].as_bool(), value["checks"].as_array().map(Vec::len)), (Some(true), Some(9)));
}

#[test]
fn what_is_amiss_is_found() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    let output = tfm(dir, "doctor").env("TFM_DATA", dir.join("nowhere")).env("TFM_DATE", "x").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("bad   data ") && said.contains("TFM_DATE mean nothing to tfm; it reads TFM_CPU and TFM_DATA"),
        "{said}"
    );
    fs::write(dir.join("runs"), "a file where a folder should be").unwrap();
    let said = common::run(dir, "doctor");
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stdout).contains("nothing can be written to runs"));
    // What is looked at is what the settings name.
    fs::write(dir.join("tfm.toml"), "[train]\ndata = \"gone\"\nruns = \"out\"\n").unwrap();
    let said = String::from_utf8(common::run(dir, "doctor").stdout).unwrap();
    assert!(said.contains("bad   data         data of tfm.toml is ") && said.contains("none yet in out;"), "{said}");
    fs::write(dir.join("tfm.toml"), "[trian]\n").unwrap();
    let said = String::from_utf8(common::run(dir, "doctor").stdout).unwrap();
    assert!(said.contains("bad   data         tfm.toml:1: there is no key `trian`"), "{said}");
}

#[test]
fn every_shell_has_its_completions() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef tfm"),
        ("fish", "complete -c tfm"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = good(dir, &format!("completions {shell}"));
        assert!(script.contains(sign) && script.contains("fast-dev-run"), "{shell}");
        // A shell that is here reads its script without complaint.
        fs::write(dir.join("script"), &script).unwrap();
        let read = match shell {
            "bash" | "zsh" | "fish" => Command::new(shell).args(["-n", "script"]).current_dir(dir).status(),
            _ => continue,
        };
        match read {
            Ok(status) => assert!(status.success(), "{shell}"),
            Err(_) => eprintln!("skipped: {shell} is not here to read its script"),
        }
    }
    assert!(bad(dir, "completions tcsh", 2).contains("tcsh"));
}

#[test]
fn bash_completes_commands_and_flags() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    fs::write(dir.join("script"), good(dir, "completions bash")).unwrap();
    let ask =
        "source ./script; COMP_WORDS=(tfm train --over); COMP_CWORD=2; _tfm tfm --over train; echo ${COMPREPLY[@]}";
    match Command::new("bash").args(["-c", ask]).current_dir(dir).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "--overfit"),
        Err(_) => eprintln!("skipped: bash is not here"),
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let bench = tempfile::tempdir().unwrap();
    let dir = bench.path();
    let said = good(dir, "man --dir pages");
    let pages = fs::read_dir(dir.join("pages")).unwrap().count();
    assert!(said.starts_with(&format!("{pages} pages in pages")), "{said}");
    for page in ["tfm.1", "tfm-train.1", "tfm-data-inspect.1", "tfm-runs-prune.1"] {
        let text = String::from_utf8(read(dir.join("pages").join(page))).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{page}:\n{text}");
    }
    let text = good(dir, "man train");
    assert!(text.contains("fast\\-dev\\-run") && text.contains("tfm\\-train"), "{text}");
    assert!(bad(dir, "man nothing", 2).contains("no command `nothing`"));
}

#[test]
fn help_is_in_groups() {
    let bench = tempfile::tempdir().unwrap();
    let help = good(bench.path(), "--help");
    for heading in ["\nBegin:\n", "\nWrite:\n", "\nTrain:\n", "\nUse:\n", "\nLook:\n", "\nOptions:\n"] {
        assert!(help.contains(heading), "no {heading} in\n{help}");
    }
    assert!(!help.contains('\x1b'), "no colour where there is no terminal: {help:?}");
}
