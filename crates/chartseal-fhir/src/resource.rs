//! One resource: its exact bytes and what was read from them.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::{BundleError, EntryPath, Place, Word};
use crate::json::{self, Members, Node, Text};
use crate::labels::Labels;
use crate::types::ResourceType;

/// The longest resource that is sealed whole, in bytes: 64 MiB.
pub const MAX_RESOURCE_BYTES: usize = 64 * 1024 * 1024;

/// A resource of a bundle, or one that was read alone.
#[derive(Clone)]
#[expect(
    clippy::struct_field_names,
    reason = "`type` is a keyword, and FHIR's word is resourceType"
)]
pub struct Resource<'a> {
    pub(crate) path: EntryPath,
    pub(crate) resource_type: ResourceType,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) full_url: Option<Cow<'a, str>>,
    pub(crate) raw: &'a str,
    pub(crate) kind: Kind,
}

/// Whether a resource is about somebody's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// About the patient: sealed, under these labels.
    Clinical(Labels),
    /// About organizations, practitioners, definitions: context, not sealed.
    Administrative,
}

/// Without the content: a resource is PHI.
impl fmt::Debug for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Resource({}, {}, {} bytes)",
            self.path,
            self.resource_type,
            self.raw.len()
        )
    }
}

impl<'a> Resource<'a> {
    /// Reads one resource that stands alone, such as an amended version of a result.
    ///
    /// Its references are not followed: there is no bundle in which to look.
    ///
    /// # Errors
    /// As [`Bundle::parse`](crate::Bundle::parse), for one resource; a Bundle is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let path = EntryPath::default();
        let raw = json::document(bytes)?;
        let resource_type = type_of(raw, &path)?;
        if resource_type.as_str() == "Bundle" {
            return Err(BundleError::BadValue {
                at: Place::Bundle,
                field: "resourceType",
                expected: "the type of a single resource; read a Bundle as a bundle",
            });
        }
        Self::read(path, resource_type, None, raw).map(|(resource, _)| resource)
    }

    /// Where it stands in the bundle.
    pub fn path(&self) -> &EntryPath {
        &self.path
    }

    /// Its FHIR type.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// Its logical id, unique for its type on its server.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The address under which the rest of the bundle refers to it.
    pub fn full_url(&self) -> Option<&str> {
        self.full_url.as_deref()
    }

    /// Its bytes, exactly as they stand in the input.
    pub fn raw(&self) -> &'a [u8] {
        self.raw.as_bytes()
    }

    /// Clinical or administrative.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The labels, if it is clinical.
    pub fn labels(&self) -> Option<&Labels> {
        match &self.kind {
            Kind::Clinical(labels) => Some(labels),
            Kind::Administrative => None,
        }
    }

    /// How another resource refers to it: the full URL, or type and id.
    pub fn reference(&self) -> Option<Cow<'_, str>> {
        match (&self.full_url, &self.id) {
            (Some(url), _) => Some(Cow::Borrowed(url.as_ref())),
            (None, Some(id)) => Some(Cow::Owned(format!("{}/{id}", self.resource_type))),
            (None, None) => None,
        }
    }

    /// Reads a resource whose JSON is known to be well-formed and shallow.
    pub(crate) fn read(
        path: EntryPath,
        resource_type: ResourceType,
        full_url: Option<Cow<'a, str>>,
        raw: &'a RawValue,
    ) -> Result<(Self, Node<'a>), BundleError> {
        let raw = raw.get();
        if raw.len() > MAX_RESOURCE_BYTES {
            let (bytes, limit) = (raw.len(), MAX_RESOURCE_BYTES);
            return Err(BundleError::ResourceTooLarge {
                at: path,
                bytes,
                limit,
            });
        }
        let node: Node<'a> = serde_json::from_str(raw).map_err(|_| BundleError::NoValue {
            at: Place::from(&path),
        })?;
        if let Some(key) = node.repeated_key() {
            return Err(BundleError::DuplicateKey {
                at: Place::from(&path),
                key,
            });
        }
        let id = node.get("id").map(|id| {
            let expected = "a FHIR id: 1 to 64 letters, digits, `-` or `.`";
            let id = id.text().filter(|id| is_id(id)).cloned();
            id.ok_or(BundleError::BadValue {
                at: (&path).into(),
                field: "id",
                expected,
            })
        });
        let id = id.transpose()?;
        let mut resource = Self {
            path,
            resource_type,
            id,
            full_url,
            raw,
            kind: Kind::Administrative,
        };
        if let Some(class) = resource_type.class() {
            let own = resource.reference();
            let labels = Labels::read(&node, resource_type, class, own.as_deref(), &resource.path)?;
            resource.kind = Kind::Clinical(labels);
        }
        Ok((resource, node))
    }
}

/// The `resourceType` of a resource.
pub(crate) fn type_of(raw: &RawValue, path: &EntryPath) -> Result<ResourceType, BundleError> {
    let members = members(raw, &Place::from(path), "resource")?;
    let stated = members
        .get("resourceType")
        .ok_or_else(|| BundleError::NoResourceType { at: path.clone() })?;
    let stated = text(stated).ok_or(BundleError::BadValue {
        at: path.into(),
        field: "resourceType",
        expected: "a string",
    })?;
    ResourceType::from_name(&stated).ok_or_else(|| BundleError::UnknownResourceType {
        at: path.clone(),
        found: Word::new(&stated),
    })
}

/// The members of an object, none of them twice.
pub(crate) fn members<'a>(
    raw: &'a RawValue,
    at: &Place,
    field: &'static str,
) -> Result<Members<'a>, BundleError> {
    if !raw.get().starts_with('{') {
        return Err(BundleError::BadValue {
            at: at.clone(),
            field,
            expected: "a JSON object",
        });
    }
    let members: Members<'a> =
        serde_json::from_str(raw.get()).map_err(|_| BundleError::NoValue { at: at.clone() })?;
    match members.repeated_key() {
        Some(key) => Err(BundleError::DuplicateKey {
            at: at.clone(),
            key,
        }),
        None => Ok(members),
    }
}

/// A JSON string's text.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get())
        .ok()
        .map(|text| text.0)
}

/// FHIR's `id` (hl7.org/fhir/R4/datatypes.html#id).
fn is_id(text: &str) -> bool {
    let in_set = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(in_set)
}
