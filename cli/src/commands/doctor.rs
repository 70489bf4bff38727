//! `tfm doctor`: whether everything here is as it should be.

use crate::config::{self, Config, RUNS};
use crate::failure::Failure;
use crate::machine;
use crate::output::{Color, say};
use crate::pipeline::{Compiled, compile};
use crate::scratch::Scratch;
use crate::values::bytes;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tfm_lang::check::Options;
use tfm_runtime::cpu::{self, Cpu};
use tfm_runtime::run::{self, DataFeed, Engine};
use tfm_runtime::session::Session;

/// Version, processor, memory, data, environment, and a short training whose numbers are known.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The exit status is 1 when something must be mended; what is only worth knowing is no \
    failure.\n\nExample:\n  tfm doctor")]
pub struct Doctor {
    /// JSON in place of lines for people
    #[arg(long)]
    json: bool,
}

/// How a thing stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Good,
    /// Worth knowing.
    Note,
    /// To be mended.
    Bad,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Good => "ok",
            Status::Note => "note",
            Status::Bad => "bad",
        }
    }
}

struct Finding {
    name: &'static str,
    status: Status,
    text: String,
}

/// A net whose losses are known: those that the self-test compares.
const SELF_TEST: &str = include_str!("doctor/self_test.tfm");

/// Its loss after [`STEPS`] steps, and how far from it another order of adding up may lead.
const LOSS: (f32, f32) = (0.9195, 0.02);
const STEPS: u64 = 30;

impl Doctor {
    /// Looks at everything.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let config = config::closest(Path::new("."));
        let (data, runs) = (data(&config), runs(&config.unwrap_or_default()));
        let findings =
            [version(), processor(), kernels(), memory(), data, runs, environment(), python(), self_test(color)];
        let good = findings.iter().all(|f| f.status != Status::Bad);
        if self.json {
            let checks: Vec<_> = findings
                .iter()
                .map(|f| serde_json::json!({ "name": f.name, "status": f.status.word(), "text": f.text }))
                .collect();
            let version = env!("CARGO_PKG_VERSION");
            say(&serde_json::json!({ "version": version, "ok": good, "checks": checks }).to_string())?;
        } else {
            let width = findings.iter().map(|f| f.name.len()).max().unwrap_or(0);
            for f in &findings {
                say(&format!("{:<4}  {:<width$}  {}", f.status.word(), f.name, f.text))?;
            }
        }
        if good { Ok(()) } else { Err(Failure::Shown) }
    }
}

fn good(name: &'static str, text: impl Into<String>) -> Finding {
    Finding { name, status: Status::Good, text: text.into() }
}

fn version() -> Finding {
    let build = if cfg!(debug_assertions) { ", a debug build: slow" } else { "" };
    let features = if cfg!(feature = "parquet") { ", with parquet" } else { "" };
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    good("version", format!("tfm {} on {os} {arch}{features}{build}", env!("CARGO_PKG_VERSION")))
}

fn processor() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let name = machine::processor().map(|n| format!("{n}, ")).unwrap_or_default();
    good("processor", format!("{name}{cores} threads{}", features()))
}

/// What the kernels could use of the processor.
fn features() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512bw", is_x86_feature_detected!("avx512bw")),
            ("avx512dq", is_x86_feature_detected!("avx512dq")),
            ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ];
        let there: Vec<&str> = all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
        if there.is_empty() { String::new() } else { format!(", {}", there.join(" ")) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    String::new()
}

fn kernels() -> Finding {
    let (best, chosen) = (cpu::Path::best(), cpu::Path::chosen());
    let name = |p: cpu::Path| format!("{p:?}").to_lowercase();
    if best == chosen {
        return good("kernels", format!("{} loops, the best that this processor has", name(best)));
    }
    let text = format!("{} loops, as TFM_CPU asks for; this processor has {}", name(chosen), name(best));
    Finding { name: "kernels", status: Status::Note, text }
}

fn memory() -> Finding {
    match (machine::free_memory(), machine::memory()) {
        (Some(free), Some(all)) => {
            let status = if free < 500_000_000 { Status::Note } else { Status::Good };
            Finding { name: "memory", status, text: format!("{} free of {}", bytes(free), bytes(all)) }
        }
        _ => {
            Finding { name: "memory", status: Status::Note, text: "this system does not say how much there is".into() }
        }
    }
}

fn data(config: &Result<Config, String>) -> Finding {
    let bad = |text: String| Finding { name: "data", status: Status::Bad, text };
    let config = match config {
        Ok(config) => config,
        Err(e) => return bad(e.clone()),
    };
    let variable = std::env::var_os("TFM_DATA").filter(|v| !v.is_empty()).map(|v| ("TFM_DATA", PathBuf::from(v)));
    let key = || config.train.data.as_ref().map(|d| ("data of tfm.toml", config.folder.join(d)));
    let Some((what, folder)) = variable.or_else(key) else {
        return good("data", "TFM_DATA is not set: files are looked for beside the .tfm file");
    };
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            let mut names: Vec<String> =
                entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            let shown = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 8 { ", …" } else { "" };
            good("data", format!("{what} is {}: {shown}{more}", folder.display()))
        }
        Err(e) => bad(format!("{what} is {}: {e}", folder.display())),
    }
}

/// Whether runs can be written here.
fn runs(config: &Config) -> Finding {
    let folder = config.train.runs.as_ref().map_or_else(|| RUNS.into(), |r| config::shown(&config.folder.join(r)));
    let folder = Path::new(&folder);
    let bad = |e: std::io::Error| Finding {
        name: "runs",
        status: Status::Bad,
        text: format!("nothing can be written to {}: {e}", folder.display()),
    };
    let is_new = !folder.exists();
    if let Err(e) = std::fs::create_dir_all(folder) {
        return bad(e);
    }
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    let found = crate::runs::all(folder);
    if is_new {
        let _ = std::fs::remove_dir(folder);
    }
    match written {
        Err(e) => bad(e),
        Ok(()) => {
            let broken = found.iter().filter(|r| r.found.is_err()).count();
            let text = match (found.len(), broken) {
                (0, _) => format!("none yet in {}; it can be written to", folder.display()),
                (n, 0) => format!("{n} in {}", folder.display()),
                (n, broken) => format!("{n} in {}, {broken} broken: `tfm runs list`", folder.display()),
            };
            Finding { name: "runs", status: if broken > 0 { Status::Note } else { Status::Good }, text }
        }
    }
}

/// The variables that begin with `TFM_`.
fn environment() -> Finding {
    const KNOWN: [&str; 2] = ["TFM_CPU", "TFM_DATA"];
    let mut set: Vec<String> =
        std::env::vars_os().filter_map(|(n, _)| n.into_string().ok()).filter(|n| n.starts_with("TFM_")).collect();
    set.sort();
    let unknown: Vec<&str> = set.iter().map(String::as_str).filter(|n| !KNOWN.contains(n)).collect();
    if !unknown.is_empty() {
        let text = format!("{} mean nothing to tfm; it reads {}", unknown.join(", "), KNOWN.join(" and "));
        return Finding { name: "environment", status: Status::Note, text };
    }
    let text = if set.is_empty() { "no TFM_ variable is set".into() } else { format!("{} set", set.join(", ")) };
    good("environment", text)
}

/// The frameworks that some comparisons use; none is needed.
fn python() -> Finding {
    let ask = "import importlib.metadata as m, platform\n\
               print(platform.python_version())\n\
               for n in ('torch', 'jax', 'tensorflow', 'tensorboard'):\n \
               \ttry: print(n, m.version(n))\n \
               \texcept Exception: pass\n";
    let asked = Command::new("python3").args(["-c", ask]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = match asked {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut lines = text.lines();
            let version = lines.next().unwrap_or_default().to_string();
            let found: Vec<&str> = lines.collect();
            let found = if found.is_empty() { "no frameworks".to_string() } else { found.join(", ") };
            format!("{version}, {found} (for comparisons only)")
        }
        _ => "not here; it is used for comparisons only".into(),
    };
    good("python", text)
}

/// Trains a small net: its numbers are known, and the same with one thread, with all, and near them with portable loops.
fn self_test(color: Color) -> Finding {
    let began = Instant::now();
    match tested(color) {
        Ok(text) => good("self-test", format!("{text} ({:.1}s)", began.elapsed().as_secs_f64())),
        Err(why) => Finding { name: "self-test", status: Status::Bad, text: why },
    }
}

fn tested(color: Color) -> Result<String, String> {
    let compiled =
        compile("self_test.tfm", SELF_TEST, &mut |_| None, &Options::default(), &|_| {}).map_err(|rejected| {
            crate::output::show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
            "the file of the self-test has mistakes".to_string()
        })?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let of = |cpu: Cpu| losses(&compiled, cpu).map_err(|e| e.text().unwrap_or_else(|| "it failed".into()));
    let one = of(Cpu::with_path(1, cpu::Path::chosen()))?;
    let all = of(Cpu::with_path(threads.max(2), cpu::Path::chosen()))?;
    if one != all {
        return Err("the numbers are not the same with one thread and with several".into());
    }
    let portable = of(Cpu::with_path(1, cpu::Path::Portable))?;
    let is_far = |(a, b): (&u32, &u32)| {
        let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
        a.is_nan() || b.is_nan() || (a - b).abs() > LOSS.1
    };
    if one.len() != portable.len() || one.iter().zip(&portable).any(is_far) {
        return Err("the numbers are others with portable loops, by more than rounding".into());
    }
    let last = one.last().copied().map_or(f32::NAN, f32::from_bits);
    if last.is_nan() || (last - LOSS.0).abs() > LOSS.1 {
        return Err(format!("the loss after {STEPS} steps is {last}, and should be near {}", LOSS.0));
    }
    let scratch = Scratch::new().map_err(|e| e.text().unwrap_or_default())?;
    std::fs::write(scratch.path().join("a"), b"a").map_err(|e| format!("temporary files cannot be written: {e}"))?;
    Ok(format!("{STEPS} steps of a small net: loss {last:.4}, the same bits with 1 and {} threads", threads.max(2)))
}

/// The losses of the first steps, as bits.
fn losses(compiled: &Compiled, cpu: Cpu) -> Result<Vec<u32>, Failure> {
    let train = &compiled.model.trains[0];
    let datasets = crate::target::open_data(&compiled.model, [0], Path::new("."), None)?;
    let mut session = Session::new(compiled.graph.clone(), cpu);
    session.initialize(train.seed)?;
    let feed: DataFeed<'_> = crate::feeds::feed(&datasets, train, &session)?;
    let mut losses = Vec::new();
    run::steps(&mut session, &feed, train, &mut |step, _, values| {
        losses.push(values[0].to_bits());
        step < STEPS
    })?;
    Ok(losses)
}
