//! Texts that are sealed to one person and committed to on the chain.

use chartseal_codec::to_bytes;
use chartseal_envelope::KemPublicKey;
use chartseal_wire::history::Token;
use chartseal_wire::{ActorId, PatientId, SealedText};

use crate::domain;
use crate::error::Error;
use crate::network::Network;

/// A reason sealed to the patient whom the requester names; to nobody, if there is no such patient.
pub(crate) fn reason_text(
    network: &Network,
    patient: &PatientId,
    by: &ActorId,
    reason: &str,
) -> Result<SealedText, Error> {
    let known = network.read(|state| state.patient(patient))?;
    let known = known.ok_or(Error::NoPatient(*patient))?;
    let key = network.kem_key(&known.kem)?;
    let key = key.ok_or(Error::NoKemKey(*patient))?;
    seal_for(&key, domain::REASON, by.as_ref(), reason.as_bytes())
}

/// A text sealed to a key, under a fresh salt.
pub(crate) fn seal_for(
    key: &KemPublicKey,
    purpose: &str,
    aad: &[u8],
    text: &[u8],
) -> Result<SealedText, Error> {
    let sealed = chartseal_envelope::seal_text(key, purpose, aad, text)?;
    let salt = *chartseal_envelope::KeySeed::generate()?.expose_bytes();
    Ok(SealedText {
        salt,
        sealed: to_bytes(&sealed).into(),
    })
}

pub(crate) fn token(text: &str) -> Result<Token, Error> {
    Token::new(text).ok_or(Error::Malformed(
        "a code: it has 1 to 96 printable characters, no spaces",
    ))
}
