//! The reference page of data, `docs/data.md`, from the tables.

use super::bind::signature;
use super::{COLUMNS, DRAWN, Form, OPERATORS, Param, SOURCES, TOKENS, TRANSFORMS};
use std::fmt::Write;

/// The tables as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Data\n\n\
         A data declaration names a source, for a table its columns, and what is done to the records:\n\n\
         ```tfm\n\
         data adult = csv(\"adult/adult.data\", header: false, missing: \"?\") {\n\
         \x20 age:    f32 |> standardize\n\
         \x20 fnlwgt: skip\n\
         \x20 work:   category(hash: 16)\n\
         \x20 income: label([\"<=50K\", \">50K\"])\n\
         } |> shuffle(seed: 1) |> split(0.9)\n\
         ```\n\n\
         Its parts are written `adult.train` and `adult.test`; where nothing splits it, the one part is `adult.all`.\n\
         A relative path is looked for in the folder that `TFM_DATA` names, then beside the `.tfm` file, then in the\n\
         working directory. Vocabularies, the numbers of categories, means and deviations are learned from the training part alone and kept with\n\
         the run, so that `eval` and `predict` use the same ones.\n\n\
         This page is written from the tables in `lang/src/check/sources/`; `UPDATE=1 cargo test -p tfm-lang`\n\
         writes it anew.\n\n## Sources\n",
    );
    for s in SOURCES.iter().copied().flatten() {
        entry(&mut out, s.name, s.params, s.doc);
        let _ = writeln!(out, "\n```tfm\n{}\n```", s.example);
    }
    section(&mut out, "Tokens of a text", TOKENS);
    out.push_str(
        "\n## Columns\n\n\
         A dtype, `f32 f64 i64 i32 i8 u8 bool`, a dtype with sizes for several numbers, `f32[7]`, or one of the\n\
         following. A missing value of f32 or f64 becomes the mean, over the training part, of what the column holds\n\
         after its transforms; a missing value of another dtype is an error. A `bool` is written `true`, `false`, `1`\n\
         or `0`.\n",
    );
    for f in COLUMNS {
        entry(&mut out, f.name, f.params, f.doc);
    }
    section(&mut out, "Transforms of a column", TRANSFORMS);
    section(&mut out, "Columns of random data", DRAWN);
    section(&mut out, "Operators", OPERATORS);
    out.push_str(
        "\n## Files given to `predict`\n\n\
         They have the form of the declaration. A table may lack its labels, as a column or in its cells. For `mnist`,\n\
         `idx` and `drawn_digits` it is an idx file of images, for `cifar10` a `.bin` file. A text is cut into blocks\n\
         one after the other; the last one ends where the text ends, and may overlap the one before. What a generator\n\
         draws is read from no file.\n",
    );
    out
}

fn section(out: &mut String, title: &str, forms: &[Form]) {
    let _ = writeln!(out, "\n## {title}");
    for f in forms {
        entry(out, f.name, f.params, f.doc);
    }
}

fn entry(out: &mut String, name: &str, params: &[Param], doc: &str) {
    let _ = writeln!(out, "\n### `{}`\n\n{doc}", signature(name, params));
    if !params.is_empty() {
        out.push('\n');
    }
    for p in params {
        let _ = writeln!(out, "- `{}`: {}", p.name, p.doc);
    }
}
