//! Ids. All are opaque bytes: none tells a name, a date or an institution's number.

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, Shape, byte_newtype};

byte_newtype! {
    /// A chain: the tagged SHA-256 of its genesis.
    pub struct ChainId([u8; 32]);
}
byte_newtype! {
    /// An organization: 16 random bytes, fixed at enrolment.
    pub struct OrgId([u8; 16]);
}
byte_newtype! {
    /// Whoever signs transactions: a practitioner, a patient, an organization's office. Fixed at
    /// enrolment; it survives every key rotation.
    pub struct ActorId([u8; 16]);
}
byte_newtype! {
    /// A patient: 16 random bytes. The same bytes as an [`ActorId`] when the patient acts.
    pub struct PatientId([u8; 16]);
}
byte_newtype! {
    /// A record, through all its versions: 16 random bytes.
    pub struct RecordId([u8; 16]);
}
byte_newtype! {
    /// The digest of one version's envelope header.
    pub struct HeaderDigest([u8; 32]);
}
byte_newtype! {
    /// A transaction: the tagged SHA-256 of its signed bytes.
    pub struct TxId([u8; 32]);
}

/// An access request: the transaction that made it.
pub type RequestId = TxId;
/// A directive: the transaction that issued it.
pub type DirectiveId = TxId;

impl From<PatientId> for ActorId {
    fn from(patient: PatientId) -> Self {
        Self(patient.0)
    }
}

impl From<OrgId> for ActorId {
    fn from(org: OrgId) -> Self {
        Self(org.0)
    }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// This moment and `ms` milliseconds; the end of time if that is beyond it.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// As RFC 3339 in UTC: `2026-11-22T15:04:05.678Z`; beyond the year 9999 with a longer year.
impl core::fmt::Display for Time {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // Years begin in March here, so that a leap day is the last day of its year; eras of 400
        // years all have the same days.
        let since_march_0 = days + 719_468;
        let (era, day) = (since_march_0 / 146_097, since_march_0 % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = 400 * era + year + carry;
        let (seconds, ms) = (ms / 1000, ms % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

impl Encode for Time {
    fn encode(&self, e: &mut Encoder) {
        e.uint(self.0);
    }
}

impl Decode for Time {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.uint().map(Self)
    }

    const SHAPE: &'static Shape = u64::SHAPE;

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        u64::skip(input)
    }
}
