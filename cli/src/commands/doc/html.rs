//! Pages as HTML: one file per module and an index with a search by name. Nothing is loaded from elsewhere, so
//! that they can be read from a disk.

use std::fmt::Write as _;
use std::path::Path;
use tfm_lang::doc::{Module, Page};

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
a { color: inherit; text-decoration-color: #8888; } h2 { margin-top: 2.5rem; }
pre { background: #8881; padding: .7rem 1rem; overflow-x: auto; border-radius: .4rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .92em; }
.kind { color: #888; font-weight: normal; font-size: .8em; } li { margin: .15rem 0; }
input { font: inherit; width: 100%; padding: .4rem .6rem; box-sizing: border-box; }
summary { cursor: pointer; color: #888; }";

/// Hides what does not hold the text that is searched for; `/` goes to the field.
const SCRIPT: &str = "\
const field = document.querySelector('input');
const rows = [...document.querySelectorAll('li[data-name]')];
field.addEventListener('input', () => {
  const wanted = field.value.trim().toLowerCase();
  for (const row of rows) row.hidden = !row.dataset.name.toLowerCase().includes(wanted);
  for (const part of document.querySelectorAll('section')) {
    part.hidden = !part.querySelector('li:not([hidden])');
  }
});
document.addEventListener('keydown', (e) => {
  if (e.key === '/' && document.activeElement !== field) { e.preventDefault(); field.focus(); }
});";

/// Writes `index.html` and a file for each module.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write(dir: &Path, modules: &[Module]) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for module in modules {
        std::fs::write(dir.join(format!("{}.html", module.name)), module_page(module))?;
    }
    std::fs::write(dir.join("index.html"), index(modules))
}

fn around(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn index(modules: &[Module]) -> String {
    let mut body =
        String::from("<h1>Documentation</h1>\n<input type=\"search\" placeholder=\"Search by name (/)\" autofocus>\n");
    for module in modules {
        let name = escape(&module.name);
        let _ = write!(body, "<section>\n<h2><a href=\"{name}.html\">{name}</a></h2>\n<ul>\n");
        for page in &module.pages {
            let _ = writeln!(
                body,
                "<li data-name=\"{}\"><a href=\"{name}.html#{}\"><code>{}</code></a> {}</li>",
                escape(&page.path()),
                anchor(page),
                escape(&page.name),
                inline(&page.summary())
            );
        }
        body.push_str("</ul>\n</section>\n");
    }
    let _ = write!(body, "<script>\n{SCRIPT}\n</script>\n");
    around("Documentation", &body)
}

fn module_page(module: &Module) -> String {
    let mut body = format!("<p><a href=\"index.html\">All modules</a></p>\n<h1>{}</h1>\n", escape(&module.name));
    let _ = writeln!(body, "<p>{}</p>", inline(&module.text));
    for page in &module.pages {
        let _ = write!(
            body,
            "<h2 id=\"{}\">{} <span class=\"kind\">{} {}</span></h2>\n<pre>{}</pre>\n",
            anchor(page),
            escape(&page.name),
            page.kind,
            escape(&page.place),
            escape(&page.signature)
        );
        for line in blocks(&page.text) {
            body.push_str(&line);
        }
        if !page.examples.is_empty() {
            let _ = writeln!(body, "<pre>{}</pre>", escape(&page.examples.join("\n")));
        }
        if !page.source.is_empty() {
            let _ = writeln!(body, "<details><summary>Source</summary>\n<pre>{}</pre></details>", escape(&page.source));
        }
    }
    around(&module.name, &body)
}

/// Two declarations of a module may have one name, of different kinds.
fn anchor(page: &Page) -> String {
    escape(&format!("{}.{}", page.kind.replace(' ', "-"), page.name))
}

/// Paragraphs, parted by empty lines, and lists.
fn blocks(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut lines, mut items): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut flush = |lines: &mut Vec<&str>, items: &mut Vec<&str>| {
        if !lines.is_empty() {
            out.push(format!("<p>{}</p>\n", inline(&lines.join(" "))));
        }
        if !items.is_empty() {
            let items: String = items.iter().map(|i| format!("<li>{}</li>\n", inline(i))).collect();
            out.push(format!("<ul>\n{items}</ul>\n"));
        }
        lines.clear();
        items.clear();
    };
    for line in text.lines() {
        match line.strip_prefix("- ") {
            Some(item) => items.push(item),
            None if line.trim().is_empty() => flush(&mut lines, &mut items),
            None => lines.push(line.trim()),
        }
    }
    flush(&mut lines, &mut items);
    out
}

/// Text with code between backticks.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let closed = text.matches('`').count() / 2 * 2;
    parts
        .map(|(i, part)| match i {
            _ if i % 2 == 1 && i <= closed => format!("<code>{}</code>", escape(part)),
            _ if i > closed => format!("`{}", escape(part)),
            _ => escape(part),
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_markup_and_nothing_in_it_does() {
        assert_eq!(inline("a `x < y` & `z`"), "a <code>x &lt; y</code> &amp; <code>z</code>");
        assert_eq!(inline("one ` alone"), "one ` alone");
        assert_eq!(blocks("One\nline.\n\n- a\n- b"), ["<p>One line.</p>\n", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"]);
    }
}
