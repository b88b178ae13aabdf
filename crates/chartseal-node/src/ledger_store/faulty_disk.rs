//! A disk in memory that fails at one chosen step, as disks and power do.

#![allow(clippy::indexing_slicing, reason = "tests")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk tears writes at these bounds only.
const SECTOR: usize = 512;

/// What happens at the chosen step. Every step is one write, one change of length, or one sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This step is refused; the disk works on.
    Refused,
    /// The power goes, and what was written since the last sync all got to the disk before it.
    Kept,
    /// The power goes, and nothing since the last sync got there.
    Lost,
    /// As `Kept`, and half of this step's write.
    Torn,
    /// The power goes, and of all since the last sync only this step's write got there.
    Overtaken,
    /// The power goes; of all since the last sync each sector got there or not, by this seed.
    Scattered(u64),
}

impl Fault {
    pub(super) const ALL: [Self; 8] = [
        Self::Refused,
        Self::Kept,
        Self::Lost,
        Self::Torn,
        Self::Overtaken,
        Self::Scattered(1),
        Self::Scattered(2),
        Self::Scattered(3),
    ];
}

/// A disk; clones are the same disk.
#[derive(Clone, Debug)]
pub(super) struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What a sync made sure of.
    synced: Vec<u8>,
    /// What a reader sees.
    seen: Vec<u8>,
    /// What makes the one into the other.
    unsynced: Vec<Step>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Resize(usize),
    Sync,
}

impl FaultyDisk {
    /// A disk with this content that never fails.
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self::start(content, None)
    }

    /// One that fails once, at its step `at`, counted from 0.
    pub(super) fn failing(content: Vec<u8>, at: u64, fault: Fault) -> Self {
        Self::start(content, Some((at, fault)))
    }

    fn start(content: Vec<u8>, fault: Option<(u64, Fault)>) -> Self {
        Self(Arc::new(Mutex::new(State {
            seen: content.clone(),
            synced: content,
            unsynced: Vec::new(),
            steps: 0,
            fault,
            is_off: false,
        })))
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.state().steps
    }

    /// What the disk holds after its process has ended: after a power failure, what survived that.
    pub(super) fn content(&self) -> Vec<u8> {
        let state = self.state();
        if state.is_off {
            &state.synced
        } else {
            &state.seen
        }
        .clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.is_off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    fn take(&mut self, step: Step) -> io::Result<()> {
        self.check_power()?;
        let at = self.steps;
        self.steps += 1;
        if let Some((_, fault)) = self.fault.filter(|(chosen, _)| *chosen == at) {
            if fault != Fault::Refused {
                self.fail(step, fault);
            }
            return Err(io::Error::other("this step fails"));
        }
        apply(&mut self.seen, &step);
        if matches!(step, Step::Sync) {
            self.synced.clone_from(&self.seen);
            self.unsynced.clear();
        } else {
            self.unsynced.push(step);
        }
        Ok(())
    }

    fn fail(&mut self, last: Step, fault: Fault) {
        self.is_off = true;
        let mut steps = std::mem::take(&mut self.unsynced);
        let surviving = match fault {
            Fault::Refused | Fault::Lost => Vec::new(),
            Fault::Kept => steps,
            Fault::Torn => {
                if let Step::Write(offset, mut data) = last {
                    data.truncate(data.len() / 2);
                    steps.push(Step::Write(offset, data));
                }
                steps
            }
            Fault::Overtaken => vec![last],
            Fault::Scattered(seed) => {
                steps.push(last);
                scatter(&steps, seed)
            }
        };
        for step in &surviving {
            apply(&mut self.synced, step);
        }
    }
}

fn apply(content: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write(offset, data) => {
            let end = offset + data.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(data);
        }
        Step::Resize(len) => content.resize(*len, 0),
        Step::Sync => {}
    }
}

/// The steps with about half of their sectors left out.
fn scatter(steps: &[Step], seed: u64) -> Vec<Step> {
    let mut random = seed;
    let mut is_kept = || {
        // A linear congruential generator (Knuth's constants): any coin does here.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        random >> 63 == 0
    };
    let mut kept = Vec::new();
    for step in steps {
        if let Step::Write(offset, data) = step {
            for (at, sector) in data.chunks(SECTOR).enumerate() {
                if is_kept() {
                    kept.push(Step::Write(offset + at * SECTOR, sector.to_vec()));
                }
            }
        } else if is_kept() {
            kept.push(step.clone());
        }
    }
    kept
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.check_power()?;
        Ok(state.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        state.check_power()?;
        let from = usize::try_from(offset).unwrap();
        let end = from.checked_add(out.len());
        let part = end.and_then(|end| state.seen.get(from..end));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()
            .take(Step::Resize(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state().take(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.state().take(Step::Write(offset, data.to_vec()))
    }
}
