//! What a seed means.

use commonware_runtime::deterministic::PartialWriteMode;

use super::faults::Malice;
use super::people::VALIDATORS;

/// A small generator whose numbers depend on the seed alone (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number in `from..to`.
    pub fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.range(0, many) == 0
    }

    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.range(0, of.len() as u64);
        &of[usize::try_from(at).unwrap()]
    }
}

/// One run.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each turns one kind of trouble on"
)]
pub struct Plan {
    pub seed: u64,
    pub validators: usize,
    /// How long each phase lasts, in ms; all validators are killed at its end.
    pub phases: Vec<u64>,
    /// Mean latency of a link and its deviation, in ms.
    pub latency: (u64, u64),
    /// How many of a thousand messages are lost.
    pub loss: u64,
    /// Whether validators crash one by one, and are cut off.
    pub crashes: bool,
    pub partitions: bool,
    /// How far each validator's clock is off, in ms.
    pub skews: Vec<i64>,
    /// What the first validators do, if they are not honest, and how many they are: at most *f*, but for a test of too many.
    pub malice: Malice,
    pub byzantine: usize,
    /// Whether the honest validators can't talk to each other, only to the others.
    pub apart: bool,
    /// How many clients there are, and the pause of each between its transactions, in ms at most.
    pub clients: usize,
    pub pause: u64,
    /// Whether a client hands each transaction in once, at one validator, and waits.
    pub faithful: bool,
    /// Whose ledger is empty again when the last phase begins.
    pub forgets: Option<usize>,
    /// Who is down from an eighth to a half of each phase, or cut off, while nothing need befall anybody else.
    pub away: Option<(usize, Away)>,
    /// Who finds nothing of the engine's votes on its disk at each start, as after a copy of an older day.
    pub loses_votes: Option<usize>,
    /// Whether a validator that starts has its ledger take what another one has, before the engine does.
    pub fetches: bool,
    /// The most transactions of a proposal.
    pub block: usize,
    /// Whether the committee changes three times. Then the first four of six validators are the first committee.
    pub handovers: bool,
    /// How many of a hundred bytes that were written and not synced are on the disk after all are killed, from the beginning
    /// of each write or any of them; none else.
    pub torn: Option<(u64, PartialWriteMode)>,
    /// How often an idle chain makes a block, in ms. A leader's timeout is 1.6 s.
    pub heartbeat: u64,
}

/// How somebody is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    Down,
    CutOff,
}

/// More transactions than there are.
const LARGE_BLOCK: usize = 2_048;

/// Who floods the pools has to compete with clients for room in blocks.
fn block(malice: Malice) -> usize {
    if malice == Malice::FloodValid {
        16
    } else {
        LARGE_BLOCK
    }
}

impl Plan {
    /// A run in which nothing happens but what a test adds to it.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            validators: 4,
            phases: vec![10_000],
            latency: (20, 5),
            loss: 0,
            crashes: false,
            partitions: false,
            skews: vec![0; 4],
            malice: Malice::None,
            byzantine: 0,
            apart: false,
            clients: 8,
            pause: 400,
            faithful: false,
            forgets: None,
            away: None,
            loses_votes: None,
            fetches: false,
            block: LARGE_BLOCK,
            handovers: false,
            torn: None,
            heartbeat: 1_000,
        }
    }

    /// The same with one validator that is not honest.
    pub fn with(seed: u64, malice: Malice) -> Self {
        Self {
            malice,
            byzantine: 1,
            block: block(malice),
            ..Self::quiet(seed)
        }
    }

    /// A run whose committee changes, under whatever the seed brings except malice.
    pub fn handing_over(seed: u64) -> Self {
        Self {
            validators: VALIDATORS,
            phases: vec![30_000; 4],
            malice: Malice::None,
            byzantine: 0,
            block: LARGE_BLOCK,
            skews: vec![0; VALIDATORS],
            clients: 4,
            pause: 100,
            handovers: true,
            ..Self::of(seed)
        }
    }

    /// The run of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let validators = if rng.one_in(6) { 7 } else { 4 };
        let phases = (0..rng.range(1, 4))
            .map(|_| rng.range(8_000, 16_000))
            .collect();
        let malice = *rng.choose(&Malice::ALL);
        let mut plan = Self {
            seed,
            validators,
            phases,
            latency: (rng.range(5, 80), rng.range(0, 20)),
            loss: *rng.choose(&[0, 0, 10, 50, 100]),
            crashes: !rng.one_in(3),
            partitions: !rng.one_in(3),
            skews: Vec::new(),
            malice,
            byzantine: 0,
            apart: false,
            clients: 8,
            pause: *rng.choose(&[100, 400, 2_000]),
            faithful: false,
            forgets: None,
            away: None,
            loses_votes: None,
            fetches: false,
            block: block(malice),
            handovers: false,
            torn: None,
            heartbeat: 1_000,
        };
        // Well within the half minute of drift that the network's parameters allow.
        plan.skews = (0..validators)
            .map(|_| rng.range(0, 16_000).cast_signed() - 8_000)
            .collect();
        plan.heartbeat = *rng.choose(&[1_000, 5_000]);
        plan.fetches = rng.one_in(2);
        let mode = *rng.choose(&[PartialWriteMode::Prefix, PartialWriteMode::Subset]);
        plan.torn = (!rng.one_in(3)).then(|| (rng.range(1, 101), mode));
        if malice != Malice::None {
            // As many as may be.
            let most = (validators as u64 - 1) / 3;
            plan.byzantine = usize::try_from(rng.range(1, most + 1)).unwrap();
        }
        plan
    }

    /// The validators that follow the protocol.
    pub fn honest(&self) -> impl Iterator<Item = usize> + use<> {
        self.byzantine..self.validators
    }

    /// What a validator does wrong.
    pub fn malice_of(&self, number: usize) -> Malice {
        if number < self.byzantine {
            self.malice
        } else {
            Malice::None
        }
    }
}
