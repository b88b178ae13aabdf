//! `chartseal audit trust …`: how a verifier comes to trust a policy, and a changed one.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chartseal_audit::TrustPolicy;
use chartseal_codec::to_hex;
use chartseal_wire::VerifierKey;
use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::MAX_POLICY;
use crate::args::{TrustPin, TrustShow};
use crate::exit::Exit;
use crate::failure::{Failure, read_text};
use crate::records::output::Output;
use crate::text::{WIDTH, line, print_json, wrap};

/// A key as one compares it: an Ed25519 key in hex, of a longer one its SHA-256.
fn key_text(key: &VerifierKey) -> String {
    match key.key() {
        Some(key) => key.to_string(),
        None => format!("sha256:{}", to_hex(&Sha256::digest(key.key_bytes()))),
    }
}

/// A policy with its fingerprint: the SHA-256 of its file.
struct Policy {
    text: String,
    trust: TrustPolicy,
    fingerprint: String,
}

impl Policy {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, MAX_POLICY)?;
        let trust = TrustPolicy::parse(&text).map_err(|why| Failure::bad(path, why))?;
        let fingerprint = to_hex(&Sha256::digest(text.as_bytes()));
        Ok(Self {
            text,
            trust,
            fingerprint,
        })
    }

    /// The logs' names: one network has one.
    fn networks(&self) -> BTreeSet<&str> {
        self.trust.logs().iter().map(VerifierKey::name).collect()
    }

    /// Lines that say who must sign: groups, and the quorum.
    fn rules(&self) -> Vec<Vec<&str>> {
        let lines = self.text.lines();
        let lines = lines.map(|line| line.split([' ', '\t']).filter(|item| !item.is_empty()));
        let lines = lines.map(Iterator::collect::<Vec<_>>);
        lines
            .filter(|line| matches!(line.first(), Some(&("group" | "quorum"))))
            .collect()
    }

    /// The rules as sentences.
    fn says(&self) -> Vec<String> {
        let rule = |line: Vec<&str>| match line.as_slice() {
            ["group", name, needed, members @ ..] => {
                let of = members.len();
                let needed = match *needed {
                    "all" => of.to_string(),
                    "any" => "1".into(),
                    needed => needed.into(),
                };
                format!("{name}: {needed} of {of} must sign: {}", members.join(", "))
            }
            ["quorum", "none", ..] => "nobody besides the network's own log must sign".into(),
            ["quorum", name, ..] => format!("what counts is {name}"),
            _ => String::new(),
        };
        self.rules().into_iter().map(rule).collect()
    }

    /// Every key, as a line that tells whose it is.
    fn keys(&self) -> BTreeSet<String> {
        let logs = self.trust.logs().iter();
        let logs = logs.map(|key| format!("proposer key {}", key_text(key)));
        let witnesses = self.trust.witnesses();
        let witnesses = witnesses.map(|(name, key)| format!("{name}, key {}", key_text(key)));
        let committee = self.trust.committee();
        let committee = committee.map(|hash| format!("committee {hash}"));
        logs.chain(witnesses).chain(committee).collect()
    }
}

/// `audit trust show`.
pub fn show(args: &TrustShow) -> Result<Exit, Failure> {
    let policy = Policy::read(&args.policy)?;
    if args.json {
        let witnesses = policy.trust.witnesses();
        print_json(&json!({
            "schema": "chartseal.audit.trust/1",
            "fingerprint": policy.fingerprint,
            "networks": policy.networks(),
            "logs": policy.trust.logs().iter().map(key_text).collect::<Vec<_>>(),
            "witnesses": witnesses
                .map(|(name, key)| json!({"name": name, "key": key_text(key)}))
                .collect::<Vec<_>>(),
            "committee": policy.trust.committee().map(|hash| hash.to_string()),
            "rules": policy.says(),
        }))?;
        return Ok(Exit::Done);
    }
    let out = &mut io::stdout().lock();
    for network in policy.networks() {
        let chain = network.strip_prefix("chartseal/chain/");
        line(
            out,
            if chain.is_some() { "chain" } else { "network" },
            chain.unwrap_or(network),
        )?;
    }
    let logs = policy.trust.logs().len();
    line(
        out,
        "log",
        &format!("{logs} keys, of which one signs each checkpoint"),
    )?;
    for (name, key) in policy.trust.witnesses() {
        line(out, "witness", name)?;
        line(out, "  key", &key_text(key))?;
    }
    if let Some(hash) = policy.trust.committee() {
        line(out, "committee", &hash.to_string())?;
    }
    for says in policy.says() {
        line(out, "rule", &says)?;
    }
    fingerprint(out, &policy.fingerprint)?;
    if args.qr {
        writeln!(out)?;
        write!(out, "{}", qr(&code(&policy.fingerprint))?)?;
    }
    writeln!(out)?;
    let advice = "Compare the fingerprint with one that you have from the network by another way: \
        on paper, by telephone, from two of its organizations. If they are equal, pin the policy: \
        `chartseal audit trust pin POLICY --fingerprint … --as FILE`.";
    writeln!(out, "{}", wrap(advice, WIDTH, ""))?;
    Ok(Exit::Done)
}

/// Sixteen groups of four digits, four a line: as one reads them aloud.
fn fingerprint(out: &mut impl Write, fingerprint: &str) -> io::Result<()> {
    let groups: Vec<&str> = (0..fingerprint.len())
        .step_by(4)
        .filter_map(|at| fingerprint.get(at..at + 4))
        .collect();
    for (index, row) in groups.chunks(4).enumerate() {
        let name = if index == 0 { "fingerprint" } else { "" };
        line(out, name, &row.join(" "))?;
    }
    Ok(())
}

/// What the QR code says. All of it is in the small alphabet of QR codes, so that they stay small.
fn code(fingerprint: &str) -> String {
    format!("CHARTSEAL:TRUST:SHA256:{}", fingerprint.to_uppercase())
}

/// A QR code in half blocks: light modules are drawn, as terminals are dark; readers take both.
fn qr(text: &str) -> Result<String, Failure> {
    /// Light modules around the code, as the standard asks.
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M);
    let code = code.map_err(Failure::new)?;
    let width = code.width();
    let colors = code.to_colors();
    let is_light = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else {
            return true;
        };
        let inside = x < width && y < width;
        !inside || colors.get(y * width + x) == Some(&Color::Light)
    };
    let size = width + 2 * QUIET;
    let mut rows = String::new();
    for y in (0..size).step_by(2) {
        for x in 0..size {
            let below = y + 1 < size && is_light(x, y + 1);
            rows.push(match (is_light(x, y), below) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        rows.push('\n');
    }
    Ok(rows)
}

/// What became of a pin.
enum Pinned {
    /// The fingerprint is another file's.
    Wrong,
    /// It is pinned already.
    Already,
    /// It is pinned now; the one before is kept beside it.
    New { before: Option<PathBuf> },
    /// Another one is pinned.
    Other(Changes),
}

/// How a policy differs from the one that is pinned.
struct Changes {
    is_other_network: bool,
    gone: Vec<String>,
    new: Vec<String>,
    rules: Option<(Vec<String>, Vec<String>)>,
}

/// `audit trust pin`.
pub fn pin(args: &TrustPin) -> Result<Exit, Failure> {
    let policy = Policy::read(&args.policy)?;
    let digits = args.fingerprint.chars();
    let heard: String = digits
        .filter(|c| !matches!(c, ' ' | '-' | ':'))
        .flat_map(char::to_lowercase)
        .collect();
    let is_one = heard.len() == 64 && heard.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_one {
        let why = "a fingerprint has 64 hex digits, as `chartseal audit trust show` prints them";
        return Err(Failure::new(why));
    }
    let pinned = if heard == policy.fingerprint {
        keep(args, &policy)?
    } else {
        Pinned::Wrong
    };
    let exit = match &pinned {
        Pinned::Wrong => Exit::Refuted,
        Pinned::Other(_) => Exit::CannotTell,
        Pinned::Already | Pinned::New { .. } => Exit::Done,
    };
    if args.json {
        print_json(&document(&policy, &pinned))?;
    } else {
        print(args, &pinned)?;
    }
    Ok(exit)
}

fn keep(args: &TrustPin, policy: &Policy) -> Result<Pinned, Failure> {
    let place = &args.place;
    let mut before = None;
    if place.exists() {
        let old = Policy::read(place)?;
        if old.fingerprint == policy.fingerprint {
            return Ok(Pinned::Already);
        }
        if !args.replace {
            return Ok(Pinned::Other(changes(&old, policy)));
        }
        // What was trusted may be evidence, and what older exports were checked against.
        let mut beside = place.clone().into_os_string();
        beside.push(format!(".{}", old.fingerprint.get(..8).unwrap_or_default()));
        let beside = PathBuf::from(beside);
        write(&beside, &old.text, true)?;
        before = Some(beside);
    }
    write(place, &policy.text, args.replace)?;
    Ok(Pinned::New { before })
}

fn write(path: &Path, text: &str, may_replace: bool) -> Result<(), Failure> {
    let mut out = Output::public(path)?;
    out.write_all(text.as_bytes())?;
    if may_replace {
        out.finish()
    } else {
        out.finish_new()
    }
}

fn changes(old: &Policy, new: &Policy) -> Changes {
    let (old_keys, new_keys) = (old.keys(), new.keys());
    let rules = (old.says(), new.says());
    Changes {
        is_other_network: old.networks() != new.networks(),
        gone: old_keys.difference(&new_keys).cloned().collect(),
        new: new_keys.difference(&old_keys).cloned().collect(),
        rules: (rules.0 != rules.1).then_some(rules),
    }
}

fn document(policy: &Policy, pinned: &Pinned) -> Value {
    let (result, before, changes) = match pinned {
        Pinned::Wrong => ("wrong_fingerprint", None, None),
        Pinned::Already => ("already_pinned", None, None),
        Pinned::New { before } => ("pinned", before.as_ref(), None),
        Pinned::Other(changes) => ("other_pinned", None, Some(changes)),
    };
    json!({
        "schema": "chartseal.audit.pin/1",
        "result": result,
        "fingerprint": policy.fingerprint,
        "before": before.map(|path| path.display().to_string()),
        "changes": changes.map(|changes| json!({
            "other_network": changes.is_other_network,
            "gone": changes.gone,
            "new": changes.new,
            "rules": changes.rules.as_ref().map(|(_, new)| new),
        })),
    })
}

fn print(args: &TrustPin, pinned: &Pinned) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let mut say = |text: &str| writeln!(out, "{}", wrap(text, WIDTH, ""));
    let (policy, place) = (args.policy.display(), args.place.display());
    let changes = match pinned {
        Pinned::Wrong => {
            return say(&format!(
                "Refuted: the fingerprint is not that of {policy}. Don't trust this file. Get it again, and \
                 ask those who gave you the fingerprint."
            ));
        }
        Pinned::Already => return say(&format!("Pinned already, as {place}.")),
        Pinned::New { before: None } => {
            return say(&format!(
                "Pinned, as {place}. Name it in every verification: --trust {place}"
            ));
        }
        Pinned::New {
            before: Some(before),
        } => {
            return say(&format!(
                "Pinned, as {place}. What was pinned before is kept as {}.",
                before.display()
            ));
        }
        Pinned::Other(changes) => changes,
    };
    if changes.is_other_network {
        return say(&format!(
            "Can't tell: {place} pins another network. Exports of one prove nothing about the other; pin \
             this policy under another name."
        ));
    }
    say("Can't tell: another policy of the same network is pinned. What would change:")?;
    for key in &changes.gone {
        say(&format!("  gone  {key}"))?;
    }
    for key in &changes.new {
        say(&format!("  new   {key}"))?;
    }
    if let Some((old, new)) = &changes.rules {
        for rule in old {
            say(&format!("  was   {rule}"))?;
        }
        for rule in new {
            say(&format!("  is    {rule}"))?;
        }
    }
    say(
        "A network changes its committee rarely, and publicly: a quorum of the organizations of \
         before signs it. Ask two of them, by a way that isn't this file's, whether they made the change \
         and which fingerprint the new policy has. If they say the same, repeat with --replace. Histories \
         that you verified stay verified; keep the state file.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_a_terminal_and_is_framed_in_light() {
        let code = qr(&code(&"0a".repeat(32))).unwrap();
        let rows: Vec<&str> = code.lines().collect();
        assert!(rows.len() <= 24, "{code}");
        let width = rows[0].chars().count();
        assert!(width <= WIDTH);
        assert!(rows.iter().all(|row| row.chars().count() == width));
        for row in &rows[..2] {
            assert!(row.chars().all(|c| c == '\u{2588}'), "{code}");
        }
    }
}
