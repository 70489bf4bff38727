//! Files with mistakes: what is shown, and where.
//!
//! In each text `‹` and `›` stand around the place of an error; they are taken out before it is parsed.

use super::parsed;
use crate::diagnostic::render::render_plain;
use crate::syntax::ast::{ItemKind, StmtKind};

/// Checks that exactly these errors are shown, code and message, at the marked places in their order.
#[track_caller]
fn shows(marked: &str, expected: &[(&str, &str)]) {
    let mut text = String::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for c in marked.chars() {
        match c {
            '‹' => places.push((text.len(), text.len())),
            '›' => places.last_mut().unwrap().1 = text.len(),
            c => text.push(c),
        }
    }
    let (sources, _, diagnostics) = parsed(&text);
    let got: Vec<(&str, &str)> = diagnostics.iter().map(|d| (d.code, d.message.as_str())).collect();
    assert_eq!(got, expected, "\n{}", render_plain(&sources, &diagnostics));
    let at: Vec<(usize, usize)> =
        diagnostics.iter().map(|d| (d.span().start as usize, d.span().end as usize)).collect();
    assert_eq!(at, places, "\n{}", render_plain(&sources, &diagnostics));
}

/// The same for a statement in a layer, between statements that are right and must stay.
#[track_caller]
fn statement(marked: &str, expected: &[(&str, &str)]) {
    shows(&format!("layer L(n: int)(x) {{\n  let before = x\n  {marked}\n  let after = x\n  after\n}}\n"), expected);
    let text = marked.replace(['‹', '›'], "");
    let (_, file, _) =
        parsed(&format!("layer L(n: int)(x) {{\n  let before = x\n  {text}\n  let after = x\n  after\n}}\n"));
    let ItemKind::Callable(layer) = &file.items[0].kind else { panic!("the layer is lost") };
    let kinds: Vec<&StmtKind> = layer.body.iter().flat_map(|b| &b.statements).map(|s| &s.kind).collect();
    assert!(matches!(kinds.first(), Some(StmtKind::Let(..))), "{kinds:?}");
    assert!(matches!(kinds.last(), Some(StmtKind::Expr(_))), "{kinds:?}");
    assert!(kinds.iter().any(|k| matches!(k, StmtKind::Error(_))), "{kinds:?}");
}

#[test]
fn a_token_that_cannot_stand_there() {
    let cannot = |token: &str| format!("`{token}` cannot stand here");
    statement("let y = f(x ‹n›)", &[("E0101", &cannot("n"))]);
    statement("let y = x + ‹*› n", &[("E0101", &cannot("*"))]);
    statement("let y ‹3›", &[("E0101", &cannot("3"))]);
    statement("let y = [1, 2 ‹3›]", &[("E0101", &cannot("3"))]);
    statement("let y = f(x, ‹,› n)", &[("E0101", &cannot(","))]);
    statement("let y = (x, n‹]›", &[("E0101", &cannot("]"))]);
    statement("let y = f(x)‹)›", &[("E0101", &cannot(")"))]);
    statement("let y = f(x,\n    n ‹m›,\n    3)", &[("E0101", &cannot("m"))]);
    statement("let y = if n ‹=› 3 { x } else { x }", &[("E0101", &cannot("="))]);
    statement("y ‹=› 3", &[("E0101", &cannot("="))]);
    statement("return ‹x›", &[("E0101", &cannot("x"))]);
    statement("param w ‹f32›[n]", &[("E0101", &cannot("f32"))]);
    statement("let y = fold h = x for i ‹0›..3 { h }", &[("E0101", &cannot("0"))]);
    statement("let y = x[1, :‹:›]", &[("E0101", &cannot(":"))]);
    statement("let y = x |> ‹3›", &[("E0101", "after `|>` stands something that can be applied")]);
}

#[test]
fn text_that_ends_too_early() {
    let early = [("E0101", "this ends too early")];
    statement("let y ‹=›", &early);
    statement("let y = x ‹+›", &early);
    statement("let y = x ‹|>›", &early);
    statement("param ‹w›", &early);
    shows("const ‹a›\nconst b = 2", &early);
    shows("model M(x: f32[B]) ‹->›\n\nconst b = 2", &early);
}

#[test]
fn brackets() {
    let never = |bracket: &str| format!("this `{bracket}` is never closed");
    statement("let y = f‹(›x, [1, 2]", &[("E0102", &never("("))]);
    statement("let y = f(x, ‹[›1, 2)", &[("E0102", &never("["))]);
}

#[test]
fn braces() {
    let open = [("E0102", "this `{` is never closed")];
    let closes_nothing = [("E0103", "this `}` closes nothing")];
    shows("layer A(n: int)(x) ‹{›\n  let y = x\n  y\n\nconst b = 2\n", &open);
    shows("layer A(n: int)(x) ‹{›\n  let y = x\n  y\n", &open);
    // The inner one is to blame: the `}` at the first column was meant for the layer.
    shows("layer A(n: int)(x) {\n  if n == 1 ‹{›\n    x\n}\n\nmodel M(x: f32[B]) { x }\n", &open);
    shows("layer A(n: int)(x) {\n  x\n}\n‹}›\nconst b = 2\n", &closes_nothing);
    shows("layer A(n: int)(x) {\n  let y = x }\n  y\n‹}›\nconst b = 2\n", &closes_nothing);
    shows("‹}›", &closes_nothing);
    shows("‹{›", &[("E0102", "this `{` is never closed")]);
}

#[test]
fn an_open_declaration_keeps_its_statements() {
    let (_, file, _) = parsed("layer A(n: int)(x) {\n  let y = x\n  y\n\nconst b = 2\n");
    let [first, second] = file.items.as_slice() else { panic!("{:?}", file.items) };
    let ItemKind::Callable(layer) = &first.kind else { panic!("{first:?}") };
    assert_eq!(layer.body.as_ref().map(|b| b.statements.len()), Some(2));
    assert!(matches!(&second.kind, ItemKind::Const(..)));
}

#[test]
fn words_and_signs() {
    statement("let ‹in› = 3", &[("E0106", "`in` is a word of the language")]);
    statement("let (a, ‹fold›) = x", &[("E0106", "`fold` is a word of the language")]);
    shows("fn ‹if›(x: f32[]) { x }", &[("E0106", "`if` is a word of the language")]);
    statement("let y = x ‹&›& n", &[("E0109", "`&` is not a sign of the language")]);
    statement("let y = ‹'›text'", &[("E0109", "`'` is not a sign of the language")]);
    statement("let y = n ‹×› 2", &[("E0109", "the character `×` (U+00D7) cannot stand here")]);
    statement("let y = ‹\0›", &[("E0109", "the character `\u{fffd}` (U+0000) cannot stand here")]);
    statement("let y = warm(‹1epoch›)", &[("E0108", "`1epoch` is not a number")]);
    statement("let y = ‹3x›", &[("E0108", "`3x` is not a number")]);
    statement("let y = ‹99999999999999999999›", &[("E0111", "this number does not fit")]);
    statement("let y = ‹1e999›", &[("E0111", "this number does not fit")]);
}

#[test]
fn quotes() {
    statement("let y = f(‹\"text›", &[("E0104", "this text is never closed")]);
    statement("let y = rearrange(x, ‹`b c -> c b, n)›", &[("E0104", "this pattern is never closed")]);
    statement("let y = f(\"a‹\\q›\")", &[("E0104", "`\\q` means nothing in a text")]);
    statement("let y = e(`b ‹(›c d -> b`, x)", &[("E0112", "this `(` is never closed")]);
    statement("let y = e(`b c -> b ‹->› c`, x)", &[("E0112", "a pattern has one `->`")]);
    statement("let y = e(`b (c ‹(›d e)) -> b`, x)", &[("E0112", "groups of a pattern do not stand in each other")]);
}

#[test]
fn forms_that_other_languages_have() {
    statement("let y = 0 < n ‹<› 3", &[("E0105", "comparisons do not chain")]);
    statement("let y = x[0‹..›3]", &[("E0107", "a slice is written with `:`")]);
    statement("let y = x[n‹..›]", &[("E0107", "a slice is written with `:`")]);
    shows("‹modle› M(x: f32[B]) { x }", &[("E0114", "`modle` does not begin a declaration")]);
    shows(
        "‹def› f(x) {\n  let y = x ‹y›\n}",
        &[("E0114", "`def` does not begin a declaration"), ("E0101", "`y` cannot stand here")],
    );
    shows("‹let› x = 3\nx + 1\nconst b = 2", &[("E0114", "a declaration was expected here")]);
    shows("layer Foo(x) ‹{›\n  x\n}", &[("E0101", "`{` cannot stand here")]);
    shows("model M(x: f32[B])\n‹{›\n  x\n}", &[("E0101", "this `{` stands on a line of its own")]);
}

#[test]
fn commands_in_the_wrong_place() {
    statement("‹minimize› x", &[("E0113", "`minimize` cannot stand here")]);
    statement("‹batch›: 3", &[("E0113", "a setting cannot stand here")]);
    shows("train t on d { if a { ‹report› x } }", &[("E0113", "`report` cannot stand here")]);
    shows("train t on d { ‹param› w: f32[] }", &[("E0113", "`param` cannot stand here")]);
    shows(
        "train t on d {\n  ‹evaluate› d.test\n  every 1 epoch { ‹minimize› x }\n}",
        &[("E0113", "`evaluate` cannot stand here"), ("E0113", "`minimize` cannot stand here")],
    );
}

#[test]
fn several_mistakes_are_several_errors() {
    let text = "\
import std.layers.{Dense ‹Conv›}

data d = csv(\"a.csv\") {
  age: f32
  job ‹category›
}

layer Block(n: int)(x) {
  let y = fold h = x for i in 0..n {
    let a = h ‹h›
    let b = a + ‹)›
    b
  }
  let ‹for› = y
  y
}

model M(x: f32‹[›) -> f32[B] {
  let z = ‹&›
}

train t on d.train {
  minimize M(age) ‹M›
  epochs: ‹3epochs›
}
";
    shows(
        text,
        &[
            ("E0101", "`Conv` cannot stand here"),
            ("E0101", "`category` cannot stand here"),
            ("E0101", "`h` cannot stand here"),
            ("E0101", "`)` cannot stand here"),
            ("E0106", "`for` is a word of the language"),
            ("E0102", "this `[` is never closed"),
            ("E0109", "`&` is not a sign of the language"),
            ("E0101", "`M` cannot stand here"),
            ("E0108", "`3epochs` is not a number"),
        ],
    );
}

#[test]
fn error_nodes_keep_the_names() {
    let (_, file, _) = parsed(
        "import a.{B, C D}\ndata d = = 3\nlayer Foo(x: = ) { x }\ntrain t onn d { }\n\
         train u on d {\n  let (a, b) = x x\n  let c = if a { let inner = 3 3 } else b\n  batch: 3 3\n  param w = =\n}",
    );
    let names =
        |names: &[crate::syntax::ast::Name]| names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(" ");
    let items: Vec<String> = file
        .items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Error(bound) => names(bound),
            ItemKind::Train { body, .. } => {
                let each = body.statements.iter().map(|s| match &s.kind {
                    StmtKind::Error(bound) => names(bound),
                    other => panic!("{other:?}"),
                });
                each.collect::<Vec<_>>().join(", ")
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(items, ["a B C D", "d", "Foo", "t", "a b, c, batch, w"]);
}
