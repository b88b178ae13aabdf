//! FHIR bundles that must be refused, and one that must not.

use std::fmt::Write;

/// A bundle that must be refused with one clear error.
#[derive(Clone, Copy)]
pub struct BadBundle {
    /// What is wrong with it, as a file name without extension.
    pub name: &'static str,
    /// A part of the error's message.
    pub expect: &'static str,
    make: fn() -> Vec<u8>,
}

impl BadBundle {
    /// The input, made anew on each call: one of them is longer than 64 MiB.
    pub fn bytes(&self) -> Vec<u8> {
        (self.make)()
    }
}

/// Words that stand for a person in every bad bundle with a patient: no error may repeat one.
pub const CANARIES: &[&str] = &["Quillfeather", "canary", "1931-07-09"];

/// Every bad bundle.
pub fn all() -> Vec<BadBundle> {
    CASES
        .iter()
        .map(|(name, expect, make)| BadBundle {
            name,
            expect,
            make: *make,
        })
        .collect()
}

/// A bundle of one patient with `n` resources, always the same for the same `n`; `n` is at least 1.
///
/// The first is the Patient; the others are Observations of some 900 bytes each, laboratory results
/// and vital signs.
pub fn bundle_of(n: usize) -> Vec<u8> {
    const CODES: [(&str, &str, &str, &str); 4] = [
        (
            "laboratory",
            "4548-4",
            "Hemoglobin A1c/Hemoglobin.total in Blood",
            "%",
        ),
        (
            "laboratory",
            "2160-0",
            "Creatinine [Mass/volume] in Serum or Plasma",
            "mg/dL",
        ),
        (
            "laboratory",
            "2345-7",
            "Glucose [Mass/volume] in Serum or Plasma",
            "mg/dL",
        ),
        ("vital-signs", "8867-4", "Heart rate", "/min"),
    ];
    let mut entries = vec![PATIENT.to_owned()];
    for (index, (category, code, display, unit)) in (1..n).zip(CODES.iter().cycle()) {
        let (day, tenths) = (index % 28 + 1, index * 7 % 100);
        entries.push(entry(
            &format!("00000000-0000-4000-8000-{index:012}"),
            &format!(
                r#"{{
      "resourceType": "Observation",
      "id": "00000000-0000-4000-8000-{index:012}",
      "status": "final",
      "category": [{{
        "coding": [{{
          "system": "http://terminology.hl7.org/CodeSystem/observation-category",
          "code": "{category}"
        }}]
      }}],
      "code": {{
        "coding": [{{ "system": "http://loinc.org", "code": "{code}", "display": "{display}" }}],
        "text": "{display}"
      }},
      "subject": {{ "reference": "urn:uuid:canary-p" }},
      "effectiveDateTime": "2026-03-{day:02}T08:30:00+00:00",
      "issued": "2026-03-{day:02}T11:00:00.000+00:00",
      "valueQuantity": {{
        "value": {}.{tenths:02},
        "unit": "{unit}",
        "system": "http://unitsofmeasure.org",
        "code": "{unit}"
      }}
    }}"#,
                index % 90 + 4
            ),
        ));
    }
    bundle(&entries)
}

type Case = (&'static str, &'static str, fn() -> Vec<u8>);

const CASES: &[Case] = &[
    ("empty", "the input is empty", Vec::new),
    ("white-space", "the input is empty", || {
        b" \r\n\t\n".to_vec()
    }),
    ("truncated", "the file was cut off", || {
        cut(bundle_of(3), 1500)
    }),
    ("truncated-at-the-last-byte", "the file was cut off", || {
        let whole = bundle_of(3);
        let length = whole.len();
        cut(whole, length - 1)
    }),
    ("not-json", "not JSON at line 1, column 1", || {
        b"Bundle of Quillfeather".to_vec()
    }),
    ("two-documents", "not JSON at line", || {
        [bundle_of(2), bundle_of(2)].concat()
    }),
    ("invalid-utf-8", "not valid UTF-8", || {
        replace(bundle_of(1), b"Quillfeather", b"Quillf\xE9ather")
    }),
    ("utf-16", "not valid UTF-8", || {
        let text = String::from_utf8_lossy(&bundle_of(1)).into_owned();
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    }),
    ("byte-order-mark", "byte-order mark", || {
        [b"\xEF\xBB\xBF".to_vec(), bundle_of(1)].concat()
    }),
    ("deep-open", "nested deeper than 100 levels", || {
        b"[".repeat(100_000)
    }),
    ("deep-arrays", "nested deeper than 100 levels", || {
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()
    }),
    (
        "deep-in-a-resource",
        "nested deeper than 100 levels",
        || {
            let deep = format!(
                "{}{}",
                r#"{"extension":["#.repeat(50_000),
                "]}".repeat(50_000)
            );
            let observation =
                OBSERVATION.replace("\"status\"", &format!("\"x\": {deep}, \"status\""));
            bundle(&[PATIENT.to_owned(), entry("canary-o", &observation)])
        },
    ),
    ("a-patient", "is \"Patient\", not a Bundle", || {
        br#"{"resourceType": "Patient", "id": "canary", "name": [{"family": "Quillfeather"}]}"#
            .to_vec()
    }),
    ("an-array", "not a Bundle", || {
        br#"[{"resourceType": "Bundle"}]"#.to_vec()
    }),
    ("a-string", "not a Bundle", || br#""Quillfeather""#.to_vec()),
    (
        "no-type",
        "an object without `resourceType`, not a Bundle",
        || br#"{"entry": []}"#.to_vec(),
    ),
    (
        "entry-no-array",
        "the bundle: `entry` is not an array",
        || br#"{"resourceType": "Bundle", "entry": {"fullUrl": "canary"}}"#.to_vec(),
    ),
    (
        "entry-no-object",
        "entry 1: `entry` is not a JSON object",
        || bundle(&[PATIENT.to_owned(), "\"Quillfeather\"".to_owned()]),
    ),
    ("no-resource", "entry 1 has no `resource`", || {
        let delete = r#"{"request": {"method": "DELETE", "url": "Patient/canary"}}"#;
        bundle(&[PATIENT.to_owned(), delete.to_owned()])
    }),
    (
        "null-resource",
        "entry 1: `resource` is not a JSON object",
        || with("null"),
    ),
    ("no-resource-type", "entry 1 has no `resourceType`", || {
        with(&OBSERVATION.replace("\"resourceType\": \"Observation\",", ""))
    }),
    (
        "resource-type-no-string",
        "entry 1: `resourceType` is not a string",
        || with(&OBSERVATION.replace("\"Observation\"", "5")),
    ),
    (
        "unknown-resource-type",
        "entry 1 is \"Permission\", no resource type of FHIR R4",
        || with(&OBSERVATION.replace("\"Observation\"", "\"Permission\"")),
    ),
    (
        "person-as-resource-type",
        "entry 1 is something that is no word",
        || with(&OBSERVATION.replace("\"Observation\"", "\"B. Quillfeather\"")),
    ),
    (
        "two-patients",
        "2 patients in one bundle: entry 1 is about another patient",
        || with(r#"{"resourceType": "Patient", "id": "canary-2"}"#),
    ),
    (
        "two-subjects",
        "2 patients in one bundle: entry 1 is about another patient",
        || with(&OBSERVATION.replace("urn:uuid:canary-p", "Patient/canary-2")),
    ),
    (
        "two-patients-within",
        "bundles within a bundle that mean 2 patients: entry 1 → entry 0",
        || {
            let other = PATIENT.replace("canary-p", "canary-2");
            with(&String::from_utf8_lossy(&bundle(&[other])))
        },
    ),
    ("a-contained-patient", "2 patients in one bundle", || {
        let contained = r#""contained": [{"resourceType": "Patient", "id": "canary-c"}], "status""#;
        with(
            &OBSERVATION
                .replace("urn:uuid:canary-p", "#canary-c")
                .replace("\"status\"", contained),
        )
    }),
    ("no-patient", "no patient", || {
        bundle(&[entry(
            "canary-o",
            r#"{"resourceType": "Organization", "id": "canary-o"}"#,
        )])
    }),
    ("no-entries", "no patient", || {
        br#"{"resourceType": "Bundle", "type": "batch"}"#.to_vec()
    }),
    (
        "one-id-two-contents",
        "entry 2 has the same type and id as entry 1 but",
        || {
            let other = OBSERVATION.replace("1.10", "1.1");
            bundle(&[
                PATIENT.to_owned(),
                entry("canary-o", OBSERVATION),
                entry("canary-q", &other),
            ])
        },
    ),
    (
        "one-address-two-contents",
        "entry 2 has the same fullUrl as entry 1 but",
        || {
            let other = OBSERVATION.replace("\"canary-o\"", "\"canary-q\"");
            bundle(&[
                PATIENT.to_owned(),
                entry("canary-o", OBSERVATION),
                entry("canary-o", &other),
            ])
        },
    ),
    (
        "dangling-reference",
        "entry 1 (Observation) refers to a `urn:` address",
        || {
            let encounter = r#""encounter": {"reference": "urn:uuid:canary-gone"}, "status""#;
            with(&OBSERVATION.replace("\"status\"", encounter))
        },
    ),
    ("no-id", "entry 1: `id` is not a FHIR id", || {
        with(&OBSERVATION.replace("\"canary-o\"", "\"B. Quillfeather\""))
    }),
    (
        "no-date",
        "entry 1: `effectiveDateTime` is not a FHIR date",
        || with(&OBSERVATION.replace("2026-03-02", "9 July, 1931-07-09")),
    ),
    (
        "no-confidentiality",
        "entry 1: `meta.security` is not one of",
        || {
            let security = r#""meta": {"security": [{"code": "canary", "system":
            "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"}]}, "status""#;
            with(&OBSERVATION.replace("\"status\"", security))
        },
    ),
    (
        "key-twice-in-a-resource",
        "entry 1 has the key \"value\" twice",
        || with(&OBSERVATION.replace("1.10", "1.10, \"value\": 9.9")),
    ),
    (
        "type-twice",
        "entry 1 has the key \"resourceType\" twice",
        || with(&OBSERVATION.replace("\"status\"", "\"resourceType\": \"Basic\", \"status\"")),
    ),
    (
        "key-twice-in-an-entry",
        "entry 0 has the key \"resource\" twice",
        || bundle(&[PATIENT.replace("\"fullUrl\"", "\"resource\": {}, \"fullUrl\"")]),
    ),
    (
        "entries-twice",
        "the bundle has the key \"entry\" twice",
        || replace(bundle_of(1), b"\"type\"", b"\"entry\": [], \"type\""),
    ),
    (
        "unpaired-surrogate",
        "entry 1 has a string with an unpaired surrogate",
        || with(&OBSERVATION.replace("mg/dL", r"mg\uD83Dcanary")),
    ),
    ("endless-number", "a number beyond a double's range", || {
        with(&OBSERVATION.replace("1.10", "1e999"))
    }),
    ("bundles-too-deep", "more than 4 deep", || {
        let mut inner = bundle_of(1);
        for _ in 0..4 {
            inner = bundle(&[entry("canary-b", &String::from_utf8_lossy(&inner))]);
        }
        inner
    }),
    ("over-64-mib", "entry 1 is 67", || {
        with(&OBSERVATION.replace("mg/dL", &"x".repeat(64 * 1024 * 1024)))
    }),
];

const PATIENT: &str = r#"{"fullUrl": "urn:uuid:canary-p", "resource": {"resourceType": "Patient",
    "id": "canary-p", "name": [{"family": "Quillfeather"}], "birthDate": "1931-07-09"}}"#;

const OBSERVATION: &str = r#"{"resourceType": "Observation", "id": "canary-o", "status": "final",
    "code": {"text": "Creatinine"}, "subject": {"reference": "urn:uuid:canary-p"},
    "effectiveDateTime": "2026-03-02", "valueQuantity": {"value": 1.10, "unit": "mg/dL"}}"#;

/// The patient, and after them this resource.
fn with(resource: &str) -> Vec<u8> {
    bundle(&[PATIENT.to_owned(), entry("canary-o", resource)])
}

fn entry(uuid: &str, resource: &str) -> String {
    format!(r#"{{"fullUrl": "urn:uuid:{uuid}", "resource": {resource}}}"#)
}

fn bundle(entries: &[String]) -> Vec<u8> {
    let mut text = String::from("{\n  \"resourceType\": \"Bundle\",\n  \"type\": \"collection\",");
    // Writing to a String can't fail.
    let _ = write!(
        text,
        "\n  \"entry\": [\n    {}\n  ]\n}}",
        entries.join(",\n    ")
    );
    text.into_bytes()
}

fn cut(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.truncate(length);
    bytes
}

/// Replaces the first occurrence.
fn replace(bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => {
            let (before, rest) = bytes.split_at(at);
            let after = rest.get(from.len()..).unwrap_or_default();
            [before, to, after].concat()
        }
        None => bytes,
    }
}
