//! Event files, which TensorBoard shows: scalars, pictures, texts, the graph, histograms.
//!
//! ```text
//! record = length u64, mask(crc32c(length)) u32, event, mask(crc32c(event)) u32        all little endian
//! mask(c) = rotate_right(c, 15) + 0xa282ead8
//! ```
//!
//! A file begins with an event that names its version. A run that goes on opens a further file beside the first; the
//! steps in it are those that come, so that what was written after the last checkpoint is shown as it is again.

mod graph;
mod proto;

use super::RunError;
use crate::tensor::Tensor;
use prost::Message;
use proto::{
    Event, Histogram, Image, Metadata, PluginData, Shape, ShapeSize, Summary, SummaryValue, TensorMessage, What,
};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tfm_lang::model::Train;
use tfm_lowering::graph::Graph;

/// How long a line may wait before it is on disk.
const PATIENCE: Duration = Duration::from_secs(120);

/// Number of the next file of this process.
static FILES: AtomicU32 = AtomicU32::new(0);

/// An event file that is being written.
pub struct TensorBoard {
    path: PathBuf,
    file: BufWriter<File>,
    flushed: Instant,
}

impl TensorBoard {
    /// Begins a file in a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path) -> Result<TensorBoard, RunError> {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let seconds = now() as u64;
        let name = format!("events.out.tfevents.{seconds:010}.{}.{}.{number}", host(), std::process::id());
        let path = folder.join(name);
        let file = File::create_new(&path).map_err(RunError::file(&path))?;
        let mut board = TensorBoard { path, file: BufWriter::new(file), flushed: Instant::now() };
        board.event(0, What::FileVersion("brain.Event:2".into()))?;
        board.flush()?;
        Ok(board)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Values of one step.
    ///
    /// # Errors
    /// As those of all that follow: when the file cannot be written.
    pub fn scalars<'a>(&mut self, step: u64, values: impl IntoIterator<Item = (&'a str, f32)>) -> Result<(), RunError> {
        let one = |(tag, value): (&str, f32)| SummaryValue {
            tag: tag.into(),
            simple_value: Some(value),
            ..SummaryValue::default()
        };
        let value: Vec<SummaryValue> = values.into_iter().map(one).collect();
        if value.is_empty() { Ok(()) } else { self.event(step, What::Summary(Summary { value })) }
    }

    /// A picture, as the bytes of a PNG.
    ///
    /// # Errors
    /// See [`TensorBoard::scalars`].
    pub fn image(&mut self, tag: &str, step: u64, png: &[u8]) -> Result<(), RunError> {
        let size = |at: usize| {
            let bytes = png.get(at..at + 4).and_then(|b| b.try_into().ok());
            bytes.map_or(0, i32::from_be_bytes)
        };
        // Width, height, depth and kind of colour stand in the first chunk.
        let colours = match png.get(25) {
            Some(2) => 3,
            Some(6) => 4,
            _ => 1,
        };
        let image = Image { width: size(16), height: size(20), colorspace: colours, encoded: png.to_vec() };
        self.value(step, SummaryValue { tag: tag.into(), image: Some(image), ..SummaryValue::default() })
    }

    /// A text in Markdown.
    ///
    /// # Errors
    /// See [`TensorBoard::scalars`].
    pub fn text(&mut self, tag: &str, step: u64, text: &str) -> Result<(), RunError> {
        const STRING: i32 = 7;
        const TENSOR: i32 = 2;
        let tensor = TensorMessage {
            dtype: STRING,
            shape: Some(Shape { sizes: vec![ShapeSize { size: 1 }] }),
            strings: vec![text.as_bytes().to_vec()],
        };
        let plugin = PluginData { plugin_name: "text".into(), content: Vec::new() };
        let metadata = Some(Metadata { plugin_data: Some(plugin), data_class: TENSOR });
        let tag = format!("{tag}/text_summary");
        self.value(step, SummaryValue { tag, tensor: Some(tensor), metadata, ..SummaryValue::default() })
    }

    /// What the forward part of a step computes, with the scopes of layers and the shapes of results.
    ///
    /// # Errors
    /// See [`TensorBoard::scalars`].
    pub fn graph(&mut self, graph: &Graph, train: &Train) -> Result<(), RunError> {
        self.event(0, What::GraphDef(graph::definition(graph, train).encode_to_vec()))
    }

    /// How the elements of a tensor are spread.
    ///
    /// # Errors
    /// See [`TensorBoard::scalars`].
    pub fn histogram(&mut self, tag: &str, step: u64, values: &Tensor) -> Result<(), RunError> {
        let histogram = histogram(&values.to_f64());
        self.value(step, SummaryValue { tag: tag.into(), histogram: Some(histogram), ..SummaryValue::default() })
    }

    fn value(&mut self, step: u64, value: SummaryValue) -> Result<(), RunError> {
        self.event(step, What::Summary(Summary { value: vec![value] }))
    }

    fn event(&mut self, step: u64, what: What) -> Result<(), RunError> {
        let event = Event { wall_time: now(), step: step as i64, what: Some(what) };
        let written = write_record(&mut self.file, &event.encode_to_vec());
        written.map_err(RunError::file(&self.path))?;
        if self.flushed.elapsed() > PATIENCE { self.flush() } else { Ok(()) }
    }

    /// Puts on disk what was written.
    ///
    /// # Errors
    /// See [`TensorBoard::scalars`].
    pub fn flush(&mut self) -> Result<(), RunError> {
        self.flushed = Instant::now();
        self.file.flush().map_err(RunError::file(&self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// The name of this machine, with signs that a file's name may have.
fn host() -> String {
    let linux = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = linux.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let name: String = name.unwrap_or_default().trim().chars().map(plain).collect();
    if name.is_empty() { "localhost".into() } else { name }
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn write_record(to: &mut impl Write, event: &[u8]) -> std::io::Result<()> {
    let length = (event.len() as u64).to_le_bytes();
    to.write_all(&length)?;
    to.write_all(&masked(&length).to_le_bytes())?;
    to.write_all(event)?;
    to.write_all(&masked(event).to_le_bytes())
}

/// Buckets that grow by a tenth from 1e-12 on, below and above 0, as TensorBoard has them; what is not a number does
/// not count.
fn histogram(values: &[f64]) -> Histogram {
    let finite = || values.iter().copied().filter(|x| x.is_finite());
    let count = finite().count();
    let mut limits: Vec<f64> = Vec::new();
    let most = finite().map(f64::abs).fold(0.0, f64::max);
    let mut limit = 1e-12;
    while limit < most * 1.2 {
        limits.push(limit);
        limit *= 1.1;
    }
    let below: Vec<f64> = limits.iter().rev().map(|l| -l).collect();
    let limits: Vec<f64> = below.into_iter().chain([0.0]).chain(limits).chain([f64::MAX]).collect();
    let mut counts = vec![0.0; limits.len()];
    for x in finite() {
        counts[limits.partition_point(|l| *l <= x).min(limits.len() - 1)] += 1.0;
    }
    // Empty buckets next to empty ones say nothing.
    let used = |i: usize| counts[i] > 0.0 || counts.get(i + 1).is_some_and(|c| *c > 0.0);
    let kept: Vec<usize> = (0..limits.len()).filter(|i| used(*i)).collect();
    let bounds = |init: f64, f: fn(f64, f64) -> f64| if count == 0 { 0.0 } else { finite().fold(init, f) };
    Histogram {
        min: bounds(f64::INFINITY, f64::min),
        max: bounds(f64::NEG_INFINITY, f64::max),
        num: count as f64,
        sum: finite().sum(),
        sum_squares: finite().map(|x| x * x).sum(),
        bucket_limit: kept.iter().map(|i| limits[*i]).collect(),
        bucket: kept.iter().map(|i| counts[*i]).collect(),
    }
}

#[cfg(test)]
mod tests;
