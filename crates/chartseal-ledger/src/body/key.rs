use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_wire::domain::{KEY_POSSESSION, tagged};
use chartseal_wire::{ActorId, ChainId, PublicKey, Signature};

/// A key is replaced by the next. The holder stays who they are; the sequence starts anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotated {
    /// The new signing key: one that nobody ever had.
    pub key: PublicKey,
    /// The digest of the new KEM public key; `None`: it stays. An office has none.
    pub kem: Option<[u8; 32]>,
    /// The new key's signature over [`to_possess`](Self::to_possess).
    pub possession: Signature,
}

canonical_struct!(KeyRotated {
    key,
    kem,
    possession
});

impl KeyRotated {
    /// The message that the new key signs: the tagged `[chain, holder, new key]`.
    pub fn to_possess(chain: &ChainId, holder: &ActorId, key: &PublicKey) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(3).item(chain).item(holder).item(key);
        tagged(KEY_POSSESSION, &e.finish())
    }
}

/// An organization's office gives its custodian a key, whatever became of the one before: lost, revoked, or in a thief's
/// hands, who may have rotated it. That one counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustodianReplaced {
    /// What the custodian has from now on, as in a rotation of its own.
    pub rotation: KeyRotated,
}

canonical_struct!(CustodianReplaced { rotation });

/// A key never counts again. A practitioner without a key is suspended from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRevoked {
    /// The key.
    pub key: PublicKey,
}

canonical_struct!(KeyRevoked { key });
