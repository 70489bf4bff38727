//! A headless Chromium, driven by chromedriver over the WebDriver protocol.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A browser with one page. It ends with the value.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; nothing, with the reason printed, where that cannot be.
    pub fn start() -> Option<Browser> {
        if !super::watching::has("chromedriver", "--version") || !super::watching::has("chromium", "--version") {
            return None;
        }
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut lines = BufReader::new(driver.stdout.take()?).lines();
        let said = lines.by_ref().map_while(Result::ok).find(|l| l.contains("started successfully on port"))?;
        let port = said.rsplit(' ').next()?.trim_end_matches('.').parse().ok()?;
        // What else it says is not wanted, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Browser { driver, port, session: String::new(), _profile: profile };
        let data = format!("--user-data-dir={}", browser._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--window-size=1200,900",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &data,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": args } } } });
        let made = browser.ask("POST", "", Some(&wanted));
        browser.session = made["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {made}")).to_string();
        Some(browser)
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", Some(&json!({ "url": url })));
    }

    /// Runs a script, `return …`.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))
    }

    /// Waits until a script gives something that is meant.
    pub fn until(&self, script: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let start = std::time::Instant::now();
        loop {
            let found = self.run(script);
            if is_meant(&found) {
                return found;
            }
            assert!(
                start.elapsed().as_secs() < 40,
                "`{script}` stays {found}; {}",
                self.run("return document.body.innerText")
            );
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let session = if self.session.is_empty() { String::new() } else { format!("/{}", self.session) };
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "{method} /session{session}{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        // The driver may keep the connection open whatever it is asked: the length says where the answer ends.
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let (mut reader, mut length, mut line) = (BufReader::new(stream), 0, String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", "", None);
        }
        // It may have ended already.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
