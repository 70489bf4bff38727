//! `tfm test`, imports of files, and `tfm doc`, with real files.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a command said and its exit status.
struct Said {
    out: String,
    err: String,
    code: i32,
}

fn tfm(dir: &Path, line: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfm"));
    command.current_dir(dir).args(line.split(' ')).env_remove("TFM_DATA").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code().unwrap() }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

const GOOD: &str = "\
import std.layers.{Dense, LayerNorm}
import std.losses.{cross_entropy, huber}
import std.schedules.cosine

dim D = 4

/// Twice x.
/// example: double([1, -2]) is [2, -4]
fn double(x: float[..S]) -> float[..S] { x + x }

fn cube(x: float[..S]) -> float[..S] { x * x * x }
grad { 3 * dy * x * x }

model Net(x: f32[B, D]) -> (mean: f32[B, 3], spread: f32[B, 3]) {
  let h = x |> Dense(5, tanh)
  (h |> Dense(3), h |> Dense(3) |> softplus)
}

test \"softmax of zeros is even\" {
  let y = softmax(zeros([4]))
  expect shape(y) == [4]
  expect shape(y) != [4, 1]
  expect close(y, 0.25)
  expect y > 0 and y < 1
  expect close(cosine(1.0)(1, 10), 1, tolerance: 1e-3)
}

test \"a model gives a row per example\" {
  let r = Net(ones([2, 4]))
  expect shape(r.mean) == [2, 3] and rank(r.spread) == 2
  expect dtype(r.mean) == f32
  expect r.spread >= 0
  expect gradient(Net)
}

test \"gradients agree with differences\" {
  expect gradient(gelu)
  expect gradient(cube)
  expect gradient(cube, [1.0, 2.0])
  expect gradient(log, [1.0, 2.0])
  expect gradient(cross_entropy)
  expect gradient(huber, [1.3, 0.2], [0.1, 0.1], delta: 0.5)
  expect gradient(Dense(3))
  expect gradient(LayerNorm(), random_normal([2, 4]))
  expect gradient(fn(x) { sum(x * x) }, 3.0)
}

test \"mistakes are refused\" {
  let x = zeros([2, 5])
  expect error(E0302) { Net(x) }
  expect error(E0201) { nothing }
}
";

#[test]
fn tests_of_files_and_folders_pass() {
    let run = [("runs/net/001/run.json", "{}"), ("runs/net/001/source/net.tfm", "test \"copy\" { expect false }\n")];
    let mut files = vec![("a.tfm", GOOD), ("more/b.tfm", "test \"b\" { expect 1 < 2 }\n"), ("c.tfm", "const c = 3\n")];
    files.extend(run);
    let dir = folder(&files);
    let all = tfm(dir.path(), "test");
    assert_eq!(all.code, 0, "{}\n{}", all.out, all.err);
    assert!(all.out.contains("./a.tfm: 5 passed\n") && all.out.contains("./more/b.tfm: 1 passed\n"), "{}", all.out);
    assert!(all.out.contains("6 passed, 0 failed") && !all.out.contains("c.tfm") && all.err.is_empty(), "{}", all.out);
    let one = tfm(dir.path(), "test a.tfm more --filter row --verbose");
    assert!(one.out.contains("  passed  a model gives a row per example\n1 passed, 0 failed"), "{}", one.out);
    let listed = tfm(dir.path(), "test --list a.tfm").out;
    assert_eq!(listed.lines().next(), Some("a.tfm: double, example: double([1, -2]) is [2, -4]"));
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert_eq!(tfm(dir.path(), "check a.tfm").out, "a.tfm is correct\n");
    assert_eq!(tfm(dir.path(), "test nowhere.tfm").code, 1);
}

#[test]
fn failures_point_at_the_expectation_with_the_values() {
    let text = "\
/// Twice x.
/// example: double([1, -2]) is [2, -5]
fn double(x: float[..S]) -> float[..S] { x + x }

fn wrong(x: float[..S]) -> float[..S] { x * x }
grad { 3 * dy * x }

test \"close\" {
  expect close(softmax(zeros([2])) + [0, 0.1], 0.5)
  expect close(sum(ones([2])), 3)
}
test \"static\" { expect shape(zeros([2, 3])) == [2, 4] }
test \"elements\" { expect softmax([0, 1, 2]) > 0.2 }
test \"gradient\" { expect gradient(wrong, 2.0) }
test \"undefined\" { expect gradient(log) }
test \"no error\" { expect error(E0302) { zeros([2]) } }
test \"another error\" { expect error(E0302) { nothing } }
test \"an index\" { expect close(ones([3, 2])[i32(cos([0.0])) + 4], 1) }
test \"good\" { expect rank(zeros([2, 3])) == 2 }
";
    let dir = folder(&[("bad.tfm", text)]);
    // Nothing is wrong with the file.
    assert_eq!(tfm(dir.path(), "check bad.tfm").code, 0);
    let said = tfm(dir.path(), "test bad.tfm");
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("bad.tfm: 1 passed, 9 failed") && said.out.contains("  failed  an index\n"),
        "{}",
        said.out
    );
    for part in [
        "1 of 2 elements are not close: -4 and -5 at [1]",
        "bad.tfm:2:14",
        "1 of 2 elements are not close: 0.6 and 0.5 at [1]",
        "the largest difference is 0.100, 1.0e-5 is allowed",
        "these are not close: 2 and 3",
        "`shape(zeros([2, 3]))` is [2, 3]",
        "this is false for 1 of 3 elements, first at [0]",
        "there it says 0.09003057 > 0.2",
        "the gradient in `x` is",
        "choose arguments where the function is defined",
        "this has no error, and E0302 is expected",
        "E0201: there is no `nothing` here",
        "index 5 is out of range",
        "bad.tfm:18:32",
    ] {
        assert!(said.err.contains(part), "{part}\n{}", said.err);
    }
}

#[test]
fn a_file_with_mistakes_is_not_run_and_others_are() {
    let wrong = "test \"wrong\" { expect shape(zero([2])) == [2] }\n";
    let dir = folder(&[("a.tfm", wrong), ("b.tfm", "test \"b\" { expect true }\n")]);
    let said = tfm(dir.path(), "test .");
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("a.tfm: not run") && said.out.contains("1 passed, 0 failed, 1 file with mistakes"),
        "{}",
        said.out
    );
    assert!(said.err.contains("did you mean `zeros`?"), "{}", said.err);
    assert_eq!(tfm(dir.path(), "check a.tfm").code, 1);
}

#[test]
fn the_library_has_tests_too() {
    let dir = folder(&[]);
    let said = tfm(dir.path(), "test std.schedules std.losses");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.starts_with("std.schedules: ") && said.out.contains("\nstd.losses: "), "{}", said.out);
    assert_eq!(tfm(dir.path(), "test std.nothing").code, 1);
}

#[test]
fn names_come_from_files_beside_and_cycles_are_refused() {
    let helpers = "/// Twice x.\nfn twice(x: float[..S]) -> float[..S] { x + x }\nconst three = 3\n";
    let main = "import helpers.{three, twice}\nimport parts.blocks.Wide\n\n\
                test \"beside\" {\n  expect close(twice(ones([three])), 2)\n  expect shape(Wide()(ones([1, 2]))) == [1, 6]\n}\n";
    let blocks = "import std.layers.Dense\nimport helpers.three\nlayer Wide()(x) { x |> Dense(2 * three) }\n";
    let dir = folder(&[("main.tfm", main), ("helpers.tfm", helpers), ("parts/blocks.tfm", blocks)]);
    let said = tfm(dir.path(), "test main.tfm");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);

    let dir = folder(&[
        ("main.tfm", "import b.g\nfn f(x: f32[2]) -> f32[2] { g(x) }\n"),
        ("b.tfm", "import c.h\nfn g(x: f32[2]) -> f32[2] { h(x) }\n"),
        ("c.tfm", "import main.f\nfn h(x: f32[2]) -> f32[2] { f(x) }\n"),
        ("me.tfm", "import me.f\nfn f(x: f32[2]) -> f32[2] { x }\n"),
        ("whole.tfm", "import b\nimport std.losses\nfn f(x: f32[2]) -> f32[2] { b.g(x) }\n"),
        ("gone.tfm", "import gone_too.f\nfn g(x: f32[2]) -> f32[2] { f(x) }\n"),
    ]);
    let said = tfm(dir.path(), "check main.tfm").err;
    assert!(said.contains("`main` imports itself") && said.contains("main -> b -> c -> main"), "{said}");
    assert_eq!(said.matches("Error[").count(), 1, "{said}");
    let said = tfm(dir.path(), "check me.tfm").err;
    assert!(said.contains("`me` imports itself") && said.matches("Error[").count() == 1, "{said}");
    let said = tfm(dir.path(), "check whole.tfm").err;
    assert!(said.contains("write `import std.losses.{") && said.contains("does not say which names"), "{said}");
    let said = tfm(dir.path(), "check gone.tfm").err;
    assert!(said.contains("a file beside this one would be `gone_too.tfm`"), "{said}");
    assert_eq!(said.matches("Error[").count(), 1, "{said}");
}

#[test]
fn documentation_is_shown_found_and_written() {
    let dir = folder(&[("net.tfm", GOOD)]);
    let good = |line: &str| {
        let said = tfm(dir.path(), line);
        assert_eq!(said.code, 0, "{line}\n{}\n{}", said.out, said.err);
        said.out
    };
    let modules = good("doc");
    for name in ["std.builtin", "std.data", "std.layers", "std.losses"] {
        assert!(modules.contains(&format!("\n{name} ")) || modules.starts_with(&format!("{name} ")), "{modules}");
    }
    let page = good("doc Dense");
    assert!(page.starts_with("std.layers.Dense  std/layers/dense.tfm:"), "{page}");
    assert!(page.contains("  layer Dense(units: int, activation: fn = identity, bias: bool = true)"), "{page}");
    assert!(page.contains("\nExamples:\n  shape(Dense(3)(zeros([2, 4]))) is [2, 3]\n"), "{page}");
    assert!(!page.contains("param w") && good("doc layers.dense --source").contains("\n    param w:"));
    assert!(good("doc losses").contains("\ncross_entropy"));
    assert!(good("doc mnist").contains("- `path`: the folder with the four files"));
    assert!(good("doc split").contains("  split(x, parts, axis)\n"));
    assert!(good("doc net.tfm").contains("\ndouble  fn     Twice x.\n"));
    assert!(good("doc net.tfm double").contains("double([1, -2]) is [2, -4]"));
    let said = tfm(dir.path(), "doc Dence");
    assert_eq!((said.code, said.err.as_str()), (1, "error: there is no `Dence`; did you mean `std.layers.Dense`?\n"));
    assert_eq!(tfm(dir.path(), "doc Dense Conv2d").code, 2);

    good("doc net.tfm --html site");
    let index = fs::read_to_string(dir.path().join("site/index.html")).unwrap();
    assert!(
        index.contains(
            "<li data-name=\"net.double\"><a href=\"net.html#fn.double\"><code>double</code></a> Twice x.</li>"
        )
    );
    assert!(index.contains("std.layers.html#layer.Dense") && index.contains("<input type=\"search\""));
    let layers = fs::read_to_string(dir.path().join("site/std.layers.html")).unwrap();
    assert!(layers.contains("<h2 id=\"layer.Dense\">Dense ") && layers.contains("param w: float[I, units]"));
    // Nothing comes from elsewhere.
    for entry in fs::read_dir(dir.path().join("site")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("src=") && !text.contains("<link") && !text.contains("@import"));
    }
}
