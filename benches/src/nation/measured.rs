//! What was measured of the system, named after the figures of `docs/benches.md` and `docs/consensus.md`. Nothing here is assumed.

/// Validators of the networks that were measured.
pub(super) const VALIDATORS: u64 = 4;
/// Transactions of a visit at four validators (`benches/src/ledger/workload.rs`): a grant, two records, a request, and what custodians
/// write.
pub(super) const VISIT: u64 = 16;
/// Records of it.
pub(super) const RECORDS: u64 = 2;

/// What a visit makes of transactions if `n` custodians acknowledge each record and give receipts: 4 + 3 *n*.
pub(super) fn visit(n: u64) -> u64 {
    VISIT + (RECORDS + 1) * n - (RECORDS + 1) * VALIDATORS
}

/// `network/cpu-per-transaction`: 0.80 ms of a core on all four nodes.
pub(super) const CPU_PER_TRANSACTION_S: f64 = 0.80e-3 / 4.0;
/// "A block costs the four some 30 ms of a core whatever is in it".
pub(super) const CPU_PER_BLOCK_S: f64 = 30e-3 / 4.0;
/// The slower of the bare checks under `network/throughput`: what another validator's vote costs each of the others.
pub(super) const CPU_PER_CHECK_S: f64 = 36e-6;
/// `network/throughput`: the least and the most that four nodes carried, all on two cores. A block's way was never measured on more.
pub(super) const THROUGHPUT: (f64, f64) = (2_450.0, 3_760.0);
/// `custody/releases`: a custodian's release of a record, 0.183 ms in the run for this plan; to take a share in is one HPKE message too.
pub(super) const CPU_PER_RELEASE_S: f64 = 0.183e-3;
/// Executing and keeping a transaction on the way of its block: 26 % of two cores at 3,760 a second on four nodes.
pub(super) const EXECUTE_S: f64 = 0.26 * 2.0 / 3_760.0 / 4.0;
/// What is left of the interval of blocks without two one-way delays, in `network/latency-20ms` (129 ms, 0.84 of five delays and the
/// interval) and `network/latency-80ms` (490 ms, 0.85).
pub(super) const INTERVAL_S: f64 = 0.015;
/// Transactions of an honest node's proposal at most (`docs/consensus.md`, "Limits").
pub(super) const BLOCK: usize = 2_048;
/// `network/catch-up`: 200 transactions a second, 42 times as fast, of what is fetched before a validator starts.
pub(super) const CATCH_UP: f64 = 42.0 * 200.0;
/// `network/idle-cpu`, of a core.
pub(super) const IDLE_CPU: f64 = 0.0015;
/// `network/idle-disk`, bytes a day, heartbeat 8 s.
pub(super) const IDLE_DISK: f64 = 9.2e6;
/// What stays of a block on disk beside its transactions, at three signatures.
pub(super) const DISK_PER_BLOCK: f64 = 600.0;

/// `ledger/memory-per-patient`, bytes.
pub(super) const MEMORY_PER_PATIENT: f64 = 1_480.0;
/// `ledger/disk-per-patient`, bytes; run for this plan.
pub(super) const DISK_PER_PATIENT: f64 = 1_468.0;
/// `ledger/memory-per-transaction`, bytes; run for this plan, at 100,000 patients.
pub(super) const MEMORY_PER_TRANSACTION: f64 = 550.0;
/// `ledger/disk-per-transaction`, bytes; run for this plan, at 100,000 patients.
pub(super) const DISK_PER_TRANSACTION: f64 = 896.0;
/// Its bytes in a block, from the same run.
pub(super) const BYTES_PER_TRANSACTION: f64 = 248.0;
/// `visit-bytes-ciphertext`: a record's sealed body, bytes, of resources of 805 bytes; run for this plan.
pub(super) const CIPHERTEXT_PER_RECORD: f64 = 967.0;
/// An entry of a history as visits leave it, bytes ("278 in the demo").
pub(super) const ENTRY: f64 = 278.0;
/// `audit/verify-1000`: a history of 1,000 entries without its four signature checks, for each entry; run for this plan.
pub(super) const VERIFY_PER_ENTRY_S: f64 = 437e-9;

/// `Params::max_emergencies_per_org`: declarations that are open or have unreviewed accesses.
pub(super) const MOST_EMERGENCIES: u64 = 64;
/// `Params::review_within_ms`, in hours.
pub(super) const REVIEW_HOURS: f64 = 72.0;
