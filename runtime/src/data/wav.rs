//! WAV files: RIFF chunks, whole numbers of 8 to 32 bits or floats, channels averaged.

use super::error::DataError;
use super::files;
use super::split::Columns;
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};
use tfm_lang::types::DType;

/// Bytes of all sounds together, at most.
const MOST: u128 = 1 << 36;

/// `wave` and `length` of these files.
pub(super) fn all(paths: &[PathBuf], rate: u32, length: usize) -> Result<Columns, DataError> {
    if paths.len() as u128 * length as u128 * 4 > MOST {
        return Err(DataError::new(format!("{} sounds of {length} samples are too many", paths.len()))
            .help("declare a smaller length"));
    }
    let mut waves = Tensor::zeros(DType::F32, &[paths.len(), length]);
    let mut lengths = Vec::with_capacity(paths.len());
    for (path, to) in paths.iter().zip(waves.elements_mut::<f32>().chunks_exact_mut(length)) {
        let sound = read(path, rate)?;
        let n = sound.len().min(length);
        to[..n].copy_from_slice(&sound[..n]);
        lengths.push(n as i32);
    }
    Ok(vec![("wave".into(), waves), ("length".into(), Tensor::of(&[lengths.len()], &lengths))])
}

/// How samples are written.
struct Form {
    float: bool,
    channels: usize,
    rate: u32,
    bits: usize,
}

/// The samples of a file, from -1 to 1.
fn read(path: &Path, rate: u32) -> Result<Vec<f32>, DataError> {
    let bytes = files::read_plain(path)?;
    let (form, data) = parse(&bytes).map_err(|message| {
        DataError::of(path, message).help("convert it, as in `ffmpeg -i in.wav -c:a pcm_s16le out.wav`")
    })?;
    if form.rate != rate {
        let message = format!("it has {} samples in a second, and `rate: {rate}` is declared", form.rate);
        return Err(DataError::of(path, message)
            .help(format!("write `rate: {}`, or convert it with `ffmpeg -i in.wav -ar {rate} out.wav`", form.rate)));
    }
    let size = form.bits / 8;
    let frames = data.chunks_exact(size * form.channels);
    let mean = |frame: &[u8]| {
        let sum: f32 = frame.chunks_exact(size).map(|s| sample(s, form.float)).sum();
        sum / form.channels as f32
    };
    let samples: Vec<f32> = frames.map(mean).collect();
    match samples.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(DataError::of(path, format!("sample {i} is not a finite number"))),
        None => Ok(samples),
    }
}

fn sample(bytes: &[u8], float: bool) -> f32 {
    match *bytes {
        // 8 bits have no sign: 128 is silence.
        [a] => (f32::from(a) - 128.0) / 128.0,
        [a, b] => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
        [a, b, c] => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
        [a, b, c, d] if float => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => f32::NAN,
    }
}

fn parse(bytes: &[u8]) -> Result<(Form, &[u8]), String> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err("this is no WAV file: it does not begin with RIFF and WAVE".into());
    }
    let mut rest = &bytes[12..];
    let mut form = None;
    while rest.len() >= 8 {
        let name = &rest[..4];
        let size = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let body = &rest[8..];
        match (name, &form) {
            (b"fmt ", _) => form = Some(format(body.get(..size).ok_or("the file ends within its head")?)?),
            (b"data", Some(_)) => {
                let Some(data) = body.get(..size) else {
                    return Err(format!(
                        "the file is cut off: {size} bytes of sound are announced, {} are there",
                        body.len()
                    ));
                };
                return form.map(|f| (f, data)).ok_or_else(String::new);
            }
            (b"data", None) => return Err("the sound comes before the head that tells its form".into()),
            _ => {}
        }
        // A chunk of odd size is followed by one byte of nothing.
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
    Err("there is no sound in it".into())
}

fn format(head: &[u8]) -> Result<Form, String> {
    if head.len() < 16 {
        return Err("its head is too short".into());
    }
    let word = |i: usize| u16::from_le_bytes([head[i], head[i + 1]]);
    // An extended head says the kind in the first bytes of a longer word.
    let kind = if word(0) == 0xfffe && head.len() >= 26 { word(24) } else { word(0) };
    let (channels, bits) = (usize::from(word(2)), usize::from(word(14)));
    let rate = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let known = matches!((kind, bits), (1, 8 | 16 | 24 | 32) | (3, 32 | 64));
    match known && channels > 0 {
        true => Ok(Form { float: kind == 3, channels, rate, bits }),
        false => Err(format!("its samples have the kind {kind} with {bits} bits, which is not read")),
    }
}
