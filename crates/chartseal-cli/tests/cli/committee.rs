//! The next committee: drafted, approved by one office after the other, handed in. A validator's key is rotated and an
//! organization suspended while the chain goes on; each proposal that is none is refused.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chartseal_cluster::Cluster;
use chartseal_node::NodeKeys;
use chartseal_node::keys::public;
use chartseal_wire::OrgId;
use serde_json::Value;

use crate::accused::validators_are_accused_by_their_own_signatures;
use crate::net::network;
use crate::schema;
use crate::support::{Ran, run};

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A verb of `committee`, asking the node of this number.
fn committee(network: &Cluster, number: usize, verb: &str, more: &[&str]) -> Ran {
    let node = text(&network.config(number).directory);
    run([&["committee", verb, "--node", &node], more].concat())
}

/// The file of an organization's enrolment key, as `net init` left it.
pub(crate) fn office_file(network: &Cluster, number: usize) -> String {
    let file = format!("{}.key", number + 1);
    text(&network.place().join("offices").join(file))
}

/// A proposal's file, drafted by the second organization.
pub(crate) fn drafted(network: &Cluster, from: u64, changes: &[&str]) -> PathBuf {
    let out = network.place().join(format!("proposal-{from}"));
    let (height, file) = (from.to_string(), text(&out));
    let more = [&["--from", &height, "--out", &file], changes].concat();
    let ran = committee(network, 1, "draft", &more);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    out
}

/// An organization's approval, which asks its own node.
pub(crate) fn approved_by(network: &Cluster, number: usize, proposal: &Path) -> Ran {
    let office = office_file(network, number);
    let more = [&text(proposal), "--office", &office];
    committee(network, number, "approve", &more)
}

/// The proposal handed in at an organization's own node.
pub(crate) fn submitted(network: &Cluster, number: usize, proposal: &Path) -> Ran {
    let office = office_file(network, number);
    let more = [&text(proposal), "--office", &office];
    committee(network, number, "submit", &more)
}

/// An organization enrolled by a member, with an enrolment key that is made for it.
pub(crate) fn enrolled(network: &Cluster, by: usize, keys: &NodeKeys, id: OrgId) -> Ran {
    let made = network.place().join(format!("offices/{id}.key"));
    let ran = run(["committee", "office", "--out", &text(&made)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (validator, custodian) = (public(&keys.cosigner), public(&keys.custodian));
    let more = [
        "--office",
        &office_file(network, by),
        "--organization",
        &id.to_string(),
        "--enrolment-key",
        ran.stdout.trim_end(),
        "--validator",
        &validator.to_string(),
        "--custodian",
        &custodian.to_string(),
        "--kem",
        &chartseal_codec::to_hex(&keys.kem.key_id().0),
    ];
    committee(network, by, "enrol", &more)
}

/// A document that its schema describes.
pub(crate) fn document(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = ran.json();
    let faults = schema::faults(&schema::read("committee.schema.json"), &document);
    assert!(faults.is_empty(), "{faults:?}");
    document
}

/// Where the second organization's node listens when it has its next keys: each validator key has an address of its own.
fn next_address(network: &Cluster) -> SocketAddr {
    let mut address = network.config(0).listen;
    address.set_port(address.port() + 5);
    address
}

/// Keys with another validator key and KEM key, which all nodes expect there.
fn next_keys(network: &Cluster) -> (PathBuf, Value) {
    let (file, config) = (network.place().join("next.keys"), network.config(1));
    let ran = run([
        "node",
        "keys",
        "rotate",
        &text(&config.keys_file()),
        "--kem",
        "--json",
        "--out",
        &text(&file),
    ]);
    let keys = document(&ran);
    let key = keys["validator"].as_str().unwrap();
    for number in 0..4 {
        let file = network.config_file(number);
        let text = fs::read_to_string(&file).unwrap();
        let address = next_address(network);
        fs::write(&file, format!("{text}later {key} {address}\n")).unwrap();
    }
    // The public halves of what is there are shown alike, and the other keys stay.
    let shown = run(["node", "keys", "show", &text(&file), "--json"]);
    assert_eq!(document(&shown), keys);
    let old = run(["node", "keys", "show", &text(&config.keys_file()), "--json"]).json();
    assert_eq!(old["custodian"], keys["custodian"]);
    for changed in ["validator", "kem"] {
        assert_ne!(old[changed], keys[changed]);
    }
    (file, keys)
}

#[test]
fn a_key_is_rotated_and_an_organization_suspended_by_its_peers() {
    let mut network = network(100);
    let (next, keys) = next_keys(&network);
    network.up();
    let orgs: Vec<String> = (0..4)
        .map(|number| network.config(number).organization.to_string())
        .collect();
    let (second, fourth) = (orgs[1].clone(), orgs[3].clone());

    // The place of the one that is suspended goes to one whose node does not run.
    let standby = OrgId([9; 16]);
    let ran = enrolled(&network, 0, &NodeKeys::generate().unwrap(), standby);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let again = enrolled_again(&network, standby);
    assert!(
        again.error().contains("enrolled already"),
        "{}",
        again.stderr
    );

    let value = |name: &str| keys[name].as_str().unwrap();
    let rotated = format!("{second}:{}:{}", value("validator"), value("kem"));
    let standby = standby.to_string();
    let changes = ["--remove", &fourth, "--add", &standby, "--rotate", &rotated];
    refuses_drafts(&network, &fourth, &second);
    let from = network.height() + 200;
    let proposal = drafted(&network, from, &changes);
    let ran = approved_by(&network, 0, &proposal);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for said in [
        "is no member any more: it left, or is suspended",
        "joins, with validator key",
        "its validator key becomes",
        "by 1; 3 have to",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    refuses_proposals(&network, &proposal);
    for number in [1, 2] {
        let ran = approved_by(&network, number, &proposal);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let file = text(&proposal);
    let checked = document(&committee(&network, 3, "check", &[&file, "--json"]));
    assert_eq!(
        checked["proposal"]["approvals"].as_array().unwrap().len(),
        3
    );
    // Nobody may alter what was approved.
    let whole = fs::read_to_string(&proposal).unwrap();
    let altered = whole.replace(&format!("from {from}"), &format!("from {}", from + 1));
    is_refused(&network, &altered, "CS-COM-09");
    let ran = submitted(&network, 2, &proposal);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("in block "), "{}", ran.stdout);
    is_refused(&network, &whole, "CS-COM-04");
    let shown = document(&committee(&network, 0, "show", &["--json"]));
    assert_eq!(shown["next"]["from"], from);

    // The old epoch ends; of the next committee two alone are there, and the suspended one does not count.
    network.await_height_of(&[0, 2, 3], from - 1);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(
        network.height(),
        from - 1,
        "a rotated key or a suspended member counts"
    );
    network.kill(1);
    let keys_file = network.config(1).keys_file();
    fs::copy(&keys_file, network.place().join("old.keys")).unwrap();
    fs::copy(&next, keys_file).unwrap();
    let old = format!("listen {}", network.config(1).listen);
    let new = format!("listen {}", next_address(&network));
    let config = fs::read_to_string(network.config_file(1)).unwrap();
    fs::write(network.config_file(1), config.replace(&old, &new)).unwrap();
    network.start(1);
    network.await_height_of(&[0, 1, 2], from + 3);
    is_refused(&network, &whole, "CS-COM-03");

    // Of a node that does not run, the ledger says the same.
    let shown = document(&committee(&network, 0, "show", &["--json"]));
    network.kill(0);
    let stored = document(&committee(&network, 0, "show", &["--json"]));
    assert_eq!(shown["members"], stored["members"]);
    let members = shown["members"].as_array().unwrap();
    let found: Vec<&Value> = members.iter().map(|it| &it["organization"]).collect();
    assert_eq!(found, [&orgs[0], &second, &orgs[2], &standby]);
    assert_eq!(members[1]["validator"], keys["validator"]);
    assert_eq!(members[1]["custodian_kem"], keys["kem"]);
    let office = office_file(&network, 0);
    let proposal = text(&proposal);
    let more = [&*proposal, "--office", &office];
    let down = committee(&network, 0, "submit", &more);
    assert!(down.error().contains("CS-COM-03"), "{}", down.stderr);

    // Of the two epochs both kinds of evidence are judged, with and without a node that runs.
    validators_are_accused_by_their_own_signatures(&network);
    a_suspended_validator_needs_no_line(&mut network);
}

/// Who was suspended may be spoken to no more, though the genesis has it; who is in office has to be.
fn a_suspended_validator_needs_no_line(network: &mut Cluster) {
    let file = network.config_file(0);
    let (whole, listed) = (
        fs::read_to_string(&file).unwrap(),
        network.config(0).validators,
    );
    let without = |number: usize| {
        let line = format!("validator {} ", listed[number].key);
        let lines = whole.lines().filter(|it| !it.starts_with(&line));
        lines.collect::<Vec<_>>().join("\n")
    };
    fs::write(&file, without(2)).unwrap();
    let ran = run(["node", "run", "--config", file.to_str().unwrap()]);
    assert!(ran.stderr.contains("is not listed"), "{}", ran.stderr);
    fs::write(&file, without(3)).unwrap();
    let before = network.height();
    network.start(0);
    network.await_height_of(&[0, 1, 2], before + 3);
}

/// The same organization once more.
fn enrolled_again(network: &Cluster, id: OrgId) -> Ran {
    let (id, key) = (id.to_string(), "01".repeat(32));
    let office = office_file(network, 0);
    let more = [
        "--office",
        &office,
        "--organization",
        &id,
        "--enrolment-key",
        &key,
        "--validator",
        &key,
        "--custodian",
        &key,
        "--kem",
        &key,
    ];
    committee(network, 0, "enrol", &more)
}

/// What can't be drafted.
fn refuses_drafts(network: &Cluster, member: &str, second: &str) {
    let refused = |more: &[&str], expected: &str| {
        let out = text(&network.place().join("none"));
        let ran = committee(network, 1, "draft", &[more, &["--out", &out]].concat());
        assert!(ran.error().contains(expected), "{expected}: {}", ran.stderr);
        assert!(!Path::new(&out).exists());
    };
    let stranger = "07".repeat(16);
    refused(&[], "CS-COM-13");
    refused(&["--remove", member], "CS-COM-07");
    refused(&["--remove", member, "--add", &stranger], "CS-COM-06");
    refused(&["--add", member], "CS-COM-14");
    refused(&["--remove", &stranger], "CS-COM-14");
    refused(
        &[
            "--remove",
            member,
            "--rotate",
            &format!("{member}:{}", "08".repeat(32)),
        ],
        "named twice",
    );
    refused(&["--rotate", second], "ID:VALIDATOR");
    refused(&["--remove", "hospital"], "32 hex digits");
    let rotated = format!("{second}:{}", "08".repeat(32));
    refused(&["--rotate", &rotated, "--from", "3"], "CS-COM-05");
    refused(&["--rotate", &rotated, "--from", "200000"], "CS-COM-05");
}

/// A proposal with this text is refused by each verb that reads one, for this rule, and stays as it is.
fn is_refused(network: &Cluster, proposal: &str, rule: &str) {
    let file = network.place().join("bad");
    fs::write(&file, proposal).unwrap();
    let (file, office) = (text(&file), office_file(network, 2));
    for (verb, more) in [
        ("check", vec![&*file]),
        ("approve", vec![&*file, "--office", &office]),
        ("submit", vec![&*file, "--office", &office]),
    ] {
        let ran = committee(network, 2, verb, &more);
        assert!(ran.error().contains(rule), "{verb}, {rule}: {}", ran.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), proposal);
    }
}

/// What nobody agrees to: with one approval on it, of the first organization.
fn refuses_proposals(network: &Cluster, proposal: &Path) {
    let whole = fs::read_to_string(proposal).unwrap();
    is_refused(network, "nothing", "CS-COM-01");
    is_refused(network, &whole.replace('\n', "\r\n"), "CS-COM-01");
    is_refused(network, &"x".repeat(40_000), "longer than 32768 bytes");
    let chain = network.config(0).network.to_string();
    is_refused(
        network,
        &whole.replace(&chain, &"07".repeat(32)),
        "CS-COM-02",
    );
    is_refused(network, &whole.replace("epoch 1", "epoch 2"), "CS-COM-03");
    let last = whole.lines().last().unwrap();
    is_refused(network, &format!("{whole}{last}\n"), "CS-COM-10");
    let org = network.config(0).organization.to_string();
    let (front, _) = whole.split_at(whole.len() - last.len() - 1);
    let foreign = last.replace(&org, &"09".repeat(16));
    is_refused(network, &format!("{front}{foreign}\n"), "CS-COM-08");

    let twice = approved_by(network, 0, proposal);
    assert!(twice.error().contains("CS-COM-10"), "{}", twice.stderr);
    let few = submitted(network, 2, proposal);
    assert_eq!(few.code, 1, "{}", few.stderr);
    assert!(
        few.stderr.contains("1 members approved it, and 3 have to"),
        "{}",
        few.stderr
    );
    let with = |key: &str, expected: &str| {
        let more = [&text(proposal), "--office", key];
        let ran = committee(network, 0, "approve", &more);
        assert!(ran.error().contains(expected), "{expected}: {}", ran.stderr);
    };
    let standby = network
        .place()
        .join(format!("offices/{}.key", "09".repeat(16)));
    with(&text(&standby), "CS-COM-11");
    with(
        &text(&network.config(0).keys_file()),
        "longer than 32 bytes",
    );
    with("nowhere", "no such file");
    let none = committee(network, 0, "check", &["nowhere"]);
    assert!(none.error().contains("no such file"), "{}", none.stderr);
    assert_eq!(fs::read_to_string(proposal).unwrap(), whole);
}
