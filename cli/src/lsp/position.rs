//! Places as the protocol counts them: lines, and bytes or UTF-16 units in a line.

use serde_json::{Value, json};
use tfm_lang::source::Span;

/// What a place in a line is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of two bytes, the protocol's first choice.
    Utf16,
}

impl Encoding {
    /// The protocol's word.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
        }
    }

    /// The length of a text.
    pub fn length(self, text: &str) -> u32 {
        match self {
            Encoding::Utf8 => text.len() as u32,
            Encoding::Utf16 => text.chars().map(|c| c.len_utf16() as u32).sum(),
        }
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<u32>,
    encoding: Encoding,
}

impl Lines {
    /// Finds the lines of a text.
    pub fn new(text: &str, encoding: Encoding) -> Lines {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect();
        Lines { starts, encoding }
    }

    /// Line and place in the line of a byte.
    pub fn position(&self, text: &str, offset: u32) -> (u32, u32) {
        let mut offset = offset.min(text.len() as u32);
        while !text.is_char_boundary(offset as usize) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = &text[self.starts[line] as usize..offset as usize];
        (line as u32, self.encoding.length(before))
    }

    /// The byte at a line and a place in it; what lies behind the end of the line or the text is that end.
    pub fn offset(&self, text: &str, line: u32, character: u32) -> u32 {
        let Some(&start) = self.starts.get(line as usize) else { return text.len() as u32 };
        let words = match self.starts.get(line as usize + 1) {
            Some(next) => {
                let words = &text[start as usize..*next as usize - 1];
                words.strip_suffix('\r').unwrap_or(words)
            }
            None => &text[start as usize..],
        };
        let mut counted = 0;
        for (at, c) in words.char_indices() {
            let length = match self.encoding {
                Encoding::Utf8 => c.len_utf8() as u32,
                Encoding::Utf16 => c.len_utf16() as u32,
            };
            // In the middle of a character is before it.
            if counted + length > character {
                return start + at as u32;
            }
            counted += length;
        }
        start + words.len() as u32
    }

    /// A place as the protocol writes it.
    pub fn json(&self, text: &str, offset: u32) -> Value {
        let (line, character) = self.position(text, offset);
        json!({ "line": line, "character": character })
    }

    /// A range as the protocol writes it.
    pub fn range(&self, text: &str, span: Span) -> Value {
        json!({ "start": self.json(text, span.start), "end": self.json(text, span.end) })
    }

    /// The byte that a place of the protocol means.
    pub fn of_json(&self, text: &str, position: &Value) -> Option<u32> {
        let number = |name: &str| position.get(name)?.as_u64().map(|n| n.min(u64::from(u32::MAX)) as u32);
        Some(self.offset(text, number("line")?, number("character")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = "a é\n𝄞x\r\n\nend";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::new(text, encoding);
            for (offset, _) in text.char_indices().filter(|(_, c)| !matches!(c, '\r' | '\n')) {
                let (line, character) = lines.position(text, offset as u32);
                assert_eq!(lines.offset(text, line, character), offset as u32, "{encoding:?} {offset}");
            }
        }
        let units = Lines::new(text, Encoding::Utf16);
        assert_eq!(units.position(text, text.find('x').unwrap() as u32), (1, 2));
        assert_eq!(units.offset(text, 1, 1), text.find('𝄞').unwrap() as u32, "the middle of a character");
        assert_eq!(units.offset(text, 1, 99), text.find('\r').unwrap() as u32, "behind the end of a line");
        assert_eq!(units.offset(text, 99, 0), text.len() as u32);
        assert_eq!(Lines::new(text, Encoding::Utf8).position(text, text.find('x').unwrap() as u32), (1, 4));
    }
}
