//! Why a Consent is not read, or not written.

/// Why a Consent was refused, and at which element.
///
/// The element is a path such as `Consent.provision.provision[0].purpose[1]`, made of names that this
/// crate knows and of numbers; nothing of the input is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {refusal}")]
pub struct ConsentError {
    /// The element.
    pub at: String,
    /// What is wrong with it, and what would be right.
    pub refusal: Refusal,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $message:literal;)+) => {
        /// Why an element can't be read without guessing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* #[error($message)] $variant,)+
        }

        impl Refusal {
            /// Every refusal.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its stable name, as `docs/fhir.md` lists it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

refusals! {
    /// Not one JSON document, or one that readers disagree about.
    NotJson, "not_json", "expected one JSON document in UTF-8, at most 100 levels deep, no key twice in an object";
    /// Another resource, or none.
    NotAConsent, "not_a_consent", "expected a resource of type Consent";
    /// Drafts, rejected and ended consents.
    NotActive, "not_active", "only a Consent whose status is active says what may be done";
    /// A consent for treatment, research participation or an advance directive.
    OtherScope, "other_scope", "expected the scope patient-privacy";
    /// An element outside of the dialect, or one that changes the meaning unseen.
    UnknownElement, "unknown_element", "has an element that this dialect does not have, or that is not understood";
    /// An element that selects by something that the policy engine does not select by.
    NotSelectable, "not_selectable", "selects by something that the policy engine does not select by";
    /// The wrong JSON type, or an empty list or string.
    BadValue, "bad_value", "is missing or not of its FHIR type; lists and strings are not empty";
    /// Not a FHIR date.
    BadDate, "bad_date", "expected a FHIR date or time such as 2026, 2026-03-02 or 2026-03-02T10:00:00Z";
    /// An end before the start.
    EmptyPeriod, "empty_period", "the period ends before it begins";
    /// A period on an exception.
    PeriodOnException, "period_on_exception", "an exception holds as long as what it is an exception to, and can't have a period of its own";
    /// A reference that names nothing, or that only its own document understands.
    BadReference, "bad_reference", "expected a reference of the form Type/id or URL/Type/id, at most 64 bytes, without a version";
    /// A group, a team or a practitioner's role that the caller did not map.
    UnknownGrantee, "unknown_grantee", "is nobody whom the network knows by that reference; name whom it means in the options' grantees";
    /// An actor who is not a recipient.
    ActorRole, "actor_role", "expected the role IRCP or PRCP (who receives); the engine can't select by custodian, author or other roles";
    /// A purpose outside of the closed table.
    UnknownPurpose, "unknown_purpose", "expected a purpose of v3-ActReason that the policy engine knows";
    /// An action outside of the table.
    UnknownAction, "unknown_action", "expected the action access, collect or correct of consentaction";
    /// A label outside of the tables.
    UnknownLabel, "unknown_label", "expected a level of v3-Confidentiality or a sensitivity code of v3-ActCode that has a tag";
    /// A permit for a sensitive tag that does not say up to which level.
    TagWithoutLevel, "tag_without_level", "a permit that names a sensitive tag must name a confidentiality besides: the engine permits up to a level, and can't permit what bears a tag alone";
    /// A deny with a level and a tag.
    MixedLabels, "mixed_labels", "a deny with a level and a tag may mean both or either; use one provision for each";
    /// A resource type that shares its record class with others.
    PartOfClass, "part_of_class", "names only a part of a record class; a permit must name every resource type of it";
    /// A data meaning, or a mix of them, that the engine can't say.
    DataMeaning, "data_meaning", "expected one meaning for all data: instance, authoredby, or related to an Encounter";
    /// A base policy that is not understood.
    UnknownPolicyRule, "unknown_policy_rule", "expected the base policy OPTIN or OPTOUT of v3-ActCode";
    /// A root provision without a type: HL7's examples use it for permits and for denies.
    UntypedRoot, "untyped_root", "a root provision without a type that selects something may permit or deny it";
    /// A nested provision without a type.
    UntypedNested, "untyped_nested", "a nested provision must say permit or deny";
    /// Nothing is permitted or denied.
    NoProvision, "no_provision", "says nothing that could be permitted or denied";
    /// A permit for no purpose in particular.
    NoPurpose, "no_purpose", "a permit must name its purposes, itself or by the provision around it";
    /// A permit with additions and exceptions side by side.
    MixedNested, "mixed_nested", "a permit with both permits and denies nested in it does not say which counts where both match; nest one kind";
    /// A provision and the one around it that select by the same.
    TwiceSelected, "twice_selected", "selects by something that the provision around it selects by too, and it isn't said whether both must hold";
    /// A permit nested in a permit, deeper than the first level.
    PermitInPermit, "permit_in_permit", "a permit inside a permitting exception adds nothing that can be placed";
    /// Too many or too deep.
    TooLarge, "too_large", "has more exceptions, levels or values than the policy engine holds";
}

/// What of a directive PCF can't say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A revocation, an approval or an emergency.
    #[error("only grants and restrictions are Consents")]
    Kind,
    /// PCF requires `dateTime`.
    #[error("the directive has no date; a PCF Consent says when it was given")]
    NoDate,
    /// PCF requires `performer`.
    #[error("the directive names no issuer; a PCF Consent says who agreed to it")]
    NoIssuer,
    /// A time outside of FHIR's years.
    #[error("a time lies outside of the years 1 to 9999")]
    Time,
    /// A window that holds nothing.
    #[error("a window or data period ends before it begins")]
    EmptyWindow,
    /// A list that matches nothing.
    #[error("a selector's list is empty and matches nothing; FHIR has no empty list")]
    EmptyList,
    /// An id that is no FHIR reference.
    #[error(
        "an id is no FHIR reference of the kind that its place needs, and the options map none to it"
    )]
    Reference,
    /// A permit without a purpose, or a grant without a grantee: void.
    #[error("a permit names no purpose or a grant no grantee, and so permits nothing")]
    Void,
    /// PCF has no actions.
    #[error("PCF has no actions: a permit is for reading alone, a deny for everything")]
    Actions,
    /// PCF has no classes.
    #[error("PCF has no record classes")]
    Classes,
    /// Several of records, encounters and authors.
    #[error("records, encounters and authors in one provision may mean all or any of them")]
    Data,
    /// A tag without an HL7 code.
    #[error("a tag is none of PSY, SUD, HIV, SDV, GDIS")]
    Tag,
    /// A deny with a level and tags.
    #[error("a deny with a level and tags may mean both or either")]
    MixedLabels,
    /// Delegation.
    #[error("PCF has no delegation: neither a parent nor a depth")]
    Delegation,
    /// Supersession.
    #[error("PCF can't say that a directive supersedes another")]
    Supersedes,
    /// An absolute restriction.
    #[error("PCF can't say that no emergency overrides a restriction")]
    Absolute,
    /// Exceptions of exceptions.
    #[error("PCF allows one level of exceptions")]
    Depth,
    /// An exception with the meaning that PCF gives to something else.
    #[error(
        "a permit inside of a restriction grants in PCF, and a permit inside of a grant is one of its own"
    )]
    NestedPermit,
}
