//! Tables as Markdown, and their places in a document.

use std::fmt;

/// A table of the plan: its id stands in the document around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(super) id: &'static str,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(id: &'static str, head: &[&str]) -> Self {
        Self {
            id,
            head: head.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn begin(&self) -> String {
        format!("<!-- nation:{} -->\n", self.id)
    }

    /// The document with this table in the place of the one that it has; `None` if it has none.
    pub(super) fn put_into(&self, document: &str) -> Option<String> {
        let (before, rest) = document.split_once(&self.begin())?;
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{self}{after}"))
    }
}

/// What stands behind each table.
pub(super) const END: &str = "<!-- /nation -->\n";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.begin())?;
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        f.write_str(END)
    }
}
