//! The loop: texts come in, answers and diagnostics go out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use tfm_lang::editor::{Analysis, Document, Library};

use super::place::{library_folder, path_of};
use super::position::{Encoding, Lines};
use super::worker::{self, Job, Open};
use super::{answers, requests};

/// How long after the last change a check begins, where nobody waits for it.
const PAUSE: Duration = Duration::from_millis(40);

/// What happens to the server.
pub enum Event {
    /// The editor says something.
    Message(Message),
    /// A check is done: document, state, and the analysis where there was no panic.
    Checked(String, u64, Option<Arc<Analysis>>),
    /// The editor is gone.
    Closed,
}

/// A text in the editor.
pub struct Text {
    /// Its path, where it has one.
    pub path: Option<PathBuf>,
    /// The editor's number for it.
    pub version: i64,
    /// It.
    pub text: String,
    /// Its lines.
    pub lines: Lines,
    /// What it alone says, once asked for.
    document: Option<Arc<Document>>,
    /// The newest check, perhaps of an older state.
    pub analysis: Option<Arc<Analysis>>,
    /// The state that `analysis` is of.
    checked: u64,
    /// The state that a check was asked for.
    asked: u64,
    /// The state that it is in.
    state: u64,
    /// When a check is due.
    due: Option<Instant>,
}

/// The server.
pub struct Server {
    sender: Box<dyn Fn(Message)>,
    /// The library's names.
    pub library: Arc<Library>,
    /// Where the library's files are put for the editor.
    pub folder: PathBuf,
    /// What places are counted in.
    pub encoding: Encoding,
    /// What is open, by address.
    pub texts: HashMap<String, Text>,
    jobs: Sender<Job>,
    states: u64,
    /// Requests that wait for a check.
    waiting: Vec<Request>,
    cancelled: HashSet<RequestId>,
    stopping: bool,
}

/// Serves an editor until it leaves; true when it said so before.
///
/// # Errors
///
/// What is wrong with the connection.
pub fn serve(connection: Connection) -> Result<bool, String> {
    let (id, params) = connection.initialize_start().map_err(|e| e.to_string())?;
    let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
    let bytes = offered.is_some_and(|all| all.iter().any(|e| e == "utf-8"));
    let encoding = if bytes { Encoding::Utf8 } else { Encoding::Utf16 };
    let version = env!("CARGO_PKG_VERSION");
    let greeting = json!({
        "capabilities": answers::capabilities(encoding),
        "serverInfo": { "name": "tfm", "version": version },
    });
    connection.initialize_finish(id, greeting).map_err(|e| e.to_string())?;
    let (events, queue) = channel();
    let messages = events.clone();
    let receiver = connection.receiver;
    std::thread::spawn(move || {
        for message in receiver {
            if messages.send(Event::Message(message)).is_err() {
                return;
            }
        }
        let _ = messages.send(Event::Closed);
    });
    let library = Arc::new(Library::new(tfm_stdlib::FILES));
    let jobs = worker::start(library.clone(), events).map_err(|e| e.to_string())?;
    let sender = connection.sender;
    let mut server = Server {
        // An editor that is gone wants no answers.
        sender: Box::new(move |message| drop(sender.send(message))),
        library,
        folder: library_folder(),
        encoding,
        texts: HashMap::new(),
        jobs,
        states: 0,
        waiting: Vec::new(),
        cancelled: HashSet::new(),
        stopping: false,
    };
    Ok(server.run(&queue))
}

impl Server {
    fn run(&mut self, queue: &Receiver<Event>) -> bool {
        let mut events: VecDeque<Event> = VecDeque::new();
        loop {
            if events.is_empty() {
                match self.next(queue) {
                    Ok(event) => events.extend(event),
                    Err(()) => return self.stopping,
                }
            }
            // What was cancelled in the meantime need not be begun.
            events.extend(queue.try_iter());
            for event in &events {
                if let Event::Message(Message::Notification(note)) = event
                    && note.method == "$/cancelRequest"
                {
                    self.cancelled.extend(id_of(&note.params["id"]));
                }
            }
            match events.pop_front() {
                None => self.check_what_is_due(),
                Some(Event::Closed) => return self.stopping,
                Some(Event::Checked(uri, state, analysis)) => self.checked(&uri, state, analysis),
                Some(Event::Message(Message::Request(request))) => self.request(request),
                Some(Event::Message(Message::Response(_))) => {}
                Some(Event::Message(Message::Notification(note))) => {
                    if note.method == "exit" {
                        return self.stopping;
                    }
                    let method = note.method.clone();
                    if catch_unwind(AssertUnwindSafe(|| self.note(note))).is_err() {
                        self.log(&format!("a panic in `{method}`"));
                    }
                }
            }
        }
    }

    /// Waits for an event, or for the time when a check is due.
    fn next(&self, queue: &Receiver<Event>) -> Result<Option<Event>, ()> {
        let due = self.texts.values().filter_map(|text| text.due).min();
        let Some(due) = due else { return queue.recv().map(Some).map_err(|_| ()) };
        match queue.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(()),
        }
    }

    /// Says something to the editor.
    pub fn notify(&self, method: &str, params: Value) {
        (self.sender)(Message::Notification(Notification { method: method.into(), params }));
    }

    fn log(&self, text: &str) {
        self.notify("window/logMessage", json!({ "type": 1, "message": text }));
    }

    fn answer(&self, id: RequestId, result: Result<Value, String>) {
        let response = match result {
            Ok(value) => Response::new_ok(id, value),
            Err(message) => Response::new_err(id, ErrorCode::RequestFailed as i32, message),
        };
        (self.sender)(Message::Response(response));
    }

    fn request(&mut self, request: Request) {
        if self.cancelled.remove(&request.id) {
            return self.cancel(request.id);
        }
        if request.method == "shutdown" {
            self.stopping = true;
            return self.answer(request.id, Ok(Value::Null));
        }
        if self.stopping {
            let error = Response::new_err(request.id, ErrorCode::InvalidRequest as i32, "the server stops".into());
            return (self.sender)(Message::Response(error));
        }
        let uri = requests::uri(&request.params).map(String::from);
        // What needs a check of the newest text waits for it.
        if let Some(uri) = uri.filter(|_| requests::needs_check(&request.method))
            && self.texts.get(&uri).is_some_and(|text| text.checked != text.state)
        {
            self.check(&uri);
            // A file of the library is right at once.
            if self.texts.get(&uri).is_some_and(|text| text.checked != text.state) {
                return self.waiting.push(request);
            }
        }
        self.handle(request);
    }

    /// Answers a request; a panic inside is an answer too.
    fn handle(&mut self, request: Request) {
        let (id, method) = (request.id.clone(), request.method.clone());
        match catch_unwind(AssertUnwindSafe(|| requests::handle(self, &request.method, &request.params))) {
            Ok(Some(result)) => self.answer(id, result),
            Ok(None) => {
                let error =
                    Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("`{method}` is not served"));
                (self.sender)(Message::Response(error));
            }
            Err(_) => {
                self.log(&format!("a panic in `{method}`"));
                let text = format!("`{method}` failed: this is a mistake in tfm");
                (self.sender)(Message::Response(Response::new_err(id, ErrorCode::InternalError as i32, text)));
            }
        }
    }

    fn cancel(&self, id: RequestId) {
        let text = "the request was cancelled".to_string();
        (self.sender)(Message::Response(Response::new_err(id, ErrorCode::RequestCanceled as i32, text)));
    }

    fn note(&mut self, note: Notification) {
        let document = &note.params["textDocument"];
        let uri = document["uri"].as_str().unwrap_or_default().to_string();
        match note.method.as_str() {
            "textDocument/didOpen" => {
                let text = document["text"].as_str().unwrap_or_default().to_string();
                let (lines, path) = (Lines::new(&text, self.encoding), path_of(&uri));
                let version = document["version"].as_i64().unwrap_or(0);
                let text = Text {
                    path,
                    version,
                    text,
                    lines,
                    document: None,
                    analysis: None,
                    checked: 0,
                    asked: 0,
                    state: 0,
                    due: None,
                };
                self.texts.insert(uri.clone(), text);
                self.changed(&uri, Duration::ZERO);
            }
            "textDocument/didChange" => {
                let Some(text) = self.texts.get_mut(&uri) else { return };
                let changes = note.params["contentChanges"].as_array();
                for change in changes.into_iter().flatten() {
                    let new = change["text"].as_str().unwrap_or_default();
                    let place = |name: &str| text.lines.of_json(&text.text, change.get("range")?.get(name)?);
                    match (place("start"), place("end")) {
                        (Some(start), Some(end)) => {
                            let (start, end) = (start.min(end) as usize, start.max(end) as usize);
                            text.text.replace_range(start..end, new);
                        }
                        _ => text.text = new.to_string(),
                    }
                    text.lines = Lines::new(&text.text, self.encoding);
                }
                text.version = document["version"].as_i64().unwrap_or(text.version);
                self.changed(&uri, PAUSE);
            }
            "textDocument/didClose" => {
                self.texts.remove(&uri);
                self.notify("textDocument/publishDiagnostics", json!({ "uri": uri, "diagnostics": [] }));
                self.changed("", PAUSE);
                self.handle_waiting(&uri);
            }
            // A file may have changed that an open one imports.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.changed("", PAUSE),
            "$/cancelRequest" => {
                if let Some(id) = id_of(&note.params["id"]) {
                    self.cancelled.remove(&id);
                    if let Some(at) = self.waiting.iter().position(|r| r.id == id) {
                        self.waiting.remove(at);
                        self.cancel(id);
                    }
                }
            }
            _ => {}
        }
    }

    /// A text is new: it, and what may import it, is checked after a pause.
    fn changed(&mut self, uri: &str, pause: Duration) {
        self.states += 1;
        for (other, text) in &mut self.texts {
            if other == uri || text.text.contains("import ") {
                text.state = self.states;
                text.document = None;
                let waited = self.waiting.iter().any(|r| requests::uri(&r.params) == Some(other));
                let pause = match other == uri {
                    _ if waited => Duration::ZERO,
                    true => pause,
                    false => PAUSE,
                };
                text.due = Some(Instant::now() + pause);
            }
        }
    }

    fn check_what_is_due(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self
            .texts
            .iter()
            .filter(|(_, t)| t.due.is_some_and(|due| due <= now))
            .map(|(uri, _)| uri.clone())
            .collect();
        due.iter().for_each(|uri| self.check(uri));
    }

    /// What is open, for imports.
    fn open(&self) -> Open {
        self.texts.values().filter_map(|t| Some((t.path.clone()?, t.text.clone()))).collect()
    }

    /// Asks for a check of a document, once for each state.
    fn check(&mut self, uri: &str) {
        let open = Arc::new(self.open());
        let in_library = self.texts.get(uri).is_some_and(|text| self.of_library(text));
        let Some(text) = self.texts.get_mut(uri) else { return };
        text.due = None;
        if text.asked == text.state {
            return;
        }
        text.asked = text.state;
        // The library's files are as they should be, and stand for themselves.
        if in_library {
            text.checked = text.state;
            return;
        }
        let (name, folder) = named(uri, text.path.as_deref());
        let job = Job { uri: uri.into(), state: text.state, name, folder, text: text.text.clone(), open };
        if self.jobs.send(job).is_err() {
            self.log("the thread that checks is gone");
        }
    }

    /// True for a file of the library, opened from where it was put.
    pub fn of_library(&self, text: &Text) -> bool {
        text.path.as_ref().is_some_and(|path| path.starts_with(&self.folder))
    }

    fn checked(&mut self, uri: &str, state: u64, analysis: Option<Arc<Analysis>>) {
        let Some(text) = self.texts.get_mut(uri) else { return };
        if state < text.state {
            return;
        }
        text.checked = state;
        if analysis.is_some() {
            text.analysis = analysis;
        } else {
            text.analysis = None;
            self.log("a panic in a check");
        }
        if let Some(text) = self.texts.get(uri) {
            let diagnostics = answers::diagnostics(self, uri, text);
            let params = json!({ "uri": uri, "version": text.version, "diagnostics": diagnostics });
            self.notify("textDocument/publishDiagnostics", params);
        }
        self.handle_waiting(uri);
    }

    /// Answers what waited for a document.
    fn handle_waiting(&mut self, uri: &str) {
        let of = |r: &Request| requests::uri(&r.params) == Some(uri);
        let (ready, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(of);
        self.waiting = waiting;
        ready.into_iter().for_each(|request: Request| self.handle(request));
    }

    /// What a text alone says; made when it is first asked for.
    pub fn document(&mut self, uri: &str) -> Option<Arc<Document>> {
        if let Some(document) = self.texts.get(uri)?.document.clone() {
            return Some(document);
        }
        let open = self.open();
        let text = self.texts.get(uri)?;
        let (name, folder) = named(uri, text.path.as_deref());
        let mut load = |name: &str| worker::load(&folder, name, &open);
        let document = Arc::new(Document::new(&name, &text.text, &self.library, &mut load));
        self.texts.get_mut(uri)?.document = Some(document.clone());
        Some(document)
    }
}

/// The name of a document in diagnostics, and the folder of what it imports.
fn named(uri: &str, path: Option<&std::path::Path>) -> (String, PathBuf) {
    match path {
        Some(path) => (path.display().to_string(), path.parent().map(PathBuf::from).unwrap_or_default()),
        None => (uri.to_string(), PathBuf::new()),
    }
}

fn id_of(id: &Value) -> Option<RequestId> {
    match id {
        Value::Number(n) => Some(RequestId::from(n.as_i64()? as i32)),
        Value::String(s) => Some(RequestId::from(s.clone())),
        _ => None,
    }
}
