//! What data there is: one table of sources, column kinds, transforms and operators, with their
//! parameters and documentation, and the schema that each gives. Pure: no file is opened here.
//!
//! A row of these tables is the only declaration of what it names. The checker binds arguments and
//! asks for the schema, the runtime asks for the same typed readings ([`Operator`], [`Column`],
//! [`Tokens`]), and `docs/data.md` is written from the documentation in the rows.

mod bind;
mod drawn;
mod reference;
#[cfg(test)]
mod tests;

pub use bind::{bind, find, signature};
pub use drawn::{DRAWN, Drawn, drawn};
pub use reference::reference;

use crate::dim::Dim;
use crate::model::{ColumnSpec, FieldSpec, Static};
use crate::types::{DType, TensorType};

/// What is wrong, and what to write instead. Lower case first, no full stop.
pub type Problem = (String, Option<String>);

/// Arguments under the names of their parameters.
pub type Args = Vec<(String, Static)>;

/// The fields that arguments and columns give.
type Fields = fn(&[(String, Static)], &[ColumnSpec]) -> Result<Vec<FieldSpec>, Problem>;

/// What an argument may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number, at least this.
    Int(i64),
    /// A whole number from 1 to this.
    Count(i64),
    /// A number between 0 and 1, neither of them.
    Fraction,
    /// `true` or `false`.
    Bool,
    /// A text.
    Text,
    /// A text of one ASCII character.
    Character,
    /// A list of different texts, at least one.
    Names,
    /// A list of whole numbers, each at least 1.
    Sizes,
    /// A call of one of these, `chars(65)`.
    Call(&'static [Form]),
}

/// What stands where an argument is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// It must be given.
    Required,
    /// Nothing does; the form says what that means.
    Absent,
    /// This number.
    Int(i64),
    /// This truth.
    Bool(bool),
    /// This text.
    Text(&'static str),
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Its default.
    pub default: Default,
    /// What it is for.
    pub doc: &'static str,
}

/// Something written as a call: an operator, a kind of column.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Its parameters in order.
    pub params: &'static [Param],
    /// What it does.
    pub doc: &'static str,
}

/// What a source asks of one of its columns.
pub type ColumnCheck = fn(&ColumnSpec) -> Result<(), Problem>;

/// Where records come from.
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// Its parameters in order.
    pub params: &'static [Param],
    /// What it reads and what its fields are.
    pub doc: &'static str,
    /// Checks one of the columns that follow in braces; `None` when there are none.
    pub column: Option<ColumnCheck>,
    /// True when the records are pieces of one sequence, so that their order means something.
    pub sequence: bool,
    fields: Fields,
    splits: &'static [&'static str],
}

/// What a data declaration gives.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// The fields of one record.
    pub fields: Vec<FieldSpec>,
    /// The names of the parts.
    pub splits: Vec<String>,
}

const fn param(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Param {
    Param { name, kind, default, doc }
}

/// Categories and tokens are i32.
const MOST: i64 = i32::MAX as i64;

/// Every source.
pub static SOURCES: &[Source] = &[
    Source {
        name: "drawn_digits",
        params: &[
            param("train", Kind::Count(10_000_000), Default::Int(8000), "how many images to draw for training"),
            param("test", Kind::Count(10_000_000), Default::Int(2000), "how many others to draw for testing"),
            param("seed", Kind::Int(0), Default::Int(7), "another seed draws other images"),
        ],
        doc: "Handwritten-looking digits, drawn by a generator; needs no file. Fields: `image`, u8[1, 28, 28], \
              0 for paper and 255 for ink, and `label`, i32[] below 10. As many of each digit, give or take one.",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[1, 28, 28])),
        splits: &["train", "test"],
    },
    Source {
        name: "mnist",
        params: &[param("path", Kind::Text, Default::Required, "the folder with the four files")],
        doc: "The MNIST files and those in the same form (Fashion-MNIST, KMNIST): `train-images-idx3-ubyte`, \
              `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, plain or `.gz`. \
              Fields: `image`, u8[1, 28, 28], and `label`, i32[] below 10.",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[1, 28, 28])),
        splits: &["train", "test"],
    },
    Source {
        name: "cifar10",
        params: &[param("path", Kind::Text, Default::Required, "the folder with the files")],
        doc: "CIFAR-10 in its binary form: all files `data_batch*.bin` for training, all `test_batch*.bin` for \
              testing. Fields: `image`, u8[3, 32, 32], and `label`, i32[] below 10.",
        column: None,
        sequence: false,
        fields: |_, _| Ok(images(&[3, 32, 32])),
        splits: &["train", "test"],
    },
    Source {
        name: "idx",
        params: &[
            param("images", Kind::Text, Default::Required, "the idx file of unsigned bytes, plain or `.gz`"),
            param("labels", Kind::Text, Default::Required, "the idx file of their labels"),
            param("shape", Kind::Sizes, Default::Required, "the sizes of one image, `[1, 28, 28]`"),
            param("classes", Kind::Count(256), Default::Required, "labels are below this"),
        ],
        doc: "One pair of idx files. Fields: `image`, u8 of the `shape` given, and `label`, i32[] below `classes`.",
        column: None,
        sequence: false,
        fields: |args, _| {
            let shape = ints(args, "shape");
            Ok(vec![
                field("image", DType::U8, &shape, None),
                field("label", DType::I32, &[], Some(int(args, "classes"))),
            ])
        },
        splits: &["all"],
    },
    Source {
        name: "csv",
        params: &[
            param("path", Kind::Text, Default::Required, "the file, plain or `.gz`"),
            param("header", Kind::Bool, Default::Bool(true), "whether the first line names the columns"),
            param("missing", Kind::Text, Default::Text(""), "what stands for a missing value, besides an empty cell"),
            param("separator", Kind::Character, Default::Text(","), "what parts two cells"),
        ],
        doc: "Rows of text, one record each, with the columns declared in braces. With a header, columns are found \
              by name, in any order (`hours-per-week` is `hours_per_week`); without one they stand in the order of \
              the file. Every column of the file is declared, those not wanted as `skip`. Cells may be quoted; \
              spaces around them do not count, nor do blank lines. Fields: one per column that is not skipped.",
        column: Some(|spec| column(spec).map(drop)),
        sequence: false,
        fields: |_, columns| csv_fields(columns),
        splits: &["all"],
    },
    Source {
        name: "text",
        params: &[
            param("path", Kind::Text, Default::Required, "the file, UTF-8, plain or `.gz`"),
            param("tokens", Kind::Call(TOKENS), Default::Required, "what a token is, and how many there are at most"),
            param("block", Kind::Count(1 << 30), Default::Int(64), "tokens in an example"),
        ],
        doc: "One text, cut into pieces of `block` tokens. Fields: `tokens`, i32[block], and `next`, i32[block], the \
              same one token later; both below the size of the vocabulary. In `train` (and `all`) an example begins \
              at every token, so that an epoch sees each token `block` times, as random starts would; use `steps:` \
              for less. In `test` an example begins at every `block`th token, so that each token is met once. \
              `split` cuts by tokens, and no example crosses the cut.",
        column: None,
        sequence: true,
        fields: |args, _| {
            let (n, block) = (tokens(args).vocabulary(), int(args, "block"));
            Ok(["tokens", "next"].map(|name| field(name, DType::I32, &[block], Some(n))).into())
        },
        splits: &["all"],
    },
    Source {
        name: "random",
        params: &[
            param("records", Kind::Count(10_000_000), Default::Required, "how many to draw"),
            param("seed", Kind::Int(0), Default::Int(1), "another seed draws other numbers"),
        ],
        doc: "Random numbers in the form declared in braces, for measuring and for trying things out; needs no file. \
              `random(2048) { image: normal([1, 28, 28])  label: below(10) }` has an image and a label in each \
              record. Nothing can be learned from it but the records themselves. Fields: one per column.",
        column: Some(|spec| drawn(spec).map(drop)),
        sequence: false,
        fields: |_, columns| drawn::fields(columns),
        splits: &["all"],
    },
];

/// What a token of a text can be.
pub static TOKENS: &[Form] = &[
    Form {
        name: "chars",
        params: &[param(
            "count",
            Kind::Count(0x11_0000),
            Default::Required,
            "how many different characters there are at most",
        )],
        doc: "Each character is a token, numbered in the order of Unicode. Those that only the test part has come \
              after those of the training part. More characters than declared are an error.",
    },
    Form {
        name: "words",
        params: &[param("count", Kind::Count(MOST), Default::Required, "the size of the vocabulary, unknown included")],
        doc: "A word is a run of letters, digits and apostrophes; any other character that is not a space is a word \
              of its own, and so is the end of a line. Token 0 is an unknown word; the most frequent words of the \
              training part are 1, 2, 3 and so on.",
    },
];

/// The dtypes that a column can have.
const NUMBERS: [DType; 7] = [DType::F64, DType::F32, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool];

/// What a column of a CSV can be, besides a dtype.
pub static COLUMNS: &[Form] = &[
    Form { name: "skip", params: &[], doc: "Not read." },
    Form {
        name: "category",
        params: &[
            param("names", Kind::Names, Default::Absent, "the texts that occur"),
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
        params: &[param("names", Kind::Names, Default::Required, "the classes")],
        doc: "What is to be predicted: a text as its place in the list, i32[]. It is never missing, except in a file \
              given to `predict`.",
    },
];

/// What can be done to a column of f32 or f64, after `|>`.
pub static TRANSFORMS: &[Form] = &[
    Form {
        name: "standardize",
        params: &[],
        doc: "Less its mean and divided by its standard deviation, both over the training part.",
    },
    Form { name: "log1p", params: &[], doc: "The logarithm of 1 + x; every value is above -1." },
];

/// What can be done to a data set or a part of one, after `|>`.
pub static OPERATORS: &[Form] = &[
    Form {
        name: "shuffle",
        params: &[param("seed", Kind::Int(0), Default::Int(1), "another seed gives another order")],
        doc: "The records in another order, once, before what follows. Not for a text, whose order is its meaning. \
              Training sees a new order in each epoch without it.",
    },
    Form {
        name: "split",
        params: &[param("train", Kind::Fraction, Default::Required, "the part that is for training")],
        doc: "Two parts: `train`, the first so many of the records, and `test`, the others.",
    },
    Form {
        name: "take",
        params: &[param("count", Kind::Count(i64::MAX), Default::Required, "how many")],
        doc: "The first so many examples of each part, or all where there are fewer.",
    },
];

/// The source with this name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|s| s.name == name)
}

/// The names of all sources.
pub fn names() -> Vec<&'static str> {
    SOURCES.iter().map(|s| s.name).collect()
}

impl Source {
    /// The schema for arguments that [`bind`] has matched, without operators.
    pub fn schema(&self, args: &[(String, Static)], columns: &[ColumnSpec]) -> Result<Schema, Problem> {
        if self.column.is_none() && !columns.is_empty() {
            return Err((format!("`{}` has fields of its own and takes no columns", self.name), None));
        }
        let fields = (self.fields)(args, columns)?;
        Ok(Schema { fields, splits: self.splits.iter().map(|s| s.to_string()).collect() })
    }

    /// What an operator after the source makes of its schema.
    pub fn apply(&self, schema: Schema, operator: Operator) -> Result<Schema, Problem> {
        match operator {
            Operator::Shuffle { .. } if self.sequence => Err((
                format!("`shuffle` would tear the sequence of `{}` apart", self.name),
                Some("leave it out: training sees the examples in a new order each epoch anyway".into()),
            )),
            Operator::Split { .. } if schema.splits != ["all"] => Err((
                format!("this data has the parts {} already", listed(&schema.splits)),
                Some("leave `split` out".into()),
            )),
            Operator::Split { .. } => Ok(Schema { splits: vec!["train".into(), "test".into()], ..schema }),
            Operator::Take { .. } if self.sequence && schema.splits == ["all"] => Err((
                "`take` counts the examples of a part, and this text has no parts yet".into(),
                Some("write `split` first, or take from a part, as in `words.train |> take(1000)`".into()),
            )),
            Operator::Shuffle { .. } | Operator::Take { .. } => Ok(schema),
        }
    }
}

/// An operator, read.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Operator {
    Shuffle { seed: u64 },
    Split { train: f64 },
    Take { count: usize },
}

/// Reads `shuffle(seed: 1)`, `split(0.9)`, `take(240)`.
pub fn operator(value: &Static) -> Result<Operator, Problem> {
    let (form, args) = bind::call("data operator", OPERATORS, value)?;
    Ok(match form.name {
        "shuffle" => Operator::Shuffle { seed: int(&args, "seed") as u64 },
        "split" => Operator::Split { train: number(&args, "train") },
        _ => Operator::Take { count: int(&args, "count") as usize },
    })
}

/// What a token is, with the size of the vocabulary.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Tokens {
    Chars(i64),
    Words(i64),
}

impl Tokens {
    /// How many tokens there are at most.
    pub fn vocabulary(self) -> i64 {
        match self {
            Tokens::Chars(n) | Tokens::Words(n) => n,
        }
    }
}

/// The `tokens` of bound arguments of `text`.
pub fn tokens(args: &[(String, Static)]) -> Tokens {
    match get(args, "tokens") {
        Some(Static::Call(name, inner)) if name == "words" => Tokens::Words(int(inner, "count")),
        Some(Static::Call(_, inner)) => Tokens::Chars(int(inner, "count")),
        _ => Tokens::Chars(1),
    }
}

/// What a column of a CSV becomes.
#[derive(Clone, PartialEq, Debug)]
pub enum Column {
    /// Nothing.
    Skip,
    /// A number.
    Number(DType),
    /// A text's hash below this.
    Hash(i64),
    /// A text's place in the list.
    Names {
        /// The list.
        names: Vec<String>,
        /// True for a label: absent in a file given to `predict`.
        label: bool,
    },
}

/// Reads the kind of a column, `f32`, `category(hash: 16)`, and checks its transforms.
pub fn column(spec: &ColumnSpec) -> Result<Column, Problem> {
    let kind = column_kind(&spec.kind)?;
    for t in &spec.transforms {
        find("transform", TRANSFORMS, t)?;
        if !matches!(kind, Column::Number(DType::F32 | DType::F64)) {
            return Err((
                format!("`{t}` needs a column of fractions, and `{}` is none", spec.name),
                Some(format!("declare `{}: f32 |> {t}`", spec.name)),
            ));
        }
    }
    Ok(kind)
}

fn column_kind(kind: &Static) -> Result<Column, Problem> {
    if let Static::Call(name, args) = kind
        && let Some(dtype) = DType::from_name(name)
    {
        if !NUMBERS.contains(&dtype) {
            return Err((format!("a column cannot be {name}"), Some(format!("read it as f32 and write `{name}(x)`"))));
        }
        return match args.is_empty() {
            true => Ok(Column::Number(dtype)),
            false => Err((format!("`{name}` takes no arguments here"), None)),
        };
    }
    let (form, args) = bind::call("kind of column", COLUMNS, kind)?;
    match (form.name, get(&args, "hash"), get(&args, "names")) {
        ("skip", ..) => Ok(Column::Skip),
        ("category", Some(Static::Int(n)), None) => Ok(Column::Hash(*n)),
        (name, None, Some(list)) => Ok(Column::Names { names: texts(list), label: name == "label" }),
        _ => Err((
            "`category` takes either names or `hash`".into(),
            Some("write `category([\"a\", \"b\"])` or `category(hash: 16)`".into()),
        )),
    }
}

/// No two columns have one name.
fn distinct(columns: &[ColumnSpec]) -> Result<(), Problem> {
    match columns.iter().enumerate().find(|(i, spec)| columns[..*i].iter().any(|c| c.name == spec.name)) {
        Some((_, spec)) => Err((format!("there are two columns `{}`", spec.name), None)),
        None => Ok(()),
    }
}

fn csv_fields(columns: &[ColumnSpec]) -> Result<Vec<FieldSpec>, Problem> {
    distinct(columns)?;
    let mut fields: Vec<FieldSpec> = Vec::new();
    for spec in columns {
        let (dtype, below) = match column(spec)? {
            Column::Skip => continue,
            Column::Number(dtype) => (dtype, None),
            Column::Hash(n) => (DType::I32, Some(n)),
            Column::Names { names, .. } => (DType::I32, Some(names.len() as i64)),
        };
        fields.push(field(&spec.name, dtype, &[], below));
    }
    match fields.is_empty() {
        true => Err((
            "`csv` needs columns that are read".into(),
            Some("write them in braces after it, `csv(\"a.csv\") { age: f32  kind: category(hash: 16) }`".into()),
        )),
        false => Ok(fields),
    }
}

fn images(shape: &[i64]) -> Vec<FieldSpec> {
    vec![field("image", DType::U8, shape, None), field("label", DType::I32, &[], Some(10))]
}

fn field(name: &str, dtype: DType, shape: &[i64], below: Option<i64>) -> FieldSpec {
    let mut ty = TensorType::new(dtype, shape.iter().copied().map(Dim::constant));
    ty.below = below.map(Dim::constant);
    FieldSpec { name: name.into(), ty }
}

/// The bound argument with this name.
pub fn get<'a>(args: &'a [(String, Static)], name: &str) -> Option<&'a Static> {
    args.iter().find(|(n, _)| n == name).map(|(_, v)| v)
}

/// A bound whole number; 0 where there is none, which [`bind`] rules out.
pub fn int(args: &[(String, Static)], name: &str) -> i64 {
    match get(args, name) {
        Some(Static::Int(n)) => *n,
        _ => 0,
    }
}

fn number(args: &[(String, Static)], name: &str) -> f64 {
    match get(args, name) {
        Some(Static::Float(x)) => *x,
        _ => int(args, name) as f64,
    }
}

/// Bound sizes.
pub fn ints(args: &[(String, Static)], name: &str) -> Vec<i64> {
    let Some(Static::List(items)) = get(args, name) else { return Vec::new() };
    items.iter().filter_map(|v| if let Static::Int(n) = v { Some(*n) } else { None }).collect()
}

fn texts(list: &Static) -> Vec<String> {
    let Static::List(items) = list else { return Vec::new() };
    items.iter().filter_map(|v| if let Static::Str(s) = v { Some(s.clone()) } else { None }).collect()
}

fn listed(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and ")
}
