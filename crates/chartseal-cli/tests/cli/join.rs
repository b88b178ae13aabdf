//! A newcomer starts from a snapshot for which the committee vouches, catches up, and is taken in.

use std::fs;
use std::path::Path;

use chartseal_cluster::{Author, Cluster, office};
use chartseal_node::NodeKeys;
use chartseal_node::keys::public;
use chartseal_node::serve::{Peer, Service, TxOutcome};
use chartseal_wire::OrgId;

use crate::committee::{approved_by, drafted, enrolled, submitted};
use crate::ledger::{CERTIFICATES, META};
use crate::net::network;
use crate::support::{Ran, run};

/// As the engine has it.
const NOTICE: u64 = 64;
pub(crate) const NEWCOMER: usize = 4;

/// The newcomer's configuration and keys; everybody knows its address.
fn invite(network: &Cluster, id: OrgId) -> NodeKeys {
    let mut config = network.config(0);
    let mut address = config.listen;
    address.set_port(address.port() + 4);
    let file = network.config_file(NEWCOMER);
    let place = file.parent().unwrap();
    fs::create_dir(place).unwrap();
    let made = place.join("node.keys");
    let ran = run(["node", "keys", "new", "--out", made.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let keys = NodeKeys::from_secret_bytes(&fs::read(made).unwrap()).unwrap();
    let key = public(&keys.cosigner);
    for number in 0..4 {
        let file = network.config_file(number);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}later {key} {address}\n")).unwrap();
    }
    config.organization = id;
    config.genesis = "../genesis".into();
    config.keys = "node.keys".into();
    config.directory = "data".into();
    config.listen = address;
    config.later = vec![Peer { key, address }];
    if let Some(api) = &mut config.api {
        api.set_port(api.port() + 4);
        config.services.push(Service {
            organization: id,
            url: format!("http://{api}"),
        });
    }
    fs::write(file, config.text()).unwrap();
    keys
}

/// Stops a node, and takes a snapshot of its ledger with what vouches for it.
pub(crate) fn snapshot(network: &mut Cluster, number: usize, to: &Path) {
    network.kill(number);
    let directory = network.config(number).directory;
    let (out, vouchers) = (to.join("snapshot"), to.join("vouchers"));
    let ran = run([
        "ledger",
        "snapshot",
        "export",
        directory.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--vouchers",
        vouchers.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    network.start(number);
}

/// `node join` with these two files.
pub(crate) fn join(network: &Cluster, snapshot: &Path, vouchers: &Path) -> Ran {
    run([
        "node",
        "join",
        "--config",
        network.config_file(NEWCOMER).to_str().unwrap(),
        "--snapshot",
        snapshot.to_str().unwrap(),
        "--vouchers",
        vouchers.to_str().unwrap(),
    ])
}

/// Three offices agree that the newcomer takes the fourth organization's place; gives the height from which on.
pub(crate) fn take_the_fourth_ones_place(network: &Cluster, id: OrgId) -> u64 {
    let from = network.height() + 1 + NOTICE + 15;
    let fourth = network.config(3).organization.to_string();
    let changes = ["--remove", &fourth, "--add", &id.to_string()];
    let proposal = drafted(network, from, &changes);
    for number in 0..3 {
        let ran = approved_by(network, number, &proposal);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let ran = submitted(network, 0, &proposal);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    from
}

/// A newcomer's keys and id, whose address the nodes know; they run after this.
pub(crate) fn invited(network: &mut Cluster) -> (NodeKeys, OrgId) {
    let id = OrgId([9; 16]);
    let keys = invite(network, id);
    network.up();
    (keys, id)
}

/// The first office enrols the newcomer.
pub(crate) fn enrol(network: &Cluster, (keys, id): (&NodeKeys, OrgId)) {
    let ran = enrolled(network, 0, keys, id);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_newcomer_joins_from_a_snapshot_and_its_vote_is_needed_then() {
    let mut network = network(300);
    let (keys, id) = invited(&mut network);
    enrol(&network, (&keys, id));

    let files = tempfile::TempDir::new().unwrap();
    snapshot(&mut network, 0, files.path());
    refuses_what_nobody_vouches_for(&network, files.path());
    let joined = join(
        &network,
        &files.path().join("snapshot"),
        &files.path().join("vouchers"),
    );
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    network.start(NEWCOMER);
    let height = network.height();
    network.await_height_of(&[0, 1, 2, 3, NEWCOMER], height + 2);

    let from = take_the_fourth_ones_place(&network, id);
    network.await_height_of(&[0, 1, 2, NEWCOMER], from + 2);

    // Three of the four members of the new committee are a quorum, the newcomer among them.
    network.kill(3);
    network.kill(0);
    let before = network.height();
    network.await_height_of(&[1, 2, NEWCOMER], before + 3);
    let next = Author::new(office(&network.place(), 1), network.config(0).network).ask();
    let mut control = network.control(NEWCOMER).unwrap();
    control.submit(&next).unwrap();
    network.await_height_of(&[1, 2, NEWCOMER], before + 6);
    let outcome = network.control(1).unwrap().outcome(&next.id()).unwrap();
    assert!(matches!(outcome, TxOutcome::Final(_)), "{outcome:?}");

    // A snapshot across the handover is vouched for by both committees.
    let later = tempfile::TempDir::new().unwrap();
    snapshot(&mut network, 1, later.path());
    let vouchers = fs::read_to_string(later.path().join("vouchers")).unwrap();
    assert_eq!(vouchers.lines().count(), 4, "{vouchers}");

    // So is the whole chain, executed anew: but not without the certificate of the first epoch's last block.
    network.kill(1);
    let directory = network.config(1).directory;
    let genesis = network.place().join("genesis");
    let replay = || {
        let (directory, genesis) = (directory.to_str().unwrap(), genesis.to_str().unwrap());
        run(["audit", "replay", directory, "--genesis", genesis, "--json"])
    };
    let ran = replay();
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let proved = ran.json();
    assert_eq!(proved["certified"]["epoch"], 1, "{proved}");
    let rests_on = proved["assumptions"].to_string();
    assert!(rests_on.contains("keys have not leaked"), "{rests_on}");
    let end = vouchers.lines().nth(2).unwrap().split(' ').nth(1).unwrap();
    let db = redb::Database::open(directory.join("ledger.redb")).unwrap();
    let write = db.begin_write().unwrap();
    let mut table = write.open_table(CERTIFICATES).unwrap();
    assert!(table.remove(end.parse::<u64>().unwrap()).unwrap().is_some());
    drop(table);
    // As if it had never been there: one that was and is gone is damage.
    let mut counts = write.open_table(META).unwrap();
    let before = redb::ReadableTable::get(&counts, "certificates")
        .unwrap()
        .unwrap()
        .value();
    counts.insert("certificates", before - 1).unwrap();
    drop(counts);
    write.commit().unwrap();
    drop(db);
    let ran = replay();
    assert_eq!(ran.code, 2, "{} {}", ran.stdout, ran.stderr);
    let why = ran.json()["why"].to_string();
    assert!(
        why.contains(&format!("no certificate of block {end}")),
        "{why}"
    );
}

/// Snapshots that are damaged, of another network, or without certificates: nothing is begun with them.
fn refuses_what_nobody_vouches_for(network: &Cluster, files: &Path) {
    let (snapshot, vouchers) = (files.join("snapshot"), files.join("vouchers"));
    let refused = |snapshot: &Path, vouchers: &Path, rule: &str| {
        let ran = join(network, snapshot, vouchers);
        assert_eq!(ran.code, 3, "{}", ran.stdout);
        assert!(ran.error().contains(rule), "{rule}: {}", ran.stderr);
    };
    let text = fs::read_to_string(&vouchers).unwrap();
    let other = files.join("other");
    let with = |text: &str, rule: &str| {
        fs::write(&other, text).unwrap();
        refused(&snapshot, &other, rule);
    };
    with("nothing", "CS-JOIN-01");
    let lines: Vec<&str> = text.lines().collect();
    with(&(lines[..2].join("\n") + "\n"), "CS-JOIN-03");
    // The last digit is of a signature.
    let (front, last) = text.trim_end().split_at(text.trim_end().len() - 1);
    let flipped = if last == "0" { "1" } else { "0" };
    with(&format!("{front}{flipped}\n"), "CS-JOIN-04");

    let mut bytes = fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = files.join("damaged");
    fs::write(&damaged, &bytes).unwrap();
    refused(&damaged, &vouchers, "not of the header that is vouched for");

    let mut stranger = crate::net::network(300);
    stranger.up();
    let foreign = tempfile::TempDir::new().unwrap();
    super::join::snapshot(&mut stranger, 0, foreign.path());
    refused(
        &foreign.path().join("snapshot"),
        &foreign.path().join("vouchers"),
        "CS-JOIN-02",
    );
}
