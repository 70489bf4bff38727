//! `tfm bench`: training speed on standard workloads, alone or beside other frameworks.

mod infer;
mod losses;
mod measure;
mod peers;

use crate::failure::Failure;
use crate::output::{complain, say};
use clap::Args;
use measure::{Measured, Trainee};
use peers::Peer;
use std::path::PathBuf;
use std::process::Command;

/// Each workload trains on 16 batches of random numbers that lie ready and are used in turn. A step is the whole of
/// it: forward, loss, gradients, clipping, update. Warm-up is 5 steps, and more up to 3 s or half of `--seconds`; then
/// come about 30 blocks of equal numbers of steps. A step's time is the median over the blocks of their mean (and the
/// least of them); the first step is counted from the start of the process, checking and planning included. Each
/// measurement has a process of its own.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm bench --work mlp,gpt --threads 1,2 --peers bench/peers --peer-python \
    torch=venv/bin/python")]
pub struct Bench {
    /// Which workloads, of mlp, cnn, resnet20, lstm, gpt, gpt_mid, recsys
    #[arg(long, value_delimiter = ',', default_value = "mlp,cnn,gpt", value_name = "NAMES")]
    work: Vec<String>,

    /// Threads to compute with, one or several numbers [default: all cores]
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Vec<u16>,

    /// How long to measure each, warm-up not counted
    #[arg(long, default_value_t = 10.0, value_name = "S", value_parser = seconds)]
    seconds: f64,

    /// Go through everything so many times; the table has of each the run with the median
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Measure other frameworks too, in turn with this one: the folder of peer_torch.py, peer_jax.py, peer_tf.py
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,

    /// The interpreter of a peer, such as torch=venv/bin/python; may be given several times [default: python3]
    #[arg(long, value_name = "NAME=PATH", value_parser = python, requires = "peers")]
    peer_python: Vec<(String, PathBuf)>,

    /// Only these peers, such as torch/eager,jax/jit
    #[arg(long, value_delimiter = ',', value_name = "NAMES", requires = "peers")]
    only: Vec<String>,

    /// One JSON object per measurement
    #[arg(long)]
    json: bool,

    /// Measure inference in place of training: a forward pass of one example, each run timed by itself
    #[arg(long)]
    infer: bool,

    /// Change a `const` of a workload, such as the size of the tables of `recsys`: rows=1667
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::settings::assignment)]
    set: Vec<(String, String)>,

    /// Print the losses of so many steps on one batch, each before its update; measures nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["peers", "infer"])]
    losses: Option<u64>,

    /// Begin with the weights in a safetensors file, and take the batch in it: `batch.FIELD`, one tensor a field
    #[arg(long, value_name = "FILE", requires = "losses")]
    from: Option<PathBuf>,

    /// Measure one workload in this process
    #[arg(long, hide = true)]
    here: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let read = text.parse().ok().filter(|s| (0.1..=3600.0).contains(s));
    read.ok_or_else(|| "it must be a number of seconds from 0.1 to 3600".into())
}

fn python(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it must be NAME=PATH, such as torch=venv/bin/python")?;
    match peers::PEERS.iter().any(|p| p.name == name) {
        true => Ok((name.into(), path.into())),
        false => Err(format!("there is no peer `{name}`; there are {}", peers::names())),
    }
}

/// A workload.
pub(super) struct Work {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
    /// What a step takes: how many of what.
    items: (u32, &'static str),
}

static WORKS: &[Work] = &[
    Work { name: "mlp", text: include_str!("../../bench/mlp.tfm"), items: (128, "samples") },
    Work { name: "cnn", text: include_str!("../../bench/cnn.tfm"), items: (128, "samples") },
    Work { name: "resnet20", text: include_str!("../../bench/resnet20.tfm"), items: (128, "samples") },
    Work { name: "lstm", text: include_str!("../../bench/lstm.tfm"), items: (20 * 20, "tokens") },
    Work { name: "gpt", text: include_str!("../../bench/gpt.tfm"), items: (12 * 64, "tokens") },
    Work { name: "gpt_mid", text: include_str!("../../bench/gpt_mid.tfm"), items: (8 * 256, "tokens") },
    Work { name: "recsys", text: include_str!("../../bench/recsys.tfm"), items: (2048, "samples") },
];

/// The workload with this name.
pub(super) fn find(name: &str) -> Result<&'static Work, Failure> {
    WORKS.iter().find(|w| w.name == name).ok_or_else(|| {
        let names: Vec<&str> = WORKS.iter().map(|w| w.name).collect();
        Failure::Usage(format!("there is no workload `{name}`; there are {}", names.join(", ")))
    })
}

impl Bench {
    /// Measures.
    pub fn run(&self) -> Result<(), Failure> {
        let cores = || vec![std::thread::available_parallelism().map_or(1, |n| n.get() as u16)];
        let threads = if self.threads.is_empty() { cores() } else { self.threads.clone() };
        let works = self.works()?;
        if self.here || self.losses.is_some() {
            for (work, &threads) in works.iter().flat_map(|w| threads.iter().map(move |t| (w, t))) {
                say(&self.here(work, threads.into())?)?;
            }
            return Ok(());
        }
        let mut peers = match &self.peers {
            Some(folder) => peers::find(folder, &self.peer_python, &self.only),
            None => Vec::new(),
        };
        let mut rows = Vec::new();
        for threads in threads {
            for work in &works {
                let results = self.compare(work, threads, &mut peers)?;
                rows.extend(results.iter().map(|m| m.row(&results[0])));
            }
        }
        if self.json {
            return Ok(());
        }
        let head = match self.infer {
            true => ["work", "threads", "runs/s", "p50 ms", "p99 ms", "items/s", "first run s", "peak MB", "ours is"],
            false => {
                ["work", "threads", "steps/s", "step ms", "least ms", "items/s", "first step s", "peak MB", "ours is"]
            }
        };
        say(&measure::with_head(head, rows))
    }

    /// What one workload has to say in this process.
    fn here(&self, work: &Work, threads: usize) -> Result<String, Failure> {
        let mut trainee = Trainee::new(work, &self.set, threads)?;
        if let Some(steps) = self.losses {
            return losses::losses(&mut trainee, steps, self.from.as_deref());
        }
        Ok(match self.infer {
            true => infer::measure(work, &mut trainee, self.seconds)?.to_string(),
            false => measure::measure(work, &mut trainee, self.seconds)?.to_string(),
        })
    }

    fn works(&self) -> Result<Vec<&'static Work>, Failure> {
        self.work.iter().map(|name| find(name)).collect()
    }

    /// Ours first, then each peer, round after round; of each the run with the median. A peer that fails is not tried again.
    fn compare(&self, work: &Work, threads: u16, peers: &mut Vec<Peer>) -> Result<Vec<Measured>, Failure> {
        let mut all: Vec<Vec<Measured>> = Vec::new();
        for _ in 0..self.rounds {
            let ours =
                std::env::current_exe().map_err(|e| Failure::Message(format!("this program is not found: {e}")))?;
            let mut command = Command::new(ours);
            command.args(["bench", "--here"]);
            self.set.iter().for_each(|(name, value)| {
                command.arg("--set").arg(format!("{name}={value}"));
            });
            self.keep(&mut all, self.measured(command, work, threads).map_err(Failure::Message)?)?;
            let mut left = Vec::new();
            for peer in peers.drain(..) {
                match self.measured(peer.command(), work, threads) {
                    Ok(m) => {
                        self.keep(&mut all, m)?;
                        left.push(peer);
                    }
                    Err(why) => complain(&format!("skipped: {peer}: {why}")),
                }
            }
            *peers = left;
        }
        Ok(all.into_iter().filter_map(measure::middle).collect())
    }

    fn keep(&self, all: &mut Vec<Vec<Measured>>, new: Measured) -> Result<(), Failure> {
        if self.json {
            say(&new.to_string())?;
        }
        match all.iter_mut().find(|runs| runs[0].who() == new.who()) {
            Some(runs) => runs.push(new),
            None => all.push(vec![new]),
        }
        Ok(())
    }

    /// Runs a measurement in a process of its own; its last line is the result.
    fn measured(&self, mut command: Command, work: &Work, threads: u16) -> Result<Measured, String> {
        let (threads, seconds) = (threads.to_string(), self.seconds.to_string());
        command.args(["--work", work.name, "--threads", &threads, "--seconds", &seconds]);
        if self.infer {
            command.arg("--infer");
        }
        let done = command.output().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        let last =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().lines().last().unwrap_or_default().to_string();
        if !done.status.success() {
            return Err(format!("{} ({})", last(&done.stderr), done.status));
        }
        Measured::read(&last(&done.stdout))
    }
}
