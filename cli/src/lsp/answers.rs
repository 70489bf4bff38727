//! What the server says, in the protocol's words.

use serde_json::{Value, json};
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::editor::{Analysis, Edit, ItemKind, Symbol, TOKEN_KINDS};
use tfm_lang::source::{FileId, Span};
use tfm_lang::syntax::ast::ItemKind as Declared;

use super::place::{library_file, uri_of};
use super::position::{Encoding, Lines};
use super::server::{Server, Text};

/// What the server can do.
pub fn capabilities(encoding: Encoding) -> Value {
    let kinds: Vec<&str> = TOKEN_KINDS.iter().map(|(_, name)| *name).collect();
    json!({
        "positionEncoding": encoding.name(),
        "textDocumentSync": { "openClose": true, "change": 2, "save": true },
        "hoverProvider": true,
        "inlayHintProvider": true,
        "completionProvider": { "triggerCharacters": [".", "|", ">", "(", ",", ":", "{"] },
        "signatureHelpProvider": { "triggerCharacters": ["(", ","] },
        "definitionProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "renameProvider": { "prepareProvider": true },
        "documentFormattingProvider": true,
        "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        "documentSymbolProvider": true,
        "foldingRangeProvider": true,
        "semanticTokensProvider": {
            "legend": { "tokenTypes": kinds, "tokenModifiers": [] },
            "full": true,
        },
    })
}

/// The diagnostics of a document. What is wrong in a file that it imports stands at the import.
pub fn diagnostics(server: &Server, uri: &str, text: &Text) -> Vec<Value> {
    let Some(analysis) = &text.analysis else { return Vec::new() };
    analysis.diagnostics.iter().map(|d| diagnostic(server, uri, text, analysis, d)).collect()
}

/// One diagnostic.
pub fn diagnostic(server: &Server, uri: &str, text: &Text, analysis: &Analysis, d: &Diagnostic) -> Value {
    let mut message = d.message.clone();
    let mut span = d.span();
    if span.file != analysis.main {
        let file = analysis.sources.get(span.file);
        let (line, column) = analysis.sources.line_column(span);
        message = format!("{}:{line}:{column}: {message}", file.name);
        span = import_of(analysis, span.file);
    }
    let first = &d.labels[0].text;
    let told = Some(first).filter(|t| !t.is_empty()).into_iter().chain(&d.notes);
    message.extend(told.map(|line| format!("\n{line}")));
    if let Some(help) = &d.help {
        message += &format!("\nhelp: {help}");
    }
    let related: Vec<Value> = d.labels[1..]
        .iter()
        .filter_map(|label| {
            let location = location(server, uri, text, analysis, label.span)?;
            Some(json!({ "location": location, "message": label.text }))
        })
        .collect();
    json!({
        "range": text.lines.range(&text.text, span),
        "severity": if d.severity == Severity::Error { 1 } else { 2 },
        "code": d.code,
        "source": "tfm",
        "message": message,
        "relatedInformation": related,
    })
}

/// The import of a file; the start of the text where another import led there.
fn import_of(analysis: &Analysis, file: FileId) -> Span {
    let name = analysis.sources.get(file).name.trim_end_matches(".tfm").replace('/', ".");
    let (main, _) = tfm_lang::syntax::parse(&analysis.sources, analysis.main);
    let found = main.items.iter().find(|item| match &item.kind {
        Declared::Import { path, .. } => path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".") == name,
        _ => false,
    });
    found.map_or(Span { file: analysis.main, start: 0, end: 0 }, |item| item.span)
}

/// A place of a check, wherever it is.
fn location(server: &Server, uri: &str, text: &Text, analysis: &Analysis, span: Span) -> Option<Value> {
    if span.file == analysis.main {
        return Some(json!({ "uri": uri, "range": text.lines.range(&text.text, span) }));
    }
    let file = analysis.sources.get(span.file);
    let path = match file.library {
        true => library_file(&server.folder, &file.name, &file.text).ok()?,
        false => text.path.as_ref()?.parent()?.join(&file.name),
    };
    let lines = Lines::new(&file.text, server.encoding);
    Some(json!({ "uri": uri_of(&path), "range": lines.range(&file.text, span) }))
}

/// Edits of a text.
pub fn edits(text: &Text, edits: &[Edit]) -> Value {
    let one = |edit: &Edit| json!({ "range": text.lines.range(&text.text, edit.span), "newText": edit.text });
    edits.iter().map(one).collect()
}

/// A symbol with those inside.
pub fn symbol(text: &Text, symbol: &Symbol) -> Value {
    let kind = match symbol.kind {
        "layer" | "model" | "optimizer" => 5,
        "param" | "column" => 8,
        "const" | "dim" => 14,
        "data" => 19,
        "train" | "test" => 24,
        _ => 12,
    };
    let children: Vec<Value> = symbol.children.iter().map(|child| self::symbol(text, child)).collect();
    let name = if symbol.name.is_empty() { symbol.kind } else { &symbol.name };
    json!({
        "name": name,
        "detail": symbol.detail,
        "kind": kind,
        "range": text.lines.range(&text.text, symbol.span),
        "selectionRange": text.lines.range(&text.text, symbol.place),
        "children": children,
    })
}

/// The protocol's number for a completion's picture.
pub fn picture(kind: ItemKind) -> u32 {
    match kind {
        ItemKind::Keyword => 14,
        ItemKind::Function => 3,
        ItemKind::Class => 7,
        ItemKind::Variable => 6,
        ItemKind::Field => 5,
        ItemKind::Parameter => 10,
        ItemKind::Module => 9,
        ItemKind::Setting => 10,
        ItemKind::Type => 25,
    }
}

/// Words as the protocol packs them: each told from the one before.
pub fn tokens(text: &Text, encoding: Encoding, words: &[(u32, u32, usize)]) -> Vec<u32> {
    let mut packed = Vec::with_capacity(words.len() * 5);
    let (mut line, mut column) = (0, 0);
    for &(start, end, kind) in words {
        let (at, character) = text.lines.position(&text.text, start);
        let length = encoding.length(&text.text[start as usize..end as usize]);
        let from = if at == line { character - column } else { character };
        packed.extend([at - line, from, length, kind as u32, 0]);
        (line, column) = (at, character);
    }
    packed
}
