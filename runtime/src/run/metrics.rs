//! Metrics over a run: the rows of `metrics.csv` and `metrics.jsonl`, last and best values.

use super::RunError;
use crate::checkpoint::{Progress, Series};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// True for a metric that gets better by getting smaller, judged by the last word of its name
/// (`test.loss`, `perplexity`, `mae`); all others get better by growing.
pub fn is_lower_better(metric: &str) -> bool {
    const WORDS: [&str; 9] = ["loss", "error", "perplexity", "mae", "mse", "rmse", "nll", "entropy", "distance"];
    let name = metric.rsplit('.').next().unwrap_or(metric);
    name.split('_').any(|w| WORDS.contains(&w))
}

/// A number as JSON, in the fewest digits that are this `f32`; null where it is not finite.
pub fn json_number(value: f32) -> serde_json::Value {
    value.to_string().parse::<f64>().map_or(serde_json::Value::Null, Into::into)
}

/// True when `value` is better than `best`; a value that is not a number never is.
pub fn is_better(lower: bool, value: f32, best: Option<f32>) -> bool {
    match best {
        _ if value.is_nan() => false,
        None => true,
        Some(best) if lower => value < best,
        Some(best) => value > best,
    }
}

/// Notes a metric's value at a step.
pub fn note(progress: &mut Progress, metric: &str, value: f32) {
    if !progress.metrics.contains_key(metric) {
        progress.metrics.insert(metric.to_string(), Series::default());
    }
    let step = progress.step;
    if let Some(series) = progress.metrics.get_mut(metric) {
        series.last = value.is_finite().then_some(value);
        if value.is_finite() && is_better(is_lower_better(metric), value, series.best) {
            (series.best, series.best_step) = (Some(value), step);
        }
    }
}

/// The two files of rows. A row of a training step fills the first columns, a row of evaluations the
/// others; no time stands in `metrics.csv`, so that two runs of one seed write the same bytes.
pub struct Rows {
    columns: Vec<String>,
    trained: usize,
    csv: (PathBuf, File),
    jsonl: (PathBuf, File),
}

impl Rows {
    /// Begins the files with these columns, training's first, or goes on after the step of `from`.
    pub fn open(
        folder: &Path,
        training: &[String],
        evaluation: &[String],
        from: Option<&Progress>,
    ) -> Result<Rows, RunError> {
        let columns: Vec<String> = training.iter().chain(evaluation).cloned().collect();
        let head = format!("step,epoch,{}\n", columns.join(","));
        let (csv, jsonl) = (folder.join("metrics.csv"), folder.join("metrics.jsonl"));
        let (mut old_csv, mut old_jsonl) = (head.clone(), String::new());
        if let Some(progress) = from {
            let trained = training.len();
            if let Ok(text) = fs::read_to_string(&csv) {
                old_csv.extend(csv_rows(&text, &head, trained, progress).into_iter().map(|row| row + "\n"));
            }
            if let Ok(text) = fs::read_to_string(&jsonl) {
                old_jsonl.extend(json_rows(&text, training, progress).into_iter().map(|row| row.to_string() + "\n"));
            }
        }
        let begin = |path: PathBuf, text: &str| -> Result<(PathBuf, File), RunError> {
            let new = path.with_extension("new");
            fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(RunError::file(&path))?;
            let file = OpenOptions::new().append(true).open(&path).map_err(RunError::file(&path))?;
            Ok((path, file))
        };
        Ok(Rows { columns, trained: training.len(), csv: begin(csv, &old_csv)?, jsonl: begin(jsonl, &old_jsonl)? })
    }

    /// Writes the losses and reports of a step.
    pub fn training(&mut self, step: u64, epoch: f64, seconds: f64, values: &[f32]) -> Result<(), RunError> {
        let cells: Vec<Option<f32>> =
            (0..self.columns.len()).map(|i| values.get(i).copied().filter(|_| i < self.trained)).collect();
        self.row(step, epoch, seconds, &cells)
    }

    /// Writes the results of the evaluations of a step.
    pub fn evaluation(
        &mut self,
        step: u64,
        epoch: f64,
        seconds: f64,
        values: &[(String, f32)],
    ) -> Result<(), RunError> {
        let find = |(i, column): (usize, &String)| {
            values.iter().find(|(name, _)| i >= self.trained && name == column).map(|(_, v)| *v)
        };
        let cells: Vec<Option<f32>> = self.columns.iter().enumerate().map(find).collect();
        self.row(step, epoch, seconds, &cells)
    }

    fn row(&mut self, step: u64, epoch: f64, seconds: f64, cells: &[Option<f32>]) -> Result<(), RunError> {
        let mut line = format!("{step},{epoch}");
        for cell in cells {
            line.push(',');
            if let Some(value) = cell {
                line.push_str(&value.to_string());
            }
        }
        line.push('\n');
        let mut object = serde_json::Map::new();
        object.insert("step".into(), step.into());
        object.insert("epoch".into(), epoch.into());
        object.insert("seconds".into(), ((seconds * 1000.0).round() / 1000.0).into());
        for (name, value) in self.columns.iter().zip(cells).filter_map(|(n, c)| Some((n, (*c)?))) {
            object.insert(name.clone(), json_number(value));
        }
        let json = serde_json::Value::Object(object).to_string() + "\n";
        self.csv.1.write_all(line.as_bytes()).map_err(RunError::file(&self.csv.0))?;
        self.jsonl.1.write_all(json.as_bytes()).map_err(RunError::file(&self.jsonl.0))
    }

    /// Waits until all rows are on disk: before a checkpoint that counts on them.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.csv.1.sync_all().map_err(RunError::file(&self.csv.0))?;
        self.jsonl.1.sync_all().map_err(RunError::file(&self.jsonl.0))
    }
}

/// True for a row that a run which goes on from `progress` will not write again.
fn stays(step: Option<u64>, is_evaluation: bool, progress: &Progress) -> bool {
    step.is_some_and(|s| s < progress.step || s == progress.step && !(progress.pending && is_evaluation))
}

/// The rows of the file before, without a last line that a kill cut short. Where its columns were others, those that
/// there still are; what only the old ones had is in `metrics.jsonl`.
fn csv_rows(text: &str, head: &str, trained: usize, progress: &Progress) -> Vec<String> {
    let Some((old_head, rows)) = text.split_once('\n') else { return Vec::new() };
    let old: Vec<&str> = old_head.split(',').collect();
    let places: Vec<Option<usize>> = head.trim_end().split(',').map(|n| old.iter().position(|o| *o == n)).collect();
    let whole = &rows[..rows.rfind('\n').map_or(0, |i| i + 1)];
    let arranged = |row: &str| {
        let cells: Vec<&str> = row.split(',').collect();
        let cell = |place: &Option<usize>| place.and_then(|p| cells.get(p)).copied().unwrap_or("");
        places.iter().map(cell).collect::<Vec<_>>().join(",")
    };
    let row_stays = |row: &String| {
        let mut cells = row.split(',');
        let step = cells.next().and_then(|s| s.parse().ok());
        let values: Vec<&str> = cells.skip(1).collect();
        let is_evaluation = values.iter().take(trained).all(|cell| cell.is_empty());
        let is_empty = values.iter().all(|cell| cell.is_empty());
        !is_empty && stays(step, is_evaluation, progress)
    };
    whole.lines().map(arranged).filter(row_stays).collect()
}

fn json_rows<'a>(text: &'a str, training: &[String], progress: &Progress) -> Vec<&'a str> {
    let whole = &text[..text.rfind('\n').map_or(0, |i| i + 1)];
    let row_stays = |row: &&str| {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(row) else { return false };
        let is_evaluation = !training.iter().any(|name| value.get(name).is_some());
        stays(value.get("step").and_then(|s| s.as_u64()), is_evaluation, progress)
    };
    whole.lines().filter(row_stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| w.to_string()).collect()
    }

    #[test]
    fn the_direction_follows_the_name() {
        for name in ["loss", "test.loss", "d_loss", "val.perplexity", "test.mae"] {
            assert!(is_lower_better(name), "{name}");
        }
        for name in ["test.accuracy", "auc", "f1", "test.lossless"] {
            assert!(!is_lower_better(name), "{name}");
        }
    }

    #[test]
    fn json_has_the_digits_that_count() {
        let texts = [0.1, 0.875_125, f32::MAX, 3.0, f32::NAN].map(|x| json_number(x).to_string());
        assert_eq!(texts, ["0.1", "0.875125", "3.4028235e+38", "3.0", "null"]);
    }

    #[test]
    fn a_value_that_is_not_finite_is_never_the_best() {
        let mut progress = Progress { step: 1, ..Progress::default() };
        note(&mut progress, "loss", f32::NAN);
        assert_eq!(progress.metrics["loss"], Series::default());
        note(&mut progress, "loss", 2.0);
        progress.step = 2;
        note(&mut progress, "loss", 3.0);
        assert_eq!(progress.metrics["loss"], Series { last: Some(3.0), best: Some(2.0), best_step: 1 });
    }

    #[test]
    fn going_on_drops_what_will_be_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let (training, evaluation) = (words(&["loss"]), words(&["test.loss"]));
        let mut rows = Rows::open(dir.path(), &training, &evaluation, None).unwrap();
        for step in 1..=4 {
            rows.training(step, step as f64 / 2.0, 0.5, &[1.0 / step as f32]).unwrap();
            rows.evaluation(step, step as f64 / 2.0, 0.6, &[("test.loss".into(), 9.0)]).unwrap();
        }
        let csv = || fs::read_to_string(dir.path().join("metrics.csv")).unwrap();
        let whole = csv();
        assert!(whole.starts_with("step,epoch,loss,test.loss\n1,0.5,1,\n1,0.5,,9\n2,1,0.5,\n"), "{whole}");
        fs::write(dir.path().join("metrics.csv"), whole + "5,2.5,0.").unwrap();

        let at = |step, pending| Progress { step, pending, ..Progress::default() };
        Rows::open(dir.path(), &training, &evaluation, Some(&at(3, false))).unwrap();
        assert!(csv().ends_with("\n3,1.5,0.33333334,\n3,1.5,,9\n"), "{}", csv());
        Rows::open(dir.path(), &training, &evaluation, Some(&at(3, true))).unwrap();
        assert!(csv().ends_with("\n3,1.5,0.33333334,\n"), "{}", csv());
        let json = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
        assert_eq!(json.lines().count(), 5);

        // Other columns: what there still is stays, in its new place.
        let training = words(&["mean", "loss"]);
        Rows::open(dir.path(), &training, &[], Some(&at(2, false))).unwrap();
        assert_eq!(csv(), "step,epoch,mean,loss\n1,0.5,,1\n2,1,,0.5\n");
        assert!(json.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()));
    }
}
