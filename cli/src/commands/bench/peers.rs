//! Other frameworks on the same workloads: which are there, and how they are called.

use crate::output::complain;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A framework with a script `peer_NAME.py`.
pub struct Framework {
    /// Its name here.
    pub name: &'static str,
    /// What its package is called.
    module: &'static str,
    /// How it can run, with the flags for that.
    modes: &'static [(&'static str, &'static [&'static str])],
}

/// All of them.
pub static PEERS: &[Framework] = &[
    Framework {
        name: "torch",
        module: "torch",
        modes: &[
            ("eager", &["--mode", "eager"]),
            ("compile", &["--mode", "compile"]),
            ("eager+mkl512", &["--mode", "eager", "--mkl-avx512"]),
            ("compile+mkl512", &["--mode", "compile", "--mkl-avx512"]),
        ],
    },
    Framework { name: "jax", module: "jax", modes: &[("jit", &["--mode", "jit"])] },
    Framework {
        name: "tf",
        module: "tensorflow",
        modes: &[("graph", &["--mode", "graph"]), ("jit", &["--mode", "jit"])],
    },
];

/// The names of the frameworks.
pub fn names() -> String {
    PEERS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
}

/// A framework in one of its modes, which is there.
pub struct Peer {
    framework: &'static Framework,
    mode: &'static str,
    flags: &'static [&'static str],
    python: PathBuf,
    script: PathBuf,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.framework.name, self.mode)
    }
}

impl Peer {
    /// Its command, but for the workload.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(self.flags);
        command
    }
}

/// The peers in a folder that can be run; of the others it is said why not.
pub fn find(folder: &Path, pythons: &[(String, PathBuf)], only: &[String]) -> Vec<Peer> {
    let mut found = Vec::new();
    for framework in PEERS {
        let full = |mode: &str| format!("{}/{mode}", framework.name);
        let modes = framework.modes.iter().filter(|(mode, _)| only.is_empty() || only.contains(&full(mode)));
        let script = folder.join(format!("peer_{}.py", framework.name));
        let python = pythons.iter().find(|(name, _)| name == framework.name).map(|(_, path)| path.clone());
        let python = python.unwrap_or_else(|| "python3".into());
        let modes: Vec<_> = modes.collect();
        if modes.is_empty() {
            continue;
        }
        match missing(framework, &script, &python) {
            Some(why) => complain(&format!("skipped: {}: {why}", framework.name)),
            None => found.extend(modes.into_iter().map(|&(mode, flags)| Peer {
                framework,
                mode,
                flags,
                python: python.clone(),
                script: script.clone(),
            })),
        }
    }
    found
}

/// Why a framework cannot be run.
fn missing(framework: &Framework, script: &Path, python: &Path) -> Option<String> {
    if !script.exists() {
        return Some(format!("there is no {}", script.display()));
    }
    let find =
        format!("import importlib.util, sys; sys.exit(importlib.util.find_spec('{}') is None)", framework.module);
    match Command::new(python).args(["-c", &find]).status() {
        Err(e) => Some(format!("{}: {e}", python.display())),
        Ok(status) if !status.success() => Some(format!("{} has no {}", python.display(), framework.module)),
        Ok(_) => None,
    }
}
