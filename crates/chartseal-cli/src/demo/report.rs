//! What a demo found out: the JSON document `chartseal.demo/1` (`docs/schema/demo.schema.json`).

use std::collections::BTreeMap;

use serde::Serialize;

/// The document's schema.
pub const SCHEMA: &str = "chartseal.demo/1";

/// The document.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Records that were sealed and anchored.
    pub records: usize,
    /// Resources that were the same as an earlier one.
    pub duplicates: usize,
    /// Every access attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What was checked of each promise.
    pub promises: BTreeMap<&'static str, Promise>,
    /// What the verifier said of the last export.
    pub verdict: Verdict,
    /// The state root on which all four organizations agreed last, in hex.
    pub state_root: String,
    /// Bytes.
    pub sizes: Sizes,
    /// How long each step took, in ms.
    pub timings_ms: BTreeMap<&'static str, u64>,
}

/// One access attempt, as the chain has it.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Who asked, as the demo calls them.
    pub actor: &'static str,
    /// HL7 purpose of use.
    pub purpose: String,
    /// `permit` or `deny`.
    pub effect: &'static str,
    /// The decision's code.
    pub code: String,
    /// The block that decided it.
    pub height: u64,
    /// How many records were asked for.
    pub records: usize,
}

/// What was checked of one promise.
#[derive(Debug, Serialize)]
pub struct Promise {
    /// Whether every check held.
    pub held: bool,
    /// What was checked, in words; one that did not hold begins with `FAILED: `.
    pub checks: Vec<String>,
}

/// The verifier's verdict.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// `proved`, `refuted` or `cannot_tell`.
    pub result: &'static str,
    /// Entries of the history.
    pub entries: u64,
    /// How many validators signed.
    pub signers: usize,
    /// How many must.
    pub quorum: usize,
    /// What the entries show that should not be, or still has to be done.
    pub anomalies: Vec<String>,
}

/// Sizes in bytes.
#[derive(Debug, Default, Serialize)]
pub struct Sizes {
    /// The bundle.
    pub bundle: u64,
    /// The resources that were sealed.
    pub plaintext: u64,
    /// Their sealed bodies, at one organization.
    pub ciphertext: u64,
    /// All blocks, if they are held.
    pub chain: Option<u64>,
    /// The exported history.
    pub export: u64,
}

/// Collects checks of promises while the visit goes on.
#[derive(Debug, Default)]
pub struct Checks {
    promises: BTreeMap<&'static str, Promise>,
}

impl Checks {
    /// Notes whether `what` held.
    pub fn check(&mut self, promise: &'static str, held: bool, what: impl Into<String>) {
        let entry = self.promises.entry(promise);
        let entry = entry.or_insert_with(|| Promise {
            held: true,
            checks: Vec::new(),
        });
        entry.held &= held;
        let what = what.into();
        entry.checks.push(if held {
            what
        } else {
            format!("FAILED: {what}")
        });
    }

    /// Fails a promise of which nothing was checked.
    pub fn want(&mut self, promise: &'static str, what: &str) {
        if !self.promises.contains_key(promise) {
            self.check(promise, false, format!("{what}: nothing was checked"));
        }
    }

    /// The checks so far, by promise.
    pub fn promises(&self) -> &BTreeMap<&'static str, Promise> {
        &self.promises
    }

    /// The checks, by promise.
    pub fn into_promises(self) -> BTreeMap<&'static str, Promise> {
        self.promises
    }
}
