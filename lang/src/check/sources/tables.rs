//! Sources that read rows of cells.

use super::columns::{Column, column, fields};
use super::files::TEST;
use super::{Default, Kind, Param, Problem, Source, param};
use crate::model::ColumnSpec;

const MISSING: Param =
    param("missing", Kind::Text, Default::Text(""), "what stands for a missing value, besides an empty cell");

/// The rows.
pub(super) const SOURCES: &[Source] = &[
    Source {
        name: "csv",
        params: &[
            param("path", Kind::Text, Default::Required, "the file, plain or `.gz`"),
            param("header", Kind::Bool, Default::Bool(true), "whether the first line names the columns"),
            MISSING,
            param("separator", Kind::Character, Default::Text(","), "what parts two cells, `\"\\t\"` for a tab"),
            param("comment", Kind::Character, Default::Absent, "a line that begins with it is not read"),
            param("skip", Kind::Int(0), Default::Int(0), "how many lines at the beginning are not read"),
            param("trim", Kind::Character, Default::Absent, "what is taken off the end of a cell, besides spaces"),
            TEST,
        ],
        doc: "Rows of text, one record each, with the columns declared in braces. With a header, columns are found \
              by name, in any order (`hours-per-week` is `hours_per_week`); without one they stand in the order of \
              the file. Every column of the file is declared, those not wanted as `skip`. A column of several \
              numbers, `load: f32[6]`, is the column of that name and those after it. Cells may be quoted; spaces \
              around them do not count, nor do blank lines. Fields: one per column that is not skipped.",
        example: "data people = csv(\"people.csv\", missing: \"?\") {\n  age: f32 |> standardize\n  id: skip\n  \
                  work: category(hash: 16)\n  income: label([\"low\", \"high\"])\n} |> shuffle(seed: 1) |> split(0.9)",
        column: Some(|spec| column(spec).map(drop)),
        sequence: false,
        fields: |_, columns| fields("csv", columns),
        splits: &["all"],
    },
    Source {
        name: "jsonl",
        params: &[param("path", Kind::Text, Default::Required, "the file, plain or `.gz`"), MISSING, TEST],
        doc: "A JSON object in each line, one record each; a column is the value of its name, and names that are not \
              declared are not read. `null` and a name that is not there are missing values. A column of several \
              numbers is a list of them, or lists in a list. Fields: one per column that is not skipped.",
        example: "data reviews = jsonl(\"reviews.jsonl\") { text: words(8_000, length: 64)\n  stars: label(5) } |> split(0.9)",
        column: Some(|spec| column(spec).map(drop)),
        sequence: false,
        fields: |_, columns| fields("jsonl", columns),
        splits: &["all"],
    },
    Source {
        name: "parquet",
        params: &[param("path", Kind::Text, Default::Required, "the file"), MISSING, TEST],
        doc: "A Parquet file of numbers, texts and lists of numbers; columns as with `jsonl`. Only in a program that \
              was built with it: `cargo install tfm --features parquet`. Fields: one per column that is not skipped.",
        example: "data trips = parquet(\"trips.parquet\") { miles: f32 |> log1p\n  fare: f32 } |> split(0.9)",
        column: Some(|spec| column(spec).map(drop)),
        sequence: false,
        fields: |_, columns| fields("parquet", columns),
        splits: &["all"],
    },
    Source {
        name: "lines",
        params: &[param("path", Kind::Text, Default::Required, "the file, UTF-8, plain or `.gz`"), TEST],
        doc: "A text whose lines are one record each; blank ones are not read. It has one column, of `words`, `chars` \
              or a `category`. Fields: that column.",
        example: "data people = lines(\"names.txt\") { name: chars(30, length: 17, marks: true) } |> split(0.9)",
        column: Some(line_column),
        sequence: false,
        fields: |_, columns| match columns {
            [_] => fields("lines", columns),
            _ => Err((
                format!("`lines` has one column, and {} are declared", columns.len()),
                Some("write it in braces, `{ name: chars(30, length: 17, marks: true) }`".into()),
            )),
        },
        splits: &["all"],
    },
];

fn line_column(spec: &ColumnSpec) -> Result<(), Problem> {
    match column(spec)? {
        Column::Tokens { .. } | Column::Hash(_) | Column::Names { .. } | Column::Below { .. } => Ok(()),
        Column::Number { shape, .. } if shape.is_empty() => Ok(()),
        _ => Err((format!("`{}` cannot be a whole line", spec.name), Some("declare it as `words` or `chars`".into()))),
    }
}
