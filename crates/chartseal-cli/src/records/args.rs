//! What may be typed after `key`, `seal`, `open`, `deal`, `release`, `combine`, `inspect`.

use std::ops::Range;
use std::path::PathBuf;

use chartseal_envelope::{RequestId, SubjectId};
use clap::Subcommand;

/// `key …`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key: an encrypted file, and beside it the public half, ending in `.pub`.
    New(KeyNew),
    /// Show the public half of a key: of a `.pub` file without any password.
    Show(KeyShow),
}

/// `key new`.
#[derive(Debug, clap::Args)]
pub struct KeyNew {
    /// The encrypted file, such as `me.key`; nothing is ever overwritten.
    #[arg(long, value_name = "KEY")]
    pub out: PathBuf,
    #[command(flatten)]
    pub password: Password,
}

/// `key show`.
#[derive(Debug, clap::Args)]
pub struct KeyShow {
    /// A public or an encrypted key.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub password: Password,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Where a password comes from: never an argument, which others could see.
#[derive(Debug, clap::Args)]
pub struct Password {
    /// The first line of this file is the password; without it, the terminal asks.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Whose key opens, deals, releases or combines.
#[derive(Debug, clap::Args)]
pub struct Unlock {
    /// Your encrypted key.
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    #[command(flatten)]
    pub password: Password,
}

/// Custodians, in the order of their indices.
#[derive(Debug, clap::Args)]
pub struct Custodians {
    /// The public key of a custodian, once for each.
    #[arg(long = "custodian", value_name = "PUB")]
    pub keys: Vec<PathBuf>,
    /// How many of them are needed.
    #[arg(long, value_name = "T")]
    pub threshold: Option<u8>,
    /// The deals go here: `deal-1` to the first custodian, and so on. Send each, and keep none.
    #[arg(long, value_name = "DIR")]
    pub deals: PathBuf,
}

/// `seal`.
#[derive(Debug, clap::Args)]
pub struct Seal {
    /// What to seal; `-` for stdin.
    #[arg(value_name = "IN", default_value = "-")]
    pub input: PathBuf,
    /// The author's encrypted key.
    #[arg(long, value_name = "KEY")]
    pub author: PathBuf,
    #[command(flatten)]
    pub password: Password,
    #[command(flatten)]
    pub custodians: Custodians,
    /// The public key of somebody who opens the record without custodians; with `--slots`.
    #[arg(long = "slot", value_name = "PUB", requires = "slots")]
    pub recipients: Vec<PathBuf>,
    /// The slots go here.
    #[arg(long, value_name = "FILE", requires = "recipients")]
    pub slots: Option<PathBuf>,
    /// The content's media type.
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
    pub media_type: String,
    /// Whom it is about, as 32 hex digits; without it, somebody new.
    #[arg(long, value_name = "HEX")]
    pub subject: Option<SubjectId>,
    /// The record goes here; `-` for stdout.
    #[arg(long, value_name = "RECORD", default_value = "-")]
    pub out: PathBuf,
    /// Tell how far it is, also where stderr is no terminal.
    #[arg(long)]
    pub progress: bool,
}

/// A record, and who may open it.
#[derive(Debug, clap::Args)]
pub struct Opening {
    /// The record; `-` for stdin.
    #[arg(value_name = "RECORD", default_value = "-")]
    pub record: PathBuf,
    #[command(flatten)]
    pub unlock: Unlock,
    /// Slots with one for your key, as `seal` or `combine` wrote them.
    #[arg(long, value_name = "FILE")]
    pub slots: PathBuf,
    /// The author's public key; not needed if you are the author.
    #[arg(long, value_name = "PUB")]
    pub author: Option<PathBuf>,
}

/// `open`.
#[derive(Debug, clap::Args)]
pub struct Open {
    #[command(flatten)]
    pub opening: Opening,
    /// Only these bytes, counted from 0, the second one excluded: `0..1024`, `1024..`.
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    pub range: Option<Range<u64>>,
    /// The content goes here; `-` for stdout.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Tell how far it is, also where stderr is no terminal.
    #[arg(long)]
    pub progress: bool,
}

/// `deal`.
#[derive(Debug, clap::Args)]
pub struct Deal {
    #[command(flatten)]
    pub opening: Opening,
    #[command(flatten)]
    pub custodians: Custodians,
    /// Which deal of the record: 0 sends the first one again, another number makes a new one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub epoch: u64,
    /// A new deal's public part goes here; its custodians and readers need it.
    #[arg(long, value_name = "FILE")]
    pub dealing: Option<PathBuf>,
}

/// Which record and request shares are for.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// The record.
    #[arg(long, value_name = "RECORD")]
    pub record: PathBuf,
    /// The public part of a later deal; without it, the first one.
    #[arg(long, value_name = "FILE")]
    pub dealing: Option<PathBuf>,
    /// The reader's request, as 64 hex digits: a number used once.
    #[arg(long, value_name = "HEX")]
    pub request: RequestId,
    #[command(flatten)]
    pub unlock: Unlock,
}

/// `release`.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// The deal that you got.
    #[arg(value_name = "DEAL")]
    pub deal: PathBuf,
    #[command(flatten)]
    pub asked: Asked,
    /// The reader's public key.
    #[arg(long, value_name = "PUB")]
    pub to: PathBuf,
    /// The release goes here.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `combine`.
#[derive(Debug, clap::Args)]
pub struct Combine {
    /// The custodians' releases.
    #[arg(value_name = "RELEASE", required = true)]
    pub releases: Vec<PathBuf>,
    #[command(flatten)]
    pub asked: Asked,
    /// The public key of a custodian, once for each and in their order: who released is verified
    #[arg(long = "custodian", value_name = "PUB", required = true)]
    pub custodians: Vec<PathBuf>,
    /// The record's key goes here, in a slot for your own key.
    #[arg(long, value_name = "SLOTS")]
    pub out: PathBuf,
}

/// `inspect`.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// A record, slots, a deal, its public part, a release or a key; `-` for stdin.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let wrong = "expected A..B, A.. or ..B, with A at most B";
    let (start, end) = text.split_once("..").ok_or(wrong)?;
    let number = |text: &str, or: u64| match text {
        "" => Ok(or),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| wrong.to_owned())
        }
        _ => Err(wrong.to_owned()),
    };
    let range = number(start, 0)?..number(end, u64::MAX)?;
    if range.start > range.end {
        return Err(wrong.into());
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_two_dots() {
        assert_eq!(parse_range("3..7"), Ok(3..7));
        assert_eq!(parse_range("3.."), Ok(3..u64::MAX));
        assert_eq!(parse_range("..7"), Ok(0..7));
        for bad in [
            "",
            "3",
            "7..3",
            "-1..3",
            "a..b",
            "3...7",
            "99999999999999999999..",
        ] {
            assert!(parse_range(bad).is_err(), "{bad}");
        }
    }
}
