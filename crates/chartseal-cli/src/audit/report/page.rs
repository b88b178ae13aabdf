//! One HTML file that prints well: no scripts, nothing from elsewhere, dark on white, headings in
//! order, tables with captions and heads that come again on each sheet.

use std::fmt::Write as _;

/// A page's text while it is written. Whatever comes from outside is escaped.
pub struct Page {
    html: String,
}

const STYLE: &str = "\
@page{size:A4;margin:18mm 15mm}\
:root{color-scheme:light}\
html{background:#fff;color:#111;font:11pt/1.4 Georgia,'Times New Roman',serif}\
body{max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.6em;margin:0 0 .3em}h2{font-size:1.25em;margin:1.4em 0 .4em;border-bottom:1px solid #111}\
h1,h2,caption{break-after:avoid;page-break-after:avoid}\
section.sheet{break-before:page;page-break-before:always}\
p{margin:.4em 0}ul{margin:.3em 0;padding-left:1.2em}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1em;margin:.6em 0}\
dt{font-weight:bold}dd{margin:0;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;margin:.6em 0;font-size:.88em}\
caption{text-align:left;font-weight:bold;padding:.3em 0}\
th,td{border:1px solid #555;padding:.25em .4em;text-align:left;vertical-align:top}\
thead{display:table-header-group}thead th{background:#eee}\
tr{break-inside:avoid;page-break-inside:avoid}\
.id{font:.82em/1.3 'DejaVu Sans Mono',Consolas,monospace}\
time{white-space:nowrap}.verdict{border:2px solid #111;padding:.4em .8em}\
.warn{border:2px solid #8a0000;color:#8a0000;padding:.4em .8em}\
footer{margin-top:2em;border-top:1px solid #111;font-size:.85em}\
@media print{body{padding:0 1px;max-width:none}}";

impl Page {
    /// Begins a page.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        Self { html }
    }

    pub fn heading(&mut self, text: &str) {
        self.element("h2", "", text);
    }

    pub fn paragraph(&mut self, text: &str) {
        self.element("p", "", text);
    }

    /// A paragraph that stands out: `verdict` or `warn`.
    pub fn boxed(&mut self, class: &'static str, text: &str) {
        self.element("p", class, text);
    }

    fn element(&mut self, tag: &str, class: &str, text: &str) {
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" class=\"{class}\"")
        };
        let _ = writeln!(self.html, "<{tag}{class}>{}</{tag}>", escape(text));
    }

    /// A part that begins on a sheet of its own.
    pub fn sheet(&mut self, heading: &str, inside: impl FnOnce(&mut Self)) {
        self.html += "<section class=\"sheet\">\n";
        self.heading(heading);
        inside(self);
        self.html += "</section>\n";
    }

    /// Names and values.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        self.html += "<dl>\n";
        for (name, value) in facts {
            let value = marked(value);
            let _ = writeln!(self.html, "<dt>{}</dt><dd>{value}</dd>", escape(name));
        }
        self.html += "</dl>\n";
    }

    pub fn list(&mut self, items: impl IntoIterator<Item = impl AsRef<str>>) {
        self.html += "<ul>\n";
        for item in items {
            let _ = writeln!(self.html, "<li>{}</li>", marked(item.as_ref()));
        }
        self.html += "</ul>\n";
    }

    /// A table; in a cell each line is a line, and ids are set small. The first cell heads its row.
    pub fn table(
        &mut self,
        caption: &str,
        head: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) {
        let _ = writeln!(self.html, "<table>\n<caption>{}</caption>", escape(caption));
        self.html += "<thead><tr>";
        for cell in head {
            let _ = write!(self.html, "<th scope=\"col\">{}</th>", escape(cell));
        }
        self.html += "</tr></thead>\n<tbody>\n";
        for row in rows {
            self.html += "<tr>";
            for (index, cell) in row.iter().enumerate() {
                let lines: Vec<String> = cell.split('\n').map(line).collect();
                let text = lines.join("<br>");
                let _ = match index {
                    0 => write!(self.html, "<th scope=\"row\">{text}</th>"),
                    _ => write!(self.html, "<td>{text}</td>"),
                };
            }
            self.html += "</tr>\n";
        }
        self.html += "</tbody>\n</table>\n";
    }

    /// Ends the page.
    pub fn finish(mut self, footer: &[String]) -> String {
        self.html += "</main>\n<footer>\n";
        for line in footer {
            let _ = writeln!(self.html, "<p>{}</p>", marked(line));
        }
        self.html += "</footer>\n</body>\n</html>\n";
        self.html
    }
}

/// A line of a cell: a time is never broken.
fn line(text: &str) -> String {
    let is_time = text.len() == 23 && text.ends_with(" UTC");
    if is_time {
        format!("<time>{}</time>", escape(text))
    } else {
        marked(text)
    }
}

/// Hex digits, which break after each sixteen alone.
fn id(digits: &str) -> String {
    let parts: Vec<&str> = (0..digits.len())
        .step_by(16)
        .filter_map(|at| digits.get(at..digits.len().min(at + 16)))
        .collect();
    format!("<span class=\"id\">{}</span>", parts.join("<wbr>"))
}

/// Text in which long words of hex digits are set small.
fn marked(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([':', ',', ';', '.', ')']);
        let bare = bare.trim_start_matches('(');
        let is_id = bare.len() >= 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let escaped = escape(word);
        if is_id {
            escaped.replacen(bare, &id(bare), 1)
        } else {
            escaped
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Text that HTML takes for text, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // Nothing may turn the order of what is read.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut page = Page::new("<script>1</script>");
        page.table(
            "<b>",
            &["&"],
            [vec!["'x' <img src=x>\n\u{202e}\"y\"".into()]],
        );
        let html = page.finish(&["<i>".into()]);
        for bad in ["<script", "<img", "<b>", "<i>", "\u{202e}"] {
            assert!(!html.contains(bad), "{bad}");
        }
        assert!(
            html.contains("&#39;x&#39; &lt;img src=x&gt;<br>&quot;y&quot;"),
            "{html}"
        );
    }
}
