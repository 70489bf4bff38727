//! Tables that an evaluation gives, above all how often each class was taken for each: as CSV, SVG and PNG.

use crate::tensor::Tensor;
use std::fmt::Write as _;
use tfm_lang::check::sources::classes;
use tfm_lang::model::{DataSpec, Static};

/// A table of numbers with the names of its rows and columns.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// `test.confusion_matrix`
    pub name: String,
    /// The names of the columns, and of the rows where there are as many.
    pub names: Vec<String>,
    /// Row by row; a vector is one row.
    pub rows: Vec<Vec<f64>>,
}

/// The names of so many classes, where the data says them; their numbers otherwise.
pub fn class_names(data: &DataSpec, count: usize) -> Vec<String> {
    const CIFAR: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let list = |value: &Static| match value {
        Static::List(items) => {
            items.iter().map(|i| if let Static::Str(s) = i { Some(s.clone()) } else { None }).collect()
        }
        _ => None::<Vec<String>>,
    };
    let of_column = |kind: &Static| match kind {
        Static::Call(word, args) if word == "label" => args.iter().find_map(|(_, value)| list(value)),
        _ => None,
    };
    let of_source = if data.source == "cifar10" { Some(CIFAR.map(String::from).to_vec()) } else { None };
    let declared = classes(&data.args, "classes").1.or(of_source);
    let zipped = || data.zipped.iter().map(|z| class_names(&z.data, count)).find(|names| names != &numbers(count));
    let found = declared.into_iter().chain(data.columns.iter().filter_map(|c| of_column(&c.kind)));
    found.chain(zipped()).find(|names| names.len() == count).unwrap_or_else(|| numbers(count))
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|i| i.to_string()).collect()
}

impl Table {
    /// From what an evaluation gave, `[N, M]` or `[N]`.
    pub fn of(name: &str, values: &Tensor, data: &DataSpec) -> Table {
        let columns = values.shape.last().copied().unwrap_or(1);
        let rows = values.to_f64().chunks(columns.max(1)).map(<[f64]>::to_vec).collect();
        Table { name: name.into(), names: class_names(data, columns), rows }
    }

    /// True where rows and columns are the same classes.
    pub fn is_square(&self) -> bool {
        self.rows.len() == self.names.len() && self.rows.len() > 1
    }

    /// A line of names, then a line for each row, which its name begins.
    pub fn csv(&self) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_string(),
        };
        let names: Vec<String> = self.names.iter().map(|n| quoted(n)).collect();
        let corner = if self.is_square() { "is\\said" } else { "" };
        let mut out = format!("{corner},{}\n", names.join(","));
        for (i, row) in self.rows.iter().enumerate() {
            let name = if self.is_square() { names[i].clone() } else { quoted(&self.name) };
            let cells: Vec<String> = row.iter().map(|x| x.to_string()).collect();
            let _ = writeln!(out, "{name},{}", cells.join(","));
        }
        out
    }

    /// Reads what [`Table::csv`] writes; `None` for anything else.
    pub fn read(name: &str, text: &str) -> Option<Table> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut records = reader.records();
        let names: Vec<String> = records.next()?.ok()?.iter().skip(1).map(str::to_string).collect();
        let mut rows = Vec::new();
        for record in records {
            let row: Option<Vec<f64>> = record.ok()?.iter().skip(1).map(|x| x.parse().ok()).collect();
            rows.push(row.filter(|r| r.len() == names.len())?);
        }
        Some(Table { name: name.into(), names, rows })
    }

    /// The part of each row that stands in a cell.
    pub fn shares(&self) -> Vec<Vec<f64>> {
        let share = |row: &Vec<f64>| {
            let total: f64 = row.iter().sum();
            row.iter().map(|x| if total > 0.0 { x / total } else { 0.0 }).collect()
        };
        self.rows.iter().map(share).collect()
    }

    /// The part on the diagonal.
    pub fn right(&self) -> f64 {
        let total: f64 = self.rows.iter().flatten().sum();
        let right: f64 = (0..self.rows.len()).filter_map(|i| self.rows[i].get(i)).sum();
        if total > 0.0 { right / total } else { f64::NAN }
    }

    /// A picture for light and dark pages: what is right in blue, what was taken for something else in red.
    pub fn svg(&self) -> String {
        let longest = self.names.iter().map(|n| n.chars().count()).max().unwrap_or(1);
        let cell = if self.names.len() <= 12 { 46.0 } else { (560.0 / self.names.len() as f64).max(9.0) };
        let (left, top) = (longest.min(18) as f64 * 7.0 + 46.0, longest.min(18) as f64 * 5.0 + 86.0);
        let across = cell * self.names.len() as f64;
        let down = cell * self.rows.len() as f64;
        let (width, height) = (left + across + 34.0, top + down + 44.0);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{0}\">\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n<text class=\"title\" x=\"20\" y=\"28\">{0}</text>\n",
            escape(&self.name)
        );
        if self.is_square() {
            let right = format!("{:.1} % right", self.right() * 100.0);
            let _ = writeln!(
                out,
                "<text class=\"small\" x=\"20\" y=\"46\">{right}; rows are what it is, columns what was said</text>"
            );
        }
        for (j, name) in self.names.iter().enumerate() {
            let (x, y) = (left + cell * (j as f64 + 0.5), top - 8.0);
            let turned = if longest > 4 {
                format!(" transform=\"rotate(-40 {x:.1} {y:.1})\" text-anchor=\"start\"")
            } else {
                " text-anchor=\"middle\"".into()
            };
            let _ =
                writeln!(out, "<text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\"{turned}>{}</text>", escape(&cut(name)));
        }
        let shares = self.shares();
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + cell * i as f64;
            let name = if self.is_square() { cut(&self.names[i]) } else { String::new() };
            let _ = writeln!(
                out,
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 8.0,
                y + cell / 2.0 + 4.0,
                escape(&name)
            );
            for (j, x) in row.iter().enumerate() {
                let share = shares[i][j];
                let tone = if self.is_square() && i != j { "wrong" } else { "right" };
                let left = left + cell * j as f64;
                // What is wrong is little, and should be seen.
                let alpha = if tone == "wrong" { share.powf(0.6) } else { share };
                let _ = write!(
                    out,
                    "<rect class=\"{tone}\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{}\" fill-opacity=\"{:.3}\"><title>{:.1} %</title></rect>",
                    cell - 2.0,
                    cell - 2.0,
                    if cell > 20.0 { 5 } else { 1 },
                    0.04 + 0.96 * alpha,
                    share * 100.0
                );
                if cell > 20.0 && *x != 0.0 {
                    let class = if alpha > 0.55 { "count on" } else { "count" };
                    let _ = writeln!(
                        out,
                        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                        left + cell / 2.0 - 1.0,
                        y + cell / 2.0 + 3.0,
                        number(*x)
                    );
                }
            }
        }
        out + "</svg>\n"
    }

    /// A small picture without words, for viewers that show nothing else: cells in grey and colour, row by row.
    pub fn png(&self) -> Vec<u8> {
        let cell = (480 / self.names.len().max(self.rows.len()).max(1)).clamp(4, 40);
        let (width, height) = (cell * self.names.len(), cell * self.rows.len());
        let mut pixels = vec![255u8; width * height * 3];
        for (i, row) in self.shares().iter().enumerate() {
            for (j, share) in row.iter().enumerate() {
                let is_right = i == j || !self.is_square();
                let full = if is_right { [37.0, 99.0, 235.0] } else { [220.0, 60.0, 40.0] };
                let alpha = 0.06 + 0.94 * if is_right { *share } else { share.powf(0.6) };
                for y in i * cell..(i + 1) * cell - 1 {
                    for x in j * cell..(j + 1) * cell - 1 {
                        for (c, full) in full.iter().enumerate() {
                            pixels[(y * width + x) * 3 + c] = (255.0 + (full - 255.0) * alpha).round() as u8;
                        }
                    }
                }
            }
        }
        super::images::encode(&pixels, width.max(1), height.max(1), 3)
    }
}

/// The colours of the picture.
const STYLE: &str = "svg{--paper:#fff;--ink:#1c2330;--faint:#66708a;--on:#fff;font-family:ui-monospace,SFMono-Regular,Menlo,\
Consolas,'DejaVu Sans Mono',monospace}@media (prefers-color-scheme:dark){svg{--paper:#12151c;--ink:#e7ebf3;--faint:#98a2b8}}\
.paper{fill:var(--paper)}text{fill:var(--ink)}.title{font-size:14px;font-weight:600}.name{font-size:12px}\
.small{font-size:11px;fill:var(--faint)}.count{font-size:11px}.on{fill:var(--on)}.right{fill:#3b82f6}.wrong{fill:#ef5b45}";

fn cut(name: &str) -> String {
    if name.chars().count() > 18 { name.chars().take(17).collect::<String>() + "…" } else { name.into() }
}

fn number(x: f64) -> String {
    match x.abs() {
        _ if x.fract() == 0.0 && x.abs() < 1e5 => format!("{x}"),
        a if a >= 1e6 => format!("{:.1}M", x / 1e6),
        a if a >= 1e4 => format!("{:.0}k", x / 1e3),
        _ => format!("{x:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfm_lang::source::Span;

    fn data(args: Vec<(String, Static)>) -> DataSpec {
        DataSpec {
            name: "d".into(),
            source: "images".into(),
            args,
            columns: Vec::new(),
            operators: Vec::new(),
            fields: Vec::new(),
            splits: Vec::new(),
            zipped: Vec::new(),
            span: Span::default(),
        }
    }

    #[test]
    fn tables_come_back_from_csv() {
        let names = ["cat, tame", "\"dog\""].map(|n| Static::Str(n.into())).to_vec();
        let data = data(vec![("classes".into(), Static::List(names))]);
        let table = Table::of("test.confusion_matrix", &Tensor::of(&[2, 2], &[3.0f64, 1.0, 0.0, 4.0]), &data);
        assert_eq!(table.names, ["cat, tame", "\"dog\""]);
        assert!(
            table.csv().starts_with("is\\said,\"cat, tame\",\"\"\"dog\"\"\"\n\"cat, tame\",3,1\n"),
            "{}",
            table.csv()
        );
        assert_eq!(Table::read("test.confusion_matrix", &table.csv()), Some(table.clone()));
        assert_eq!((table.right(), table.is_square()), (0.875, true));
        assert!(table.svg().contains("87.5 % right") && table.svg().contains("&quot;dog&quot;"));
        assert!(table.png().starts_with(b"\x89PNG"));
        assert_eq!(Table::read("t", "a,b\nc,x\n"), None);
    }

    #[test]
    fn a_vector_is_one_row() {
        let table = Table::of("test.each", &Tensor::of(&[3], &[0.5f32, 0.25, 1.0]), &data(Vec::new()));
        assert_eq!(table.csv(), ",0,1,2\ntest.each,0.5,0.25,1\n");
    }
}
