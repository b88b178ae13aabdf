//! `chartseal ledger`.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;

use crate::schema;
use crate::support::{Ran, run};

/// What a demo leaves; gone with this value.
pub(crate) struct Demo {
    _folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
}

impl Demo {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("demo");
        let ran = run(["demo", "--json", "--dir", dir.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        Self {
            _folder: folder,
            dir,
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().into()
    }

    /// The first node's directory.
    fn node(&self) -> String {
        self.path("nodes/1")
    }
}

fn ledger(args: &[&str]) -> Ran {
    run(["ledger"].iter().chain(args))
}

/// The document of a run with `--json`, which validates.
fn document(args: &[&str]) -> Value {
    let ran = ledger(&[args, &["--json"]].concat());
    assert_eq!(ran.stderr, "", "{args:?}");
    valid(&ran)
}

fn valid(ran: &Ran) -> Value {
    let (schema, document) = (schema::read("ledger.schema.json"), ran.json());
    let faults = schema::faults(&schema, &document);
    assert_eq!(faults, Vec::<String>::new(), "{document}");
    document
}

/// The text of a run that ended well, which fits on a terminal.
fn text(args: &[&str]) -> String {
    let ran = ledger(args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    ran.stdout
}

#[test]
fn the_ledger_tells_what_it_holds() {
    let demo = Demo::new();
    let node = demo.node();
    let shown = document(&["show", &node]);
    let schema = schema::read("ledger.schema.json");
    for spoiled in schema::spoiled(&shown) {
        assert!(!schema::faults(&schema, &spoiled).is_empty(), "{spoiled}");
    }
    let (height, counts) = (shown["height"].as_u64().unwrap(), &shown["counts"]);
    assert_eq!(counts["blocks"], height + 1);
    assert_eq!(shown["log"]["size"], height + 1);
    assert_eq!(shown["committee"]["members"].as_array().unwrap().len(), 4);
    let page = text(&["show", &node]);
    for fact in ["chain", "head", "state_root"] {
        assert!(page.contains(shown[fact].as_str().unwrap()), "{page}");
    }
    assert!(page.contains("4 organizations; 3 must agree"), "{page}");

    // Every block and every transaction, by what the ledger itself lists.
    let (mut transactions, mut parent, mut decided) = (0, "0".repeat(64), 0);
    let mut histories = std::collections::BTreeMap::new();
    for at in 0..=height {
        let at = at.to_string();
        let block = document(&["block", &node, &at]);
        assert_eq!(block["header"]["parent"], parent.as_str());
        parent = block["hash"].as_str().unwrap().into();
        let page = text(&["block", &node, &at]);
        assert!(page.contains(&parent), "{page}");
        for receipt in block["transactions"].as_array().unwrap() {
            let id = receipt["id"].as_str().unwrap();
            assert!(page.contains(id), "{page}");
            let tx = document(&["tx", &node, id]);
            assert_eq!((&tx["id"], &tx["kind"]), (&receipt["id"], &receipt["kind"]));
            assert_eq!(tx["height"], at.parse::<u64>().unwrap());
            assert_eq!(tx["outcomes"], receipt["outcomes"]);
            decided += u64::from(tx["result"] == "decided");
            for entry in tx["entries"].as_array().unwrap() {
                let whose = entry["subject"].as_str().unwrap().to_owned();
                *histories.entry(whose).or_insert(0) += 1;
            }
            transactions += 1;
        }
    }
    assert_eq!(counts["transactions"], transactions);
    assert_eq!(shown["head"], parent.as_str());
    assert!(decided > 3, "the visit asks several times");

    // Every entry of every history was made by one of them.
    assert_eq!(counts["histories"], histories.len());
    assert_eq!(counts["entries"], histories.values().sum::<u64>());
    for (subject, count) in &histories {
        let (whose, id) = subject.split_once(' ').unwrap();
        let history = document(&["history", &node, whose, id]);
        assert_eq!(history["total"], *count, "{subject}");
        let entries = history["entries"].as_array().unwrap();
        assert_eq!(entries.len() as u64, *count);
        let page = text(&["history", &node, whose, id]);
        for entry in entries {
            assert!(page.contains(entry["tx"].as_str().unwrap()), "{page}");
        }
        let part = document(&["history", &node, whose, id, "--from", "1", "--limit", "2"]);
        let part = part["entries"].as_array().unwrap();
        assert_eq!(
            part.as_slice(),
            &entries[entries.len().min(1)..entries.len().min(3)]
        );
    }
}

#[test]
fn a_transaction_comes_with_its_decision_and_its_proof() {
    let demo = Demo::new();
    let node = demo.node();
    let height = document(&["show", &node])["height"].as_u64().unwrap();
    let mut seen = (false, false);
    for at in 0..=height {
        let block = document(&["block", &node, &at.to_string()]);
        for receipt in block["transactions"].as_array().unwrap() {
            if receipt["result"] != "decided" {
                continue;
            }
            let id = receipt["id"].as_str().unwrap();
            let tx = document(&["tx", &node, id]);
            if seen == (false, false) {
                let schema = schema::read("ledger.schema.json");
                for spoiled in schema::spoiled(&tx) {
                    assert!(!schema::faults(&schema, &spoiled).is_empty(), "{spoiled}");
                }
            }
            let page = text(&["tx", &node, id]);
            for outcome in tx["outcomes"].as_array().unwrap() {
                let is_permitted = outcome["permitted"] == true;
                if is_permitted {
                    seen.0 = true;
                } else {
                    seen.1 = true;
                }
                let code = outcome["code"].as_str().unwrap();
                let effect = if is_permitted { "permitted" } else { "denied" };
                assert!(page.contains(&format!("{effect} ({code})")), "{page}");
            }
            assert_eq!(tx["block_proof"]["size"], height + 1);
            let of_patient = tx["entries"].as_array().unwrap().iter();
            let kinds: Vec<_> = of_patient.map(|one| &one["event"]["kind"]).collect();
            assert!(kinds.contains(&&Value::from("access")), "{kinds:?}");
        }
    }
    assert_eq!(seen, (true, true), "the visit is permitted and denied");
}

#[test]
fn an_auditor_replays_the_chain_that_a_quorum_signed() {
    let (demo, other) = (Demo::new(), Demo::new());
    let node = demo.node();
    let replay = |of: &Demo, extra: &[&str]| {
        let (proof, trust) = (
            of.path("exports/patient.tlog-proof"),
            of.path("exports/trust.policy"),
        );
        let args = [
            "audit", "replay", &node, "--proof", &proof, "--trust", &trust,
        ];
        run(args.iter().chain(extra))
    };
    let ran = replay(&demo, &["--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let proved = valid(&ran);
    assert_eq!(proved["result"], "proved");
    let rests_on = proved["assumptions"].to_string();
    assert!(rests_on.contains("Its quorum signed block"), "{rests_on}");

    // A quorum of another chain, and an export that its policy's quorum did not sign.
    let ran = replay(&other, &["--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert_eq!(valid(&ran)["faults"][0]["rule"], "CS-AUD-19");
    let foreign = other.path("exports/trust.policy");
    fs::copy(foreign, demo.path("exports/trust.policy")).unwrap();
    let ran = replay(&demo, &["--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert_eq!(valid(&ran)["result"], "cannot_tell");
    let alone = run(["audit", "replay", &node, "--proof", "x"]);
    assert_eq!(alone.code, 3, "a proof needs a policy");
}

#[test]
fn a_whole_ledger_is_proved_by_executing_it_anew() {
    let demo = Demo::new();
    let node = demo.node();
    let shown = document(&["show", &node]);
    let ran = ledger(&["verify", &node, "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let proved = valid(&ran);
    assert_eq!(proved["result"], "proved");
    for fact in ["chain", "height", "head", "state_root"] {
        assert_eq!(proved[fact], shown[fact]);
    }
    for fact in ["transactions", "histories", "entries"] {
        assert_eq!(proved[fact], shown["counts"][fact]);
    }
    let page = text(&["verify", &node]);
    assert!(page.starts_with("Proved: "), "{page}");
    assert!(page.contains("This rests on:"), "{page}");

    // Without a genesis the roots agree, and that is all.
    let alone = demo.dir.join("alone/1");
    fs::create_dir_all(&alone).unwrap();
    fs::copy(
        Path::new(&node).join("ledger.redb"),
        alone.join("ledger.redb"),
    )
    .unwrap();
    let alone = alone.to_str().unwrap();
    let ran = ledger(&["verify", alone, "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert_eq!(valid(&ran)["result"], "cannot_tell");
    let genesis = demo.path("nodes/genesis");
    assert_eq!(ledger(&["verify", alone, "--genesis", &genesis]).code, 0);

    // With another network's it is another chain.
    let other = Demo::new();
    let ran = ledger(&[
        "verify",
        alone,
        "--json",
        "--genesis",
        &other.path("nodes/genesis"),
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let found = valid(&ran)["faults"].to_string();
    assert!(found.contains("this genesis starts"), "{found}");
    let ran = ledger(&[
        "verify",
        alone,
        "--genesis",
        &demo.path("exports/trust.policy"),
    ]);
    assert!(
        ran.error().contains("no genesis of a chain"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_chain_for_whose_newest_block_nobody_vouches_is_not_proved() {
    let demo = Demo::new();
    let node = demo.node();
    let proved = document(&["verify", &node]);
    let committee = serde_json::json!({"epoch": 0, "needed": 3, "of": 4});
    assert_eq!(
        (&proved["result"], &proved["certified"], &proved["signed"]),
        (&"proved".into(), &committee, &Value::Null)
    );
    let page = text(&["verify", &node]);
    assert!(page.contains("by 3 or more of the 4 validators"), "{page}");
    let height = proved["height"].as_u64().unwrap();
    let file = Path::new(&node).join("ledger.redb");
    let set = |bytes: Option<&[u8]>| {
        let db = Database::open(&file).unwrap();
        let write = db.begin_write().unwrap();
        let mut table = write.open_table(CERTIFICATES).unwrap();
        let before = table
            .remove(height)
            .unwrap()
            .map(|row| row.value().to_vec());
        if let Some(bytes) = bytes {
            table.insert(height, bytes).unwrap();
        }
        drop(table);
        write.commit().unwrap();
        before
    };

    // One that was there and is gone is damage.
    let certificate = set(None).expect("the newest block is certified");
    let ran = ledger(&["verify", &node, "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let fault = &valid(&ran)["faults"][0];
    assert_eq!(
        (&fault["rule"], &fault["table"]),
        (&"CS-STO-16".into(), &"certificates".into())
    );

    // Whoever has the genesis alone can make such a chain by themselves: it was never there.
    let count = |by: i64| {
        let db = Database::open(&file).unwrap();
        let write = db.begin_write().unwrap();
        let mut table = write.open_table(META).unwrap();
        let before = table.get("certificates").unwrap().unwrap().value();
        table
            .insert("certificates", before.checked_add_signed(by).unwrap())
            .unwrap();
        drop(table);
        write.commit().unwrap();
    };
    count(-1);
    let (proof, trust) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    for verb in [["ledger", "verify"], ["audit", "replay"]] {
        let ran = run([&verb[..], &[&node, "--json"]].concat());
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        let why = valid(&ran)["why"].to_string();
        let expected = format!("no certificate of block {height}");
        assert!(why.contains(&expected), "{why}");
        let ran = run([&verb[..], &[&node]].concat());
        assert!(ran.stdout.starts_with("Can't tell: "), "{}", ran.stdout);
        // Unless the network's quorum is heard in another way.
        let with = ["--proof", &proof, "--trust", &trust, "--json"];
        let ran = run([&verb[..], &[&node], &with[..]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        let proved = valid(&ran);
        assert_eq!(proved["certified"], Value::Null);
        let signed = proved["signed"].as_u64().unwrap();
        let rests_on = proved["assumptions"].to_string();
        let names_the_rest = rests_on.contains(&format!("blocks above {signed}, up to {height}"));
        assert_eq!(names_the_rest, signed < height, "{rests_on}");
    }

    count(1);

    // One that is not the committee's, and one that is another block's.
    let mut bad = certificate.clone();
    *bad.last_mut().unwrap() ^= 1;
    let block = document(&["block", &node, &height.to_string()]);
    let hash = chartseal_codec::from_hex(block["hash"].as_str().unwrap()).unwrap();
    let at = certificate
        .windows(32)
        .position(|some| some == hash)
        .unwrap();
    let mut of_another = certificate.clone();
    of_another[at] ^= 1;
    for (bytes, rule) in [(&bad, "CS-STO-23"), (&of_another, "CS-STO-23")] {
        set(Some(bytes));
        let ran = ledger(&["verify", &node, "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        let fault = &valid(&ran)["faults"][0];
        assert_eq!(
            (&fault["rule"], &fault["table"], &fault["height"]),
            (&rule.into(), &"certificates".into(), &height.into())
        );
    }
    set(Some(&certificate));
    assert_eq!(ledger(&["verify", &node]).code, 0);
}

pub(crate) const CERTIFICATES: TableDefinition<'_, u64, &[u8]> =
    TableDefinition::new("certificates");
const HEADERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("headers");
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const CHANGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("state_changes");
const CHUNKS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("state_chunks");
const HISTORY: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("histories");
const PLACES: TableDefinition<'_, (u64, &[u8; 32]), &[u8]> = TableDefinition::new("places");

/// Changes stored values past all checksums, as who has the machine can.
fn tamper(node: &Path, what: &str) {
    let db = Database::open(node.join("ledger.redb")).unwrap();
    let read = db.begin_read().unwrap();
    let write = db.begin_write().unwrap();
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    match what {
        "state" => {
            let table = read.open_table(CHUNKS).unwrap();
            let (key, value) = table.last().unwrap().unwrap();
            let value = flip(value.value(), value.value().len() - 1);
            let mut table = write.open_table(CHUNKS).unwrap();
            table.insert(key.value(), value.as_slice()).unwrap();
            // A later change would mend the value.
            let mut changes = write.open_table(CHANGES).unwrap();
            changes.retain(|_, _| false).unwrap();
        }
        "header" | "block" => {
            let table = if what == "header" { HEADERS } else { BODIES };
            let row = read.open_table(table).unwrap().get(3).unwrap().unwrap();
            let value = flip(row.value(), row.value().len() - 1);
            let mut table = write.open_table(table).unwrap();
            table.insert(3, value.as_slice()).unwrap();
        }
        "history" => {
            let table = read.open_table(HISTORY).unwrap();
            let (key, value) = table.first().unwrap().unwrap();
            let value = flip(value.value(), value.value().len() - 1);
            let mut table = write.open_table(HISTORY).unwrap();
            table.insert(key.value(), value.as_slice()).unwrap();
        }
        "entry" => {
            let table = read.open_table(HISTORY).unwrap();
            let (key, _) = table.last().unwrap().unwrap();
            let mut table = write.open_table(HISTORY).unwrap();
            table.remove(key.value()).unwrap();
        }
        "transaction" => {
            let table = read.open_table(PLACES).unwrap();
            let (key, places) = table.first().unwrap().unwrap();
            // The last byte of the last index.
            let places = flip(places.value(), places.value().len() - 1);
            let mut table = write.open_table(PLACES).unwrap();
            table.insert(key.value(), places.as_slice()).unwrap();
        }
        other => panic!("{other}"),
    }
    write.commit().unwrap();
}

#[test]
fn damage_is_named_wherever_it_lies() {
    let demo = Demo::new();
    let good = fs::read(Path::new(&demo.node()).join("ledger.redb")).unwrap();
    for (at, table, named) in [
        ("state", "state", "CS-STO-13"),
        ("header", "headers", "CS-STO-1"),
        ("block", "blocks", "CS-STO-18"),
        ("history", "histories", "CS-STO-21"),
        ("entry", "histories", "CS-STO-"),
        ("transaction", "transactions", "CS-STO-19"),
    ] {
        let node = demo.dir.join("nodes").join(at);
        fs::create_dir(&node).unwrap();
        fs::write(node.join("ledger.redb"), &good).unwrap();
        tamper(&node, at);
        let node = node.to_str().unwrap();
        let ran = ledger(&["verify", node, "--json"]);
        assert_eq!(ran.code, 1, "{at}: {} {}", ran.stdout, ran.stderr);
        let refuted = valid(&ran);
        let faults = refuted["faults"].as_array().unwrap();
        let is_named = faults
            .iter()
            .any(|one| one["table"] == table && one["rule"].as_str().unwrap().starts_with(named));
        assert!(is_named, "{at}: {refuted}");
        let ran = ledger(&["verify", node]);
        assert!(ran.stdout.starts_with("Refuted: "), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("restore the directory"),
            "{}",
            ran.stdout
        );
        // What the newest header doesn't vouch for isn't shown.
        if ["state", "header"].contains(&at) {
            let ran = ledger(&["show", node]);
            assert!(ran.error().contains(": damaged: "), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_told_why_and_what_to_do() {
    let demo = Demo::new();
    let node = demo.node();
    let error = |dir: &str, verb: &str| {
        let ran = ledger(&[verb, dir]);
        let why = ran.error();
        why.strip_prefix(&format!("{dir}: "))
            .unwrap_or_else(|| panic!("{why}"))
            .to_owned()
    };
    for verb in ["show", "verify"] {
        assert!(error(&demo.path("nowhere"), verb).contains("no such directory"));
        assert!(error(&demo.path("nodes/genesis"), verb).contains("a file; a node's directory"));
        assert!(error(&demo.path(""), verb).contains("name one of its nodes"));
        assert!(error(&demo.path("exports"), verb).contains("no ledger in it"));
    }
    assert!(!Path::new(&demo.path("exports/ledger.redb")).exists());

    let file = Path::new(&node).join("ledger.redb");
    let open = Database::open(&file).unwrap();
    assert!(error(&node, "show").contains("in use: a node or another command"));
    drop(open);

    let good = fs::read(&file).unwrap();
    let with = |bytes: &[u8]| fs::write(&file, bytes).unwrap();
    for foreign in [&b"not a database"[..], b"", &[0; 8192]] {
        with(foreign);
        let why = error(&node, "show");
        assert!(why.contains("restore") || why.contains("damaged"), "{why}");
        assert_eq!(fs::read(&file).unwrap(), foreign, "it stays as it is");
    }
    with(&good[..good.len() / 2]);
    let why = error(&node, "show");
    assert!(why.contains("restore"), "{why}");
    with(&good);
    let db = Database::open(&file).unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(META)
        .unwrap()
        .insert("version", 99)
        .unwrap();
    write.commit().unwrap();
    drop(db);
    let why = error(&node, "show");
    assert!(
        why.contains("version 99") && why.contains("program"),
        "{why}"
    );
}

#[test]
fn what_is_asked_for_must_be_there() {
    let demo = Demo::new();
    let node = demo.node();
    let error = |args: &[&str]| ledger(args).error().to_owned();
    assert!(error(&["block", &node, "4000"]).contains("no block of height 4000; the newest has "));
    assert!(error(&["tx", &node, "12"]).contains("64 hex digits"));
    assert!(error(&["tx", &node, &"0".repeat(64)]).contains("no transaction 000"));
    assert!(error(&["history", &node, "actor", "12"]).contains("32 hex digits"));
    let nobody = "0".repeat(32);
    assert!(error(&["history", &node, "patient", &nobody]).contains("no history of patient 000"));
    for args in [
        &["ledger"][..],
        &["ledger", "show"],
        &["ledger", "block", &node, "-1"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{args:?}");
    }
}

#[test]
fn a_snapshot_is_checked_against_what_is_trusted() {
    let demo = Demo::new();
    let node = demo.node();
    let (file, header) = (demo.path("snapshot"), demo.path("header"));
    let exported = document(&["snapshot", "export", &node, "--out", &file]);
    let bytes = fs::read(&file).unwrap();
    assert_eq!(exported["bytes"], bytes.len());
    let ran = ledger(&["snapshot", "export", &node, "--out", &file]);
    assert!(
        ran.error().starts_with(&file),
        "nothing is overwritten: {}",
        ran.stderr
    );

    // Two nodes write the same bytes.
    let other = demo.path("other");
    document(&["snapshot", "export", &demo.path("nodes/2"), "--out", &other]);
    assert_eq!(fs::read(&other).unwrap(), bytes);

    let height = exported["height"].to_string();
    let printed = text_of_header(&node, &height);
    fs::write(&header, &printed).unwrap();
    let by_header = ["snapshot", "check", &file, "--header", &header];
    let checked = document(&by_header);
    assert_eq!(
        (&checked["result"], &checked["head"]),
        (&"proved".into(), &exported["head"])
    );
    text(&by_header);

    // The export that the demo made at its end is of the newest block, and signed by a quorum.
    let (proof, trust) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    let by_proof = [
        "snapshot", "check", &file, "--proof", &proof, "--trust", &trust,
    ];
    let checked = document(&by_proof);
    assert_eq!(checked["head"], exported["head"]);
    let foreign = "../chartseal-audit/tests/vectors/visit.tlog-proof";
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join(foreign);
    let foreign = foreign.to_str().unwrap();
    let ran = ledger(&[
        "snapshot", "check", &file, "--proof", foreign, "--trust", &trust, "--json",
    ]);
    assert!([1, 2].contains(&ran.code), "{}", ran.stdout);
    assert_ne!(valid(&ran)["result"], "proved");

    // Another block's header.
    fs::write(&header, text_of_header(&node, "3")).unwrap();
    let ran = ledger(&[&by_header[..], &["--json"]].concat());
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert_eq!(valid(&ran)["rule"], "CS-SNP-05");
    fs::write(&header, "no header").unwrap();
    assert!(
        ledger(&by_header)
            .error()
            .contains("no block header in hex")
    );
    fs::write(&header, &printed).unwrap();

    // Wherever a bit flips or the file ends.
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        fs::write(&file, &flipped).unwrap();
        let ran = ledger(&by_header);
        assert!(
            [1, 3].contains(&ran.code),
            "byte {at}: {} {}",
            ran.stdout,
            ran.stderr
        );
        fs::write(&file, &bytes[..at]).unwrap();
        let ran = ledger(&by_header);
        assert!(
            [1, 3].contains(&ran.code),
            "{at} bytes: {} {}",
            ran.stdout,
            ran.stderr
        );
    }
    for args in [
        &["snapshot", "check", file.as_str()][..],
        &["snapshot", "check", &file, "--proof", &proof],
        &["snapshot", "check", &file, "--trust", &trust],
        &[
            "snapshot", "check", &file, "--header", &header, "--trust", &trust,
        ],
    ] {
        assert_eq!(ledger(args).code, 3, "{args:?}");
    }
}

fn text_of_header(node: &str, height: &str) -> String {
    let ran = ledger(&["block", node, height, "--header"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn a_snapshot_starts_a_new_ledger() {
    let demo = Demo::new();
    let (node, file) = (demo.node(), demo.path("snapshot"));
    let exported = document(&["snapshot", "export", &node, "--out", &file]);
    let (proof, trust) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    let new = demo.path("new/node");
    let import = |into: &str| {
        let trusted = [
            "--proof", &proof, "--trust", &trust, "--into", into, "--json",
        ];
        ledger(&[&["snapshot", "import", &file][..], &trusted].concat())
    };
    let ran = import(&new);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    assert_eq!(valid(&ran)["head"], exported["head"]);
    let shown = document(&["show", &new]);
    let height = exported["height"].as_u64().unwrap();
    assert_eq!(
        (&shown["head"], &shown["height"]),
        (&exported["head"], &exported["height"])
    );
    assert_eq!(shown["kept"]["blocks_from"], height + 1);
    // It can write the same snapshot again, and shows headers of blocks that it never had.
    let again = demo.path("again");
    document(&["snapshot", "export", &new, "--out", &again]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&file).unwrap());
    let block = document(&["block", &new, "3"]);
    assert_eq!(block["transactions"], Value::Null);
    assert!(text(&["block", &new, "3"]).contains("not kept here"));
    let ran = ledger(&["verify", &new, "--genesis", &demo.path("nodes/genesis")]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stdout
            .starts_with("Can't tell: the transactions of blocks"),
        "{}",
        ran.stdout
    );

    let ran = import(&new);
    assert!(
        ran.error().contains("a ledger is there already"),
        "{}",
        ran.stderr
    );
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let other = demo.path("other");
    assert!([1, 3].contains(&import(&other).code));
    assert!(
        !Path::new(&other).exists(),
        "what is refused leaves nothing"
    );
}

#[test]
fn what_is_pruned_is_gone_and_the_rest_stays_provable() {
    let demo = Demo::new();
    let node = demo.node();
    let before = document(&["show", &node]);
    let height = before["height"].as_u64().unwrap();
    let first = |at: u64| {
        let block = document(&["block", &node, &at.to_string()]);
        block["transactions"][0]["id"].as_str().unwrap().to_owned()
    };
    let (old, newest) = (first(1), first(height));
    let above = (height + 1).to_string();
    let ran = ledger(&["prune", &node, "--below", &above]);
    assert!(
        ran.error().contains("stays: name a height up to"),
        "{}",
        ran.stderr
    );

    let pruned = document(&["prune", &node, "--below", &height.to_string()]);
    assert_eq!(
        (&pruned["pruned"], &pruned["blocks_from"]),
        (&height.into(), &height.into())
    );
    assert!(
        pruned["bytes_after"].as_u64() < pruned["bytes_before"].as_u64(),
        "{pruned}"
    );
    let page = text(&["prune", &node, "--below", &height.to_string()]);
    assert!(page.contains("the transactions of 0 blocks"), "{page}");

    let after = document(&["show", &node]);
    for same in ["head", "state_root", "log"] {
        assert_eq!(after[same], before[same]);
    }
    assert_eq!(after["counts"]["entries"], before["counts"]["entries"]);
    assert_eq!(document(&["tx", &node, &newest])["height"], height);
    let ran = ledger(&["tx", &node, &old]);
    assert!(
        ran.error().contains("earlier ones are not kept"),
        "{}",
        ran.stderr
    );
    let ran = ledger(&["verify", &node, "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert_eq!(valid(&ran)["result"], "cannot_tell");
}
