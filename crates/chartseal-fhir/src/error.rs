//! What can be wrong with a bundle, and where.

use std::fmt;

/// Where a resource stands: the zero-based entry index in the bundle, then in each bundle within.
///
/// Displays as `entry 3 → entry 7`, which is `Bundle.entry[3].resource.entry[7]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EntryPath(Vec<usize>);

impl EntryPath {
    /// The indices, outermost first; empty for a resource that was read alone.
    pub fn indices(&self) -> &[usize] {
        &self.0
    }

    pub(crate) fn child(&self, index: usize) -> Self {
        let mut indices = self.0.clone();
        indices.push(index);
        Self(indices)
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the resource");
        }
        for (depth, index) in self.0.iter().enumerate() {
            let arrow = if depth == 0 { "" } else { " → " };
            write!(f, "{arrow}entry {index}")?;
        }
        Ok(())
    }
}

/// Why a bundle was refused.
///
/// A message names the entry, what was wrong and what would be right. It never holds a name, an id
/// or a value from the bundle: of the input only resource types and JSON keys are repeated, and
/// these only if they are plain words. The file's name is for the caller to add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No byte but white space.
    #[error("the input is empty; expected one FHIR R4 Bundle in JSON")]
    Empty,
    /// Bytes that are not UTF-8, JSON's only encoding (RFC 8259, section 8.1).
    #[error("byte {offset} is not valid UTF-8; FHIR JSON is UTF-8 without a byte-order mark")]
    InvalidUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// Arrays and objects inside each other beyond [`MAX_NESTING`](crate::MAX_NESTING).
    #[error(
        "the JSON is nested deeper than {limit} levels at byte {offset}; expected at most that many"
    )]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Offset of the bracket that passes it.
        offset: usize,
    },
    /// The JSON stops before its end.
    #[error(
        "the JSON ends in the middle, at line {line}, column {column}; \
         the file was cut off: fetch it again from its source"
    )]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Not JSON, or something after its end.
    #[error(
        "the input is not JSON at line {line}, column {column}; expected one FHIR R4 Bundle in JSON"
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// JSON that is no Bundle.
    #[error("the input is {found}, not a Bundle; put the patient's resources into one Bundle")]
    NotABundle {
        /// What it is instead.
        found: Word,
    },
    /// A member of the wrong JSON type or outside its FHIR value space.
    #[error("{at}: `{field}` is not {expected}")]
    BadValue {
        /// The resource or entry.
        at: Place,
        /// The member.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A string or number whose JSON is well-formed and which yet has no value.
    #[error("{at} has a string with an unpaired surrogate, or a number beyond a double's range")]
    NoValue {
        /// The resource or entry.
        at: Place,
    },
    /// One key twice in one object: readers disagree about which counts.
    #[error("{at} has the key {key} twice in one object; each key may occur once")]
    DuplicateKey {
        /// The resource or entry.
        at: Place,
        /// The key.
        key: Word,
    },
    /// An entry that holds no resource.
    #[error("{at} has no `resource`; requests without content and responses can't be sealed")]
    NoResource {
        /// The entry.
        at: EntryPath,
    },
    /// A resource that doesn't say what it is.
    #[error("{at} has no `resourceType`; each resource names its FHIR R4 type")]
    NoResourceType {
        /// The resource.
        at: EntryPath,
    },
    /// A resource of a type that FHIR R4 doesn't have.
    #[error("{at} is {found}, no resource type of FHIR R4 (4.0.1)")]
    UnknownResourceType {
        /// The resource.
        at: EntryPath,
        /// What its `resourceType` says.
        found: Word,
    },
    /// A resource beyond [`MAX_RESOURCE_BYTES`](crate::MAX_RESOURCE_BYTES).
    #[error("{at} is {bytes} bytes long; the limit is {limit} (64 MiB) for one resource")]
    ResourceTooLarge {
        /// The resource.
        at: EntryPath,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Bundles within bundles beyond [`MAX_BUNDLE_DEPTH`](crate::MAX_BUNDLE_DEPTH).
    #[error("{at} is a bundle within a bundle, more than {limit} deep; unpack it first")]
    BundlesTooDeep {
        /// The innermost bundle that was met.
        at: EntryPath,
        /// The limit.
        limit: usize,
    },
    /// The same type and id, or the same `fullUrl`, with other bytes.
    #[error(
        "{second} has the same {what} as {first} but other content; \
         one id is one version of one resource: keep the right one"
    )]
    ConflictingId {
        /// The entry that came first.
        first: EntryPath,
        /// The entry that disagrees.
        second: EntryPath,
        /// Which identity they share.
        what: &'static str,
    },
    /// A `urn:uuid:` or `urn:oid:` reference to an entry that isn't there.
    #[error(
        "{at} ({resource_type}) refers to a `urn:` address that is no entry's `fullUrl`; \
         such references point inside the bundle: the bundle is incomplete"
    )]
    UnresolvedReference {
        /// The resource that refers.
        at: EntryPath,
        /// Its type.
        resource_type: &'static str,
    },
    /// Nobody whose records these would be.
    #[error(
        "no patient: no entry is a Patient and no record names one as its subject; \
         expected the bundle of exactly one patient"
    )]
    NoPatient,
    /// Records of several patients.
    #[error(
        "{count} patients in one bundle: {second} is about another patient than {first}; \
         expected exactly one: split the bundle by patient"
    )]
    ManyPatients {
        /// How many.
        count: usize,
        /// An entry about the first.
        first: EntryPath,
        /// The first entry about another.
        second: EntryPath,
    },
    /// Bundles within a bundle that together hold records of several patients.
    #[error(
        "bundles within a bundle that mean {count} patients: {second} is about another patient \
         than {first}; such a bundle is taken apart only if exactly one patient is meant"
    )]
    ManyPatientsInBundles {
        /// How many.
        count: usize,
        /// An entry about the first.
        first: EntryPath,
        /// The first entry about another.
        second: EntryPath,
    },
}

/// The bundle itself or one of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The outermost bundle.
    Bundle,
    /// An entry, or the resource in it.
    Entry(EntryPath),
}

impl From<&EntryPath> for Place {
    fn from(path: &EntryPath) -> Self {
        Self::Entry(path.clone())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle => f.write_str("the bundle"),
            Self::Entry(path) => path.fmt(f),
        }
    }
}

/// A word of the input that an error may repeat: at most 40 ASCII letters, else it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    pub(crate) fn new(text: &str) -> Self {
        let plain = !text.is_empty()
            && text.len() <= 40
            && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        Self(if plain {
            format!("\"{text}\"")
        } else {
            "something that is no word".to_owned()
        })
    }

    pub(crate) fn description(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
