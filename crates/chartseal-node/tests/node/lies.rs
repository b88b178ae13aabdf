//! What a custodian gives that lies, in both simulations, and what a reader makes of it.

use std::collections::BTreeMap;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::rand_core::CryptoRng;
use chartseal_envelope::{
    CombineError, Combined, ContentKey, Fault, HeldShare, KemKeyPair, KemPublicKey, Release,
    RequestId, ShareIndex, Suite, VerifyingKey, open, release_with_rng,
};
use chartseal_node::Envelope;

use crate::fixture::TEXT;

/// What is wrong with the shares that a custodian gives, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Nothing: they are its own and right, though nobody permitted it.
    No,
    /// Each has a byte changed.
    Altered,
    /// What they are sealed in has a byte changed.
    Garbled,
    /// One is of another record.
    Foreign,
    /// And under the name of the first record that was asked for.
    Renamed,
    /// They are under another custodian's index.
    Disguised,
    /// They answer another request.
    Misdirected,
    /// They are sealed to another reader.
    Missealed,
}

impl Lie {
    /// Half of the time there is none.
    pub(crate) fn of(number: u64) -> Self {
        match number % 14 {
            0 => Self::Altered,
            1 => Self::Garbled,
            2 => Self::Foreign,
            3 => Self::Renamed,
            4 => Self::Disguised,
            5 => Self::Misdirected,
            6 => Self::Missealed,
            _ => Self::No,
        }
    }

    /// What a custodian gives that holds these shares of what was asked for, and others; and what is wrong with it.
    pub(crate) fn give(
        self,
        held: &[&HeldShare],
        others: &[&HeldShare],
        request: RequestId,
        reader: &KemPublicKey,
        rng: &mut impl CryptoRng,
    ) -> (Release, Self) {
        let mut given = |held: &[&HeldShare], request, reader: &KemPublicKey| {
            release_with_rng(held, request, reader, rng).unwrap()
        };
        // Who holds no other one has nothing to pass for it.
        let lie = match self {
            Self::Foreign | Self::Renamed if others.is_empty() => Self::Altered,
            lie => lie,
        };
        let release = match lie {
            Self::No => given(held, request, reader),
            Self::Altered => {
                let altered: Vec<_> = held.iter().map(|it| again(it).lying()).collect();
                given(&altered.iter().collect::<Vec<_>>(), request, reader)
            }
            Self::Garbled => changed(&given(held, request, reader), |bytes| {
                let key = place_of(bytes, &reader.key_id().0);
                bytes[key + 64] ^= 1;
            }),
            Self::Foreign => given(&others[..1], request, reader),
            Self::Renamed => changed(&given(&others[..1], request, reader), |bytes| {
                let header = others[0].dealing().header().0;
                let name = place_of(bytes, &header);
                bytes[name..name + 32].copy_from_slice(&held[0].dealing().header().0);
            }),
            Self::Disguised => changed(&given(held, request, reader), |bytes| {
                // Three bytes before the reader's key: its length is in two.
                let index = place_of(bytes, &reader.key_id().0) - 3;
                bytes[index] = if bytes[index] == 1 { 2 } else { 1 };
            }),
            Self::Misdirected => given(held, RequestId([9; 32]), reader),
            Self::Missealed => {
                let other = KemKeyPair::from_secret_bytes(Suite::XWing, &[9; 32]);
                given(held, request, other.public_key())
            }
        };
        (release, lie)
    }

    /// Whether a reader notices it of the record at this place of its request. What is nobody's or another record's is
    /// merely no share of it.
    fn is_noticed(self, place: usize) -> bool {
        match self {
            Self::Renamed => place == 0,
            // A disguised one is dropped as a whole before: it is not its sender's.
            Self::No | Self::Foreign | Self::Disguised => false,
            _ => true,
        }
    }
}

/// The same share once more.
fn again(held: &HeldShare) -> HeldShare {
    HeldShare::from_storage_bytes(&held.to_storage_bytes()).unwrap()
}

fn place_of(bytes: &[u8], part: &[u8; 32]) -> usize {
    bytes.windows(32).position(|it| it == part).unwrap()
}

fn changed(release: &Release, change: impl FnOnce(&mut Vec<u8>)) -> Release {
    let mut bytes = to_bytes(release);
    change(&mut bytes);
    from_bytes(&bytes).unwrap()
}

/// What a reader got: from which custodian, and what is wrong with it.
pub(crate) type Given = BTreeMap<usize, (Release, Lie)>;

/// The index of a custodian.
fn index(at: usize) -> ShareIndex {
    ShareIndex::new(u8::try_from(at).unwrap() + 1).unwrap()
}

/// What of it a reader combines: a release is not signed, so one under another index than its sender's is dropped, and is its
/// sender's fault.
pub(crate) fn theirs(given: &Given) -> Vec<Release> {
    let theirs = given.iter().filter(|(at, (release, lie))| {
        let is_own = release.index() == index(**at);
        assert_eq!(is_own, *lie != Lie::Disguised);
        is_own
    });
    theirs.map(|(_, (release, _))| release.clone()).collect()
}

/// How many of those who gave something gave what they should have, but without a receipt.
pub(crate) fn silent(given: &Given, is_liar: impl Fn(usize) -> bool) -> usize {
    let silent = given.iter();
    let silent = silent.filter(|(at, (_, lie))| is_liar(**at) && *lie == Lie::No);
    silent.count()
}

/// Whatever came of combining, who lied about the record at this place of the request is named, and nobody else.
pub(crate) fn check_named(
    given: &Given,
    place: usize,
    combined: &Result<Combined, CombineError>,
) -> usize {
    let faults: &[Fault] = match combined {
        Ok(combined) => &combined.faults,
        Err(CombineError::NotEnough(shortage)) => &shortage.faults,
        Err(error) => panic!("{error}"),
    };
    let mut named: Vec<ShareIndex> = faults.iter().map(|fault| fault.custodian).collect();
    named.sort_unstable();
    let lied = given.iter().filter(|(_, (_, lie))| lie.is_noticed(place));
    let lied: Vec<ShareIndex> = lied.map(|(at, _)| index(*at)).collect();
    assert_eq!(named, lied, "{faults:?}");
    lied.len()
}

/// What a liar serves instead of a sealed record: other bytes, fewer, another record's, or another one as a whole.
pub(crate) fn altered(envelope: &Envelope, other: Option<&Envelope>, how: u64) -> Envelope {
    let mut altered = envelope.clone();
    let len = altered.body.len();
    match (how % 5, other) {
        (0, Some(other)) => altered.body.clone_from(&other.body),
        (1, Some(other)) => altered.front = other.front.clone(),
        (2, Some(other)) => altered = other.clone(),
        (3, _) => altered.body.truncate(len - 1),
        _ => altered.body[usize::try_from(how).unwrap() % len] ^= 1,
    }
    altered
}

/// What a reader has of a sealed record that somebody served: the right content, or nothing.
pub(crate) fn read(envelope: &Envelope, author: &VerifyingKey, key: &ContentKey) -> bool {
    let Envelope { front, body } = envelope;
    match open(&front.header, body, &front.seal, author, key) {
        Ok(opened) => {
            assert_eq!(opened.content(), TEXT);
            true
        }
        Err(_) => false,
    }
}
