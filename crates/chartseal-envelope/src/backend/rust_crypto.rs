use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use super::{Aead, NotAuthentic, TAG_LEN};

/// AES-256-GCM of crate `aes-gcm`, which overwrites its round keys when it is dropped.
pub struct RustCrypto(Aes256Gcm);

impl Aead for RustCrypto {
    fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    fn seal_in_place(&self, nonce: [u8; 12], text: &mut [u8]) -> [u8; TAG_LEN] {
        #[expect(clippy::expect_used, reason = "16 KiB are far below GCM's 64 GiB")]
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), &[], text.into())
            .expect("short");
        tag.into()
    }

    fn open_in_place(
        &self,
        nonce: [u8; 12],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), NotAuthentic> {
        self.0
            .decrypt_inout_detached(&Nonce::from(nonce), &[], text.into(), &Tag::from(*tag))
            .map_err(|_| NotAuthentic)
    }
}
