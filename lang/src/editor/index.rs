//! Names of a file: where each is declared, where it is used, and where it can be seen. From the tree alone, so that
//! a file with mistakes has them too.

use std::collections::HashMap;

use super::library::{About, Library, about};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{
    Arg, AxisExpr, Block, Callable, Each, Expr, ExprKind, File, IndexItem, Item, ItemKind, Name, Param, Pattern,
    ResultType, Stmt, StmtKind, TypeExpr, TypeKind,
};

/// What kind of thing a declared name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A declaration of the file; its word is in its [`About`].
    Item,
    /// Brought in from another file.
    Import,
    /// A parameter of what is applied.
    Parameter,
    /// Bound by `let`, a loop or a comprehension.
    Local,
    /// `param` or `state`.
    Variable,
    /// A size that a type introduces, `B`.
    Size,
    /// A column of a data declaration.
    Column,
}

/// A declared name.
#[derive(Clone, Debug)]
pub struct Def {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Where it can be seen, from and until.
    pub seen: (u32, u32),
    /// For a declaration of the file.
    pub about: About,
    /// For a declaration its parameters; for data its columns.
    pub inner: Vec<usize>,
    /// The type as written.
    pub ty: Option<Span>,
}

/// What a word means.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A name that this file declares.
    Here(usize),
    /// A declaration of the library.
    Library(usize),
    /// A declaration of another file of the user's: its file and the place of the name there.
    Other(FileId, Span),
    /// A field of the data that a training is on.
    Field(String),
    /// A setting of `train`.
    Setting,
    /// An argument or part that is known by its name alone.
    Named,
    /// Nothing that is known.
    Unknown,
}

/// A word and what it means.
#[derive(Clone, Debug)]
pub struct Use {
    /// The word.
    pub span: Span,
    /// Its meaning.
    pub target: Target,
}

/// All names of a file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// What is declared.
    pub defs: Vec<Def>,
    /// All words, declarations too, in the order of the text.
    pub uses: Vec<Use>,
}

impl Index {
    /// Reads the names of a file. `modules` are the user's files that it imports, by name.
    pub fn new(sources: &Sources, file: &File, library: &Library, modules: &[(String, File)]) -> Index {
        let mut walk = Walk { sources, library, index: Index::default(), names: Vec::new(), data: None };
        walk.file(file, modules);
        walk.index.uses.sort_by_key(|u| (u.span.start, u.span.end));
        walk.index
    }

    /// The word at a place; one that ends there counts too.
    pub fn at(&self, offset: u32) -> Option<&Use> {
        let after = self.uses.partition_point(|u| u.span.start <= offset);
        self.uses[..after].iter().rev().take(8).find(|u| u.span.end >= offset)
    }

    /// The names that can be seen at a place, the innermost first.
    pub fn seen_at(&self, offset: u32) -> impl Iterator<Item = &Def> {
        self.defs.iter().rev().filter(move |d| d.seen.0 <= offset && offset <= d.seen.1)
    }
}

struct Walk<'a> {
    sources: &'a Sources,
    library: &'a Library,
    index: Index,
    /// The names in scope, innermost last.
    names: Vec<(String, Target)>,
    /// The data of the training at hand.
    data: Option<String>,
}

impl Walk<'_> {
    fn file(&mut self, file: &File, modules: &[(String, File)]) {
        let end = self.sources.get(file.id).text.len() as u32;
        let mut callables: HashMap<usize, usize> = HashMap::new();
        for (i, item) in file.items.iter().enumerate() {
            if let ItemKind::Import { path, names } = &item.kind {
                self.import(path, names, modules, end);
            } else if let Some((_, _, about)) = about(self.sources, item)
                && let Some(name) = item_name(item)
            {
                let def = self.define(name, Kind::Item, (0, end));
                self.index.defs[def].about = about;
                callables.insert(i, def);
            } else if let ItemKind::Error(names) = &item.kind {
                for name in names {
                    self.define(name, Kind::Item, (0, end));
                }
            }
        }
        // Parameters before bodies, so that a call above its declaration finds them.
        for (i, item) in file.items.iter().enumerate() {
            let def = callables.get(&i).copied();
            if let (Some(def), ItemKind::Data { columns, .. }) = (def, &item.kind) {
                for column in columns {
                    let outer = self.names.len();
                    let inner = self.define(&column.name, Kind::Column, (item.span.start, item.span.end));
                    self.names.truncate(outer);
                    self.index.defs[def].inner.push(inner);
                }
            }
            if let (Some(def), ItemKind::Callable(callable)) = (def, &item.kind) {
                let seen = (item.span.start, item.span.end);
                for param in callable.statics.iter().flatten().chain(&callable.inputs) {
                    let outer = self.names.len();
                    let inner = self.define(&param.name, Kind::Parameter, seen);
                    self.names.truncate(outer);
                    self.index.defs[inner].ty = param.ty.as_ref().map(|ty| ty.span);
                    self.index.defs[def].inner.push(inner);
                }
            }
        }
        for (i, item) in file.items.iter().enumerate() {
            let outer = self.names.len();
            self.item(item, callables.get(&i).copied());
            self.names.truncate(outer);
        }
    }

    fn import(&mut self, path: &[Name], names: &[Name], modules: &[(String, File)], end: u32) {
        let module: String = path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
        let file = modules.iter().find(|(name, _)| *name == module).map(|(_, file)| file);
        for name in names {
            let there = file.and_then(|f| f.items.iter().filter_map(item_name).find(|n| n.text == name.text));
            let target = match (self.library.find_in(&module, &name.text), there) {
                (Some(entry), _) => Target::Library(entry),
                (None, Some(there)) => Target::Other(there.span.file, there.span),
                (None, None) => Target::Unknown,
            };
            let def = Def {
                name: name.text.to_string(),
                span: name.span,
                kind: Kind::Import,
                seen: (0, end),
                about: About::default(),
                inner: Vec::new(),
                ty: None,
            };
            self.index.defs.push(def);
            self.index.uses.push(Use { span: name.span, target: target.clone() });
            self.names.push((name.text.to_string(), target));
        }
    }

    fn define(&mut self, name: &Name, kind: Kind, seen: (u32, u32)) -> usize {
        let def = self.index.defs.len();
        let (text, span) = (name.text.to_string(), name.span);
        let about = About::default();
        self.index.defs.push(Def { name: text.clone(), span, kind, seen, about, inner: Vec::new(), ty: None });
        self.index.uses.push(Use { span, target: Target::Here(def) });
        self.names.push((text, Target::Here(def)));
        def
    }

    fn local(&mut self, name: &Name, seen: (u32, u32)) {
        self.define(name, Kind::Local, seen);
    }

    fn resolve(&self, name: &str) -> Target {
        if let Some((_, target)) = self.names.iter().rev().find(|(n, _)| n == name) {
            return target.clone();
        }
        match self.library.find(name) {
            Some(entry) if self.library.get(entry).everywhere => Target::Library(entry),
            _ => Target::Unknown,
        }
    }

    /// A word that is used; in a training what is nothing else is a field.
    fn word(&mut self, name: &str, span: Span) {
        let target = match (self.resolve(name), &self.data) {
            (Target::Unknown, Some(data)) if crate::types::DType::from_name(name).is_none() && name != "training" => {
                self.field(data, name)
            }
            (target, _) => target,
        };
        self.index.uses.push(Use { span, target });
    }

    fn field(&self, data: &str, name: &str) -> Target {
        let Target::Here(def) = self.resolve(data) else { return Target::Field(data.into()) };
        let columns = &self.index.defs[def].inner;
        match columns.iter().find(|c| self.index.defs[**c].name == name) {
            Some(column) => Target::Here(*column),
            None => Target::Field(data.into()),
        }
    }

    fn item(&mut self, item: &Item, def: Option<usize>) {
        match &item.kind {
            ItemKind::Const(_, value) | ItemKind::Dim(_, value) | ItemKind::Require(value, _) => self.expr(value),
            ItemKind::Data { source, columns, operators, .. } => {
                self.expr(source);
                columns.iter().for_each(|c| self.expr(&c.value));
                operators.iter().for_each(|o| self.expr(o));
            }
            ItemKind::Callable(callable) => self.callable(callable, def, (item.span.start, item.span.end)),
            ItemKind::Train { data, body, .. } => {
                self.expr(data);
                self.data = base_name(data);
                self.block(body);
                self.data = None;
            }
            ItemKind::Test(_, block) => self.block(block),
            ItemKind::Import { .. } | ItemKind::Error(_) => {}
        }
    }

    fn callable(&mut self, callable: &Callable, def: Option<usize>, seen: (u32, u32)) {
        let params = def.map(|def| self.index.defs[def].inner.clone()).unwrap_or_default();
        let all = callable.statics.iter().flatten().chain(&callable.inputs);
        for (param, def) in all.zip(params) {
            self.types(param, seen);
            self.names.push((param.name.text.to_string(), Target::Here(def)));
        }
        match &callable.result {
            Some(ResultType::One(ty)) => self.ty(ty, None),
            Some(ResultType::Named(parts)) => parts.iter().filter_map(|p| p.ty.as_ref()).for_each(|t| self.ty(t, None)),
            None => {}
        }
        callable.condition.iter().for_each(|e| self.expr(e));
        callable.body.iter().chain(&callable.grad).for_each(|block| self.block(block));
    }

    fn types(&mut self, param: &Param, seen: (u32, u32)) {
        param.ty.iter().for_each(|ty| self.ty(ty, Some(seen)));
        param.default.iter().for_each(|e| self.expr(e));
    }

    /// A type; a size that it names first is declared by it, where `declares` says for how far.
    fn ty(&mut self, ty: &TypeExpr, declares: Option<(u32, u32)>) {
        match &ty.kind {
            TypeKind::Word(_) => {}
            TypeKind::List(inner) => self.ty(inner, declares),
            TypeKind::Tensor { axes, below, .. } => {
                for axis in axes {
                    let (AxisExpr::Dim(e) | AxisExpr::Rest(e)) = axis;
                    self.size(e, declares);
                }
                below.iter().for_each(|e| self.size(e, declares));
            }
        }
    }

    fn size(&mut self, e: &Expr, declares: Option<(u32, u32)>) {
        match (&*e.kind, declares) {
            (ExprKind::Name(name), _) if name == "_" => {}
            (ExprKind::Name(name), Some(seen)) if !self.names.iter().any(|(n, _)| n == name) => {
                self.define(&Name { text: *name, span: self.inner(e.span, name) }, Kind::Size, seen);
            }
            _ => self.expr(e),
        }
    }

    /// The place of a name in brackets, `(x)`.
    fn inner(&self, span: Span, name: &str) -> Span {
        match self.sources.text(span).find(name) {
            Some(at) => Span { start: span.start + at as u32, end: span.start + (at + name.len()) as u32, ..span },
            None => span,
        }
    }

    fn block(&mut self, block: &Block) {
        let outer = self.names.len();
        block.statements.iter().for_each(|s| self.statement(s, block.span.end));
        self.names.truncate(outer);
    }

    fn statement(&mut self, s: &Stmt, until: u32) {
        let seen = (s.span.end, until);
        match &s.kind {
            StmtKind::Let(pattern, e) => {
                self.expr(e);
                match pattern {
                    Pattern::Name(name, ty) => {
                        ty.iter().for_each(|ty| self.ty(ty, None));
                        let def = self.define(name, Kind::Local, seen);
                        self.index.defs[def].ty = ty.as_ref().map(|ty| ty.span);
                    }
                    Pattern::Tuple(names, _) => names.iter().for_each(|n| self.local(n, seen)),
                }
            }
            StmtKind::Variable { name, ty, init, .. } => {
                ty.iter().for_each(|ty| self.ty(ty, None));
                init.iter().for_each(|e| self.expr(e));
                let def = self.define(name, Kind::Variable, seen);
                self.index.defs[def].ty = ty.as_ref().map(|ty| ty.span);
            }
            StmtKind::Assign(name, e) => {
                self.word(&name.text, name.span);
                self.expr(e);
            }
            StmtKind::Setting(name, e) => {
                self.index.uses.push(Use { span: name.span, target: Target::Setting });
                self.expr(e);
            }
            StmtKind::Minimize { loss, over, with } => {
                self.expr(loss);
                over.iter().chain(with).for_each(|e| self.expr(e));
            }
            StmtKind::Report(all) | StmtKind::Freeze(all) => all.iter().for_each(|e| self.expr(e)),
            StmtKind::Every(e, block) => {
                self.expr(e);
                self.block(block);
            }
            StmtKind::AtEnd(block) => self.block(block),
            StmtKind::Start { target, .. } => target.first().into_iter().for_each(|n| self.word(&n.text, n.span)),
            StmtKind::Require(e, _)
            | StmtKind::Yield(e)
            | StmtKind::Evaluate(e)
            | StmtKind::Save(e)
            | StmtKind::CheckpointKeep(e)
            | StmtKind::Expr(e) => self.expr(e),
            StmtKind::Expect(e, block) => {
                self.expr(e);
                block.iter().for_each(|b| self.block(b));
            }
            StmtKind::Error(names) => names.iter().for_each(|n| self.local(n, seen)),
            StmtKind::Stop { .. } | StmtKind::CheckpointBest(..) => {}
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &*e.kind {
            ExprKind::Name(name) => self.word(name, self.inner(e.span, name)),
            ExprKind::Field(base, name) => {
                self.expr(base);
                self.index.uses.push(Use { span: name.span, target: Target::Named });
            }
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                self.args(callee, args);
            }
            ExprKind::Index(base, items) => {
                self.expr(base);
                for item in items {
                    match item {
                        IndexItem::At(e) => self.expr(e),
                        IndexItem::Slice(from, until, _) => from.iter().chain(until).for_each(|e| self.expr(e)),
                        IndexItem::Rest(_) => {}
                    }
                }
            }
            ExprKind::Unary(_, x) => self.expr(x),
            ExprKind::Binary(_, _, l, r) | ExprKind::Pipe(l, r) => {
                self.expr(l);
                self.expr(r);
            }
            ExprKind::If { condition, then, otherwise } => {
                self.expr(condition);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            ExprKind::Loop { carries, each, body, .. } => {
                carries.iter().for_each(|(_, e)| self.expr(e));
                let outer = self.names.len();
                let seen = (body.span.start, body.span.end);
                carries.iter().for_each(|(name, _)| self.local(name, seen));
                self.each(each, seen);
                self.block(body);
                self.names.truncate(outer);
            }
            ExprKind::ListFor(item, each) => {
                let outer = self.names.len();
                self.each(each, (e.span.start, e.span.end));
                self.expr(item);
                self.names.truncate(outer);
            }
            ExprKind::Placed(device, block) => {
                if let ExprKind::Call(_, args) = &*device.kind {
                    self.args(device, args);
                }
                self.block(block);
            }
            ExprKind::Lambda(params, body) => {
                let outer = self.names.len();
                let seen = (body.span.start, body.span.end);
                for param in params {
                    self.types(param, seen);
                    let def = self.define(&param.name, Kind::Parameter, seen);
                    self.index.defs[def].ty = param.ty.as_ref().map(|ty| ty.span);
                }
                self.block(body);
                self.names.truncate(outer);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|e| self.expr(e)),
            ExprKind::Type(ty) => self.ty(ty, None),
            _ => {}
        }
    }

    fn each(&mut self, each: &Each, seen: (u32, u32)) {
        self.expr(&each.over);
        each.until.iter().chain(&each.axis).for_each(|e| self.expr(e));
        each.names.iter().for_each(|name| self.local(name, seen));
    }

    fn args(&mut self, callee: &Expr, args: &[Arg]) {
        let target = base_name(callee).map(|name| self.resolve(&name));
        for arg in args {
            if let Some(name) = &arg.name {
                let param = match target {
                    Some(Target::Here(def)) => {
                        let inner = self.index.defs[def].inner.iter();
                        inner.copied().find(|p| self.index.defs[*p].name == name.text)
                    }
                    _ => None,
                };
                let target = param.map_or(Target::Named, Target::Here);
                self.index.uses.push(Use { span: name.span, target });
            }
            self.expr(&arg.value);
        }
    }
}

/// The name that a path or a call begins with.
fn base_name(e: &Expr) -> Option<String> {
    match &*e.kind {
        ExprKind::Name(name) => Some(name.to_string()),
        ExprKind::Field(base, _) | ExprKind::Call(base, _) | ExprKind::Pipe(base, _) => base_name(base),
        _ => None,
    }
}

/// The name that an item declares.
pub(super) fn item_name(item: &Item) -> Option<&Name> {
    match &item.kind {
        ItemKind::Const(name, _) | ItemKind::Dim(name, _) => Some(name),
        ItemKind::Data { name, .. } | ItemKind::Train { name, .. } => Some(name),
        ItemKind::Callable(callable) => Some(&callable.name),
        _ => None,
    }
}
