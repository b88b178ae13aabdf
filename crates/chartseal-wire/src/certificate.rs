//! The consensus engine's finality certificates, without the engine.
//!
//! The encoding is the engine's own (`commonware-consensus` 2026.10.0, simplex with its ed25519 scheme); it
//! is frozen, and stands in `docs/formats.md`. Numbers are LEB128: groups of 7 bits, the lowest first.

use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use chartseal_merkle::Hash;
use thiserror::Error;

use crate::committee::Committee;
use crate::domain::{CONSENSUS, tagged};
use crate::id::ChainId;
use crate::key::Signature;

/// The most bytes of a certificate: three numbers, a leaf, and 64 signers.
pub const MAX_CERTIFICATE: usize = 3 * 10 + 32 + 8 + 8 + 1 + Committee::MAX * 64;

/// What the engine appends to a chain's namespace in votes to finalize.
const FINALIZE: &[u8] = b"_FINALIZE";

/// A committee's statement that a block is final. Who signed it, and whether they did, is another
/// question.
///
/// Two nodes may hold different certificates of one block, so one is never hashed into anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The committee's term.
    pub epoch: u64,
    /// The view in which the block was final; views count failed proposals too.
    pub view: u64,
    /// The view of the block's parent; 0 for the epoch's first block.
    pub parent_view: u64,
    /// The block: its header's leaf hash.
    pub block: Hash,
    /// How many members the committee has, at most [`Committee::MAX`].
    members: u64,
    /// Bit *i* says whether validator *i* signed.
    signers: u64,
    /// Their signatures, in this order, one for each bit.
    signatures: Vec<Signature>,
}

/// Bytes are no certificate in its one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadCertificate(&'static str);

impl Certificate {
    /// A certificate of a committee of `members`, with the signatures of validators, each by its number
    /// in [`Committee::validators`]; `None` unless the numbers increase, are below `members`, and there is
    /// one at least.
    pub fn new(
        (epoch, view, parent_view): (u64, u64, u64),
        block: Hash,
        members: u64,
        signed: &[(u64, Signature)],
    ) -> Option<Self> {
        let increase = signed.is_sorted_by(|a, b| a.0 < b.0);
        let last = signed.last()?.0;
        (increase && last < members && members <= Committee::MAX as u64).then(|| Self {
            epoch,
            view,
            parent_view,
            block,
            members,
            signers: signed.iter().fold(0, |bits, (at, _)| bits | 1 << at),
            signatures: signed.iter().map(|(_, signature)| *signature).collect(),
        })
    }

    /// Reads a certificate, in the one form in which [`bytes`](Self::bytes) writes it.
    ///
    /// # Errors
    /// [`BadCertificate`] says what should be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadCertificate> {
        let mut rest = bytes;
        let mut number = || read_number(&mut rest).ok_or(BadCertificate("a number in LEB128"));
        let (epoch, view, parent_view) = (number()?, number()?, number()?);
        let block = take(&mut rest).ok_or(BadCertificate("a leaf hash of 32 bytes"))?;
        let members = take(&mut rest).map(u64::from_be_bytes);
        let members = members
            .filter(|n| (1..=Committee::MAX as u64).contains(n))
            .ok_or(BadCertificate("a number of members from 1 to 64"))?;
        let signers = read_bits(&mut rest, members)
            .ok_or(BadCertificate("a bit for each member, one at least set"))?;
        let count = read_number(&mut rest).filter(|n| *n == u64::from(signers.count_ones()));
        let count = count.ok_or(BadCertificate("as many signatures as signers"))?;
        let signatures: Option<Vec<Signature>> =
            (0..count).map(|_| take(&mut rest).map(Signature)).collect();
        let signatures = signatures.ok_or(BadCertificate("signatures of 64 bytes"))?;
        if !rest.is_empty() {
            return Err(BadCertificate("nothing behind the signatures"));
        }
        Ok(Self {
            epoch,
            view,
            parent_view,
            block: Hash(block),
            members,
            signers,
            signatures,
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.proposal();
        bytes.extend(self.members.to_be_bytes());
        let bits = self.signers.to_le_bytes();
        bytes.extend(bits.iter().take(bytes_of(self.members)));
        write_number(&mut bytes, self.signatures.len() as u64);
        bytes.extend(self.signatures.iter().flat_map(|signature| signature.0));
        bytes
    }

    /// How many members the committee has that it speaks of.
    pub fn members(&self) -> u64 {
        self.members
    }

    /// The signatures, each with the number of its validator in [`Committee::validators`].
    pub fn signed(&self) -> impl Iterator<Item = (usize, &Signature)> {
        let signers = (0..Committee::MAX).filter(|at| self.signers >> at & 1 == 1);
        signers.zip(&self.signatures)
    }

    /// What each of them signs: `LEB128(length of N) ‖ N ‖ proposal`, where `N` is the chain's namespace
    /// and the kind of vote.
    pub fn message(&self, chain: &ChainId) -> Vec<u8> {
        let namespace = [&tagged(CONSENSUS, &chain.0), FINALIZE].concat();
        let mut message = Vec::new();
        write_number(&mut message, namespace.len() as u64);
        message.extend(namespace);
        message.extend(self.proposal());
        message
    }

    fn proposal(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.epoch, self.view, self.parent_view] {
            write_number(&mut bytes, number);
        }
        bytes.extend(self.block.0);
        bytes
    }
}

fn bytes_of(bits: u64) -> usize {
    bits.div_ceil(8).try_into().unwrap_or(usize::MAX)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

fn read_bits(rest: &mut &[u8], members: u64) -> Option<u64> {
    let (bits, behind) = rest.split_at_checked(bytes_of(members))?;
    *rest = behind;
    let shifted = bits
        .iter()
        .zip(0u32..)
        .map(|(byte, at)| u64::from(*byte) << (8 * at));
    let bits = shifted.fold(0, |all, byte| all | byte);
    let beyond = bits.checked_shr(members.try_into().ok()?).unwrap_or(0);
    (bits != 0 && beyond == 0).then_some(bits)
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        let part = u64::from(byte & 0x7f);
        // The tenth byte has one bit; and only a first byte is zero.
        if part << shift >> shift != part || (byte == 0 && shift > 0) {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

impl Encode for Certificate {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.bytes());
    }
}

impl Decode for Certificate {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = d.bytes(MAX_CERTIFICATE)?;
        Self::parse(bytes).map_err(|BadCertificate(expected)| d.invalid(expected))
    }
}
