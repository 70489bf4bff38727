//! Files that nobody wrote: programs made up at random, and the repository's with other blanks.

use proptest::prelude::*;

use super::files::{all, holds};
use super::formatted;
use crate::format::tokens::{PIPE, read};
use crate::format::{Refused, spaces};
use crate::syntax::outline::outline;

/// Random numbers from a counter.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len() as u64) as usize]
    }
}

const NAMES: [&str; 12] =
    ["x", "y", "image", "logits", "a_long_name_of_something", "w_out", "state", "report", "axis", "B", "é_no", "at"];

fn name(dice: &mut Dice) -> &'static str {
    NAMES[dice.roll(NAMES.len() as u64) as usize].trim_start_matches("é_")
}

/// What may stand where a line may end: sometimes a comment.
fn gap(dice: &mut Dice) -> String {
    match dice.roll(40) {
        0 => " // why\n  ".into(),
        1 => "\n  // above\n  ".into(),
        2 => "\n".into(),
        _ => " ".into(),
    }
}

fn value(dice: &mut Dice, depth: u64) -> String {
    if depth == 0 {
        return match dice.roll(6) {
            0 => format!("{}", dice.roll(1000)),
            1 => "1e-3".into(),
            2 => "\"a // text\"".into(),
            3 => "2 epochs".into(),
            _ => name(dice).into(),
        };
    }
    let inner = depth - 1;
    let list = |dice: &mut Dice, open: &str, close: &str, least: u64| {
        let n = least + dice.roll(5);
        let items: Vec<String> = (0..n).map(|_| value(dice, dice_depth(inner))).collect();
        let last = if n > 0 && dice.roll(6) == 0 { "," } else { "" };
        let between = format!(",{}", gap(dice));
        format!("{open}{}{}{last}{}{close}", gap(dice), items.join(&between), gap(dice))
    };
    match dice.roll(14) {
        0..=2 => {
            let op = dice.one_of(&["+", "-", "*", "/", "@", "^", "and", "or", "%"]);
            format!("{}{}{op}{}{}", value(dice, inner), gap(dice), gap(dice), value(dice, inner))
        }
        3..=4 => format!("{}{}", name(dice), list(dice, "(", ")", 0)),
        5 => list(dice, "[", "]", 0),
        6 => format!("({})", value(dice, inner)),
        7 => {
            let breaks = if dice.roll(3) == 0 { "\n" } else { " " };
            format!("{}{breaks}|> f |> {}{}", value(dice, inner), name(dice), list(dice, "(", ")", 0))
        }
        8 => format!("(if {} {} else {})", value(dice, 0), block(dice, inner), block(dice, inner)),
        9 => format!("fn(y, z: int = 3) {}", block(dice, inner)),
        10 => format!("({})[:, {}, 1:2]", value(dice, inner), value(dice, 0)),
        11 => format!("-{}", value(dice, 0)),
        12 => format!("f({}, named: {})", value(dice, inner), value(dice, inner)),
        _ => format!("[{} for i in 0..{}]", value(dice, inner), name(dice)),
    }
}

fn dice_depth(depth: u64) -> u64 {
    depth.min(2)
}

fn block(dice: &mut Dice, depth: u64) -> String {
    match dice.roll(4) {
        0 => format!("{{ {} }}", value(dice, depth)),
        1 => format!("{{\n{}\n}}", value(dice, depth)),
        2 => format!("{{ // first\n let a = {}; {}\n // last\n }}", value(dice, depth), name(dice)),
        _ => format!("{{ let {} = {}\n\n\n{} }}", name(dice), value(dice, depth), name(dice)),
    }
}

fn program(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..1 + dice.roll(4) {
        text.push_str(dice.one_of(&["", "// note\n", "/// doc\n", "\n\n\n"]));
        text.push_str(&match dice.roll(4) {
            0 => format!("const c = {}\n", value(dice, 2)),
            1 => format!("fn f(x: f32[B, {}]) {}\n", dice.roll(9), block(dice, 3)),
            2 => format!("layer L(n: int = {})(x: f32[..S]) -> f32[..S] {}\n", dice.roll(9), block(dice, 2)),
            _ => {
                let mut lines = String::new();
                for _ in 0..dice.roll(6) {
                    lines.push_str(&match dice.roll(5) {
                        0 => format!("let {} = {}", name(dice), value(dice, 3)),
                        1 => format!("report {}, {}", value(dice, 1), value(dice, 1)),
                        2 => format!("minimize {}", value(dice, 2)),
                        3 => format!("batch: {}", value(dice, 2)),
                        _ => "every 1 epoch { evaluate d.test }".into(),
                    });
                    lines.push_str(dice.one_of(&["\n", " // end\n", "\n\n"]));
                }
                format!("train t on d {{\n{lines}}}\n")
            }
        });
    }
    text
}

/// The text with other blanks, and line breaks where they say nothing: brackets opened up or closed, blank lines
/// doubled. Comments, the break before a `|>` and that after a block's `{` stay.
fn mangled(text: &str, dice: &mut Dice) -> String {
    let mut all = read(text, &outline(text));
    spaces::mark(text, &mut all);
    let mut made = String::new();
    let mut open: Vec<bool> = Vec::new();
    for i in 0..all.len() {
        let token = &all[i];
        let from = i.checked_sub(1).map_or(0, |p| all[p].end) as usize;
        let gap = &text[from..token.start as usize];
        let inside = open.last() == Some(&true);
        let last = i.checked_sub(1).map_or("", |p| all[p].text(text));
        let word = token.text(text);
        let blanks = |dice: &mut Dice| " ".repeat(1 + dice.roll(3) as usize);
        if gap.contains("//") || gap.contains('\u{feff}') || token.start as usize == text.len() {
            made.push_str(gap);
        } else if gap.contains(';') {
            made.push_str(dice.one_of(&[" ; ", ";", ";;\t"]));
        } else if token.begins || token.level == Some(PIPE) || word == "}" {
            let lines = gap.matches('\n').count();
            match lines {
                0 => made.push_str(gap),
                1 => made.push('\n'),
                _ => made.push_str(&"\n \n".repeat(1 + dice.roll(2) as usize)),
            }
            if lines > 0 {
                // A declaration begins at the first column, and only there surely.
                made.push_str(&if open.is_empty() { String::new() } else { blanks(dice) });
            }
        } else if inside && matches!(last, "," | "(" | "[") && dice.roll(3) == 0 {
            made.push_str(dice.one_of(&["\n", "\n\n    ", " \t\n "]));
            made.push(' ');
        } else if !gap.is_empty() {
            made.push_str(&blanks(dice));
        } else if matches!(word, "," | ")") && dice.roll(4) == 0 {
            made.push(' ');
        }
        made.push_str(word);
        match word {
            "(" | "[" => open.push(true),
            "{" => open.push(!token.opens),
            ")" | "]" | "}" => drop(open.pop()),
            _ => {}
        }
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn made_up_programs(seed in any::<u64>()) {
        let text = program(&mut Dice(seed));
        match formatted(&text) {
            Err(Refused::Changed) => panic!("would change\n{text}"),
            Err(Refused::Broken(_)) => {}
            Ok(_) => {
                let made = holds("made up", &text);
                let other = mangled(&text, &mut Dice(seed));
                prop_assert_eq!(formatted(&other), Ok(made), "{}\n----\n{}", text, other);
            }
        }
    }

    #[test]
    fn mangled_files(seed in any::<u64>()) {
        let files = all();
        let (path, text) = &files[seed as usize % files.len()];
        let text = text.replace('\r', "");
        if let Ok(made) = formatted(&text) {
            let other = mangled(&text, &mut Dice(seed));
            prop_assert_eq!(formatted(&other), Ok(made), "{}\n{}", path.display(), other);
        }
    }
}

/// Most of what the generator makes is right, or it would test nothing.
#[test]
fn made_up_programs_parse() {
    let good = (0..200).filter(|seed| formatted(&program(&mut Dice(*seed))).is_ok()).count();
    assert!(good > 100, "{good} of 200");
}
