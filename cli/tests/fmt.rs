//! `tfm fmt` as a user meets it.

mod common;

use common::{bad, good, run, tfm};
use std::fs;
use std::io::Write;
use std::process::Stdio;

const ROUGH: &str = "// kept\nconst a=1+2 // why\n";
const FINE: &str = "// kept\nconst a = 1 + 2 // why\n";
const BROKEN: &str = "const a = (1\n";

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rough.tfm"), ROUGH).unwrap();
    fs::create_dir(dir.path().join("inner")).unwrap();
    fs::write(dir.path().join("inner/fine.tfm"), FINE).unwrap();
    fs::create_dir_all(dir.path().join("runs/net/001")).unwrap();
    fs::write(dir.path().join("runs/net/001/run.json"), "{}").unwrap();
    fs::write(dir.path().join("runs/net/001/kept.tfm"), ROUGH).unwrap();
    dir
}

fn text(dir: &tempfile::TempDir, name: &str) -> String {
    fs::read_to_string(dir.path().join(name)).unwrap()
}

#[test]
fn files_and_folders_are_written() {
    let dir = folder();
    good(dir.path(), "fmt");
    assert_eq!(text(&dir, "rough.tfm"), FINE);
    assert_eq!(text(&dir, "runs/net/001/kept.tfm"), ROUGH, "what a run was trained from stays as it was");
    good(dir.path(), "fmt --check");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn check_and_diff_write_nothing() {
    let dir = folder();
    let output = run(dir.path(), "fmt --check .");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "./rough.tfm would change\n");
    let output = run(dir.path(), "fmt --diff rough.tfm");
    assert_eq!(output.status.code(), Some(1));
    let diff = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        diff.contains("--- a/rough.tfm") && diff.contains("\n-const a=1+2 // why\n+const a = 1 + 2 // why\n"),
        "{diff}"
    );
    assert_eq!(text(&dir, "rough.tfm"), ROUGH);
}

#[test]
fn a_file_with_a_mistake_is_left_alone() {
    let dir = folder();
    fs::write(dir.path().join("broken.tfm"), BROKEN).unwrap();
    let said = bad(dir.path(), "fmt", 1);
    assert!(said.contains("E0102") && said.contains("1 file with mistakes, left alone"), "{said}");
    assert_eq!((text(&dir, "broken.tfm").as_str(), text(&dir, "rough.tfm").as_str()), (BROKEN, FINE));
    assert!(bad(dir.path(), "fmt missing.tfm", 2).contains("missing.tfm"));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let dir = folder();
    let piped = |line: &str, text: &str| {
        let mut child =
            tfm(dir.path(), line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), words(&output.stdout), words(&output.stderr))
    };
    assert_eq!(piped("fmt -", ROUGH), (Some(0), FINE.into(), String::new()));
    assert_eq!(piped("fmt --check -", ROUGH).0, Some(1));
    assert_eq!(piped("fmt --check -", FINE), (Some(0), String::new(), String::new()));
    let (code, out, err) = piped("fmt - --stdin-filename net.tfm", BROKEN);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("net.tfm"), "{err}");
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let file = dir.path().join("rough.tfm");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("rough.tfm", dir.path().join("link.tfm")).unwrap();
    good(dir.path(), "fmt link.tfm");
    assert_eq!(text(&dir, "rough.tfm"), FINE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(dir.path().join("link.tfm")).unwrap().is_symlink());
}
