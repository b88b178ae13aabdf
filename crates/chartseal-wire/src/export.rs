//! What an export carries in a proof file's `extra` line: histories, with what proves them.
//!
//! The file's leaf is a block header: its bytes are in the export, its inclusion under the checkpoint
//! in the file. The header's state root then fixes, through a map proof, a history's frontier; and the
//! frontier fixes the entries.

use alloc::vec::Vec;
use core::ops::Range;

use chartseal_codec::{
    Bytes, Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct, from_bytes, to_bytes,
};
use chartseal_merkle::{Frontier, Hash, MAX_PROOF, MapProof};

use crate::block::{BlockHeader, HEADER_VERSION};
use crate::certificate::Certificate;
use crate::committee::Committee;
use crate::history::{Subject, text_commitment};

/// The version of [`Export`]'s format without a certificate.
pub const EXPORT_VERSION: u64 = 1;
/// The version with one: [`Export::finality`].
pub const CERTIFIED_VERSION: u64 = 2;
/// The most handovers of one export.
pub const MAX_HANDOVERS: usize = 256;
/// The most histories of one export: a patient's id and those that it adopted.
pub const MAX_HISTORIES: usize = 64;
/// The most entries of one history in one export.
pub const MAX_ENTRIES: usize = 1 << 24;

/// The most bytes of a header.
const MAX_HEADER: usize = 1024;

/// Histories at one block. `E` is what holds the bytes of a history's entries: [`Bytes`] of each, or, in an
/// export that is [read in place](Export::read), where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export<E = Vec<Bytes>> {
    /// The header of the block after which the histories are exported.
    pub header: BlockHeader,
    /// The histories, no subject twice; the encoding sorts them by subject.
    pub histories: Vec<HistorySection<E>>,
    /// How the block log grew since an earlier export.
    pub growth: Option<Growth>,
    /// Sealed texts to which entries commit; those that were erased are missing. Their order says
    /// nothing: the encoding sorts them and writes none twice.
    pub texts: Vec<SealedText>,
    /// How the committee certified the header, if that is shown.
    pub finality: Option<Finality>,
}

/// A committee's certificate of a header, and how that committee came into office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The committee from which on handovers are shown: the genesis's, or a later one.
    pub first: Committee,
    /// How each committee gave office to the next, up to the one that certified the header.
    pub handovers: Vec<Handover>,
    /// The certificate of the export's header.
    pub certificate: Certificate,
}

/// The end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The epoch's last header: it names the next committee.
    pub header: BlockHeader,
    /// Its inclusion proof under the file's checkpoint, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// Its certificate, by the committee whose epoch ends.
    pub certificate: Certificate,
    /// The next committee.
    pub next: Committee,
}

/// One history, or its newer part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySection<E = Vec<Bytes>> {
    /// Whose it is.
    pub subject: Subject,
    /// How many entries are left out because the verifier has checked them before.
    pub first: u64,
    /// The value at the history's slot: how many entries there are, and the peaks over them. Empty
    /// if the slot is.
    pub log: Frontier,
    /// The bytes of each entry from `first` on.
    pub entries: E,
    /// Proves that value under the header's state root.
    pub proof: MapProof,
}

/// Shows that the block log under the new checkpoint begins with the one under the old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The size of the log under the old checkpoint.
    pub from: u64,
    /// The consistency proof (RFC 9162).
    pub proof: Vec<Hash>,
}

/// A text that only the patient can open, with the salt of its commitment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedText {
    /// The salt: who has neither it nor the text learns nothing from the commitment.
    pub salt: [u8; 32],
    /// The HPKE ciphertext.
    pub sealed: Bytes,
}
canonical_struct!(SealedText { salt, sealed });

impl SealedText {
    /// What entries and transactions say of it.
    pub fn commitment(&self) -> Hash {
        text_commitment(&self.salt, self.sealed.as_ref())
    }
}

impl Encode for HistorySection {
    fn encode(&self, e: &mut Encoder) {
        e.array(5).item(&self.subject).uint(self.first);
        e.item(&self.log).item(&self.entries).item(&self.proof);
    }
}

/// Where the entries of a section stand in the export that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySpan {
    bytes: Range<usize>,
    len: usize,
}

impl EntrySpan {
    fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let len = d.array(MAX_ENTRIES)?;
        let start = d.position();
        for _ in 0..len {
            d.bytes(usize::MAX)?;
        }
        let bytes = start..d.position();
        Ok(Self { bytes, len })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes they take, with what separates them.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of each. `export` is what the section was read from; of anything else, any part of it.
    pub fn of<'a>(&self, export: &'a [u8]) -> EntrySlices<'a> {
        EntrySlices {
            rest: Decoder::new(export.get(self.bytes.clone()).unwrap_or_default()),
            len: self.len,
        }
    }
}

/// The bytes of entries, one after another, where they stand in an export.
#[derive(Clone, Debug)]
pub struct EntrySlices<'a> {
    rest: Decoder<'a>,
    len: usize,
}

impl<'a> Iterator for EntrySlices<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.len = self.len.checked_sub(1)?;
        self.rest.bytes(usize::MAX).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

/// Reads the entries of a section.
type ReadEntries<E> = fn(&mut Decoder<'_>) -> Result<E, DecodeError>;

fn owned_entries(d: &mut Decoder<'_>) -> Result<Vec<Bytes>, DecodeError> {
    d.list(MAX_ENTRIES)
}

impl<E> HistorySection<E> {
    fn read(d: &mut Decoder<'_>, entries: ReadEntries<E>) -> Result<Self, DecodeError> {
        d.at("history").array_exact(5)?;
        Ok(Self {
            subject: Subject::decode(d.at("history.subject"))?,
            first: d.at("history.first").uint()?,
            log: Frontier::decode(d.at("history.log"))?,
            entries: entries(d.at("history.entries"))?,
            proof: MapProof::decode(d.at("history.proof"))?,
        })
    }
}

impl Decode for HistorySection {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::read(d, owned_entries)
    }
}

impl Encode for Finality {
    fn encode(&self, e: &mut Encoder) {
        e.array(3).item(&self.first).item(&self.handovers);
        e.item(&self.certificate);
    }
}

impl Decode for Finality {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("finality").array_exact(3)?;
        Ok(Self {
            first: Committee::decode(d)?,
            handovers: d.at("finality.handovers").list(MAX_HANDOVERS)?,
            certificate: Certificate::decode(d.at("finality.certificate"))?,
        })
    }
}

impl Encode for Handover {
    fn encode(&self, e: &mut Encoder) {
        e.array(4).bytes(&to_bytes(&self.header)).item(&self.proof);
        e.item(&self.certificate).item(&self.next);
    }
}

impl Decode for Handover {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("handover").array_exact(4)?;
        Ok(Self {
            header: read_header(d.at("handover.header"))?,
            proof: d.at("handover.proof").list(MAX_PROOF)?,
            certificate: Certificate::decode(d.at("handover.certificate"))?,
            next: Committee::decode(d)?,
        })
    }
}

fn read_header(d: &mut Decoder<'_>) -> Result<BlockHeader, DecodeError> {
    let header: BlockHeader = from_bytes(d.bytes(MAX_HEADER)?)?;
    if header.version != HEADER_VERSION {
        return Err(d.invalid("the version of a block header is 1"));
    }
    Ok(header)
}

impl Encode for Growth {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.from).item(&self.proof);
    }
}

impl Decode for Growth {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("growth").array_exact(2)?;
        Ok(Self {
            from: d.at("growth.from").uint()?,
            proof: d.at("growth.proof").list(MAX_PROOF)?,
        })
    }
}

impl Encode for Export {
    fn encode(&self, e: &mut Encoder) {
        match self.finality {
            None => e.array(5).uint(EXPORT_VERSION),
            Some(_) => e.array(6).uint(CERTIFIED_VERSION),
        };
        e.bytes(&to_bytes(&self.header));
        let mut histories: Vec<&HistorySection> = self.histories.iter().collect();
        histories.sort_by_key(|history| history.subject);
        let mut texts: Vec<&SealedText> = self.texts.iter().collect();
        texts.sort();
        texts.dedup();
        e.item(&histories).item(&self.growth).item(&texts);
        self.finality.iter().for_each(|finality| finality.encode(e));
    }
}

impl Export<EntrySpan> {
    /// Reads an export's canonical bytes without copying its entries.
    ///
    /// # Errors
    /// As [`from_bytes`].
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        let export = Self::item(&mut d, EntrySpan::read)?;
        d.finish()?;
        Ok(export)
    }
}

impl<E> Export<E> {
    fn item(d: &mut Decoder<'_>, entries: ReadEntries<E>) -> Result<Self, DecodeError> {
        let fields = d.at("export").array(6)?;
        let version = d.at("export.version").uint()?;
        let is_certified = version == CERTIFIED_VERSION;
        if (fields, version) != (5, EXPORT_VERSION) && (fields, is_certified) != (6, true) {
            return Err(d.invalid("version 1 of five fields, or version 2 of six"));
        }
        let header = read_header(d.at("export.header"))?;
        let histories = d
            .at("export.histories")
            .list_of(MAX_HISTORIES, |d| HistorySection::read(d, entries))?;
        if !histories.is_sorted_by(|a, b| a.subject < b.subject) {
            return Err(d.invalid("histories are sorted by subject, none twice"));
        }
        let growth = Option::decode(d.at("export.growth"))?;
        let texts: Vec<SealedText> = d.at("export.texts").list(MAX_ENTRIES)?;
        if !texts.is_sorted_by(|a, b| a < b) {
            return Err(d.invalid("texts are sorted by salt, none twice"));
        }
        let finality = is_certified.then(|| Finality::decode(d)).transpose()?;
        Ok(Self {
            header,
            histories,
            growth,
            texts,
            finality,
        })
    }
}

impl Decode for Export {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::item(d, owned_entries)
    }
}
