//! P9: erasure works: shares, ciphertext, texts and salts are gone; chain and history still verify.

use chartseal::{Ask, Error, Purpose, RecordId};
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::Labels;
use chartseal_ledger::body::{AccessRequested, CustodianSet, RecordAdded};
use chartseal_node::{Conduct, NodeError, NodeKeys};
use chartseal_policy::Confidentiality;
use chartseal_vault::{FileSecretStore, SecretStore, ShareKey};
use chartseal_wire::domain::{SIDE_TEXT, tagged_sha256};
use chartseal_wire::history::Token;
use chartseal_wire::{Event, Hash, HeaderDigest};
use redb::{Database, ReadableDatabase as _, TableDefinition};

use crate::fixture::*;
use crate::leaks::Search;

/// What to look for of everything that goes with a record.
#[derive(Default)]
struct Belongings {
    /// As it lies on the disk: a part of the ciphertext, and of each encrypted row.
    on_disk: Search,
    /// What is in those rows.
    in_rows: Search,
}

fn look_for_belongings(
    dir: &std::path::Path,
    visit: Visit,
    record: RecordId,
) -> (Belongings, Visit) {
    let mut search = Belongings::default();
    let (entry, access) = visit.attempts().pop().unwrap();
    let node = &visit.network.nodes()[0];
    let envelope = node.envelope(&entry.tx, &record).unwrap();
    for part in envelope.body.chunks(32).filter(|part| part.len() == 32) {
        search.on_disk.bytes("ciphertext", part);
    }
    let text = node.text(&entry.tx, &access.reason).unwrap().unwrap();
    search.in_rows.bytes("a reason's salt", &text.salt);
    let sealed = &text.sealed.as_ref()[100..160];
    search.in_rows.bytes("a sealed reason", sealed);
    let header = HeaderDigest(envelope.front.header.digest().0);
    let seal = chartseal_codec::to_bytes(&envelope.front.seal);
    let signature = &seal[seal.len() - 64..];
    search.in_rows.bytes("an author's seal", signature);
    let reason = tagged_sha256(SIDE_TEXT, &[entry.tx.0, access.reason.0].concat());

    let Visit {
        network,
        hospital,
        author,
        doctor,
        patient,
    } = visit;
    let clock = network.clock().clone();
    drop(network);
    for at in 1..=4 {
        let keys = std::fs::read(dir.join(format!("{at}/node.keys"))).unwrap();
        let key = NodeKeys::from_secret_bytes(&keys).unwrap().store;
        let place = dir.join(format!("{at}/shares"));
        let shares = FileSecretStore::<ShareKey>::open(&place, &key).unwrap();
        let share = shares.get(&ShareKey(header.0)).unwrap().unwrap();
        drop(shares);
        // It ends with the share and its salt.
        let secret = share.expose().last_chunk::<64>().unwrap();
        search.in_rows.bytes(&format!("share {at}"), &secret[..32]);
        let salt = format!("the salt of share {at}");
        search.in_rows.bytes(&salt, &secret[32..]);

        let side = dir.join(format!("{at}/side"));
        for (what, folder, key) in [
            ("share", &place, header.0),
            ("a header and its seal", &side, header.0),
            ("a reason", &side, reason),
        ] {
            let row = row(&folder.join("secrets.redb"), &key);
            for part in row.chunks(32).filter(|part| part.len() == 32) {
                search.on_disk.bytes(&format!("{what} at {at}"), part);
            }
        }
    }
    let network = chartseal::Network::open(dir, clock).unwrap();
    (
        search,
        Visit {
            network,
            hospital,
            author,
            doctor,
            patient,
        },
    )
}

/// A row of a closed store, as it lies there.
fn row(file: &std::path::Path, key: &[u8; 32]) -> Vec<u8> {
    const ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("sealed");
    let db = Database::open(file).unwrap();
    let rows = db.begin_read().unwrap().open_table(ROWS).unwrap();
    rows.get(key).unwrap().unwrap().value().to_vec()
}

#[test]
fn p9_an_erased_record_is_gone_from_every_file_and_chain_and_history_still_verify() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    let (kept, erased) = (visit.file_result("kept"), visit.file_result("to be erased"));
    visit.grant();
    let records = [erased];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat).because("visit", "a reason");
    visit.doctor.read(&mut visit.network, &ask).unwrap();
    let before = visit.report();
    let (
        Belongings {
            on_disk: search,
            in_rows,
        },
        mut visit,
    ) = look_for_belongings(dir.path(), visit, erased);
    let found = search.in_dir(dir.path());
    let files = found
        .iter()
        .filter(|(_, name)| name.starts_with("ciphertext"));
    assert!(
        files.count() >= 4,
        "each node has the ciphertext before: {found:?}"
    );
    for at in 1..=4 {
        for what in ["share", "a header and its seal", "a reason"] {
            let what = format!("{what} at {at}");
            let is_there = found.iter().any(|(_, name)| name.starts_with(&what));
            assert!(is_there, "{what} before: {found:?}");
        }
    }
    // What is in the rows never lies there in the clear.
    assert_eq!(in_rows.in_dir(dir.path()), []);

    visit.patient.erase(&mut visit.network, erased).unwrap();
    assert_eq!(
        search.in_dir(dir.path()),
        [],
        "in files while the nodes run"
    );
    for node in visit.network.nodes() {
        assert!(!node.holds_anything_of(&erased).unwrap());
        assert!(node.holds_anything_of(&kept).unwrap());
    }
    // Nobody opens it again, and the rest is as it was.
    assert!(matches!(visit.read(&[erased]), Err(Error::Denied(_))));
    assert_eq!(contents(&visit.read(&[kept]).unwrap()), [b"kept"]);
    let listed = visit.patient.records(&visit.network).unwrap();
    let is_erased = |record| {
        listed
            .iter()
            .find(|one| one.record == record)
            .unwrap()
            .erased
    };
    assert!(is_erased(erased) && !is_erased(kept));

    // The history still verifies, and still says who, when, which record and to what effect.
    let report = visit.report();
    let history = &report.histories[0];
    assert_eq!((history.erasures, history.redacted), (1, 1));
    assert!(report.anomalies.is_empty(), "{:?}", report.anomalies);
    let old = &before.histories[0].entries;
    assert!(history.entries.len() >= old.len());
    assert!(
        history
            .entries
            .iter()
            .zip(old.iter())
            .all(|(new, old)| new == old)
    );
    let mut destroyed: Vec<u64> = history
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Destroyed(destroyed) if destroyed.record == erased => Some(destroyed.custodian),
            _ => None,
        })
        .collect();
    // Whose turn comes first in a block is the pool's business.
    destroyed.sort_unstable();
    assert_eq!(destroyed, [1, 2, 3, 4]);
    let (entry, _) = visit.attempts().remove(0);
    assert_eq!(
        visit.patient.reason(&visit.network, &entry).unwrap(),
        None,
        "its reason is gone"
    );

    // The chain itself is read back and verified, and it is still gone.
    let visit = visit.restarted(dir.path());
    assert_eq!(
        visit.report().histories[0].entries,
        report.histories[0].entries
    );
    assert_eq!(search.in_dir(dir.path()), [], "in files after a restart");
}

#[test]
fn p9_every_version_of_an_erased_record_is_gone() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let old = visit.read(&[record]).unwrap().records.remove(0).header;
    let kit = visit.patient.filing_kit();
    let document = chartseal::Document::new(chartseal::Class::LABORATORY, "text/plain", b"two");
    visit
        .author
        .amend(&mut visit.network, &kit, &old, &document)
        .unwrap();
    assert_eq!(visit.network.nodes()[0].versions(&record).unwrap().len(), 2);
    visit.patient.erase(&mut visit.network, record).unwrap();
    for node in visit.network.nodes() {
        assert!(!node.holds_anything_of(&record).unwrap());
    }
}

#[test]
fn p9_a_node_that_was_stopped_erases_when_it_is_back() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.network.set_conduct(1, Conduct::Stopped).unwrap();
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert!(visit.network.nodes()[1].holds_anything_of(&record).unwrap());
    visit.network.set_conduct(1, Conduct::Honest).unwrap();
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert!(!visit.network.nodes()[1].holds_anything_of(&record).unwrap());
    let destroyed = visit
        .network
        .head()
        .unwrap()
        .state()
        .record(&record)
        .unwrap()
        .destroyed;
    assert_eq!(destroyed, 0b1111);
    // Once everybody has, asking again changes nothing.
    let height = visit.network.head().unwrap().height();
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert_eq!(visit.network.head().unwrap().height(), height);
}

#[test]
fn p9_nothing_is_destroyed_before_the_patient_erases() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    for node in visit.network.nodes_mut() {
        let refused = node.destroy(&record);
        assert!(
            matches!(refused, Err(NodeError::NotErased(id)) if id == record),
            "{refused:?}"
        );
        assert!(node.holds_anything_of(&record).unwrap());
    }
    let hospital = visit.hospital;
    let mut other = visit.network.enrol_patient(&hospital).unwrap();
    let refused = other.erase(&mut visit.network, record);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    visit.grant();
    assert!(visit.read(&[record]).is_ok());
}

/// Commitments and digests are on the chain, so anybody may repeat them as the reason of a request for a record
/// of their own, and have that record erased.
#[test]
fn p9_an_erasure_takes_nothing_of_others_whose_commitments_were_repeated() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let header = visit.read(&[record]).unwrap().records.remove(0).header;
    let (entry, access) = visit.attempts().pop().unwrap();

    let mut mallory = visit.network.enrol_patient(&visit.hospital).unwrap();
    let kit = mallory.filing_kit();
    let document = chartseal::Document::new(chartseal::Class::LABORATORY, "text/plain", b"bait");
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &[document], |_| ());
    let bait = filed.unwrap()[0].record;
    for reason in [access.reason, Hash(header.digest().0)] {
        let body = AccessRequested {
            patient: mallory.id(),
            records: vec![bait],
            action: access.action.clone(),
            purpose: access.purpose.clone(),
            reason_code: access.reason_code.clone(),
            reason,
            reader: [7; 32],
        };
        let request = signed(&visit.network, visit.doctor.person(), body);
        visit.network.submit(request, &[]).unwrap();
    }
    mallory.erase(&mut visit.network, bait).unwrap();

    for node in visit.network.nodes() {
        assert!(!node.holds_anything_of(&bait).unwrap());
        assert!(
            node.envelope(&entry.tx, &record).is_ok(),
            "the envelope's front"
        );
        assert!(node.text(&entry.tx, &access.reason).unwrap().is_some());
    }
    let reason = visit.patient.reason(&visit.network, &entry).unwrap();
    assert!(reason.is_some(), "the patient still reads why");
}

/// What a record's author anchors as its header is any 32 bytes: the place of another record's share among them, which is
/// no secret, or that of somebody's key; and as its body another's. Of such a record nothing is released, and its erasure
/// takes nothing.
#[test]
fn p9_who_anchors_the_places_of_others_gets_and_destroys_nothing_there() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    visit.hand_over();
    let dealt = visit.patient.redeal(&mut visit.network, |_, _| ());
    assert_eq!(dealt.unwrap().durable, 1);
    let state = visit.network.head().unwrap().state();
    let anchor = state.record(&record).unwrap();
    let header = anchor.header;
    let kem = state.patient(&visit.patient.id()).unwrap().kem;
    let committee = state.committee();
    let custodians = CustodianSet {
        epoch: committee.epoch(),
        t: committee.quorum(),
        n: committee.n(),
    };
    let places = [ShareKey::of_deal(&header.0, 1).0, kem];
    for node in visit.network.nodes() {
        assert!(node.holds_share(&header, 1).unwrap());
        assert!(node.kem_key(&kem).unwrap().is_some());
    }

    let mut mallory = visit.network.enrol_patient(&visit.hospital).unwrap();
    let reader = KemKeyPair::generate().unwrap();
    for (number, place) in (1..).zip(places) {
        let bait = RecordId([number; 16]);
        let body = RecordAdded {
            record: bait,
            patient: mallory.id(),
            version: 1,
            header: HeaderDigest(place),
            supersedes: None,
            body: anchor.body,
            length: anchor.length,
            confidentiality: Confidentiality::N,
            labels: Labels::inbox(),
            encounter: None,
            authored: visit.network.head().unwrap().head().time,
            release_at: None,
            custodians,
            fingerprint: [number; 32],
        };
        let anchored = signed(&visit.network, mallory.person(), body);
        visit.network.submit(anchored, &[]).unwrap();
        let ask = AccessRequested {
            patient: mallory.id(),
            records: vec![bait],
            action: Token::new("read").unwrap(),
            purpose: Token::new("PATRQT").unwrap(),
            reason_code: Token::new("none").unwrap(),
            reason: Hash([7; 32]),
            reader: reader.key_id().0,
        };
        let request = signed(&visit.network, mallory.person(), ask);
        let id = request.id();
        visit.network.submit(request, &[]).unwrap();
        let state = visit.network.head().unwrap().state();
        assert_eq!(state.request(&id).unwrap().permits.len(), 1);
        for node in visit.network.nodes_mut() {
            let receipts = node.receipts(&id, reader.public_key());
            let is_none = matches!(receipts, Err(NodeError::NoShare(_)));
            assert!(is_none, "{receipts:?}");
            let front = node.envelope(&id, &bait);
            assert!(matches!(front, Err(NodeError::NoShare(_))), "{front:?}");
        }
        mallory.erase(&mut visit.network, bait).unwrap();
        let state = visit.network.head().unwrap().state();
        assert_eq!(state.record(&bait).unwrap().destroyed, 0b1111);
    }
    for node in visit.network.nodes() {
        assert!(node.holds_share(&header, 1).unwrap());
        assert!(node.kem_key(&kem).unwrap().is_some());
    }
    assert_eq!(contents(&visit.read(&[record]).unwrap()), [b"one"]);
}
