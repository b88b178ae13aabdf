//! People and records that nobody has: what workloads put on a chain. One number gives the same ones each time.

use std::error::Error;

use chartseal_ledger::body::{CustodianSet, PatientEnrolled, PractitionerEnrolled, RecordAdded};
use chartseal_ledger::{Label, Labels};
use chartseal_policy::{Confidentiality, Set, Symbol, Window};
use chartseal_wire::{ActorId, HeaderDigest, PatientId, PublicKey, RecordId, Time};
use sha2::{Digest, Sha256};

/// The kinds of ids of people.
pub(crate) const PRACTITIONER: &str = "practitioner";
pub(crate) const PATIENT: &str = "patient";
/// Organizations, each with a custodian and practitioners of its own.
pub(crate) const ORGANIZATIONS: u64 = 4;

pub(crate) fn hash(kind: &str, n: u64) -> [u8; 32] {
    let hasher = Sha256::new().chain_update(kind);
    hasher.chain_update(n.to_be_bytes()).finalize().into()
}

pub(crate) fn id16(kind: &str, n: u64) -> [u8; 16] {
    hash(kind, n).first_chunk().copied().unwrap_or_default()
}

/// A doctor's enrolment.
pub(crate) fn practitioner(
    id: u64,
    key: PublicKey,
) -> Result<PractitionerEnrolled, Box<dyn Error>> {
    Ok(PractitionerEnrolled {
        actor: ActorId(id16(PRACTITIONER, id)),
        key,
        kem: hash("kem", id),
        roles: Set::one(Symbol::new("doctor")?),
        credential: Window::ALWAYS,
        countersignature: None,
    })
}

/// A patient's enrolment, to which they have not agreed.
pub(crate) fn patient(id: u64, key: PublicKey) -> PatientEnrolled {
    PatientEnrolled {
        patient: PatientId(id16(PATIENT, id)),
        key,
        kem: hash("kem", id),
        history_salt: hash("salt", id),
        agreement: None,
        adult_from: Time(0),
        minor_consent_from: None,
    }
}

pub(crate) fn labels(patient: u64) -> Labels {
    Labels::new([0, 1, 2, 3, 4, 5].map(|label| Label(id16("label", patient * 6 + label))))
}

/// The `n`th record, which is this patient's.
pub(crate) fn record(patient: u64, n: u64, authored: Time) -> RecordAdded {
    RecordAdded {
        record: RecordId(id16("record", n)),
        patient: PatientId(id16(PATIENT, patient)),
        version: 1,
        header: HeaderDigest(hash("header", n)),
        supersedes: None,
        body: hash("body", n),
        length: 4_096,
        confidentiality: Confidentiality::N,
        labels: labels(patient),
        encounter: None,
        authored,
        release_at: None,
        custodians: CustodianSet {
            epoch: 0,
            t: 3,
            n: ORGANIZATIONS,
        },
        fingerprint: hash("fingerprint", n),
    }
}
