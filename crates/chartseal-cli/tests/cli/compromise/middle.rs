//! P1, P2, P4, P7: somebody at a stolen node's address, who has its certificate's key and all its other keys: reads what
//! passes, and lies about everything.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chartseal::{Ask, Class, Network, Offer, Options, Purpose, TrustPolicy, Verdict, verify};
use chartseal_api::{Blocks, Deposit, EnvelopeFront, ReleaseAsk, Releases, StateProof, TxOutcome};
use chartseal_audit::verify_header;
use chartseal_codec::{Bytes, from_bytes, to_bytes};
use chartseal_envelope::{Dealing, HeldShare, KemKeyPair, RequestId, accept_all, combine, release};
use chartseal_ledger::Block;
use chartseal_node::NodeKeys;
use chartseal_testkit::leaks::Found;

use super::shares::secrets;
use super::visit::{CONTENT, REASON, Visit, accesses, document};
use crate::lies::{Deed, at_the_address_of};
use crate::parts::people;
use crate::service::remote;

/// What the attacker saw pass, took, and did.
#[derive(Default)]
struct Seen {
    passed: Vec<u8>,
    /// Shares that were on their way to this custodian, and of which records.
    held: Vec<HeldShare>,
    fronts: Vec<EnvelopeFront>,
    /// About what it lied.
    lied: BTreeSet<&'static str>,
}

impl Seen {
    /// Opens what was dealt to this custodian.
    fn take(&mut self, keys: &NodeKeys, body: &[u8]) {
        let Deposit { envelopes, deal } = from_bytes(body).unwrap();
        let fronts = envelopes.into_iter().map(|it| it.front);
        let fronts: Vec<EnvelopeFront> = fronts.collect();
        let dealings = fronts.iter().map(|it| Dealing::initial(&it.header));
        let dealings: Vec<Dealing> = dealings.collect();
        let named: Vec<&Dealing> = dealings.iter().collect();
        let taken = accept_all(&keys.kem, deal.index(), &named, &deal).unwrap();
        self.held.extend(taken.held);
        self.fronts.extend(fronts);
    }

    /// Answers before anybody else, without a receipt: each share is another one.
    fn lie_about_shares(&self, body: &[u8]) -> Vec<u8> {
        let ask: ReleaseAsk = from_bytes(body).unwrap();
        let held = self.held.iter().map(|it| {
            let kept = HeldShare::from_storage_bytes(&it.to_storage_bytes());
            kept.unwrap().lying()
        });
        let held: Vec<HeldShare> = held.collect();
        let held: Vec<&HeldShare> = held.iter().collect();
        let given = release(&held, RequestId(ask.request.0), &ask.reader);
        to_bytes(&Releases {
            releases: vec![given.unwrap()],
        })
    }
}

/// Leaves a transaction out of each block.
fn shortened(answer: &[u8]) -> Vec<u8> {
    let Ok(mut blocks) = from_bytes::<Blocks>(answer) else {
        return Vec::new();
    };
    for found in &mut blocks.blocks {
        let mut block = Block::from_bytes(&found.block.0).unwrap();
        block.transactions.pop();
        found.block = Bytes(block.bytes());
    }
    to_bytes(&blocks)
}

/// Has each value another one.
fn revalued(answer: &[u8]) -> Vec<u8> {
    let Ok(mut proof) = from_bytes::<StateProof>(answer) else {
        return Vec::new();
    };
    for proved in &mut proof.values {
        let value = proved.value.get_or_insert_with(|| vec![0x80].into());
        if let Some(byte) = value.0.last_mut() {
            *byte ^= 1;
        }
    }
    to_bytes(&proof)
}

/// Changes a byte of it.
fn altered(answer: &[u8]) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let middle = answer.len() / 2;
    if let Some(byte) = answer.get_mut(middle) {
        *byte ^= 1;
    }
    answer
}

/// What the attacker does with a request.
fn deed(seen: &Arc<Mutex<Seen>>, keys: &NodeKeys, line: &str, body: &[u8]) -> Deed {
    let mut known = seen.lock().unwrap();
    known.passed.extend_from_slice(line.as_bytes());
    known.passed.extend_from_slice(body);
    if line.starts_with("POST /v1/deposits ") {
        known.take(keys, body);
    }
    let Some(about) = about(line).filter(|it| *it != "shares" || !known.held.is_empty()) else {
        drop(known);
        return kept(seen, <[u8]>::to_vec);
    };
    known.lied.insert(about);
    match about {
        "shares" => Deed::Answer(200, known.lie_about_shares(body)),
        // It is taken, and dropped.
        "transactions" => Deed::Answer(202, Vec::new()),
        "outcomes" => Deed::Answer(200, to_bytes(&TxOutcome::Final(1))),
        "keys" => {
            let own = KemKeyPair::generate().unwrap();
            Deed::Answer(200, to_bytes(own.public_key()))
        }
        "blocks" => kept(seen, shortened),
        "values" => kept(seen, revalued),
        _ => kept(seen, altered),
    }
}

/// About what it lies; `None`: it passes that on, to be asked again.
fn about(line: &str) -> Option<&'static str> {
    let kinds = [
        ("PUT ", None),
        ("POST /v1/deposits", None),
        ("GET /v1/log-key", None),
        ("POST /v1/releases", Some("shares")),
        ("POST /v1/transactions ", Some("transactions")),
        ("GET /v1/transactions/", Some("outcomes")),
        ("GET /v1/kem-keys/", Some("keys")),
        ("GET /v1/blocks", Some("blocks")),
        ("POST /v1/state", Some("values")),
    ];
    if line.starts_with("GET /v1/transactions/") && line.contains("/proof") {
        return Some("the rest");
    }
    let kind = kinds.iter().find(|(start, _)| line.starts_with(start));
    kind.map_or(Some("the rest"), |(_, about)| *about)
}

/// Passes it on, keeps what the node answers, and gives something else.
fn kept(seen: &Arc<Mutex<Seen>>, change: fn(&[u8]) -> Vec<u8>) -> Deed {
    let seen = Arc::clone(seen);
    Deed::Change(Box::new(move |answer| {
        seen.lock().unwrap().passed.extend_from_slice(&answer);
        change(&answer)
    }))
}

/// Both kinds of app hold their visits beside it, and name it.
#[test]
fn a_man_in_the_middle_with_a_nodes_certificate_and_keys_fools_nobody() {
    let mut visit = Visit::new();
    let liar = visit.cluster.config(3).organization;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let (known, keys) = (Arc::clone(&seen), visit.keys(3));
    at_the_address_of(&mut visit.cluster, 3, move |line, body| {
        deed(&known, &keys, line, body)
    });
    let place = visit.cluster.place();
    for connect in [Network::connect, Network::connect_light] {
        let mut network = connect(&place).unwrap();
        let (mut author, mut doctor, mut patient) = people(&mut network);
        let kit = patient.filing_kit();
        let filed = author.file(&mut network, &kit, &[document()], |_| ());
        let records = [filed.unwrap()[0].record];
        while author.deliver(&mut network).unwrap() > 0 {}
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
        let grant = patient.grant(&mut network, &doctor, &offer).unwrap();
        let invited = doctor.accept(&network, &grant).unwrap();
        assert_eq!(invited.records, records);
        let ask = Ask::read(patient.id(), &records, Purpose::Treat).because("visit", REASON);
        let opening = doctor.read(&mut network, &ask).unwrap();
        assert_eq!(opening.records[0].content(), CONTENT.as_bytes());
        let named: Vec<_> = opening.liars.iter().map(|(org, _)| *org).collect();
        assert_eq!(named, [liar]);
        patient.revoke(&mut network, grant.grant).unwrap();
        let denied = doctor.request(&mut network, &ask).unwrap();
        assert!(denied.permitted().is_empty());
        let export = patient.export_certified(&network, None).unwrap();
        let policy = TrustPolicy::parse(&network.committee_policy()).unwrap();
        let verdict: Verdict = verify(&export, &policy, None, &Options::default());
        assert_eq!(accesses(verdict), 2);
    }

    // Who knows nobody else believes nothing.
    let alone = remote(&visit.cluster, 3);
    for connect in [Network::light, Network::follow] {
        assert!(connect(visit.genesis.clone(), vec![alone.clone()]).is_err());
    }
    let policy = TrustPolicy::parse(&visit.network.committee_policy()).unwrap();
    let head = alone.head().unwrap_or_default();
    let verdict = verify_header(&head, &policy, &Options::default());
    assert!(!matches!(verdict, Verdict::Proved(_)), "{head}");

    let seen = seen.lock().unwrap();
    // It read all that there is to read: sealed things, and its own share of each record.
    let secrets = secrets(&visit);
    let mut found = Found::default();
    secrets.look_into(&seen.passed, &mut found);
    assert!(found.bytes > 10_000, "{found:?}");
    assert_eq!(secrets.leaks(&found), Vec::<String>::new());
    assert_eq!(seen.fronts.len(), seen.held.len());
    let reader = KemKeyPair::generate().unwrap();
    for (held, front) in seen.held.iter().zip(&seen.fronts) {
        let (request, dealing) = (RequestId([7; 32]), Dealing::initial(&front.header));
        let own = release(&[held], request, reader.public_key()).unwrap();
        assert!(combine(&reader, request, &dealing, &[own]).is_err());
    }
    for about in [
        "shares",
        "transactions",
        "outcomes",
        "blocks",
        "values",
        "the rest",
    ] {
        assert!(seen.lied.contains(about), "{about}: {:?}", seen.lied);
    }
}
