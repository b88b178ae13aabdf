use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use chartseal_fhir::{Class, Resource, Tag};
use chartseal_policy::Confidentiality;
use chartseal_wire::Time;

/// What an author files: content, and what it is filed under.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The broad category.
    pub class: Class,
    /// Sensitive contents.
    pub tags: Vec<Tag>,
    /// How confidential. It is visible to node operators.
    pub confidentiality: Confidentiality,
    /// When it was written; `None`, or later than now: now.
    pub authored: Option<Time>,
    /// In which encounter, in the author's words; only a keyed hash of it leaves the app.
    pub encounter: Option<String>,
    /// Not shown to the patient before.
    pub release_at: Option<Time>,
    /// The content's media type.
    pub media_type: &'a str,
    /// The content, byte for byte.
    pub content: &'a [u8],
}

/// The media type of a FHIR resource in JSON.
pub const FHIR_JSON: &str = "application/fhir+json";

impl<'a> Document<'a> {
    /// A document of normal confidentiality, written now.
    pub fn new(class: Class, media_type: &'a str, content: &'a [u8]) -> Self {
        Self {
            class,
            tags: Vec::new(),
            confidentiality: Confidentiality::N,
            authored: None,
            encounter: None,
            release_at: None,
            media_type,
            content,
        }
    }

    /// The document that a clinical FHIR resource is; `None` for an administrative one.
    pub fn from_fhir(resource: &Resource<'a>) -> Option<Self> {
        let labels = resource.labels()?;
        Some(Self {
            class: labels.class,
            tags: labels.tags.clone(),
            confidentiality: confidentiality(labels.confidentiality),
            authored: labels.authored.map(|at| Time(at.as_policy_millis())),
            encounter: labels.encounter.clone(),
            release_at: None,
            media_type: FHIR_JSON,
            content: resource.raw(),
        })
    }

    pub(crate) fn filing(&self) -> Filing {
        Filing {
            class: self.class,
            tags: self.tags.clone(),
        }
    }
}

fn confidentiality(stated: chartseal_fhir::Confidentiality) -> Confidentiality {
    // One table of HL7 codes in two crates that don't know each other.
    stated.as_str().parse().unwrap_or(Confidentiality::V)
}

/// What a record was filed under: sealed beside its content, for whoever opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// The category.
    pub class: Class,
    /// Sensitive contents.
    pub tags: Vec<Tag>,
}

impl Encode for Filing {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).text(self.class.as_str()).array(self.tags.len());
        for tag in &self.tags {
            e.text(tag.as_str());
        }
    }
}

impl Decode for Filing {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("filing").array_exact(2)?;
        let class = Class::from_name(d.at("class").text(64)?);
        let class = class.ok_or_else(|| d.invalid("class is not one of the table"))?;
        let mut tags = Vec::new();
        for _ in 0..d.at("tags").array(Tag::ALL.len())? {
            let tag = d.text(16)?;
            let tag = Tag::ALL.iter().copied().find(|known| known.as_str() == tag);
            tags.push(tag.ok_or_else(|| d.invalid("tag is not one of the table"))?);
        }
        Ok(Self { class, tags })
    }
}
