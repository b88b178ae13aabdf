//! Domain-separation strings.

use std::collections::BTreeSet;

use chartseal_wire::domain;

#[test]
fn every_domain_is_in_the_table_once_and_none_is_a_prefix_with_a_zero_of_another() {
    let distinct: BTreeSet<&str> = domain::ALL.iter().copied().collect();
    assert_eq!(distinct.len(), domain::ALL.len());
    for one in domain::ALL {
        assert!(
            one.starts_with("chartseal/") && one.ends_with("/1"),
            "{one}"
        );
        assert!(!one.contains('\0'), "{one}");
    }
    // Each constant of the module is in the table.
    let source = include_str!("../../src/domain.rs");
    let constants = source
        .lines()
        .filter(|line| line.starts_with("pub const") && line.contains(": &str ="));
    let values = constants.map(|line| line.split('"').nth(1).unwrap());
    assert_eq!(values.collect::<Vec<_>>(), domain::ALL);
}

#[test]
fn tagged_bytes_tell_their_domain() {
    assert_eq!(domain::tagged("a", b"b"), b"a\0b");
    let in_each: BTreeSet<[u8; 32]> = domain::ALL
        .iter()
        .map(|d| domain::tagged_sha256(d, b"same"))
        .collect();
    assert_eq!(in_each.len(), domain::ALL.len());
}
