//! `test "…" { … }`: its statements as one body that can be run, and what is claimed of the values in it.
//!
//! A test is evaluated as any other text, with `training` false; what its layers and models make starts as
//! declared. What can be decided here is (`expect shape(y) == [2, 3]`), the rest is left to whoever runs the
//! body. **Invariant:** a test without diagnostics needs no input and no size that is not known.

mod claims;
mod gradient;

use super::elab::{Elab, Res};
use super::program::Program;
use super::value::Env;
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Rules, ValueId, VarId, Variable};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Block, Stmt, StmtKind, StringLit};
use std::sync::Arc;

/// The code of a claim that does not hold.
pub const FAILED: &str = "E0701";

/// A `test` declaration, or an example of a doc comment, written out.
pub struct Test {
    /// The text after `test`; for an example what it is an example of.
    pub name: String,
    /// The place of the name, or of the example.
    pub span: Span,
    /// For the line `example: f(x) is y` of a doc comment: its text.
    pub example: Option<String>,
    /// What is wrong with it; then it cannot be run.
    pub diagnostics: Vec<Diagnostic>,
    /// What its layers, models and metrics made; the body reads them by their places in this list.
    pub variables: Vec<Variable>,
    /// The operations; no inputs.
    pub body: Body,
    /// What is expected, in the order of the text.
    pub claims: Vec<Claim>,
    /// The gradients of primitives.
    pub rules: Arc<dyn Rules + Send + Sync>,
}

/// What one `expect` says.
pub struct Claim {
    /// The statement.
    pub span: Span,
    /// What must hold.
    pub kind: ClaimKind,
}

/// The forms of a claim.
pub enum ClaimKind {
    /// Decided by the check: why it does not hold, or nothing.
    Decided(Option<Box<Diagnostic>>),
    /// Every element of a tensor of truths.
    True {
        /// The truths.
        condition: ValueId,
        /// What was compared, of the same shape, and the sign between.
        sides: Option<(ValueId, &'static str, ValueId)>,
    },
    /// Two tensors of one shape, nearly the same.
    Close {
        /// The first argument.
        got: ValueId,
        /// The second.
        want: ValueId,
        /// How far apart they may be, times 1 or the size of the second, whichever is more; without it what
        /// the dtype can tell apart.
        tolerance: Option<f64>,
    },
    /// A gradient agrees with differences.
    Gradient(Box<GradientClaim>),
}

/// A scalar made from what a function gives, with its arguments as parameters: its derivatives are compared
/// with central differences.
pub struct GradientClaim {
    /// Those of the test, and one for each floating argument.
    pub variables: Vec<Variable>,
    /// The operations.
    pub body: Body,
    /// The scalar.
    pub loss: ValueId,
    /// In what it is differentiated.
    pub parameters: Vec<VarId>,
    /// The gradients of primitives.
    pub rules: Arc<dyn Rules + Send + Sync>,
}

/// A `test` as parsed.
pub(super) struct TestItem {
    pub file: FileId,
    pub title: StringLit,
    pub block: Block,
}

/// Writes a test out. `file` is the one whose names it sees.
pub(super) fn elaborate(program: &Arc<Program>, item: &TestItem, file: FileId) -> Test {
    let mut e = Elab::for_test(program, item.title.span, None);
    let mut env = Env::new(file);
    let mut claims = Vec::new();
    for statement in &item.block.statements {
        // What failed was reported.
        let _ = e.test_statement(&mut env, statement, &mut claims);
    }
    let says_nothing =
        item.block.statements.iter().all(|s| !matches!(s.kind, StmtKind::Expect(..) | StmtKind::Error(_)));
    if says_nothing {
        let d = Diagnostic::error("E0702", item.title.span, "this test expects nothing")
            .help("write what must hold, `expect shape(y) == [2, 3]`");
        e.fail(d);
    }
    e.into_test(item.title.text.clone(), item.title.span, None, claims)
}

impl Elab {
    /// An elaborator for the text of a test.
    pub fn for_test(program: &Arc<Program>, place: Span, float: Option<crate::types::DType>) -> Elab {
        let mut e = Elab::new(program.clone());
        e.training = false;
        e.testing = true;
        e.frame(None, place, float);
        e
    }

    /// What was evaluated as it leaves the checker.
    pub fn into_test(mut self, name: String, span: Span, example: Option<String>, claims: Vec<Claim>) -> Test {
        let mut body = std::mem::take(&mut self.body);
        self.finish_body(&mut body);
        let mut variables = std::mem::take(&mut self.variables);
        variables.iter_mut().for_each(|v| self.finish_variable(v));
        let rules = Arc::new(super::update::Library { program: self.program.clone(), optimizers: Vec::new() });
        Test { name, span, example, diagnostics: self.diagnostics, variables, body, claims, rules }
    }

    fn test_statement(&mut self, env: &mut Env, s: &Stmt, claims: &mut Vec<Claim>) -> Res<()> {
        match &s.kind {
            StmtKind::Expect(e, block) => {
                let kind = self.claim(env, e, block.as_ref())?;
                claims.push(Claim { span: s.span, kind });
                Ok(())
            }
            StmtKind::Expr(e) => {
                self.eval(env, e)?;
                let d = Diagnostic::error("E0504", e.span, "nobody uses this value")
                    .help("name it with `let`, or say what you expect of it with `expect`");
                Err(self.fail(d))
            }
            _ => self.statement(env, s, 0, false).map(|_| ()),
        }
    }
}
