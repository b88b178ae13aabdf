use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

use super::{Aead, NotAuthentic, TAG_LEN};

/// AES-256-GCM of crate `aws-lc-rs`, which does not promise to overwrite its round keys.
pub struct AwsLc(LessSafeKey);

impl Aead for AwsLc {
    fn new(key: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "32 bytes are the only requirement")]
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes");
        Self(LessSafeKey::new(key))
    }

    fn seal_in_place(&self, nonce: [u8; 12], text: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        #[expect(clippy::expect_used, reason = "16 KiB are far below GCM's 64 GiB")]
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::empty(), text)
            .expect("short");
        let mut out = [0; TAG_LEN];
        out.copy_from_slice(tag.as_ref());
        out
    }

    fn open_in_place(
        &self,
        nonce: [u8; 12],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), NotAuthentic> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self
            .0
            .open_in_place_separate_tag(nonce, Aad::empty(), tag, text);
        if opened.is_err() {
            // It decrypts while it authenticates.
            text.zeroize();
            return Err(NotAuthentic);
        }
        Ok(())
    }
}
