use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, byte_newtype};

byte_newtype! {
    /// A patient's blinded category of records: the first 16 bytes of an HMAC, or padding.
    pub struct Label([u8; 16]);
}

/// The label of a record that is filed but not yet sorted: the one that is not blinded.
///
/// The policy engine sees it as its symbol `INBOX`; a grant that covers it names that symbol.
pub const INBOX: Label = Label(*b"INBOX\0\0\0\0\0\0\0\0\0\0\0");

/// The labels of a record: exactly six, its class, up to five sensitive tags, and decoys, in the order
/// of their bytes, so that neither their number nor their place tells which is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Labels([Label; Self::COUNT]);

impl Labels {
    /// How many labels a record has.
    pub const COUNT: usize = 6;

    /// These labels, sorted; one may come twice.
    pub fn new(mut labels: [Label; Self::COUNT]) -> Self {
        labels.sort_unstable();
        Self(labels)
    }

    /// The labels of a record whose author has no label table: [`INBOX`] alone.
    pub const fn inbox() -> Self {
        Self([INBOX; Self::COUNT])
    }

    /// The labels, sorted.
    pub fn as_slice(&self) -> &[Label] {
        &self.0
    }

    /// Whether `other` has each of these labels.
    pub fn is_kept_by(&self, other: &Self) -> bool {
        self.0.iter().all(|label| other.0.contains(label))
    }
}

impl Encode for Labels {
    fn encode(&self, e: &mut Encoder) {
        self.0.as_slice().encode(e);
    }
}

impl Decode for Labels {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.array_exact(Self::COUNT)?;
        let mut labels = [Label([0; 16]); Self::COUNT];
        for label in &mut labels {
            *label = Label::decode(d)?;
        }
        if labels.is_sorted() {
            Ok(Self(labels))
        } else {
            Err(d.invalid("labels are not sorted"))
        }
    }
}
