//! The search of stored bytes for what must not be there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chartseal::Purpose;
use chartseal_codec::to_hex;
use chartseal_fhir::Bundle;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Shorter texts are found in random bytes by chance, or are words that everybody uses.
const SHORTEST: usize = 6;
/// Of a longer text or hash its beginning is searched, in bytes: whoever leaks it all leaks that.
const BEGINNING: usize = 32;
/// The search takes some 16 KiB of memory for each text. So many are searched at most, spread evenly
/// over all: a leak is of a place in the code, hence of more than one text.
const MOST: usize = 2048;

/// What was found.
pub struct Found {
    /// How many occurrences.
    pub hits: usize,
}

/// The names, dates, identifiers, codes and texts of a bundle's patient, each once.
///
/// FHIR's own vocabulary (lower-case code words, URLs of code systems) and purposes of use, which the
/// chain names in plain, tell nothing of a person and are left out.
pub fn needles(bundle: &Bundle<'_>) -> BTreeSet<String> {
    let mut needles = BTreeSet::new();
    for resource in bundle.clinical() {
        if let Ok(value) = serde_json::from_slice::<Value>(resource.raw()) {
            collect(&value, &mut needles);
        }
    }
    let every = needles.len().div_ceil(MOST).max(1);
    needles.into_iter().step_by(every).collect()
}

fn collect(value: &Value, needles: &mut BTreeSet<String>) {
    // A stack of its own: how deep a resource is nested is the file's choice.
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        match value {
            Value::String(text) if tells_something(text) => {
                needles.insert(text.clone());
            }
            Value::Array(items) => stack.extend(items),
            Value::Object(members) => stack.extend(members.values()),
            _ => {}
        }
    }
}

fn tells_something(text: &str) -> bool {
    let vocabulary = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        || text.starts_with("http://")
        || text.starts_with("https://")
        || text.starts_with("urn:oid:")
        || text.parse::<Purpose>().is_ok();
    text.len() >= SHORTEST && !vocabulary
}

/// How many of the needles' forms occur in `bytes`.
pub fn search_bytes(needles: &BTreeSet<String>, bytes: &[u8]) -> usize {
    automaton(needles).map_or(0, |automaton| {
        automaton.find_overlapping_iter(bytes).count()
    })
}

/// Searches every file below `folder`.
pub fn search_folder(needles: &BTreeSet<String>, folder: &Path) -> io::Result<Found> {
    let Some(automaton) = automaton(needles) else {
        return Ok(Found { hits: 0 });
    };
    let mut hits = 0;
    for file in files(folder)? {
        hits += automaton.find_overlapping_iter(&read(&file)?).count();
    }
    Ok(Found { hits })
}

/// How often exactly these bytes occur in any file below `folder`.
pub fn search_raw(needles: &[Vec<u8>], folder: &Path) -> io::Result<usize> {
    let Ok(automaton) = AhoCorasick::new(needles) else {
        return Ok(usize::MAX);
    };
    let mut hits = 0;
    for file in files(folder)? {
        hits += automaton.find_iter(&read(&file)?).count();
    }
    Ok(hits)
}

fn automaton(needles: &BTreeSet<String>) -> Option<AhoCorasick> {
    AhoCorasick::new(needles.iter().flat_map(|needle| forms(needle.as_bytes()))).ok()
}

/// The forms in which a text could leak: as it is, hexadecimal, base64 at each of its three
/// alignments, and the unsalted SHA-256 and BLAKE3, raw and hexadecimal.
fn forms(text: &[u8]) -> Vec<Vec<u8>> {
    let sha256: [u8; 32] = Sha256::digest(text).into();
    let blake3 = *blake3::hash(text).as_bytes();
    let text = text.get(..BEGINNING).unwrap_or(text);
    let mut forms = vec![text.to_vec(), to_hex(text).into_bytes()];
    forms.extend((0..3).filter_map(|shift| base64_at(text, shift)));
    for hash in [sha256, blake3] {
        let hash = hash.get(..BEGINNING / 2).unwrap_or(&hash);
        forms.extend([hash.to_vec(), to_hex(hash).into_bytes()]);
    }
    forms
}

/// What base64 writes of `text` when `shift` bytes come before it: only the characters that depend on
/// `text` alone.
fn base64_at(text: &[u8], shift: usize) -> Option<Vec<u8>> {
    let padded = [vec![0; shift].as_slice(), text].concat();
    let encoded = STANDARD_NO_PAD.encode(padded);
    let first = [0, 2, 3].get(shift).copied()?;
    let last = encoded.len() - usize::from(!(text.len() + shift).is_multiple_of(3));
    let own = encoded.get(first..last)?;
    (own.len() >= SHORTEST).then(|| own.as_bytes().to_vec())
}

/// A file's bytes; none of one that is gone by now: a running node writes and renames files meanwhile.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            // A running node has a socket there too.
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that leaks is caught, in whichever form.
    #[test]
    fn every_form_of_a_leak_is_found() {
        let needles: BTreeSet<String> = ["Zoë Beispiel".to_owned(), "1980-05-17".to_owned()].into();
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(search_folder(&needles, folder.path()).unwrap().hits, 0);
        for needle in &needles {
            for (at, form) in forms(needle.as_bytes()).into_iter().enumerate() {
                let file = folder.path().join("store");
                fs::write(&file, [&b"before"[..], &form, b"after"].concat()).unwrap();
                assert!(
                    search_folder(&needles, folder.path()).unwrap().hits > 0,
                    "form {at}"
                );
            }
            for before in ["", "x", "xy", "xyz"] {
                let text = format!("{before}{needle} and more");
                let encoded = STANDARD_NO_PAD.encode(text);
                assert!(
                    search_bytes(&needles, encoded.as_bytes()) > 0,
                    "base64 behind {before:?}"
                );
            }
        }
    }
}
