//! One-token mutants of a program: what a slip of the hand makes of it. Decided by the seed alone.

use std::ops::Range;

/// Numbers that look random and depend on the seed alone (SplitMix64: Steele and others, 2014).
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number, below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % (n.max(1) as u64)) as usize
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// What kind of slip it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Slip {
    /// A whole number is another one.
    Size,
    /// An `axis:` is another one, or a letter of a pattern is.
    Axis,
    /// A name is another one of the file, or misspelt.
    Name,
    /// An operator is another one.
    Operator,
    /// A dtype is another one.
    DType,
    /// The name of an argument is another one.
    Argument,
    /// Two arguments stand in each other's place.
    Order,
}

/// A program with one slip in it.
pub struct Mutant {
    /// The kind.
    pub slip: Slip,
    /// The whole text.
    pub text: String,
    /// What was changed, in the mutant's text.
    pub place: Range<usize>,
    /// `kernel: 3 -> kernel: 4`
    pub what: String,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Word,
    Whole,
    /// A word inside a pattern in backticks.
    Pattern,
    Sign,
    Other,
}

struct Token {
    at: Range<usize>,
    kind: Kind,
}

const OPERATORS: [&[&str]; 4] =
    [&["+", "-", "*", "/", "@", "^", "%"], &["==", "!=", "<", ">", "<=", ">="], &["and", "or"], &["|>", "+"]];
const DTYPES: [&str; 9] = ["f32", "f64", "bf16", "i32", "i64", "u8", "bool", "float", "int"];
const ARGUMENTS: [&str; 12] =
    ["kernel", "stride", "pad", "units", "channels", "size", "axis", "keep", "rate", "bias", "lr", "heads"];

/// A mutant of this program; `None` where the chosen token has nothing to be changed into.
pub fn mutant(program: &str, random: &mut Random) -> Option<Mutant> {
    let tokens = tokens(program);
    let i = random.below(tokens.len());
    let (slip, place, new) = change(program, &tokens, i, random)?;
    let old = &program[place.clone()];
    if *old == *new {
        return None;
    }
    let mut text = program.to_string();
    text.replace_range(place.clone(), &new);
    let what = format!("{slip:?}: {old} -> {new}");
    Some(Mutant { slip, text, place: place.start..place.start + new.len(), what })
}

/// What to put in the place of the token: the kind of slip, the place, the new text.
fn change(text: &str, tokens: &[Token], i: usize, random: &mut Random) -> Option<(Slip, Range<usize>, String)> {
    let token = &tokens[i];
    let word = |k: usize| tokens.get(k).map_or("", |t| &text[t.at.clone()]);
    let here = word(i);
    let named = i > 1 && word(i - 1) == ":";
    Some(match token.kind {
        Kind::Whole => {
            let n: i64 = here.replace('_', "").parse().ok()?;
            let slip = if named && word(i - 2) == "axis" { Slip::Axis } else { Slip::Size };
            let others: Vec<i64> = of(text, tokens, Kind::Whole).iter().filter_map(|t| t.parse().ok()).collect();
            let other = *random.pick(&others)?;
            let new = *random.pick(&[n + 1, n - 1, n * 2, n / 2, other])?;
            (slip, token.at.clone(), new.max(0).to_string())
        }
        Kind::Pattern => {
            let letters = of(text, tokens, Kind::Pattern);
            (Slip::Axis, token.at.clone(), random.pick(&letters)?.to_string())
        }
        Kind::Word if DTYPES.contains(&here) => (Slip::DType, token.at.clone(), random.pick(&DTYPES)?.to_string()),
        Kind::Word if matches!(here, "and" | "or") => {
            (Slip::Operator, token.at.clone(), random.pick(OPERATORS[2])?.to_string())
        }
        Kind::Word if word(i + 1) == ":" && i > 0 && matches!(word(i - 1), "(" | ",") => {
            (Slip::Argument, token.at.clone(), random.pick(&ARGUMENTS)?.to_string())
        }
        Kind::Word if word(i + 1) == "," && tokens.get(i + 2)?.kind == Kind::Word && random.below(2) == 0 => {
            let both = token.at.start..tokens[i + 2].at.end;
            (Slip::Order, both, format!("{}, {here}", word(i + 2)))
        }
        Kind::Word => {
            let like =
                |w: &&str| w.starts_with(|c: char| c.is_uppercase()) == here.starts_with(|c: char| c.is_uppercase());
            let names: Vec<&str> = of(text, tokens, Kind::Word).into_iter().filter(like).collect();
            let new = if random.below(3) == 0 { misspelt(here, random) } else { random.pick(&names)?.to_string() };
            (Slip::Name, token.at.clone(), new)
        }
        Kind::Sign => {
            let group = OPERATORS.iter().find(|group| group.contains(&here))?;
            (Slip::Operator, token.at.clone(), random.pick(group)?.to_string())
        }
        Kind::Other => return None,
    })
}

fn of<'a>(text: &'a str, tokens: &[Token], kind: Kind) -> Vec<&'a str> {
    tokens.iter().filter(|t| t.kind == kind).map(|t| &text[t.at.clone()]).collect()
}

/// A letter twice, left out, or swapped with the next.
fn misspelt(word: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let i = random.below(letters.len());
    match random.below(3) {
        0 => letters.insert(i, letters[i]),
        1 if letters.len() > 1 => drop(letters.remove(i)),
        _ if i + 1 < letters.len() => letters.swap(i, i + 1),
        _ => letters.push('s'),
    }
    letters.into_iter().collect()
}

/// The tokens of a program, without comments, texts in quotes and imports.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let (mut out, mut at, mut pattern) = (Vec::new(), 0, false);
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    while at < bytes.len() {
        let start = at;
        let rest = &text[at..];
        let line = rest.find('\n').unwrap_or(rest.len());
        let fresh = at == 0 || bytes[at - 1] == b'\n';
        if rest.starts_with("//") || fresh && rest.starts_with("import ") {
            at += line;
        } else if bytes[at] == b'"' {
            at += 1 + rest[1..].find('"').map_or(rest.len() - 1, |n| n + 1);
        } else if bytes[at] == b'`' {
            pattern = !pattern;
            at += 1;
        } else if is_word(bytes[at]) {
            at += bytes[at..].iter().take_while(|b| is_word(**b)).count();
            let word = &text[start..at];
            let decimal = bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                || start > 0 && bytes[start - 1] == b'.' && start > 1 && bytes[start - 2].is_ascii_digit();
            let kind = match word.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
                true if decimal => Kind::Other,
                true => Kind::Whole,
                false if word.as_bytes()[0].is_ascii_digit() => Kind::Other,
                false if pattern => Kind::Pattern,
                false => Kind::Word,
            };
            out.push(Token { at: start..at, kind });
        } else if bytes[at].is_ascii_whitespace() {
            at += 1;
        } else {
            let two = text.get(at..at + 2).unwrap_or("");
            let double = ["->", "<-", "|>", "==", "!=", "<=", ">=", ".."].contains(&two);
            at += if double { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
            let sign = OPERATORS.iter().any(|group| group.contains(&&text[start..at]));
            out.push(Token { at: start..at, kind: if sign && !pattern { Kind::Sign } else { Kind::Other } });
        }
    }
    out
}
