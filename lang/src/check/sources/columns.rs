//! The columns of a table, a kind each, and what is done to them.

use super::tokens::Tokens;
use super::{Default, Form, Kind, MOST, Param, Problem, bind, classes, distinct, field, get, int, ints, param};
use crate::model::{ColumnSpec, FieldSpec, Static};
use crate::types::DType;

/// The dtypes that a column can have.
const NUMBERS: [DType; 7] = [DType::F64, DType::F32, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool];

/// Numbers of one record are fewer than this, which keeps sizes in bytes within range.
pub(super) const MOST_NUMBERS: i64 = 1 << 30;

const LENGTH: Param = param("length", Kind::Count(1 << 24), Default::Required, "how many tokens a record has");
const MARKS: Param =
    param("marks", Kind::Bool, Default::Bool(false), "whether 2 stands before the text and 3 after it");

/// What a column of a table can be, besides a dtype.
pub static COLUMNS: &[Form] = &[
    Form { name: "skip", params: &[], doc: "Not read." },
    Form {
        name: "category",
        params: &[
            param(
                "classes",
                Kind::Classes(MOST),
                Default::Absent,
                "the texts that occur; or a number, and the cells are whole numbers from 0 up to it",
            ),
            param(
                "hash",
                Kind::Count(MOST),
                Default::Absent,
                "how many numbers there are, at least as many as texts so that none is shared",
            ),
        ],
        doc: "A text as a number, i32[]. With names, its place in the list, and a text that is not in the list is an \
              error. With `hash: n`, a number below n: the hash of the text or, where a more frequent text of the \
              training part has that number, the next free one, so that texts of the training part share no number \
              as long as there are no more than n. A text that is not in the training part has its hash, which \
              may be the number of another. A missing value is a category of its own: with `hash`, that of the text that \
              `missing` gives; with names, write that text as one of them.",
    },
    Form {
        name: "label",
        params: &[param(
            "classes",
            Kind::Classes(MOST),
            Default::Required,
            "the texts that occur; or a number, and the cells are whole numbers from 0 up to it",
        )],
        doc: "What is to be predicted: a text as its place in the list, or a whole number, i32[]. It is never missing, \
              except in a file given to `predict`.",
    },
    Form {
        name: "words",
        params: &[
            param("count", Kind::Count(MOST), Default::Required, "the size of the vocabulary, marks included"),
            LENGTH,
            MARKS,
        ],
        doc: "A text as the numbers of its words, i32[length]. 0 fills what is left of the length, 1 is an unknown \
              word; with `marks: true`, 2 is the start and 3 the end. Then come the most frequent words of the \
              training part. A word is a run of letters, digits and apostrophes, or any other character that is not \
              a space. A text that is too long is cut, and ends in its mark all the same.",
    },
    Form {
        name: "chars",
        params: &[
            param("count", Kind::Count(0x11_0000), Default::Required, "the size of the vocabulary, marks included"),
            LENGTH,
            MARKS,
        ],
        doc: "The same with characters, numbered in the order of Unicode. More different ones in the training part \
              than there is room for are an error.",
    },
    Form {
        name: "image",
        params: &[
            param("size", Kind::TwoSizes, Default::Required, "height and width; an image of another size is resized"),
            param("channels", Kind::Count(4), Default::Int(3), "1 for grey, 3 for red, green and blue, 4 with opacity"),
        ],
        doc: "The path of a PNG or JPEG file, beginning at the folder of the table: u8[channels, height, width].",
    },
];

/// What can be done to a column of f32 or f64, after `|>`.
pub static TRANSFORMS: &[Form] = &[
    Form {
        name: "standardize",
        params: &[],
        doc: "Less its mean and divided by its standard deviation, both over the training part.",
    },
    Form {
        name: "normalize",
        params: &[],
        doc: "From 0 for the least to 1 for the greatest value of the training part; others may lie outside.",
    },
    Form { name: "log1p", params: &[], doc: "The logarithm of 1 + x; every value is above -1." },
];

/// What a column becomes.
#[derive(Clone, PartialEq, Debug)]
pub enum Column {
    /// Nothing.
    Skip,
    /// Numbers.
    Number {
        /// Their dtype.
        dtype: DType,
        /// The sizes of one record's value; none for one number.
        shape: Vec<i64>,
    },
    /// A text's hash below this.
    Hash(i64),
    /// A whole number below `count`.
    Below {
        /// The bound.
        count: i64,
        /// True for a label: absent in a file given to `predict`.
        label: bool,
    },
    /// A text's place in the list.
    Names {
        /// The list.
        names: Vec<String>,
        /// True for a label: absent in a file given to `predict`.
        label: bool,
    },
    /// A text's tokens.
    Tokens {
        /// What a token is.
        tokens: Tokens,
        /// How many a record has.
        length: i64,
        /// Whether start and end are marked.
        marks: bool,
    },
    /// The picture at a path.
    Image {
        /// Channels, height, width.
        shape: [i64; 3],
    },
}

impl Column {
    /// True for what is to be predicted.
    pub fn is_label(&self) -> bool {
        matches!(self, Column::Names { label: true, .. } | Column::Below { label: true, .. })
    }

    /// How many cells of a row it takes.
    pub fn cells(&self) -> usize {
        match self {
            Column::Number { shape, .. } => shape.iter().product::<i64>() as usize,
            _ => 1,
        }
    }

    /// The field that it gives, if it is read.
    pub fn field(&self, name: &str) -> Option<FieldSpec> {
        Some(match self {
            Column::Skip => return None,
            Column::Number { dtype, shape } => field(name, *dtype, shape, None),
            Column::Hash(n) | Column::Below { count: n, .. } => field(name, DType::I32, &[], Some(*n)),
            Column::Names { names, .. } => field(name, DType::I32, &[], Some(names.len() as i64)),
            Column::Tokens { tokens, length, .. } => field(name, DType::I32, &[*length], Some(tokens.vocabulary())),
            Column::Image { shape } => field(name, DType::U8, shape, None),
        })
    }
}

/// Reads the kind of a column, `f32`, `category(hash: 16)`, and checks its transforms.
pub fn column(spec: &ColumnSpec) -> Result<Column, Problem> {
    let kind = column_kind(&spec.name, &spec.kind)?;
    for t in &spec.transforms {
        bind::find("transform", TRANSFORMS, t)?;
        if !matches!(kind, Column::Number { dtype: DType::F32 | DType::F64, .. }) {
            return Err((
                format!("`{t}` needs a column of fractions, and `{}` is none", spec.name),
                Some(format!("declare `{}: f32 |> {t}`", spec.name)),
            ));
        }
    }
    Ok(kind)
}

fn column_kind(of: &str, kind: &Static) -> Result<Column, Problem> {
    if let Static::Call(name, args) = kind
        && let Some(dtype) = DType::from_name(name)
    {
        return number(of, name, dtype, args);
    }
    let (form, args) = bind::call("kind of column", COLUMNS, kind)?;
    let label = form.name == "label";
    Ok(match form.name {
        "skip" => Column::Skip,
        "words" | "chars" => {
            let (count, length) = (int(&args, "count"), int(&args, "length"));
            let marks = get(&args, "marks") == Some(&Static::Bool(true));
            let special = if marks { 4 } else { 2 };
            if count <= special {
                let message = format!("`{of}` has room for {count} tokens, and {special} of them are marks");
                return Err((message, Some(format!("write `{}({}, …)` or more", form.name, special + 1))));
            }
            if marks && length < 3 {
                return Err((format!("`{of}` has a length of {length}, and two tokens of it are marks"), None));
            }
            let tokens = if form.name == "words" { Tokens::Words(count) } else { Tokens::Chars(count) };
            Column::Tokens { tokens, length, marks }
        }
        "image" => {
            let (size, channels) = (ints(&args, "size"), int(&args, "channels"));
            let shape = [channels, size[0], size[1]];
            few_numbers(of, &shape)?;
            Column::Image { shape }
        }
        _ => match (get(&args, "classes"), get(&args, "hash")) {
            (Some(_), None) => match classes(&args, "classes") {
                (_, Some(names)) => Column::Names { names, label },
                (count, None) => Column::Below { count, label },
            },
            (None, Some(Static::Int(n))) => Column::Hash(*n),
            _ => {
                return Err((
                    "`category` takes either names, a number or `hash`".into(),
                    Some("write `category([\"a\", \"b\"])`, `category(10)` or `category(hash: 16)`".into()),
                ));
            }
        },
    })
}

/// `f32`, or `f32[7]`, which comes as `f32(shape: [7])`.
fn number(of: &str, name: &str, dtype: DType, args: &[(String, Static)]) -> Result<Column, Problem> {
    if !NUMBERS.contains(&dtype) {
        return Err((format!("a column cannot be {name}"), Some(format!("read it as f32 and write `{name}(x)`"))));
    }
    let shape = match args {
        [] => Vec::new(),
        [(shape, Static::List(_))] if shape == "shape" => ints(args, "shape"),
        _ => return Err((format!("`{name}` takes no arguments here"), Some(format!("write `{name}` or `{name}[7]`")))),
    };
    few_numbers(of, &shape)?;
    Ok(Column::Number { dtype, shape })
}

/// One record's value is of a size that fits in memory.
pub(super) fn few_numbers(of: &str, shape: &[i64]) -> Result<(), Problem> {
    let numbers = shape.iter().try_fold(1i64, |n, size| n.checked_mul(*size)).filter(|n| *n < MOST_NUMBERS);
    match numbers {
        Some(_) => Ok(()),
        None => Err((format!("one `{of}` has too many numbers"), Some("make its shape smaller".into()))),
    }
}

/// The fields of the columns of a source.
pub(super) fn fields(source: &str, columns: &[ColumnSpec]) -> Result<Vec<FieldSpec>, Problem> {
    distinct(columns)?;
    let mut fields: Vec<FieldSpec> = Vec::new();
    for spec in columns {
        fields.extend(column(spec)?.field(&spec.name));
    }
    match fields.is_empty() {
        true => Err((
            format!("`{source}` needs columns that are read"),
            Some(format!("write them in braces after it, `{source}(…) {{ age: f32  kind: category(hash: 16) }}`")),
        )),
        false => Ok(fields),
    }
}
