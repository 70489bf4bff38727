//! The requests, a function each: from the protocol's parameters to its result.

use std::sync::Arc;

use serde_json::{Value, json};
use similar::{DiffOp, TextDiff};
use tfm_lang::editor::{self, Analysis, Document, Edit, Location, TOKEN_KINDS};
use tfm_lang::format::format;
use tfm_lang::source::{Sources, Span};

use super::answers;
use super::place::{library_file, uri_of};
use super::position::Lines;
use super::server::{Server, Text};

/// The document that a request is about.
pub fn uri(params: &Value) -> Option<&str> {
    params.pointer("/textDocument/uri").and_then(Value::as_str)
}

/// True for requests that are about what the checker says of the newest text.
pub fn needs_check(method: &str) -> bool {
    matches!(method, "textDocument/hover" | "textDocument/inlayHint" | "textDocument/codeAction")
}

/// Answers a request; `None` where nobody knows the method. A document that is not open has nothing to say.
pub fn handle(server: &mut Server, method: &str, params: &Value) -> Option<Result<Value, String>> {
    // The tests see that the server lives on.
    #[cfg(debug_assertions)]
    assert!(method != "tfm/panic", "asked for");
    let answer = match method {
        "textDocument/hover" => hover,
        "textDocument/inlayHint" => hints,
        "textDocument/completion" => complete,
        "textDocument/signatureHelp" => signature,
        "textDocument/definition" => definition,
        "textDocument/references" => references,
        "textDocument/documentHighlight" => highlights,
        "textDocument/prepareRename" => prepare_rename,
        "textDocument/rename" => rename,
        "textDocument/formatting" => formatting,
        "textDocument/codeAction" => actions,
        "textDocument/documentSymbol" => symbols,
        "textDocument/foldingRange" => folds,
        "textDocument/semanticTokens/full" => tokens,
        _ => return None,
    };
    let Some(document) = uri(params).and_then(|uri| server.document(uri)) else { return Some(Ok(Value::Null)) };
    let server: &Server = server;
    let Some((uri, text)) = uri(params).and_then(|uri| server.texts.get_key_value(uri)) else {
        return Some(Ok(Value::Null));
    };
    let place = params.get("position").and_then(|p| text.lines.of_json(&text.text, p)).unwrap_or(0);
    Some(answer(&Asked { server, uri, text, document, params, place }))
}

/// A request about a document.
struct Asked<'a> {
    server: &'a Server,
    uri: &'a str,
    text: &'a Text,
    document: Arc<Document>,
    params: &'a Value,
    /// The byte that it is about.
    place: u32,
}

impl Asked<'_> {
    fn range(&self, span: Span) -> Value {
        self.text.lines.range(&self.text.text, span)
    }

    fn analysis(&self) -> Option<&Analysis> {
        self.text.analysis.as_deref()
    }

    /// The part of the text that is asked about; all of it where none is named.
    fn within(&self) -> Span {
        let place = |name: &str| self.text.lines.of_json(&self.text.text, self.params.get("range")?.get(name)?);
        let (start, end) = (place("start").unwrap_or(0), place("end").unwrap_or(self.text.text.len() as u32));
        Span { file: self.document.main, start, end }
    }

    /// Edits of this document as a change of the workspace.
    fn change(&self, edits: &[Edit]) -> Value {
        json!({ "changes": { self.uri: answers::edits(self.text, edits) } })
    }
}

type Answer = Result<Value, String>;

fn hover(asked: &Asked) -> Answer {
    let found = editor::hover(&asked.document, asked.analysis(), &asked.server.library, asked.place);
    Ok(found.map_or(
        Value::Null,
        |(span, text)| json!({ "contents": { "kind": "markdown", "value": text }, "range": asked.range(span) }),
    ))
}

fn hints(asked: &Asked) -> Answer {
    let Some(analysis) = asked.analysis() else { return Ok(json!([])) };
    let all = editor::hints(&asked.document, analysis, asked.within());
    let one = |hint: editor::Hint| {
        let position = asked.text.lines.json(&asked.text.text, hint.offset);
        json!({ "position": position, "label": hint.text, "kind": 1 })
    };
    Ok(all.into_iter().map(one).collect())
}

fn complete(asked: &Asked) -> Answer {
    let items = editor::complete(&asked.document, asked.analysis(), &asked.server.library, asked.place);
    let one = |item: editor::Item| {
        let mut made = json!({
            "label": item.label,
            "kind": answers::picture(item.kind),
            "sortText": format!("{}{}", item.rank, item.label),
        });
        if !item.detail.is_empty() {
            made["detail"] = item.detail.into();
        }
        if !item.doc.is_empty() {
            made["documentation"] = json!({ "kind": "markdown", "value": item.doc });
        }
        if let Some(text) = item.text {
            made["insertText"] = text.into();
        }
        if let Some(edit) = item.also {
            made["additionalTextEdits"] = answers::edits(asked.text, &[edit]);
        }
        made
    };
    Ok(json!({ "isIncomplete": false, "items": items.into_iter().map(one).collect::<Vec<_>>() }))
}

fn signature(asked: &Asked) -> Answer {
    let Some(found) = editor::signature(&asked.document, &asked.server.library, asked.place) else {
        return Ok(Value::Null);
    };
    let at = |offset: u32| super::position::Encoding::Utf16.length(&found.head[..offset as usize]);
    let parameters: Vec<Value> =
        found.parameters.iter().map(|(start, end)| json!({ "label": [at(*start), at(*end)] })).collect();
    Ok(json!({
        "signatures": [{
            "label": found.head,
            "documentation": { "kind": "markdown", "value": found.doc },
            "parameters": parameters,
        }],
        "activeSignature": 0,
        // One past the last where none is being written.
        "activeParameter": found.active.unwrap_or(found.parameters.len()),
    }))
}

fn definition(asked: &Asked) -> Answer {
    let Some(found) = asked.document.definition(&asked.server.library, asked.place) else { return Ok(Value::Null) };
    let (path, text, span) = match found {
        Location::File(span) if span.file == asked.document.main => {
            return Ok(json!({ "uri": asked.uri, "range": asked.range(span) }));
        }
        Location::File(span) => {
            let file = asked.document.sources.get(span.file);
            let folder = asked.text.path.as_ref().and_then(|p| p.parent());
            let Some(folder) = folder else { return Ok(Value::Null) };
            (folder.join(&file.name), file.text.as_str(), span)
        }
        Location::Library(span) => {
            let (name, text) = asked.server.library.file(span.file);
            let path = library_file(&asked.server.folder, name, text)
                .map_err(|e| format!("the library's file cannot be shown: {}: {e}", asked.server.folder.display()))?;
            (path, text, span)
        }
    };
    let range = Lines::new(text, asked.server.encoding).range(text, span);
    Ok(json!({ "uri": uri_of(&path), "range": range }))
}

fn references(asked: &Asked) -> Answer {
    let declaration = asked.params.pointer("/context/includeDeclaration").and_then(Value::as_bool).unwrap_or(true);
    let spans = asked.document.references(asked.place, declaration);
    Ok(spans.into_iter().map(|span| json!({ "uri": asked.uri, "range": asked.range(span) })).collect())
}

fn highlights(asked: &Asked) -> Answer {
    let spans = asked.document.references(asked.place, true);
    Ok(spans.into_iter().map(|span| json!({ "range": asked.range(span), "kind": 1 })).collect())
}

fn prepare_rename(asked: &Asked) -> Answer {
    if asked.server.of_library(asked.text) {
        return Err("the library's files are for reading".into());
    }
    editor::rename(&asked.document, asked.place, None)?;
    let found = asked.document.index.at(asked.place);
    Ok(found.map_or(Value::Null, |word| asked.range(word.span)))
}

fn rename(asked: &Asked) -> Answer {
    if asked.server.of_library(asked.text) {
        return Err("the library's files are for reading".into());
    }
    let name = asked.params["newName"].as_str().unwrap_or_default();
    let edits = editor::rename(&asked.document, asked.place, Some(name))?;
    Ok(asked.change(&edits))
}

/// Edits for the lines that change, so that marks and folds elsewhere stay. A text that does not parse has none.
fn formatting(asked: &Asked) -> Answer {
    let text = &asked.text.text;
    let mut sources = Sources::default();
    let file = sources.add(asked.uri, text.as_str(), false);
    let Ok(made) = format(&sources, file) else { return Ok(Value::Null) };
    let diff = TextDiff::from_lines(text.as_str(), made.as_str());
    let starts = |slices: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
        std::iter::once(0)
            .chain(slices.scan(0, |at, length| {
                *at += length;
                Some(*at)
            }))
            .collect()
    };
    let old = starts(&mut text.split_inclusive('\n').map(str::len));
    let new = starts(&mut made.split_inclusive('\n').map(str::len));
    let edits = diff.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).map(|op| {
        let (before, after) = (op.old_range(), op.new_range());
        let span = Span { file, start: old[before.start] as u32, end: old[before.end] as u32 };
        Edit { span, text: made[new[after.start]..new[after.end]].to_string() }
    });
    Ok(answers::edits(asked.text, &edits.collect::<Vec<_>>()))
}

fn actions(asked: &Asked) -> Answer {
    let Some(analysis) = asked.analysis() else { return Ok(json!([])) };
    let found = editor::actions(&asked.document, analysis, &asked.server.library, asked.within());
    let one = |action: editor::Action| {
        let mends = action.mends.map(|i| &analysis.diagnostics[i]);
        let of = |d| answers::diagnostic(asked.server, asked.uri, asked.text, analysis, d);
        json!({
            "title": action.title,
            "kind": "quickfix",
            "diagnostics": mends.into_iter().map(of).collect::<Vec<_>>(),
            "edit": asked.change(&action.edits),
        })
    };
    Ok(found.into_iter().map(one).collect())
}

fn symbols(asked: &Asked) -> Answer {
    Ok(editor::symbols(&asked.document).iter().map(|symbol| answers::symbol(asked.text, symbol)).collect())
}

fn folds(asked: &Asked) -> Answer {
    let line = |offset: u32| asked.text.lines.position(&asked.text.text, offset).0;
    let fold = |span: &Span| {
        let (from, until) = (line(span.start), line(span.end));
        // The closing brace stays in sight.
        (from < until).then(|| json!({ "startLine": from, "endLine": until.saturating_sub(1).max(from) }))
    };
    Ok(editor::folds(&asked.document).iter().filter_map(fold).collect())
}

fn tokens(asked: &Asked) -> Answer {
    let words: Vec<(u32, u32, usize)> = editor::semantic_tokens(&asked.document, &asked.server.library)
        .into_iter()
        .filter_map(|(start, end, kind)| Some((start, end, TOKEN_KINDS.iter().position(|(k, _)| *k == kind)?)))
        .collect();
    Ok(json!({ "data": answers::tokens(asked.text, asked.server.encoding, &words) }))
}
