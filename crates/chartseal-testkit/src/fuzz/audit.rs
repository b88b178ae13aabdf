//! The verifier: exports, with what was kept before and how fresh they have to be; and evidence.

use std::sync::{Mutex, OnceLock, PoisonError};

use chartseal_audit::{Equivocation, Freshness, TrustPolicy};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::Time;

use super::same;
use crate::python::Python;
use crate::question::Question;

/// The policies under which seeds are verified: of witnesses, and of a committee.
pub(super) const TRUST: &str = include_str!("../../../../fuzz/seeds/audit_policy/trust.policy");
const COMMITTEE: &str = include_str!("../../../../fuzz/seeds/audit_policy/committee.policy");
/// The clock, in ms since 1970: a minute after the seeds' last block.
const NOW: u64 = 1_795_305_675_000;

/// What a verifier is asked.
struct Asked<'a> {
    /// What was kept before; empty for a first time.
    kept: &'a [u8],
    /// How old the export may be; 0 if it does not matter.
    max_age_ms: u64,
    file: &'a [u8],
}

impl<'a> Asked<'a> {
    /// Two bytes of the kept state's length and the state, two bytes of the age in seconds, and then the file.
    fn read(input: &'a [u8]) -> Option<Self> {
        let (len, rest) = input.split_first_chunk::<2>()?;
        let (kept, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let (age, file) = rest.split_first_chunk::<2>()?;
        Some(Self {
            kept,
            max_age_ms: u64::from(u16::from_be_bytes(*age)) * 1000,
            file,
        })
    }

    /// The same for both verifiers, under a policy.
    fn under(&self, trust: &'a str) -> Question<'a> {
        Question {
            file: self.file,
            policy: trust.as_bytes(),
            kept: (!self.kept.is_empty()).then_some(self.kept),
            freshness: (self.max_age_ms > 0).then_some(Freshness {
                now: Time(NOW),
                max_age_ms: self.max_age_ms,
            }),
        }
    }
}

/// Whether either policy's verifier takes it for proved; both are asked, whatever the first one says.
pub(super) fn export(input: &[u8]) -> bool {
    let Some(asked) = Asked::read(input) else {
        return false;
    };
    let is_proved = |trust| asked.under(trust).answer().starts_with("proved");
    [TRUST, COMMITTEE].map(is_proved).contains(&true)
}

/// The same, compared with Python's answer; where there is no Python, nothing is compared.
pub(super) fn differential(input: &[u8]) -> bool {
    static PYTHON: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
    let Some(asked) = Asked::read(input) else {
        return false;
    };
    let is_proved = |trust| {
        let question = asked.under(trust);
        let ours = question.answer();
        if let Some(python) = PYTHON.get_or_init(|| Python::start().map(Mutex::new)) {
            let mut python = python.lock().unwrap_or_else(PoisonError::into_inner);
            let theirs = python.ask(&question.request());
            let theirs = theirs.unwrap_or_else(|why| why.to_string());
            assert!(ours == theirs, "we say {ours}, Python says {theirs}");
        }
        ours.starts_with("proved")
    };
    [TRUST, COMMITTEE].map(is_proved).contains(&true)
}

pub(super) fn equivocation(input: &[u8]) -> bool {
    let Ok(evidence) = from_bytes::<Equivocation>(input) else {
        return false;
    };
    let is_evidence = |trust| {
        let policy = TrustPolicy::parse(trust);
        policy.is_ok_and(|policy| evidence.verify(&policy).is_ok())
    };
    let is_evidence = [TRUST, COMMITTEE].map(is_evidence).contains(&true);
    same(input, &to_bytes(&evidence)) && is_evidence
}
