//! A custodian's releases, with all that they ask of its state and stores, beside the one HPKE seal that each needs.

use std::error::Error;

use chartseal::{Class, Document, Network, Offer};
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_wire::Hash;
use chartseal_wire::history::Token;

use crate::envelope::Calls;
use crate::figure::in_turns;
use crate::{Figure, Required};

/// What [`releases`] measures.
pub const RELEASES: &str = "custody/releases";

/// One custodian's release of one record, its receipt being final, beside a bare HPKE seal to the same KEM.
///
/// # Errors
/// If the visit before it fails.
pub fn releases() -> Result<Figure, Box<dyn Error>> {
    let mut network = Network::in_memory()?;
    let hospital = network.enrol_organization()?;
    let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
    let doctor = network.enrol_practitioner(&hospital, &["physician"])?;
    let mut patient = network.enrol_patient(&hospital)?;
    let result = Document::new(Class::LABORATORY, "text/plain", &[7; 1_024]);
    let filed = author.file(&mut network, &patient.filing_kit(), &[result], |_| ())?;
    let records = filed.iter().map(|filed| filed.record).collect();
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    patient.grant(&mut network, &doctor, &offer)?;

    // The request of a program that keeps its ephemeral key.
    let reader = KemKeyPair::generate()?;
    let token = |text| Token::new(text).ok_or("a token");
    let body = AccessRequested {
        patient: patient.id(),
        records,
        action: token("read")?,
        purpose: token("TREAT")?,
        reason_code: token("visit")?,
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    };
    let keys = doctor.person().seed().signing_key();
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

    let node = network.nodes().first().ok_or("no node")?;
    let mut calls = Calls::new()?;
    let (ours, theirs) = in_turns(
        1,
        || node.release(&request, reader.public_key()).is_ok(),
        || calls.seal().is_ok(),
    );
    if node.release(&request, reader.public_key()).is_err() {
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
