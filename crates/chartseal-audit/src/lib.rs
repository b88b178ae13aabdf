//! Verifies Chartseal checkpoints, histories and exports offline.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod anomaly;
mod equivocation;
mod kept;
pub mod policy;
mod report;
mod rules;
mod signatures;
mod verdict;
mod verify;

pub use anomaly::{Anomaly, AnomalyKind};
pub use equivocation::Equivocation;
pub use kept::Kept;
pub use policy::{Quorum, TrustPolicy};
pub use report::{Cosigner, History, OpenReview, Report};
pub use rules::Rule;
pub use verdict::{Doubt, Refutation, Verdict};
pub use verify::{Freshness, Options, REVIEW_PERIOD_MS, verify};
