//! What a record is filed under: class, tags, confidentiality, author, encounter, time.

use std::fmt;

use crate::error::{BundleError, EntryPath};
use crate::json::Node;
use crate::sensitive;
use crate::time::Timestamp;
use crate::types::{Class, ResourceType};

/// What the author's app files a clinical resource under.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels {
    /// The broad category.
    pub class: Class,
    /// Sensitive contents that were recognized, each once, in the order of [`Tag::ALL`].
    ///
    /// Recognition goes by a small code table and `meta.security`: a help for the author, never a
    /// guarantee that an untagged record is harmless.
    pub tags: Vec<Tag>,
    /// How confidential; never below R if there is a tag.
    pub confidentiality: Confidentiality,
    /// The reference to whoever wrote, ordered or performed, as the resource writes it.
    pub author: Option<String>,
    /// The reference to the encounter, as the resource writes it; an Encounter names itself.
    pub encounter: Option<String>,
    /// When it was written or, failing that, when it happened.
    pub authored: Option<Timestamp>,
}

/// Without the content: that a record is tagged says as much as the record.
impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Labels(..)")
    }
}

impl Labels {
    pub(crate) fn read(
        node: &Node<'_>,
        resource_type: ResourceType,
        class: Class,
        own_reference: Option<&str>,
        at: &EntryPath,
    ) -> Result<Self, BundleError> {
        let security = sensitive::security(node, at)?;
        let mut tags = security.tags;
        tags.extend(sensitive::coded(node));
        tags.sort_unstable();
        tags.dedup();
        let floor = if tags.is_empty() {
            Confidentiality::N
        } else {
            Confidentiality::R
        };
        let confidentiality = match security.confidentiality {
            Some(stated) if tags.is_empty() => stated,
            Some(stated) => stated.max(floor),
            None => floor,
        };
        Ok(Self {
            class: refined_class(node, resource_type, class),
            tags,
            confidentiality,
            author: AUTHOR
                .iter()
                .find_map(|path| node.text_at(path))
                .map(str::to_owned),
            encounter: if resource_type.as_str() == "Encounter" {
                own_reference.map(str::to_owned)
            } else {
                ENCOUNTER
                    .iter()
                    .find_map(|path| node.text_at(path))
                    .map(str::to_owned)
            },
            authored: authored(node, at)?,
        })
    }
}

/// Where R4's resources say who is responsible for their content; the first that is there counts.
const AUTHOR: &[&[&str]] = &[
    &["author", "reference"],
    &["recorder", "reference"],
    &["requester", "reference"],
    &["performer", "reference"],
    &["performer", "actor", "reference"],
    &["asserter", "reference"],
    &["provider", "reference"],
    &["participant", "individual", "reference"],
    &["sender", "reference"],
    &["operator", "reference"],
];

/// Where they say in which encounter.
const ENCOUNTER: &[&[&str]] = &[
    &["encounter", "reference"],
    &["context", "reference"],
    &["context", "encounter", "reference"],
    &["item", "encounter", "reference"],
];

/// Where they say when, with the name that an error gives; the first that is there counts.
const AUTHORED: &[(&[&str], &str)] = &[
    (&["issued"], "issued"),
    (&["effectiveDateTime"], "effectiveDateTime"),
    (&["effectiveInstant"], "effectiveInstant"),
    (&["effectivePeriod", "start"], "effectivePeriod.start"),
    (&["recordedDate"], "recordedDate"),
    (&["recorded"], "recorded"),
    (&["authoredOn"], "authoredOn"),
    (&["authored"], "authored"),
    (&["dateAsserted"], "dateAsserted"),
    (&["occurrenceDateTime"], "occurrenceDateTime"),
    (&["occurrencePeriod", "start"], "occurrencePeriod.start"),
    (&["performedDateTime"], "performedDateTime"),
    (&["performedPeriod", "start"], "performedPeriod.start"),
    (&["whenHandedOver"], "whenHandedOver"),
    (&["period", "start"], "period.start"),
    (&["created"], "created"),
    (&["billablePeriod", "start"], "billablePeriod.start"),
    (&["sent"], "sent"),
    (&["date"], "date"),
    (&["started"], "started"),
    (&["start"], "start"),
    (&["startDate"], "startDate"),
    (&["onsetDateTime"], "onsetDateTime"),
    (&["onsetPeriod", "start"], "onsetPeriod.start"),
    (&["dateTime"], "dateTime"),
    (&["meta", "lastUpdated"], "meta.lastUpdated"),
];

fn authored(node: &Node<'_>, at: &EntryPath) -> Result<Option<Timestamp>, BundleError> {
    let stated = AUTHORED
        .iter()
        .find_map(|(path, field)| Some((node.text_at(path)?, *field)));
    stated
        .map(|(text, field)| {
            // A record without its time would slip past a directive over a period.
            Timestamp::parse(text).ok_or(BundleError::BadValue {
                at: at.into(),
                field,
                expected: "a FHIR date or time such as 2019, 2019-02-01 or 2019-02-01T10:00:00Z",
            })
        })
        .transpose()
}

/// Observations and reports are filed by their category, the first that has a class.
fn refined_class(node: &Node<'_>, resource_type: ResourceType, class: Class) -> Class {
    if !matches!(resource_type.as_str(), "Observation" | "DiagnosticReport") {
        return class;
    }
    let categories = node.get("category").map(Node::each).unwrap_or_default();
    categories
        .iter()
        .flat_map(|category| category.get("coding").map(Node::each).unwrap_or_default())
        .filter_map(|coding| coding.text_at(&["code"]))
        .find_map(|code| {
            CATEGORY
                .iter()
                .find(|(codes, _)| codes.contains(&code))
                .map(|(_, class)| *class)
        })
        .unwrap_or(class)
}

/// The category codes that file an Observation or a report under a class.
pub(crate) fn category_codes(class: Class) -> &'static [&'static str] {
    let row = CATEGORY.iter().find(|(_, filed)| *filed == class);
    row.map_or(&[], |(codes, _)| codes)
}

/// Codes of HL7's observation-category and of v2 table 0074 (diagnostic service sections).
const CATEGORY: &[(&[&str], Class)] = &[
    (
        &[
            "laboratory",
            "LAB",
            "BG",
            "BLB",
            "CG",
            "CH",
            "CP",
            "GE",
            "HM",
            "IMM",
            "MB",
            "MCB",
            "MYC",
            "OSL",
            "PAT",
            "SP",
            "SR",
            "TX",
            "VR",
        ],
        Class::LABORATORY,
    ),
    (&["vital-signs"], Class::VITAL_SIGNS),
    (&["social-history"], Class::SOCIAL_HISTORY),
    (&["survey"], Class::SURVEY),
    (
        &[
            "imaging", "RAD", "CT", "CUS", "NMR", "NMS", "OUS", "RUS", "RX", "VUS", "XRC",
        ],
        Class::IMAGING,
    ),
    (&["exam"], Class::EXAM),
    (&["procedure"], Class::PROCEDURE),
    (&["activity"], Class::ACTIVITY),
    (&["therapy"], Class::THERAPY),
];

/// A sensitive content that a grant must name one by one.
///
/// The codes are HL7's (v3-ActCode, `InformationSensitivityPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag {
    /// Psychiatric and mental health.
    Psy,
    /// Substance use disorder.
    Sud,
    /// HIV and AIDS.
    Hiv,
    /// Sexual assault, abuse and domestic violence.
    Sdv,
    /// Genetic disease.
    Gdis,
}

impl Tag {
    /// Every tag.
    pub const ALL: [Self; 5] = [Self::Psy, Self::Sud, Self::Hiv, Self::Sdv, Self::Gdis];

    /// The code: `PSY`, `SUD`, `HIV`, `SDV` or `GDIS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Psy => "PSY",
            Self::Sud => "SUD",
            Self::Hiv => "HIV",
            Self::Sdv => "SDV",
            Self::Gdis => "GDIS",
        }
    }

    /// The tag of this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.as_str() == code)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// HL7's v3-Confidentiality, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidentiality {
    /// Unrestricted.
    U,
    /// Low.
    L,
    /// Moderate.
    M,
    /// Normal: what a record has that doesn't say.
    N,
    /// Restricted.
    R,
    /// Very restricted.
    V,
}

impl Confidentiality {
    /// Every code, lowest first.
    pub const ALL: [Self; 6] = [Self::U, Self::L, Self::M, Self::N, Self::R, Self::V];

    /// The code: `U`, `L`, `M`, `N`, `R` or `V`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::U => "U",
            Self::L => "L",
            Self::M => "M",
            Self::N => "N",
            Self::R => "R",
            Self::V => "V",
        }
    }

    /// The confidentiality of this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == code)
    }
}

impl fmt::Display for Confidentiality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
