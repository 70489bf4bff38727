//! Runs by their names or folders, and the curves in their metrics.

use crate::failure::Failure;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use tfm_runtime::run::Folder;

/// A run that is drawn.
pub struct Run {
    /// `convnet/003`
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// What stands along the axis below.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Over {
    /// Steps
    #[default]
    Step,
    /// Epochs
    Epoch,
    /// Seconds of training
    Time,
}

impl Over {
    /// The word below the axis.
    pub fn word(self) -> &'static str {
        match self {
            Over::Step => "step",
            Over::Epoch => "epoch",
            Over::Time => "seconds",
        }
    }
}

/// One metric of one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    /// The run's name.
    pub run: String,
    /// `test.loss`
    pub metric: String,
    /// Where it is known, in rising order of x.
    pub points: Vec<(f64, f64)>,
}

impl Run {
    /// A folder, `NAME` for the newest run of that name, or `NAME/001`.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn find(word: &str, runs: &Path) -> Result<Run, Failure> {
        let is_run = |path: &Path| path.join("metrics.csv").is_file();
        let given = PathBuf::from(word);
        let numbered = runs.join(word);
        let newest =
            || Folder::newest(runs, word).or_else(|| Folder::newest(given.parent()?, given.file_name()?.to_str()?));
        let folder = if is_run(&given) {
            given.clone()
        } else if is_run(&numbered) {
            numbered
        } else if let Some(folder) = newest().filter(|f| is_run(f.path())) {
            folder.path().to_path_buf()
        } else {
            let message = format!(
                "there is no run `{word}`: it is neither a folder with `metrics.csv` nor a name in {}",
                runs.display()
            );
            return Err(Failure::Message(message));
        };
        let whole = std::path::absolute(&folder).unwrap_or_else(|_| folder.clone());
        let last: Vec<String> =
            whole.components().rev().take(2).map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
        let name = last.into_iter().rev().collect::<Vec<_>>().join("/");
        Ok(Run { name, folder })
    }
}

/// The curves of a run: of these metrics by their names or last words, or of all when none are given.
///
/// # Errors
/// When the metrics cannot be read, or one that is asked for is not among them.
pub fn curves(run: &Run, metrics: &[String], over: Over) -> Result<Vec<Curve>, Failure> {
    let path = run.folder.join(if over == Over::Time { "metrics.jsonl" } else { "metrics.csv" });
    let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let all = match over {
        Over::Time => from_lines(&text),
        _ => from_table(&text, over),
    };
    let all = all.ok_or_else(|| Failure::Message(format!("{}: it is no table of metrics", path.display())))?;
    let is_meant = |name: &str, wanted: &String| name == wanted || name.rsplit('.').next() == Some(wanted);
    if let Some(absent) = metrics.iter().find(|m| !all.iter().any(|(name, _)| is_meant(name, m))) {
        let names: Vec<&str> = all.iter().map(|(n, _)| n.as_str()).collect();
        return Err(Failure::Message(format!("{} has no metric `{absent}`; it has {}", run.name, names.join(", "))));
    }
    let wanted = all.into_iter().filter(|(name, _)| metrics.is_empty() || metrics.iter().any(|m| is_meant(name, m)));
    let curves = wanted.map(|(metric, points)| Curve { run: run.name.clone(), metric, points });
    Ok(curves.filter(|c| !c.points.is_empty()).collect())
}

type Named = Vec<(String, Vec<(f64, f64)>)>;

/// `step,epoch,loss,test.loss`; cells are empty where nothing was measured.
fn from_table(text: &str, over: Over) -> Option<Named> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next()?.split(',').collect();
    let [step, epoch, names @ ..] = head.as_slice() else { return None };
    if (*step, *epoch) != ("step", "epoch") {
        return None;
    }
    let mut found: Named = names.iter().map(|n| (n.to_string(), Vec::new())).collect();
    // A row that is being written while we read has too few cells.
    for cells in lines.map(|l| l.split(',').collect::<Vec<_>>()).filter(|c| c.len() == head.len()) {
        let Ok(x) = cells[usize::from(over == Over::Epoch)].parse::<f64>() else { continue };
        for ((_, points), cell) in found.iter_mut().zip(&cells[2..]) {
            points.extend(cell.parse::<f64>().ok().map(|y| (x, y)));
        }
    }
    Some(found)
}

/// The lines of `metrics.jsonl`, which have the time.
fn from_lines(text: &str) -> Option<Named> {
    let mut found: Named = Vec::new();
    for line in text.lines() {
        let Ok(serde_json::Value::Object(row)) = serde_json::from_str(line) else { continue };
        let x = row.get("seconds")?.as_f64()?;
        for (name, value) in row.iter().filter(|(n, _)| !["step", "epoch", "seconds"].contains(&n.as_str())) {
            let y = value.as_f64().unwrap_or(f64::NAN);
            match found.iter_mut().find(|(n, _)| n == name) {
                Some((_, points)) => points.push((x, y)),
                None => found.push((name.clone(), vec![(x, y)])),
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_gaps() {
        let text = "step,epoch,loss,test.loss\n1,0.5,2.0,\n1,0.5,,3\n2,1,NaN,\n3,1.5,1";
        let found = from_table(text, Over::Step).unwrap();
        assert_eq!(found[0].1[0], (1.0, 2.0));
        assert!(found[0].1[1].1.is_nan() && found[0].1.len() == 2);
        assert_eq!(found[1].1, [(1.0, 3.0)]);
        assert_eq!(from_table(text, Over::Epoch).unwrap()[1].1, [(0.5, 3.0)]);
        assert!(from_table("a,b\n", Over::Step).is_none());
        let lines = "{\"step\":1,\"epoch\":1.0,\"seconds\":0.25,\"loss\":2.0}\nnot yet";
        assert_eq!(from_lines(lines).unwrap(), [("loss".to_string(), vec![(0.25, 2.0)])]);
    }
}
