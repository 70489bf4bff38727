//! Reading the text form of a graph; see [`super::text`].

use super::text::{KINDS, is_float, is_plain};
use super::{Entry, Graph, Node, Op, Scan, Type, Value, Var, Variable};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use tfm_lang::device::Device;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs, Literal};
use tfm_lang::types::DType;

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TextError {}

/// Values may have any names, `%x`; they are numbered in their order. Lines that are blank or start
/// with `#` are passed over.
impl FromStr for Graph {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Graph, TextError> {
        // What stands around the turn that is being read.
        let mut above: Vec<Reader> = Vec::new();
        let mut reader = Reader::default();
        for (i, line) in text.lines().enumerate() {
            let error = |message: String| TextError { line: i + 1, message };
            match line.trim() {
                "" => {}
                "{" if above.len() < DEEPEST => above.push(std::mem::take(&mut reader)),
                "}" if !above.is_empty() => {
                    let turn = std::mem::replace(&mut reader, above.pop().unwrap_or_default()).graph;
                    reader.turn(turn).ok_or_else(|| error("this is no turn".into()))?;
                }
                trimmed if trimmed.starts_with('#') => {}
                trimmed => reader.line(trimmed).map_err(error)?,
            }
        }
        let unclosed = || TextError { line: text.lines().count(), message: "a `}` is missing".into() };
        if above.is_empty() { Ok(reader.graph) } else { Err(unclosed()) }
    }
}

/// How deep turns may stand in turns.
const DEEPEST: usize = 32;

#[derive(Default)]
struct Reader {
    graph: Graph,
    values: HashMap<String, Value>,
    variables: HashMap<String, Var>,
}

impl Reader {
    /// Gives the last node, a scan, its turn.
    fn turn(&mut self, turn: Graph) -> Option<()> {
        match &mut self.graph.nodes.last_mut()?.op {
            Op::Scan(scan) if !turn.entries.is_empty() => {
                Arc::make_mut(scan).turn = turn;
                Some(())
            }
            _ => None,
        }
    }

    fn line(&mut self, text: &str) -> Result<(), String> {
        if text.starts_with('%') {
            return self.node(text);
        }
        let mut line = Cursor(text);
        match line.word()?.as_str() {
            "variable" => {
                let path = line.word()?;
                line.expect(":")?;
                let ty = line.ty()?;
                let word = line.word()?;
                let kind = KINDS.iter().find(|(_, n)| *n == word).map(|(k, _)| *k);
                let kind = kind.ok_or_else(|| format!("`{word}` is not a kind of variable"))?;
                if self.variables.insert(path.clone(), Var(self.graph.variables.len() as u32)).is_some() {
                    return Err(format!("`{path}` stands here twice"));
                }
                let device = line.device()?;
                self.graph.variables.push(Variable { path, kind, ty, device });
            }
            "entry" => self.graph.entries.push(Entry { name: line.word()?, ..Entry::default() }),
            "output" => {
                let name = line.word()?;
                let value = self.bound(&mut line)?;
                self.entry()?.outputs.push((name, value));
            }
            "assign" => {
                let var = self.variable(&line.word()?)?;
                let value = self.bound(&mut line)?;
                self.entry()?.assigns.push((var, value));
            }
            other => return Err(format!("`{other}` begins no line")),
        }
        line.end()
    }

    fn node(&mut self, text: &str) -> Result<(), String> {
        let mut line = Cursor(text);
        let name = line.value_name()?;
        line.expect("=")?;
        let word = line.word()?;
        let mut args = Vec::new();
        let op = match word.as_str() {
            "input" => Op::Input(line.word()?.into()),
            "read" => Op::Read(self.variable(&line.word()?)?),
            "constant" => Op::Constant(line.literal()?),
            _ => {
                let mut attrs = Vec::new();
                for part in split(line.enclosed('(', ')')?) {
                    let mut part = Cursor(part);
                    if part.0.starts_with('%') {
                        args.push(self.value(&part.value_name()?)?);
                        part.end()?;
                    } else {
                        let name = part.word()?;
                        part.expect(":")?;
                        attrs.push((name.into(), attr(part.0)?));
                    }
                }
                written(&word, attrs)?
            }
        };
        line.expect(":")?;
        let ty = line.ty()?;
        let device = line.device()?;
        let scope = if line.expect("#").is_ok() { line.word()? } else { String::new() };
        line.end()?;
        let value = self.graph.push(Node { op, args, ty, scope: scope.into(), span: None, device });
        match self.values.insert(name.clone(), value) {
            Some(_) => Err(format!("`%{name}` stands here twice")),
            None => Ok(()),
        }
    }

    fn bound(&self, line: &mut Cursor) -> Result<Value, String> {
        line.expect("=")?;
        self.value(&line.value_name()?)
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        self.values.get(name).copied().ok_or_else(|| format!("`%{name}` does not stand above"))
    }

    fn variable(&self, path: &str) -> Result<Var, String> {
        self.variables.get(path).copied().ok_or_else(|| format!("there is no variable `{path}`"))
    }

    fn entry(&mut self) -> Result<&mut Entry, String> {
        self.graph.entries.last_mut().ok_or_else(|| "this stands below an `entry`".into())
    }
}

/// The operation that stands before arguments and attributes.
fn written(word: &str, attrs: Attrs) -> Result<Op, String> {
    let number = |name: &str| match attrs.iter().find(|(n, _)| &**n == name) {
        Some((_, Attr::Int(d))) => d.as_constant().and_then(|n| u32::try_from(n).ok()).ok_or("a wrong number"),
        _ => Err("a number is missing"),
    };
    Ok(match word {
        "result" => Op::Result(number("of")?),
        "gradient" => Op::Gradient(number("of")?),
        "scan" => {
            let [(_, Attr::Int(length)), (_, Attr::Bool(reverse)), (_, Attr::Ints(walked))] = &attrs[..] else {
                return Err("a scan has `length`, `reverse` and `walked`".into());
            };
            let walked = walked.iter().map(|d| d.as_constant() == Some(1)).collect();
            Op::Scan(Arc::new(Scan { length: length.clone(), reverse: *reverse, walked, turn: Graph::default() }))
        }
        _ => Op::Primitive(word.into(), attrs),
    })
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip();
        if self.0.is_empty() { Ok(()) } else { Err(format!("`{}` is too much", self.0)) }
    }

    fn expect(&mut self, what: &str) -> Result<(), String> {
        self.skip();
        self.0 = self.0.strip_prefix(what).ok_or_else(|| format!("`{what}` is missing before `{}`", self.0))?;
        Ok(())
    }

    /// A plain or quoted word.
    fn word(&mut self) -> Result<String, String> {
        self.skip();
        if self.0.starts_with('"') {
            let end = quoted_end(self.0).ok_or("a `\"` is missing")?;
            let (word, rest) = self.0.split_at(end);
            self.0 = rest;
            return unescape(&word[1..word.len() - 1]);
        }
        let end = self.0.find(|c| !is_plain(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        if word.is_empty() { Err(format!("a word is missing before `{rest}`")) } else { Ok(word.into()) }
    }

    fn value_name(&mut self) -> Result<String, String> {
        self.expect("%")?;
        self.word()
    }

    /// What stands between an opening bracket, which comes next, and its closing one.
    fn enclosed(&mut self, open: char, close: char) -> Result<&'a str, String> {
        self.expect(&open.to_string())?;
        let text = self.0;
        let (mut depth, mut at) = (0usize, 0usize);
        while let Some(c) = text[at..].chars().next() {
            match c {
                '"' => at += quoted_end(&text[at..]).ok_or("a `\"` is missing")? - 1,
                '(' | '[' => depth += 1,
                c if c == close && depth == 0 => {
                    self.0 = &text[at + 1..];
                    return Ok(&text[..at]);
                }
                ')' | ']' => depth = depth.checked_sub(1).ok_or("a bracket is too much")?,
                _ => {}
            }
            at += c.len_utf8();
        }
        Err(format!("`{close}` is missing"))
    }

    fn ty(&mut self) -> Result<Type, String> {
        let word = self.word()?;
        let dtype = DType::from_name(&word).ok_or_else(|| format!("`{word}` is not a dtype"))?;
        let shape = split(self.enclosed('[', ']')?).into_iter().map(dim).collect::<Result<_, _>>()?;
        Ok(Type { dtype, shape })
    }

    /// `on "gpu:0"`, where it comes next.
    fn device(&mut self) -> Result<Option<Arc<Device>>, String> {
        if self.expect("on ").is_err() {
            return Ok(None);
        }
        self.word()?.parse().map(|device| Some(Arc::new(device)))
    }

    fn literal(&mut self) -> Result<Literal, String> {
        self.skip();
        if self.0.starts_with('[') {
            let numbers = split(self.enclosed('[', ']')?).into_iter().map(number).collect::<Result<_, _>>()?;
            return Ok(Literal::Numbers(numbers));
        }
        let end = self.0.rfind(" : ").ok_or("the type is missing")?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        match text.trim() {
            "true" => Ok(Literal::Bool(true)),
            "false" => Ok(Literal::Bool(false)),
            text => match text.strip_prefix("size ") {
                Some(size) => dim(size).map(Literal::Dim),
                None => number(text).map(Literal::Number),
            },
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a number"))
}

/// A dimension. Texts of machines' making that would take a parser of dimensions long, or deep into
/// its recursion, are refused.
pub(super) fn dim(text: &str) -> Result<Dim, String> {
    let depth = text.bytes().try_fold((0, 0), |(now, most): (i32, i32), c| {
        let now = now + (c == b'(') as i32 - (c == b')') as i32;
        (now >= 0).then_some((now, most.max(now)))
    });
    let powers = text.matches(") ^").count() + text.matches(")^").count();
    match depth {
        Some((0, most)) if most <= 32 && powers <= 2 && text.len() <= 1024 => text.trim().parse(),
        _ => Err(format!("`{}` is not a dimension", text.chars().take(80).collect::<String>())),
    }
}

fn attr(text: &str) -> Result<Attr, String> {
    let text = text.trim();
    let mut cursor = Cursor(text);
    match text.chars().next() {
        Some('"') => {
            let word = cursor.word()?;
            cursor.end()?;
            Ok(Attr::Str(word))
        }
        Some('[') => {
            let dims = split(cursor.enclosed('[', ']')?).into_iter().map(dim).collect::<Result<_, _>>()?;
            cursor.end()?;
            Ok(Attr::Ints(dims))
        }
        _ if text == "true" || text == "false" => Ok(Attr::Bool(text == "true")),
        _ if is_float(text) => number(text).map(Attr::Float),
        _ => match DType::from_name(text) {
            Some(dtype) => Ok(Attr::DType(dtype)),
            None => dim(text).map(Attr::Int),
        },
    }
}

/// The parts between the commas that stand in no bracket and no quotes; none of an empty text.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0i32, 0, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' => at += quoted_end(&text[at..]).unwrap_or(1) - 1,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    if !text.trim().is_empty() {
        parts.push(text[start..].trim());
    }
    parts
}

/// One past the closing quote of a text that starts with a quote.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// The inverse of what `{:?}` does to a text.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('u') => {
                let code: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                let code = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                code.ok_or("a wrong `\\u{…}`")?
            }
            Some(c) => c,
            None => return Err("a text ends in `\\`".into()),
        });
    }
    Ok(out)
}
