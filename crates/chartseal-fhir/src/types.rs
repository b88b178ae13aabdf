//! FHIR R4's resource types and the record class of each.

use std::fmt;

/// The broad category of a record: what a patient's grant names ("laboratory results").
///
/// The strings are stable: they are blinded into labels on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(&'static str);

impl Class {
    /// `Patient`, `Person`.
    pub const PATIENT: Self = Self("patient");
    /// `RelatedPerson`.
    pub const RELATED_PERSON: Self = Self("related-person");
    /// `Encounter`, `EpisodeOfCare`.
    pub const ENCOUNTER: Self = Self("encounter");
    /// `Appointment`, `AppointmentResponse`.
    pub const APPOINTMENT: Self = Self("appointment");
    /// `Condition`, `ClinicalImpression`, `DetectedIssue`, `RiskAssessment`, `Flag`.
    pub const CONDITION: Self = Self("condition");
    /// `AllergyIntolerance`.
    pub const ALLERGY: Self = Self("allergy");
    /// `AdverseEvent`.
    pub const ADVERSE_EVENT: Self = Self("adverse-event");
    /// Laboratory observations and reports.
    pub const LABORATORY: Self = Self("laboratory");
    /// Vital signs.
    pub const VITAL_SIGNS: Self = Self("vital-signs");
    /// Social history: smoking, housing, work.
    pub const SOCIAL_HISTORY: Self = Self("social-history");
    /// Findings of a physical examination.
    pub const EXAM: Self = Self("exam");
    /// Physical activity and steps.
    pub const ACTIVITY: Self = Self("activity");
    /// Observations made during therapy.
    pub const THERAPY: Self = Self("therapy");
    /// Observations that name no category.
    pub const OBSERVATION: Self = Self("observation");
    /// Reports that are neither laboratory nor imaging.
    pub const DIAGNOSTIC_REPORT: Self = Self("diagnostic-report");
    /// `Specimen`, `BodyStructure`, `BiologicallyDerivedProduct`.
    pub const SPECIMEN: Self = Self("specimen");
    /// `MolecularSequence`.
    pub const GENOMICS: Self = Self("genomics");
    /// `ImagingStudy`, `Media`.
    pub const IMAGING: Self = Self("imaging");
    /// `Medication`, `MedicationAdministration`, `MedicationDispense`, `MedicationRequest`, `MedicationStatement`.
    pub const MEDICATION: Self = Self("medication");
    /// `Immunization`, `ImmunizationEvaluation`, `ImmunizationRecommendation`.
    pub const IMMUNIZATION: Self = Self("immunization");
    /// `Procedure`.
    pub const PROCEDURE: Self = Self("procedure");
    /// `Device`, `DeviceRequest`, `DeviceUseStatement`.
    pub const DEVICE: Self = Self("device");
    /// `ServiceRequest`, `RequestGroup`, `SupplyRequest`, `SupplyDelivery`, `VisionPrescription`, `Task`, `GuidanceResponse`.
    pub const ORDER: Self = Self("order");
    /// `NutritionOrder`.
    pub const NUTRITION: Self = Self("nutrition");
    /// `CarePlan`, `CareTeam`, `Goal`.
    pub const CARE_PLAN: Self = Self("care-plan");
    /// `FamilyMemberHistory`.
    pub const FAMILY_HISTORY: Self = Self("family-history");
    /// `QuestionnaireResponse`.
    pub const SURVEY: Self = Self("survey");
    /// `Binary`, `Composition`, `DocumentManifest`, `DocumentReference`, `List`.
    pub const DOCUMENT: Self = Self("document");
    /// `Communication`, `CommunicationRequest`.
    pub const COMMUNICATION: Self = Self("communication");
    /// `Account`, `ChargeItem`, `Claim`, `ClaimResponse`, `CoverageEligibilityRequest`, `CoverageEligibilityResponse`, `EnrollmentRequest`, `ExplanationOfBenefit`, `Invoice`.
    pub const CLAIM: Self = Self("claim");
    /// `Coverage`, `Contract`.
    pub const COVERAGE: Self = Self("coverage");
    /// `ResearchSubject`, `MeasureReport`.
    pub const RESEARCH: Self = Self("research");
    /// `Consent`.
    pub const CONSENT: Self = Self("consent");
    /// `AuditEvent`, `Provenance`.
    pub const AUDIT: Self = Self("audit");
    /// `Basic`, `Linkage`, `Parameters`.
    pub const OTHER: Self = Self("other");

    /// Every class, each once.
    pub const ALL: &[Self] = &[
        Self::PATIENT,
        Self::RELATED_PERSON,
        Self::ENCOUNTER,
        Self::APPOINTMENT,
        Self::CONDITION,
        Self::ALLERGY,
        Self::ADVERSE_EVENT,
        Self::LABORATORY,
        Self::VITAL_SIGNS,
        Self::SOCIAL_HISTORY,
        Self::EXAM,
        Self::ACTIVITY,
        Self::THERAPY,
        Self::OBSERVATION,
        Self::DIAGNOSTIC_REPORT,
        Self::SPECIMEN,
        Self::GENOMICS,
        Self::IMAGING,
        Self::MEDICATION,
        Self::IMMUNIZATION,
        Self::PROCEDURE,
        Self::DEVICE,
        Self::ORDER,
        Self::NUTRITION,
        Self::CARE_PLAN,
        Self::FAMILY_HISTORY,
        Self::SURVEY,
        Self::DOCUMENT,
        Self::COMMUNICATION,
        Self::CLAIM,
        Self::COVERAGE,
        Self::RESEARCH,
        Self::CONSENT,
        Self::AUDIT,
        Self::OTHER,
    ];

    /// The stable string.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The class of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.0 == name)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One of the 146 resource types of FHIR R4 4.0.1 (hl7.org/fhir/R4/resourcelist.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType {
    name: &'static str,
    class: Option<Class>,
}

impl ResourceType {
    /// The type of this name, or `None` if R4 has none.
    pub fn from_name(name: &str) -> Option<Self> {
        let at = TYPES
            .binary_search_by(|(known, _)| (*known).cmp(name))
            .ok()?;
        TYPES.get(at).map(|(name, class)| Self {
            name,
            class: *class,
        })
    }

    /// Every type, by name.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(|(name, class)| Self {
            name,
            class: *class,
        })
    }

    /// Its name, such as `Observation`.
    pub fn as_str(self) -> &'static str {
        self.name
    }

    /// What a resource of this type is filed under if it says nothing more precise; `None` for
    /// administrative types, which are about nobody's health.
    pub fn class(self) -> Option<Class> {
        self.class
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Type and class, sorted by name. `None` is administrative: definitions, terminology, organizations,
/// people in their job, bundles' own plumbing. Whatever can be about a patient has a class, so that
/// it is sealed; a `Group` has none, because it is about several.
const TYPES: &[(&str, Option<Class>)] = &[
    ("Account", Some(Class::CLAIM)),
    ("ActivityDefinition", None),
    ("AdverseEvent", Some(Class::ADVERSE_EVENT)),
    ("AllergyIntolerance", Some(Class::ALLERGY)),
    ("Appointment", Some(Class::APPOINTMENT)),
    ("AppointmentResponse", Some(Class::APPOINTMENT)),
    ("AuditEvent", Some(Class::AUDIT)),
    ("Basic", Some(Class::OTHER)),
    ("Binary", Some(Class::DOCUMENT)),
    ("BiologicallyDerivedProduct", Some(Class::SPECIMEN)),
    ("BodyStructure", Some(Class::SPECIMEN)),
    ("Bundle", None),
    ("CapabilityStatement", None),
    ("CarePlan", Some(Class::CARE_PLAN)),
    ("CareTeam", Some(Class::CARE_PLAN)),
    ("CatalogEntry", None),
    ("ChargeItem", Some(Class::CLAIM)),
    ("ChargeItemDefinition", None),
    ("Claim", Some(Class::CLAIM)),
    ("ClaimResponse", Some(Class::CLAIM)),
    ("ClinicalImpression", Some(Class::CONDITION)),
    ("CodeSystem", None),
    ("Communication", Some(Class::COMMUNICATION)),
    ("CommunicationRequest", Some(Class::COMMUNICATION)),
    ("CompartmentDefinition", None),
    ("Composition", Some(Class::DOCUMENT)),
    ("ConceptMap", None),
    ("Condition", Some(Class::CONDITION)),
    ("Consent", Some(Class::CONSENT)),
    ("Contract", Some(Class::COVERAGE)),
    ("Coverage", Some(Class::COVERAGE)),
    ("CoverageEligibilityRequest", Some(Class::CLAIM)),
    ("CoverageEligibilityResponse", Some(Class::CLAIM)),
    ("DetectedIssue", Some(Class::CONDITION)),
    ("Device", Some(Class::DEVICE)),
    ("DeviceDefinition", None),
    ("DeviceMetric", None),
    ("DeviceRequest", Some(Class::DEVICE)),
    ("DeviceUseStatement", Some(Class::DEVICE)),
    ("DiagnosticReport", Some(Class::DIAGNOSTIC_REPORT)),
    ("DocumentManifest", Some(Class::DOCUMENT)),
    ("DocumentReference", Some(Class::DOCUMENT)),
    ("EffectEvidenceSynthesis", None),
    ("Encounter", Some(Class::ENCOUNTER)),
    ("Endpoint", None),
    ("EnrollmentRequest", Some(Class::CLAIM)),
    ("EnrollmentResponse", None),
    ("EpisodeOfCare", Some(Class::ENCOUNTER)),
    ("EventDefinition", None),
    ("Evidence", None),
    ("EvidenceVariable", None),
    ("ExampleScenario", None),
    ("ExplanationOfBenefit", Some(Class::CLAIM)),
    ("FamilyMemberHistory", Some(Class::FAMILY_HISTORY)),
    ("Flag", Some(Class::CONDITION)),
    ("Goal", Some(Class::CARE_PLAN)),
    ("GraphDefinition", None),
    ("Group", None),
    ("GuidanceResponse", Some(Class::ORDER)),
    ("HealthcareService", None),
    ("ImagingStudy", Some(Class::IMAGING)),
    ("Immunization", Some(Class::IMMUNIZATION)),
    ("ImmunizationEvaluation", Some(Class::IMMUNIZATION)),
    ("ImmunizationRecommendation", Some(Class::IMMUNIZATION)),
    ("ImplementationGuide", None),
    ("InsurancePlan", None),
    ("Invoice", Some(Class::CLAIM)),
    ("Library", None),
    ("Linkage", Some(Class::OTHER)),
    ("List", Some(Class::DOCUMENT)),
    ("Location", None),
    ("Measure", None),
    ("MeasureReport", Some(Class::RESEARCH)),
    ("Media", Some(Class::IMAGING)),
    ("Medication", Some(Class::MEDICATION)),
    ("MedicationAdministration", Some(Class::MEDICATION)),
    ("MedicationDispense", Some(Class::MEDICATION)),
    ("MedicationKnowledge", None),
    ("MedicationRequest", Some(Class::MEDICATION)),
    ("MedicationStatement", Some(Class::MEDICATION)),
    ("MedicinalProduct", None),
    ("MedicinalProductAuthorization", None),
    ("MedicinalProductContraindication", None),
    ("MedicinalProductIndication", None),
    ("MedicinalProductIngredient", None),
    ("MedicinalProductInteraction", None),
    ("MedicinalProductManufactured", None),
    ("MedicinalProductPackaged", None),
    ("MedicinalProductPharmaceutical", None),
    ("MedicinalProductUndesirableEffect", None),
    ("MessageDefinition", None),
    ("MessageHeader", None),
    ("MolecularSequence", Some(Class::GENOMICS)),
    ("NamingSystem", None),
    ("NutritionOrder", Some(Class::NUTRITION)),
    ("Observation", Some(Class::OBSERVATION)),
    ("ObservationDefinition", None),
    ("OperationDefinition", None),
    ("OperationOutcome", None),
    ("Organization", None),
    ("OrganizationAffiliation", None),
    ("Parameters", Some(Class::OTHER)),
    ("Patient", Some(Class::PATIENT)),
    ("PaymentNotice", None),
    ("PaymentReconciliation", None),
    ("Person", Some(Class::PATIENT)),
    ("PlanDefinition", None),
    ("Practitioner", None),
    ("PractitionerRole", None),
    ("Procedure", Some(Class::PROCEDURE)),
    ("Provenance", Some(Class::AUDIT)),
    ("Questionnaire", None),
    ("QuestionnaireResponse", Some(Class::SURVEY)),
    ("RelatedPerson", Some(Class::RELATED_PERSON)),
    ("RequestGroup", Some(Class::ORDER)),
    ("ResearchDefinition", None),
    ("ResearchElementDefinition", None),
    ("ResearchStudy", None),
    ("ResearchSubject", Some(Class::RESEARCH)),
    ("RiskAssessment", Some(Class::CONDITION)),
    ("RiskEvidenceSynthesis", None),
    ("Schedule", None),
    ("SearchParameter", None),
    ("ServiceRequest", Some(Class::ORDER)),
    ("Slot", None),
    ("Specimen", Some(Class::SPECIMEN)),
    ("SpecimenDefinition", None),
    ("StructureDefinition", None),
    ("StructureMap", None),
    ("Subscription", None),
    ("Substance", None),
    ("SubstanceNucleicAcid", None),
    ("SubstancePolymer", None),
    ("SubstanceProtein", None),
    ("SubstanceReferenceInformation", None),
    ("SubstanceSourceMaterial", None),
    ("SubstanceSpecification", None),
    ("SupplyDelivery", Some(Class::ORDER)),
    ("SupplyRequest", Some(Class::ORDER)),
    ("Task", Some(Class::ORDER)),
    ("TerminologyCapabilities", None),
    ("TestReport", None),
    ("TestScript", None),
    ("ValueSet", None),
    ("VerificationResult", None),
    ("VisionPrescription", Some(Class::ORDER)),
];

#[cfg(test)]
mod tests {
    use super::{Class, ResourceType, TYPES};

    #[test]
    fn the_table_is_sorted_and_has_every_r4_type() {
        assert_eq!(TYPES.len(), 146);
        assert!(
            TYPES
                .iter()
                .zip(TYPES.iter().skip(1))
                .all(|(a, b)| a.0 < b.0)
        );
        for (name, _) in TYPES {
            assert_eq!(ResourceType::from_name(name).unwrap().as_str(), *name);
        }
        for name in [
            "",
            "observation",
            "Permission",
            "Resource",
            "DomainResource",
            "Observation ",
        ] {
            assert_eq!(ResourceType::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn class_names_are_unique_and_read_back() {
        for (at, class) in Class::ALL.iter().enumerate() {
            assert_eq!(Class::from_name(class.as_str()), Some(*class));
            assert!(!Class::ALL[..at].contains(class), "{class}");
        }
        assert!(
            TYPES
                .iter()
                .filter_map(|row| row.1)
                .all(|class| Class::ALL.contains(&class))
        );
    }
}
