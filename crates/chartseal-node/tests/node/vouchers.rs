//! What vouches for a snapshot: each way in which it doesn't, alone.

use chartseal_codec::from_bytes;
use chartseal_consensus::engine::Keys;
use chartseal_consensus::{Embedded, Ordering};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::PractitionerEnrolled;
use chartseal_ledger::store::{Import, Imported, Refused, export_snapshot};
use chartseal_ledger::{Body, Genesis, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, Node, RedbLedger, Stores, VoucherError, Vouchers};
use chartseal_policy::{Set, Symbol, Window};
use chartseal_wire::{ActorId, Certificate, Time};
use zeroize::Zeroizing;

use crate::fixture::{START, found, org};

/// Four nodes on the engine, with so many blocks; their genesis, and what vouches for each block.
fn run(blocks: u8) -> (Genesis, Embedded<Node>, Vec<Vouchers>) {
    let (genesis, keys, office) = found();
    let clock = Clock::manual(START);
    let validators = keys.iter().map(|keys| {
        let seed = Zeroizing::new(*keys.cosigner.expose_secret_bytes());
        Keys::from_seed(&seed).unwrap()
    });
    let validators: Vec<_> = validators.collect();
    let nodes = keys.into_iter().enumerate().map(|(at, keys)| {
        let stores = Stores::in_memory().unwrap();
        Node::open(&genesis, org(at), keys, stores, clock.clone()).unwrap()
    });
    let mut network =
        Embedded::start(&genesis, nodes.collect(), validators, move || clock.now()).unwrap();
    let mut vouchers = Vec::new();
    for number in 1..=blocks {
        let body = PractitionerEnrolled {
            actor: ActorId([0x80 + number; 16]),
            key: public(&SigningKeyPair::generate().unwrap()),
            kem: [0x80 + number; 32],
            roles: Set::one(Symbol::new(b"physician").unwrap()),
            credential: Window::default(),
            countersignature: None,
        };
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: genesis.chain_id(),
            actor_key: public(&office),
            seq: u64::from(number),
            expires: 1_000,
            body: Body::from(body),
        };
        network.submit(transaction.sign(|message| sign(&office, message)));
        let finalized = network.finalize(Time(0)).unwrap();
        assert!(finalized.rejected.is_empty(), "{:?}", finalized.rejected);
        vouchers.push(
            Vouchers::of(network.replicas()[0].ledger())
                .unwrap()
                .unwrap(),
        );
    }
    (genesis, network, vouchers)
}

fn imported(ledger: &RedbLedger, vouchers: &Vouchers) -> Imported {
    let mut import = Import::new(vouchers.header.clone());
    let exported = export_snapshot(ledger, |chunk| {
        import.chunk(chunk).unwrap();
        Ok::<(), ExportError>(())
    });
    exported.unwrap();
    import.finish().unwrap()
}

#[derive(Debug)]
struct ExportError;

impl From<chartseal_node::LedgerStoreError> for ExportError {
    fn from(_: chartseal_node::LedgerStoreError) -> Self {
        Self
    }
}

impl From<Refused> for ExportError {
    fn from(_: Refused) -> Self {
        Self
    }
}

#[test]
fn a_snapshot_is_taken_if_the_committee_vouches_for_it() {
    let (genesis, network, vouchers) = run(3);
    let newest = vouchers.last().unwrap();
    let snapshot = imported(network.replicas()[2].ledger(), newest);
    newest.check(&snapshot, &genesis).unwrap();
    assert_eq!(&Vouchers::parse(&newest.to_string()).unwrap(), newest);
    let head: Vec<u8> = newest.header.bytes();
    assert_eq!(
        from_bytes::<chartseal_wire::BlockHeader>(&head).unwrap(),
        newest.header
    );
}

#[test]
fn every_rule_of_vouchers_is_triggered_alone() {
    let (genesis, network, vouchers) = run(2);
    let newest = vouchers.last().unwrap();
    let snapshot = imported(network.replicas()[0].ledger(), newest);
    let rule = |vouchers: &Vouchers, genesis: &Genesis| {
        let checked = vouchers.check(&snapshot, genesis);
        checked.as_ref().map_err(VoucherError::rule).err()
    };
    assert_eq!(rule(newest, &genesis), None);
    assert_eq!(rule(newest, &found().0), Some("CS-JOIN-02"));
    let with = |certificates| Vouchers {
        certificates,
        ..newest.clone()
    };
    assert_eq!(rule(&with(Vec::new()), &genesis), Some("CS-JOIN-03"));
    let (height, good) = newest.certificates.last().unwrap();
    let mut bytes = good.bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = Certificate::parse(&bytes).unwrap();
    assert_eq!(
        rule(&with(vec![(*height, forged)]), &genesis),
        Some("CS-JOIN-04")
    );
    let earlier = vouchers[0].certificates.last().unwrap().1.clone();
    assert_eq!(
        rule(&with(vec![(*height, earlier)]), &genesis),
        Some("CS-JOIN-05")
    );
}

#[test]
fn a_file_of_vouchers_has_one_form() {
    let (_, _, vouchers) = run(1);
    let good = vouchers[0].to_string();
    let lines: Vec<&str> = good.lines().collect();
    for bad in [
        "",
        "chartseal vouchers 2",
        lines[0],
        &lines[..2].join("\n").replace("header ", "header 0"),
        &good.replace("certificate ", "certificates "),
        &format!("{good}{}\n", lines[2]),
        &good.replace("certificate 1 ", "certificate x "),
        &good.to_uppercase(),
    ] {
        let parsed = Vouchers::parse(bad);
        assert_eq!(
            parsed.as_ref().map_err(VoucherError::rule).err(),
            Some("CS-JOIN-01"),
            "{bad}"
        );
    }
}
