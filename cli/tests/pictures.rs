//! Pictures of a step: every form, and the page in a browser.

mod common;

use common::browser::Browser;
use common::{bad, good};
use std::path::Path;
use std::process::Command;

const NET: &str = "
import std.layers.{Conv2d, Dense}
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.Adam

data digits = drawn_digits(train: 256, test: 64)

layer Residual()(x: float[..S, D]) -> float[..S, D] {
  x + (x |> Dense(32) |> relu |> Dense(D))
}

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  let h = image |> Conv2d(4, kernel: 3) |> relu |> flatten |> Dense(16)
  let deep = fold r = h for i in 0..2 { r |> Residual() }
  Dense(10)(deep)
}

train net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label)
  optimizer: Adam(lr: 1e-3)
  batch: 32
  epochs: 1
}
";

fn bench() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("net.tfm"), NET).unwrap();
    dir
}

#[test]
fn the_tree_has_layers_in_layers() {
    let dir = bench();
    let tree = good(dir.path(), "graph net.tfm");
    for line in [
        "→ image",
        "├─ Net",
        "conv2d_1",
        "residual_1",
        "residual_2",
        "│  │  ├─ dense_1",
        "x + (x",
        "cross_entropy",
        "⇒ loss",
    ] {
        assert!(tree.contains(line), "`{line}` is not in\n{tree}");
    }
    assert!(tree.contains("51,376 * B"), "{tree}");
    let flat = good(dir.path(), "graph net.tfm --depth 0");
    assert!(flat.contains("Net") && !flat.contains("conv2d_1"), "{flat}");
    let deep = good(dir.path(), "graph net.tfm --depth 9");
    assert!(deep.contains("matmul") && !tree.contains("matmul"), "{deep}");
    let step = good(dir.path(), "graph net.tfm --train");
    assert!(["forward", "backward", "update", "Adam(lr: 1e-3)"].iter().all(|w| step.contains(w)), "{step}");
}

#[test]
fn svg_is_drawn_without_overlaps() {
    let dir = bench();
    for words in ["", " --train", " --depth 9", " --depth 0"] {
        let svg = good(dir.path(), &format!("graph net.tfm --format svg{words}"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{words}");
        assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count(), "{words}");
        let boxes = boxes(&svg);
        assert!(boxes.len() > 5, "{words}: {svg}");
        for (i, a) in boxes.iter().enumerate() {
            for b in &boxes[i + 1..] {
                let apart = a[0] + a[2] <= b[0] + 0.2
                    || b[0] + b[2] <= a[0] + 0.2
                    || a[1] + a[3] <= b[1] + 0.2
                    || b[1] + b[3] <= a[1] + 0.2;
                let inside = |o: &[f64; 4], i: &[f64; 4]| {
                    o[0] <= i[0] && o[1] <= i[1] && i[0] + i[2] <= o[0] + o[2] + 0.2 && i[1] + i[3] <= o[1] + o[3] + 0.2
                };
                assert!(apart || inside(a, b) || inside(b, a), "{words}: {a:?} and {b:?} overlap");
            }
        }
    }
}

#[test]
fn a_depth_opens_so_many_layers_in_svg() {
    let dir = bench();
    // The net; its layers; what is in the layers of the file.
    let within = ["Net", "conv2d_1", "x + (x"];
    for depth in 0..3 {
        let svg = good(dir.path(), &format!("graph net.tfm --format svg --depth {depth}"));
        let shown = within.map(|name| svg.contains(&format!(">{name}")));
        assert_eq!(shown, [true, depth > 0, depth > 1], "{depth}: {svg}");
    }
}

/// Left, top, width and height of the boxes of a drawing.
fn boxes(svg: &str) -> Vec<[f64; 4]> {
    let number =
        |text: &str, name: &str| text.split_once(&format!(" {name}=\""))?.1.split('"').next()?.parse::<f64>().ok();
    let rects = svg.split("<rect ").skip(1).map(|r| format!(" {}", r.split('>').next().unwrap_or_default()));
    rects
        .filter_map(|r| Some([number(&r, "x")?, number(&r, "y")?, number(&r, "width")?, number(&r, "height")?]))
        .collect()
}

#[test]
fn other_viewers_get_their_forms() {
    let dir = bench();
    let dot = good(dir.path(), "graph net.tfm --format dot");
    assert!(dot.starts_with("digraph \"net\" {") && dot.contains("subgraph cluster_") && dot.contains(" -> "), "{dot}");
    match Command::new("dot").arg("-V").output() {
        Ok(_) => {
            std::fs::write(dir.path().join("net.dot"), &dot).unwrap();
            let drawn = Command::new("dot").args(["-Tsvg", "net.dot"]).current_dir(dir.path()).output().unwrap();
            assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        }
        Err(_) => eprintln!("skipped: dot is not installed"),
    }
    let mermaid = good(dir.path(), "graph net.tfm --format mermaid");
    assert!(mermaid.starts_with("flowchart TB\n") && mermaid.contains("subgraph b"), "{mermaid}");
    assert_eq!(mermaid.lines().filter(|l| l.trim() == "end").count(), mermaid.matches("subgraph ").count());
    let json: serde_json::Value = serde_json::from_str(&good(dir.path(), "graph net.tfm --format json")).unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert!(json["edges"].as_array().unwrap().iter().all(|e| e["to"].as_u64().unwrap() < steps.len() as u64));
    let explorer: serde_json::Value =
        serde_json::from_str(&good(dir.path(), "graph net.tfm --format model-explorer")).unwrap();
    let nodes = explorer["graphs"][0]["nodes"].as_array().unwrap();
    assert!(nodes.iter().any(|n| n["namespace"] == "Net/residual_1/dense_1"), "{explorer:#}");
    let text = good(dir.path(), "graph net.tfm --format text");
    assert_eq!(text, good(dir.path(), "graph net.tfm --text"));
    assert!(bad(dir.path(), "graph net.tfm --format proto", 2).contains("--output"));
    good(dir.path(), "graph net.tfm --format proto --output net.pb");
    assert!(dir.path().join("net.pb").metadata().unwrap().len() > 1000);
    std::fs::write(dir.path().join("none.tfm"), "fn f(x: float[..S]) -> float[..S] { x }\n").unwrap();
    assert!(bad(dir.path(), "graph none.tfm", 1).contains("no `train` block"));
}

fn written(dir: &Path, words: &str) -> String {
    good(dir, &format!("graph net.tfm --format html --output net.html{words}"));
    let html = std::fs::read_to_string(dir.join("net.html")).unwrap();
    assert!(!html.contains("http://") || html.matches("http://").count() == html.matches("http://www.w3.org").count());
    assert!(!html.contains("https://"), "a page needs nothing from elsewhere");
    format!("file://{}", dir.join("net.html").display())
}

#[test]
fn the_page_folds_searches_and_counts_in_a_browser() {
    let dir = bench();
    let url = written(dir.path(), "");
    let Some(browser) = Browser::start(false) else { return };
    browser.open(&url);
    browser.wait("return document.querySelectorAll('#view .step').length > 3");
    let shown = |selector: &str| {
        browser.script(&format!("return document.querySelectorAll({}).length", serde_json::Value::from(selector)))
    };
    let conv = "[data-path='Net.conv2d_1']";
    assert_eq!(shown(&format!("{conv}.open")), 0, "layers of the library begin folded");
    let wires = "return [...document.querySelectorAll('#view .wire title')].map(t => t.textContent)";
    let types = browser.script(wires);
    assert!(types.as_array().unwrap().contains(&"f32[B, 16]".into()), "a line says what flows along it: {types}");

    // A click opens a layer, a click on its title closes it again.
    browser.click_at(&format!("{conv} rect"), 10.0);
    assert_eq!(shown(&format!("{conv}.open")), 1);
    assert_eq!(browser.script("return document.querySelector('#chosen').textContent"), "conv2d_1");
    assert_eq!(browser.script("return document.querySelector('#details').textContent.includes('51,376 * B')"), true);
    assert_eq!(
        browser.script("return document.querySelector('#text .on').textContent.includes('Conv2d(4, kernel: 3)')"),
        true
    );
    let link = browser.script("return document.querySelector('#editor').href");
    assert!(
        link.as_str().unwrap().starts_with("vscode://file/") && link.as_str().unwrap().contains("net.tfm:14:"),
        "{link}"
    );
    browser.click_at(&format!("{conv} rect.head"), 12.0);
    assert_eq!(shown(&format!("{conv}.open")), 0);

    // Folding everything leaves the outermost; a search opens what it goes to.
    browser.click("#fold");
    assert_eq!(shown(conv), 0);
    browser.keys("#search", "residual_2");
    assert_eq!(browser.script("return Number(document.querySelector('#found').textContent) > 0"), true);
    browser.keys("#search", "\u{e007}");
    assert_eq!(shown("[data-path='Net.residual_2'].chosen"), 1);
    browser.keys("#search", "\u{e00c}");
    assert_eq!(shown(".hit"), 0);

    // Numbers follow the batch.
    browser.click("#shapes [data-shapes=numbers]");
    browser.script(
        "const b = document.querySelector('#batch'); b.value = 7; b.dispatchEvent(new Event('input')); return 0",
    );
    assert_eq!(browser.script("return document.querySelector('#view').textContent.includes('f32[7, 10]')"), true);
    browser.click("#unfold");
    assert_eq!(browser.script("return document.querySelector('#view').textContent.includes('matmul')"), true);
    assert_eq!(browser.script("return document.querySelectorAll('#view path[d*=NaN], #view rect[x*=NaN]').length"), 0);
    photograph(&browser, "page.png");
}

/// Keeps a picture of what the browser shows in the folder that `TFM_PICTURES` names, for people to look at.
fn photograph(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("TFM_PICTURES") {
        browser.photograph(&Path::new(&folder).join(name));
    }
}

#[test]
fn the_page_of_a_whole_step_opens() {
    let dir = bench();
    let url = written(dir.path(), " --train");
    let Some(browser) = Browser::start(true) else { return };
    browser.open(&url);
    browser.wait("return document.querySelectorAll('#view .block').length > 2");
    browser.click("#unfold");
    assert_eq!(browser.script("return document.querySelectorAll('#view path[d*=NaN]').length"), 0);
    assert_eq!(browser.script("return document.querySelector('#view').textContent.includes('backward')"), true);
    photograph(&browser, "step.png");
}
