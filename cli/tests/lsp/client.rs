//! A client: it frames messages, keeps the text in step, and remembers what was published.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take before a test fails; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: i64,
    /// What was published last for each document, with its version.
    pub published: HashMap<String, (i64, Vec<Value>)>,
    /// Answers that came while another was waited for.
    answers: HashMap<i64, Value>,
    /// What the server counts places in.
    pub encoding: String,
    /// Keeps the library's files of this server.
    _cache: tempfile::TempDir,
}

impl Client {
    /// Starts a server that may count places in these encodings.
    pub fn start(encodings: &[&str]) -> Client {
        let cache = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tfm"))
            .arg("lsp")
            .env("XDG_CACHE_HOME", cache.path())
            .env("HOME", cache.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut client = Client {
            input: child.stdin.take(),
            child,
            messages,
            next: 0,
            published: HashMap::new(),
            answers: HashMap::new(),
            encoding: String::new(),
            _cache: cache,
        };
        let capabilities = json!({ "general": { "positionEncodings": encodings } });
        let greeting =
            client.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": capabilities }));
        client.encoding = greeting["capabilities"]["positionEncoding"].as_str().unwrap().to_string();
        client.tell("initialized", json!({}));
        client
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input.as_mut().unwrap(), "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    }

    /// Sends a request, and gives its number.
    pub fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer to a request, with `result` or `error`.
    pub fn answer(&mut self, id: i64) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.receive(until, "an answer");
        }
    }

    fn receive(&mut self, until: Instant, what: &str) {
        let left = until.saturating_duration_since(Instant::now());
        let message = self.messages.recv_timeout(left).unwrap_or_else(|e| panic!("{what}: {e}"));
        self.take(message);
    }

    fn take(&mut self, message: Value) {
        if let Some(id) = message.get("id").and_then(Value::as_i64) {
            self.answers.insert(id, message);
        } else if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let found = params["diagnostics"].as_array().unwrap().clone();
            let version = params["version"].as_i64().unwrap_or(-1);
            self.published.insert(params["uri"].as_str().unwrap().into(), (version, found));
        } else if message["method"] == "window/logMessage" {
            let text = message["params"]["message"].as_str().unwrap_or_default();
            assert!(text.contains("tfm/panic"), "the server complains: {text}");
        }
    }

    /// The result of a request that succeeds.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The message of a request that is refused.
    pub fn refused(&mut self, method: &str, params: Value) -> String {
        let id = self.begin(method, params);
        let answer = self.answer(id);
        answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{method}: {answer}")).to_string()
    }

    /// Waits until what is published is of this version, and gives it.
    pub fn diagnostics(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((at, found)) = self.published.get(uri)
                && *at == version
            {
                return found.clone();
            }
            self.receive(until, "diagnostics");
        }
    }

    /// Takes in what has come, without waiting.
    pub fn drain(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "tfm", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces the whole text.
    pub fn replace(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// A place as this server counts it.
    pub fn position(&self, text: &str, offset: usize) -> Value {
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count();
        let character = match self.encoding.as_str() {
            "utf-8" => offset - start,
            _ => before[start..].encode_utf16().count(),
        };
        json!({ "line": line, "character": character })
    }

    /// Says goodbye; gives the exit status.
    pub fn stop(mut self) -> Option<i32> {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.wait()
    }

    /// Closes the pipe, and gives the exit status.
    pub fn wait(&mut self) -> Option<i32> {
        self.input = None;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.strip_prefix("Content-Length: ") {
            length = n.parse().ok()?;
        }
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
