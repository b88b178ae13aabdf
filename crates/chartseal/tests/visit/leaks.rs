//! Finds what must not be readable anywhere: plain, in hex, in base64, or hashed without a secret.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};

/// The fewest bytes that are looked for: in files of some MiB, fewer turn up by chance.
pub(crate) const MIN: usize = 6;

/// Things to look for, each in every form, by how the form begins.
#[derive(Default)]
pub(crate) struct Search {
    forms: HashMap<[u8; MIN], Vec<(String, Vec<u8>)>>,
}

impl Search {
    /// Looks for a text too, as written and in lower and upper case.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        let cases = [text.to_owned(), text.to_lowercase(), text.to_uppercase()];
        for text in BTreeSet::from(cases) {
            self.bytes(name, text.as_bytes());
        }
    }

    /// Looks for these bytes too, in every form.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        assert!(bytes.len() >= MIN, "{name} is too short to be looked for");
        for (form, bytes) in forms(bytes) {
            self.form(format!("{name}, {form}"), bytes);
        }
    }

    fn form(&mut self, name: String, bytes: Vec<u8>) {
        let start = *bytes.first_chunk().unwrap();
        self.forms.entry(start).or_default().push((name, bytes));
    }

    /// What of it is in `bytes`.
    pub(crate) fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, window) in bytes.windows(MIN).enumerate() {
            for (name, form) in self.forms.get(window).into_iter().flatten() {
                if bytes[at..].starts_with(form) {
                    found.insert(name.as_str());
                }
            }
        }
        found
    }

    /// What of it is in the files below `dir`, or in their names.
    pub(crate) fn in_dir(&self, dir: &Path) -> Vec<(PathBuf, &str)> {
        let mut found = Vec::new();
        for file in files(dir) {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.extend(file.as_os_str().as_encoded_bytes());
            found.extend(
                self.in_bytes(&bytes)
                    .into_iter()
                    .map(|what| (file.clone(), what)),
            );
        }
        found
    }
}

/// Every file below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// The forms that somebody can turn back, or recognize by a guess.
pub(crate) fn forms(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = spellings("plain", bytes);
    forms.extend(spellings("SHA-256", &Sha256::digest(bytes)));
    forms.extend(spellings("BLAKE3", blake3::hash(bytes).as_bytes()));
    forms
}

fn spellings(name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex = bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut all = vec![
        (name.to_owned(), bytes.to_vec()),
        (
            format!("{name} in upper-case hex"),
            hex.to_uppercase().into(),
        ),
        (format!("{name} in hex"), hex.into()),
    ];
    for before in 0..3 {
        for (alphabet, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
            // Those digits that no neighbouring byte has a part in.
            let shifted = engine.encode([&[0; 2][..before], bytes].concat());
            let (from, to) = ((8 * before).div_ceil(6), 8 * (before + bytes.len()) / 6);
            all.push((
                format!("{name} in {alphabet}, {before} bytes in"),
                shifted[from..to].into(),
            ));
        }
    }
    all
}

#[test]
fn the_search_finds_every_form_wherever_it_stands() {
    let secret = "Zoë Imaginaria Beispiel";
    let mut search = Search::default();
    search.text("a name", secret);
    let encoded = |before: &str| STANDARD.encode(format!("{before}{secret}, and more"));
    let leaks: [Vec<u8>; 8] = [
        secret.into(),
        secret.to_uppercase().into(),
        forms(secret.as_bytes())[2].1.clone(),
        encoded("").into(),
        encoded("a").into(),
        encoded("ab").into(),
        Sha256::digest(secret).to_vec(),
        blake3::hash(secret.to_lowercase().as_bytes())
            .to_hex()
            .as_bytes()
            .into(),
    ];
    for leak in leaks {
        let page = [&[0x55; 99][..], &leak, &[0xaa; 7]].concat();
        assert!(!search.in_bytes(&page).is_empty(), "{leak:02x?}");
    }
    assert!(search.in_bytes(&[0x55; 4096]).is_empty());
    assert!(search.in_bytes(b"Zoe Imaginaria Beispiel").is_empty());
}
