//! Losses of training, and the library's functions one by one, are those of PyTorch, where a Python that has it is at hand.

use std::path::PathBuf;
use std::process::Command;
use tfm_tests::root;

/// The Python of `PYTHON`, or `python3`; or why there is none with PyTorch.
fn python() -> Result<PathBuf, String> {
    let named = std::env::var_os("PYTHON").filter(|p| !p.is_empty());
    let python = named.map_or_else(|| "python3".into(), PathBuf::from);
    let shown = python.display();
    let asked = Command::new(&python).args(["-c", "import numpy, torch.nn"]).output();
    match asked {
        Err(e) => Err(format!("{shown}: {e}")),
        Ok(done) if !done.status.success() => {
            let text = String::from_utf8_lossy(&done.stderr);
            Err(format!("{shown}: {}", text.trim_end().lines().last().unwrap_or("it failed")))
        }
        Ok(_) => Ok(python),
    }
}

/// The `tfm` that was built with this test: beside its folder `deps`.
fn tfm() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let path = test.parent()?.parent()?.join(format!("tfm{}", std::env::consts::EXE_SUFFIX));
    path.exists().then_some(path)
}

/// Runs a script with this binary and gives what it printed; or says why that cannot be and gives nothing.
fn run(script: &str) -> Option<String> {
    let (python, tfm) = match (python(), tfm()) {
        (Ok(python), Some(tfm)) => (python, tfm),
        (Err(why), _) => {
            println!("skipped: {why}; PYTHON names a Python with numpy and torch");
            return None;
        }
        (_, None) => {
            println!("skipped: `tfm` is not built; `cargo build -p tfm` does it");
            return None;
        }
    };
    let done = Command::new(python).arg(root().join(script)).arg("--tfm").arg(tfm).output();
    let done = done.expect("the script can be started");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{out}");
    assert!(done.status.success(), "{out}{err}");
    Some(out.into_owned())
}

#[test]
fn the_first_losses_are_those_of_pytorch() {
    if let Some(out) = run("tests/agree_with_torch.py") {
        assert_eq!(out.matches(": agrees").count(), 3, "mlp, cnn and gpt:\n{out}");
    }
}

#[test]
fn the_examples_learn_as_in_pytorch() {
    if let Some(out) = run("tests/agree_examples.py") {
        assert_eq!(out.matches(": agrees").count(), 4, "U-Net, ViT, GRU and diffusion:\n{out}");
    }
}

#[test]
fn the_library_gives_the_numbers_of_pytorch() {
    let modules = tfm_tests::files(&root().join("tests/torch"), "py").len() - 2;
    if let Some(out) = run("tests/torch/agree.py") {
        assert_eq!(out.matches("rows: agrees").count(), modules, "one line for each file of rows:\n{out}");
    }
}
