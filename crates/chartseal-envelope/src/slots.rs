//! Slots: the content key sealed straight to a recipient, beside the record.

use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::deal::Dealer;
use crate::header::{Header, read_format};
use crate::hpke::TAG_LEN;
use crate::id::HeaderDigest;
use crate::kem::{KemKeyPair, KemPublicKey};
use crate::keys::KeyId;
use crate::opened::{Opened, OpenedInfo};
use crate::{ContentKey, Suite, domain};

/// The most recipients of one record version.
pub const MAX_SLOTS: usize = 64;

/// One record version's content key, sealed to each of up to [`MAX_SLOTS`] recipients.
///
/// Whoever a slot is for opens the record **without any custodian**, as often as they like and without a
/// trace; a slot that was copied can't be taken back. Who keeps the slots decides who may add one.
///
/// Slots lie beside the record: adding, removing or exchanging one touches no body, header or seal.
/// Nobody signs them. A slot that somebody forged gives a key that the body refuses
/// ([`CobblestoneError::Commitment`](crate::CobblestoneError::Commitment)), so it only costs its
/// recipient the slot.
///
/// ```
/// # use chartseal_envelope::*;
/// # let author = SigningKeyPair::generate()?;
/// # let custodians = CustodianSet { id: SetId([1; 32]), epoch: 1, threshold: Threshold::new(2, 3)? };
/// # let info = RecordInfo { suite: Suite::default(), record_id: RecordId::random()?,
/// #     subject: SubjectId([2; 16]), version: RecordVersion::FIRST, custodians };
/// # let content = Content { media_type: "text/plain", attributes: b"", bytes: b"HbA1c 5.4 %" };
/// # let SealedRecord { header, body, seal, dealer } = seal(&info, &content, &author)?;
/// let patient = KemKeyPair::generate()?;
/// let mut slots = Slots::new(&header);
/// slots.add(&dealer, patient.public_key())?;
///
/// let key = slots.open(&patient, &header)?;
/// let opened = open(&header, &body, &seal, &author.verifying_key(), &key)?;
/// assert_eq!(opened.content(), b"HbA1c 5.4 %");
///
/// // The patient has a new phone, and a new key on it.
/// let phone = KemKeyPair::generate()?;
/// slots.rotate(&patient, phone.public_key(), &header)?;
/// assert_eq!(slots.recipients().collect::<Vec<_>>(), [phone.key_id()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    suite: Suite,
    header: HeaderDigest,
    /// Sorted by recipient, each once.
    list: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    recipient: KeyId,
    enc: Vec<u8>,
    ciphertext: [u8; CIPHERTEXT_LEN],
}

impl Slots {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// None yet.
    pub fn new(header: &Header) -> Self {
        Self {
            suite: header.suite(),
            header: header.digest(),
            list: Vec::new(),
        }
    }

    /// The record version whose key they hold.
    pub fn header(&self) -> HeaderDigest {
        self.header
    }

    /// The suite of the record.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The KEM keys that it is sealed to, in ascending order.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = KeyId> {
        self.list.iter().map(|slot| slot.recipient)
    }

    /// Seals the key to `recipient`, who must not have a slot yet.
    ///
    /// A bare [`ContentKey`] doesn't say which record it is of: that it is this one's is the caller's care.
    ///
    /// # Errors
    /// [`SlotError::Suite`], [`SlotError::Header`] for the key of another record,
    /// [`SlotError::Taken`], [`SlotError::Full`].
    pub fn add_with_rng(
        &mut self,
        key: &impl KeyHolder,
        recipient: &KemPublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SlotError> {
        if key.header().is_some_and(|header| header != self.header) {
            return Err(SlotError::Header);
        }
        let Err(place) = self.find(recipient.key_id()) else {
            return Err(SlotError::Taken);
        };
        if self.list.len() >= MAX_SLOTS {
            return Err(SlotError::Full);
        }
        let slot = self.seal(key.key(), recipient, rng)?;
        self.list.insert(place, slot);
        Ok(())
    }

    /// As [`add_with_rng`](Self::add_with_rng), with the operating system's randomness.
    ///
    /// # Errors
    /// As there, and [`SlotError::Randomness`].
    #[cfg(feature = "getrandom")]
    pub fn add(&mut self, key: &impl KeyHolder, recipient: &KemPublicKey) -> Result<(), SlotError> {
        self.add_with_rng(key, recipient, &mut crate::SystemRng::new()?)
    }

    /// Drops the slot of `recipient`. Whether there was one.
    ///
    /// Whoever copied it keeps it: the record is out of their reach only if their key is destroyed.
    pub fn remove(&mut self, recipient: KeyId) -> bool {
        self.find(recipient)
            .map(|place| self.list.remove(place))
            .is_ok()
    }

    /// The key that is sealed to `keys`.
    ///
    /// That it is the record's key is known when the body opens.
    ///
    /// # Errors
    /// [`SlotError::Header`] if these are the slots of another header, [`SlotError::Recipient`],
    /// [`SlotError::Suite`], and [`SlotError::Refused`] if anything about the slot is not as it was sealed.
    pub fn open(&self, keys: &KemKeyPair, header: &Header) -> Result<ContentKey, SlotError> {
        if self.header != header.digest() {
            return Err(SlotError::Header);
        }
        if self.suite != header.suite() || self.suite.kem() != keys.kem() {
            return Err(SlotError::Suite);
        }
        let place = self.find(keys.key_id()).ok();
        let slot = place.and_then(|place| self.list.get(place));
        let slot = slot.ok_or(SlotError::Recipient)?;
        let mut receiver = keys
            .receiver(domain::SLOT, &[], &slot.enc)
            .map_err(|_| SlotError::Refused)?;
        let key = receiver
            .open(&slot.ciphertext, &self.aad(slot.recipient))
            .map_err(|_| SlotError::Refused)?;
        ContentKey::copy_of(&key).ok_or(SlotError::Refused)
    }

    /// Exchanges the slot of `old` for one of `new`: a recipient's new key. A slot that `new` already had is
    /// sealed anew.
    ///
    /// # Errors
    /// As [`open`](Self::open) for `old`, and [`SlotError::Suite`] for `new`; nothing is changed then.
    pub fn rotate_with_rng(
        &mut self,
        old: &KemKeyPair,
        new: &KemPublicKey,
        header: &Header,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SlotError> {
        let key = self.open(old, header)?;
        let slot = self.seal(&key, new, rng)?;
        self.remove(old.key_id());
        self.remove(new.key_id());
        let place = self.list.partition_point(|s| s.recipient < slot.recipient);
        self.list.insert(place, slot);
        Ok(())
    }

    /// As [`rotate_with_rng`](Self::rotate_with_rng), with the operating system's randomness.
    ///
    /// # Errors
    /// As there, and [`SlotError::Randomness`].
    #[cfg(feature = "getrandom")]
    pub fn rotate(
        &mut self,
        old: &KemKeyPair,
        new: &KemPublicKey,
        header: &Header,
    ) -> Result<(), SlotError> {
        self.rotate_with_rng(old, new, header, &mut crate::SystemRng::new()?)
    }

    fn seal(
        &self,
        key: &ContentKey,
        to: &KemPublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Slot, SlotError> {
        if to.kem() != self.suite.kem() {
            return Err(SlotError::Suite);
        }
        let recipient = to.key_id();
        let sealed = to.sender(domain::SLOT, &[], rng);
        let (enc, mut sender) = sealed.map_err(|_| SlotError::Hpke)?;
        let ciphertext = sender
            .seal(key.expose_bytes(), &self.aad(recipient))
            .map_err(|_| SlotError::Hpke)?;
        let ciphertext = ciphertext.try_into().map_err(|_| SlotError::Hpke)?;
        Ok(Slot {
            recipient,
            enc,
            ciphertext,
        })
    }

    fn aad(&self, recipient: KeyId) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(3)
            .item(&self.suite)
            .item(&self.header)
            .item(&recipient);
        e.finish()
    }

    /// Where the recipient's slot is, or would be.
    fn find(&self, recipient: KeyId) -> Result<usize, usize> {
        self.list
            .binary_search_by_key(&recipient, |slot| slot.recipient)
    }
}

/// Who has a record's key: its [`Dealer`], whoever [`Opened`] it, or the [`ContentKey`] by itself.
pub trait KeyHolder: sealed::KeyHolder {}

impl KeyHolder for ContentKey {}
impl KeyHolder for Dealer {}
impl KeyHolder for Opened {}
impl KeyHolder for OpenedInfo {}

mod sealed {
    use super::{ContentKey, Dealer, HeaderDigest, Opened, OpenedInfo};

    pub trait KeyHolder {
        fn key(&self) -> &ContentKey;
        /// The record version that the key is of, if that is known.
        fn header(&self) -> Option<HeaderDigest>;
    }

    impl KeyHolder for ContentKey {
        fn key(&self) -> &ContentKey {
            self
        }
        fn header(&self) -> Option<HeaderDigest> {
            None
        }
    }

    impl KeyHolder for Dealer {
        fn key(&self) -> &ContentKey {
            &self.key
        }
        fn header(&self) -> Option<HeaderDigest> {
            Some(self.dealing.header())
        }
    }

    impl KeyHolder for Opened {
        fn key(&self) -> &ContentKey {
            OpenedInfo::key(self)
        }
        fn header(&self) -> Option<HeaderDigest> {
            Some(OpenedInfo::header(self).digest())
        }
    }

    impl KeyHolder for OpenedInfo {
        fn key(&self) -> &ContentKey {
            OpenedInfo::key(self)
        }
        fn header(&self) -> Option<HeaderDigest> {
            Some(OpenedInfo::header(self).digest())
        }
    }
}

/// A sealed key: 32 bytes and a tag.
const CIPHERTEXT_LEN: usize = 32 + TAG_LEN;

impl Encode for Slots {
    fn encode(&self, e: &mut Encoder) {
        e.array(4)
            .uint(Self::FORMAT)
            .item(&self.suite)
            .item(&self.header)
            .item(&self.list);
    }
}

impl Decode for Slots {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Slots").array_exact(4)?;
        read_format(d, Self::FORMAT)?;
        let suite = Suite::decode(d)?;
        let header = HeaderDigest::decode(d.at("header"))?;
        let list: Vec<Slot> = d.at("slots").list(MAX_SLOTS)?;
        if list
            .iter()
            .any(|slot| slot.enc.len() != suite.encapsulated_len())
        {
            return Err(d.invalid("encapsulated key is not of the suite's length (CS-ENV-07)"));
        }
        if !list.is_sorted_by(|a, b| a.recipient < b.recipient) {
            return Err(d.invalid("slots are not in ascending order of recipient (CS-ENV-74)"));
        }
        Ok(Self {
            suite,
            header,
            list,
        })
    }
}

impl Encode for Slot {
    fn encode(&self, e: &mut Encoder) {
        e.array(3)
            .item(&self.recipient)
            .bytes(&self.enc)
            .bytes(&self.ciphertext);
    }
}

impl Decode for Slot {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("slot").array_exact(3)?;
        let recipient = KeyId::decode(d.at("recipient"))?;
        let enc = d.at("enc").bytes(Suite::XWing.encapsulated_len())?.to_vec();
        let ciphertext = d.at("ciphertext").bytes_exact()?;
        Ok(Self {
            recipient,
            enc,
            ciphertext,
        })
    }
}

/// Why a slot was not made or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SlotError {
    /// Slots, header or key are of different suites.
    #[error("slots, header and key are of different suites (CS-ENV-06)")]
    Suite,
    /// The slots are another header's.
    #[error("slots are of another record or version (CS-ENV-75)")]
    Header,
    /// No slot is for this key.
    #[error("no slot is for this key (CS-ENV-76)")]
    Recipient,
    /// The slot was altered, or made for another header or recipient.
    #[error("slot is not what was sealed for this record and key (CS-ENV-77)")]
    Refused,
    /// The recipient has a slot already.
    #[error("recipient has a slot already (CS-ENV-78)")]
    Taken,
    /// There are as many slots as there may be.
    #[error("record has 64 slots already, which is the most (CS-ENV-79)")]
    Full,
    /// HPKE refused to seal.
    #[error("HPKE refused to seal")]
    Hpke,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}
