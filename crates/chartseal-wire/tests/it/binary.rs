//! Decoders accept exactly what encoders give, and survive everything else.

use chartseal_codec::{Decode, Encode, from_bytes, to_bytes};
use chartseal_merkle::MapProof;
use chartseal_wire::history::{
    Access, DirectiveIssued, EmergencyDeclared, Outcome, OwnAccess, OwnOutcome, RecordAdded, Token,
};
use chartseal_wire::{
    ActorId, BlockHeader, Certificate, ChainId, Entry, Event, Export, Hash, HeaderDigest,
    HistorySection, OrgId, PatientId, RecordId, SealedText, Subject, Time, TxId,
};
use proptest::prelude::*;

use crate::sample;

fn token() -> impl Strategy<Value = Token> {
    "[!-~]{1,96}".prop_map(|text| Token::new(&text).unwrap())
}

fn record() -> impl Strategy<Value = RecordId> {
    any::<[u8; 16]>().prop_map(RecordId)
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn time() -> impl Strategy<Value = Time> {
    any::<u64>().prop_map(Time)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let tokens = || prop::collection::vec(token(), 0..3);
    let header = prop::option::of(any::<[u8; 32]>().prop_map(HeaderDigest));
    (record(), header, any::<bool>(), token(), tokens(), tokens()).prop_map(
        |(record, header, permitted, code, basis, obligations)| Outcome {
            record,
            header,
            permitted,
            code,
            basis,
            obligations,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let access = (
        token(),
        token(),
        token(),
        hash(),
        any::<bool>(),
        prop::collection::vec(outcome(), 0..3),
    );
    let access = (access, prop::option::of(time())).prop_map(|(one, release_until)| {
        let (action, purpose, reason_code, reason, foreign_claim, records) = one;
        Event::Access(Access {
            action,
            purpose,
            reason_code,
            reason,
            foreign_claim,
            records,
            release_until,
        })
    });
    let own =
        (record(), any::<bool>(), hash()).prop_map(|(record, permitted, outcome)| OwnOutcome {
            record,
            permitted,
            outcome,
        });
    let own = (
        token(),
        token(),
        token(),
        any::<[u8; 16]>(),
        prop::collection::vec(own, 0..3),
    )
        .prop_map(|(action, purpose, reason_code, patient, records)| {
            Event::OwnAccess(OwnAccess {
                action,
                purpose,
                reason_code,
                patient: PatientId(patient),
                records,
            })
        });
    let directive = (
        token(),
        prop::option::of(hash()),
        prop::option::of(time()),
        prop::option::of(time()),
    )
        .prop_map(|(kind, target, from, until)| {
            Event::Directive(DirectiveIssued {
                kind,
                target: target.map(|id| TxId(id.0)),
                from,
                until,
            })
        });
    let added = (record(), any::<u64>(), hash(), prop::option::of(hash())).prop_map(
        |(record, version, header, old)| {
            let (header, supersedes) = (HeaderDigest(header.0), old.map(|old| HeaderDigest(old.0)));
            Event::RecordAdded(RecordAdded {
                record,
                version,
                header,
                supersedes,
            })
        },
    );
    let emergency = (token(), hash(), time()).prop_map(|(reason_code, reason, until)| {
        Event::Emergency(EmergencyDeclared {
            reason_code,
            reason,
            until,
        })
    });
    let others = prop::sample::select(sample::events()).prop_map(|(_, event)| event);
    prop_oneof![access, own, directive, added, emergency, others]
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let ids = (any::<[u8; 32]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    (any::<u64>(), time(), ids, event()).prop_map(|(height, time, (tx, actor, org), event)| Entry {
        height,
        time,
        tx: TxId(tx),
        actor: ActorId(actor),
        org: OrgId(org),
        event,
    })
}

/// Reading `bytes` gives an error, or a value whose bytes they are.
fn one_form<T: Encode + Decode>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = from_bytes::<T>(bytes) {
        prop_assert_eq!(to_bytes(&value), bytes);
    }
    Ok(())
}

/// `bytes` after a few changes.
pub(crate) fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, byte, how) in changes {
        let at = at.index(bytes.len());
        match how % 3 {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            _ if bytes.len() > 1 => {
                bytes.remove(at);
            }
            _ => {}
        }
    }
    bytes
}

proptest! {
    #[test]
    fn entries_are_read_back_from_their_bytes(entry in entry()) {
        prop_assert_eq!(from_bytes::<Entry>(&to_bytes(&entry)).unwrap(), entry);
    }

    #[test]
    fn headers_are_read_back_from_their_bytes(
        numbers in any::<(u64, u64, u64, u64, u64)>(), chain in any::<[u8; 32]>(),
        hashes in (hash(), hash(), hash(), hash(), hash()),
    ) {
        let (version, epoch, height, time, log_size) = numbers;
        let (parent, tx_root, state_root, log_root, next_committee) = hashes;
        let header = BlockHeader {
            version, chain: ChainId(chain), epoch, height, parent, time: Time(time),
            tx_root, state_root, log_root, log_size, next_committee,
        };
        prop_assert_eq!(from_bytes::<BlockHeader>(&header.bytes()).unwrap(), header);
    }

    #[test]
    fn arbitrary_bytes_have_one_form_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        one_form::<Entry>(&bytes)?;
        one_form::<Event>(&bytes)?;
        one_form::<BlockHeader>(&bytes)?;
        one_form::<Export>(&bytes)?;
        one_form::<HistorySection>(&bytes)?;
        one_form::<MapProof>(&bytes)?;
        one_form::<SealedText>(&bytes)?;
        one_form::<Subject>(&bytes)?;
    }

    #[test]
    fn changed_bytes_have_one_form_or_none(
        entry in entry(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 1..4),
    ) {
        one_form::<Entry>(&changed(to_bytes(&entry), &changes))?;
        one_form::<Export>(&changed(to_bytes(&sample::export()), &changes))?;
        one_form::<Export>(&changed(to_bytes(&sample::certified()), &changes))?;
        let certificate = changed(sample::certificate(1).bytes(), &changes);
        if let Ok(read) = Certificate::parse(&certificate) {
            prop_assert_eq!(read.bytes(), certificate);
        }
        one_form::<BlockHeader>(&changed(sample::header().bytes(), &changes))?;
    }

    #[test]
    fn tokens_hold_no_free_text(text in "(?s).{0,100}") {
        let fits = (1..=96).contains(&text.len()) && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        prop_assert_eq!(Token::new(&text).is_some(), fits);
        let mut e = chartseal_codec::Encoder::new();
        e.text(&text);
        prop_assert_eq!(from_bytes::<Token>(&e.finish()).is_ok(), fits);
    }
}
