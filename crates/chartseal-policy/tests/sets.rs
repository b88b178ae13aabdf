//! Sets and symbols are what ordinary sets and byte strings are, in whatever form they are held.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use chartseal_policy::{Set, Symbol};
use proptest::collection::vec;
use proptest::prelude::*;

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn a_set_is_an_ordinary_set(a in vec(0_u8..5, 0..4), b in vec(0_u8..5, 0..4)) {
        let (one, two) = (Set::new(a.clone()).unwrap(), Set::new(b.clone()).unwrap());
        let (a, b) = (BTreeSet::from_iter(a), BTreeSet::from_iter(b));
        prop_assert!(one.iter().eq(&a) && (&one).into_iter().eq(&a));
        prop_assert_eq!((one.len(), one.is_empty()), (a.len(), a.is_empty()));
        prop_assert!((0..5).all(|value| one.contains(&value) == a.contains(&value)));
        prop_assert_eq!(one.is_subset(&two), a.is_subset(&b));
        prop_assert_eq!(one.intersects(&two), !a.is_disjoint(&b));
        prop_assert_eq!(one == two, a == b);
        prop_assert_eq!((one.cmp(&two), one.partial_cmp(&two)), (a.cmp(&b), a.partial_cmp(&b)));
        prop_assert_eq!(hash(&one) == hash(&two), a == b);
        prop_assert_eq!(format!("{one:?}"), format!("{a:?}"));
    }
}

#[test]
fn a_symbol_hashes_as_its_bytes_and_shows_itself_as_text_or_hex() {
    let long = "x".repeat(40);
    for (bytes, shown) in [
        (&b"PSY"[..], "PSY"),
        (long.as_bytes(), &long),
        (b"a b", "0x612062"),
        (b"a\n", "0x610a"),
        ("\u{e9}".as_bytes(), "0xc3a9"),
        (&[0xc0, 0xff], "0xc0ff"),
    ] {
        let symbol = Symbol::new(bytes).unwrap();
        assert_eq!(hash(&symbol), hash(bytes));
        assert_eq!(
            (symbol.to_string(), format!("{symbol:?}")),
            (shown.into(), shown.into())
        );
    }
}
