use core::fmt;

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::Secret;

/// The key of one record version's body: 32 random bytes, overwritten when it is dropped.
pub struct ContentKey(Secret);

impl ContentKey {
    /// The key that `bytes` are. The caller overwrites its own copy.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Secret::copy_of(&bytes));
        bytes.zeroize();
        key
    }

    /// A new key.
    pub fn generate_with_rng(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// The bytes: whoever has them reads the record.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that 32 bytes are, copied from where they lie.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        bytes
            .try_into()
            .ok()
            .map(|bytes| Self(Secret::copy_of(bytes)))
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(Secret::copy_of(&self.0))
    }
}

impl ZeroizeOnDrop for ContentKey {}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(secret)")
    }
}
