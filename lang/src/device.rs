//! Hints where something is computed: `on gpu(0) { … }`, `on job("ps", task: 1) { … }`.
//!
//! A hint may say a part only; the placer fills in the rest, and keeps what it cannot honour for a machine
//! that can. As text it is `job:ps/task:1/gpu:0`, with the parts that it says.

use std::fmt;
use std::str::FromStr;

/// What a hint says; what it leaves open is `None`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Device {
    /// The job of a cluster, `ps`.
    pub job: Option<String>,
    /// The number of a task in the job.
    pub task: Option<u32>,
    /// The kind of machine.
    pub kind: Option<DeviceKind>,
    /// Which of its kind.
    pub index: Option<u32>,
}

/// A kind of device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DeviceKind {
    /// `cpu`
    Cpu,
    /// `gpu`
    Gpu,
}

impl DeviceKind {
    /// All kinds.
    pub const ALL: [DeviceKind; 2] = [DeviceKind::Cpu, DeviceKind::Gpu];

    /// Its word in the language.
    pub fn name(self) -> &'static str {
        match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Gpu => "gpu",
        }
    }
}

impl Device {
    /// This hint around another, which goes before it where both say something.
    pub fn around(&self, inner: &Device) -> Device {
        // A task is one of its job, an index one of its kind.
        let (job, task) = match inner.job {
            Some(_) => (inner.job.clone(), inner.task),
            None => (self.job.clone(), self.task),
        };
        let (kind, index) = match inner.kind {
            Some(_) => (inner.kind, inner.index),
            None => (self.kind, self.index),
        };
        Device { job, task, kind, index }
    }

    /// The hint as the language writes it, without its numbers: `job("ps", …)`, `gpu(…)`, `cpu`.
    pub fn family(&self) -> String {
        match (&self.job, self.kind) {
            (Some(job), _) if self.task.is_some() => format!("job(\"{job}\", …)"),
            (Some(job), _) => format!("job(\"{job}\")"),
            (None, Some(kind)) if self.index.is_some() => format!("{}(…)", kind.name()),
            (None, Some(kind)) => kind.name().into(),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = self.job.as_ref().map(|j| format!("job:{j}"));
        let task = self.task.map(|t| format!("task:{t}"));
        let kind = self.kind.map(|k| match self.index {
            Some(i) => format!("{}:{i}", k.name()),
            None => k.name().into(),
        });
        f.write_str(&[job, task, kind].into_iter().flatten().collect::<Vec<_>>().join("/"))
    }
}

/// What [`Device`]'s text form gives back.
impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Device, String> {
        let mut device = Device::default();
        for part in text.split('/') {
            let (word, rest) = part.split_once(':').map_or((part, None), |(w, r)| (w, Some(r)));
            let number = || rest.map(|r| r.parse::<u32>().map_err(|_| format!("`{part}` has no number")));
            match (word, DeviceKind::ALL.into_iter().find(|k| k.name() == word)) {
                ("job", _) => device.job = rest.map(String::from),
                ("task", _) => device.task = number().transpose()?,
                (_, Some(kind)) => (device.kind, device.index) = (Some(kind), number().transpose()?),
                _ => return Err(format!("`{part}` is no part of a device")),
            }
        }
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for text in ["cpu", "gpu:3", "job:ps/task:1", "job:worker/task:12/gpu:0", "job:ps/cpu"] {
            assert_eq!(text.parse::<Device>().map(|d| d.to_string()), Ok(text.to_string()));
        }
        assert!("tpu:0".parse::<Device>().is_err());
        assert!("gpu:x".parse::<Device>().is_err());
        assert!("".parse::<Device>().is_err());
    }

    #[test]
    fn an_inner_hint_refines_and_goes_before() {
        let around = |outer: &str, inner: &str| {
            let (outer, inner): (Device, Device) = (outer.parse().unwrap(), inner.parse().unwrap());
            outer.around(&inner).to_string()
        };
        assert_eq!(around("job:worker/task:1", "gpu:0"), "job:worker/task:1/gpu:0");
        assert_eq!(around("gpu:1", "gpu:0"), "gpu:0");
        assert_eq!(around("job:worker/task:1/gpu:0", "job:ps"), "job:ps/gpu:0");
    }
}
