use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

/// The algorithms of a record, all named by one number. Nothing is negotiated.
///
/// | id | KEM | KDF | AEAD of wraps | body | signature |
/// |---|---|---|---|---|---|
/// | 1 | X-Wing (0x647A) | HKDF-SHA256 | `ChaCha20Poly1305` | Cobblestone-256 | Ed25519 |
/// | 0xFF, feature `hazmat` | DHKEM(X25519) (0x0020) | HKDF-SHA256 | `ChaCha20Poly1305` | Cobblestone-256 | Ed25519 |
///
/// Every object carries its suite, and no two objects of different suites are used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Suite 1: post-quantum for secrecy, Ed25519 for authorship.
    #[default]
    XWing,
    /// Suite 0xFF: classical, for tests only. A quantum computer reads what it wraps.
    #[cfg(feature = "hazmat")]
    X25519,
}

impl Suite {
    /// The number that stands for it in every object.
    pub const fn id(self) -> u8 {
        match self {
            Self::XWing => 1,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 0xff,
        }
    }

    /// Length of a KEM public key, in bytes.
    pub const fn kem_public_len(self) -> usize {
        match self {
            Self::XWing => 1216,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 32,
        }
    }

    /// Length of an HPKE encapsulated key, in bytes.
    pub const fn encapsulated_len(self) -> usize {
        match self {
            Self::XWing => 1120,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 32,
        }
    }

    pub(crate) const ALL: &[Self] = &[
        Self::XWing,
        #[cfg(feature = "hazmat")]
        Self::X25519,
    ];
}

impl Encode for Suite {
    fn encode(&self, e: &mut Encoder) {
        e.uint(self.id().into());
    }
}

impl Decode for Suite {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let id = d.at("suite").uint()?;
        let found = Self::ALL.iter().find(|suite| u64::from(suite.id()) == id);
        found
            .copied()
            .ok_or_else(|| d.invalid("suite is not known, should be 1 (CS-ENV-02)"))
    }
}
