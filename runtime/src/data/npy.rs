//! The `.npy` format of NumPy, and `.npz` archives, which are zip files of it.

use super::error::DataError;
use super::files;
use flate2::read::DeflateDecoder;
use std::io::Read;
use std::path::Path;

/// Bytes of one array, at most.
const MOST: usize = 1 << 36;

/// What the elements of an array are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Element {
    Float,
    Signed,
    Unsigned,
    Bool,
}

/// An array, records along its first axis.
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    element: Element,
    /// Bytes of an element.
    size: usize,
    big_endian: bool,
    bytes: Vec<u8>,
    begin: usize,
}

/// What a file holds.
pub(super) enum Found {
    One(Array),
    Archive(Vec<(String, Array)>),
}

impl Array {
    pub(super) fn records(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// How many numbers a record has.
    pub(super) fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// The bits of an element, the sign not extended.
    fn bits(&self, place: usize) -> u64 {
        let at = self.begin + place * self.size;
        let bytes = &self.bytes[at..at + self.size];
        let step = |bits: u64, b: &u8| bits << 8 | u64::from(*b);
        if self.big_endian { bytes.iter().fold(0, step) } else { bytes.iter().rev().fold(0, step) }
    }

    /// An element as a fraction.
    pub(super) fn float(&self, place: usize) -> f64 {
        let bits = self.bits(place);
        match (self.element, self.size) {
            (Element::Float, 2) => half(bits as u16),
            (Element::Float, 4) => f32::from_bits(bits as u32).into(),
            (Element::Float, _) => f64::from_bits(bits),
            (Element::Unsigned, 8) => bits as f64,
            _ => self.signed(bits) as f64,
        }
    }

    /// An element as a whole number, if it is one.
    pub(super) fn whole(&self, place: usize) -> Option<i64> {
        let bits = self.bits(place);
        match self.element {
            Element::Float => None,
            Element::Unsigned if self.size == 8 => i64::try_from(bits).ok(),
            _ => Some(self.signed(bits)),
        }
    }

    fn signed(&self, bits: u64) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        match self.element {
            Element::Signed => (bits << unused) as i64 >> unused,
            _ => bits as i64,
        }
    }

    /// Its dtype, as a column would declare it.
    pub(super) fn dtype(&self) -> &'static str {
        match (self.element, self.size) {
            (Element::Float, 8) => "f64",
            (Element::Float, _) => "f32",
            (Element::Bool, _) => "bool",
            (Element::Signed, 1) => "i8",
            (Element::Unsigned, 1) => "u8",
            (Element::Signed, 2 | 4) | (Element::Unsigned, 2) => "i32",
            _ => "i64",
        }
    }
}

/// IEEE 754 with 16 bits.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction / 1024.0) * 2f64.powi(e - 15),
    }
}

/// A `.npy` file.
pub(super) fn read(path: &Path) -> Result<Array, DataError> {
    parse(files::read(path)?).map_err(|(message, help)| wrong(path, message, help))
}

/// A `.npy` file or an archive, by its first bytes.
pub(super) fn open(path: &Path) -> Result<Found, DataError> {
    let bytes = files::read(path)?;
    if !bytes.starts_with(b"PK") {
        return Ok(Found::One(parse(bytes).map_err(|(message, help)| wrong(path, message, help))?));
    }
    let members = archive(&bytes).map_err(|message| wrong(path, message, "write it again with `np.savez`"))?;
    let mut arrays = Vec::new();
    for (name, bytes) in members {
        let array = parse(bytes).map_err(|(message, help)| wrong(path, format!("`{name}`: {message}"), help))?;
        arrays.push((name, array));
    }
    Ok(Found::Archive(arrays))
}

fn wrong(path: &Path, message: String, help: &str) -> DataError {
    let e = DataError::of(path, message);
    if help.is_empty() { e } else { e.help(help) }
}

type Wrong = (String, &'static str);

fn parse(bytes: Vec<u8>) -> Result<Array, Wrong> {
    if !bytes.starts_with(b"\x93NUMPY") || bytes.len() < 12 {
        return Err(("this is no `.npy` file: it does not begin with \\x93NUMPY".into(), "write it with `np.save`"));
    }
    let (begin, length) = match bytes[6] {
        1 => (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
        _ => (12, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize),
    };
    let cut_off = || ("the file ends within its head".to_string(), "fetch the file again");
    let head = bytes.get(begin..begin + length).and_then(|h| std::str::from_utf8(h).ok()).ok_or_else(cut_off)?;
    let value = |key: &str| {
        let at = head.find(&format!("'{key}':"))? + key.len() + 3;
        Some(head[at..].trim_start())
    };
    let unread = || ("its head cannot be read".to_string(), "write it with `np.save`");
    let descr = value("descr").ok_or_else(unread)?;
    let Some(descr) = descr.strip_prefix('\'').and_then(|d| d.split('\'').next()) else {
        return Err(("its elements are records of several kinds".into(), "save each kind as an array of its own"));
    };
    if value("fortran_order").ok_or_else(unread)?.starts_with("True") {
        return Err(("its last axis is the outer one".into(), "save `np.ascontiguousarray(x)`"));
    }
    let shape = value("shape").and_then(|s| s.strip_prefix('(')?.split(')').next()).ok_or_else(unread)?;
    let sizes =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse::<usize>().map_err(|_| unread()));
    let shape: Vec<usize> = sizes.collect::<Result<_, _>>()?;
    let (element, size) = kind(descr).ok_or_else(|| {
        (format!("its elements are `{descr}`, which are no numbers"), "save it as `x.astype(np.float32)`")
    })?;
    let wanted = shape.iter().try_fold(size, |n, d| n.checked_mul(*d)).filter(|n| *n <= MOST);
    let there = bytes.len() - begin - length;
    match wanted {
        Some(wanted) if wanted <= there && !shape.is_empty() => {}
        _ if shape.is_empty() => return Err(("it is one number, and records are wanted".into(), "")),
        Some(wanted) => {
            let message = format!("the file is cut off: {wanted} bytes are announced, {there} are there");
            return Err((message, "fetch the file again"));
        }
        None => return Err((format!("its sizes {shape:?} are too large"), "")),
    }
    Ok(Array { shape, element, size, big_endian: descr.starts_with('>'), begin: begin + length, bytes })
}

fn kind(descr: &str) -> Option<(Element, usize)> {
    Some(match descr.trim_start_matches(['<', '>', '=', '|']) {
        "f2" => (Element::Float, 2),
        "f4" => (Element::Float, 4),
        "f8" => (Element::Float, 8),
        "i1" => (Element::Signed, 1),
        "i2" => (Element::Signed, 2),
        "i4" => (Element::Signed, 4),
        "i8" => (Element::Signed, 8),
        "u1" => (Element::Unsigned, 1),
        "u2" => (Element::Unsigned, 2),
        "u4" => (Element::Unsigned, 4),
        "u8" => (Element::Unsigned, 8),
        "b1" => (Element::Bool, 1),
        _ => return None,
    })
}

/// The members of a zip file that end in `.npy`, without that ending.
fn archive(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let cut_off = || "the archive is cut off or damaged".to_string();
    let word = |at: usize| zip.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let long = |at: usize| zip.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    // The directory's end is followed by a comment of at most 65535 bytes.
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(cut_off)?;
    let (count, mut at) = word(end + 10).zip(long(end + 16)).ok_or_else(cut_off)?;
    let mut out = Vec::new();
    for _ in 0..count {
        if zip.get(at..at + 4) != Some(b"PK\x01\x02") {
            return Err(cut_off());
        }
        let method = word(at + 10).ok_or_else(cut_off)?;
        let (packed, whole) = long(at + 20).zip(long(at + 24)).ok_or_else(cut_off)?;
        let (name, extra) = word(at + 28).zip(word(at + 30)).ok_or_else(cut_off)?;
        let (comment, local) = word(at + 32).zip(long(at + 42)).ok_or_else(cut_off)?;
        let title = String::from_utf8_lossy(zip.get(at + 46..at + 46 + name).ok_or_else(cut_off)?).into_owned();
        if [packed, whole, local].contains(&0xffff_ffff) {
            return Err(format!("`{title}` is larger than 4 GB, which is not read"));
        }
        let begin = word(local + 26).zip(word(local + 28)).map(|(n, e)| local + 30 + n + e).ok_or_else(cut_off)?;
        let body = zip.get(begin..begin + packed).ok_or_else(cut_off)?;
        if let Some(title) = title.strip_suffix(".npy") {
            let mut bytes = Vec::new();
            match method {
                0 => bytes.extend_from_slice(body),
                8 => {
                    // No more than was announced, so that a small file cannot fill the memory.
                    let mut unpacked = DeflateDecoder::new(body).take(whole as u64 + 1);
                    unpacked.read_to_end(&mut bytes).map_err(|e| format!("`{title}` is damaged: {e}"))?;
                }
                other => return Err(format!("`{title}` is packed by method {other}, which is not read")),
            }
            if bytes.len() != whole {
                return Err(format!("`{title}` has {} bytes, and {whole} are announced", bytes.len()));
            }
            out.push((title.to_string(), bytes));
        }
        at += 46 + name + extra + comment;
    }
    Ok(out)
}
