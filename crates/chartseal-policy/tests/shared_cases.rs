//! The worked cases of the semantics page, where a checkout has them: every one exact.
#![cfg(feature = "json")]

use chartseal_policy::json;

#[test]
fn every_shared_case_is_answered_exactly() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let document = std::fs::read(data.join("../policy/cases.json")).unwrap();
    let report = json::check(&document).unwrap();
    assert!(report.cases.len() >= 40);
    let unmet: Vec<_> = report
        .cases
        .iter()
        .filter(|case| !case.unmet.is_empty())
        .collect();
    assert!(unmet.is_empty(), "{unmet:#?}");
}
