//! What happens as lines, for logs and pipes: JSON, or text at a calm rate.

use super::board::{Activity, Listener, News};
use super::edit::Edit;
use crate::output::{complain, say};
use crate::values::value;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The time between two lines about steps.
const PAUSE: Duration = Duration::from_secs(2);

/// Every event as JSON.
pub fn json() -> Listener {
    Box::new(|news| {
        if let Some(value) = news.json() {
            // The run does not depend on who listens.
            let _ = say(&value.to_string());
        }
    })
}

/// Every event as JSON, into a file that begins anew.
pub fn log(path: &Path) -> std::io::Result<Listener> {
    let mut file = std::fs::File::create(path)?;
    Ok(Box::new(move |news| {
        if let Some(value) = news.json() {
            let _ = writeln!(file, "{value}");
        }
    }))
}

/// Lines for people. Errors of a file go to standard error, in colour where that is wanted.
pub fn plain(color: bool) -> Listener {
    let mut last: Option<Instant> = None;
    let mut titled: Option<Edit> = None;
    let mut begins = false;
    Box::new(move |news| {
        let pairs = |values: &[(String, f32)]| {
            values.iter().map(|(name, x)| format!("{name} {}", value(*x))).collect::<Vec<_>>().join("  ")
        };
        let line = match news {
            News::Run { .. } => {
                begins = true;
                return;
            }
            News::Model { greeting, .. } if std::mem::take(&mut begins) => greeting.clone(),
            News::Step { step, epoch, shown: true, values, .. } => {
                let now = Instant::now();
                if last.is_some_and(|last| now.duration_since(last) < PAUSE) {
                    return;
                }
                last = Some(now);
                format!("step {step}  epoch {epoch:.2}  {}", pairs(values))
            }
            News::Evaluated { step, epoch, values } => format!("step {step}  epoch {epoch:.2}  {}", pairs(values)),
            News::Images { path, .. } => format!("images {}", path.display()),
            News::Checkpoint { path, best, .. } if best.is_empty() => format!("saved {}", path.display()),
            News::Checkpoint { path, best, .. } => format!("saved {}, the best by {}", path.display(), best.join(", ")),
            News::Note(text) => text.clone(),
            News::Activity(Activity::Paused) => "paused".into(),
            News::Activity(Activity::Waiting) => "waiting for a fix".into(),
            News::Activity(Activity::Finished(why)) => format!("{why}, waiting for an edit"),
            News::Activity(Activity::Failed(why)) => format!("{why}\nwaiting for a fix"),
            News::Rejected { rejection, checked_ms } => {
                complain(if color { &rejection.colored } else { &rejection.text });
                format!("checked in {checked_ms:.0} ms; the version before goes on")
            }
            News::Mended => "the file is again as the version that trains".into(),
            News::Edited { edit, warnings } => {
                if let Some(warnings) = warnings {
                    complain(if color { &warnings.colored } else { &warnings.text });
                }
                titled = Some(edit.clone());
                let mut lines = vec![edit.title()];
                lines.extend(edit.lines());
                lines.join("\n")
            }
            News::NextStep { after_ms, .. } => {
                let Some(edit) = titled.take() else { return };
                format!("{} {}: next step after {after_ms:.0} ms", edit.kind, edit.number)
            }
            News::Step { .. }
            | News::Model { .. }
            | News::Started { .. }
            | News::Evaluating { .. }
            | News::Activity(_)
            | News::Saved { .. }
            | News::Ended { .. }
            | News::Weights { .. } => return,
        };
        let _ = say(&line);
    })
}
