//! ML-DSA-44 (FIPS 204): what witnesses sign with who reckon with a quantum computer.

use alloc::boxed::Box;
use core::fmt;

use ml_dsa::MlDsa44;

use crate::key::BadSignature;

/// An ML-DSA-44 public key, in its encoding of 1,312 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MlDsaKey(Box<[u8; Self::LEN]>);

impl MlDsaKey {
    /// Its length in bytes.
    pub const LEN: usize = 1312;
    /// The length of a signature in bytes.
    pub const SIGNATURE: usize = 2420;
    /// Where the vector t1 begins, behind the seed of the matrix.
    const T1: usize = 32;

    /// A key by its bytes; `None` if they are too few or too many, or t1 is zero: then the matrix alone
    /// verifies, and anybody signs.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let is_zero = bytes.iter().skip(Self::T1).all(|byte| *byte == 0);
        (!is_zero).then(|| Self(Box::new(*bytes)))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// ML-DSA.Verify (FIPS 204, algorithm 3). C2SP's cosignatures have an empty context.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let signature: &[u8; Self::SIGNATURE] = signature.try_into().map_err(|_| BadSignature)?;
        let key = ml_dsa::VerifyingKey::<MlDsa44>::decode(&(*self.0).into());
        ml_dsa::Signature::<MlDsa44>::decode(&(*signature).into())
            .filter(|signature| key.verify_with_context(message, context, signature))
            .map(drop)
            .ok_or(BadSignature)
    }
}

/// The start of the key: enough to tell two apart.
impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MlDsaKey(")?;
        let start = self.0.iter().take(16);
        start
            .into_iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}
