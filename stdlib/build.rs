//! Lists every `.tfm` file of this folder, so that adding one to the library is adding the file.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let mut files = Vec::new();
    collect(Path::new(&root), &mut files);
    files.sort();
    let mut out = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root).expect("below the root").display().to_string();
        let name = name.trim_start_matches('/').replace('\\', "/");
        writeln!(out, "    ({name:?}, include_str!({:?})),", file.display().to_string()).expect("a string");
    }
    out.push_str("]\n");
    let target = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("files.rs");
    std::fs::write(target, out).expect("OUT_DIR can be written");
    println!("cargo:rerun-if-changed={root}");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "tfm") {
            files.push(path);
        }
    }
}
