//! Dimensions as text: what errors show and what the graph's text form keeps.

use super::{Atom, Dim, Form};
use std::fmt;

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |d: &Dim| {
            if d.single_atom().is_none() && d.as_constant().is_none_or(|n| n < 0) {
                format!("({d})")
            } else {
                d.to_string()
            }
        };
        match self {
            Atom::Var(s) => f.write_str(s),
            Atom::Div(a, b) => write!(f, "({} / {})", group(a), group(b)),
            Atom::Rem(a, b) => write!(f, "({} % {})", group(a), group(b)),
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Number(n) => return write!(f, "{n}"),
            Form::Var(name) => return f.write_str(name),
            Form::Sum(_) => {}
        }
        // The constant last, as people write it.
        let terms = self.terms();
        let (constant, others): (Vec<_>, Vec<_>) = terms.iter().partition(|(m, _)| m.is_empty());
        for (i, (mono, k)) in others.into_iter().chain(constant).enumerate() {
            let size = k.unsigned_abs();
            match (i, *k < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            if mono.is_empty() || size != 1 {
                write!(f, "{size}")?;
            }
            for (j, (atom, p)) in mono.iter().enumerate() {
                if j > 0 || size != 1 {
                    f.write_str(" * ")?;
                }
                write!(f, "{atom}")?;
                if *p > 1 {
                    write!(f, " ^ {p}")?;
                }
            }
        }
        Ok(())
    }
}

/// Reads what [`Dim`]'s `Display` writes: sums, products, powers, `/`, `%` and brackets.
impl std::str::FromStr for Dim {
    type Err = String;

    fn from_str(text: &str) -> Result<Dim, String> {
        let mut p = Reader { text: text.as_bytes(), at: 0 };
        let d = p.sum()?;
        p.space();
        if p.at == text.len() { Ok(d) } else { Err(format!("`{text}` is not a dimension")) }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn eat(&mut self, c: u8) -> bool {
        self.space();
        let hit = self.text.get(self.at) == Some(&c);
        self.at += hit as usize;
        hit
    }

    fn sum(&mut self) -> Result<Dim, String> {
        let mut out = if self.eat(b'-') { self.product()?.scale(-1) } else { self.product()? };
        loop {
            if self.eat(b'+') {
                out = out.add(&self.product()?);
            } else if self.eat(b'-') {
                out = out.sub(&self.product()?);
            } else {
                return Ok(out);
            }
        }
    }

    fn product(&mut self) -> Result<Dim, String> {
        let mut out = self.power()?;
        loop {
            if self.eat(b'*') {
                out = out.mul(&self.power()?);
            } else if self.eat(b'/') {
                out = out.div(&self.power()?).ok_or("division by zero in a dimension")?;
            } else if self.eat(b'%') {
                out = out.rem(&self.power()?).ok_or("division by zero in a dimension")?;
            } else {
                return Ok(out);
            }
        }
    }

    fn power(&mut self) -> Result<Dim, String> {
        let base = self.leaf()?;
        if !self.eat(b'^') {
            return Ok(base);
        }
        let n = self.leaf()?.as_constant().and_then(|n| u32::try_from(n).ok()).filter(|n| *n < 64);
        Ok(base.pow(n.ok_or("a power in a dimension must be a small number")?))
    }

    fn leaf(&mut self) -> Result<Dim, String> {
        if self.eat(b'(') {
            let d = self.sum()?;
            return if self.eat(b')') { Ok(d) } else { Err("missing `)` in a dimension".into()) };
        }
        self.space();
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || b"_#.".contains(c)) {
            self.at += 1;
        }
        let word = std::str::from_utf8(&self.text[start..self.at]).unwrap_or("");
        match word.bytes().next() {
            None => Err("a dimension ends too early".into()),
            Some(c) if c.is_ascii_digit() => {
                word.parse().map(Dim::constant).map_err(|_| format!("`{word}` is not a size"))
            }
            Some(_) => Ok(Dim::var(word)),
        }
    }
}
