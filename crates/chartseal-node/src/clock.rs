use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chartseal_wire::Time;

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The operating system.
    #[default]
    System,
    /// A clock that stands still until it is moved: for demonstrations and tests. Clones share it.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `time`.
    pub fn manual(time: Time) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(time.0)))
    }

    /// The time, in ms.
    pub fn now(&self) -> Time {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Manual(time) => Time(time.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the system's goes on by itself.
    pub fn advance_ms(&self, ms: u64) {
        if let Self::Manual(time) = self {
            time.fetch_add(ms, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_moved_and_with_its_clones() {
        let clock = Clock::manual(Time(1_000));
        let other = clock.clone();
        clock.advance_ms(500);
        assert_eq!((clock.now(), other.now()), (Time(1_500), Time(1_500)));
    }
}
