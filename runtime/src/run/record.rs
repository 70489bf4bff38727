//! What a run leaves for viewers beside its metrics: event files for TensorBoard, and tables of classes as CSV and SVG.

use super::table::Table;
use super::tensorboard::TensorBoard;
use super::{Event, Folder, Observer, RunError};
use tfm_lang::model::{DataSpec, Train, VariableKind};
use tfm_lowering::graph::Graph;

/// Writes down what a run tells, over all the loops that it has.
pub struct Recorder {
    folder: Folder,
    data: DataSpec,
    board: Option<TensorBoard>,
    names: Vec<String>,
    histograms: Option<u64>,
    complaint: Option<String>,
}

/// What a run is about, for those who look at it later.
pub struct About<'a> {
    /// The `train` block.
    pub train: &'a Train,
    /// The data that it trains on.
    pub data: &'a DataSpec,
    /// The graph that is run.
    pub graph: &'a Graph,
    /// Texts by their names: the sources, the settings.
    pub texts: Vec<(String, String)>,
}

impl Recorder {
    /// Opens an event file in the run's folder, for a block that trains on this data; `histograms` are the steps between
    /// two histograms of the parameters, `None` for no histograms. What cannot be written is a [`Recorder::complaint`];
    /// the run goes on.
    pub fn open(folder: &Folder, data: &DataSpec, histograms: Option<u64>) -> Recorder {
        let (board, complaint) = match TensorBoard::create(folder.path()) {
            Ok(board) => (Some(board), None),
            Err(e) => (None, Some(no_more(&e))),
        };
        Recorder { folder: folder.clone(), data: data.clone(), board, names: Vec::new(), histograms, complaint }
    }

    /// Writes what is run from this step on.
    pub fn describe(&mut self, step: u64, about: &About<'_>) {
        self.data = about.data.clone();
        self.write(|board| {
            for (name, text) in &about.texts {
                board.text(name, step, text)?;
            }
            board.graph(about.graph, about.train)?;
            board.flush()
        });
    }

    /// What could not be written since this was last asked, in words.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    /// An observer that has everything written down, and hands it on.
    pub fn before<'a>(&'a mut self, next: &'a mut dyn Observer) -> Recording<'a> {
        Recording { recorder: self, next }
    }

    fn failed(&mut self, error: &RunError) {
        self.board = None;
        self.complaint = Some(no_more(error));
    }

    fn write(&mut self, f: impl FnOnce(&mut TensorBoard) -> Result<(), RunError>) {
        let Some(board) = &mut self.board else { return };
        if let Err(e) = f(board) {
            self.failed(&e);
        }
    }

    fn table(&mut self, step: u64, name: &str, values: &crate::tensor::Tensor) {
        let table = Table::of(name, values, &self.data);
        let kind = if table.is_square() { "confusion" } else { "tables" };
        let file = format!("{kind}/{name}-step-{step:06}");
        let written = self.folder.write(&format!("{file}.csv"), table.csv().as_bytes());
        let written = written.and_then(|()| self.folder.write(&format!("{file}.svg"), table.svg().as_bytes()));
        if let Err(e) = written {
            self.complaint = Some(format!("note: {name} was not written: {e}"));
        }
        let (tag, png) = (tag(name), table.png());
        self.write(|board| board.image(&tag, step, &png));
    }

    /// Writes down what is told.
    pub fn record(&mut self, event: &Event<'_>) {
        match *event {
            Event::Started(started) => self.names = started.names.iter().map(|n| tag(n)).collect(),
            Event::Step(stepped) => {
                if let Some(values) = stepped.values {
                    let names = std::mem::take(&mut self.names);
                    let all = names.iter().map(String::as_str).zip(values.iter().copied());
                    self.write(|board| board.scalars(stepped.step, all));
                    self.names = names;
                }
            }
            Event::Evaluated { step, values, .. } => {
                let tags: Vec<(String, f32)> = values.iter().map(|(n, v)| (tag(n), *v)).collect();
                self.write(|board| {
                    board.scalars(step, tags.iter().map(|(n, v)| (n.as_str(), *v)))?;
                    board.flush()
                });
            }
            Event::Images { step, path } => {
                let name = path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
                let name = name.rsplit_once("-step-").map_or(name.clone(), |(n, _)| n.to_string());
                match std::fs::read(path) {
                    Ok(png) => self.write(|board| board.image(&format!("images/{name}"), step, &png)),
                    Err(e) => self.failed(&RunError::File(path.to_path_buf(), e)),
                }
            }
            Event::Table { step, name, values } => self.table(step, name, values),
            Event::Variables { step, variables, tensors } => self.write(|board| {
                let parameters = variables.iter().zip(tensors).filter(|(v, _)| v.kind == VariableKind::Parameter);
                for (variable, tensor) in parameters {
                    board.histogram(&variable.path.replace('.', "/"), step, tensor)?;
                }
                Ok(())
            }),
            Event::Evaluating { .. } | Event::Saved { .. } | Event::Note(_) => {}
        }
    }
}

/// `test/loss` for `test.loss`: what stands before the slash is a group.
fn tag(metric: &str) -> String {
    match metric.split_once('.') {
        Some((split, name)) => format!("{split}/{name}"),
        None => format!("train/{metric}"),
    }
}

/// See [`Recorder::before`].
pub struct Recording<'a> {
    recorder: &'a mut Recorder,
    next: &'a mut dyn Observer,
}

impl Observer for Recording<'_> {
    fn on(&mut self, event: Event<'_>) {
        self.recorder.record(&event);
        if let Some(complaint) = self.recorder.complaint() {
            self.next.on(Event::Note(&complaint));
        }
        self.next.on(event);
    }

    fn wants_variables(&self, step: u64) -> bool {
        let wanted = self.recorder.histograms.is_some_and(|every| step.is_multiple_of(every.max(1)));
        (wanted && self.recorder.board.is_some()) || self.next.wants_variables(step)
    }
}

fn no_more(error: &RunError) -> String {
    format!("note: there will be no further events for TensorBoard: {error}")
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.write(TensorBoard::flush);
    }
}
