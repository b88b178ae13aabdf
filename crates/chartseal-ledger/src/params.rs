use chartseal_codec::canonical_struct;
use chartseal_policy::{EmergencyPolicy, Millis, Network, Set, Symbol};
use chartseal_wire::Time;

/// The role that may review emergencies.
pub const PRIVACY_ROLE: &str = "privacy";
/// The emergency role of [`Params::default`].
pub const EMERGENCY_ROLE: &str = "emergency";

/// What a network agrees on before its first block. Part of genesis, so of the chain's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// How far a proposed block's time may lie from a voter's own clock, in ms.
    pub max_time_drift_ms: u64,
    /// How long after its enrolment an emergency role takes effect, in ms.
    pub emergency_role_delay_ms: u64,
    /// How long after an emergency's end its accesses must be reviewed, in ms.
    pub review_within_ms: u64,
    /// How long after a decision custodians may release, in ms.
    pub release_window_ms: u64,
    /// The most emergencies of one practitioner that are open or not yet reviewed.
    pub max_emergencies_per_actor: u32,
    /// The most emergencies of one organization that are open or not yet reviewed.
    pub max_emergencies_per_org: u32,
    /// The most directives that patients issue about their own records.
    pub max_directives_by_patient: u32,
    /// The most directives that anybody else issues about one patient's records. Those whom one organization enrolled
    /// have sixteen times as many together, those who speak for the patient apart.
    pub max_directives_by_other: u32,
    /// The shortest delay in which an old key can veto a recovery, in ms.
    pub min_recovery_delay_ms: u64,
    /// The window in which denied attempts are counted, in ms.
    pub denial_window_ms: u64,
    /// The most denied attempts of one actor on one patient in a window that are listed one by one;
    /// the rest is counted in one entry.
    pub max_listed_denials: u64,
    /// The most denied attempts of one organization in a window that are listed one by one.
    pub max_listed_denials_per_org: u64,
    /// Network law, and how glass is broken: for how long, by which roles.
    pub network: Network,
}

canonical_struct!(Params {
    max_time_drift_ms,
    emergency_role_delay_ms,
    review_within_ms,
    release_window_ms,
    max_emergencies_per_actor,
    max_emergencies_per_org,
    max_directives_by_patient,
    max_directives_by_other,
    min_recovery_delay_ms,
    denial_window_ms,
    max_listed_denials,
    max_listed_denials_per_org,
    network,
});

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

impl Default for Params {
    /// Half a minute of drift, a day until an emergency role counts, three days for a review, ten
    /// minutes for releases, three days for a veto, four hours of emergency, no network law.
    fn default() -> Self {
        let emergency = Symbol::new(EMERGENCY_ROLE)
            .ok()
            .map(|role| EmergencyPolicy {
                ttl: Millis(4 * HOUR),
                roles: Set::one(role),
                max_overdue: 3,
                allow_absolute: true,
            });
        Self {
            max_time_drift_ms: 30 * SECOND,
            emergency_role_delay_ms: 24 * HOUR,
            review_within_ms: 72 * HOUR,
            release_window_ms: 600 * SECOND,
            max_emergencies_per_actor: 8,
            max_emergencies_per_org: 64,
            max_directives_by_patient: 4_096,
            max_directives_by_other: 64,
            min_recovery_delay_ms: 72 * HOUR,
            denial_window_ms: HOUR,
            max_listed_denials: 64,
            max_listed_denials_per_org: 4_096,
            network: Network {
                law: alloc::vec::Vec::new(),
                emergency,
            },
        }
    }
}

impl Params {
    /// Whether a block of time `block` may be voted for at `now`. The ledger has no clock: who
    /// votes asks this.
    pub fn is_timely(&self, block: Time, now: Time) -> bool {
        block.0.abs_diff(now.0) <= self.max_time_drift_ms
    }
}
