//! Verifies Chartseal checkpoints, histories and exports offline.
//!
//! A patient, an auditor or a court holds one file and knows one thing: whom to trust, as a C2SP
//! [`TrustPolicy`]. [`verify`] says what the file proves. No server is asked, no clock is read.
//!
//! **What is proved.** Of the ids that a [`Report`] names: every entry of their histories is the one
//! that the network agreed on; there is no other entry, from the first one in the file up to the
//! report's block; and whoever verifies the same chain sees the same.
//!
//! **On what assumption.** That fewer than `2k − n` of the policy's `n` quorum members are corrupt,
//! where `k` have to sign: at most one of four validators of which three sign. That the policy is
//! the network's own. That Ed25519 and SHA-256 hold. Each report says so for its own policy
//! ([`Report::assumptions`]).
//!
//! ```
//! use chartseal_audit::{Kept, Options, TrustPolicy, Verdict, verify};
//!
//! # let file = include_str!("../tests/vectors/visit.tlog-proof");
//! # let newer = include_str!("../tests/vectors/visit-newer.tlog-proof");
//! # let policy = include_str!("../tests/vectors/trust.policy");
//! let policy = TrustPolicy::parse(policy)?;
//! let kept: Kept = match verify(file, &policy, None, &Options::default()) {
//!     Verdict::Proved(report) => {
//!         assert_eq!((report.quorum.signed, report.quorum.of), (3, 4));
//!         assert_eq!((report.histories[0].permitted, report.histories[0].denied), (2, 1));
//!         assert!(report.anomalies.is_empty());
//!         report.kept
//!     }
//!     Verdict::Refuted(refutation) => panic!("broken: {} {}", refutation.rule, refutation.detail),
//!     Verdict::CannotTell(doubt) => panic!("needs more: {doubt}"),
//! };
//! // The next export holds the newer entries alone. What was verified before can't come back.
//! let next = verify(newer, &policy, Some(&kept), &Options::default());
//! let Verdict::Proved(next) = next else { panic!("{next}") };
//! let replayed = verify(file, &policy, Some(&next.kept), &Options::default());
//! assert!(replayed.to_string().contains("CS-AUD-18"));
//! # Ok::<(), chartseal_wire::FormatError>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `verify` | [`verify`]: one file, one [`Verdict`]; the order of the checks; [`examine`]: and all that can't be told |
//! | `header` | the light tier: [`verify_header`], and single facts under a [`ProvedHeader`] |
//! | `rules` | [`Rule`]: every check by its id |
//! | [`policy`] | [`TrustPolicy`]: logs, witnesses, nested k-of-n groups |
//! | `signatures` | who signed a checkpoint, in the strict profile of exports |
//! | `finality` | the committee's certificate of a header, and how office changed hands |
//! | `anomaly` | [`Anomaly`]: what proved entries show that should not be |
//! | `told`, `ids` | the events that it reads, and its maps: there for a verifier that is small |
//! | `report`, `verdict` | [`Report`], [`Verdict`], and both in plain words |
//! | `kept` | [`Kept`]: what a verifier remembers between exports |
//! | `equivocation` | [`Equivocation`]: two signed statements that contradict each other |
//!
//! The rules, and what the verifier decides where the formats leave it open, are in `docs/audit.md`;
//! the formats to the byte in `docs/formats.md`. `docs/verify_export.py` is a second verifier.
//!
//! # Limits
//! Cosignatures are Ed25519's; with the feature `ml-dsa`, ML-DSA-44's too. A certificate says nothing of
//! whether its committee is still in office: the block's time is that committee's own word, so freshness
//! shows it only where a witness of the policy's quorum signs too (each report says which it is). An entry
//! says what the network decided, not what is true. Every byte is taken for hostile: a file is at most 256
//! MiB, a policy 64 KiB; nothing recurses, nothing panics.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod anomaly;
mod equivocation;
mod finality;
mod header;
mod ids;
mod kept;
pub mod policy;
mod report;
mod rules;
mod signatures;
mod told;
mod verdict;
mod verify;

pub use anomaly::{Anomaly, AnomalyKind};
pub use equivocation::{Contradiction, Equivocated, Equivocation, NoEquivocation};
pub use finality::verify_certificate;
pub use header::{ProvedHeader, verify_header};
pub use kept::Kept;
pub use policy::{Quorum, TrustPolicy};
pub use report::{Certified, Cosigner, Entries, History, OpenReview, Report};
pub use rules::Rule;
pub use verdict::{Doubt, Refutation, Verdict};
pub use verify::{Freshness, Options, REVIEW_PERIOD_MS, examine, verify};
