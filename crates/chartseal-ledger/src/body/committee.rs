use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_wire::domain::{NEXT_COMMITTEE, tagged};
use chartseal_wire::{ChainId, OrgId, PublicKey};

use super::Countersignature;

/// The committee of the next epoch is decided on, by a quorum of the present one's offices. Sent in by
/// one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeChanged {
    /// The next epoch: the present one's number and 1.
    pub epoch: u64,
    /// The first height of it, after this block and at most 100,000 blocks ahead.
    pub from: u64,
    /// 3*f* + 1 distinct organizations.
    pub members: Vec<NextMember>,
    /// By distinct members of the present committee, at least its quorum, over
    /// [`to_approve`](Self::to_approve).
    pub approvals: Vec<Countersignature>,
}

canonical_struct!(CommitteeChanged {
    epoch,
    from,
    members,
    approvals
});

/// A member of the next committee, with the keys that its node has for that epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextMember {
    /// The organization.
    pub org: OrgId,
    /// The key with which its validator signs certificates and checkpoints.
    pub validator: PublicKey,
    /// The digest of the custodian's KEM public key of the epoch.
    pub custodian_kem: [u8; 32],
}

canonical_struct!(NextMember {
    org,
    validator,
    custodian_kem
});

impl CommitteeChanged {
    /// The message that offices sign: the tagged `[chain, epoch, from, members]`. An epoch comes once,
    /// so an approval counts once.
    pub fn to_approve(&self, chain: &ChainId) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(4).item(chain).uint(self.epoch).uint(self.from);
        e.item(&self.members);
        tagged(NEXT_COMMITTEE, &e.finish())
    }
}
