//! Evidence against validators, judged by whoever has a ledger, or a node that runs.

use std::fs;

use chartseal_cluster::Cluster;
use chartseal_consensus::{Evidence, namespace};
use chartseal_ledger::store::LedgerStore as _;
use chartseal_ledger::{Block, Committee};
use chartseal_node::keys::sign;
use chartseal_node::{NodeKeys, RedbLedger};
use chartseal_wire::{ChainId, Hash};
use serde_json::Value;

use crate::schema;
use crate::service::{genesis, keys_of};
use crate::support::{Ran, run};

/// A number below 2^14, as the engine writes it.
fn number(number: u64) -> Vec<u8> {
    let [low, high] = [number & 0x7f, number >> 7].map(|it| u8::try_from(it).unwrap());
    if high == 0 {
        vec![low]
    } else {
        vec![low | 0x80, high]
    }
}

/// A vote for a block in view 9, as the engine signs and encodes it; by a member of the committee.
fn vote(chain: &ChainId, committee: &Committee, keys: &NodeKeys, block: Hash) -> Vec<u8> {
    let mut proposal = number(committee.epoch());
    proposal.extend([9, 8]);
    proposal.extend(block.0);
    let space = [&namespace(chain)[..], b"_NOTARIZE"].concat();
    let message = [number(space.len() as u64), space, proposal.clone()].concat();
    let key = chartseal_node::keys::public(&keys.cosigner);
    let mut validators = committee.validators().into_iter();
    let signer = validators.position(|member| member.validator == key);
    let signer = u8::try_from(signer.unwrap()).unwrap();
    let signature = sign(&keys.cosigner, &message);
    [proposal, vec![signer], signature.0.to_vec()].concat()
}

/// Judges evidence by a node's directory.
pub(crate) fn judged(network: &Cluster, number: usize, evidence: &[u8], more: &[&str]) -> Ran {
    let file = network.place().join("accusation");
    fs::write(&file, evidence).unwrap();
    let directory = network.config(number).directory;
    let (file, directory) = (file.to_str().unwrap(), directory.to_str().unwrap());
    let args = [
        "node", "evidence", "check", file, "--node", directory, "--json",
    ];
    run([&args, more].concat())
}

/// The same, and holds the document against its schema.
pub(crate) fn check(
    network: &Cluster,
    number: usize,
    evidence: &[u8],
    more: &[&str],
) -> (i32, Value) {
    let ran = judged(network, number, evidence, more);
    let found = document(&ran);
    (ran.code, found["evidence"][0].clone())
}

fn document(ran: &Ran) -> Value {
    assert!(ran.code < 3, "{}", ran.stderr);
    let document = ran.json();
    let faults = schema::faults(&schema::read("accused.schema.json"), &document);
    assert!(faults.is_empty(), "{faults:?}");
    document
}

/// What a network was founded with, and its nodes' keys of then.
struct Founded<'a> {
    network: &'a Cluster,
    chain: ChainId,
    founders: Committee,
    keys: Vec<NodeKeys>,
    genesis: String,
}

impl Founded<'_> {
    /// The evidence shows nothing, for this reason, to whoever has the first node's ledger.
    fn shows_nothing(&self, evidence: &[u8], why: &str) {
        let more = ["--genesis", &self.genesis];
        let (code, found) = check(self.network, 0, evidence, &more);
        let verdict = found["verdict"].as_str();
        assert_eq!((code, verdict), (1, Some("refuted")), "{why}");
        assert_eq!(found["why"].as_str(), Some(why));
    }

    /// Two votes in one view.
    fn twice(chain: &ChainId, committee: &Committee, keys: &NodeKeys) -> Vec<u8> {
        let voted = |block| vote(chain, committee, keys, Hash(block));
        let [one, other] = [[1; 32], [2; 32]].map(voted);
        Evidence::Equivocated { one, other }.bytes()
    }

    /// A vote for a block that is refused.
    fn refused(&self, block: &Block, by: usize) -> Vec<u8> {
        let leaf = block.header.leaf();
        let vote = vote(&self.chain, &self.founders, &self.keys[by], leaf);
        let block = block.bytes();
        Evidence::Refused { vote, block }.bytes()
    }

    fn organization(&self, number: usize) -> String {
        self.network.config(number).organization.to_string()
    }
}

/// On a network whose first node is down, whose second one runs, and whose present epoch is 1, its second one's first keys
/// being in `old.keys`.
pub(crate) fn validators_are_accused_by_their_own_signatures(network: &Cluster) {
    let genesis = genesis(network);
    let mut keys: Vec<NodeKeys> = (0..4).map(|number| keys_of(network, number)).collect();
    let old = fs::read(network.place().join("old.keys")).unwrap();
    let next = std::mem::replace(&mut keys[1], NodeKeys::from_secret_bytes(&old).unwrap());
    let founded = Founded {
        network,
        chain: genesis.chain_id(),
        founders: genesis.committee().clone(),
        keys,
        genesis: network.place().join("genesis").to_str().unwrap().into(),
    };
    let two_votes = who_votes_twice(&founded, &next);
    let refused = who_proposes_what_is_refused(&founded);
    what_was_kept_is_listed(&founded, &two_votes, &refused);
}

/// Two votes in a view of an epoch that is over, and of the present one.
fn who_votes_twice(founded: &Founded<'_>, next: &NodeKeys) -> Vec<u8> {
    let Founded {
        network,
        chain,
        founders,
        keys,
        ..
    } = founded;
    let two_votes = Founded::twice(chain, founders, &keys[3]);
    let (code, found) = check(network, 0, &two_votes, &[]);
    assert_eq!((code, found["verdict"].as_str()), (0, Some("proved")));
    assert_eq!(found["organization"], founded.organization(3).as_str());
    let fault = &found["fault"];
    assert_eq!(fault["rule"], "CS-BFT-20");
    assert_eq!((&fault["epoch"], &fault["view"]), (&0.into(), &9.into()));
    // A node that runs says its present committee alone.
    let (code, found) = check(network, 1, &two_votes, &[]);
    let unknown = "the committee of epoch 0 is not known here";
    assert_eq!((code, found["why"].as_str()), (2, Some(unknown)));
    let present = network.control(1).unwrap().committee(&[]).unwrap();
    let now = Founded::twice(chain, &present.committee, next);
    let (code, found) = check(network, 1, &now, &[]);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found["organization"], founded.organization(1).as_str());
    // Another network's; one vote twice; a vote that somebody altered.
    let unsigned = "a vote is not signed by a validator of the committee";
    let foreign = Founded::twice(&ChainId([7; 32]), founders, &keys[3]);
    founded.shows_nothing(&foreign, unsigned);
    let one = vote(chain, founders, &keys[3], Hash([1; 32]));
    let other = one.clone();
    let same = Evidence::Equivocated { one, other }.bytes();
    founded.shows_nothing(&same, "the evidence shows nothing wrong");
    let mut altered = two_votes.clone();
    *altered.last_mut().unwrap() ^= 1;
    founded.shows_nothing(&altered, unsigned);
    two_votes
}

/// A block with a forged state root, by its view's leader; the chain has had its parent for long.
fn who_proposes_what_is_refused(founded: &Founded<'_>) -> Vec<u8> {
    let network = founded.network;
    let more = ["--genesis", &founded.genesis];
    let ledger = RedbLedger::open(&network.config(0).directory.join("ledger.redb")).unwrap();
    let good = ledger.block(3).unwrap().unwrap();
    drop(ledger);
    let mut bad = good.clone();
    bad.header.state_root = Hash([9; 32]);
    let leader = (0..4).find(|number| {
        let (_, found) = check(network, 0, &founded.refused(&bad, *number), &[]);
        found["why"] != "the vote is not of its view's leader"
    });
    let leader = leader.unwrap();
    let org = founded.organization(leader);
    let evidence = founded.refused(&bad, leader);
    let (code, found) = check(network, 0, &evidence, &[]);
    assert_eq!((code, found["organization"].as_str()), (2, Some(&*org)));
    assert!(
        found["why"].as_str().unwrap().contains("--genesis"),
        "{found}"
    );
    let (code, found) = check(network, 1, &evidence, &more);
    assert_eq!(code, 2, "a node that runs has no ledger to read: {found}");
    let (code, found) = check(network, 0, &evidence, &more);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found["organization"].as_str(), Some(&*org));
    assert_eq!(found["fault"]["rule"], "CS-LED-91");
    let right = founded.refused(&good, leader);
    founded.shows_nothing(&right, "the evidence shows nothing wrong");
    bad.header.parent = Hash([8; 32]);
    let (code, found) = check(network, 0, &founded.refused(&bad, leader), &more);
    assert_eq!(code, 2);
    let why = found["why"].as_str().unwrap();
    assert!(why.contains("not in this ledger"), "{why}");
    evidence
}

/// What a node has kept.
fn what_was_kept_is_listed(founded: &Founded<'_>, two_votes: &[u8], refused: &[u8]) {
    let directory = founded.network.config(0).directory;
    let list = |more: &[&str]| {
        let args = ["node", "evidence", "list", "--node"];
        run([&args[..], &[directory.to_str().unwrap()], more].concat())
    };
    let ran = list(&[]);
    assert_eq!((ran.code, &*ran.stdout), (0, "no evidence is kept\n"));
    let folder = directory.join("evidence");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one"), two_votes).unwrap();
    let ran = list(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let fourth = founded.organization(3);
    for said in [
        "two votes in one view",
        &fourth,
        "epoch 0, view 9",
        "CS-BFT-20",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    let config = founded.network.config_file(0);
    let doctor = run(["node", "doctor", "--config", config.to_str().unwrap()]);
    assert_eq!(doctor.code, 1);
    let said = "1 pieces of it against others are kept";
    assert!(doctor.stdout.contains(said), "{}", doctor.stdout);
    fs::write(folder.join("two"), refused).unwrap();
    let ran = list(&["--json"]);
    assert_eq!(ran.code, 2);
    let found = document(&ran);
    assert_eq!(found["evidence"].as_array().unwrap().len(), 2);
    fs::write(folder.join("two"), &two_votes[1..]).unwrap();
    let broken = list(&[]);
    assert!(
        broken.error().contains("not in its format"),
        "{}",
        broken.stderr
    );
    let none = run(["node", "evidence", "list", "--node", "nowhere"]);
    assert!(
        none.error().contains("no such directory"),
        "{}",
        none.stderr
    );
}
