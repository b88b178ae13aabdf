//! P1, P5, P8, P9: what the stolen stores and keys open, and what can be read in them.

use chartseal_cluster::office;
use chartseal_envelope::{
    ContentKey, Dealing, HeldShare, KemKeyPair, ShareFault, accept, combine, deal, open, release,
};
use chartseal_node::{author_key, author_keys};
use chartseal_testkit::leaks::{Found, Kind, Search};
use chartseal_wire::RecordId;

use super::visit::{CONTENT, REASON, Stolen, Visit};

/// The contents that shares open, with whatever else these nodes have.
fn opened_with(stolen: &[Stolen], held: &[&HeldShare]) -> Vec<String> {
    let reader = KemKeyPair::generate().unwrap();
    let request = chartseal_envelope::RequestId([7; 32]);
    let mut opened = Vec::new();
    for (front, body) in &stolen[0].records {
        let dealing = Dealing::initial(&front.header);
        // A custodian's own share needs nobody's permit: it is released to the attacker's own key.
        let of_it = held.iter().filter(|held| held.dealing() == &dealing);
        let releases = of_it.map(|held| release(&[*held], request, reader.public_key()).unwrap());
        let releases: Vec<_> = releases.collect();
        let key: Option<ContentKey> = combine(&reader, request, &dealing, &releases)
            .ok()
            .map(|combined| combined.key);
        let Some(key) = key else { continue };
        let state = stolen[0].node.state();
        let record = state.record(&RecordId(front.header.record_id().0)).unwrap();
        let authors = author_keys(state, &record);
        let author = author_key(&authors, &front.header).unwrap();
        let content = open(&front.header, body, &front.seal, author, &key).unwrap();
        opened.push(String::from_utf8(content.content().to_vec()).unwrap());
    }
    opened
}

/// The contents that the shares on these disks open.
pub(super) fn opened(stolen: &[Stolen]) -> Vec<String> {
    let held: Vec<&HeldShare> = stolen.iter().flat_map(|it| &it.held).collect();
    opened_with(stolen, &held)
}

/// The contents that shares open which are not on a disk any more, but were recorded on their way to all custodians: each
/// stolen KEM key opens the deal that is addressed to it.
pub(super) fn opened_from_the_wire(visit: &mut Visit, stolen: &[Stolen]) -> Vec<String> {
    // Who has read it can deal it as its author did.
    let opening = visit.doctor.open(&mut visit.network, &visit.request);
    let dealer = opening.unwrap().records[0].dealer();
    let mut keys: Vec<_> = (0..4)
        .map(|number| {
            (
                visit.cluster.config(number).organization,
                visit.keys(number),
            )
        })
        .collect();
    keys.sort_by_key(|(org, _)| visit.genesis.committee().index_of(org));
    let kem: Vec<_> = keys
        .iter()
        .map(|(_, keys)| keys.kem.public_key().clone())
        .collect();
    let deals = deal(&[&dealer], &kem).unwrap();
    let mut held = Vec::new();
    for (deal, to) in deals.iter().zip(&kem) {
        for one in stolen {
            let index = one.node.index_in(0).unwrap();
            let taken = accept(&one.keys.kem, index, dealer.dealing(), deal);
            if one.keys.kem.public_key() == to {
                held.push(taken.unwrap());
                continue;
            }
            assert_eq!(taken.unwrap_err(), ShareFault::Index);
            // Nor as whom it is addressed to.
            let taken = accept(&one.keys.kem, deal.index(), dealer.dealing(), deal);
            assert_eq!(taken.unwrap_err(), ShareFault::Recipient);
        }
    }
    assert_eq!(held.len(), stolen.len());
    opened_with(stolen, &held.iter().collect::<Vec<_>>())
}

/// What must not be found anywhere but with the people themselves.
pub(super) fn secrets(visit: &Visit) -> Search {
    let mut search = Search::new(&[]);
    for text in [CONTENT, REASON, "diabetes", "HbA1c"] {
        search.add(Kind::Text, text);
    }
    for number in 0..4 {
        let office = office(&visit.cluster.place(), number);
        search.add_bytes(Kind::Text, office.expose_secret_bytes());
    }
    search
}

/// What is on these disks, decrypted, tells nothing of the patient, and holds no office's key.
pub(super) fn search(visit: &Visit, stolen: &[Stolen]) {
    let search = secrets(visit);
    let mut found = Found::default();
    for (number, one) in stolen.iter().enumerate() {
        search.look_into(&one.plain, &mut found);
        search.look_into(&one.keys.to_secret_bytes(), &mut found);
        let directory = visit.cluster.config(3 - number).directory;
        search.look_below(&directory, &mut found).unwrap();
    }
    assert!(found.bytes > 100_000, "{found:?}");
    assert_eq!(search.leaks(&found), Vec::<String>::new());
}
