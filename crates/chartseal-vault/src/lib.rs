//! Where ciphertext, shares and sealed texts rest.
//!
//! Three stores, each a trait with a durable and an in-memory implementation:
//!
//! | store | holds | by | promise |
//! |---|---|---|---|
//! | [`BlobStore`] | ciphertext | [`BlobId`], the BLAKE3 of the bytes | a damaged blob is named, never returned |
//! | [`ShareStore`] | a custodian's shares | [`ShareKey`], a header's digest | after `destroy` the bytes are gone from the file |
//! | [`SideStore`] | sealed texts and their salts | [`SideKey`], of the transaction and the commitment on the chain | the same |
//!
//! Whatever a put reported as stored survives a crash; what a crash interrupted is not half there.
//!
//! ```
//! use chartseal_vault::{BlobStore, DirBlobStore, FileSecretStore, SecretStore, ShareKey, StoreKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let dir = scratch.path();
//! let blobs = DirBlobStore::open(dir.join("blobs"))?;
//! let id = blobs.put(b"ciphertext")?;
//! assert_eq!(blobs.get(&id)?.as_deref(), Some(&b"ciphertext"[..]));
//!
//! let key = StoreKey::from_secret_bytes(&[1; 32]);
//! let shares: FileSecretStore<ShareKey> = FileSecretStore::open(dir.join("shares"), &key)?;
//! let header = ShareKey([7; 32]);
//! shares.put_batch(&[(header, b"one share")])?;
//! assert_eq!(shares.get(&header)?.unwrap().expose(), b"one share");
//! shares.destroy(&[header])?;
//! assert!(shares.get(&header)?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | `blob` | [`BlobStore`], [`BlobId`], [`MemoryBlobStore`] |
//! | `outboard` | [`Outboard`]: what verifies a part of a blob |
//! | `dir_blob` | [`DirBlobStore`]: one file a blob |
//! | `object_blob` | `ObjectBlobStore`, `S3`: ciphertext in an S3-compatible store (feature `s3`) |
//! | `secret` | [`SecretStore`] and its two faces, [`Secret`], [`MemorySecretStore`] |
//! | `file_secret` | [`FileSecretStore`]: one encrypted file that destruction rewrites |
//! | `store_key` | [`StoreKey`]: what it is encrypted under |
//! | [`conformance`] | what every implementation of the traits has to hold, to run in your tests |
//! | [`domain`] | domain-separation strings |
//!
//! # Limits
//! - A durable store belongs to one process at a time; a second one is refused.
//! - [`SecretStore::destroy`] cannot reach what a medium keeps on its own: snapshots, backups, blocks
//!   that a copy-on-write file system or a flash disk has not yet reused. Nor does it clear pages
//!   that redb holds in this process's memory.
//! - Values of a [`SecretStore`] are small (a share, a text): `destroy` reads and writes all that
//!   remain.

pub mod conformance;
pub mod domain;

mod blob;
mod dir_blob;
mod error;
mod file_secret;
mod folder;
#[cfg(feature = "s3")]
mod object_blob;
mod outboard;
mod secret;
mod store_key;

pub use blob::{BlobId, BlobStore, MemoryBlobStore};
pub use dir_blob::DirBlobStore;
pub use error::VaultError;
pub use file_secret::FileSecretStore;
#[cfg(feature = "s3")]
pub use object_blob::{ObjectBlobStore, S3};
pub use outboard::{GROUP, Outboard};
pub use secret::{
    MemorySecretStore, Secret, SecretId, SecretStore, ShareKey, ShareStore, SideKey, SideStore,
};
pub use store_key::StoreKey;
