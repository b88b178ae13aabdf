use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

/// The algorithms of a record, all named by one number. Nothing is negotiated.
///
/// | id | KEM | KDF | AEAD of wraps | body | signature |
/// |---|---|---|---|---|---|
/// | 1 | X-Wing (0x647A) | HKDF-SHA256 | `ChaCha20Poly1305` | Cobblestone-256 | Ed25519 |
/// | 2, feature `pq-sign` | X-Wing (0x647A) | HKDF-SHA256 | `ChaCha20Poly1305` | Cobblestone-256 | Ed25519 and ML-DSA-65 |
/// | 0xFF, feature `hazmat` | DHKEM(X25519) (0x0020) | HKDF-SHA256 | `ChaCha20Poly1305` | Cobblestone-256 | Ed25519 |
///
/// Every object carries its record's suite, and no two objects of different suites are used
/// together. KEM keys are of a [`Kem`]: suites 1 and 2 share theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Suite 1: post-quantum for secrecy, Ed25519 for authorship.
    #[default]
    XWing,
    /// Suite 2: post-quantum for secrecy and for authorship. Both signatures must verify.
    #[cfg(feature = "pq-sign")]
    XWingMlDsa65,
    /// Suite 0xFF: classical, for tests only. A quantum computer reads what it wraps.
    #[cfg(feature = "hazmat")]
    X25519,
}

impl Suite {
    /// The number that stands for it in every object.
    pub const fn id(self) -> u8 {
        match self {
            Self::XWing => 1,
            #[cfg(feature = "pq-sign")]
            Self::XWingMlDsa65 => 2,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 0xff,
        }
    }

    /// The KEM whose keys its records are dealt and released to.
    pub const fn kem(self) -> Kem {
        match self {
            Self::XWing => Kem::XWing,
            #[cfg(feature = "pq-sign")]
            Self::XWingMlDsa65 => Kem::XWing,
            #[cfg(feature = "hazmat")]
            Self::X25519 => Kem::X25519,
        }
    }

    /// Whether its authors sign with ML-DSA-65 beside Ed25519.
    pub(crate) const fn is_hybrid(self) -> bool {
        match self {
            #[cfg(feature = "pq-sign")]
            Self::XWingMlDsa65 => true,
            _ => false,
        }
    }

    /// Length of an HPKE encapsulated key, in bytes.
    pub const fn encapsulated_len(self) -> usize {
        self.kem().encapsulated_len()
    }

    const ALL: &[Self] = &[
        Self::XWing,
        #[cfg(feature = "pq-sign")]
        Self::XWingMlDsa65,
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
        found.copied().ok_or_else(|| d.invalid(UNKNOWN))
    }
}

const UNKNOWN: &str = if cfg!(feature = "pq-sign") {
    "suite is not known, should be 1 or 2 (CS-ENV-02)"
} else {
    "suite is not known, should be 1 (CS-ENV-02)"
};

/// The key encapsulation of a suite: what a KEM key pair is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kem {
    /// ML-KEM-768 with X25519 (suites 1 and 2).
    XWing,
    /// DHKEM(X25519) (suite 0xFF), for tests only.
    #[cfg(feature = "hazmat")]
    X25519,
}

impl Kem {
    /// The number of the first suite that has it, which stands for it where no record is.
    pub const fn id(self) -> u8 {
        match self {
            Self::XWing => 1,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 0xff,
        }
    }

    /// Length of a public key, in bytes.
    pub const fn public_len(self) -> usize {
        match self {
            Self::XWing => 1216,
            #[cfg(feature = "hazmat")]
            Self::X25519 => 32,
        }
    }

    /// Length of an encapsulated key, in bytes.
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

impl Encode for Kem {
    fn encode(&self, e: &mut Encoder) {
        e.uint(self.id().into());
    }
}

impl Decode for Kem {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let id = d.at("suite").uint()?;
        let found = Self::ALL.iter().find(|kem| u64::from(kem.id()) == id);
        found
            .copied()
            .ok_or_else(|| d.invalid("suite is not a KEM's, should be 1 (CS-ENV-02)"))
    }
}
