//! FHIR Consent, read into policy directives and written from them.

mod codes;
mod element;
mod error;
mod export;
mod rule;
mod terms;

use std::collections::BTreeMap;

use chartseal_policy::{Grantee, Symbol, Terms, Time};

pub use error::{ConsentError, ExportError, Refusal};
pub use export::PcfContext;

/// How a Consent is written. A document does not say so reliably: the caller must know its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// FHIR R4 4.0.1, with the base policy in `policyRule` (opt-in, opt-out) and exceptions to it.
    R4,
    /// FHIR R5 5.0.0: `decision` is the base, each level of `provision` negates the one above.
    R5,
    /// IHE Privacy Consent on FHIR (ITI PCF), a profile of R4: each provision says `permit` or `deny`.
    Pcf,
}

/// A fixed distance from UTC, in which dates without a time of day begin and end.
///
/// It is no zone of the tz database: whoever has summer time gives the offset that the dates mean.
///
/// ```
/// use chartseal_fhir::UtcOffset;
///
/// assert!(UtcOffset::from_minutes(-5 * 60).is_some());
/// assert!(UtcOffset::from_minutes(15 * 60).is_none());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self(0);

    /// So many minutes east of UTC; `None` beyond 14 hours, FHIR's largest offset.
    pub fn from_minutes(minutes: i16) -> Option<Self> {
        (-840..=840).contains(&minutes).then_some(Self(minutes))
    }
}

/// What a Consent does not say of itself.
#[derive(Debug, Clone, Default)]
pub struct ConsentOptions {
    /// Where its dates begin and end.
    pub zone: UtcOffset,
    /// Whom a reference means, as the Consent writes it: `Group/on-call` may be `role:on-call`.
    ///
    /// Without an entry people and devices are `actor:`, organizations `org:`, each by the reference
    /// as written; groups, teams and practitioners' roles are refused.
    pub grantees: BTreeMap<String, Grantee>,
}

/// One directive of a Consent. Position and id are for whoever files it.
///
/// Patient, issuer, records, encounters and authors are named by the references as the Consent writes
/// them, classes and tags by the plain codes of [`Labels`](crate::Labels).
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whose records it speaks of.
    pub patient: Symbol,
    /// Who agreed to it, if the Consent names exactly one.
    pub issuer: Option<Symbol>,
    /// When, if it says: the first moment that its date names.
    pub issued: Option<Time>,
    /// What it says: a grant or a restriction.
    pub terms: Terms,
}

/// Without the content, which names a patient.
impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Imported({}, ..)", self.terms.kind())
    }
}

/// Reads FHIR Consents, and writes them. The rules are in `docs/fhir.md`.
///
/// ```
/// use chartseal_fhir::{Consent, ConsentOptions, Dialect, Refusal};
///
/// let consent = br#"{"resourceType": "Consent", "status": "active",
///   "scope": {"coding": [{"code": "patient-privacy",
///     "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
///   "patient": {"reference": "Patient/ann"},
///   "provision": {"type": "permit", "period": {"end": "2026-12-31"}, "purpose": [
///     {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]}}"#;
/// let directives = Consent::import(consent, Dialect::Pcf, &ConsentOptions::default())?;
/// assert_eq!(directives[0].terms.kind(), "grant");
///
/// // In R5 there is no `patient`; and nothing is guessed.
/// let refused = Consent::import(consent, Dialect::R5, &ConsentOptions::default()).unwrap_err();
/// assert_eq!(refused.refusal, Refusal::UnknownElement);
/// # Ok::<(), chartseal_fhir::ConsentError>(())
/// ```
#[derive(Debug)]
pub enum Consent {}

impl Consent {
    /// The directives that one Consent resource in JSON means, all of them.
    ///
    /// # Errors
    /// [`ConsentError`] names the element and why it can't be read without guessing. Nothing is
    /// imported in part.
    pub fn import(
        json: &[u8],
        dialect: Dialect,
        options: &ConsentOptions,
    ) -> Result<Vec<Imported>, ConsentError> {
        terms::import(json, dialect, options)
    }

    /// A PCF Consent (IHE ITI PCF, the advanced profile) in JSON that means exactly this directive:
    /// [`import`](Self::import) of it, with the same `grantees`, decides every request alike.
    ///
    /// # Errors
    /// [`ExportError`] for whatever PCF can't say, or would say otherwise.
    pub fn export_pcf(
        directive: &Imported,
        context: &PcfContext,
        options: &ConsentOptions,
    ) -> Result<Vec<u8>, ExportError> {
        export::pcf(directive, context, options)
    }
}
