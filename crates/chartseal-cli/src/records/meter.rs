//! How far a long input is, on stderr.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use crate::text::size;

/// Tells after so long, and again after as long.
const PAUSE: Duration = Duration::from_millis(500);

/// Counts what is read through it.
pub struct Meter<R> {
    from: R,
    verb: &'static str,
    done: u64,
    total: Option<u64>,
    /// When it told last; `None` if nobody looks.
    told: Option<Instant>,
    is_terminal: bool,
    has_told: bool,
}

impl<R: Read> Meter<R> {
    /// `is_asked`: tell also where stderr is no terminal.
    pub fn new(from: R, verb: &'static str, total: Option<u64>, is_asked: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self {
            from,
            verb,
            done: 0,
            total,
            told: (is_terminal || is_asked).then(Instant::now),
            is_terminal,
            has_told: false,
        }
    }

    fn tell(&mut self) {
        let (start, end) = if self.is_terminal {
            ("\r", "\x1b[K")
        } else {
            ("", "\n")
        };
        let line = line(self.verb, self.done, self.total);
        eprint!("{start}{line}{end}");
        self.has_told = true;
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(to)?;
        self.done += len as u64;
        if self.told.is_some_and(|told| told.elapsed() >= PAUSE) {
            self.tell();
            self.told = Some(Instant::now());
        }
        Ok(len)
    }
}

impl<R> Drop for Meter<R> {
    fn drop(&mut self) {
        if self.told.is_none() {
            return;
        }
        if !self.is_terminal {
            eprintln!("{}", line(self.verb, self.done, self.total));
        } else if self.has_told {
            // What comes next begins on a clean line.
            eprint!("\r\x1b[K");
        }
    }
}

fn line(verb: &str, done: u64, total: Option<u64>) -> String {
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let percent = u128::from(done) * 100 / u128::from(total);
            format!("{verb} {} of {} ({percent} %)", size(done), size(total))
        }
        None => format!("{verb} {}", size(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        assert_eq!(
            line("sealed", 512, Some(1024)),
            "sealed 512 bytes of 1.0 KiB (50 %)"
        );
        assert_eq!(line("sealed", 2048, None), "sealed 2.0 KiB");
    }
}
