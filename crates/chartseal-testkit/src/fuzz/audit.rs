//! The verifier: exports, with what was kept before and how fresh they have to be; and evidence.

use std::sync::{Mutex, OnceLock, PoisonError};

use chartseal_audit::{Equivocation, Freshness, Kept, Options, Rule, TrustPolicy, Verdict, verify};
use chartseal_codec::{from_bytes, to_bytes, to_hex};
use chartseal_wire::Time;

use super::same;
use crate::python::Python;

/// The policies under which seeds are verified: of witnesses, and of a committee.
pub(super) const TRUST: &str = include_str!("../../../../fuzz/seeds/audit_policy/trust.policy");
const COMMITTEE: &str = include_str!("../../../../fuzz/seeds/audit_policy/committee.policy");
/// The clock, in ms since 1970: a minute after the seeds' last block.
const NOW: u64 = 1_795_305_675_000;

/// What a verifier is asked.
struct Question<'a> {
    /// What was kept before; empty for a first time.
    kept: &'a [u8],
    /// How old the export may be; 0 if it does not matter.
    max_age_ms: u64,
    file: &'a [u8],
}

impl<'a> Question<'a> {
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

    /// What is found, as the script's `batch` says it.
    fn answer(&self, trust: &str) -> String {
        let Ok(policy) = TrustPolicy::parse(trust) else {
            return "misuse".into();
        };
        let kept = if self.kept.is_empty() {
            None
        } else {
            match Kept::from_bytes(self.kept) {
                Ok(kept) => Some(kept),
                Err(_) => return "misuse".into(),
            }
        };
        let Ok(file) = std::str::from_utf8(self.file) else {
            return format!("refuted {}", Rule::File);
        };
        let freshness = (self.max_age_ms > 0).then_some(Freshness {
            now: Time(NOW),
            max_age_ms: self.max_age_ms,
        });
        let options = Options {
            freshness,
            ..Options::default()
        };
        match verify(file, &policy, kept.as_ref(), &options) {
            Verdict::Proved(report) => {
                let kept = to_hex(&report.kept.to_bytes());
                format!("proved {} {kept}", report.fresh_as_of.0)
            }
            Verdict::Refuted(refutation) => format!("refuted {}", refutation.rule),
            Verdict::CannotTell(doubt) => format!("cannot_tell {}", doubt.code()),
        }
    }

    /// The same question for the script.
    fn request(&self, trust: &str) -> String {
        let or_none = |text: String| if text.is_empty() { "-".into() } else { text };
        let (now, max_age) = match self.max_age_ms {
            0 => ("-".into(), "-".into()),
            age => (NOW.to_string(), age.to_string()),
        };
        format!(
            "export {} {} {} {now} {max_age}",
            to_hex(self.file),
            to_hex(trust.as_bytes()),
            or_none(to_hex(self.kept)),
        )
    }
}

/// Whether either policy's verifier takes it for proved; both are asked, whatever the first one says.
pub(super) fn export(input: &[u8]) -> bool {
    let Some(question) = Question::read(input) else {
        return false;
    };
    let is_proved = |trust| question.answer(trust).starts_with("proved");
    [TRUST, COMMITTEE].map(is_proved).contains(&true)
}

/// The same, compared with Python's answer; where there is no Python, nothing is compared.
pub(super) fn differential(input: &[u8]) -> bool {
    static PYTHON: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
    let Some(question) = Question::read(input) else {
        return false;
    };
    let is_proved = |trust| {
        let ours = question.answer(trust);
        if let Some(python) = PYTHON.get_or_init(|| Python::start().map(Mutex::new)) {
            let mut python = python.lock().unwrap_or_else(PoisonError::into_inner);
            let theirs = python.ask(&question.request(trust));
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
