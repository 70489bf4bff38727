//! The page of `tfm watch --ui`, in a headless browser: a curve that grows, an edit, an error, and the buttons.

mod common;

use common::browser::Browser;
use common::tfm;
use common::watching::{Events, NET, bench};
use std::fs;
use std::process::Stdio;

#[test]
fn a_browser_sees_the_curve_grow_and_the_edits_come() {
    let Some(browser) = Browser::start() else { return };
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let line = "watch net.tfm --threads 1 --json --events events.jsonl --ui";
    let mut child = tfm(dir.path(), line).stdout(Stdio::null()).spawn().unwrap();
    let mut events = Events::of(dir.path().join("events.jsonl"));
    let told = events.until("the page", |v| v["text"].as_str().is_some_and(|t| t.starts_with("page: ")));
    let url = told.last().unwrap()["text"].as_str().unwrap().trim_start_matches("page: ").to_string();
    events.wait("evaluated");
    browser.open(&url);

    let points = "const s = document.querySelector('svg.curve'); return s ? Number(s.dataset.points) : 0";
    let before = browser.until(points, |n| n.as_u64() > Some(0)).as_u64().unwrap();
    browser.until(points, |n| n.as_u64() > Some(before + 20));
    let path = "return document.querySelector('svg.curve path').getAttribute('d').length";
    assert!(browser.run(path).as_u64() > Some(200));
    let text = |id: &str| format!("return document.getElementById('{id}').innerText");
    browser.until(&text("state"), |t| t == "training");
    browser
        .until(&text("model"), |t| t.to_string().contains("Dense(units: 16") && t.to_string().contains("f32[24, 16]"));
    browser.until(&text("curves"), |t| t.to_string().contains("test.loss") && t.to_string().contains("accuracy"));

    fs::write(&file, NET.replace("Dense(16", "Dense(18")).unwrap();
    browser.until(&text("edits"), |t| t.to_string().contains("f32[24, 16] to f32[24, 18]"));
    browser.until(&text("model"), |t| t.to_string().contains("f32[24, 18]"));
    fs::write(&file, NET.replace("Dense(10)", "Dnse(10)")).unwrap();
    browser.until(&text("errors"), |t| t.to_string().contains("Dnse"));
    browser.until(&text("state"), |t| t.to_string().contains("the version before goes on"));
    fs::write(&file, NET.replace("Dense(16", "Dense(18")).unwrap();
    browser.until("return document.getElementById('errors').hidden", |h| h == true);

    browser.run("document.getElementById('pause').click()");
    browser.until(&text("state"), |t| t == "paused");
    browser.run("document.getElementById('pause').click()");
    browser.until(&text("state"), |t| t == "training");
    browser.run("document.getElementById('undo').click()");
    browser.until(&text("edits"), |t| t.to_string().contains("undo of edit 1"));
    // A value under the pointer, here by the keyboard.
    let key = "const s = document.querySelector('svg.curve');
        s.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
        return document.querySelector('.tip').textContent";
    assert!(browser.run(key).as_str().unwrap().starts_with("step "));
    let loaded = "return performance.getEntriesByType('resource').map(e => e.name).join()";
    assert!(!browser.run(loaded).as_str().unwrap().split(',').any(|u| !u.starts_with(&url)), "{}", browser.run(loaded));

    child.kill().unwrap();
    child.wait().unwrap();
    browser.until(&text("state"), |t| t.to_string().contains("has ended"));
}
