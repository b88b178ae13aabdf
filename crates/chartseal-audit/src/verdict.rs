use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use chartseal_wire::{Subject, Time};

use crate::equivocation::Equivocation;
use crate::report::{Name, Report};
use crate::rules::Rule;

/// What a file turned out to be. Never a yes or no: who only asks "is it proved?" has to say what
/// happens to the other two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<T = Report> {
    /// Everything in the report is proved, on the assumptions that it lists.
    Proved(Box<T>),
    /// The file breaks a rule: it proves nothing.
    Refuted(Refutation),
    /// The file may be good, but what it needs to be checked against is not here.
    CannotTell(Doubt),
}

/// Which rule a file breaks first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refutation {
    /// The rule.
    pub rule: Rule,
    /// What was found instead: fields, lines and indexes, never contents.
    pub detail: String,
    /// If it contradicts what was verified before, and the two statements prove that to whoever has the policy.
    pub equivocation: Option<Box<Equivocation>>,
}

/// What is missing for a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The policy lists no key for this log.
    UnknownLog {
        /// The log's origin.
        origin: String,
    },
    /// The certificate is by a committee that is not the policy's, nor followed from it.
    UnknownCommittee {
        /// The epoch from which on committees are shown.
        epoch: u64,
    },
    /// A committee that is no longer in office gave office away, and no witness vouches for it.
    RetiredCommittee {
        /// The epoch of the trusted committee.
        epoch: u64,
        /// The epoch of the certificate.
        now: u64,
    },
    /// The kept state is of another chain.
    OtherChain {
        /// The origin of what was kept.
        kept: String,
        /// The origin of this file.
        found: String,
    },
    /// The export holds no history.
    NoHistory,
    /// A history that was verified before is not in this export.
    HistoryMissing {
        /// Whose.
        subject: Subject,
    },
    /// A history starts at an entry other than the one where the kept one ends.
    EarlierPartMissing {
        /// Whose.
        subject: Subject,
        /// Where it starts.
        first: u64,
        /// How many entries were verified before.
        kept: u64,
    },
    /// The export shows how the log grew from a size that is not the one kept, or shows it to a
    /// verifier that kept none.
    GrowthFromElsewhere {
        /// From which size it shows it; `None`: it doesn't.
        from: Option<u64>,
        /// The size that was kept, if any was.
        kept: Option<u64>,
    },
    /// The proof holds, but of a time too long ago, or too far ahead of the verifier's clock.
    Stale {
        /// Up to when the histories are known to be complete.
        fresh_as_of: Time,
        /// The verifier's clock.
        now: Time,
        /// How far the two may differ, in ms.
        max_age_ms: u64,
    },
}

impl Doubt {
    /// A lasting word for this doubt: `stale`, `unknown_log`, …
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownLog { .. } => "unknown_log",
            Self::UnknownCommittee { .. } => "unknown_committee",
            Self::RetiredCommittee { .. } => "retired_committee",
            Self::OtherChain { .. } => "other_chain",
            Self::NoHistory => "no_history",
            Self::HistoryMissing { .. } => "history_missing",
            Self::EarlierPartMissing { .. } => "earlier_part_missing",
            Self::GrowthFromElsewhere { .. } => "growth_from_elsewhere",
            Self::Stale { .. } => "stale",
        }
    }

    /// The rules that are not checked for it, or not of every history.
    pub fn leaves_out(&self) -> &'static [Rule] {
        use Rule::{
            Complete, Continues, Cosignature, Count, Entry, EntryHeight, Fork, Growth,
            KnownWitness, LogSignature, Needed, Quorum, RolledBack, SignatureOrder, Slot, Text,
        };
        match self {
            Self::UnknownLog { .. } => &[
                LogSignature,
                KnownWitness,
                SignatureOrder,
                Cosignature,
                Quorum,
                Needed,
                RolledBack,
                Fork,
                Growth,
                Continues,
            ],
            Self::UnknownCommittee { .. } | Self::RetiredCommittee { .. } => {
                &[Quorum, Needed, RolledBack, Fork, Growth, Continues]
            }
            Self::OtherChain { .. } => &[RolledBack, Fork, Growth, Continues],
            Self::NoHistory => &[Slot, Count, Complete, Entry, EntryHeight, Text],
            Self::HistoryMissing { .. } => &[Text, Continues],
            Self::EarlierPartMissing { .. } => {
                &[Count, Complete, Entry, EntryHeight, Text, Continues]
            }
            Self::GrowthFromElsewhere { .. } => &[Growth],
            Self::Stale { .. } => &[],
        }
    }
}

impl<T: fmt::Display> fmt::Display for Verdict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proved(report) => report.fmt(f),
            Self::Refuted(refutation) => refutation.fmt(f),
            Self::CannotTell(doubt) => writeln!(f, "Can't tell: {doubt}."),
        }
    }
}

impl fmt::Display for Refutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Refuted: the file proves nothing.")?;
        writeln!(f, "  {}  {}", self.rule, self.rule.says())?;
        writeln!(f, "  Found: {}.", self.detail)?;
        if self.equivocation.is_some() {
            writeln!(
                f,
                "  The two statements are proof that the network signed two histories."
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLog { origin } => write!(f, "the policy lists no key of the log {origin}"),
            Self::UnknownCommittee { epoch } => write!(
                f,
                "the file shows committees from epoch {epoch} on, and none is the policy's"
            ),
            Self::RetiredCommittee { epoch, now } => write!(
                f,
                "the policy's committee is of epoch {epoch}, which is over: epoch {now} signed, and no \
                 witness vouches for what came between"
            ),
            Self::OtherChain { kept, found } => {
                write!(f, "the kept state is of {kept}, the file of {found}")
            }
            Self::NoHistory => f.write_str("the export holds no history"),
            Self::HistoryMissing { subject } => {
                write!(
                    f,
                    "the history of {} was verified before, and is not in the export",
                    Name(subject)
                )
            }
            Self::EarlierPartMissing {
                subject,
                first,
                kept,
            } => write!(
                f,
                "the history of {} starts at entry {first}, and {kept} entries were verified before",
                Name(subject)
            ),
            Self::GrowthFromElsewhere { from, kept } => {
                match from {
                    Some(from) => write!(f, "the export continues a log of {from} blocks, ")?,
                    None => f.write_str("the export continues no earlier one, ")?,
                }
                match kept {
                    Some(kept) => write!(f, "the kept state is of one of {kept}"),
                    None => f.write_str("and no state was kept"),
                }
            }
            Self::Stale {
                fresh_as_of,
                now,
                max_age_ms,
            } => write!(
                f,
                "stale: complete up to {fresh_as_of}, more than {} s from now, {now}",
                max_age_ms / 1000
            ),
        }
    }
}

/// Why a check ends before its end.
pub(crate) enum Stop {
    Refuted(Refutation),
    Doubt(Doubt),
}

impl Stop {
    pub(crate) fn refute(rule: Rule, found: impl fmt::Display) -> Self {
        Self::Refuted(Refutation {
            rule,
            detail: alloc::format!("{found}"),
            equivocation: None,
        })
    }
}
