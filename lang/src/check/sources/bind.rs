//! Arguments to parameters: names, number, kinds and defaults, for the tables of [`super`].

use super::{Args, Default, Form, Kind, Param, Problem};
use crate::model::Static;

/// The form with this name, or an error that suggests one.
pub fn find(what: &str, forms: &'static [Form], name: &str) -> Result<&'static Form, Problem> {
    forms.iter().find(|f| f.name == name).ok_or_else(|| unknown(what, name, forms.iter().map(|f| f.name)))
}

/// Reads a call of one of `forms`, with its arguments bound.
pub fn call(what: &str, forms: &'static [Form], value: &Static) -> Result<(&'static Form, Args), Problem> {
    let Static::Call(name, given) = value else {
        let names: Vec<_> = forms.iter().map(|f| signature(f.name, f.params)).collect();
        return Err((format!("{} is not a {what}", shown(value)), Some(format!("write one of {}", names.join(", ")))));
    };
    let form = find(what, forms, name)?;
    Ok((form, bind(form.name, form.params, given)?))
}

/// Matches arguments to parameters (a positional one has an empty name) and fills in defaults, so that
/// the result has the parameters' order and every argument its parameter's name. Binding what is bound
/// already changes nothing.
pub fn bind(of: &str, params: &[Param], given: &[(String, Static)]) -> Result<Args, Problem> {
    let usage = || Some(format!("it is written `{}`", signature(of, params)));
    let mut found: Vec<Option<Static>> = vec![None; params.len()];
    for (i, (name, value)) in given.iter().enumerate() {
        let at = match name.as_str() {
            "" if i < params.len() => i,
            "" => {
                let most = params.len();
                let s = if most == 1 { "" } else { "s" };
                return Err((format!("`{of}` takes {most} argument{s}, and {} are given", given.len()), usage()));
            }
            name => match params.iter().position(|p| p.name == name) {
                Some(at) => at,
                None => {
                    let what = format!("parameter of `{of}`");
                    let (message, help) = unknown(&what, name, params.iter().map(|p| p.name));
                    return Err((message, help.or_else(usage)));
                }
            },
        };
        if found[at].is_some() {
            return Err((format!("`{}` of `{of}` is given twice", params[at].name), None));
        }
        found[at] = Some(fit(of, &params[at], value)?);
    }
    let mut out = Vec::new();
    for (p, value) in params.iter().zip(found) {
        let value = match (value, p.default) {
            (Some(value), _) => value,
            (None, Default::Required) => return Err((format!("`{of}` needs `{}`: {}", p.name, p.doc), usage())),
            (None, Default::Absent) => continue,
            (None, Default::Int(n)) => Static::Int(n),
            (None, Default::Number(x)) => Static::Float(x),
            (None, Default::Bool(b)) => Static::Bool(b),
            (None, Default::Text(s)) => Static::Str(s.into()),
        };
        out.push((p.name.to_string(), value));
    }
    Ok(out)
}

/// The value as the parameter wants it.
fn fit(of: &str, p: &Param, value: &Static) -> Result<Static, Problem> {
    let wants = |what: String| {
        let message = format!("`{}` of `{of}` is {what}, not {}", p.name, shown(value));
        Err((message, Some(format!("`{}`: {}", p.name, p.doc))))
    };
    match (p.kind, value) {
        (Kind::Int(least), Static::Int(n)) if *n >= least => Ok(value.clone()),
        (Kind::Int(least), _) => wants(format!("a whole number from {least}")),
        (Kind::Count(most), Static::Int(n)) if (1..=most).contains(n) => Ok(value.clone()),
        (Kind::Count(i64::MAX), _) => wants("a whole number from 1".into()),
        (Kind::Count(most), _) => wants(format!("a whole number from 1 to {most}")),
        (Kind::Fraction, Static::Float(x)) if *x > 0.0 && *x < 1.0 => Ok(value.clone()),
        (Kind::Fraction, _) => wants("a number between 0 and 1".into()),
        (Kind::Number, Static::Float(x)) if *x >= 0.0 && x.is_finite() => Ok(value.clone()),
        (Kind::Number, Static::Int(n)) if *n >= 0 => Ok(value.clone()),
        (Kind::Number, _) => wants("a number from 0".into()),
        (Kind::Bool, Static::Bool(_)) => Ok(value.clone()),
        (Kind::Bool, _) => wants("`true` or `false`".into()),
        (Kind::Text, Static::Str(_)) => Ok(value.clone()),
        (Kind::Text, _) => wants("a text in quotes".into()),
        (Kind::Character, Static::Str(s)) if s.len() == 1 => Ok(value.clone()),
        (Kind::Character, _) => wants("a text of one character".into()),
        (Kind::Names, Static::List(items)) if distinct_texts(items) => Ok(value.clone()),
        (Kind::Names, _) => wants("a list of different texts".into()),
        (Kind::Classes(most), Static::Int(n)) if (1..=most).contains(n) => Ok(value.clone()),
        (Kind::Classes(_), Static::List(items)) if distinct_texts(items) => Ok(value.clone()),
        (Kind::Classes(_), _) => wants("a list of different texts, or how many there are".into()),
        (Kind::Sizes, Static::List(items)) if items.iter().all(|v| matches!(v, Static::Int(1..))) => Ok(value.clone()),
        (Kind::Sizes, _) => wants("a list of whole numbers from 1".into()),
        (Kind::TwoSizes, Static::List(items))
            if items.len() == 2 && items.iter().all(|v| matches!(v, Static::Int(1..=65_536))) =>
        {
            Ok(value.clone())
        }
        (Kind::TwoSizes, _) => wants("a list of two whole numbers, height and width".into()),
        // What is in it is judged where the fields are known.
        (Kind::Condition, _) => Ok(value.clone()),
        (Kind::Call(forms), _) => {
            let (form, args) = call(&format!("`{}` of `{of}`", p.name), forms, value)?;
            Ok(Static::Call(form.name.into(), args))
        }
    }
}

fn distinct_texts(items: &[Static]) -> bool {
    let mut seen = std::collections::HashSet::new();
    !items.is_empty() && items.iter().all(|v| matches!(v, Static::Str(s) if seen.insert(s.as_str())))
}

/// That there is no such name, and the nearest one or all of them.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let near = known.clone().map(|k| (distance(name, k), k)).min().filter(|(d, k)| *d * 3 <= k.len().max(name.len()));
    let help = match near {
        Some((_, k)) => Some(format!("did you mean `{k}`?")),
        None => Some(known.collect::<Vec<_>>().join(", ")).filter(|l| !l.is_empty()).map(|l| format!("there is {l}")),
    };
    (format!("there is no {what} named `{name}`"), help)
}

/// Edits of one letter between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = before + usize::from(ca != *cb);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

/// `csv(path, header: true, missing: "", separator: ",")`
pub fn signature(name: &str, params: &[Param]) -> String {
    let params: Vec<String> = params
        .iter()
        .map(|p| match p.default {
            Default::Required | Default::Absent => p.name.to_string(),
            Default::Int(n) => format!("{}: {n}", p.name),
            Default::Number(x) => format!("{}: {x:?}", p.name),
            Default::Bool(b) => format!("{}: {b}", p.name),
            Default::Text(s) => format!("{}: {s:?}", p.name),
        })
        .collect();
    if params.is_empty() { name.to_string() } else { format!("{name}({})", params.join(", ")) }
}

/// A static value as it is written.
fn shown(value: &Static) -> String {
    match value {
        Static::Int(n) => format!("`{n}`"),
        Static::Float(x) => format!("`{x}`"),
        Static::Bool(b) => format!("`{b}`"),
        Static::Str(s) => format!("the text {s:?}"),
        Static::Duration(..) => "a duration".into(),
        Static::List(_) => "this list".into(),
        Static::Call(name, args) if args.is_empty() => format!("`{name}`"),
        Static::Call(name, _) => format!("`{name}(…)`"),
    }
}
