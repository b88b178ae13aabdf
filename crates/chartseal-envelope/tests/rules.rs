//! Every rule has an id, a line in the format's page, and a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn ids(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("CS-ENV-").map(|(at, _)| &text[at..]);
    starts
        .filter_map(|id| id.get(..9))
        .filter(|id| id[7..].bytes().all(|digit| digit.is_ascii_digit()))
        .map(String::from)
        .collect()
}

/// All that is written in the folder's Rust files, and in those of its folders.
fn read(dir: &Path, keep: &dyn Fn(&Path) -> bool) -> String {
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| {
        if path.is_dir() {
            read(&path, keep)
        } else if path.extension().is_some_and(|ext| ext == "rs") && keep(&path) {
            fs::read_to_string(path).unwrap()
        } else {
            String::new()
        }
    };
    paths.map(text).collect()
}

#[test]
fn every_rule_is_documented_and_tested() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let liars = root.join("src/liars.rs");
    let rules = ids(&read(&root.join("src"), &|path| path != liars));
    let page = ids(&fs::read_to_string(root.join("../../docs/envelope.md")).unwrap());
    let tests = read(&root.join("tests"), &|path| !path.ends_with("rules.rs"));
    let tests = ids(&(tests + &fs::read_to_string(liars).unwrap()));
    assert_eq!(rules, page, "rules in the code, and in docs/envelope.md");
    assert_eq!(rules, tests, "rules in the code, and in tests");
}
