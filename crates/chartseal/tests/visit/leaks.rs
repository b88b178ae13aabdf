//! Finds what must not be readable anywhere: plain, in hex, in base64, or hashed without a secret.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chartseal_testkit::leaks::{Case, Form, Spelling};
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
        // Its letters are the caller's business.
        for form in Form::all().filter(|form| form.case == Case::AsWritten) {
            let (digest, spelling) = (form.digest, form.spelling);
            self.form(format!("{name}, {digest:?} {spelling:?}"), form.of(bytes));
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
    chartseal_testkit::leaks::files(dir).unwrap()
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
        Spelling::Hex.of(secret.as_bytes()),
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
