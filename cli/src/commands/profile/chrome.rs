//! What happened when, in the trace event format that chrome://tracing and Perfetto open: a lane for the steps, and one
//! for each thread.

use super::attribute::{Described, Kernels};
use super::stepper::Watched;
use serde_json::{Value, json};
use std::time::Duration;

/// The lane of the steps; that of thread `t` is `t + 1`.
const STEPS: usize = 0;

/// The whole file.
pub fn trace(train: &str, kernels: &Kernels, watched: &Watched) -> String {
    let last = watched.trace.steps.iter().flat_map(|t| &t.lanes).map(|l| l.thread).max().unwrap_or(0);
    let name = |what: &str, lane: usize, name: String| json!({ "ph": "M", "pid": 1, "tid": lane, "name": what, "args": { "name": name } });
    let mut events =
        vec![name("process_name", STEPS, format!("tfm profile, {train}")), name("thread_name", STEPS, "steps".into())];
    events.extend((0..=last).map(|thread| name("thread_name", thread + 1, format!("thread {thread}"))));
    for (i, (start, took)) in watched.steps.iter().enumerate() {
        let number = watched.first + i as u64;
        events.push(event(
            &format!("{} {number}", watched.of.name()),
            "step",
            STEPS,
            *start,
            *took,
            json!({ "step": number }),
        ));
    }
    for timed in &watched.trace.steps {
        let number = kernels.number(timed);
        let kernel = &kernels.all[number];
        let (name, phase) = (&kernel.name, kernel.parts[kernel.parts.len() - 1].phase.name());
        let mut args = about(kernel, number);
        if let Some(lane) = timed.lanes.iter().find(|l| l.thread == 0) {
            args["busy_us"] = micros(lane.busy).into();
        }
        events.push(event(name, phase, 1, timed.start, timed.took, args));
        for lane in timed.lanes.iter().filter(|l| l.thread > 0) {
            let busy = json!({ "kernel": number, "busy_us": micros(lane.busy) });
            events.push(event(name, phase, lane.thread + 1, lane.start, lane.end.saturating_sub(lane.start), busy));
        }
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string()
}

/// What is told of a kernel that was clicked on.
fn about(kernel: &Described, number: usize) -> Value {
    let mut lines: Vec<String> = Vec::new();
    let mut layers: Vec<&str> = Vec::new();
    for part in &kernel.parts {
        if let Some(line) = &part.line {
            let line = format!("{}:{}  {}", line.file, line.number, line.text);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if !part.layer.is_empty() && !layers.contains(&part.layer.as_str()) {
            layers.push(&part.layer);
        }
    }
    json!({
        "kernel": number, "what": kernel.what, "line": lines.join("\n"), "layer": layers.join(", "), "bytes": kernel.bytes,
    })
}

fn event(name: &str, category: &str, lane: usize, start: Duration, took: Duration, args: Value) -> Value {
    json!({
        "ph": "X", "pid": 1, "tid": lane, "name": name, "cat": category,
        "ts": micros(start), "dur": micros(took), "args": args,
    })
}

fn micros(d: Duration) -> f64 {
    d.as_nanos() as f64 / 1e3
}
