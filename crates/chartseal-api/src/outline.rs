use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct};

use crate::envelope::EnvelopeFront;

/// The most groups of an outline: ciphertexts of up to 7.8 GiB.
const MAX_GROUPS: usize = 32_000;

/// A sealed record without its body, and the hashes that verify each group of the body by itself, if there is more than
/// one (`chartseal_vault::Outboard`): what goes before a body that travels in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Header and seal, which name the body and its length.
    pub front: EnvelopeFront,
    /// A hash for each group.
    pub groups: Vec<[u8; 32]>,
}

impl Encode for Outline {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.front).item(&self.groups);
    }
}

impl Decode for Outline {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("outline").array_exact(2)?;
        Ok(Self {
            front: EnvelopeFront::decode(d)?,
            groups: d.at("groups").list(MAX_GROUPS)?,
        })
    }
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// How many of the body's groups are there, from the first on.
    pub groups: u64,
    /// Whether the body is in the vault.
    pub is_whole: bool,
}

canonical_struct!(Uploaded { groups, is_whole });
