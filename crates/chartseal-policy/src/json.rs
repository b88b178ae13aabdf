//! Worlds and cases as JSON, for tools and tests.
//!
//! The form is that of the semantics page: a document has a `world` and `cases`, a case has
//! directives, a request and mostly what is expected. Unknown keys are ignored; an unknown code, an
//! id of more than 64 bytes or a repeated directive id makes the whole document unreadable.
//!
//! ```
//! let document = br#"{
//!   "world": {
//!     "actors": {"drNew": {"org": "H1", "roles": ["physician"]}},
//!     "patients": {"P": {}},
//!     "records": {"lab": {"patient": "P", "class": "Observation", "authored": 100}}
//!   },
//!   "cases": [{
//!     "n": 1,
//!     "directives": [{"kind": "grant", "id": "G", "seq": [1, 0], "issuer": "P", "patient": "P",
//!                     "to": ["actor:drNew"], "purposes": ["TREAT"]}],
//!     "overrides": {},
//!     "request": {"actor": "drNew", "patient": "P", "record": "lab", "action": "read",
//!                 "purpose": "TREAT", "t": 1000, "pos": [50, 0]},
//!     "expect": {"effect": "permit", "code": "granted", "by": ["G"]}
//!   }]
//! }"#;
//! let report = chartseal_policy::json::check(document)?;
//! assert!(report.is_met());
//! assert_eq!(
//!     report.lines().next().unwrap(),
//!     r#"{"n":1,"effect":"permit","code":"granted","by":["G"],"obligations":["log"]}"#
//! );
//! # Ok::<(), chartseal_policy::json::JsonError>(())
//! ```

mod form;
mod keys;
mod read;
mod write;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::{Decision, Directive, MemoryWorld, Obligation, PolicyError, Request, Symbol, decide};

/// Why a document can't be read. It quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON, or nested more than 128 deep.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is JSON, but a field is missing or of the wrong type.
    #[error("a field is missing or of the wrong type at line {line}, column {column}")]
    Form {
        /// Line, from 1; 0 where the parser can't tell.
        line: usize,
        /// Column, from 1; 0 where the parser can't tell.
        column: usize,
    },
    /// A field has the right type, but no value that a policy may have.
    #[error("{place}: {field}: {source}")]
    Value {
        /// Where in the document.
        place: Place,
        /// Which field.
        field: &'static str,
        /// What was wrong with it.
        source: PolicyError,
    },
    /// A case's `n` is neither a number nor a string.
    #[error("{place}: n is neither a number nor a string")]
    CaseName {
        /// Which case.
        place: Place,
    },
    /// A rule of network law has another effect than `deny`.
    #[error("{place}: law: the effect of a rule must be deny")]
    LawEffect {
        /// Where in the document.
        place: Place,
    },
    /// Every case has a world of its own, and together they would have too many entries.
    #[error("{cases} cases of a world with {entries} entries: should be at most 1048576 together")]
    Worlds {
        /// The cases.
        cases: usize,
        /// The world's actors, patients and records.
        entries: usize,
    },
    /// A directive by itself has a key that means nothing there, perhaps misspelt.
    #[error("{key} is no key of a directive of this kind")]
    UnknownKey {
        /// The key if it is at most 40 lower-case letters and underscores, else `a key`.
        key: String,
    },
    /// A directive by itself whose target nobody has made.
    #[error("target: no such directive")]
    NoTarget,
    /// A directive that this form can't say: an id that is no text, or one that reads as another.
    #[error("the directive has an id that the JSON form can't say")]
    Unwritable,
}

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its `world`.
    World,
    /// The whole: a directive by itself.
    Directive,
    /// A case, by its index from 0.
    Case(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("world"),
            Self::Directive => f.write_str("directive"),
            Self::Case(index) => write!(f, "case at index {index}"),
        }
    }
}

/// A case: a world, a request, and mostly what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, as JSON: a number or a quoted string.
    pub n: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// The document's world with the case's overrides and directives.
    pub world: MemoryWorld,
    /// The request.
    pub request: Request,
    /// What is expected, if anything.
    pub expect: Option<Expect>,
}

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The effect's name.
    pub effect: String,
    /// The code's name.
    pub code: String,
    /// Exactly these ids, in any order, if given.
    pub by: Option<Vec<String>>,
    /// At least these obligations.
    pub obligations_include: Vec<String>,
}

/// Reads a document's cases.
///
/// # Errors
/// [`JsonError`] if any part of it can't be read: then nothing of it is answered.
pub fn read(document: &[u8]) -> Result<Vec<Case>, JsonError> {
    read::document(document)
}

/// Reads one directive by itself, as it would stand in a case of this world.
///
/// Unlike a document's, its keys must all be known: a misspelt selector would select everything. A
/// revocation or an approval is about the patient of its target, which the world must have.
///
/// ```
/// use chartseal_policy::{MemoryWorld, json};
///
/// let world = MemoryWorld::new();
/// let text = br#"{"kind":"grant","id":"G","seq":[1,0],"issuer":"P","patient":"P","to":["any:*"],"purposes":["TREAT"]}"#;
/// let grant = json::read_directive(text, &world)?;
/// assert_eq!(json::write_directive(&grant)?.as_bytes(), text);
///
/// let misspelt = String::from_utf8_lossy(text).replace("purposes", "purpose");
/// assert!(json::read_directive(misspelt.as_bytes(), &world).is_err());
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
/// [`JsonError`], as of a document; [`JsonError::UnknownKey`], [`JsonError::NoTarget`].
pub fn read_directive(directive: &[u8], world: &MemoryWorld) -> Result<Directive, JsonError> {
    read::directive_alone(directive, world)
}

/// Writes one directive on one line, in the form that cases hold. Of an emergency's reason only whether
/// there is one is known, and written.
///
/// # Errors
/// [`JsonError::Unwritable`] if it would be read as another directive: ids may be any bytes, JSON is text.
pub fn write_directive(directive: &Directive) -> Result<String, JsonError> {
    write::directive(directive)
}

/// Answers every case of a document.
///
/// # Errors
/// As [`read`].
pub fn check(document: &[u8]) -> Result<CheckReport, JsonError> {
    let cases = read(document)?;
    Ok(CheckReport {
        cases: cases.iter().map(CaseReport::new).collect(),
    })
}

/// What `chartseal policy check` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The answers, in the document's order.
    pub cases: Vec<CaseReport>,
}

impl CheckReport {
    /// One line of JSON for each case.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|case| case.line.as_str())
    }

    /// Whether every expectation was met; a case without one is only answered.
    pub fn is_met(&self) -> bool {
        self.cases.iter().all(|case| case.unmet.is_empty())
    }
}

/// The answer to one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReport {
    /// The answer, as one line of JSON.
    pub line: String,
    /// What was expected and not met, for a person; empty if all was.
    pub unmet: Vec<String>,
}

impl CaseReport {
    fn new(case: &Case) -> Self {
        let decision = decide(&case.world, &case.request);
        let answer = Answer::from(&decision);
        let unmet = case
            .expect
            .as_ref()
            .map_or_else(Vec::new, |expect| answer.unmet(expect));
        Self {
            line: answer.line(&case.n),
            unmet,
        }
    }
}

/// A decision in the words of the document.
#[derive(Serialize)]
struct Answer {
    effect: &'static str,
    code: &'static str,
    by: Vec<String>,
    obligations: Vec<String>,
}

impl From<&Decision> for Answer {
    fn from(decision: &Decision) -> Self {
        Self {
            effect: decision.effect.as_str(),
            code: decision.code.as_str(),
            by: decision.by.iter().map(text).collect(),
            obligations: decision.obligations.iter().map(obligation).collect(),
        }
    }
}

impl Answer {
    fn line(&self, n: &str) -> String {
        // Strings and lists of strings always have a JSON form.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{{\"n\":{n},{}", json.strip_prefix('{').unwrap_or_default())
    }

    fn unmet(&self, expect: &Expect) -> Vec<String> {
        let mut unmet = Vec::new();
        if self.effect != expect.effect {
            unmet.push(format!(
                "effect is {}, expected {}",
                self.effect, expect.effect
            ));
        }
        if self.code != expect.code {
            unmet.push(format!("code is {}, expected {}", self.code, expect.code));
        }
        if let Some(by) = &expect.by {
            let mut by = by.clone();
            by.sort_unstable();
            if self.by != by {
                unmet.push(format!("by is {:?}, expected {by:?}", self.by));
            }
        }
        for wanted in &expect.obligations_include {
            if !self.obligations.contains(wanted) {
                unmet.push(format!("obligation {wanted} is missing"));
            }
        }
        unmet
    }
}

/// A symbol as the document wrote it.
fn text(symbol: &Symbol) -> String {
    String::from_utf8_lossy(symbol.as_bytes()).into_owned()
}

fn obligation(one: &Obligation) -> String {
    match one {
        Obligation::Overrides(id) => format!("overrides:{}", text(id)),
        plain => plain.to_string(),
    }
}
