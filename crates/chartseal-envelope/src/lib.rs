//! Post-quantum sealed records whose keys are released by a threshold of custodians.
//!
//! An author seals a record once. Its key is split among custodians, who each reseal their share to
//! a reader's one-time key when they find that the reader may read. Any *t* shares give the key.
//!
//! # What it protects against
//! - **Whoever stores a body**, now or with a quantum computer later: it is ciphertext under a key
//!   that only HPKE with X-Wing (ML-KEM-768 and X25519) ever carries.
//! - **Fewer than *t* custodians together**: their shares say nothing about the key.
//! - **Anyone who alters, cuts, reorders or moves** a header, body, seal, deal or release: each is
//!   bound to the header's digest. A share is of no use under another header, so a ciphertext can't
//!   be registered again under somebody else's policy.
//! - **A custodian or a dealer who lies**: shares are checked against salted hashes in the header,
//!   liars are named, and whoever opened a record can deal again and audit the dealer.
//! - **Two keys for one body**: the body commits to its key.
//!
//! # What it does not
//! - A plaintext that was copied can't be recalled; the author and past readers know the key.
//! - *t* custodians who collude read silently. So does whoever breaks *t* of them.
//! - Erasure is attested, never proved: see [`ErasureChecklist`].
//! - A [`Deal`] is not signed, nor is a [`Release`] unless its custodian [signs](Release::sign) it: its
//!   transport says who sent it, and a [`Fault`] names whom it *said* it was from.
//! - In suite 1 authorship is Ed25519, which a quantum computer forges; secrecy does not rest on it. Suite 2
//!   (feature `pq-sign`) asks for an ML-DSA-65 signature too.
//! - X-Wing and HPKE with it are drafts, and the `hpke` crate is not audited. Neither is this one.
//!
//! # A record, from author to reader
//! ```
//! use chartseal_envelope::*;
//!
//! // Four custodians, of which any three are enough, each with its key of this epoch.
//! let custodians = [(); 4].map(|()| KemKeyPair::generate().unwrap());
//! let keys = custodians.each_ref().map(|keys| keys.public_key().clone());
//! let set = CustodianSet { id: SetId([1; 32]), epoch: 7, threshold: Threshold::new(3, 4)? };
//!
//! // The author seals a record and deals its shares.
//! let author = KeySeed::generate()?.signing_key();
//! let info = RecordInfo {
//!     suite: Suite::default(),
//!     record_id: RecordId::random()?,
//!     subject: SubjectId([2; 16]),
//!     version: RecordVersion::FIRST,
//!     custodians: set,
//! };
//! let text = Content { media_type: "text/plain", attributes: b"", bytes: b"HbA1c 5.4 %" };
//! let SealedRecord { header, body, seal, dealer } = seal(&info, &text, &author)?;
//! let deals = deal(&[&dealer], &keys)?;
//!
//! // Each custodian checks its share, and keeps it.
//! let dealing = Dealing::initial(&header);
//! let held: Vec<HeldShare> = custodians
//!     .iter()
//!     .zip(&deals)
//!     .map(|(keys, deal)| accept(keys, deal.index(), &dealing, deal))
//!     .collect::<Result<_, _>>()?;
//!
//! // A reader asks with a key for this request only. Three custodians find the request permitted.
//! let reader = KemKeyPair::generate()?;
//! let request = RequestId([3; 32]);
//! let releases: Vec<Release> = held
//!     .iter()
//!     .take(3)
//!     .map(|share| release(&[share], request, reader.public_key()))
//!     .collect::<Result<_, _>>()?;
//!
//! let combined = combine(&reader, request, &dealing, &releases)?;
//! let opened = open(&header, &body, &seal, &author.verifying_key(), &combined.key)?;
//! assert_eq!(opened.content(), b"HbA1c 5.4 %");
//! assert_eq!(audit_deal(&opened, &dealing), DealVerdict::Honest);
//!
//! // Two are not enough, and the error says so.
//! let error = combine(&reader, request, &dealing, &releases[..2]).unwrap_err();
//! assert_eq!(error.to_string(), "2 of 3 needed shares; none from custodian 3, 4 (CS-ENV-60)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The verbs
//! | who | verbs |
//! |---|---|
//! | author | [`seal`], [`deal`], [`OpenedInfo::redeal`], [`Deposit`] |
//! | custodian | [`accept`], [`accept_all`], [`release`], [`Release::sign`], [`HeldShare::to_storage_bytes`] |
//! | reader | [`combine`], [`combine_all`], [`open`], [`audit_deal`] |
//! | who was lied to | [`ReleaseEvidence`], [`DealerEvidence`] |
//! | a recipient of a slot | [`Slots::add`], [`Slots::open`], [`Slots::rotate`] |
//! | store | [`Seal::verify`], [`ErasureChecklist`] |
//! | anyone with keys | [`KeySeed::identity`], [`PublicIdentity::fingerprint`], `keystore` |
//! | anyone with a key | [`seal_text`], [`open_text`], [`SigningKeyPair::sign`], [`VerifyingKey::verify_strict`] |
//!
//! Each verb that draws randomness has a `*_with_rng` form; the other needs feature `getrandom`.
//!
//! # Limits
//! Records of up to 4 PiB: [`RecordSealer`] and [`RecordOpener`] take half a MiB for any of them, while
//! [`seal`] and [`open`] hold all of it. [`BodyReader`] reads ranges, and proves less of them. At most 64
//! custodians, 65,536 records in a deal or release, 8 KiB of attributes, 64 KiB in a sealed text.
//! Decoders accept canonical CBOR only, and allocate no more than the input's length justifies. The
//! one panic is an allocation that fails. Errors name a rule (`CS-ENV-58`); `docs/envelope.md` has
//! the rules and the formats to the byte.
//!
//! # Beside others
//! | | this crate | [age] | [Tink] | [JWE] | [COSE-HPKE] | [CALYPSO] |
//! |---|---|---|---|---|---|---|
//! | a format for | a record, its deals and releases | a file | messages and streams | a message | a message | a ledger's secrets |
//! | who can open | any *t* of *n* custodians together; recipients of slots | any recipient | the key's holder | any recipient | any recipient | a reader, once a threshold of trustees re-encrypts |
//! | taking access back | custodians stop releasing; nothing is encrypted anew | new file | new keyset | new message | new message | trustees stop, by a policy on the chain |
//! | post-quantum secrecy | X-Wing, nothing else accepted | a recipient type among others | a key type among others | in drafts | in drafts | no: `ElGamal` on a curve |
//! | signed by its author | always | no | a separate primitive | JWS around it | `COSE_Sign` around it | the write transaction |
//! | bound to its context | record, subject, version, custodians | no | what the caller passes | its own header | its own header, what the caller passes | the policy of the secret |
//! | commits to its key | yes | through the header's MAC | no | no | no | no |
//! | range of a large content | each 16 KiB chunk | each 64 KiB chunk | streaming AEAD | no | no | symmetric part is the caller's |
//! | shares that lie | named, with evidence | | | | | proofs of knowledge, at each step |
//! | algorithms | one number, no negotiation | per recipient | per key | per message | per message | fixed |
//! | standing | draft inside (X-Wing), unaudited | specified, many implementations | maintained by Google, audited | RFC 7516 | draft-ietf-cose-hpke | paper and prototype |
//!
//! CALYPSO's proofs let anyone check a trustee's answer, but rest on discrete logarithms, which a quantum
//! computer finds: ciphertexts that are public for ever should not. Hence salted hashes here, at the price
//! that only whoever has a share can check it.
//!
//! [age]: https://c2sp.org/age
//! [Tink]: https://developers.google.com/tink
//! [JWE]: https://www.rfc-editor.org/rfc/rfc7516
//! [COSE-HPKE]: https://datatracker.ietf.org/doc/draft-ietf-cose-hpke/
//! [CALYPSO]: https://eprint.iacr.org/2018/209
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod author;
pub mod backend;
mod batch;
mod body;
#[cfg(feature = "std")]
mod body_reader;
pub mod cobblestone;
mod content_key;
mod custodian;
mod deal;
mod dealing;
mod deposit;
pub mod domain;
mod erasure;
mod evidence;
pub mod file;
mod hash;
mod header;
mod hpke;
#[cfg(feature = "pq-sign")]
mod hybrid;
mod id;
mod identity;
mod kem;
mod keys;
#[cfg(feature = "keystore")]
pub mod keystore;
#[cfg(test)]
mod liars;
mod opened;
mod package;
mod padding;
mod reader;
mod record;
#[cfg(feature = "getrandom")]
mod rng;
mod secret;
mod sharing;
mod signing;
mod slots;
mod stream;
#[cfg(feature = "std")]
mod stream_io;
#[cfg(feature = "parallel")]
mod stream_parallel;
mod suite;
mod text;

pub use author::{Author, AuthorKey};
pub use body::{BodyError, Content, ContentError, MAX_ATTRIBUTES, MAX_MEDIA_TYPE};
#[cfg(feature = "std")]
pub use body_reader::BodyReader;
pub use cobblestone::CobblestoneError;
pub use content_key::ContentKey;
#[cfg(feature = "getrandom")]
pub use custodian::release;
pub use custodian::{
    Acceptance, Acknowledgement, HeldShare, Release, ReleaseError, accept, accept_all,
    release_with_rng,
};
#[cfg(feature = "getrandom")]
pub use deal::deal;
pub use deal::{Deal, DealError, Dealer, ItemId, MAX_RECORDS, deal_with_rng};
pub use dealing::Dealing;
pub use deposit::{Deposit, ForeignAcknowledgement};
pub use erasure::{ErasureChecklist, ErasureItem};
pub use evidence::{DealerEvidence, NoProof, ReleaseEvidence, SignedRelease};
pub use header::{Header, RecordInfo, RecordVersion, VersionError};
#[cfg(feature = "pq-sign")]
pub use hybrid::{HybridSignature, HybridSigningKeyPair, HybridVerifyingKey};
pub use id::{
    BodyDigest, CommitmentRoot, CustodianSet, HeaderDigest, MAX_CUSTODIANS, RecordId, RequestId,
    SetId, ShareIndex, SubjectId, Threshold, ThresholdError,
};
pub use identity::{MixedIdentity, PublicIdentity};
pub use kem::{KemKeyPair, KemPublicKey};
pub use keys::{BadFingerprint, Fingerprint, InvalidKey, KeyId, KeySeed};
pub use opened::{Opened, OpenedInfo};
pub use package::ShareFault;
pub use reader::{
    CombineError, Combined, DealVerdict, Fault, Shortage, audit_deal, combine, combine_all,
};
#[cfg(feature = "getrandom")]
pub use record::seal;
pub use record::{BadSeal, OpenError, Seal, SealError, SealedRecord, open, seal_with_rng};
#[cfg(feature = "getrandom")]
pub use rng::{RandomnessError, SystemRng};
pub use signing::{BadSignature, Signature, SigningKeyPair, VerifyingKey};
pub use slots::{KeyHolder, MAX_SLOTS, SlotError, Slots};
pub use stream::{ContentInfo, RecordOpener, RecordSealer, SealedStream};
#[cfg(feature = "std")]
pub use stream_io::{OpenStreamError, SealStreamError, StreamFault};
pub use suite::{Kem, Suite};
#[cfg(feature = "getrandom")]
pub use text::seal_text;
pub use text::{MAX_PURPOSE, MAX_TEXT, SealedText, TextError, open_text, seal_text_with_rng};

/// The random number generators that the `*_with_rng` functions take.
pub use rand_core;
