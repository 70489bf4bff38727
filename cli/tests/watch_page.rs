//! The page of `tfm watch --ui`, in a headless browser: a curve that grows, an edit, an error, and the buttons.

mod common;

use common::browser::Browser;
use common::tfm;
use common::watching::{Events, NET, bench};
use serde_json::Value;
use std::fs;
use std::process::{Child, Stdio};

/// What stands beside the model.
const GREETING: &str = "19,434 parameters, 320 examples of digits.train, 10 steps per epoch";

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_browser_sees_the_curve_grow_and_the_edits_come() {
    let Some(browser) = Browser::start(false) else { return };
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let line = "watch net.tfm --threads 1 --json --events events.jsonl --ui";
    let mut child = Ended(tfm(dir.path(), line).stdout(Stdio::null()).spawn().unwrap());
    let mut events = Events::of(dir.path().join("events.jsonl"));
    let told = events.until("the page", |v| v["text"].as_str().is_some_and(|t| t.starts_with("page: ")));
    let url = told.last().unwrap()["text"].as_str().unwrap().trim_start_matches("page: ").to_string();
    events.wait("evaluated");
    browser.open(&url);

    let points = "const s = document.querySelector('svg.curve'); return s ? Number(s.dataset.points) : 0";
    let before = browser.until(points, |n| n.as_u64() > Some(0)).as_u64().unwrap();
    browser.until(points, |n| n.as_u64() > Some(before + 20));
    let path = "return document.querySelector('svg.curve path').getAttribute('d').length";
    assert!(browser.script(path).as_u64() > Some(200));
    // What is folded away counts too.
    let text = |id: &str| format!("return document.getElementById('{id}').textContent");
    browser.until(&text("state"), |t| t == "training");
    browser
        .until(&text("model"), |t| t.to_string().contains("Dense(units: 16") && t.to_string().contains("f32[24, 16]"));
    browser.until(&text("curves"), |t| t.to_string().contains("test ") && t.to_string().contains("accuracy"));
    // Each line of a picture has a colour of its own, its number the same one, and no other line of the page another
    // for the same data.
    let colours = "return [...document.querySelectorAll('figure:has(svg.curve)')].map(f => [
        [...f.querySelectorAll('path.series')].map(e => getComputedStyle(e).stroke),
        [...f.querySelectorAll('figcaption .series')].map(e => getComputedStyle(e).color)])";
    let pairs = |v: &Value| v.as_array().is_some_and(|all| all.iter().all(|f| f[0].as_array().unwrap().len() == 2));
    let shown = browser.until(colours, pairs);
    for figure in shown.as_array().unwrap() {
        assert_eq!(figure, &shown[0], "{shown}");
        assert_eq!(figure[0], figure[1], "{shown}");
        assert_ne!(figure[0][0], figure[0][1], "{shown}");
    }
    let graph = "return document.getElementById('graph').contentDocument.querySelector('#view')?.textContent ?? ''";
    browser.until(graph, |t| t.to_string().contains("f32[B, 16]"));
    assert_eq!(browser.script(&text("greeting")), GREETING);

    let wider = NET.replace("Dense(16", "Dense(18").replace("seed:      1", "seed:      2");
    fs::write(&file, &wider).unwrap();
    browser.until(&text("edits"), |t| t.to_string().contains("f32[24, 16] to f32[24, 18]"));
    browser.until(&text("model"), |t| t.to_string().contains("f32[24, 18]"));
    browser.until(graph, |t| t.to_string().contains("f32[B, 18]"));
    browser.until(&text("greeting"), |t| *t == GREETING.replace("19,434", "19,504"));
    // The order of the data and the draws go on as they began.
    assert!(browser.script("return view.greeting").as_str().unwrap().contains("\nseed 1, "));
    // What was there keeps its colour.
    assert_eq!(browser.until(colours, pairs), shown);
    fs::write(&file, NET.replace("Dense(10)", "Dnse(10)")).unwrap();
    browser.until(&text("errors"), |t| t.to_string().contains("Dnse"));
    browser.until(&text("state"), |t| t.to_string().contains("the version before goes on"));
    fs::write(&file, &wider).unwrap();
    browser.until("return document.getElementById('errors').hidden", |h| h == true);

    browser.script("document.getElementById('pause').click()");
    browser.until(&text("state"), |t| t == "paused");
    browser.script("document.getElementById('pause').click()");
    browser.until(&text("state"), |t| t == "training");
    browser.script("document.getElementById('undo').click()");
    browser.until(&text("edits"), |t| t.to_string().contains("undo of edit 1"));
    // A value under the pointer, here by the keyboard.
    let key = "const s = document.querySelector('svg.curve');
        s.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
        return document.querySelector('.tip').textContent";
    assert!(browser.script(key).as_str().unwrap().starts_with("step "));
    let loaded = "return performance.getEntriesByType('resource').map(e => e.name).join()";
    assert!(
        !browser.script(loaded).as_str().unwrap().split(',').any(|u| !u.starts_with(&url)),
        "{}",
        browser.script(loaded)
    );

    child.0.kill().unwrap();
    child.0.wait().unwrap();
    browser.until(&text("state"), |t| t.to_string().contains("has ended"));
}
