//! Annotations of GitHub's workflows: `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=…::message`.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use super::Finding;

/// A command for each finding.
pub fn render(findings: &[Finding]) -> String {
    let one = |f: &Finding| {
        let p = &f.place;
        format!(
            "::{} file={},line={},endLine={},col={},endColumn={},title={}::{}\n",
            f.severity(),
            property(&p.path),
            p.line,
            p.end_line,
            p.column,
            p.end_column,
            property(&f.title()),
            data(&f.text())
        )
    };
    findings.iter().map(one).collect()
}

/// A message: `%` and line ends are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property: what ends one is escaped too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(data("50 %: a,\r\nb"), "50 %25: a,%0D%0Ab");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
