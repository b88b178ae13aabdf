//! This crate's domain-separation strings.

/// A blinded label of a record's category.
pub const LABEL: &str = "chartseal/label/1";
/// The key under which a patient's authors blind encounters.
pub const ENCOUNTER_KEY: &str = "chartseal/encounter-key/1";
/// A blinded encounter.
pub const ENCOUNTER: &str = "chartseal/encounter/1";
/// The key of one author's fingerprints for one patient.
pub const FINGERPRINT_KEY: &str = "chartseal/fingerprint-key/1";
/// A record's fingerprint, against storing it twice.
pub const FINGERPRINT: &str = "chartseal/fingerprint/1";
/// The purpose of a sealed reason text.
pub const REASON: &str = "chartseal/text/reason/1";
/// The purpose of a sealed invitation.
pub const INVITATION: &str = "chartseal/text/invitation/1";
/// A person's secret beside the signing and KEM keys, from the one seed.
pub const PERSON_SECRET: &str = "chartseal/person-secret/1";

/// Every string of this table.
pub const ALL: &[&str] = &[
    LABEL,
    ENCOUNTER_KEY,
    ENCOUNTER,
    FINGERPRINT_KEY,
    FINGERPRINT,
    REASON,
    INVITATION,
    PERSON_SECRET,
];
