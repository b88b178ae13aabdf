//! Domain-separated SHA-256 and HKDF-SHA256.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::secret::{SHALLOW, Secret, wiped};

/// `SHA-256(domain ‖ 0x00 ‖ parts…)`. The caller's parts are self-delimiting or of fixed length.
pub(crate) fn sha256(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(domain.as_bytes());
    hash.update([0]);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HKDF-SHA256 (RFC 5869) of a secret into `out`, with `info = domain ‖ 0x00 ‖ context`.
///
/// `out` is at most 8,160 bytes (255 blocks), which every caller's type guarantees.
pub(crate) fn derive(secret: &[u8; 32], domain: &str, context: &[u8], out: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "callers ask for 8,160 bytes at most")]
    wiped::<SHALLOW, _>(|| {
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        hkdf.expand_multi_info(&[domain.as_bytes(), &[0], context], out)
            .expect("255 blocks");
    });
}

/// As [`derive`], into 32 bytes.
pub(crate) fn derive_32(secret: &[u8; 32], domain: &str, context: &[u8]) -> Secret {
    let mut out = Secret::zero();
    derive(secret, domain, context, out.as_mut_slice());
    out
}
