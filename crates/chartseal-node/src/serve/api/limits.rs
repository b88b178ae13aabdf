//! How often one address, and one key, may ask: the generic cell rate algorithm (ITU-T I.371), one number for each.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of so many at most it is remembered when they asked. Beyond, strangers wait until somebody is forgotten.
const MAX_KNOWN: usize = 65_536;

/// A rate, and a burst above it, for each `K`.
#[derive(Debug)]
pub(super) struct Limits<K> {
    begun: Instant,
    /// From one question to the next at the rate.
    interval: Duration,
    /// By how much of that time somebody may be ahead of the rate.
    burst: Duration,
    /// When each one's next question is due at the rate, since the beginning.
    due: Mutex<BTreeMap<K, Duration>>,
}

impl<K: Ord> Limits<K> {
    /// So many questions a second, and `burst` more at once.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            begun: Instant::now(),
            interval,
            burst: interval.saturating_mul(burst),
            due: Mutex::default(),
        }
    }

    /// Whether somebody may ask now; it counts if they may.
    pub(super) fn take(&self, who: K) -> bool {
        self.take_at(who, self.begun.elapsed())
    }

    fn take_at(&self, who: K, now: Duration) -> bool {
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let due = all.get(&who).copied().unwrap_or_default().max(now);
        if due.saturating_sub(now) > self.burst {
            return false;
        }
        if all.len() >= MAX_KNOWN && !all.contains_key(&who) {
            // Whoever is not ahead of the rate is as one who never asked.
            all.retain(|_, due| *due > now);
            if all.len() >= MAX_KNOWN {
                return false;
            }
        }
        all.insert(who, due.saturating_add(self.interval));
        true
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, for whoever has one address of it has all.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_taken_then_the_rate_and_each_has_their_own() {
        let limits = Limits::new(10, 5);
        let taken = |who, ms| (0..20).filter(|_| limits.take_at(who, at(ms))).count();
        assert_eq!(taken('a', 0), 6, "one that is due, and five more");
        assert_eq!(taken('b', 0), 6);
        assert_eq!(taken('a', 99), 0);
        assert_eq!(taken('a', 100), 1);
        assert_eq!(taken('a', 1_000), 6, "no more is saved up than the burst");
    }

    #[test]
    fn strangers_can_not_fill_the_memory_and_are_forgotten_in_time() {
        let limits = Limits::new(1, 0);
        let strangers = u32::try_from(MAX_KNOWN).unwrap();
        assert!((0..strangers).all(|who| limits.take_at(who, at(0))));
        assert!(!limits.take_at(strangers, at(0)));
        assert!(!limits.take_at(3, at(10)), "who is known is still counted");
        assert!(limits.take_at(strangers, at(1_000)));
        assert_eq!(limits.due.lock().unwrap().len(), 1);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address_and_a_mapped_one_is_its_ipv4() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::1"), of("2001:db8:1:2:4::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
