//! Whose records a bundle holds: exactly one patient's, or it is refused.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::error::BundleError;
use crate::json::Node;
use crate::resource::Resource;

/// Whom a resource names as its subject.
#[derive(Clone)]
pub(crate) enum Subject<'a> {
    /// A reference, and whether it says of itself that it is to a Patient.
    Reference(Cow<'a, str>, bool),
    /// A Patient that the resource contains, and so a patient of its own.
    Contained,
}

/// The patient whom a bundle means.
#[derive(Clone)]
pub(crate) enum Meant {
    /// The Patient resource with this index, and how its records refer to it.
    Entry { index: usize, reference: String },
    /// Named by reference only.
    Reference(String),
}

/// The elements by which R4 ties a resource to its patient.
const SUBJECT: &[&str] = &[
    "subject",
    "patient",
    "beneficiary",
    "for",
    "individual",
    "candidate",
];

/// The subjects of a resource; several where an element repeats.
pub(crate) fn of<'n, 'a>(node: &'n Node<'a>) -> impl Iterator<Item = Subject<'a>> + 'n {
    let contained = contained_patients(node);
    let named = SUBJECT
        .iter()
        .filter_map(|field| node.get(field))
        .flat_map(Node::each);
    named.filter_map(move |subject| {
        let reference = subject.get("reference")?.text()?;
        if let Some(id) = reference.strip_prefix('#') {
            return contained.contains(id).then_some(Subject::Contained);
        }
        let says_patient = subject.text_at(&["type"]) == Some("Patient");
        Some(Subject::Reference(reference.clone(), says_patient))
    })
}

/// The ids of the Patient resources inside a resource.
fn contained_patients<'n>(node: &'n Node<'_>) -> HashSet<&'n str> {
    let contained = node
        .get("contained")
        .map(Node::each)
        .unwrap_or_default()
        .iter();
    contained
        .filter(|resource| resource.text_at(&["resourceType"]) == Some("Patient"))
        .filter_map(|resource| resource.text_at(&["id"]))
        .collect()
}

/// The one patient of the Patient entries and of all subjects.
pub(crate) fn the_one_patient<'a>(
    resources: &[Resource<'a>],
    by_full_url: &HashMap<Cow<'a, str>, usize>,
    subjects: &[(usize, Subject<'a>)],
    has_inner_bundles: bool,
) -> Result<Meant, BundleError> {
    let people = People::of(resources, by_full_url);
    let entries = people
        .entries
        .iter()
        .map(|index| (Identity::Entry(*index), *index));
    let named = subjects.iter().filter_map(|(index, subject)| {
        Some((
            people.identity(*index, resources.get(*index)?, subject)?,
            *index,
        ))
    });
    // Each patient once, with the first resource that is about them.
    let mut seen = HashSet::new();
    let patients: Vec<(Identity<'_>, usize)> = entries
        .chain(named)
        .filter(|(identity, _)| seen.insert(identity.clone()))
        .collect();
    let path = |index: usize| {
        resources
            .get(index)
            .map(|resource| resource.path.clone())
            .unwrap_or_default()
    };
    match patients.as_slice() {
        [] => Err(BundleError::NoPatient),
        [(Identity::Entry(index), _)] => {
            let entry = resources.get(*index).and_then(Resource::reference);
            let reference = entry.unwrap_or(Cow::Borrowed("Patient")).into_owned();
            Ok(Meant::Entry {
                index: *index,
                reference,
            })
        }
        [(Identity::Address(address), _)] => Ok(Meant::Reference(address.to_string())),
        [(Identity::Contained(index), _)] => Err(BundleError::BadValue {
            at: (&path(*index)).into(),
            field: "subject",
            expected: "a reference to the bundle's patient, not to one inside the resource",
        }),
        [(_, first), (_, second), ..] => {
            let (count, first, second) = (patients.len(), path(*first), path(*second));
            Err(if has_inner_bundles {
                BundleError::ManyPatientsInBundles {
                    count,
                    first,
                    second,
                }
            } else {
                BundleError::ManyPatients {
                    count,
                    first,
                    second,
                }
            })
        }
    }
}

/// What makes two mentions of a patient the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity<'a> {
    /// The Patient entry with this index.
    Entry(usize),
    /// An address that no entry has.
    Address(Cow<'a, str>),
    /// A Patient inside the resource with this index.
    Contained(usize),
}

/// The Patient entries of a bundle, and how they are found.
struct People<'b, 'a> {
    entries: BTreeSet<usize>,
    by_id: HashMap<&'b str, usize>,
    by_full_url: &'b HashMap<Cow<'a, str>, usize>,
}

impl<'b, 'a> People<'b, 'a> {
    fn of(resources: &'b [Resource<'a>], by_full_url: &'b HashMap<Cow<'a, str>, usize>) -> Self {
        let is_patient = |resource: &Resource<'_>| resource.resource_type.as_str() == "Patient";
        let patients = || {
            resources
                .iter()
                .enumerate()
                .filter(|(_, entry)| is_patient(entry))
        };
        Self {
            entries: patients().map(|(index, _)| index).collect(),
            by_id: patients()
                .filter_map(|(index, entry)| Some((entry.id()?, index)))
                .collect(),
            by_full_url,
        }
    }

    /// The patient that a subject is, or `None` if it is a group, a device, a place.
    ///
    /// A relative reference is completed from its own entry's full URL, as FHIR resolves it
    /// (hl7.org/fhir/R4/bundle.html#references); else it means an entry by type and id.
    fn identity<'s>(
        &self,
        index: usize,
        resource: &Resource<'_>,
        subject: &'s Subject<'_>,
    ) -> Option<Identity<'s>> {
        let (reference, says_patient) = match subject {
            Subject::Contained => return Some(Identity::Contained(index)),
            Subject::Reference(reference, says) => (without_version(reference), *says),
        };
        let relative_id = reference.strip_prefix("Patient/");
        let address = match (relative_id, base(resource)) {
            (Some(_), Some(base)) => Cow::Owned(format!("{base}{reference}")),
            _ => Cow::Borrowed(reference),
        };
        if let Some(index) = self.by_full_url.get(address.as_ref()) {
            return self
                .entries
                .contains(index)
                .then_some(Identity::Entry(*index));
        }
        if let Some(index) = relative_id.and_then(|id| self.by_id.get(id)) {
            return Some(Identity::Entry(*index));
        }
        let names_patient = says_patient
            || relative_id.is_some()
            || reference.starts_with("Patient?")
            || reference
                .rsplit_once("/Patient/")
                .is_some_and(|(_, id)| !id.contains('/'));
        names_patient.then_some(Identity::Address(address))
    }
}

/// A version-specific reference means the same patient as one without.
fn without_version(reference: &str) -> &str {
    reference
        .split_once("/_history/")
        .map_or(reference, |(address, _)| address)
}

/// The server's address in a resource's full URL, up to its type: `https://example.org/fhir/`.
fn base<'r>(resource: &'r Resource<'_>) -> Option<&'r str> {
    let url = resource.full_url()?;
    let (server, _) = url.rsplit_once('/')?;
    let (server, resource_type) = server.split_at_checked(server.rfind('/')? + 1)?;
    let is_rest = url.starts_with("http") && resource_type == resource.resource_type.as_str();
    is_rest.then_some(server)
}
