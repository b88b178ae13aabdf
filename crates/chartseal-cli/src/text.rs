//! Text for a terminal: lines that fit, and tables.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Characters a line, as every terminal has and a sheet of paper takes.
pub const WIDTH: usize = 80;

/// Whether stdout takes colour: it is a terminal, and `NO_COLOR` does not forbid it.
pub fn has_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) && io::stdout().is_terminal()
}

/// Breaks at spaces so that no line is wider than `width`, if its words allow.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.into());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{indent}"))
}

/// Rows under a head, in columns as wide as they need; the last one breaks at spaces.
pub fn table(head: &[&str], rows: &[Vec<String>], indent: &str) -> String {
    let head: Vec<String> = head.iter().map(|cell| (*cell).into()).collect();
    let rows: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let last = head.len().saturating_sub(1);
    let widths: Vec<usize> = (0..last).map(width).collect();
    let used = indent.len() + widths.iter().map(|width| width + 2).sum::<usize>();
    let mut table = String::new();
    for row in rows {
        let mut line = String::from(indent);
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            line += &" ".repeat(width + 2 - cell.chars().count());
        }
        if let Some(cell) = row.get(last) {
            line += &wrap(cell, WIDTH.saturating_sub(used).max(24), &" ".repeat(used));
        }
        table += line.trim_end();
        table.push('\n');
    }
    table
}

/// A name is at most so wide, with a space after it; a digest fits behind it.
pub const NAME: usize = 15;

/// `name           value`, broken at spaces.
pub fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let value = wrap(value, WIDTH - NAME, &" ".repeat(NAME));
    writeln!(out, "{name:<NAME$}{value}")
}

/// A number of bytes as a person reads it.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "bytes";
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    if unit == "bytes" {
        return format!("{bytes} bytes");
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// One document on stdout, and a newline.
pub fn print_json(document: &Value) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = serde_json::to_writer_pretty(&mut out, document);
    written.map_err(|error| Failure::from(io::Error::from(error)))?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7, "  "), "one two\n  three");
        assert_eq!(
            wrap("incomprehensibilities", 7, "  "),
            "incomprehensibilities"
        );
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(10 << 30), "10.0 GiB");
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs() {
        let rows = [
            vec!["lab".into(), "a b".into()],
            vec![String::new(), "c".into()],
        ];
        assert_eq!(
            table(&["record", "who"], &rows, " "),
            " record  who\n lab     a b\n         c\n"
        );
    }
}
