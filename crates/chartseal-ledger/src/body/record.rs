use alloc::vec::Vec;

use chartseal_codec::canonical_struct;
use chartseal_policy::{Confidentiality, Set, Symbol, Terms};
use chartseal_wire::{DirectiveId, HeaderDigest, PatientId, RecordId, Time};

use crate::label::Labels;

/// A record's first or next version is anchored: what its envelope is, and how it is filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAdded {
    /// The record, through all its versions.
    pub record: RecordId,
    /// Whose it is.
    pub patient: PatientId,
    /// From 1, without gaps.
    pub version: u64,
    /// The digest of this version's envelope header.
    pub header: HeaderDigest,
    /// The header of the version before; `None` for the first.
    pub supersedes: Option<HeaderDigest>,
    /// The BLAKE3 digest of the sealed body.
    pub body: [u8; 32],
    /// The sealed body's length in bytes.
    pub length: u64,
    /// How confidential it is.
    pub confidentiality: Confidentiality,
    /// Its class, tags and padding, blinded.
    pub labels: Labels,
    /// The encounter that it is from, blinded.
    pub encounter: Option<[u8; 16]>,
    /// When it was written, not after the block's time.
    pub authored: Time,
    /// Not shown to the patient before.
    pub release_at: Option<Time>,
    /// To whom its key's shares are dealt: this epoch's committee.
    pub custodians: CustodianSet,
    /// A keyed fingerprint of the content, by which its author finds repetitions.
    pub fingerprint: [u8; 32],
}

canonical_struct!(RecordAdded {
    record,
    patient,
    version,
    header,
    supersedes,
    body,
    length,
    confidentiality,
    labels,
    encounter,
    authored,
    release_at,
    custodians,
    fingerprint,
});

/// The custodians of a record's key shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustodianSet {
    /// The committee's epoch.
    pub epoch: u64,
    /// How many shares open the record.
    pub t: u64,
    /// How many shares there are.
    pub n: u64,
}

canonical_struct!(CustodianSet { epoch, t, n });

/// A custodian has checked its share of a record's version and keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositAcknowledged {
    /// The record.
    pub record: RecordId,
    /// The version's envelope header.
    pub header: HeaderDigest,
    /// The custodian's index, from 1.
    pub index: u64,
}

canonical_struct!(DepositAcknowledged {
    record,
    header,
    index
});

/// The patient files records, and what directives say of them, under other labels: all at once, so
/// that no restriction fails to touch what it touched before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relabelled {
    /// At most 512 distinct records with their new labels.
    pub records: Vec<Relabelling>,
    /// At most 512 distinct directives about the patient's records.
    pub directives: Vec<DirectiveRelabelling>,
    /// The labels of a minor's own matter, at most 64; `None`: they stay.
    pub private: Option<Set<Symbol>>,
}

canonical_struct!(Relabelled {
    records,
    directives,
    private
});

impl Relabelled {
    /// Other labels for records alone.
    pub fn of(records: Vec<Relabelling>) -> Self {
        Self {
            records,
            directives: Vec::new(),
            private: None,
        }
    }
}

/// The new labels of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveRelabelling {
    /// The directive.
    pub directive: DirectiveId,
    /// Its terms, which differ from the old ones in labels alone.
    pub terms: Terms,
}

canonical_struct!(DirectiveRelabelling { directive, terms });

/// The new labels of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relabelling {
    /// The record.
    pub record: RecordId,
    /// All of its labels from now on.
    pub labels: Labels,
}

canonical_struct!(Relabelling { record, labels });
