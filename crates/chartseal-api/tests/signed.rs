#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! A question that only its subject may ask: for one node, for a short time, as it was made.

use chartseal_api::{HistoryAsk, Signed, SignedError};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::SigningKeyPair;
use chartseal_wire::{ChainId, OrgId, PatientId, PublicKey, Signature, Subject, Time};

const CHAIN: ChainId = ChainId([1; 32]);
const NODE: OrgId = OrgId([2; 16]);
const NOW: Time = Time(1_000_000);

fn asked(keys: &SigningKeyPair) -> Signed<HistoryAsk> {
    let ask = HistoryAsk {
        subject: Subject::Patient(PatientId([3; 16])),
        from: 4,
    };
    let key = PublicKey(keys.verifying_key().to_bytes());
    let sign = |message: &[u8]| Signature(keys.sign(message).0);
    Signed::new((&CHAIN, &NODE), key, NOW, [5; 16], ask, sign)
}

#[test]
fn a_signed_question_is_for_one_node_of_one_chain_for_a_minute() {
    let asked = asked(&SigningKeyPair::from_secret_bytes(&[7; 32]));
    let later = |ms| Time(NOW.0 + ms);
    assert_eq!(asked.check(&CHAIN, &NODE, NOW), Ok(()));
    assert_eq!(asked.check(&CHAIN, &NODE, later(60_000)), Ok(()));
    let early = Time(NOW.0 - 60_001);
    for when in [later(60_001), early] {
        assert_eq!(asked.check(&CHAIN, &NODE, when), Err(SignedError::Time));
    }
    let (chain, node) = (ChainId([9; 32]), OrgId([9; 16]));
    assert_eq!(asked.check(&chain, &NODE, NOW), Err(SignedError::Signature));
    assert_eq!(asked.check(&CHAIN, &node, NOW), Err(SignedError::Signature));
}

#[test]
fn no_byte_of_a_signed_question_can_be_changed() {
    let good = to_bytes(&asked(&SigningKeyPair::from_secret_bytes(&[7; 32])));
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let Ok(read) = from_bytes::<Signed<HistoryAsk>>(&bad) else {
                continue;
            };
            read.check(&CHAIN, &NODE, NOW).unwrap_err();
        }
    }
}
