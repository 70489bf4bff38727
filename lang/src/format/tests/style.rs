//! What the style is, a case each.

use super::formatted;
use crate::format::Refused;

/// Formats, and formats what came out.
#[track_caller]
fn check(text: &str, expected: &str) {
    let made = formatted(text).unwrap_or_else(|refused| panic!("{refused:?}\n{text}"));
    assert_eq!(made, expected, "\n{made}");
    assert_eq!(formatted(&made).unwrap(), made);
}

/// Lines of a function's body.
#[track_caller]
fn body(text: &str, expected: &str) {
    check(&format!("fn f(x: f32[]) {{\n{text}\n}}"), &format!("fn f(x: f32[]) {{\n{expected}\n}}\n"));
}

#[test]
fn blanks() {
    body("x+y*-z ^2-( a )[0]", "  x + y * -z ^ 2 - (a)[0]");
    body("f( a,b:1 ,c : g(d)[ : , 0 ,..,2 :, a:b ] )", "  f(a, b: 1, c: g(d)[:, 0, .., 2:, a:b])");
    body("let (a,b)=split(x,2,axis:-1); a@b", "  let (a, b) = split(x, 2, axis: -1)\n  a @ b");
    body("if(a and not b){x}else{y}", "  if (a and not b) { x } else { y }");
    body("let s=[f(i)for i in 0 .. n-1]\ns", "  let s = [f(i) for i in 0..n - 1]\n  s");
    body("x|>f|>g (1)|>m.h", "  x |> f |> g(1) |> m.h");
    body("zeros([B,3 * n],f32)", "  zeros([B, 3 * n], f32)");
    body("rearrange(x,`b  t -> t b`)", "  rearrange(x, `b  t -> t b`)");
    body("m<-m+1\nyield(a,b)", "  m <- m + 1\n  yield (a, b)");
    body("x<y\nand -z>=1", "  x < y and -z >= 1");
    body("fn( y ){y}(x)", "  fn(y) { y }(x)");
    body(
        "scan h=x for (a,b) in(y,z) axis -1{yield a;b}",
        "  scan h = x for (a, b) in (y, z) axis -1 {\n    yield a\n    b\n  }",
    );
    check("import std.layers.{ Dense,Conv2d }\n", "import std.layers.{Dense, Conv2d}\n");
    check("const a=1\r\nconst b=2\r\n", "const a = 1\r\nconst b = 2\r\n");
    check("", "");
    check("\u{feff}const a=1", "const a = 1\n");
}

#[test]
fn commands() {
    check(
        "train t on d{minimize (1-a)*b over N with Adam(1e-3)\nreport -a , b\nbatch:64\nepochs : 3\n\n\nat end{}\nevery 1 epoch{evaluate d.test}\nstop when test.loss stalls for 3 epochs}",
        "train t on d {\n  minimize (1 - a) * b over N with Adam(1e-3)\n  report   -a, b\n  batch:  64\n  epochs: 3\n\n  at end        {}\n  every 1 epoch { evaluate d.test }\n  stop when test.loss stalls for 3 epochs\n}\n",
    );
    check("train t on d { report - a }", "train t on d { report - a }\n");
    check("const c = 1 + report - 1", "const c = 1 + report - 1\n");
}

#[test]
fn columns() {
    body("let a=1\nlet bcd =2\nlet e = f(\n3)", "  let a   = 1\n  let bcd = 2\n  let e   = f(3)");
    body("let a=1\nlet much_too_long =2\na", "  let a = 1\n  let much_too_long = 2\n  a");
    body("let a=1\n\nlet bcd =2\na", "  let a = 1\n\n  let bcd = 2\n  a");
    body(
        "param w:float[I,units]=zeros()\nparam bias : float[units]= zeros()\nw",
        "  param w:    float[I, units] = zeros()\n  param bias: float[units]    = zeros()\n  w",
    );
    check("dim T=4\nconst width=8\n", "dim   T     = 4\nconst width = 8\n");
    check("dim T=4\nconst vocabulary=8\n", "dim T = 4\nconst vocabulary = 8\n");
    check(
        "data d = csv(\"a\"){\na: f32|>log1p\n\"long name\":skip\n}|>split(0.9)",
        "data d = csv(\"a\") {\n  a:           f32 |> log1p\n  \"long name\": skip\n} |> split(0.9)\n",
    );
    body("let a=1 // one\nlet bcd=22 //two\na", "  let a   = 1  // one\n  let bcd = 22 //two\n  a");
}

#[test]
fn long_lines() {
    let long = "a_rather_long_name_of_a_value";
    body(
        &format!("g({long}, {long}, {long}, {long}, {long})"),
        &format!("  g({long}, {long}, {long},\n    {long}, {long})"),
    );
    body(
        &format!("{long} + {long} * {long} + {long} - {long}"),
        &format!("  {long} + {long} * {long}\n    + {long} - {long}"),
    );
    body(
        &format!("let y = {long} |> {long} |> {long} |> {long} |> h\ny"),
        &format!("  let y = {long} |> {long} |> {long}\n            {}|> {long} |> h\n  y", " ".repeat(28)),
    );
    body(
        &format!("if {long} {{ {long}({long}) }} else {{ {long}({long}, x) }}"),
        &format!("  if {long} {{\n    {long}({long})\n  }} else {{\n    {long}({long}, x)\n  }}"),
    );
    check(
        &format!("layer L(a: int)\n(x: float[B, {long}], y: float[B]) -> float[B, a] {{ x }}"),
        &format!("layer L(a: int)(x: float[B, {long}], y: float[B]) -> float[B, a] {{ x }}\n"),
    );
    check(
        &format!(
            "layer L(a: int, {long}: int, b: int = 3)(x: float[B, {long}], {long}: float[B]) -> float[B, a] {{ x }}"
        ),
        &format!(
            "layer L(a: int, {long}: int, b: int = 3)\n       (x: float[B, {long}], {long}: float[B]) -> float[B, a] {{\n  x\n}}\n"
        ),
    );
    body("widths([\n1,\n2,\n])", "  widths([\n    1,\n    2,\n  ])");
}

#[test]
fn the_authors_breaks() {
    body("x\n|> f |> g\n|> h", "  x\n    |> f |> g\n    |> h");
    body("let y = x |> f\n|> g\ny", "  let y = x |> f\n            |> g\n  y");
    body("let y = x\n|> g\ny", "  let y = x\n          |> g\n  y");
    check("fn f(x: f32[]) { x }", "fn f(x: f32[]) { x }\n");
    check("fn f(x: f32[]) {\nx }\ngrad {dy}", "fn f(x: f32[]) {\n  x\n}\ngrad { dy }\n");
    check("const a = 1\nconst b = 2\n\n\n\nconst c = 3", "const a = 1\nconst b = 2\n\nconst c = 3\n");
    check("fn f() {\n1 }\nfn g() { 2 }\n", "fn f() {\n  1\n}\n\nfn g() { 2 }\n");
}

#[test]
fn comments_stay() {
    body(
        "x // a\n// b\n  |> f // c\n |> g(1, // d\n 2 // e\n)",
        "  x // a\n    // b\n    |> f    // c\n    |> g(1, // d\n         2  // e\n         )",
    );
    body("// a\nx\n// b", "  // a\n  x\n  // b");
    check("// a\n\n/// b\n\nconst c = 1 // d\n\n// e\n", "// a\n\n/// b\nconst c = 1 // d\n\n// e\n");
    check("fn f() { // a\n1 }\n", "fn f() { // a\n  1\n}\n");
    check("fn f() {\n// a\n}\n", "fn f() {\n  // a\n}\n");
    check("const a = [\n1, // a\n2,\n// b\n]\n", "const a = [\n  1, // a\n  2,\n  // b\n]\n");
    check("train t on d {\nlet a = 1; // a\nreport a }\n", "train t on d {\n  let a = 1 // a\n  report a\n}\n");
    check("const a = 1 + // a\n2\n", "const a = 1 + // a\n          2\n");
}

#[test]
fn what_does_not_parse_is_refused() {
    assert!(matches!(formatted("fn f( {"), Err(Refused::Broken(found)) if !found.is_empty()));
}
