//! How a simulated validator runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use chartseal_consensus::Limits;
use chartseal_consensus::engine::{Builder, Settings};
use chartseal_wire::Time;
use commonware_runtime::{Clock as _, Supervisor as _, deterministic};

use super::plan::Plan;

/// A validator's settings under a plan, with its clock as far off as the plan says, and its pool's bounds.
pub fn settings(
    context: &deterministic::Context,
    plan: &Plan,
    number: usize,
    builder: Arc<dyn Builder>,
    pool: Limits,
) -> Settings {
    let (clock, skew) = (context.child("clock"), plan.skews[number]);
    let clock = move || {
        let since = clock.current().duration_since(UNIX_EPOCH).unwrap();
        let ms = u64::try_from(since.as_millis()).unwrap();
        Time(ms.saturating_add_signed(skew))
    };
    Settings {
        heartbeat: Duration::from_millis(plan.heartbeat),
        leader_timeout: Duration::from_millis(1_600),
        certification_timeout: Duration::from_millis(2_400),
        retry: Duration::from_secs(1),
        skip_after: Duration::from_secs(4),
        fetch_timeout: Duration::from_millis(500),
        gossip_again: Duration::from_millis(500),
        max_transactions: plan.block,
        pool,
        threads: NonZeroUsize::MIN,
        cached_pages: NonZeroUsize::new(64).unwrap(),
        table_size: 64,
        partition: format!("validator-{number}"),
        builder,
        ..Settings::recommended(Arc::new(clock))
    }
}
