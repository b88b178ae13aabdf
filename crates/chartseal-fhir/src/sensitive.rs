//! Which codes mark a record as sensitive.
//!
//! A help for the author, not a guarantee: free text is not read, a code that isn't in the table is
//! not recognized, and a record that merely refers to a sensitive one stays untagged. The codes that
//! don't occur in the tests' bundles are not yet checked against a terminology server.

use crate::error::{BundleError, EntryPath};
use crate::json::Node;
use crate::labels::{Confidentiality, Tag};

/// What `meta.security` says.
pub(crate) struct Security {
    pub(crate) tags: Vec<Tag>,
    pub(crate) confidentiality: Option<Confidentiality>,
}

/// Reads `meta.security` (hl7.org/fhir/R4/security-labels.html); of several levels the highest counts.
///
/// A label of v3-ActCode without a tag of ours (a taboo, a refrain policy) makes the record R: it
/// asks for care, and nothing finer is understood of it.
pub(crate) fn security(node: &Node<'_>, at: &EntryPath) -> Result<Security, BundleError> {
    let mut found = Security {
        tags: Vec::new(),
        confidentiality: None,
    };
    let labels = node
        .at(&["meta", "security"])
        .map(Node::each)
        .unwrap_or_default();
    for label in labels {
        let (Some(system), Some(code)) = (label.text_at(&["system"]), label.text_at(&["code"]))
        else {
            continue;
        };
        let level = match system {
            "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
            | "http://hl7.org/fhir/v3/Confidentiality"
            | "urn:oid:2.16.840.1.113883.5.25" => {
                Confidentiality::from_code(code).ok_or(BundleError::BadValue {
                    at: at.into(),
                    field: "meta.security",
                    expected: "one of v3-Confidentiality's levels U, L, M, N, R, V",
                })?
            }
            "http://terminology.hl7.org/CodeSystem/v3-ActCode"
            | "http://hl7.org/fhir/v3/ActCode"
            | "urn:oid:2.16.840.1.113883.5.4" => {
                found.tags.extend(of_act_code(code));
                Confidentiality::R
            }
            _ => continue,
        };
        found.confidentiality = found.confidentiality.max(Some(level));
    }
    Ok(found)
}

/// The tags that a record gets from a sensitivity code of v3-ActCode; none for any other code.
pub(crate) fn of_act_code(code: &str) -> impl Iterator<Item = Tag> + '_ {
    SENSITIVITY
        .iter()
        .filter(move |(codes, _)| codes.contains(&code))
        .map(|(_, tag)| *tag)
}

/// The tags of every coding in a resource, at whatever depth.
pub(crate) fn coded(node: &Node<'_>) -> Vec<Tag> {
    let codings = node.walk().filter_map(|node| {
        Some((
            node.get("system")?.text()?.as_ref(),
            node.get("code")?.text()?.as_ref(),
        ))
    });
    let mut tags = Vec::new();
    for (system, code) in codings {
        match system {
            "http://snomed.info/sct" => tags.extend(listed(SNOMED_CT, code)),
            "http://loinc.org" => tags.extend(listed(LOINC, code)),
            "http://www.nlm.nih.gov/research/umls/rxnorm" => tags.extend(listed(RXNORM, code)),
            "http://hl7.org/fhir/sid/icd-10" | "http://hl7.org/fhir/sid/icd-10-cm" => {
                tags.extend(icd_10(code));
            }
            _ => {}
        }
    }
    tags
}

fn listed<'t>(table: &'t [(Tag, &[&str])], code: &'t str) -> impl Iterator<Item = Tag> + 't {
    table
        .iter()
        .filter(move |(_, codes)| codes.contains(&code))
        .map(|(tag, _)| *tag)
}

fn icd_10(code: &str) -> impl Iterator<Item = Tag> + '_ {
    let block = code.get(..3).unwrap_or_default();
    let in_range = ICD_10
        .iter()
        .filter(move |(from, to, _)| (*from..=*to).contains(&block));
    let by_prefix = ICD_10_CODES
        .iter()
        .filter(move |(prefix, _)| code.starts_with(prefix));
    in_range
        .map(|(_, _, tag)| *tag)
        .chain(by_prefix.map(|(_, tag)| *tag))
}

/// v3-ActCode, `InformationSensitivityPolicy`; BH covers mental health and substance use.
const SENSITIVITY: &[(&[&str], Tag)] = &[
    (&["PSY", "MH", "BH", "EMOTDIS", "PSYTHPN"], Tag::Psy),
    (&["SUD", "ETH", "ETHUD", "OPIOIDUD", "BH"], Tag::Sud),
    (&["HIV"], Tag::Hiv),
    (&["SDV", "MST", "VIO"], Tag::Sdv),
    (&["GDIS", "SCA", "SICKLE"], Tag::Gdis),
];

const SNOMED_CT: &[(Tag, &[&str])] = &[
    (
        Tag::Psy,
        &[
            "171207006",       // depression screening
            "454711000124102", // depression screening with PHQ-2
            "35489007",        // depressive disorder
            "370143000",       // major depressive disorder
            "36923009",        // major depression, single episode
            "13746004",        // bipolar disorder
            "58214004",        // schizophrenia
            "47505003",        // posttraumatic stress disorder
            "197480006",       // anxiety disorder
            "21897009",        // generalized anxiety disorder
            "74732009",        // mental disorder
            "406506008",       // attention deficit hyperactivity disorder
            "86849004",        // suicidal deliberate poisoning
        ],
    ),
    (
        Tag::Sud,
        &[
            "7200002",           // alcoholism
            "24165007",          // alcoholism counselling
            "55680006",          // drug overdose
            "56876005",          // drug rehabilitation and detoxification
            "60112009",          // drug addiction counselling
            "61480009",          // drug detoxification
            "266707007",         // drug addiction therapy
            "6525002",           // dependent drug abuse
            "5602001",           // opioid abuse
            "75544000",          // opioid dependence
            "361055000",         // misuses drugs
            "10939881000119105", // unhealthy alcohol drinking behaviour
            "428211000124100",   // assessment of substance use
            "713106006",         // screening for drug abuse
            "763302001",         // assessment with AUDIT-C
        ],
    ),
    (
        Tag::Hiv,
        &[
            "31676001",  // HIV antigen test
            "86406008",  // HIV infection
            "62479008",  // AIDS
            "165816005", // HIV positive
        ],
    ),
    (
        Tag::Sdv,
        &[
            "706893006", // victim of intimate partner abuse
            "424393004", // reports of violence in the environment
            "866148006", // screening for domestic abuse
        ],
    ),
    (
        Tag::Gdis,
        &[
            "190905008", // cystic fibrosis
            "127040003", // sickle cell disease, haemoglobin SS
            "58756001",  // Huntington's disease
            "41040004",  // complete trisomy 21
        ],
    ),
];

const LOINC: &[(Tag, &[&str])] = &[
    (
        Tag::Psy,
        &[
            "44261-6", // PHQ-9 total
            "55758-7", // PHQ-2 total
            "70274-6", // GAD-7 total
        ],
    ),
    (
        Tag::Sud,
        &[
            "75626-2", // AUDIT-C total
            "82667-7", // DAST-10 total
        ],
    ),
    (
        Tag::Hiv,
        &[
            "7917-8",  // HIV 1 antibody
            "56888-1", // HIV 1 and 2 antibody and p24 antigen
            "20447-9", // HIV 1 RNA, viral load
        ],
    ),
    (
        Tag::Sdv,
        &["76504-0"], // HARK total
    ),
];

const RXNORM: &[(Tag, &[&str])] = &[
    (
        Tag::Psy,
        &[
            "36437",  // sertraline
            "4493",   // fluoxetine
            "2556",   // citalopram
            "321988", // escitalopram
            "35636",  // risperidone
            "51272",  // quetiapine
            "61381",  // olanzapine
            "312938", // sertraline 100 mg tablet
            "312940", // sertraline 25 mg tablet
            "312941", // sertraline 50 mg tablet
            "310385", // fluoxetine 20 mg capsule
        ],
    ),
    (
        Tag::Sud,
        &[
            "6813", // methadone
            "1819", // buprenorphine
            "7243", // naltrexone
        ],
    ),
    (
        Tag::Hiv,
        &[
            "11413",  // zidovudine
            "68244",  // lamivudine
            "276237", // emtricitabine
        ],
    ),
];

/// ICD-10 categories, first and last.
const ICD_10: &[(&str, &str, Tag)] = &[
    ("F01", "F09", Tag::Psy),
    ("F10", "F19", Tag::Sud),
    ("F20", "F99", Tag::Psy),
    ("B20", "B24", Tag::Hiv),
    ("Z21", "Z21", Tag::Hiv),
    ("R75", "R75", Tag::Hiv),
    ("T74", "T74", Tag::Sdv),
    ("T76", "T76", Tag::Sdv),
    ("Y07", "Y07", Tag::Sdv),
    ("D57", "D57", Tag::Gdis),
    ("E84", "E84", Tag::Gdis),
    ("G10", "G10", Tag::Gdis),
    ("Q90", "Q99", Tag::Gdis),
    ("Z14", "Z15", Tag::Gdis),
];

/// ICD-10 subcategories, by prefix.
const ICD_10_CODES: &[(&str, Tag)] = &[
    ("B97.35", Tag::Hiv),
    ("O98.7", Tag::Hiv),
    ("Z69.0", Tag::Sdv),
    ("Z69.1", Tag::Sdv),
    ("Z91.4", Tag::Sdv),
];
