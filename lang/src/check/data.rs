//! Data declarations, and the parts of data that `train` and `evaluate` name.

use super::elab::{Elab, Failed, Res};
use super::program::Global;
use super::sources::{self, Problem};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{ColumnSpec, DataRef, DataSpec, FieldSpec, Static, Zipped};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Arg, AxisExpr, Column, Expr, ExprKind, Name, TypeExpr, TypeKind};

impl Elab {
    fn problem(&mut self, span: Span, (message, help): Problem) -> Failed {
        let mut d = Diagnostic::error("E0601", span, message);
        if let Some(help) = help {
            d = d.help(help);
        }
        self.fail(d)
    }

    /// `data NAME = SOURCE { COLUMNS } |> OPERATORS`
    pub fn data_spec(
        &mut self,
        file: FileId,
        name: &Name,
        source: &Expr,
        columns: &[Column],
        operators: &[Expr],
    ) -> Res<DataSpec> {
        let (callee, args): (&Expr, &[Arg]) = match &*source.kind {
            ExprKind::Call(callee, args) => (callee, args),
            ExprKind::Name(_) | ExprKind::Field(..) => {
                let told = self.quote(source.span);
                let d =
                    Diagnostic::error("E0601", source.span, "a source is called").help(format!("write `{told}(…)`"));
                return Err(self.fail(d));
            }
            _ => return self.error("E0601", source.span, "a data declaration begins with a source, `csv(\"file\")`"),
        };
        let word = self.quote(callee.span);
        let Some(found) = sources::source(&word) else {
            let names = sources::names();
            let mut d = Diagnostic::error("E0601", callee.span, format!("there is no data source `{word}`"));
            d = match super::near(&word, names.iter().copied()) {
                Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", callee.span, near),
                None => d.help(format!("the sources are {}", super::list_words(&names))),
            };
            return Err(self.fail(d));
        };
        let zipped = if word == "zip" { self.zipped(file, source.span, args)? } else { Vec::new() };
        let given = if zipped.is_empty() { self.static_args(file, args)? } else { Vec::new() };
        let bound = match sources::bind(&word, found.params, &given) {
            Ok(bound) => bound,
            Err(problem) => {
                let place = self.place_of_problem(args, &problem.0).unwrap_or(source.span);
                return Err(self.problem(place, problem));
            }
        };
        let specs: Vec<Res<ColumnSpec>> = columns.iter().map(|c| self.column(file, found, c)).collect();
        let specs: Vec<ColumnSpec> = specs.into_iter().collect::<Res<_>>()?;
        for (i, c) in specs.iter().enumerate() {
            if let Some(first) = specs[..i].iter().find(|o| o.name == c.name) {
                let d = Diagnostic::error(
                    "E0203",
                    columns[i].name.span,
                    format!("the column `{}` is declared twice", c.name),
                )
                .label(first.span, "first here");
                return Err(self.fail(d));
            }
        }
        let mut schema = found.schema(&bound, &specs).map_err(|p| self.problem(source.span, p))?;
        for z in &zipped {
            let under = |f: &FieldSpec| FieldSpec { name: format!("{}.{}", z.name, f.name), ty: f.ty.clone() };
            schema.fields.extend(z.data.fields.iter().map(under));
        }
        let mut done = Vec::new();
        for operator in operators {
            let value = self.data_call(file, operator)?;
            let read = sources::operator(&value).map_err(|p| self.problem(operator.span, p))?;
            schema = found.apply(schema, &read, &specs).map_err(|p| self.problem(operator.span, p))?;
            done.push(value);
        }
        Ok(DataSpec {
            name: name.text.to_string(),
            source: word,
            args: bound,
            columns: specs,
            operators: done,
            fields: schema.fields,
            splits: schema.splits,
            zipped,
            span: name.span,
        })
    }

    /// `a: x.train, b: y.train`
    fn zipped(&mut self, file: FileId, span: Span, args: &[Arg]) -> Res<Vec<Zipped>> {
        let mut out: Vec<Zipped> = Vec::new();
        for arg in args {
            let Some(name) = &arg.name else {
                let d = Diagnostic::error("E0601", arg.value.span, "what `zip` joins has no name here")
                    .help("write `zip(a: x.train, b: y.train)`; its fields are then `a.image`, `b.image`");
                return Err(self.fail(d));
            };
            if out.iter().any(|z| z.name == name.text) {
                return self.error("E0601", name.span, format!("`{}` is given twice", name.text));
            }
            self.declared_above(file, &arg.value)?;
            let value = self.eval(&mut Env::new(file), &arg.value)?;
            let part = self.part_of(value, arg.value.span)?;
            let Some(data) = self.program.data.get(part.data).cloned() else { return Err(Failed) };
            out.push(Zipped { name: name.text.to_string(), data, split: part.split, operators: part.operators });
        }
        if out.len() > 1 {
            return Ok(out);
        }
        let d = Diagnostic::error("E0601", span, "`zip` joins at least two parts of data")
            .help("write `zip(a: x.train, b: y.train)`");
        Err(self.fail(d))
    }

    /// Data is read in the order of the text, so what another declaration names stands above it.
    fn declared_above(&mut self, file: FileId, e: &Expr) -> Res<()> {
        match &*e.kind {
            ExprKind::Field(base, _) | ExprKind::Pipe(base, _) => self.declared_above(file, base),
            ExprKind::Name(name) => match self.program.lookup(file, name) {
                Some(Global::Data(i)) if i as usize >= self.program.data.len() => {
                    let d = Diagnostic::error("E0601", e.span, format!("`{name}` is declared below this"))
                        .help(format!("move `data {name}` above what names it"));
                    Err(self.fail(d))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The argument that a problem's message quotes by its parameter's name.
    fn place_of_problem(&self, args: &[Arg], message: &str) -> Option<Span> {
        args.iter().find(|a| a.name.as_ref().is_some_and(|n| message.contains(&format!("`{}`", n.text)))).map(|a| {
            match &a.name {
                Some(name) if message.contains("named") => name.span,
                _ => a.value.span,
            }
        })
    }

    fn column(&mut self, file: FileId, source: &sources::Source, column: &Column) -> Res<ColumnSpec> {
        let mut transforms = Vec::new();
        let mut e = &column.value;
        while let ExprKind::Pipe(left, right) = &*e.kind {
            match &*right.kind {
                ExprKind::Name(n) => transforms.insert(0, n.to_string()),
                _ => return self.error("E0601", right.span, "a column's transform is a word, `standardize`"),
            }
            e = left;
        }
        let kind = self.data_call(file, e)?;
        let spec = ColumnSpec { name: column.name.text.to_string(), kind, transforms, span: column.name.span };
        // A source without columns says so itself.
        match source.column.map_or(Ok(()), |check| check(&spec)) {
            Ok(()) => Ok(spec),
            Err(problem) => Err(self.problem(column.value.span, problem)),
        }
    }

    /// A word, or a word with arguments.
    fn data_call(&mut self, file: FileId, e: &Expr) -> Res<Static> {
        match &*e.kind {
            ExprKind::Name(name) => Ok(Static::Call(name.to_string(), Vec::new())),
            ExprKind::Call(callee, args) => {
                let word = self.quote(callee.span);
                // Its argument speaks of fields, which are no values here.
                let args = if word == "filter" { self.condition_args(args)? } else { self.static_args(file, args)? };
                Ok(Static::Call(word, args))
            }
            ExprKind::Type(TypeExpr { kind: TypeKind::Tensor { dtype, axes, below: None }, .. }) => {
                let sizes: Vec<Res<Static>> = axes
                    .iter()
                    .map(|axis| match axis {
                        AxisExpr::Dim(size) => self.as_static(file, size),
                        AxisExpr::Rest(rest) => self.error("E0601", rest.span, "a size is wanted here, a whole number"),
                    })
                    .collect();
                let sizes: Vec<Static> = sizes.into_iter().collect::<Res<_>>()?;
                if let Some(i) = sizes.iter().position(|n| !matches!(n, Static::Int(1..)))
                    && let AxisExpr::Dim(size) = &axes[i]
                {
                    return self.error("E0601", size.span, "a size is a whole number from 1");
                }
                let shape = if sizes.is_empty() { Vec::new() } else { vec![("shape".into(), Static::List(sizes))] };
                Ok(Static::Call(dtype.text.to_string(), shape))
            }
            _ => self.error("E0601", e.span, "a word is wanted here, or a word with arguments"),
        }
    }

    fn condition_args(&mut self, args: &[Arg]) -> Res<Vec<(String, Static)>> {
        let one = |a: &Arg| {
            let name = a.name.as_ref().map_or(String::new(), |n| n.text.to_string());
            Ok((name, sources::written(&a.value).map_err(|part| part.span)?))
        };
        args.iter().map(one).collect::<Result<_, Span>>().map_err(|part| {
            let d = Diagnostic::error("E0601", part, "this does not belong in a condition")
                .help("compare fields, numbers and texts, as in `filter(age >= 18 and work != \"Private\")`");
            self.fail(d)
        })
    }

    fn static_args(&mut self, file: FileId, args: &[Arg]) -> Res<Vec<(String, Static)>> {
        let out: Vec<Res<(String, Static)>> = args
            .iter()
            .map(|a| {
                let name = a.name.as_ref().map_or(String::new(), |n| n.text.to_string());
                Ok((name, self.as_static(file, &a.value)?))
            })
            .collect();
        out.into_iter().collect()
    }

    /// A value as data. A call of a word of `std.data`, or of one that names nothing,
    /// stays a call, `chars(65)`.
    fn as_static(&mut self, file: FileId, e: &Expr) -> Res<Static> {
        if let ExprKind::Call(callee, args) = &*e.kind
            && let ExprKind::Name(name) = &*callee.kind
            && (sources::TOKENS.iter().any(|t| t.name == *name)
                || self.program.lookup(file, name).is_none() && super::builtins::find(name).is_none())
        {
            return Ok(Static::Call(name.to_string(), self.static_args(file, args)?));
        }
        if let ExprKind::Name(name) = &*e.kind
            && sources::TOKENS.iter().any(|t| t.name == *name)
        {
            return Ok(Static::Call(name.to_string(), Vec::new()));
        }
        let value = self.eval(&mut Env::new(file), e)?;
        self.static_of(&value, e.span)
    }

    fn static_of(&mut self, value: &Value, span: Span) -> Res<Static> {
        Ok(match value {
            Value::Int(_) => Static::Int(self.whole(value, span)?),
            Value::Float(x) => Static::Float(*x),
            Value::Bool(b) => Static::Bool(*b),
            Value::Str(s) => Static::Str(s.to_string()),
            Value::Duration(n, unit) => Static::Duration(*n, *unit),
            Value::List(items) => Static::List(items.iter().map(|v| self.static_of(v, span)).collect::<Res<_>>()?),
            Value::Unknown | Value::Opaque => return Err(Failed),
            other => {
                let kind = other.kind();
                return self.error("E0503", span, format!("a data declaration cannot hold {kind}"));
            }
        })
    }

    /// `digits.test`
    pub fn data_part(&mut self, data: usize, field: &Name) -> Res<Value> {
        let Some(spec) = self.program.data.get(data).cloned() else { return Err(Failed) };
        if let Some(split) = spec.splits.iter().position(|s| *s == field.text) {
            return Ok(Value::Data(DataRef { data, split, operators: Vec::new() }));
        }
        let names: Vec<&str> = spec.splits.iter().map(String::as_str).collect();
        if spec.fields.iter().any(|f| f.name == field.text) {
            let d = Diagnostic::error(
                "E0202",
                field.span,
                format!("`{}` is a field of the records of `{}`, not a part of it", field.text, spec.name),
            )
            .help(format!("fields stand by their names in `train`; the parts are {}", super::list_words(&names)));
            return Err(self.fail(d));
        }
        if names == ["all"] {
            let d = Diagnostic::error("E0202", field.span, format!("`{}` has no parts", spec.name))
                .help(format!("add `|> split(0.9)` to `data {}`", spec.name));
            return Err(self.fail(d));
        }
        self.no_field(field, &format!("the data `{}`", spec.name), &names)
    }

    /// `digits.test |> take(240)`
    pub fn data_pipe(&mut self, env: &Env, value: Value, operator: &Expr) -> Res<Value> {
        let mut part = match value {
            Value::Data(part) => part,
            _ => {
                let d = Diagnostic::error("E0601", operator.span, "an operator here works on a part of the data")
                    .help("name the part first, `digits.test |> take(240)`");
                return Err(self.fail(d));
            }
        };
        let call = self.data_call(env.file, operator)?;
        match sources::operator(&call) {
            Ok(sources::Operator::Take { .. } | sources::Operator::Skip { .. }) => {}
            Ok(_) => {
                let d = Diagnostic::error("E0601", operator.span, "only `take` and `skip` work on a part of the data")
                    .help("the other operators stand in the data declaration");
                return Err(self.fail(d));
            }
            Err(problem) => return Err(self.problem(operator.span, problem)),
        }
        part.operators.push(call);
        Ok(Value::Data(part))
    }
}
