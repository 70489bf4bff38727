//! `tfm explain`: the long form of a diagnostic's code.

use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use tfm_lang::diagnostic::codes;

/// Why it is an error, what to do, and a short file that has it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm explain E0101")]
pub struct Explain {
    /// The code, as errors show it; without one, all codes are listed
    code: Option<String>,
}

impl Explain {
    /// Prints the explanation.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(code) = &self.code else {
            let lines: Vec<String> = codes::all().map(|c| format!("{}  {}", c.code, c.title)).collect();
            return say(&lines.join("\n"));
        };
        let Some(found) = codes::explain(code) else {
            return Err(Failure::Usage(format!("there is no code `{code}`; `tfm explain` lists all")));
        };
        let example: String = found.example.lines().map(|l| format!("  {l}").trim_end().to_string() + "\n").collect();
        say(&format!("{}: {}\n\n{}\n\nExample:\n\n{example}", found.code, found.title, found.explanation))
    }
}
