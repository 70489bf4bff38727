//! The picture as one page that needs nothing else: folded by layer, searched, beside its text.

use super::Picture;
use super::arrange::{Arrangement, Slot, arrange};
use super::json::{block, step};
use super::svg::{escape, tone};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tfm_lowering::outline::{Child, End};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page. The texts of the user's files are in it, and where they are, for an editor to open.
pub fn html(picture: &Picture) -> String {
    // A text must not end the element that it stands in.
    let data = data(picture).to_string().replace("</", "<\\/").replace("<!--", "<\\!--");
    let title = escape(&picture.title());
    let parts = [("{{title}}", title.as_str()), ("{{style}}", STYLE), ("{{script}}", SCRIPT), ("{{data}}", &data)];
    // Each mark once and in the order of the page, so that nothing within a part is taken for one.
    let (mut out, mut rest) = (String::new(), PAGE);
    while let Some((at, (mark, text))) =
        parts.iter().filter_map(|p| Some((rest.find(p.0)?, p))).min_by_key(|(at, _)| *at)
    {
        out.push_str(&rest[..at]);
        out.push_str(text);
        rest = &rest[at + mark.len()..];
    }
    out + rest
}

fn data(picture: &Picture) -> Value {
    let outline = &picture.outline;
    // Files by their new numbers: the library's texts stay out.
    let mut numbers: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sources = Vec::new();
    for (id, file) in picture.sources.iter().filter(|(_, f)| !f.library && !f.name.starts_with("--set ")) {
        numbers.insert(id.0.into(), sources.len());
        let path = std::path::absolute(&file.name).ok().map(|path| path.display().to_string());
        sources.push(json!({ "name": file.name, "text": file.text, "path": path }));
    }
    let placed = |mut value: Value| {
        let file = value["place"]["file"].as_u64().and_then(|f| numbers.get(&f));
        match file {
            Some(number) => value["place"]["file"] = (*number).into(),
            None => value["place"] = Value::Null,
        }
        value
    };
    let blocks: Vec<Value> = outline
        .blocks
        .iter()
        .map(|b| {
            let mut value = placed(block(picture, b));
            value["tone"] = tone(b).into();
            value
        })
        .collect();
    json!({
        "title": picture.title(), "batch": picture.batch, "blocks": blocks,
        "steps": outline.steps.iter().enumerate().map(|(i, s)| placed(step(picture, i, s))).collect::<Vec<_>>(),
        "arranged": arrange(outline).iter().map(arranged).collect::<Vec<_>>(), "sources": sources,
    })
}

/// Slots are `b3` and `s5` for children, `^` and `_` for the borders, `.` for bends.
fn arranged(a: &Arrangement) -> Value {
    let slot = |s: &Slot| match s {
        Slot::End(End::Child(Child::Block(b))) => format!("b{b}"),
        Slot::End(End::Child(Child::Step(s))) => format!("s{s}"),
        Slot::End(End::Above) => "^".into(),
        Slot::End(End::Below) => "_".into(),
        Slot::Bend => ".".into(),
    };
    let wires: Vec<Value> = a.wires.iter().map(|w| json!({ "path": w.path, "type": w.ty.to_string() })).collect();
    json!({ "slots": a.slots.iter().map(slot).collect::<Vec<_>>(), "ranks": a.ranks, "wires": wires })
}
