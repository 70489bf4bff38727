//! The page of a watched run, for a browser on this machine.
//!
//! It is served on the loopback address only. Another site that a browser has open could still send requests there, and
//! a name that resolves to this machine could let it read the answers: so a request is refused unless its `Host` is this
//! address, and its `Origin`, where there is one, this page. The page loads nothing from anywhere else.
//!
//! `/events` says `changed` first and whenever more than a point of a curve has changed, and the page then asks for the
//! whole [`View`](super::board::View) as soon as it has drawn the one before. In between come `step` events. `/graph` is
//! the page that `tfm graph --format html` writes, asked for anew with each version.

use super::board::{Board, News};
use super::orders::{Order, Orders, QUIT};
use crate::failure::Failure;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{Stream, unfold};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};

const PAGE: &str = include_str!("page.html");

/// How many events a slow browser may be behind before it misses some.
const BEHIND: usize = 256;

/// Nothing from elsewhere, and no page of someone else around this one.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self'; \
                      connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The graph is a page in this page, and asks for nothing.
const POLICY_WITHIN: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                             base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

struct Served {
    board: Arc<Board>,
    orders: Arc<Orders>,
    told: broadcast::Sender<Arc<Told>>,
    address: SocketAddr,
}

/// What a browser is told.
enum Told {
    /// A point of each of these curves.
    Step(String),
    /// Look at everything again.
    View,
}

/// Serves the page on a port, on any where it is 0, in a thread of its own. Gives the address.
pub fn serve(port: u16, board: Arc<Board>, orders: Arc<Orders>) -> Result<SocketAddr, Failure> {
    let failed = |e: std::io::Error| Failure::Message(format!("the page cannot be served on port {port}: {e}"));
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let told = broadcast::channel(BEHIND).0;
    let sender = told.clone();
    board.listen(Box::new(move |news| {
        let told = match news {
            News::Step { step, epoch, values, .. } => {
                let values: serde_json::Map<String, serde_json::Value> =
                    values.iter().map(|(n, v)| (n.clone(), tfm_runtime::run::json_number(*v))).collect();
                Told::Step(serde_json::json!({ "step": step, "epoch": epoch, "values": values }).to_string())
            }
            _ => Told::View,
        };
        // Nobody may be looking.
        let _ = sender.send(Arc::new(told));
    }));
    let served = Arc::new(Served { board, orders, told, address });
    let router = Router::new()
        .route("/", get(page))
        .route("/view", get(async |State(s): State<Arc<Served>>| json(view(&s.board))))
        .route("/graph", get(graph))
        .route("/events", get(events))
        .route("/images/{number}", get(image))
        .route("/order/{name}", post(order))
        .layer(middleware::from_fn_with_state(served.clone(), refuse_strangers))
        .with_state(served);
    let run = move || {
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        });
        // The run does not depend on who looks.
        drop(served);
    };
    std::thread::Builder::new().name("page".into()).spawn(run).map_err(failed)?;
    Ok(address)
}

/// See the top of this file.
async fn refuse_strangers(State(served): State<Arc<Served>>, request: Request, next: Next) -> Response {
    let port = served.address.port();
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    match is_ours(request.headers(), &ours) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "this page is for a browser on this machine only\n").into_response(),
    }
}

fn is_ours(headers: &HeaderMap, ours: &[String]) -> bool {
    let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or(""));
    let host = text(header::HOST).is_some_and(|host| ours.iter().any(|o| o == host));
    let origin = text(header::ORIGIN)
        .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|origin| ours.iter().any(|o| o == origin)));
    host && origin
}

/// The page with what is known now in it, so that it is whole at once.
async fn page(State(served): State<Arc<Served>>) -> Response {
    // In a script, `<` could begin the end of it.
    let view = view(&served.board).replace('<', "\\u003c");
    html(POLICY, PAGE.replacen("/* view */null", &view, 1))
}

/// The graph of the version that trains.
async fn graph(State(served): State<Arc<Served>>) -> Response {
    let picture = served.board.view().picture.to_string();
    html(POLICY_WITHIN, picture)
}

fn html(policy: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// Everything, as the page wants it.
fn view(board: &Board) -> String {
    let view = board.view();
    let mut value = serde_json::to_value(&*view).unwrap_or_default();
    value["state"] = view.state().into();
    value["rejected"] = view.rejected.as_ref().map_or(serde_json::Value::Null, |r| r.text.clone().into());
    value["warnings"] = view.warnings.as_ref().map_or(serde_json::Value::Null, |r| r.text.clone().into());
    value["tables"] = view.edits.iter().map(|e| serde_json::json!([e.title(), e.lines().join("\n")])).collect();
    value.to_string()
}

async fn events(State(served): State<Arc<Served>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let told = served.told.subscribe();
    let stream = unfold((served, told, true), |(served, mut told, first)| async move {
        let changed = || Event::default().event("changed").data("now");
        if first {
            return Some((Ok(changed()), (served, told, false)));
        }
        let event = match told.recv().await {
            Ok(found) => match &*found {
                Told::Step(text) => Event::default().event("step").data(text),
                Told::View => changed(),
            },
            Err(RecvError::Lagged(_)) => {
                // What it missed is in the view; what is still queued would be told twice.
                told = served.told.subscribe();
                changed()
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), (served, told, false)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// One of the images in the view, by its place there: no other file can be asked for.
async fn image(State(served): State<Arc<Served>>, Path(number): Path<usize>) -> Response {
    let path = served.board.view().images.get(number).cloned();
    match path.and_then(|path| std::fs::read(path).ok()) {
        Some(bytes) => {
            ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn order(State(served): State<Arc<Served>>, Path(name): Path<String>) -> StatusCode {
    match name.as_str() {
        "undo" => served.orders.push(Order::Undo),
        "pause" => served.orders.push(Order::Pause),
        "restart" => served.orders.push(Order::Restart),
        "stop" => served.orders.stop(QUIT),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    /// Status line and body of an answer.
    fn ask(address: SocketAddr, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().into(), body.into())
    }

    #[test]
    fn only_this_machine_is_answered_and_only_its_own_page_gives_orders() {
        let (board, orders) = (Arc::new(Board::default()), Arc::new(Orders::default()));
        let address = serve(0, board, orders.clone()).unwrap();
        assert!(address.ip().is_loopback());
        let here = format!("Host: {address}");
        let status = |request: String| ask(address, &request).0;
        let (ok, body) = ask(address, &format!("GET / HTTP/1.1\r\n{here}"));
        assert!(ok.contains("200") && body.contains("</html>") && !body.contains("https://"), "{ok}");
        assert!(ask(address, &format!("GET /view HTTP/1.1\r\n{here}")).1.contains("waiting for a fix"));
        assert!(status(format!("GET /view HTTP/1.1\r\nHost: localhost:{}", address.port())).contains("200"));
        for strange in
            ["Host: evil.example".to_string(), format!("{here}\r\nOrigin: http://evil.example"), String::new()]
        {
            assert!(status(format!("GET /view HTTP/1.1\r\n{strange}")).contains("40"), "{strange}");
            assert!(status(format!("POST /order/undo HTTP/1.1\r\n{strange}\r\nContent-Length: 0")).contains("40"));
        }
        assert!(orders.take().is_empty());
        let own = format!("{here}\r\nOrigin: http://{address}\r\nContent-Length: 0");
        assert!(status(format!("POST /order/undo HTTP/1.1\r\n{own}")).contains("204"));
        assert!(matches!(orders.take().as_slice(), [Order::Undo]));
        assert!(status(format!("POST /order/format HTTP/1.1\r\n{own}")).contains("404"));
        assert!(status(format!("GET /images/0 HTTP/1.1\r\n{here}")).contains("404"));
        assert!(status(format!("GET /images/..%2fCargo.toml HTTP/1.1\r\n{here}")).contains("400"));
    }
}
