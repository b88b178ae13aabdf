//! The page that a physician can follow: who, what, why, outcome.

use std::io::{self, Write};

use crate::demo::report::Checks;

/// Prints a page step by step; nothing if a JSON document is wanted instead.
#[derive(Debug)]
pub struct Page {
    silent: bool,
    colour: bool,
    step: usize,
}

/// How a line of the page ends.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It worked, or was permitted.
    Good,
    /// It was refused, as it should be.
    Refused,
    /// It was permitted, and somebody must look.
    Flagged,
    /// For the reader's information.
    Note,
}

impl Page {
    /// A page on stdout; `silent` for a JSON run.
    pub fn new(silent: bool, colour: bool) -> Self {
        Self {
            silent,
            colour,
            step: 0,
        }
    }

    /// The head of the page.
    pub fn title(&self, title: &str, below: &str) -> io::Result<()> {
        self.print(&format!("{}\n{below}\n", self.paint("1", title)))
    }

    /// The next step.
    pub fn step(&mut self, title: &str) -> io::Result<()> {
        self.step += 1;
        let title = format!("{:2}. {title}", self.step);
        self.print(&format!("\n{}\n", self.paint("1", &title)))
    }

    /// One thing that happened: who, what and why; then the outcome.
    pub fn line(&self, what: &str, outcome: Outcome, result: &str) -> io::Result<()> {
        let (mark, colour) = match outcome {
            Outcome::Good => ("ok     ", "32"),
            Outcome::Refused => ("refused", "33"),
            Outcome::Flagged => ("flagged", "35"),
            Outcome::Note => ("       ", "2"),
        };
        let mark = self.paint(colour, mark);
        let indent = " ".repeat(12);
        let what = wrap(what, 84, &indent);
        let result = if result.is_empty() {
            String::new()
        } else {
            format!(
                "{indent}{} {}\n",
                self.paint("2", "→"),
                wrap(result, 82, &format!("{indent}  "))
            )
        };
        self.print(&format!("    {mark} {what}\n{result}"))
    }

    /// What became of the promises.
    pub fn summary(&self, checks: &Checks) -> io::Result<()> {
        self.print(&format!("\n{}\n", self.paint("1", "Promises")))?;
        let mut promises: Vec<_> = checks.promises().iter().collect();
        // P10 comes last, not second.
        promises.sort_by_key(|(promise, _)| (promise.len(), **promise));
        for (promise, result) in promises {
            let (mark, colour) = if result.held {
                ("held", "32")
            } else {
                ("BROKEN", "31")
            };
            let count = result.checks.len();
            let noun = if count == 1 { "check" } else { "checks" };
            self.print(&format!(
                "    {promise:4}{} ({count} {noun})\n",
                self.paint(colour, mark)
            ))?;
            for failed in result
                .checks
                .iter()
                .filter(|check| check.starts_with("FAILED"))
            {
                self.print(&format!("            {failed}\n"))?;
            }
        }
        Ok(())
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if self.silent {
            Ok(())
        } else {
            io::stdout().lock().write_all(text.as_bytes())
        }
    }
}

/// Breaks at spaces so that no line is wider than `width`, if its words allow.
fn wrap(text: &str, width: usize, indent: &str) -> String {
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
}
