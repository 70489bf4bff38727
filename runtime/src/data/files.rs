//! Finding and reading files: the folders that are searched, and gzip by its first bytes.

use super::error::DataError;
use flate2::read::MultiGzDecoder;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The file or folder of a declaration: itself when absolute, else the first that is there.
pub fn locate(roots: &[PathBuf], path: &str) -> Result<PathBuf, DataError> {
    if Path::new(path).is_absolute() {
        let whole = PathBuf::from(path);
        return match whole.exists() {
            true => Ok(whole),
            false => Err(DataError::new(format!("there is no data at `{path}`"))),
        };
    }
    if let Some(found) = roots.iter().map(|r| r.join(path)).find(|p| p.exists()) {
        return Ok(found);
    }
    let mut looked: Vec<String> = Vec::new();
    for root in roots {
        // A folder is shown whole: `.` would leave it open where the program was started.
        let shown = std::path::absolute(root).unwrap_or_else(|_| root.clone()).display().to_string();
        if !looked.contains(&shown) {
            looked.push(shown);
        }
    }
    Err(DataError::new(format!("cannot find the data `{path}`; looked in {}", looked.join(", ")))
        .help(format!("set TFM_DATA to the folder that holds `{path}`, as in `TFM_DATA=~/data tfm train …`")))
}

/// The bytes of a file as they are.
pub fn read_plain(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
    if bytes.is_empty() { Err(DataError::of(path, "the file is empty")) } else { Ok(bytes) }
}

/// The bytes of a file, unpacked where it is gzip.
pub fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = read_plain(path)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked) {
        Ok(0) => Err(DataError::of(path, "the file is empty inside its gzip")),
        Ok(_) => Ok(unpacked),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(DataError::of(
            path,
            format!("the gzip ends early, after {} bytes ({} unpacked)", bytes.len(), unpacked.len()),
        )
        .help("the file was not copied or downloaded whole; fetch it again")),
        Err(e) => Err(DataError::of(path, format!("the gzip is damaged: {e}")).help("fetch the file again")),
    }
}

/// The text of a file, without a byte order mark.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    let text = String::from_utf8(read(path)?).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..good].iter().filter(|&&b| b == b'\n').count() as u64 + 1;
        DataError::of(path, "the text is not UTF-8 here")
            .line(line)
            .help("convert the file, as in `iconv -f latin1 -t utf-8`")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_string(),
        None => text,
    })
}

/// What the operating system said.
pub fn unreadable(path: &Path, error: &std::io::Error) -> DataError {
    match error.kind() {
        ErrorKind::NotFound => DataError::of(path, "there is no such file"),
        ErrorKind::IsADirectory => DataError::of(path, "this is a folder, and a file is wanted"),
        _ => DataError::of(path, format!("cannot be read: {error}")),
    }
}
