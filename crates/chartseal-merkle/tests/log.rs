//! Logs against RFC 6962's definition, and proofs against other people's vectors.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_merkle::{
    Frontier, Hash, Log, ProofError, empty_root, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;

/// RFC 6962 §2.1, word for word.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(defined_root(&leaves[..k]), defined_root(&leaves[k..]))
        }
    }
}

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

#[test]
fn roots_are_those_of_the_definition() {
    let leaves = leaves(70);
    let mut frontier = Frontier::new();
    let log: Log = leaves.iter().copied().collect();
    for n in 0..=70 {
        assert_eq!(log.root_at(n as u64), Some(defined_root(&leaves[..n])));
        assert_eq!(frontier.root(), defined_root(&leaves[..n]));
        if n < 70 {
            frontier.append(leaves[n]);
        }
    }
    assert_eq!(log.root_at(71), None);
}

#[test]
fn entries_appended_together_give_the_log_of_entries_appended_one_by_one() {
    let entries: Vec<[u8; 4]> = (0..70u32).map(u32::to_be_bytes).collect();
    let one_by_one: Log = entries.iter().map(|entry| leaf_hash(entry)).collect();
    for first in 0..=70 {
        let mut log = Log::new();
        log.append_entries(&entries[..first]);
        log.extend(entries[first..].iter().map(|entry| leaf_hash(entry)));
        for size in 0..=70 {
            assert_eq!(log.root_at(size), one_by_one.root_at(size));
        }
    }
}

#[test]
fn a_frontier_that_grows_by_many_is_the_one_that_grows_one_by_one() {
    let all = leaves(70);
    for old in 0..=all.len() {
        let mut before = Frontier::new();
        all[..old].iter().for_each(|leaf| before.append(*leaf));
        let mut one_by_one = before.clone();
        for end in old..=all.len() {
            let mut together = before.clone();
            together.extend(all[old..end].iter().copied());
            assert_eq!(together, one_by_one, "{old} to {end}");
            if let Some(leaf) = all.get(end) {
                one_by_one.append(*leaf);
            }
        }
    }
    let entries: Vec<Vec<u8>> = (0..50).map(|n| vec![n; usize::from(n) * 5]).collect();
    let (mut one_by_one, mut together) = (Frontier::new(), Frontier::new());
    for entry in &entries {
        one_by_one.append(leaf_hash(&[b"tag", entry.as_slice()].concat()));
    }
    together.append_entries(b"tag", &entries);
    assert_eq!(together, one_by_one);
}

#[test]
fn every_proof_of_a_small_log_verifies_and_no_other_does() {
    let log: Log = leaves(33).into_iter().collect();
    for size in 1..=33 {
        let root = log.root_at(size).unwrap();
        for index in 0..size {
            let proof = log.prove_inclusion(index, size).unwrap();
            let leaf = log.leaf(index).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
            let other = (index + 1) % size;
            if other != index {
                assert!(verify_inclusion(leaf, other, size, &proof, root).is_err());
            }
            let mut longer = proof.clone();
            longer.push(root);
            assert!(matches!(
                verify_inclusion(leaf, index, size, &longer, root),
                Err(ProofError::WrongLength { .. })
            ));
        }
        for old in 1..=size {
            let old_root = log.root_at(old).unwrap();
            let proof = log.prove_consistency(old, size).unwrap();
            assert_eq!(
                verify_consistency(old, old_root, size, root, &proof),
                Ok(())
            );
            assert!(verify_consistency(old, leaf_hash(b"x"), size, root, &proof).is_err());
            assert!(verify_consistency(old, old_root, size, leaf_hash(b"x"), &proof).is_err());
        }
    }
    assert_eq!(log.prove_inclusion(33, 33), None);
    assert_eq!(log.prove_consistency(0, 33), None);
    let nothing = verify_consistency(0, empty_root(), 33, log.root(), &[]);
    assert_eq!(nothing, Err(ProofError::OutOfTree));
}

/// RFC 9162, section 2.1.5: the log of seven leaves, whose nodes it names, and the three before it.
#[expect(clippy::many_single_char_names, reason = "the nodes' names in the RFC")]
#[test]
fn the_proofs_of_rfc9162s_example_are_those_that_it_lists() {
    let leaves = leaves(7);
    let log: Log = leaves.iter().copied().collect();
    let [a, b, c, d, e, f, j] = leaves.try_into().unwrap();
    let (g, h, i) = (node_hash(a, b), node_hash(c, d), node_hash(e, f));
    let (k, l) = (node_hash(g, h), node_hash(i, j));
    let (hash0, hash1, hash2) = (node_hash(g, c), k, node_hash(k, i));
    assert_eq!(log.root(), node_hash(k, l));
    for (size, root) in [(3, hash0), (4, hash1), (6, hash2)] {
        assert_eq!(log.root_at(size), Some(root));
    }
    let inclusion: [(u64, &[Hash]); 4] = [
        (0, &[b, h, l]),
        (3, &[c, g, l]),
        (4, &[f, j, k]),
        (6, &[i, k]),
    ];
    for (index, path) in inclusion {
        assert_eq!(log.prove_inclusion(index, 7).unwrap(), path);
        let leaf = log.leaf(index).unwrap();
        assert_eq!(verify_inclusion(leaf, index, 7, path, log.root()), Ok(()));
    }
    let consistency: [(u64, Hash, &[Hash]); 3] = [
        (3, hash0, &[c, d, g, l]),
        (4, hash1, &[l]),
        (6, hash2, &[i, j, k]),
    ];
    for (size, root, path) in consistency {
        assert_eq!(log.prove_consistency(size, 7).unwrap(), path);
        assert_eq!(verify_consistency(size, root, 7, log.root(), path), Ok(()));
    }
}

/// The roots that Certificate Transparency's own logs are tested with, of eight short leaves.
#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b" !",
        b"01",
        b"@ABC",
        b"PQRSTUVW",
        b"`abcdefghijklmno",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    for (leaf, root) in leaves.into_iter().zip(roots) {
        frontier.append(leaf_hash(leaf));
        assert_eq!(frontier.root().to_string(), root);
    }
}

#[test]
fn a_frontier_with_another_number_of_peaks_is_refused() {
    let mut frontier = Frontier::new();
    for leaf in leaves(5) {
        frontier.append(leaf);
    }
    let mut bytes = chartseal_codec::to_bytes(&frontier);
    assert_eq!(
        chartseal_codec::from_bytes::<Frontier>(&bytes).unwrap(),
        frontier
    );
    bytes[1] = 4; // Size 4 has one peak, not two.
    assert!(chartseal_codec::from_bytes::<Frontier>(&bytes).is_err());
}

proptest! {
    #[test]
    fn arbitrary_proofs_never_panic_and_never_verify(
        index in any::<u64>(), size in any::<u64>(), old in any::<u64>(),
        proof in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70),
    ) {
        let root = leaf_hash(b"root");
        prop_assert!(verify_inclusion(leaf_hash(b"leaf"), index, size, &proof, root).is_err());
        prop_assert!(verify_consistency(old, leaf_hash(b"old"), size, root, &proof).is_err());
    }
}

mod transparency_dev {
    use super::*;
    use chartseal_testkit::data_dir;
    use serde_json::Value;
    use std::path::{Path, PathBuf};

    fn files(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    /// `None` where the typed API cannot say it: a hash of another length than 32 bytes.
    fn hash(value: &Value) -> Option<Hash> {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(value.as_str()?)
            .ok()?;
        Some(Hash(bytes.try_into().ok()?))
    }

    fn proof(value: &Value) -> Option<Vec<Hash>> {
        value
            .as_array()
            .map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
    }

    fn run(kind: &str, verify: impl Fn(&Value) -> Option<bool>) {
        let Some(data) = data_dir() else { return };
        let mut paths = Vec::new();
        files(
            &data.join("vectors/rfc6962/testdata").join(kind),
            &mut paths,
        );
        assert_eq!(paths.len(), 98);
        let mut beyond_the_types = Vec::new();
        for path in paths {
            let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let good = !case["wantErr"].as_bool().unwrap();
            match verify(&case) {
                Some(verified) => assert_eq!(verified, good, "{}", path.display()),
                None if good => beyond_the_types.push(path.file_stem().unwrap().to_owned()),
                None => {}
            }
        }
        // One vector expects two equal texts, no hashes, to pass as roots of a log of one entry.
        let expected: &[&str] = if kind == "consistency" {
            &["sizes-are-equal-one-and-proof-is-empty"]
        } else {
            &[]
        };
        assert_eq!(beyond_the_types, expected);
    }

    #[test]
    fn inclusion() {
        run("inclusion", |case| {
            let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
            let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
            Some(verify_inclusion(leaf, index, size, &proof(&case["proof"])?, root).is_ok())
        });
    }

    #[test]
    fn consistency() {
        run("consistency", |case| {
            let (old, new) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
            let (old_root, new_root) = (hash(&case["root1"])?, hash(&case["root2"])?);
            Some(verify_consistency(old, old_root, new, new_root, &proof(&case["proof"])?).is_ok())
        });
    }
}
