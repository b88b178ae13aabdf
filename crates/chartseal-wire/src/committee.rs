//! The organizations of an epoch, and how they say that a block is final.

use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct, to_bytes};
use chartseal_merkle::Hash;

use crate::domain::{COMMITTEE, tagged_sha256};
use crate::id::OrgId;
use crate::key::PublicKey;

/// The organizations that order blocks and keep key shares during one epoch.
///
/// There are *n* = 3*f* + 1 of them, so that *f* may be Byzantine. A member's place is also its index
/// as a custodian, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    epoch: u64,
    members: Vec<Member>,
}

/// A member of a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The organization.
    pub org: OrgId,
    /// The key with which its validator signs certificates and checkpoints.
    pub validator: PublicKey,
}

canonical_struct!(Member { org, validator });

impl Committee {
    /// The most members: acknowledgements are kept as the bits of one integer.
    pub const MAX: usize = 64;

    /// The committee of these members, in this order; `None` unless their number is 3*f* + 1 and at
    /// most 64, and none comes twice.
    pub fn new(epoch: u64, members: Vec<Member>) -> Option<Self> {
        let n = members.len();
        let distinct = members.iter().enumerate().all(|(i, one)| {
            let before = members.iter().take(i);
            before
                .into_iter()
                .all(|other| other.org != one.org && other.validator != one.validator)
        });
        (n % 3 == 1 && n <= Self::MAX && distinct).then_some(Self { epoch, members })
    }

    /// Its term.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its members, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many members there are.
    pub fn n(&self) -> u64 {
        self.members.len() as u64
    }

    /// How many may be Byzantine.
    pub fn f(&self) -> u64 {
        (self.n() - 1) / 3
    }

    /// How many members' signatures make a block final, 2*f* + 1; as many shares open a record.
    pub fn quorum(&self) -> u64 {
        2 * self.f() + 1
    }

    /// The index of an organization as a custodian, from 1.
    pub fn index_of(&self, org: &OrgId) -> Option<u64> {
        let at = self.members.iter().position(|member| member.org == *org)?;
        Some(at as u64 + 1)
    }

    /// The members as certificates number them: by the bytes of their validators' keys.
    pub fn validators(&self) -> Vec<Member> {
        // Few, so no sorting: its code is long, and verifiers are to be small.
        let mut validators: Vec<Member> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let at = validators.partition_point(|other| other.validator < member.validator);
            validators.insert(at, *member);
        }
        validators
    }

    /// What a header says of the committee that certifies the next block.
    pub fn hash(&self) -> Hash {
        Hash(tagged_sha256(COMMITTEE, &to_bytes(self)))
    }
}

impl Encode for Committee {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.epoch).item(&self.members);
    }
}

impl Decode for Committee {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Committee").array_exact(2)?;
        let epoch = d.at("epoch").uint()?;
        let members = d.at("members").list(Self::MAX)?;
        Self::new(epoch, members).ok_or_else(|| d.invalid("members are 3f + 1, none twice"))
    }
}
