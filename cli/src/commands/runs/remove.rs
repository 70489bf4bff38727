//! `tfm runs rm` and `prune`: nothing is removed that was not agreed to, and no run that goes on.

use crate::failure::Failure;
use crate::output::{complain, say};
use crate::runs::{Run, State, all};
use std::io::{BufRead, IsTerminal};
use std::path::Path;

/// Removes these runs.
pub fn run(runs: Vec<Run>, yes: bool, as_json: bool) -> Result<(), Failure> {
    if let Some(run) = runs.iter().find(|r| is_running(r)) {
        return Err(Failure::Message(format!("{} goes on; stop it before it is removed", run.name())));
    }
    agree_and_remove(&runs, yes, as_json)
}

/// Removes all but the newest `keep` runs of each block; those that go on stay and count.
pub fn prune(folder: &Path, keep: usize, yes: bool, as_json: bool) -> Result<(), Failure> {
    let mut runs = all(folder);
    // The newest of each block first, its `keep` first ones stay.
    runs.sort_by(|a, b| (&a.train, b.number).cmp(&(&b.train, a.number)));
    let (mut block, mut kept) = (String::new(), 0);
    runs.retain(|run| {
        if run.train != block {
            (block, kept) = (run.train.clone(), 0);
        }
        kept += 1;
        kept > keep && !is_running(run)
    });
    runs.reverse();
    agree_and_remove(&runs, yes, as_json)
}

fn is_running(run: &Run) -> bool {
    run.found.as_ref().is_ok_and(|f| f.state == State::Running)
}

fn agree_and_remove(runs: &[Run], yes: bool, as_json: bool) -> Result<(), Failure> {
    let names: Vec<String> = runs.iter().map(Run::name).collect();
    if runs.is_empty() {
        return if as_json { say("{\"removed\":[]}") } else { say("there is nothing to remove") };
    }
    if !yes {
        let list = names.join(", ");
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(format!("this removes {list}; add --yes, for nobody can be asked here")));
        }
        complain(&format!("this removes {list}\nremove? [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_err() || !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return say("nothing was removed");
        }
    }
    for run in runs {
        std::fs::remove_dir_all(&run.path).map_err(Failure::file(&run.path))?;
        // The folder of a block goes with its last run.
        if let Some(block) = run.path.parent() {
            let _ = std::fs::remove_dir(block);
        }
    }
    match as_json {
        true => say(&serde_json::json!({ "removed": names }).to_string()),
        false => say(&format!("removed {}", names.join(", "))),
    }
}
