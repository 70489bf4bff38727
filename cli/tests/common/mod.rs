//! Running the binary, for all tests of commands.

// Each test file uses what it needs.
#![allow(dead_code)]

pub mod browser;
pub mod watching;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A command line in a folder, without the program. Of the environment's `TFM_` variables it sees which kernels to take,
/// since the tests run once for each; the rest are of whoever runs the tests.
pub fn tfm(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfm"));
    command.current_dir(dir).args(line.split(' ')).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TFM_") && name != "TFM_CPU" {
            command.env_remove(name);
        }
    }
    command
}

/// What a command line gives.
pub fn run(dir: &Path, line: &str) -> Output {
    tfm(dir, line).output().unwrap()
}

/// What a command line that must succeed says.
pub fn good(dir: &Path, line: &str) -> String {
    let output = run(dir, line);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "tfm {line}\n{out}\n{err}");
    out.into_owned()
}

/// What a command line that must end with this status complains about.
pub fn bad(dir: &Path, line: &str, code: i32) -> String {
    let output = run(dir, line);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "tfm {line}\n{err}");
    err
}

/// The bytes of a file.
pub fn read(path: PathBuf) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
