//! Encoding and decoding a history's entry: what an export of a long history consists of.

use std::hint::black_box;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_merkle::Hash;
use chartseal_wire::history::{Access, Outcome, Token};
use chartseal_wire::{ActorId, Entry, Event, HeaderDigest, OrgId, RecordId, Time, TxId};

use crate::{Figure, in_turns};

const N: u32 = 2_000;

/// An access of three records.
pub fn entry() -> Entry {
    let token = |word| Token::new(word).into_iter();
    let outcome = |n: u8| Outcome {
        record: RecordId([n; 16]),
        header: Some(HeaderDigest([n; 32])),
        permitted: true,
        code: word("granted"),
        basis: token("4f2d1c0b4f2d1c0b4f2d1c0b4f2d1c0b").collect(),
        obligations: token("no_redisclosure").collect(),
    };
    Entry {
        height: 70_000,
        time: Time(1_790_000_000_000),
        tx: TxId([1; 32]),
        actor: ActorId([2; 16]),
        org: OrgId([3; 16]),
        event: Event::Access(Access {
            action: word("read"),
            purpose: word("TREAT"),
            reason_code: word("visit"),
            reason: Hash([4; 32]),
            foreign_claim: false,
            records: [5, 6, 7].map(outcome).into(),
            release_until: Some(Time(1_790_000_600_000)),
        }),
    }
}

#[expect(clippy::expect_used, reason = "the words stand in this file")]
fn word(text: &str) -> Token {
    Token::new(text).expect("is a token")
}

/// Encoding against copying the bytes that come out.
pub fn encode() -> Figure {
    let entry = entry();
    let bytes = to_bytes(&entry);
    let (ours, theirs) = in_turns(
        N,
        || {
            (0..N)
                .map(|_| to_bytes(black_box(&entry)).len())
                .sum::<usize>()
        },
        || copy(&bytes),
    );
    figure("codec/encode", ours, theirs)
}

/// Decoding against copying the bytes that go in.
pub fn decode() -> Figure {
    let bytes = to_bytes(&entry());
    let decode = || from_bytes::<Entry>(black_box(&bytes)).is_ok();
    let (ours, theirs) = in_turns(N, || (0..N).filter(|_| decode()).count(), || copy(&bytes));
    figure("codec/decode", ours, theirs)
}

/// The least that either has to do.
fn copy(bytes: &[u8]) {
    for _ in 0..N {
        black_box(black_box(bytes).to_vec());
    }
}

fn figure(id: &'static str, ours: f64, theirs: f64) -> Figure {
    Figure {
        id,
        ours,
        theirs,
        other: "copying the bytes",
        unit: "ns/entry",
        required: None,
    }
}
