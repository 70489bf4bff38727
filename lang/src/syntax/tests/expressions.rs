//! How expressions group, and where statements end.

use super::parsed;
use crate::source::Sources;
use crate::syntax::ast::{AxisExpr, Block, EinTerm, Expr, ExprKind, IndexItem, ItemKind, StmtKind, TypeKind, UnaryOp};
use crate::syntax::parse_expression;

fn list<'a>(values: impl IntoIterator<Item = &'a Expr>) -> String {
    values.into_iter().map(tree).collect::<Vec<_>>().join(" ")
}

fn block(block: &Block) -> String {
    let each = block.statements.iter().map(|s| match &s.kind {
        StmtKind::Expr(value) => tree(value),
        StmtKind::Let(_, value) => format!("let {}", tree(value)),
        other => format!("{other:?}"),
    });
    format!("{{{}}}", each.collect::<Vec<_>>().join("; "))
}

fn index(item: &IndexItem) -> String {
    match item {
        IndexItem::At(value) => tree(value),
        IndexItem::Slice(a, b, _) => format!("{}:{}", list(a), list(b)),
        IndexItem::Rest(_) => "..".to_string(),
    }
}

fn term(term: &EinTerm) -> String {
    match term {
        EinTerm::Axis(name) => name.text.to_string(),
        EinTerm::Size(n, _) => n.to_string(),
        EinTerm::Group(inner, _) => format!("({})", inner.iter().map(self::term).collect::<Vec<_>>().join(" ")),
        EinTerm::Rest(_) => "..".to_string(),
    }
}

/// An expression with a bracket around each application.
fn tree(e: &Expr) -> String {
    match &*e.kind {
        ExprKind::Int(n) => n.to_string(),
        ExprKind::Float(n) => format!("{n:?}"),
        ExprKind::Str(text) => format!("{text:?}"),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Duration(n, unit) => format!("{n} {unit:?}"),
        ExprKind::Bytes(n) => format!("{n} bytes"),
        ExprKind::Name(name) => name.to_string(),
        ExprKind::Field(of, name) => format!("{}.{}", tree(of), name.text),
        ExprKind::Call(f, args) => {
            let args = args.iter().map(|a| match &a.name {
                Some(name) => format!("{}={}", name.text, tree(&a.value)),
                None => tree(&a.value),
            });
            format!("{}({})", tree(f), args.collect::<Vec<_>>().join(" "))
        }
        ExprKind::Index(of, items) => {
            format!("{}[{}]", tree(of), items.iter().map(index).collect::<Vec<_>>().join(" "))
        }
        ExprKind::Unary(UnaryOp::Neg, of) => format!("(- {})", tree(of)),
        ExprKind::Unary(UnaryOp::Not, of) => format!("(not {})", tree(of)),
        ExprKind::Binary(op, _, a, b) => format!("({op:?} {} {})", tree(a), tree(b)),
        ExprKind::Pipe(a, b) => format!("({} |> {})", tree(a), tree(b)),
        ExprKind::If { condition, then, otherwise } => {
            let other = otherwise.as_ref().map(|b| format!(" else {}", block(b))).unwrap_or_default();
            format!("if {} {}{other}", tree(condition), block(then))
        }
        ExprKind::Loop { scan, carries, each, body } => format!(
            "{} {} for {} in {} until {} axis {} {}",
            if *scan { "scan" } else { "fold" },
            carries.iter().map(|(n, e)| format!("{}={}", n.text, tree(e))).collect::<Vec<_>>().join(" "),
            each.names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(" "),
            tree(&each.over),
            list(&each.until),
            list(&each.axis),
            block(body)
        ),
        ExprKind::Placed(device, body) => format!("on {} {}", tree(device), block(body)),
        ExprKind::Lambda(params, body) => format!("fn/{} {}", params.len(), block(body)),
        ExprKind::List(values) => format!("[{}]", list(values)),
        ExprKind::ListFor(value, each) => {
            format!("[{} for {} in {}]", tree(value), each.names[0].text, tree(&each.over))
        }
        ExprKind::Tuple(values) => format!("<{}>", list(values)),
        ExprKind::Einops(e) => {
            let side = |terms: &[EinTerm]| terms.iter().map(term).collect::<Vec<_>>().join(" ");
            let inputs = e.inputs.iter().map(|i| side(i)).collect::<Vec<_>>().join(", ");
            format!("`{inputs} -> {}`", e.output.as_deref().map(side).unwrap_or_default())
        }
        ExprKind::Type(ty) => match &ty.kind {
            TypeKind::Tensor { dtype, axes, .. } => {
                let axes = axes.iter().map(|axis| match axis {
                    AxisExpr::Rest(e) => format!("..{}", tree(e)),
                    AxisExpr::Dim(e) => tree(e),
                });
                format!("{}<{}>", dtype.text, axes.collect::<Vec<_>>().join(" "))
            }
            other => format!("{other:?}"),
        },
    }
}

#[track_caller]
fn groups(text: &str, expected: &str) {
    let mut sources = Sources::default();
    let id = sources.add("expression", text, false);
    let got = parse_expression(&sources, id).map(|e| tree(&e)).unwrap_or_else(|d| format!("{}: {}", d.code, d.message));
    assert_eq!(got, expected, "{text}");
}

#[test]
fn operators_bind_as_the_reference_says() {
    groups("-x ^ 2", "(- (Pow x 2))");
    groups("x ^ -1 * y", "(Mul (Pow x (- 1)) y)");
    groups("a ^ b ^ c", "(Pow a (Pow b c))");
    groups("a - b - c", "(Sub (Sub a b) c)");
    groups("a + b * c @ d / e % f", "(Add a (Rem (Div (MatMul (Mul b c) d) e) f))");
    groups("2 * -x + 1", "(Add (Mul 2 (- x)) 1)");
    groups("- - x", "(- (- x))");
    groups("a == not b", "(Equal a (not b))");
    groups("not a == b and c or d", "(Or (And (not (Equal a b)) c) d)");
    groups("a or b and not c", "(Or a (And b (not c)))");
    groups("a + 1 <= b * 2", "(LessEqual (Add a 1) (Mul b 2))");
    groups("(a < b) == c", "(Equal (Less a b) c)");
    groups("a < b and b < c", "(And (Less a b) (Less b c))");
    groups("a + b |> f |> g(1) |> m.h", "((((Add a b) |> f) |> g(1)) |> m.h)");
    groups("f(x).mu[0](y)", "f(x).mu[0](y)");
    groups("a -b", "(Sub a b)");
    groups("iffy + in_y * notx", "(Add iffy (Mul in_y notx))");
}

#[test]
fn literals() {
    groups("1_000", "1000");
    groups("1e-3 + 1_0.5e2", "(Add 0.001 1050.0)");
    groups("\"a\\t\\\"\\\\ é\"", "\"a\\t\\\"\\\\ é\"");
    groups("f(5 epochs, 1 step, 2.5 hours)", "f(5 Epochs 1 Steps 2.5 Hours)");
    groups("[1, 2,]", "[1 2]");
    groups("[\n  [1, 2], // first\n  [3, 4],\n]", "[[1 2] [3 4]]");
    groups("(a, b)", "<a b>");
    groups("(a)", "a");
    groups("[]", "[]");
    groups("true", "true");
    groups("tanh([0, 1])", "tanh([0 1])");
}

#[test]
fn forms() {
    groups("x[:, 0, .., -1, 2:, :n + 1, a:b]", "x[: 0 .. (- 1) 2: :(Add n 1) a:b]");
    groups("f32[B, 3 * n, ..S, ..reduced(S, axis, keep)]", "f32<B (Mul 3 n) ..S ..reduced(S axis keep)>");
    groups("f32(x) + label[0]", "(Add f32(x) label[0])");
    groups("rearrange(x, `b t (h 2) .. -> b h t d`, h: 8)", "rearrange(x `b t (h 2) .. -> b h t d` h=8)");
    groups("einsum(`b h d, b k -> b`, q, k)", "einsum(`b h d, b k -> b` q k)");
    groups("[e(i) for i in 0..26]", "[e(i) for i in 0]");
    groups(
        "fold h = (x |> f) for i in 1..n - 1 { h |> g }",
        "fold h=(x |> f) for i in 1 until (Sub n 1) axis  {(h |> g)}",
    );
    groups(
        "scan h = a, c = b for (p, q) in (x, y) axis 1 { let z = h; (z, c) }",
        "scan h=a c=b for p q in <x y> until  axis 1 {let h; <z c>}",
    );
    groups("if a { b } else if c { d } else { e }", "if a {b} else {if c {d} else {e}}");
    groups("on job(\"ps\", task: i) { x }", "on job(\"ps\" task=i) {x}");
    groups("on cpu { fn(y, z: int = 3) { y } }", "on cpu {fn/2 {y}}");
    groups("f(every: 1 epoch, for: 3)", "f(every=1 Epochs for=3)");
}

#[test]
fn an_expression_is_the_whole_text() {
    groups("", "E0101: a value was expected, and there is none");
    groups("a\nb", "E0101: a second value, where one was expected");
    groups("a b", "E0101: `b` cannot stand here");
    groups("a }", "E0103: this `}` closes nothing");
    groups("f(", "E0102: this `(` is never closed");
    groups("f(fn(y) { y z })", "E0101: `z` cannot stand here");
}

/// The statements of a body.
#[track_caller]
fn statements(text: &str, expected: &[&str]) {
    let (_, file, diagnostics) = parsed(&format!("fn f(x: f32[]) {{\n{text}\n}}"));
    assert_eq!(diagnostics, []);
    let ItemKind::Callable(f) = &file.items[0].kind else { panic!("{:?}", file.items) };
    let got = block(f.body.as_ref().unwrap());
    assert_eq!(got, format!("{{{}}}", expected.join("; ")), "{text}");
}

#[test]
fn where_statements_end() {
    statements("x\n- y", &["(Sub x y)"]);
    statements("x\n-y", &["x", "(- y)"]);
    statements("x\n  // a comment\n\n  + y", &["(Add x y)"]);
    statements("x +\n\n  y", &["(Add x y)"]);
    statements("let a =\n  b\na", &["let b", "a"]);
    statements("x\n|> f\n|>g", &["((x |> f) |> g)"]);
    statements("x; y // z\nz", &["x", "y", "z"]);
    statements("f(x,\n  y\n)\n(z)", &["f(x y)", "z"]);
    statements("f\n[z]", &["f", "[z]"]);
    statements("if a { b }\nelse { c }\nd", &["if a {b} else {c}", "d"]);
    statements("a\nand b", &["(And a b)"]);
    statements("a and\nb", &["(And a b)"]);
    statements("android\norb", &["android", "orb"]);
    statements("x\r\n- y\r\nz\r\n", &["(Sub x y)", "z"]);
    statements("let s = if a { x } else {\n  x |> f\n}\ns", &["let if a {x} else {(x |> f)}", "s"]);
}

#[test]
fn command_words_are_names_elsewhere() {
    statements("let report = x\nreport - 1", &["let x", "(Sub report 1)"]);
    statements("let state = x\nlet step = state\nstate + step", &["let x", "let state", "(Add state step)"]);
    let (_, file, diagnostics) = parsed("train t on d { minimize -x; report -a, b }");
    assert_eq!(diagnostics, []);
    let ItemKind::Train { body, .. } = &file.items[0].kind else { panic!() };
    assert!(matches!(&body.statements[0].kind, StmtKind::Minimize { loss, .. } if tree(loss) == "(- x)"));
    assert!(matches!(&body.statements[1].kind, StmtKind::Report(values) if list(values) == "(- a) b"));
}

#[test]
fn docs_and_spans() {
    let text = "// é\n/// One.\n///\n///  Two é.\nfn f(x: f32[..S]) -> f32[..S] { x }\ngrad { dy }\n\n//// no\nconst a = (1 + 2)\n";
    let (sources, file, diagnostics) = parsed(text);
    assert_eq!(diagnostics, []);
    assert_eq!(file.items[0].doc, ["One.", "", " Two é."]);
    assert!(file.items[1].doc.is_empty());
    assert_eq!(sources.text(file.items[0].span), "fn f(x: f32[..S]) -> f32[..S] { x }\ngrad { dy }");
    let ItemKind::Callable(f) = &file.items[0].kind else { panic!() };
    assert_eq!(sources.text(f.head), "fn f(x: f32[..S]) -> f32[..S]");
    assert_eq!(sources.text(f.body.as_ref().unwrap().span), "{ x }");
    let ItemKind::Const(name, value) = &file.items[1].kind else { panic!() };
    assert_eq!((sources.text(name.span), sources.text(value.span)), ("a", "(1 + 2)"));
}
