//! Bad input: one clear error each, never a panic, never PHI.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use chartseal_fhir::{Bundle, MAX_NESTING, MAX_RESOURCE_BYTES, Resource, Timestamp};
use chartseal_testkit::bad_bundles::{self, CANARIES};
use proptest::prelude::*;

#[test]
fn each_bad_bundle_is_refused_for_its_own_reason() {
    for bad in bad_bundles::all() {
        let error = Bundle::parse(&bad.bytes()).err();
        let message = error
            .unwrap_or_else(|| panic!("{} is accepted", bad.name))
            .to_string();
        assert!(message.contains(bad.expect), "{}: {message}", bad.name);
    }
}

#[test]
fn no_error_repeats_what_could_identify_a_person() {
    for bad in bad_bundles::all() {
        let error = Bundle::parse(&bad.bytes()).unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            for canary in CANARIES {
                assert!(!text.contains(canary), "{}: {text}", bad.name);
            }
        }
    }
}

#[test]
fn what_was_parsed_shows_nothing_of_its_content_in_debug() {
    let bytes = bad_bundles::bundle_of(3);
    let bundle = Bundle::parse(&bytes).unwrap();
    let text = format!("{bundle:?} {:?}", bundle.resources()[1].kind());
    for word in CANARIES.iter().chain(&["Hemoglobin", "laboratory"]) {
        assert!(!text.contains(word), "{text}");
    }
}

#[test]
fn nesting_is_accepted_up_to_the_limit_and_not_beyond() {
    // The resource's object is the first level.
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"resourceType": "Basic", "extension": {open}{close}}}"#)
    };
    assert!(Resource::parse(nested(MAX_NESTING).as_bytes()).is_ok());
    let error = Resource::parse(nested(MAX_NESTING + 1).as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("nested deeper than 100 levels"), "{error}");
    // Brackets in strings are text.
    let text = format!(
        r#"{{"resourceType": "Basic", "x": "\"{}"}}"#,
        "[".repeat(200)
    );
    assert!(Resource::parse(text.as_bytes()).is_ok());
}

#[test]
fn a_resource_is_accepted_up_to_64_mib_and_not_beyond() {
    let sized = |bytes: usize| {
        let empty = r#"{"resourceType": "Binary", "data": ""}"#;
        format!(
            r#"{{"resourceType": "Binary", "data": "{}"}}"#,
            "A".repeat(bytes - empty.len())
        )
    };
    assert_eq!(
        Resource::parse(sized(MAX_RESOURCE_BYTES).as_bytes())
            .unwrap()
            .raw()
            .len(),
        MAX_RESOURCE_BYTES
    );
    assert!(Resource::parse(sized(MAX_RESOURCE_BYTES + 1).as_bytes()).is_err());
}

#[test]
fn a_bundle_is_no_single_resource() {
    let error = Resource::parse(&bad_bundles::bundle_of(2))
        .unwrap_err()
        .to_string();
    assert!(error.contains("read a Bundle as a bundle"), "{error}");
}

#[test]
fn a_thousand_resources_take_milliseconds() {
    let bytes = bad_bundles::bundle_of(1000);
    assert_eq!(bytes, bad_bundles::bundle_of(1000));
    let start = std::time::Instant::now();
    let bundle = Bundle::parse(&bytes).unwrap();
    let elapsed = start.elapsed();
    assert_eq!(bundle.clinical().count(), 1000);
    eprintln!("1000 resources, {} bytes: {elapsed:?}", bytes.len());
    assert!(elapsed.as_millis() < 500, "{elapsed:?}");
}

#[test]
fn hostile_shapes_cost_no_more_than_their_length() {
    let many_keys: Vec<String> = (0..200_000).map(|n| format!(r#""k{n}":0"#)).collect();
    let many_keys = format!(r#"{{"resourceType":"Basic",{}}}"#, many_keys.join(","));
    let patients: Vec<String> = (0..20_000)
        .map(|n| format!(r#"{{"resource":{{"resourceType":"Patient","id":"p{n}"}}}}"#))
        .collect();
    let patients = format!(
        r#"{{"resourceType":"Bundle","entry":[{}]}}"#,
        patients.join(",")
    );
    let start = std::time::Instant::now();
    assert!(Resource::parse(many_keys.as_bytes()).is_ok());
    let error = Bundle::parse(patients.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("20000 patients in one bundle: entry 1 is about"),
        "{error}"
    );
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Bundle::parse(&bytes);
        let _ = Resource::parse(&bytes);
    }

    #[test]
    fn arbitrary_json_like_text_never_panics(
        text in r#"[\[\]{}:,"\\ a-d0-9.eE+-]{0,200}"#,
        date in r"[0-9TZ:.+-]{0,32}",
    ) {
        let _ = Bundle::parse(text.as_bytes());
        let _ = Timestamp::parse(&date);
        let _ = Timestamp::parse(&text);
    }

    #[test]
    fn a_damaged_bundle_is_refused_or_read_without_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bad_bundles::bundle_of(4);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(bundle) = Bundle::parse(&bytes) {
            for resource in bundle.resources() {
                let _ = resource.summary();
            }
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Bundle::parse(&bytes).is_err());
    }

    #[test]
    fn whatever_bytes_a_resource_has_its_raw_slice_has(
        space in "[ \n\t\r]{0,5}", number in "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,6})?", unit in "[^\"\\\\\\p{Cc}]{0,20}",
    ) {
        let resource = format!(
            r#"{{{space}"resourceType":{space}"Observation", "subject":{{"reference":"Patient/a"}},
            "valueQuantity":{{"value":{number}{space},"unit":"{unit}"}}}}"#
        );
        let bundle = format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{space}{resource}{space}}}]}}"#
        );
        let bundle = Bundle::parse(bundle.as_bytes()).unwrap();
        prop_assert_eq!(bundle.resources()[0].raw(), resource.as_bytes());
        let line = bundle.resources()[0].summary();
        prop_assert!(line.starts_with(&format!("Observation {number}")), "{}", line);
    }
}
