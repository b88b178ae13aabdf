//! The published CDDL against the golden vectors, judged by `cddl-cat`, which knows nothing of our codecs.
//!
//! `cddl-cat` lets a `.regexp` match a part of a text, where RFC 8610 means the whole.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use cddl_cat::ivt::RuleDef;

/// The rules of some of `docs/cddl`, as one schema.
struct Schema(BasicContext);

impl Schema {
    fn new(files: &[&str]) -> Self {
        let text: Vec<String> = files.iter().map(|file| cddl(file)).collect();
        Self(BasicContext::new(
            flatten_from_str(&text.join("\n")).unwrap(),
        ))
    }

    fn check(&self, rule: &str, bytes: &[u8]) -> Result<(), String> {
        let value = ciborium::from_reader(bytes).map_err(|error| error.to_string())?;
        let rule: &RuleDef = self.0.rules.get(rule).ok_or(format!("no rule {rule}"))?;
        validate_cbor(rule, &value, &self.0).map_err(|error| error.to_string())
    }

    /// The rules whose names end so.
    fn rules(&self, end: &str) -> Vec<&str> {
        let names = self.0.rules.keys().map(String::as_str);
        names.filter(|name| name.ends_with(end)).collect()
    }
}

fn cddl(file: &str) -> String {
    fs::read_to_string(root().join("docs/cddl").join(file)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn vectors(of: &str) -> String {
    fs::read_to_string(root().join("crates").join(of)).unwrap()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let pairs = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    pairs.map(|byte| u8::try_from(byte).unwrap()).collect()
}

/// An item of CBOR: its head, and what is inside.
#[derive(Clone)]
enum Item {
    /// Anything but an array, as its bytes.
    Plain(Vec<u8>),
    Array(Vec<Item>),
}

impl Item {
    fn read(bytes: &mut &[u8]) -> Self {
        let (major, size) = (bytes[0] >> 5, bytes[0] & 31);
        let extra = if size < 24 { 0 } else { 1 << (size - 24) };
        let argument = bytes[1..=extra]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let argument = if extra == 0 {
            usize::from(size)
        } else {
            argument
        };
        let end = 1 + extra + if matches!(major, 2 | 3) { argument } else { 0 };
        let (own, rest) = bytes.split_at(end);
        *bytes = rest;
        if major == 4 {
            Self::Array((0..argument).map(|_| Self::read(bytes)).collect())
        } else {
            Self::Plain(own.to_vec())
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(bytes) => out.extend(bytes),
            Self::Array(items) => {
                // Always in five bytes: CDDL has no opinion on how lengths are written.
                out.push(0x9a);
                out.extend(u32::try_from(items.len()).unwrap().to_be_bytes());
                for item in items {
                    item.write(out);
                }
            }
        }
    }

    /// This item with one thing wrong, at every place: something that no format has (−1) instead of an
    /// item or behind the last one of an array.
    fn broken(&self) -> Vec<Self> {
        let wrong = Self::Plain(vec![0x20]);
        let mut all = vec![wrong.clone()];
        if let Self::Array(items) = self {
            let mut longer = items.clone();
            longer.push(wrong);
            all.push(Self::Array(longer));
            for (at, item) in items.iter().enumerate() {
                for other in item.broken() {
                    let mut items = items.clone();
                    items[at] = other;
                    all.push(Self::Array(items));
                }
            }
        }
        all
    }
}

/// A vector fits one of the rules, and with one thing wrong in it, none.
fn check(schema: &Schema, rules: &[&str], name: &str, bytes: &[u8]) {
    let fits = |bytes: &[u8]| {
        let mut why = String::new();
        for rule in rules {
            match schema.check(rule, bytes) {
                Ok(()) => return Ok(()),
                Err(error) => why = format!("{rule}: {error}"),
            }
        }
        Err(why)
    };
    fits(bytes).unwrap_or_else(|why| panic!("{name} is not what the CDDL says: {why}"));
    let mut rest = bytes;
    let item = Item::read(&mut rest);
    assert!(rest.is_empty(), "{name}");
    for broken in item.broken() {
        let mut bytes = Vec::new();
        broken.write(&mut bytes);
        assert!(fits(&bytes).is_err(), "{name} with -1 in it: {bytes:02x?}");
    }
}

#[test]
fn the_ledgers_vectors_are_what_the_cddl_says() {
    let schema = Schema::new(&["policy.cddl", "ledger.cddl"]);
    let wire = Schema::new(&["wire.cddl"]);
    let values = schema.rules("-value");
    let text = vectors("chartseal-ledger/tests/vectors/formats.txt");
    let lines: Vec<&str> = text.lines().collect();
    let mut count = 0;
    for pair in lines.chunks(2) {
        let (name, bytes) = (pair[0], from_hex(pair[1]));
        match name {
            "chain id" | "committee hash" | "transaction id" | "transaction leaf" => continue,
            "genesis" | "block" => check(&schema, &[name], name, &bytes),
            "genesis header" => check(&schema, &["header"], name, &bytes),
            _ if name.starts_with("state value") => check(&schema, &values, name, &bytes),
            _ if name.starts_with("history entry") => check(&wire, &["entry"], name, &bytes),
            _ => check(&schema, &["body"], name, &bytes),
        }
        count += 1;
    }
    assert!(count > 45, "{count}");
    for (at, line) in vectors("chartseal-ledger/tests/vectors/snapshot.txt")
        .lines()
        .enumerate()
    {
        let name = format!("chunk {at} of a snapshot");
        check(&schema, &["snapshot-chunk"], &name, &from_hex(line));
    }
}

#[test]
fn every_table_of_the_state_has_a_rule_of_its_own_that_its_vectors_keep() {
    let (schema, policy) = (
        Schema::new(&["policy.cddl", "ledger.cddl"]),
        Schema::new(&["policy.cddl"]),
    );
    let text = vectors("chartseal-ledger/tests/vectors/state.txt");
    let lines: Vec<&str> = text.lines().collect();
    let mut checked = BTreeSet::new();
    for pair in lines.chunks(2) {
        let table = pair[0].split(',').next().unwrap();
        let rule = format!("{table}-value");
        check(&schema, &[&rule], pair[0], &from_hex(pair[1]));
        checked.insert(rule);
    }
    // That each table has a vector is a test of the ledger's; a rule without one would be of no table.
    let others = policy.rules("-value");
    let rules = schema.rules("-value").into_iter();
    let rules: BTreeSet<String> = rules
        .filter(|rule| !others.contains(rule))
        .map(Into::into)
        .collect();
    assert_eq!(checked, rules);
}

#[test]
fn the_policys_vectors_are_what_the_cddl_says() {
    let schema = Schema::new(&["policy.cddl"]);
    let text = vectors("chartseal-policy/tests/vectors/terms.txt");
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        check(&schema, &["terms"], pair[0], &from_hex(pair[1]));
    }
    assert!(lines.len() > 10);
    let state = vectors("chartseal-policy/tests/vectors/state.txt");
    check(&schema, &["policy-state"], "state", &from_hex(&state));
}

#[test]
fn the_wire_vectors_are_what_the_cddl_says() {
    let schema = Schema::new(&["wire.cddl"]);
    let mut count = 0;
    for line in vectors("chartseal-wire/tests/vectors/wire.txt").lines() {
        let (name, bytes) = line.split_once(' ').unwrap();
        let rule = match name {
            "header" | "entry" | "export" => name,
            "map_proof" => "map-proof",
            "subject.patient" | "subject.actor" => "subject",
            _ if name.starts_with("event.") => "event",
            // Hashes.
            _ => continue,
        };
        check(&schema, &[rule], name, &from_hex(bytes));
        count += 1;
    }
    assert!(count > 30, "{count}");
    let stored = root().join("crates/chartseal-audit/tests/vectors");
    for (rule, file) in [
        ("kept", "visit.kept"),
        ("kept", "visit-1.kept"),
        ("kept", "certified.kept"),
        ("kept", "certified-2.kept"),
        ("equivocation", "fork.equivocation"),
    ] {
        let bytes = fs::read(stored.join(file)).unwrap();
        check(&schema, &[rule], file, &bytes);
    }
}

#[test]
fn the_envelopes_vectors_are_what_the_cddl_says() {
    let schema = Schema::new(&["envelope.cddl"]);
    let dir = root().join("crates/chartseal-envelope/tests/vectors");
    let mut count = 0;
    for file in fs::read_dir(dir).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let rule = name.trim_end_matches("-2").trim_start_matches("stream-");
        let rule = if rule == "identity" {
            "public-identity"
        } else {
            rule
        };
        if file.extension().unwrap() != "hex" || !schema.0.rules.contains_key(rule) {
            continue;
        }
        let bytes = from_hex(&fs::read_to_string(&file).unwrap());
        check(&schema, &[rule], name, &bytes);
        count += 1;
    }
    assert!(count > 12, "{count}");
}
