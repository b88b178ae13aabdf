//! A log that tests publish.

use std::path::Path;

use chartseal_tiles::{Directory, Publisher, TileError};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{PublicKey, Signature, SignedNote, VerifierKey};
use ed25519_dalek::{Signer, SigningKey};

pub(crate) const ORIGIN: &str = "example.org/log";

/// The entry at a place: some are empty, some long.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    let text = format!("entry {index} ");
    text.repeat((index % 4) as usize).into_bytes()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn vkey(name: &str, kind: KeyKind, key: &SigningKey) -> VerifierKey {
    VerifierKey::new(name, kind, PublicKey(key.verifying_key().to_bytes())).unwrap()
}

pub(crate) fn log_vkey() -> VerifierKey {
    vkey(ORIGIN, KeyKind::Log, &key(1))
}

pub(crate) fn sign(key: &SigningKey) -> impl Fn(&[u8]) -> Signature + use<> {
    let key = key.clone();
    move |bytes| Signature(key.sign(bytes).to_bytes())
}

/// A text under the log's signature.
pub(crate) fn signed(text: String) -> SignedNote {
    let line = log_vkey().line(&text, 0, sign(&key(1)));
    SignedNote {
        text,
        signatures: vec![line],
    }
}

/// Publishes the log up to `size`, its entries from `fork` on being others.
pub(crate) fn publish_fork(dir: &Path, size: u64, fork: u64) -> Result<SignedNote, TileError> {
    let mut publisher = Publisher::open(Directory::new(dir), ORIGIN)?;
    for index in publisher.size()..size {
        let mut entry = entry(index);
        if index >= fork {
            entry.push(b'!');
        }
        publisher.append(&entry)?;
    }
    let note = signed(publisher.checkpoint().to_string());
    publisher.publish(&note)?;
    Ok(note)
}

pub(crate) fn publish(dir: &Path, size: u64) -> SignedNote {
    publish_fork(dir, size, u64::MAX).unwrap()
}
