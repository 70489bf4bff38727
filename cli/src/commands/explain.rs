//! `tfm explain`: the long form of a code, of an error or a lint.

use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use tfm_lang::diagnostic::codes;
use tfm_lang::lint;

/// Why it is an error, what to do, and a short file that has it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm explain E0101")]
pub struct Explain {
    /// The code, as errors show it, or the name of a lint; without one, all are listed
    code: Option<String>,
}

impl Explain {
    /// Prints the explanation.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(code) = &self.code else {
            let errors = codes::all().map(|c| format!("{}  {}", c.code, c.title));
            let lints = lint::ALL.iter().map(|l| format!("{}  {}: {}", l.code, l.name, l.title));
            return say(&errors.chain(lints).collect::<Vec<_>>().join("\n"));
        };
        if let Some(found) = lint::find(code) {
            return say(&lint::explain(found));
        }
        let Some(found) = codes::explain(code) else {
            return Err(Failure::Usage(format!("there is no code `{code}`; `tfm explain` lists all")));
        };
        let example: String = found.example.lines().map(|l| format!("  {l}").trim_end().to_string() + "\n").collect();
        say(&format!("{}: {}\n\n{}\n\nExample:\n\n{example}", found.code, found.title, found.explanation))
    }
}
