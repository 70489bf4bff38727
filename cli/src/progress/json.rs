//! Events as JSON, an object per line, for programs that start tfm.

use crate::output::say;
use serde_json::{Map, Value, json};
use tfm_runtime::run::{Event, Observer, json_number};

/// Writes to standard output. Steps that are not shown are left out.
pub struct Json;

impl Observer for Json {
    fn on(&mut self, event: Event<'_>) {
        let value = match event {
            Event::Started(s) => json!({
                "event": "started", "train": s.train, "step": s.step, "total": s.total,
                "steps_per_epoch": s.epoch.steps, "examples": s.epoch.examples, "names": s.names,
            }),
            Event::Step(s) => match s.values {
                Some(values) => json!({
                    "event": "step", "step": s.step, "epoch": s.epoch, "examples": s.examples,
                    "values": values.iter().map(|v| json_number(*v)).collect::<Vec<_>>(),
                }),
                None => return,
            },
            Event::Evaluating { .. } | Event::Table { .. } | Event::Variables { .. } => return,
            Event::Evaluated { step, epoch, values } => {
                let values: Map<String, Value> = values.iter().map(|(n, v)| (n.clone(), json_number(*v))).collect();
                json!({ "event": "evaluated", "step": step, "epoch": epoch, "values": values })
            }
            Event::Images { step, path } => json!({ "event": "images", "step": step, "path": path }),
            Event::Saved { step, path, best } => {
                json!({ "event": "saved", "step": step, "path": path, "best": best })
            }
            Event::Note(text) => json!({ "event": "note", "text": text }),
        };
        let _ = say(&value.to_string());
    }
}
