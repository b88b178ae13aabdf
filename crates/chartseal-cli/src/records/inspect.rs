//! `chartseal inspect`: every field of an object, without any key.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use chartseal_envelope::file::{self, FileError, Kind, Object};
use chartseal_envelope::{
    CustodianSet, Deal, Dealing, Header, ItemId, PublicIdentity, Seal, SignedRelease, Slots, Suite,
    keystore,
};
use serde_json::{Map, Value, json};

use super::args::Inspect;
use super::input::{self, is_stdio};
use crate::exit::Exit;
use crate::failure::Failure;

/// A field's name and value, in order.
type Facts = Vec<(&'static str, Value)>;

/// The longest first line, and more than any encrypted key.
const MAX_START: u64 = keystore::MAX_FILE as u64 + 1;

pub fn run(args: &Inspect) -> Result<Exit, Failure> {
    let facts = facts(&args.file)?;
    print(&facts, args.json)
}

fn facts(path: &Path) -> Result<Facts, Failure> {
    let name = if is_stdio(path) {
        Path::new("stdin")
    } else {
        path
    };
    let bad = |why: &dyn std::fmt::Display| Failure::bad(name, why);
    if is_stdio(path) {
        // A record needs no memory for its body, also from a pipe.
        let record = input::spool().map_err(|error| bad(&input::words(&error)))?;
        return of_file(record, name);
    }
    let opened = File::open(path);
    of_file(opened.map_err(|error| bad(&input::words(&error)))?, name)
}

fn of_file(opened: File, name: &Path) -> Result<Facts, Failure> {
    fn object<T: Object>(bytes: &[u8]) -> Result<T, FileError> {
        file::from_bytes(bytes)
    }
    let bad = |why: &dyn std::fmt::Display| Failure::bad(name, why);
    let unread = |error: io::Error| Failure::bad(name, input::words(&error));
    let mut bytes = Vec::new();
    let read = (&opened).take(MAX_START).read_to_end(&mut bytes);
    read.map_err(unread)?;
    let kind = Kind::of(&bytes);
    if kind == Some(Kind::Record) {
        let record = file::RecordFile::new(opened).map_err(unread)?;
        return Ok(of_record(record.header(), record.seal(), record.body_len()));
    }
    let Some(kind) = kind else {
        return key(&bytes)
            .ok_or_else(|| bad(&"no object of Chartseal: its first line names none"));
    };
    let read = (&opened).take(input::MAX_OBJECT).read_to_end(&mut bytes);
    read.map_err(unread)?;
    let facts = match kind {
        Kind::Slots => object(&bytes).map(|slots| of_slots(&slots)),
        Kind::Deal => object(&bytes).map(|deal| of_deal(&deal)),
        Kind::Dealing => object(&bytes).map(|dealing| of_dealing(&dealing)),
        Kind::Release => object(&bytes).map(|release| of_release(&release)),
        Kind::Identity => object(&bytes).map(|public| identity(&public)),
        _ => return Err(bad(&"an object that this version does not know")),
    };
    facts.map_err(|why| bad(&why))
}

/// An encrypted key: nothing of it can be seen without its password.
fn key(start: &[u8]) -> Option<Facts> {
    let text = std::str::from_utf8(start).ok()?;
    keystore::check(text).ok()?;
    Some(vec![
        ("kind", json!("key")),
        ("encryption", json!("PBES2, scrypt, AES-256-CBC")),
    ])
}

/// A public key's facts.
pub fn identity(public: &PublicIdentity) -> Facts {
    vec![
        ("kind", json!("identity")),
        ("suite", suite(public.suite())),
        ("fingerprint", text(public.fingerprint())),
        ("author_key", text(public.author().key_id())),
        ("kem_key", text(public.kem().key_id())),
    ]
}

fn of_record(header: &Header, seal: &Seal, body_len: u64) -> Facts {
    let mut facts = vec![
        ("kind", json!("record")),
        ("header", text(header.digest())),
        ("suite", suite(header.suite())),
        ("record_id", text(header.record_id())),
        ("subject", text(header.subject())),
        ("version", json!(header.version().number())),
        (
            "supersedes",
            header.version().supersedes().map_or(Value::Null, text),
        ),
        ("author_key", text(header.author())),
    ];
    facts.extend(set(header.custodians()));
    facts.extend([
        ("commitments", text(header.commitments())),
        ("body_len", json!(body_len)),
        ("signed_body_len", json!(seal.body_len())),
        ("signed_body_digest", text(seal.body_digest())),
        (
            "signature",
            json!("not verified: that takes the author's public key"),
        ),
    ]);
    facts
}

fn of_slots(slots: &Slots) -> Facts {
    let recipients: Vec<Value> = slots.recipients().map(text).collect();
    vec![
        ("kind", json!("slots")),
        ("suite", suite(slots.suite())),
        ("header", text(slots.header())),
        ("recipients", json!(recipients)),
    ]
}

fn of_deal(deal: &Deal) -> Facts {
    vec![
        ("kind", json!("deal")),
        ("suite", suite(deal.suite())),
        ("custodian", json!(deal.index().get())),
        ("recipient", text(deal.recipient())),
        ("items", items(deal.items())),
    ]
}

fn of_dealing(dealing: &Dealing) -> Facts {
    let mut facts = vec![
        ("kind", json!("dealing")),
        ("suite", suite(dealing.suite())),
        ("header", text(dealing.header())),
        ("deal_epoch", json!(dealing.epoch())),
    ];
    facts.extend(set(dealing.custodians()));
    facts.push(("commitments", text(dealing.root())));
    facts
}

fn of_release(signed: &SignedRelease) -> Facts {
    let release = signed.unverified();
    vec![
        ("kind", json!("release")),
        ("suite", suite(release.suite())),
        ("request", text(release.request())),
        ("custodian", json!(release.index().get())),
        ("recipient", text(release.recipient())),
        ("items", items(release.items())),
        (
            "signature",
            json!("not verified: that takes the custodian's public key"),
        ),
    ]
}

fn set(set: CustodianSet) -> Facts {
    vec![
        ("custodian_set", text(set.id)),
        ("custodian_epoch", json!(set.epoch)),
        ("needed", json!(set.threshold.needed())),
        ("custodians", json!(set.threshold.total())),
    ]
}

fn items(items: impl Iterator<Item = ItemId>) -> Value {
    let items =
        items.map(|item| json!({"header": text(item.header), "deal_epoch": item.deal_epoch}));
    items.collect()
}

fn suite(suite: Suite) -> Value {
    json!(suite.id())
}

#[expect(clippy::needless_pass_by_value, reason = "accessors give values")]
fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

/// Facts as lines, or as one JSON document (`chartseal.inspect/1`).
pub fn print(facts: &Facts, is_json: bool) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    if is_json {
        let mut document = Map::new();
        document.insert("schema".into(), json!("chartseal.inspect/1"));
        document.extend(
            facts
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone())),
        );
        serde_json::to_writer_pretty(&mut out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    for (name, value) in facts {
        let name = name.replace('_', " ");
        match value {
            Value::Array(values) => {
                writeln!(out, "{name:<19} {}", values.len())?;
                for value in values {
                    writeln!(out, "{:<19} {}", "", line(value))?;
                }
            }
            value => writeln!(out, "{name:<19} {}", line(value))?,
        }
    }
    Ok(Exit::Done)
}

fn line(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), line(value)))
                .collect();
            fields.join(", ")
        }
        other => other.to_string(),
    }
}
