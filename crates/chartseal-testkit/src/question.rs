//! What both verifiers, ours and the one in Python, are asked of an export.

use chartseal_audit::{Freshness, Kept, Options, Rule, TrustPolicy, Verdict, verify};
use chartseal_codec::to_hex;

/// What both verifiers are asked of an export.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The export.
    pub file: &'a [u8],
    /// The policy's text.
    pub policy: &'a [u8],
    /// The state that was kept before.
    pub kept: Option<&'a [u8]>,
    /// How fresh it has to be.
    pub freshness: Option<Freshness>,
}

impl Question<'_> {
    /// Our verdict, as the script's `batch` writes its own: with how fresh, and what to keep.
    pub fn answer(&self) -> String {
        let policy = std::str::from_utf8(self.policy).ok();
        let kept = self.kept.map(Kept::from_bytes).transpose();
        let (Some(Ok(policy)), Ok(kept)) = (policy.map(TrustPolicy::parse), kept) else {
            return "misuse".into();
        };
        let Ok(file) = std::str::from_utf8(self.file) else {
            return format!("refuted {}", Rule::File);
        };
        let options = Options {
            freshness: self.freshness,
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

    /// The same question for [`Python::ask`](crate::python::Python::ask).
    pub fn request(&self) -> String {
        let kept = self.kept.map_or("-".into(), to_hex);
        let (now, age) = self.freshness.map_or(("-".into(), "-".into()), |fresh| {
            (fresh.now.0.to_string(), fresh.max_age_ms.to_string())
        });
        let (file, policy) = (to_hex(self.file), to_hex(self.policy));
        format!("export {file} {policy} {kept} {now} {age}")
    }
}
