//! FHIR R4 in and out, without losing a byte.
//!
//! A bundle is looked through, never rewritten: [`Resource::raw`] is a slice of the file, so what is
//! sealed is what the source wrote, `1.10`, `+00:00`, spaces and all. What is read besides are the
//! few fields under which a record is filed, its [`Labels`].
//!
//! ```
//! use chartseal_fhir::{Bundle, Class};
//!
//! let file = br#"{"resourceType": "Bundle", "type": "transaction", "entry": [
//!   {"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "id": "p"}},
//!   {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Observation", "id": "o",
//!     "status": "final", "code": {"text": "Creatinine"}, "subject": {"reference": "urn:uuid:p"},
//!     "category": [{"coding": [{"code": "laboratory"}]}], "effectiveDateTime": "2026-03-02",
//!     "valueQuantity": {"value": 1.10, "unit": "mg/dL"}}}]}"#;
//! let bundle = Bundle::parse(file)?;
//!
//! let laboratory = |labels: &&chartseal_fhir::Labels| labels.class == Class::LABORATORY;
//! assert_eq!(bundle.clinical().filter_map(|r| r.labels()).filter(laboratory).count(), 1);
//! let creatinine = &bundle.resources()[1];
//! assert!(creatinine.raw().starts_with(b"{\"resourceType\": \"Observation\""));
//! assert_eq!(creatinine.summary(), "Creatinine 1.10 mg/dL");
//! # Ok::<(), chartseal_fhir::BundleError>(())
//! ```
//!
//! | item | what |
//! |---|---|
//! | [`Bundle`] | the resources of exactly one patient, each once; bundles within it taken apart |
//! | [`Resource`] | its bytes, type, id, where it stands; a title and a line for whoever opened it |
//! | [`Labels`] | [`Class`], [`Tag`]s, [`Confidentiality`], author, encounter, [`Timestamp`] |
//! | [`Consent`] | a FHIR Consent of R4, R5 or IHE PCF into policy directives, and directives into PCF |
//! | [`SmartScopes`] | SMART v2 scopes into record classes and actions, and back |
//! | [`BundleError`] | what was wrong, at which entry, and what would be right; never PHI |
//!
//! # Limits
//! - FHIR R4 (4.0.1) in JSON; a Consent also in R5. `AuditEvent` and Provenance are sealed like any
//!   record, and not yet interpreted.
//! - A Consent is refused as a whole where it can't be read without guessing; the page on FHIR in the
//!   repository's docs lists every refusal, and what became of HL7's and IHE's examples.
//! - A resource isn't validated against its profile: only what is read must be right.
//! - At most [`MAX_NESTING`] levels of JSON, [`MAX_BUNDLE_DEPTH`] bundles inside each other,
//!   [`MAX_RESOURCE_BYTES`] a resource.
//! - Tags come from a small code table and from `meta.security`. A table is a help for the author,
//!   not a guarantee: an untagged record may be sensitive.
//! - A signature over a whole bundle (a FHIR document) isn't kept when the bundle is taken apart.

mod bundle;
mod consent;
mod display;
mod error;
mod json;
mod labels;
mod parts;
mod resource;
mod sensitive;
mod smart;
mod subject;
mod time;
mod types;

pub use bundle::{Bundle, Duplicate, MAX_BUNDLE_DEPTH, Patient};
pub use consent::{
    Consent, ConsentError, ConsentOptions, Dialect, ExportError, Imported, PcfContext, Refusal,
    UtcOffset,
};
pub use error::{BundleError, EntryPath, Place, Word};
pub use json::MAX_NESTING;
pub use labels::{Confidentiality, Labels, Tag};
pub use resource::{Kind, MAX_RESOURCE_BYTES, Resource};
pub use smart::{SmartError, SmartScopes};
pub use time::Timestamp;
pub use types::{Class, ResourceType};
