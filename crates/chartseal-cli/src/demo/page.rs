//! The page that a physician can follow: who, what, why, outcome.

use std::io::{self, Write};
use std::path::Path;

use crate::demo::report::Checks;
use crate::demo::visit::plural;
use crate::text::{WIDTH, wrap};

/// What each promise is called on the page.
const NAMES: [(&str, &str); 10] = [
    ("P1", "only holders of its key can read a record"),
    ("P2", "no read without a trace"),
    ("P3", "every attempt is on the chain, the refused ones too"),
    ("P4", "the patient's history proves itself"),
    ("P5", "what is revoked or expired stays closed"),
    ("P6", "what is final is never altered"),
    ("P7", "one bad organization leaks, forges and stops nothing"),
    ("P8", "the chain holds nothing about the patient"),
    ("P9", "what is erased is gone"),
    ("P10", "the same record is never stored twice"),
];

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
        let what = wrap(what, WIDTH - 12, &indent);
        let result = if result.is_empty() {
            String::new()
        } else {
            format!(
                "{indent}{} {}\n",
                self.paint("2", "→"),
                wrap(result, WIDTH - 14, &format!("{indent}  "))
            )
        };
        self.print(&format!("    {mark} {what}\n{result}"))
    }

    /// What became of the promises.
    pub fn summary(&self, checks: &Checks) -> io::Result<()> {
        self.print(&format!("\n{}\n", self.paint("1", "Promises")))?;
        let mut broken = 0;
        for (promise, name) in NAMES {
            let Some(result) = checks.promises().get(promise) else {
                continue;
            };
            let (mark, colour) = if result.held {
                ("held  ", "32")
            } else {
                broken += 1;
                ("BROKEN", "31")
            };
            let checks = plural(result.checks.len(), "check");
            let mark = self.paint(colour, mark);
            self.print(&format!("    {promise:3} {mark} {name} ({checks})\n"))?;
            let failed = |check: &&String| check.starts_with("FAILED");
            for failed in result.checks.iter().filter(failed) {
                let failed = wrap(failed, WIDTH - 15, &" ".repeat(15));
                self.print(&format!("{:15}{failed}\n", ""))?;
            }
        }
        match broken {
            0 => self.print("Every promise that was checked held.\n"),
            _ => self.print(&format!("{} did NOT hold.\n", plural(broken, "promise"))),
        }
    }

    /// Where everything stays, and how to check it.
    pub fn kept(&self, path: &Path) -> io::Result<()> {
        let exports = path.join("exports");
        // Not wrapped: paths and commands are to be copied.
        self.print(&format!(
            "\nKept in {}: exports/, keys/, nodes/. To verify the history yourself:\n    \
             chartseal audit verify {} --trust {}\n",
            path.display(),
            exports.join("patient.tlog-proof").display(),
            exports.join("trust.policy").display(),
        ))
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
