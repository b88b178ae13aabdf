//! A custodian's releases, with all that they ask of its state and stores, beside the one HPKE seal that each needs.

use std::error::Error;

use chartseal::{Class, Document, Network, Offer};
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{TRANSACTION_VERSION, Transaction};
use chartseal_node::Clock;
use chartseal_node::keys::{public, sign};
use chartseal_wire::Hash;
use chartseal_wire::history::Token;

use crate::envelope::Calls;
use crate::figure::in_turns;
use crate::{Figure, Required};

/// What [`releases`] measures.
pub const RELEASES: &str = "custody/releases";

/// As many as there are rounds of a measurement: each releases for another request.
const REQUESTS: usize = 32;

/// One custodian's release of one record out of its encrypted store on disk, its receipt being final, beside a bare HPKE seal
/// to the same KEM. Each is another record's, and another request's.
///
/// # Errors
/// If the visit before it fails.
pub fn releases() -> Result<Figure, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut network = Network::create(dir.path(), Clock::System)?;
    let hospital = *network.organizations().first().ok_or("no organization")?;
    let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
    let doctor = network.enrol_practitioner(&hospital, &["physician"])?;
    let mut patient = network.enrol_patient(&hospital)?;
    let contents: Vec<[u8; 1_024]> = (0..=u8::MAX).take(REQUESTS).map(|it| [it; 1_024]).collect();
    let results: Vec<Document<'_>> = contents
        .iter()
        .map(|content| Document::new(Class::LABORATORY, "text/plain", content))
        .collect();
    let filed = author.file(&mut network, &patient.filing_kit(), &results, |_| ())?;
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    patient.grant(&mut network, &doctor, &offer)?;

    // The requests of a program that keeps its ephemeral key.
    let reader = KemKeyPair::generate()?;
    let token = |text| Token::new(text).ok_or("a token");
    let keys = doctor.person().seed().signing_key();
    let mut requests = Vec::new();
    for filed in &filed {
        let body = AccessRequested {
            patient: patient.id(),
            records: vec![filed.record],
            action: token("read")?,
            purpose: token("TREAT")?,
            reason_code: token("visit")?,
            reason: Hash([1; 32]),
            reader: reader.key_id().0,
        };
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: network.chain(),
            actor_key: public(&keys),
            seq: network.head()?.state().sequence(&public(&keys)) + 1,
            expires: network.head()?.height() + 100,
            body: body.into(),
        };
        let signed = transaction.sign(|message| sign(&keys, message));
        let request = network.submit(signed, &[])?;
        // With the receipts.
        network.releases(&request, reader.public_key())?;
        requests.push(request);
    }

    let node = network.nodes().first().ok_or("no node")?;
    let mut calls = Calls::new()?;
    let (mut asked, mut all_released) = (requests.iter().cycle(), true);
    let (ours, theirs) = in_turns(
        1,
        || {
            let request = asked.next();
            let released = request.map(|it| node.release(it, reader.public_key()));
            all_released &= matches!(released, Some(Ok(_)));
        },
        || calls.seal().is_ok(),
    );
    if !all_released {
        return Err("nothing is released".into());
    }
    Ok(Figure {
        id: RELEASES,
        ours,
        theirs,
        other: "1 × HPKE",
        unit: "ns",
        required: Some(Required::Faster(0.7)),
    })
}
