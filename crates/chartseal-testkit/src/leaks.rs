//! Finds what must not be readable anywhere: plain, in hex, in base64, or hashed without a secret.
//!
//! A [`Search`] takes some ten thousand texts in 81 forms each, more than an automaton over all of
//! them has room for. So it looks at every place of the searched bytes through rolling hashes of
//! the forms' first 5, 6, 7, 8, 16 or 32 bytes, and compares a whole form only where one fits.
//!
//! ```
//! use chartseal_testkit::leaks::{Found, Kind, Search};
//!
//! let mut search = Search::new(&["TREAT"]);
//! search.add(Kind::Name, "Zoë Beispiel");
//! let mut found = Found::default();
//! search.look_into(b"...5a6fc3ab204265697370696...", &mut found);
//! assert!(search.leaks(&found).is_empty());
//! search.look_into(b"...5a6fc3ab20426569737069656c...", &mut found);
//! assert_eq!(search.leaks(&found), ["Name \"Zoë Beispiel\" in AsWritten None Hex"]);
//! ```
//!
//! | length | rule |
//! |---|---|
//! | text below 5 bytes | not looked for, but counted ([`Search::too_short`]): random bytes are full of them |
//! | form of 5 to 7 bytes | looked for; a leak is more of them than chance would give in so many bytes, but for one run in a billion |
//! | form of 8 bytes or more | looked for; each one found is a leak |
//! | where hexadecimal or base64 is searched | the same, with 8 bytes' worth of digits: 16 or 11 ([`Found::in_digits`]) |
//! | text within a word that the chain has in plain | not looked for, but counted ([`Search::set_aside`]) |
//! | form within an id that was drawn in this run and is written in hexadecimal | the same, once the id is known ([`Search::set_aside_within`]): base64 of it holds a postcode sooner than base64 of bytes |

mod bundle;
mod form;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use bundle::Kind;
pub use form::{Case, Digest, Form, Spelling};
use index::Index;

/// The fewest bytes of a text that is looked for.
pub const SHORTEST: usize = 5;
/// From so many bytes on, a form is not in random bytes by chance.
pub const CERTAIN: usize = 8;
/// How seldom chance alone may look like a leak.
const ALARM: f64 = 1e-9;

/// Texts, each in every form.
pub struct Search {
    texts: Vec<(Kind, Vec<u8>)>,
    by_text: BTreeMap<Vec<u8>, u32>,
    /// For windows of each of [`index::WINDOWS`].
    indexes: Vec<Index>,
    /// How many forms there are of each length.
    forms_of_length: BTreeMap<usize, u32>,
    public: Vec<String>,
    set_aside: BTreeSet<String>,
    /// What stands within drawn ids.
    drawn: BTreeSet<(u32, Form)>,
    too_short: BTreeSet<String>,
}

/// What was found, and in how many bytes.
#[derive(Clone, Debug)]
pub struct Found {
    /// How many bytes were searched.
    pub bytes: u64,
    /// How much chance a searched byte leaves, in bits.
    bits: u32,
    hits: BTreeSet<(u32, Form)>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            bytes: 0,
            bits: u8::BITS,
            hits: BTreeSet::new(),
        }
    }
}

impl Found {
    /// For texts of random digits of so many bits each: 4 for hexadecimal, 6 for base64. Chance makes
    /// a number of some places there sooner than in bytes.
    pub fn in_digits(bits: u32) -> Self {
        Self {
            bits,
            ..Self::default()
        }
    }

    fn is_certain(&self, len: usize) -> bool {
        len * self.bits as usize >= CERTAIN * u8::BITS as usize
    }
}

impl Search {
    /// For nothing yet. `public` are the words that the chain has in plain by design.
    pub fn new(public: &[&str]) -> Self {
        Self {
            texts: Vec::new(),
            by_text: BTreeMap::new(),
            indexes: index::WINDOWS.map(Index::new).into(),
            forms_of_length: BTreeMap::new(),
            public: public.iter().map(|word| word.to_lowercase()).collect(),
            set_aside: BTreeSet::new(),
            drawn: BTreeSet::new(),
            too_short: BTreeSet::new(),
        }
    }

    /// Looks for a text too.
    pub fn add(&mut self, kind: Kind, text: &str) {
        let folded = text.to_lowercase();
        if text.len() < SHORTEST {
            self.too_short.insert(text.to_owned());
        } else if self.public.iter().any(|word| word.contains(&folded)) {
            self.set_aside.insert(text.to_owned());
        } else {
            self.add_in(kind, text.as_bytes(), &Case::ALL);
        }
    }

    /// Takes no form of a text for a leak any more that stands within one of `words`, however that is
    /// spelled. These are more forms than those of the texts within it: base64 of `01883` has all six
    /// digits that nobody else has a part in of base64 of `01887`.
    pub fn set_aside_within(&mut self, words: &BTreeSet<String>) {
        let mut drawn = Found::default();
        for word in words {
            for spelling in Spelling::ALL {
                self.look_into(&spelling.of(word.as_bytes()), &mut drawn);
            }
        }
        self.drawn.append(&mut drawn.hits);
    }

    /// Looks for bytes too, at least [`SHORTEST`].
    ///
    /// # Panics
    /// If they are fewer.
    pub fn add_bytes(&mut self, kind: Kind, bytes: &[u8]) {
        assert!(
            bytes.len() >= SHORTEST,
            "{kind:?}: too short to be searched"
        );
        self.add_in(kind, bytes, &[Case::AsWritten]);
    }

    /// Looks for everything that a FHIR bundle tells: each text and number, full names, and each
    /// resource as a whole.
    ///
    /// # Errors
    /// If it is no JSON.
    pub fn add_bundle(&mut self, json: &[u8]) -> Result<(), serde_json::Error> {
        let bundle: Value = serde_json::from_slice(json)?;
        bundle::walk(&bundle, &mut |kind, text| self.add(kind, text));
        bundle::numbers(json, &mut |number| self.add(Kind::Number, number));
        for resource in bundle::resources(json)? {
            self.add_bytes(Kind::Resource, resource.get().as_bytes());
        }
        Ok(())
    }

    fn add_in(&mut self, kind: Kind, text: &[u8], cases: &[Case]) {
        let at = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        if self.by_text.contains_key(text) {
            return;
        }
        self.by_text.insert(text.to_vec(), at);
        for form in Form::all().filter(|form| cases.contains(&form.case)) {
            if form.case != Case::AsWritten && form.case.of(text) == text {
                continue;
            }
            let bytes = form.of(text);
            *self.forms_of_length.entry(bytes.len()).or_default() += 1;
            let fitting = self.indexes.iter_mut().rev();
            let mut fitting = fitting.filter(|index| index.window() <= bytes.len());
            if let Some(index) = fitting.next() {
                index.add(&bytes, (at, form));
            }
        }
        self.texts.push((kind, text.to_vec()));
    }

    /// How many texts are looked for.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// How many texts of a kind are looked for.
    pub fn count(&self, kind: Kind) -> usize {
        self.texts.iter().filter(|(of, _)| *of == kind).count()
    }

    /// The texts that are too short to be looked for.
    pub fn too_short(&self) -> &BTreeSet<String> {
        &self.too_short
    }

    /// The texts that stand within words that the chain has in plain: they are not looked for.
    pub fn set_aside(&self) -> &BTreeSet<String> {
        &self.set_aside
    }

    /// The texts of which a form stands within drawn ids: that form is found, and is no leak.
    pub fn drawn(&self) -> BTreeSet<&str> {
        let texts = self.drawn.iter().filter_map(|(at, _)| {
            let (_, text) = self.texts.get(*at as usize)?;
            std::str::from_utf8(text).ok()
        });
        texts.collect()
    }

    /// Whether exactly this text is looked for.
    pub fn looks_for(&self, text: &[u8]) -> bool {
        self.by_text.contains_key(text)
    }

    /// Whether a text was found in this form.
    pub fn has(&self, found: &Found, text: &[u8], form: Form) -> bool {
        let at = self.by_text.get(text);
        at.is_some_and(|at| found.hits.contains(&(*at, form)))
    }

    /// Searches `bytes`.
    pub fn look_into(&self, bytes: &[u8], found: &mut Found) {
        found.bytes += bytes.len() as u64;
        for index in &self.indexes {
            index.scan(bytes, |rest, (at, form)| {
                let text = self.texts.get(*at as usize);
                let is_it = text.is_some_and(|(_, text)| rest.starts_with(&form.of(text)));
                if is_it {
                    found.hits.insert((*at, *form));
                }
            });
        }
    }

    /// Searches every file below a folder, and its name.
    ///
    /// # Errors
    /// If one can't be read.
    pub fn look_below(&self, dir: &Path, found: &mut Found) -> std::io::Result<()> {
        for file in files(dir)? {
            self.look_into(&std::fs::read(&file)?, found);
            let name = file.strip_prefix(dir).unwrap_or(&file);
            self.look_into(name.as_os_str().as_encoded_bytes(), found);
        }
        Ok(())
    }

    /// What of that is a leak, in words: none if there is none.
    pub fn leaks(&self, found: &Found) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut short: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, form) in found.hits.difference(&self.drawn) {
            let Some((kind, text)) = self.texts.get(*at as usize) else {
                continue;
            };
            let Form {
                case,
                digest,
                spelling,
            } = form;
            let text_in_words = String::from_utf8_lossy(text);
            let words = format!("{kind:?} {text_in_words:?} in {case:?} {digest:?} {spelling:?}");
            match form.of(text).len() {
                len if found.is_certain(len) => leaks.push(words),
                len => short.entry(len).or_default().push(words),
            }
        }
        for (len, hits) in short {
            if hits.len() > self.by_chance(len, found) {
                leaks.extend(hits);
            }
        }
        leaks
    }

    /// How many different forms of `len` bytes chance gives at most, but for one run in a billion.
    fn by_chance(&self, len: usize, found: &Found) -> usize {
        let forms = self.forms_of_length.get(&len).copied().unwrap_or(0);
        let digits = i32::try_from(found.bits as usize * len).unwrap_or(i32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "a number of bytes on a disk")]
        let expected = found.bytes as f64 * f64::from(forms) * 0.5_f64.powi(digits);
        // The tail of Poisson's distribution behind `most`.
        let (mut most, mut term) = (0_u32, (-expected).exp());
        let mut tail = 1.0 - term;
        while tail > ALARM && most < forms {
            most += 1;
            term *= expected / f64::from(most);
            tail -= term;
        }
        most as usize
    }
}

/// Every file below a folder.
///
/// # Errors
/// If a folder can't be read.
pub fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                all.push(path);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "Zoë Imaginaria Beispiel";

    fn found_in(search: &Search, bytes: &[u8]) -> Vec<String> {
        let mut found = Found::default();
        search.look_into(bytes, &mut found);
        search.leaks(&found)
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let mut search = Search::new(&[]);
        search.add(Kind::Name, NAME);
        for form in Form::all() {
            for before in [0, 1, 99] {
                let page = [
                    &vec![0x55; before][..],
                    &form.of(NAME.as_bytes()),
                    &[0xaa; 7],
                ]
                .concat();
                assert!(!found_in(&search, &page).is_empty(), "{form:?}");
            }
        }
        assert!(found_in(&search, &[0x55; 4096]).is_empty());
        assert!(found_in(&search, b"Zoe Imaginaria Beispiel").is_empty());
    }

    /// Forms are cut so that they fit; what others write is whole.
    #[test]
    fn what_base64_writes_of_a_longer_text_is_found() {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let mut search = Search::new(&[]);
        search.add(Kind::Name, NAME);
        for before in ["", "a", "ab", "abc", "abcd"] {
            let text = format!("{before}{NAME}, and more");
            assert!(!found_in(&search, STANDARD.encode(&text).as_bytes()).is_empty());
            assert!(!found_in(&search, URL_SAFE.encode(&text).as_bytes()).is_empty());
        }
    }

    #[test]
    fn texts_of_every_length_are_found_at_the_beginning_and_at_the_end() {
        let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for len in SHORTEST..alphabet.len() {
            let text = &alphabet[..len];
            let mut search = Search::new(&[]);
            search.add(Kind::Text, text);
            let form = Form::all().next().unwrap();
            for page in [text.to_owned(), format!("{text}."), format!(".{text}")] {
                let mut found = Found::default();
                search.look_into(page.as_bytes(), &mut found);
                assert!(search.has(&found, text.as_bytes(), form), "{len} bytes");
            }
        }
    }

    #[test]
    fn short_forms_are_a_leak_when_they_are_more_than_chance_gives() {
        let mut search = Search::new(&[]);
        let texts: Vec<String> = (10_000..10_400).map(|code| code.to_string()).collect();
        for text in &texts {
            search.add(Kind::Code, text);
        }
        let mut found = Found::default();
        search.look_into(&vec![0; 100_000_000], &mut found);
        search.look_into(texts[7].as_bytes(), &mut found);
        assert!(search.leaks(&found).is_empty(), "one may be chance");
        search.look_into(texts.concat().as_bytes(), &mut found);
        assert!(search.leaks(&found).len() >= 400);
    }

    #[test]
    fn what_is_not_looked_for_is_counted() {
        let mut search = Search::new(&["emergency_not_declared"]);
        for text in ["MA", "Emergency", "Boston"] {
            search.add(Kind::Text, text);
        }
        assert_eq!(
            (
                search.len(),
                search.too_short().len(),
                search.set_aside().len()
            ),
            (1, 1, 1)
        );
    }

    #[test]
    fn what_a_drawn_id_shows_is_set_aside_and_others_are_not() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let id = "@1887e02114c01853d".to_owned();
        // One as it stands in the id, two of which neighbours have parts, one that is not of the id.
        let (of_the_id, leaked) = (["02114", "01854", "01887"], "02135");
        let mut search = Search::new(&[]);
        for postcode in of_the_id {
            search.add(Kind::Address, postcode);
        }
        search.add(Kind::Address, leaked);
        let mut found = Found::in_digits(6);
        for before in ["", "a", "ab"] {
            let text = format!("{before}{id}{before}-{leaked}");
            search.look_into(STANDARD.encode(text).as_bytes(), &mut found);
        }
        let leaks = search.leaks(&found);
        for postcode in of_the_id {
            assert!(
                leaks.iter().any(|leak| leak.contains(postcode)),
                "{leaks:?}"
            );
        }
        search.set_aside_within(&BTreeSet::from([id]));
        assert_eq!(search.drawn(), BTreeSet::from(of_the_id));
        let leaks = search.leaks(&found);
        assert!(!leaks.is_empty());
        assert!(leaks.iter().all(|leak| leak.contains(leaked)), "{leaks:?}");
        // A form that the id does not show is a leak, though others of the same text are none.
        search.look_into(b"01887, 01854", &mut found);
        let leaks = search.leaks(&found);
        let plain = |leak: &String| leak.contains("01887") && leak.ends_with("Plain");
        assert!(leaks.iter().any(plain), "{leaks:?}");
    }

    #[test]
    fn a_bundles_texts_have_their_kinds() {
        let bundle = r#"{"entry": [{"fullUrl": "urn:uuid:1234-5678", "resource": {
            "resourceType": "Patient", "name": [{"family": "Beispiel", "given": ["Zoë", "Ada"]}],
            "birthDate": "1980-05-17", "address": [{"city": "Springfield", "line": ["1 Elm Street"]}],
            "identifier": [{"value": "999-59-2277"}], "multipleBirthInteger": 123456,
            "valueDecimal": 1.1000, "maritalStatus": {"text": "Never Married"}, "deceasedDateTime": "2020-01-02T03:04:05Z"}},
            {"resource": {"resourceType": "Condition", "code": {"coding": [{"display": "Diabetes"}]}}}]}"#;
        let mut search = Search::new(&[]);
        search.add_bundle(bundle.as_bytes()).unwrap();
        for kind in Kind::OF_BUNDLES {
            assert!(search.count(kind) > 0, "{kind:?}");
        }
        assert!(search.looks_for("Zoë Ada Beispiel".as_bytes()));
        assert!(search.looks_for(b"123456") && search.looks_for(b"1.1000"));
        assert_eq!(search.count(Kind::Resource), 2);
    }
}
