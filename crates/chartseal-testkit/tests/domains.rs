//! No two crates hash or sign under one domain.

use std::collections::BTreeSet;

#[test]
fn every_domain_string_is_unique_across_the_crates_and_versioned() {
    let mut seen = BTreeSet::new();
    for table in [
        chartseal_api::domain::ALL,
        chartseal_envelope::domain::ALL,
        chartseal_vault::domain::ALL,
        chartseal_wire::domain::ALL,
    ] {
        for domain in table {
            assert!(seen.insert(*domain), "{domain} is used twice");
            let version = domain
                .strip_prefix("chartseal/")
                .and_then(|rest| rest.rsplit_once('/'));
            let version = version.and_then(|(_, version)| version.parse::<u32>().ok());
            assert!(version.is_some(), "{domain} is not chartseal/…/VERSION");
        }
    }
}
