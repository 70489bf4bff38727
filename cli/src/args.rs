//! The command line.

use crate::commands::{Command, GROUPS};
use crate::config::defaults;
use crate::output::Color;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;

/// Trains neural networks that are written in the tfm language.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "tfm",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "`tfm FILE.tfm` is `tfm train FILE.tfm`.\n\nExample:\n  tfm train examples/01_digits.tfm"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// Reads a command line, the first word of which is the program. `Err` is the exit status when there is nothing
/// to run: help was asked for, or the usage is wrong. The user has been told.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, u8> {
    let words = with_train(words.into_iter().collect());
    let command = defaults::apply(command(), &words).map_err(|failure| crate::finish(Err(failure)))?;
    read(command, words).map_err(|e| {
        // Nobody may be listening, and then nothing is lost.
        let _ = e.print();
        u8::from(e.use_stderr()) * 2
    })
}

fn read(command: clap::Command, words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let matches = command.try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)
}

/// The command line, its help with the commands in groups.
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let mut groups = String::new();
    let width = command.get_subcommands().map(|c| c.get_name().len()).max().unwrap_or(0);
    for (heading, names) in GROUPS {
        let there = names.iter().filter_map(|n| command.find_subcommand(n));
        let line = |c: &clap::Command| {
            let about = c.get_about().map(ToString::to_string).unwrap_or_default();
            format!("  \x1b[1m{:<width$}\x1b[0m  {about}\n", c.get_name())
        };
        groups += &format!("\n\x1b[1m\x1b[4m{heading}:\x1b[0m\n{}", there.map(line).collect::<String>());
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n\x1b[1m\x1b[4mOptions:\x1b[0m\n{{options}}{{after-help}}"
    ))
}

/// `tfm FILE.tfm` is `tfm train FILE.tfm`: so is every command line without a command that names such a file.
fn with_train(mut words: Vec<OsString>) -> Vec<OsString> {
    let names: Vec<String> = Arguments::command().get_subcommands().map(|c| c.get_name().to_string()).collect();
    let is_command = |w: &OsString| names.iter().any(|n| w == n.as_str());
    let is_file = |w: &OsString| w.to_str().is_some_and(|w| w.ends_with(".tfm") && !w.starts_with('-'));
    let command = words.iter().skip(1).position(is_command);
    let file = words.iter().skip(1).position(is_file);
    if file.is_some_and(|f| command.is_none_or(|c| f < c)) {
        words.insert(1, "train".into());
    }
    // A flag that may have a number takes no file for one.
    for i in 1..words.len() {
        let is_number = |w: &OsString| w.to_str().is_some_and(|w| w.parse::<u64>().is_ok());
        if words[i] == "--fast-dev-run" && !words.get(i + 1).is_some_and(is_number) {
            words[i].push("=1");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Command;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let words = line.split(' ').map(OsString::from).collect();
        read(command(), with_train(words)).map(|a| a.command).map_err(|e| e.kind())
    }

    #[test]
    fn a_file_alone_is_trained() {
        for line in ["tfm a.tfm", "tfm --seed 3 a.tfm", "tfm --color never a.tfm", "tfm train a.tfm"] {
            let Ok(Command::Train(train)) = parse(line) else { panic!("{line}") };
            assert_eq!(train.file.unwrap().to_str(), Some("a.tfm"));
        }
        assert!(matches!(parse("tfm check a.tfm"), Ok(Command::Check(_))));
        assert!(matches!(parse("tfm nothing"), Err(ErrorKind::InvalidSubcommand)));
    }

    #[test]
    fn settings_are_names_and_values() {
        let Ok(Command::Train(train)) = parse("tfm train a.tfm mlp --set epochs=1 --set width=64 --max-steps 5") else {
            panic!()
        };
        assert_eq!(train.settings.set, [("epochs".into(), "1".into()), ("width".into(), "64".into())]);
        assert_eq!((train.name.as_deref(), train.max_steps), (Some("mlp"), Some(5)));
        for wrong in ["--set epochs", "--set =1", "--threads 0", "--seed -1", "--max-steps x"] {
            assert!(parse(&format!("tfm train a.tfm {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_trial_takes_a_number_or_none() {
        let trial = |line: &str| match parse(line) {
            Ok(Command::Train(train)) => (train.fast_dev_run, train.file.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(trial("tfm train --fast-dev-run a.tfm"), (Some(1), true));
        assert_eq!(trial("tfm a.tfm --fast-dev-run"), (Some(1), true));
        assert_eq!(trial("tfm train a.tfm --fast-dev-run 3 mlp"), (Some(3), true));
        assert_eq!(trial("tfm --fast-dev-run=2 a.tfm"), (Some(2), true));
        assert!(parse("tfm train a.tfm --fast-dev-run 0").is_err());
        assert!(parse("tfm train a.tfm --fast-dev-run --overfit 1").is_err());
    }

    #[test]
    fn resume_takes_a_word_or_none() {
        let resume = |line: &str| match parse(line) {
            Ok(Command::Train(train)) => train.resume(),
            other => panic!("{other:?}"),
        };
        assert_eq!(resume("tfm train a.tfm"), (None, Some("a.tfm".into())));
        assert_eq!(resume("tfm train a.tfm --resume"), (Some("last".into()), Some("a.tfm".into())));
        assert_eq!(resume("tfm train a.tfm --resume best"), (Some("best".into()), Some("a.tfm".into())));
        assert_eq!(resume("tfm train --resume a.tfm"), (Some("last".into()), Some("a.tfm".into())));
        assert_eq!(resume("tfm --resume a.tfm"), (Some("last".into()), Some("a.tfm".into())));
    }

    /// Every command and those below it, by name.
    fn walk(command: &clap::Command, name: &str, see: &mut dyn FnMut(&str, clap::Command)) {
        for sub in command.get_subcommands() {
            let name = format!("{name} {}", sub.get_name());
            see(&name, sub.clone());
            walk(sub, &name, see);
        }
    }

    #[test]
    fn the_declaration_is_sound_and_every_help_has_an_example() {
        command().debug_assert();
        let mut root = command();
        root.build();
        let mut seen = 0;
        walk(&root, "tfm", &mut |name, mut sub| {
            let help = sub.render_long_help().to_string();
            let examples = help.split_once("Example:\n").map_or("", |(_, e)| e);
            assert!(examples.lines().any(|l| l.starts_with(&format!("  {name}"))), "{name}:\n{help}");
            seen += 1;
        });
        assert!(seen > 20, "only {seen} commands were walked");
    }

    #[test]
    fn help_has_every_command_in_a_group() {
        let help = command().render_help().to_string();
        for sub in command().get_subcommands() {
            let name = sub.get_name();
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(groups, 1, "`{name}` is in {groups} groups of commands.rs");
            assert!(help.contains(&format!("\n  {name} ")), "{name}:\n{help}");
        }
        assert!(help.contains("\nTrain:\n") && help.contains("Options:\n"), "{help}");
    }
}
