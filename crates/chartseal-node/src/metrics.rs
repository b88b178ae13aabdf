use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What a node counts since it was opened. It names rules of this program alone: no id, no key, no
/// time and no text of anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// How often this node refused something, by the id of the rule that was broken: a candidate for a
    /// block of its own (`CS-LED-01` to `79` and from `100` on), or another's block (`80` to `91`).
    pub refused: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Metrics {
    /// The text format that Prometheus reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# HELP chartseal_refused_total Transactions and blocks that were refused."
        )?;
        writeln!(f, "# TYPE chartseal_refused_total counter")?;
        for (rule, count) in &self.refused {
            writeln!(f, "chartseal_refused_total{{rule=\"{rule}\"}} {count}")?;
        }
        Ok(())
    }
}

/// The counters themselves, which readers of a node count up too.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Metrics>);

impl Counters {
    /// Counts refusals by a rule.
    pub(crate) fn refused(&self, rule: &'static str, times: u64) {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = metrics.refused.entry(rule).or_default();
        *count = count.saturating_add(times);
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> Metrics {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
