use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_wire::domain::{ENROLMENT, tagged};
use chartseal_wire::{ChainId, PatientId, PublicKey, Signature, Time};

/// An organization's office enrols a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientEnrolled {
    /// Their id: 16 random bytes.
    pub patient: PatientId,
    /// Their signing key.
    pub key: PublicKey,
    /// The digest of their KEM public key.
    pub kem: [u8; 32],
    /// The salt of outcome commitments: practitioners never learn it.
    pub history_salt: [u8; 32],
    /// The patient's signature over [`to_agree`](Self::to_agree); `None`: a provisional enrolment.
    pub agreement: Option<Signature>,
    /// Of age from then on, as a month; 0 for an adult.
    pub adult_from: Time,
    /// From then on a minor may consent, as a month; `None`: not before majority.
    pub minor_consent_from: Option<Time>,
}

canonical_struct!(PatientEnrolled {
    patient,
    key,
    kem,
    history_salt,
    agreement,
    adult_from,
    minor_consent_from,
});

impl PatientEnrolled {
    /// The message that the patient signs to agree: the tagged
    /// `[chain, patient, key, kem, history salt, adult from, minor consent from]`.
    pub fn to_agree(&self, chain: &ChainId) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(7)
            .item(chain)
            .item(&self.patient)
            .item(&self.key)
            .item(&self.kem);
        e.item(&self.history_salt)
            .item(&self.adult_from)
            .item(&self.minor_consent_from);
        tagged(ENROLMENT, &e.finish())
    }
}
