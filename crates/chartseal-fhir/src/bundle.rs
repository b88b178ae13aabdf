//! A bundle of one patient's resources.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::{BundleError, EntryPath, Place, Word};
use crate::json::{self, Node};
use crate::resource::{self, Resource};
use crate::subject::{self, Meant, Subject};
use crate::types::ResourceType;

/// How many bundles may lie inside each other, the outermost counted.
pub const MAX_BUNDLE_DEPTH: usize = 4;

/// The resources of exactly one patient, each once, borrowed from the input.
///
/// ```
/// # fn main() -> Result<(), chartseal_fhir::BundleError> {
/// let file = br#"{"resourceType": "Bundle", "type": "collection", "entry": [
///     {"resource": {"resourceType": "Observation", "status": "final", "valueQuantity": {"value": 1.10},
///      "code": {"text": "Creatinine"}, "subject": {"reference": "Patient/ada"}}}]}"#;
/// let bundle = chartseal_fhir::Bundle::parse(file)?;
/// assert_eq!(bundle.patient().reference(), Some("Patient/ada".into()));
/// assert_eq!(bundle.clinical().count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Bundle<'a> {
    resources: Vec<Resource<'a>>,
    duplicates: Vec<Duplicate>,
    patient: Meant,
}

/// The same resource again, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Where it stands.
    pub path: EntryPath,
    /// Where it stood first.
    pub first: EntryPath,
}

/// Whose records a bundle holds.
#[derive(Clone, Copy)]
pub enum Patient<'b> {
    /// The bundle has the Patient resource.
    Entry(&'b Resource<'b>),
    /// The bundle has none; every record names this one as its subject.
    Reference(&'b str),
}

impl<'b> Patient<'b> {
    /// How the bundle's records refer to the patient; `None` for a Patient entry without address.
    pub fn reference(&self) -> Option<Cow<'b, str>> {
        match self {
            Self::Entry(resource) => resource.reference(),
            Self::Reference(reference) => Some(Cow::Borrowed(reference)),
        }
    }
}

impl<'a> Bundle<'a> {
    /// Reads a FHIR R4 Bundle in JSON, without copying the resources.
    ///
    /// Bundles within the bundle are taken apart. Every resource's type, keys, references and
    /// labels are read; everything else of it is only checked to be JSON.
    ///
    /// # Errors
    /// [`BundleError`] for input that is not the complete, unambiguous bundle of one patient.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let raw = json::document(bytes)?;
        refuse_unless_bundle(raw)?;
        let mut reader = Reader::default();
        reader.bundle(raw, &EntryPath::default())?;
        reader.finish()
    }

    /// Whose records these are.
    pub fn patient(&self) -> Patient<'_> {
        match &self.patient {
            Meant::Reference(reference) => Patient::Reference(reference),
            Meant::Entry { index, reference } => self
                .resources
                .get(*index)
                .map_or(Patient::Reference(reference), Patient::Entry),
        }
    }

    /// Every resource once, in the order of the input.
    pub fn resources(&self) -> &[Resource<'a>] {
        &self.resources
    }

    /// The resources that are about the patient, in the order of the input.
    pub fn clinical(&self) -> impl Iterator<Item = &Resource<'a>> {
        self.resources
            .iter()
            .filter(|resource| resource.labels().is_some())
    }

    /// The resources that were left out because they repeat an earlier one byte for byte.
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }
}

/// Without the content: whose records these are is PHI.
impl fmt::Debug for Bundle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Bundle({:?}, {} duplicates)",
            self.resources,
            self.duplicates.len()
        )
    }
}

/// The outermost resource must be a Bundle; says what it is otherwise.
fn refuse_unless_bundle(raw: &RawValue) -> Result<(), BundleError> {
    if !raw.get().starts_with('{') {
        return Err(BundleError::NotABundle {
            found: Word::description("JSON without an object"),
        });
    }
    let members = resource::members(raw, &Place::Bundle, "Bundle")?;
    let stated = members.get("resourceType").and_then(resource::text);
    match stated.as_deref() {
        Some("Bundle") => Ok(()),
        Some(other) => Err(BundleError::NotABundle {
            found: Word::new(other),
        }),
        None => {
            let found = Word::description("an object without `resourceType`");
            Err(BundleError::NotABundle { found })
        }
    }
}

/// What is known of a bundle half-way through.
#[derive(Default)]
struct Reader<'a> {
    resources: Vec<Resource<'a>>,
    duplicates: Vec<Duplicate>,
    has_inner_bundles: bool,
    by_bytes: HashMap<&'a str, usize>,
    by_id: HashMap<(ResourceType, Cow<'a, str>), usize>,
    by_full_url: HashMap<Cow<'a, str>, usize>,
    /// Resource and the `urn:` address that it refers to.
    urns: Vec<(usize, Cow<'a, str>)>,
    /// Resource and whom it names as its subject.
    subjects: Vec<(usize, Subject<'a>)>,
}

impl<'a> Reader<'a> {
    /// Reads a bundle's entries; recurses at most [`MAX_BUNDLE_DEPTH`] times.
    fn bundle(&mut self, raw: &'a RawValue, path: &EntryPath) -> Result<(), BundleError> {
        let place = if path.indices().is_empty() {
            Place::Bundle
        } else {
            Place::from(path)
        };
        let members = resource::members(raw, &place, "Bundle")?;
        let Some(entries) = members.get("entry") else {
            return Ok(());
        };
        let entries: Vec<&'a RawValue> =
            serde_json::from_str(entries.get()).map_err(|_| BundleError::BadValue {
                at: place,
                field: "entry",
                expected: "an array",
            })?;
        for (index, entry) in entries.into_iter().enumerate() {
            self.entry(entry, path.child(index))?;
        }
        Ok(())
    }

    fn entry(&mut self, raw: &'a RawValue, path: EntryPath) -> Result<(), BundleError> {
        let place = Place::from(&path);
        let entry = resource::members(raw, &place, "entry")?;
        let full_url = entry.get("fullUrl").map(|url| {
            let expected = "a string";
            resource::text(url).ok_or(BundleError::BadValue {
                at: place.clone(),
                field: "fullUrl",
                expected,
            })
        });
        let full_url = full_url.transpose()?;
        let Some(raw) = entry.get("resource") else {
            return Err(BundleError::NoResource { at: path });
        };
        let resource_type = resource::type_of(raw, &path)?;
        if resource_type.as_str() == "Bundle" {
            if path.indices().len() >= MAX_BUNDLE_DEPTH {
                return Err(BundleError::BundlesTooDeep {
                    at: path,
                    limit: MAX_BUNDLE_DEPTH,
                });
            }
            self.has_inner_bundles = true;
            return self.bundle(raw, &path);
        }
        let index = match self.by_bytes.get(raw.get()) {
            Some(&first) => {
                let first_path = self.path(first);
                self.duplicates.push(Duplicate {
                    path: path.clone(),
                    first: first_path,
                });
                first
            }
            None => self.resource(raw, resource_type, full_url.clone(), path.clone())?,
        };
        match full_url.map(|url| *self.by_full_url.entry(url).or_insert(index)) {
            Some(first) if first != index => Err(BundleError::ConflictingId {
                first: self.path(first),
                second: path,
                what: "fullUrl",
            }),
            _ => Ok(()),
        }
    }

    /// Reads a resource that was not there before, and says where it is kept.
    fn resource(
        &mut self,
        raw: &'a RawValue,
        resource_type: ResourceType,
        full_url: Option<Cow<'a, str>>,
        path: EntryPath,
    ) -> Result<usize, BundleError> {
        let index = self.resources.len();
        let (resource, node) = Resource::read(path, resource_type, full_url, raw)?;
        if let Some(id) = &resource.id {
            let first = *self
                .by_id
                .entry((resource_type, id.clone()))
                .or_insert(index);
            if first != index {
                return Err(BundleError::ConflictingId {
                    first: self.path(first),
                    second: resource.path,
                    what: "type and id",
                });
            }
        }
        self.by_bytes.insert(raw.get(), index);
        self.urns
            .extend(urn_references(&node).map(|urn| (index, urn)));
        self.subjects
            .extend(subject::of(&node).map(|subject| (index, subject)));
        self.resources.push(resource);
        Ok(index)
    }

    fn path(&self, index: usize) -> EntryPath {
        self.resources
            .get(index)
            .map(|resource| resource.path.clone())
            .unwrap_or_default()
    }

    fn finish(self) -> Result<Bundle<'a>, BundleError> {
        for (index, urn) in &self.urns {
            let address = urn
                .split_once('#')
                .map_or(urn.as_ref(), |(address, _)| address);
            if !self.by_full_url.contains_key(address)
                && let Some(resource) = self.resources.get(*index)
            {
                return Err(BundleError::UnresolvedReference {
                    at: resource.path.clone(),
                    resource_type: resource.resource_type.as_str(),
                });
            }
        }
        let patient = subject::the_one_patient(
            &self.resources,
            &self.by_full_url,
            &self.subjects,
            self.has_inner_bundles,
        )?;
        Ok(Bundle {
            resources: self.resources,
            duplicates: self.duplicates,
            patient,
        })
    }
}

/// Every `reference` in a resource that points inside its bundle.
fn urn_references<'a>(node: &Node<'a>) -> impl Iterator<Item = Cow<'a, str>> {
    node.walk()
        .filter_map(|node| node.get("reference")?.text())
        .filter(|text| text.starts_with("urn:uuid:") || text.starts_with("urn:oid:"))
        .cloned()
}
