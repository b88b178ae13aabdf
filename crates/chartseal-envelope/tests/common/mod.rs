//! One sealed and dealt record, the same in every run.
#![allow(dead_code, reason = "each test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

use chacha20::ChaCha20Rng;
use chartseal_envelope::rand_core::SeedableRng;
use chartseal_envelope::*;

pub(crate) const REQUEST: RequestId = RequestId([0x77; 32]);

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(crate) struct World {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) suite: Suite,
    pub(crate) author: SigningKeyPair,
    pub(crate) custodians: Vec<KemKeyPair>,
    pub(crate) keys: Vec<KemPublicKey>,
    pub(crate) reader: KemKeyPair,
    pub(crate) set: CustodianSet,
}

impl World {
    pub(crate) fn new(seed: u8, needed: u8, total: u8) -> Self {
        Self::of_suite(Suite::default(), seed, needed, total)
    }

    pub(crate) fn of_suite(suite: Suite, seed: u8, needed: u8, total: u8) -> Self {
        let mut rng = rng(seed);
        let author = KeySeed::generate_with_rng(&mut rng).signing_key();
        let custodians: Vec<_> = (0..total)
            .map(|_| KemKeyPair::generate_with_rng(suite, &mut rng))
            .collect();
        let keys = custodians
            .iter()
            .map(|pair| pair.public_key().clone())
            .collect();
        let reader = KemKeyPair::generate_with_rng(suite, &mut rng);
        let threshold = Threshold::new(needed, total).unwrap();
        let set = CustodianSet {
            id: SetId([0x5e; 32]),
            epoch: 3,
            threshold,
        };
        Self {
            rng,
            suite,
            author,
            custodians,
            keys,
            reader,
            set,
        }
    }

    pub(crate) fn info(&self) -> RecordInfo {
        RecordInfo {
            suite: self.suite,
            record_id: RecordId([0x1d; 16]),
            subject: SubjectId([0x50; 16]),
            version: RecordVersion::FIRST,
            custodians: self.set,
        }
    }

    pub(crate) fn seal(&mut self, text: &[u8]) -> SealedRecord {
        let info = self.info();
        self.seal_as(&info, text)
    }

    pub(crate) fn seal_as(&mut self, info: &RecordInfo, text: &[u8]) -> SealedRecord {
        let content = Content {
            media_type: "text/plain",
            attributes: b"notes",
            bytes: text,
        };
        seal_with_rng(info, &content, &self.author, &mut self.rng).unwrap()
    }

    pub(crate) fn deal(&mut self, dealers: &[&Dealer]) -> Vec<Deal> {
        deal_with_rng(dealers, &self.keys, &mut self.rng).unwrap()
    }

    /// Every custodian's share of one deal.
    pub(crate) fn hold(&mut self, dealer: &Dealer) -> Vec<HeldShare> {
        let deals = self.deal(&[dealer]);
        let accepted = self.custodians.iter().zip(&deals);
        accepted
            .map(|(keys, d)| accept(keys, d.index(), dealer.dealing(), d).unwrap())
            .collect()
    }

    pub(crate) fn release(&mut self, held: &[&HeldShare]) -> Release {
        release_with_rng(held, REQUEST, self.reader.public_key(), &mut self.rng).unwrap()
    }

    pub(crate) fn release_each(&mut self, held: &[HeldShare]) -> Vec<Release> {
        held.iter().map(|share| self.release(&[share])).collect()
    }

    pub(crate) fn open(
        &self,
        record: &SealedRecord,
        key: &ContentKey,
    ) -> Result<Opened, OpenError> {
        let author = self.author.verifying_key();
        open(&record.header, &record.body, &record.seal, &author, key)
    }
}

/// The id of the rule that an error names.
pub(crate) fn rule(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let start = text
        .find("CS-ENV-")
        .unwrap_or_else(|| panic!("names no rule: {text}"));
    text[start..start + 9].to_owned()
}

/// What the bytes decode to, or the rule that refuses them.
pub(crate) fn refusal<T: chartseal_codec::Decode>(bytes: &[u8]) -> String {
    rule(
        chartseal_codec::from_bytes::<T>(bytes)
            .err()
            .expect("should be refused"),
    )
}

/// `bytes` with the one place where `old` stands replaced.
pub(crate) fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<_> = bytes
        .windows(old.len())
        .enumerate()
        .filter(|(_, w)| *w == old)
        .map(|(i, _)| i)
        .collect();
    let [place] = places[..] else {
        panic!("{} places", places.len())
    };
    [&bytes[..place], new, &bytes[place + old.len()..]].concat()
}
