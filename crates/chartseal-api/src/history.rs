use chartseal_codec::{Bytes, canonical_struct};
use chartseal_wire::Subject;

/// Asks for a history's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryAsk {
    /// Whose.
    pub subject: Subject,
    /// From which entry on.
    pub from: u64,
}

canonical_struct!(HistoryAsk { subject, from });

/// A history's entries, for an app's screen: an export has what proves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Their canonical bytes.
    pub entries: Vec<Bytes>,
}

canonical_struct!(History { entries });

/// Asks for an export of histories with their proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportAsk {
    /// The histories.
    pub sections: Vec<Section>,
    /// The size of the block log that the verifier has checked before, if any.
    pub log_size: Option<u64>,
    /// The newest block's checkpoint with its signatures: a signed note.
    pub note: String,
}

canonical_struct!(ExportAsk {
    sections,
    log_size,
    note
});

/// A history of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Whose.
    pub subject: Subject,
    /// How many of its entries the verifier has checked before.
    pub first: u64,
}

canonical_struct!(Section { subject, first });
