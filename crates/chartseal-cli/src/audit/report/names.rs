use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::{Failure, read_text};

/// The longest file of names, in bytes: 1 MiB.
const MAX_NAMES: u64 = 1 << 20;

/// What a reader calls the ids: people, organizations, records. A ledger has no names.
#[derive(Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Reads a JSON object from ids in hex to names.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, MAX_NAMES)?;
        let names: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let why = format!("no JSON object of names by id (line {line}, column {column})");
            Failure::bad(path, why)
        })?;
        let is_id =
            |id: &str| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !names.keys().all(|id| is_id(id)) {
            let why = "an id has 32 hex digits, in lower case";
            return Err(Failure::bad(path, why));
        }
        Ok(Self(names))
    }

    /// Somebody's name, if it is known.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// The name, or the id.
    pub fn or_id<'a>(&'a self, id: &'a str) -> &'a str {
        self.get(id).unwrap_or(id)
    }

    /// A sentence with names for the ids in it.
    pub fn put(&self, text: &str) -> String {
        let word = |word: &str| {
            let id = word.trim_end_matches([':', ',', ';', '.']);
            match self.get(id) {
                Some(name) => word.replacen(id, name, 1),
                None => word.to_owned(),
            }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_whole_ids_alone() {
        let id = "0a".repeat(16);
        let names = Names(BTreeMap::from([(id.clone(), "Dr. Day".into())]));
        let said = names.put(&format!("removed guardian {id}; not {id}0"));
        assert_eq!(said, format!("removed guardian Dr. Day; not {id}0"));
    }
}
