//! PNG and JPEG files as bytes of a declared size, channels first.

use super::error::DataError;
use super::files;
use crate::tensor::Tensor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tfm_lang::types::DType;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::options::DecoderOptions;

/// A picture is at most so many pixels wide and high.
const MOST: usize = 16_384;

/// Bytes of all pictures together, at most.
const MOST_BYTES: u128 = 1 << 36;

/// The endings of files that are read.
pub(super) const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Pixels, row by row, the channels of one beside each other.
struct Picture {
    width: usize,
    height: usize,
    /// 1 grey, 2 grey with opacity, 3 red green blue, 4 the same with opacity.
    channels: usize,
    pixels: Vec<u8>,
}

/// All these files in one tensor of `[files, channels, height, width]`; `Err` tells which file is wrong.
pub(super) fn all(paths: &[PathBuf], shape: [usize; 3]) -> Result<Tensor, (usize, DataError)> {
    let size: usize = shape.iter().product();
    if paths.len() as u128 * size as u128 > MOST_BYTES {
        let gigabytes = (paths.len() as u128 * size as u128) >> 30;
        let message = format!("{} images of this size take {gigabytes} GB", paths.len());
        return Err((0, DataError::new(message).help("declare a smaller size")));
    }
    let mut out = Tensor::zeros(DType::U8, &[paths.len(), shape[0], shape[1], shape[2]]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(threads).max(1);
    let failures: Vec<Option<(usize, DataError)>> = std::thread::scope(|scope| {
        let parts = paths.chunks(share).zip(out.bytes_mut().chunks_mut((share * size).max(1))).enumerate();
        let part = |(i, (paths, to)): (usize, (&[PathBuf], &mut [u8]))| {
            let mut each = paths.iter().zip(to.chunks_exact_mut(size)).enumerate();
            each.find_map(|(j, (path, to))| one(path, shape, to).err().map(|e| (i * share + j, e)))
        };
        let running: Vec<_> = parts.map(|p| scope.spawn(move || part(p))).collect();
        let failed = || Some((0, DataError::new("a thread that reads images has failed")));
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
    });
    // The first file that is wrong, whatever the number of threads.
    match failures.into_iter().flatten().min_by_key(|(i, _)| *i) {
        Some(failure) => Err(failure),
        None => Ok(out),
    }
}

/// Channels, height and width of a file's picture.
pub(super) fn sizes(path: &Path) -> Result<(usize, usize, usize), DataError> {
    let picture = decode(&files::read_plain(path)?).map_err(|(message, _)| DataError::of(path, message))?;
    Ok((picture.channels, picture.height, picture.width))
}

/// One file, into `out`.
fn one(path: &Path, shape: [usize; 3], out: &mut [u8]) -> Result<(), DataError> {
    let bytes = files::read_plain(path)?;
    let picture = decode(&bytes).map_err(|(message, help)| {
        let e = DataError::of(path, message);
        if help.is_empty() { e } else { e.help(help) }
    })?;
    let [channels, height, width] = shape;
    let picture = with_channels(picture, channels);
    let picture = resized(&picture, height, width);
    for (c, plane) in out.chunks_exact_mut(height * width).enumerate() {
        let values = picture.iter().skip(c).step_by(channels);
        plane.iter_mut().zip(values).for_each(|(to, x)| *to = x.round().clamp(0.0, 255.0) as u8);
    }
    Ok(())
}

/// The pixels, or what is wrong and what to do.
fn decode(bytes: &[u8]) -> Result<Picture, (String, String)> {
    let damaged = |kind: &str, e: &dyn std::fmt::Display| {
        (format!("this {kind} is damaged: {e}"), "fetch the file again, or take it out of the folder".to_string())
    };
    let picture = if bytes.starts_with(b"\x89PNG") {
        png(bytes).map_err(|e| damaged("PNG", &e))?
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        // The decoder may panic on a damaged file; that is the file's fault and is said as such.
        let decoded = catch_unwind(AssertUnwindSafe(|| jpeg(bytes)));
        decoded.unwrap_or_else(|_| Err("it cannot be decoded".into())).map_err(|e| damaged("JPEG", &e))?
    } else {
        let help = "other forms are converted first, as in `magick a.webp a.png`";
        return Err(("this is neither PNG nor JPEG".into(), help.into()));
    };
    let whole = picture.width * picture.height * picture.channels;
    match whole > 0 && picture.pixels.len() == whole {
        true => Ok(picture),
        false => Err(("there are no pixels in it".into(), String::new())),
    }
}

fn png(bytes: &[u8]) -> Result<Picture, String> {
    let limits = png::Limits { bytes: MOST * MOST * 4 };
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let head = decoder.read_header_info().map_err(|e| e.to_string())?;
    if head.width as usize > MOST || head.height as usize > MOST {
        return Err(format!("it is {} by {} pixels", head.width, head.height));
    }
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
    let frame = reader.next_frame(&mut pixels).map_err(|e| e.to_string())?;
    pixels.truncate(frame.buffer_size());
    let (width, height) = (frame.width as usize, frame.height as usize);
    Ok(Picture { width, height, channels: frame.color_type.samples(), pixels })
}

fn jpeg(bytes: &[u8]) -> Result<Picture, String> {
    let options = DecoderOptions::default().set_max_width(MOST).set_max_height(MOST).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(std::io::Cursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| e.to_string())?;
    let info = decoder.info().ok_or("it has no head")?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    Ok(Picture { width, height, channels: pixels.len() / (width * height).max(1), pixels })
}

/// The same with so many channels: grey is the luma of Rec. 601, opacity is 255 where there is none.
fn with_channels(p: Picture, channels: usize) -> Picture {
    if p.channels == channels {
        return p;
    }
    let mut pixels = Vec::with_capacity(p.width * p.height * channels);
    for pixel in p.pixels.chunks_exact(p.channels) {
        let colour = if p.channels < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
        let opacity = if p.channels.is_multiple_of(2) { pixel[p.channels - 1] } else { 255 };
        let [r, g, b] = colour.map(u32::from);
        let grey = ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8;
        match channels {
            1 => pixels.push(grey),
            2 => pixels.extend([grey, opacity]),
            3 => pixels.extend(colour),
            _ => pixels.extend([colour[0], colour[1], colour[2], opacity]),
        }
    }
    Picture { channels, pixels, ..p }
}

/// The picture at another size, linear between pixels, and averaged over them where it becomes smaller.
fn resized(p: &Picture, height: usize, width: usize) -> Vec<f32> {
    let source: Vec<f32> = p.pixels.iter().map(|&b| b.into()).collect();
    if (p.height, p.width) == (height, width) {
        return source;
    }
    let c = p.channels;
    let mut wide = vec![0.0; p.height * width * c];
    for (x, taps) in taps(p.width, width).iter().enumerate() {
        for y in 0..p.height {
            for &(from, weight) in taps {
                for k in 0..c {
                    wide[(y * width + x) * c + k] += weight * source[(y * p.width + from) * c + k];
                }
            }
        }
    }
    let mut out = vec![0.0; height * width * c];
    for (row, taps) in out.chunks_exact_mut(width * c).zip(taps(p.height, height)) {
        for (from, weight) in taps {
            let line = &wide[from * width * c..(from + 1) * width * c];
            row.iter_mut().zip(line).for_each(|(to, x)| *to += weight * x);
        }
    }
    out
}

/// For each place along an axis, the places that it is made of, with weights that add up to 1: a triangle as
/// wide as one place of the coarser axis on either side.
fn taps(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = from as f32 / to as f32;
    let reach = scale.max(1.0);
    let at = |i: usize| {
        let middle = (i as f32 + 0.5) * scale - 0.5;
        let first = (middle - reach).ceil().max(0.0) as usize;
        let last = ((middle + reach).floor().max(0.0) as usize).min(from - 1);
        let mut taps: Vec<(usize, f32)> =
            (first..=last).map(|j| (j, 1.0 - (j as f32 - middle).abs() / reach)).filter(|t| t.1 > 0.0).collect();
        if taps.is_empty() {
            taps.push((first.min(from - 1), 1.0));
        }
        let sum: f32 = taps.iter().map(|t| t.1).sum();
        taps.iter_mut().for_each(|t| t.1 /= sum);
        taps
    };
    (0..to).map(at).collect()
}
