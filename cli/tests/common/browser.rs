//! A browser without a window, driven through chromedriver's WebDriver interface; a page is asked what it shows, and
//! clicked where a person would click.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A session with a browser. Both end when it is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

/// The first of these programs on the path.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).flat_map(|dir| names.iter().map(move |n| dir.join(n)));
    found.find(|p| p.is_file())
}

impl Browser {
    /// Starts one; `None`, with the reason on standard error, where there is none.
    pub fn start(dark: bool) -> Option<Browser> {
        let Some(driver) = program(&["chromedriver"]) else {
            eprintln!("skipped: chromedriver is not installed");
            return None;
        };
        let Some(chromium) = program(&["chromium", "chromium-browser", "google-chrome", "chrome"]) else {
            eprintln!("skipped: chromium is not installed");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let driver = Command::new(driver)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let driver = match driver {
            Ok(driver) => driver,
            Err(e) => {
                eprintln!("skipped: chromedriver does not start: {e}");
                return None;
            }
        };
        let profile = tempfile::tempdir().unwrap();
        let mut args: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1500,980",
        ]
        .map(String::from)
        .to_vec();
        args.push(format!("--user-data-dir={}", profile.path().display()));
        if dark {
            args.push("--blink-settings=preferredColorScheme=0".into());
        }
        let mut browser = Browser { driver, port, session: String::new(), _profile: profile };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "binary": chromium, "args": args },
        } } });
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match browser.send("POST", "/session", &wanted) {
                Ok(value) => {
                    browser.session =
                        format!("/session/{}", value["sessionId"].as_str().expect("a session has a name"));
                    return Some(browser);
                }
                Err(e) if Instant::now() > until => {
                    eprintln!("skipped: the browser does not start: {e}");
                    return None;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// One request of HTTP/1.1; the `value` of the answer.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let text = if method == "GET" { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(120))).map_err(|e| e.to_string())?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            text.len()
        );
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(text.as_bytes()))
            .map_err(|e| e.to_string())?;
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            reader.read_line(&mut line).map_err(|e| e.to_string())?;
            let lower = line.to_ascii_lowercase();
            if let Some(n) = lower.strip_prefix("content-length:") {
                length = n.trim().parse().map_err(|_| line.clone())?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
        let value = answer["value"].clone();
        if value["error"].is_string() { Err(value.to_string()) } else { Ok(value) }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, &format!("{}{path}", self.session), body);
        answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Runs a script in the page, `return …`.
    pub fn script(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script gives `true`.
    pub fn wait(&self, script: &str) {
        self.until(script, |value| *value == Value::Bool(true));
    }

    /// Waits until a script gives something that is meant.
    pub fn until(&self, script: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(40);
        loop {
            let found = self.script(script);
            if is_meant(&found) {
                return found;
            }
            let shown = || self.script("return document.body.innerText");
            assert!(Instant::now() < until, "`{script}` stays {found}; {}", shown());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|o| o.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("{selector}: {found}")).to_string()
    }

    /// Moves the mouse to the middle of an element's box, down by `above` pixels from its top, and clicks.
    pub fn click_at(&self, selector: &str, above: f64) {
        let place = self.script(&format!(
            "const r = document.querySelector({}).getBoundingClientRect(); return [r.left + r.width / 2, r.top + {above}];",
            Value::from(selector)
        ));
        let at = |i: usize| place[i].as_f64().unwrap_or_default().round();
        self.ask(
            "POST",
            "/actions",
            &json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": [
            { "type": "pointerMove", "duration": 0, "x": at(0), "y": at(1) },
            { "type": "pointerDown", "button": 0 }, { "type": "pointerUp", "button": 0 },
        ] }] }),
        );
    }

    /// Clicks an element.
    pub fn click(&self, selector: &str) {
        let id = self.element(selector);
        self.ask("POST", &format!("/element/{id}/click"), &json!({}));
    }

    /// Types into an element; `\u{e007}` is Enter.
    pub fn keys(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.ask("POST", &format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Writes a picture of the page to a file.
    pub fn photograph(&self, file: &Path) {
        let picture = self.ask("GET", "/screenshot", &Value::Null);
        std::fs::write(file, base64(picture.as_str().unwrap_or_default())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.send("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The bytes that base64 stands for.
fn base64(text: &str) -> Vec<u8> {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for sign in text.bytes().filter_map(|b| SIGNS.iter().position(|s| *s == b)) {
        bits = bits << 6 | sign as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
