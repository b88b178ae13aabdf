//! Ed25519 public keys and signatures, under one rule; and the engine's, under its own.

use chartseal_codec::byte_newtype;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Verifier, VerifyingKey};
use sha2::{Digest, Sha512};
use thiserror::Error;

use crate::domain::tagged;

byte_newtype! {
    /// An Ed25519 public key (RFC 8032), as its 32 bytes. Whether they are a point is found out when
    /// a signature is checked.
    pub struct PublicKey([u8; 32]);
}
byte_newtype! {
    /// An Ed25519 signature (RFC 8032).
    pub struct Signature([u8; 64]);
}

/// A signature does not verify: wrong key, wrong message, or not canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// Checks a signature over `domain ‖ 0x00 ‖ bytes`.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        domain: &str,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify_raw(&tagged(domain, bytes), signature)
    }

    /// Checks a signature over exactly `message`, as C2SP notes are signed.
    ///
    /// The rule is ed25519-dalek's `verify_strict`: canonical `S`, no key or `R` of small order.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_raw(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        self.decompress()?.verify_raw(message, signature)
    }

    /// Checks a signature over exactly `message` under ZIP-215, as the consensus engine does: any
    /// encodings of points, of small order too; `S` is below the group order; and `[8][S]B = [8]R + [8][k]A`.
    /// Batches of signatures and single ones then agree.
    ///
    /// For finality certificates alone. Whoever made a key of small order signs everything with it, so
    /// what else is signed here is under the strict rule.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_zip215(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let point = |bytes| CompressedEdwardsY(bytes).decompress().ok_or(BadSignature);
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        let (key, r) = (point(self.0)?, point(*signature.r_bytes())?);
        let s: Option<Scalar> = Scalar::from_canonical_bytes(*signature.s_bytes()).into();
        let hasher = Sha512::new().chain_update(signature.r_bytes());
        let k = hasher.chain_update(self.0).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&k.finalize().into());
        let s = s.ok_or(BadSignature)?;
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key, &s);
        // Times the cofactor, the difference is zero.
        if (expected - r).is_small_order() {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    /// The point that the bytes are, for who checks many signatures of one key.
    ///
    /// # Errors
    /// [`BadSignature`]: it is none, or one of small order, so no signature of this key verifies.
    pub fn decompress(&self) -> Result<DecompressedKey, BadSignature> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        if key.is_weak() {
            return Err(BadSignature);
        }
        Ok(DecompressedKey(key))
    }
}

/// A [`PublicKey`] that is a point, and not of small order. To find it takes a tenth of the time of a check.
#[derive(Clone, Debug)]
pub struct DecompressedKey(VerifyingKey);

impl DecompressedKey {
    /// As [`PublicKey::verify`].
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        domain: &str,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify_raw(&tagged(domain, bytes), signature)
    }

    /// As [`PublicKey::verify_raw`].
    ///
    /// It accepts exactly what `verify_strict` accepts, and spares finding the point `R`, another tenth: the plain
    /// check compares `R`'s bytes with the encoding of a point, so what it accepts is a point's own encoding, and the
    /// point is of small order exactly if that is one of eight. The key is not, or it would not be here.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_raw(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        if SMALL_ORDER.contains(signature.r_bytes()) {
            return Err(BadSignature);
        }
        self.0.verify(message, &signature).map_err(|_| BadSignature)
    }
}

/// The encodings of the eight points of small order: of order 1, 2, 4 (two), and 8 (four).
const SMALL_ORDER: [[u8; 32]; 8] = [
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x80,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0xfa,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x85,
    ],
];

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::*;

    #[test]
    fn the_points_of_small_order_are_all_there() {
        let mut expected = EIGHT_TORSION.map(|point| point.compress().0);
        let mut found = SMALL_ORDER;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
