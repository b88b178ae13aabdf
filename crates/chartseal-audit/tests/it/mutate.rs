//! Random changes of an export, the same in every run: of its bytes, and of what they mean.

use chartseal_codec::{Bytes, Decode, Encode, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Map, root_from_inclusion};
use chartseal_wire::export::Growth;
use chartseal_wire::{
    Checkpoint, Entry, Event, Export, Hash, ProofFile, SealedText, SignedNote, Subject, Time, TxId,
};

/// xorshift64*.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap() % n.max(1)
    }

    /// A number near `n`, or anywhere.
    fn near(&mut self, n: u64) -> u64 {
        match self.below(6) {
            0 => n.wrapping_add(1),
            1 => n.wrapping_sub(1),
            2 => 0,
            3 => n ^ 1 << self.below(64),
            4 => u64::MAX,
            _ => self.next(),
        }
    }

    fn hash(&mut self, pool: &[Hash]) -> Hash {
        match self.below(3) {
            0 => Hash::ZERO,
            1 => Hash([self.next().to_le_bytes()[0]; 32]),
            _ => pool[self.below(pool.len())],
        }
    }
}

/// Bytes with one to three small changes.
pub(crate) fn bytes(random: &mut Random, old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(new.len());
        match random.below(6) {
            0 => new.truncate(at),
            1 => {
                let from = random.below(old.len());
                let to = (from + random.below(80)).min(old.len());
                new.splice(at..at, old[from..to].iter().copied());
            }
            2 => new.insert(at, random.next().to_le_bytes()[0]),
            3 if !new.is_empty() => drop(new.remove(at)),
            4 if !new.is_empty() => new[at] = new[at].wrapping_add(1),
            _ if !new.is_empty() => new[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    new
}

/// Another value of the same type, by its bytes; the same one if they are none.
fn other<T: Encode + Decode>(random: &mut Random, value: T) -> T {
    from_bytes(&bytes(random, &to_bytes(&value))).unwrap_or(value)
}

/// A list with one thing done to it.
fn list<T: Clone>(random: &mut Random, items: &mut Vec<T>, new: impl FnOnce(&mut Random) -> T) {
    let (at, to) = (random.below(items.len()), random.below(items.len()));
    match random.below(5) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => items.insert(to, items[at].clone()),
        2 if !items.is_empty() => items.swap(at, to),
        3 if !items.is_empty() => items[at] = new(random),
        _ => items.insert(to, new(random)),
    }
}

/// A file, taken apart.
#[derive(Clone)]
pub(crate) struct Whole {
    export: Export,
    index: u64,
    proof: Vec<Hash>,
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl Whole {
    pub(crate) fn parse(file: &str) -> Self {
        let file = ProofFile::parse(file).unwrap();
        Self {
            export: from_bytes(&file.extra).unwrap(),
            index: file.index,
            proof: file.proof,
            checkpoint: Checkpoint::parse(&file.checkpoint.text).unwrap(),
            note: file.checkpoint,
        }
    }

    pub(crate) fn text(&self) -> String {
        let file = ProofFile {
            extra: to_bytes(&self.export),
            index: self.index,
            proof: self.proof.clone(),
            checkpoint: SignedNote {
                text: self.checkpoint.to_string(),
                signatures: self.note.signatures.clone(),
            },
        };
        file.to_string()
    }

    /// This file with one to three things done to it, and often put in order again as far as a forger
    /// without keys can. `donor` is another valid file of the same chain.
    pub(crate) fn mutated(&self, random: &mut Random, donor: &Self) -> Self {
        let mut new = self.clone();
        for _ in 0..=random.below(3) {
            new.change(random, donor);
        }
        let level = random.below(6);
        new.repair(level);
        new
    }

    fn hashes(&self) -> Vec<Hash> {
        let header = &self.export.header;
        let fixed = [
            header.state_root,
            header.log_root,
            header.parent,
            header.leaf(),
            self.checkpoint.root,
        ];
        let growth = self.export.growth.iter().flat_map(|growth| &growth.proof);
        let more = self.proof.iter().chain(growth).copied();
        fixed.into_iter().chain(more).collect()
    }

    fn change(&mut self, random: &mut Random, donor: &Self) {
        let mut pool = self.hashes();
        pool.extend(donor.hashes());
        let histories = self.export.histories.len();
        let at = random.below(histories);
        let from = donor.export.histories[random.below(donor.export.histories.len())].clone();
        match random.below(18) {
            0 => self.index = random.near(self.index),
            1 => list(random, &mut self.proof, |random| random.hash(&pool)),
            2 => self.checkpoint.size = random.near(self.checkpoint.size),
            3 => self.checkpoint.root = random.hash(&pool),
            4 => self.checkpoint.origin.push('0'),
            5 => list(random, &mut self.note.signatures, |random| {
                donor.note.signatures[random.below(donor.note.signatures.len())].clone()
            }),
            6 => self.header(random, &pool),
            7 => match &mut self.export.growth {
                Some(growth) if random.below(2) == 0 => growth.from = random.near(growth.from),
                Some(growth) if random.below(8) > 0 => {
                    list(random, &mut growth.proof, |random| random.hash(&pool));
                }
                growth => {
                    let (from, proof) = (random.next(), vec![random.hash(&pool)]);
                    *growth = growth.is_none().then_some(Growth { from, proof });
                }
            },
            8 => list(random, &mut self.export.texts, |random| SealedText {
                salt: random.hash(&pool).0,
                sealed: Bytes(vec![9; random.below(9)]),
            }),
            9 if random.below(4) == 0 => list(random, &mut self.export.histories, |_| from),
            _ if histories == 0 => {}
            10 => {
                let section = &mut self.export.histories[at];
                section.subject = match random.below(3) {
                    0 => from.subject,
                    1 => other(random, section.subject),
                    _ => match section.subject {
                        Subject::Patient(id) => Subject::Actor(id.into()),
                        Subject::Actor(id) => Subject::Patient(chartseal_wire::PatientId(id.0)),
                    },
                };
            }
            11 => {
                let section = &mut self.export.histories[at];
                section.first = random.near(section.first);
            }
            12 => {
                let section = &mut self.export.histories[at];
                section.log = match random.below(2) {
                    0 => from.log,
                    _ => other(random, section.log.clone()),
                };
            }
            13 => {
                let section = &mut self.export.histories[at];
                section.proof = match random.below(2) {
                    0 => from.proof,
                    _ => other(random, section.proof.clone()),
                };
            }
            _ => {
                let section = &mut self.export.histories[at];
                let old = section.entries.clone();
                list(random, &mut section.entries, |random| {
                    let all = if random.below(2) == 0 || old.is_empty() {
                        &from.entries
                    } else {
                        &old
                    };
                    let picked = all.get(random.below(all.len()));
                    let picked = picked.map_or(&[][..], AsRef::as_ref);
                    match random.below(3) {
                        0 => Bytes(picked.to_vec()),
                        1 => Bytes(bytes(random, picked)),
                        _ => Bytes(entry(random, picked)),
                    }
                });
            }
        }
    }

    fn header(&mut self, random: &mut Random, pool: &[Hash]) {
        let header = &mut self.export.header;
        match random.below(9) {
            0 => header.epoch = random.near(header.epoch),
            1 => header.height = random.near(header.height),
            2 => header.time = Time(random.near(header.time.0)),
            3 => header.log_size = random.near(header.log_size),
            4 => header.parent = random.hash(pool),
            5 => header.state_root = random.hash(pool),
            6 => header.log_root = random.hash(pool),
            7 => header.next_committee = random.hash(pool),
            _ => header.chain.0[random.below(32)] ^= 1,
        }
    }

    /// 1: each log is that of its entries; 2: the state has these logs, and the header this state; 3: the
    /// checkpoint's root is the one to which the header leads. Only the signatures are then wrong.
    fn repair(&mut self, level: usize) {
        if level == 0 {
            return;
        }
        for section in &mut self.export.histories {
            if section.first == 0 {
                section.log = Frontier::new();
                for entry in &section.entries {
                    section.log.append(Entry::leaf(entry.as_ref()));
                }
            }
        }
        if level == 1 {
            return;
        }
        let slots = self.export.histories.iter().map(|section| {
            let value = (section.log.size() > 0).then(|| to_bytes(&section.log));
            (section.subject.slot(), value)
        });
        let state = Map::new().update(slots.collect());
        for section in &mut self.export.histories {
            section.proof = state.prove(&section.subject.slot());
        }
        self.export.header.state_root = state.root();
        if level == 2 {
            return;
        }
        let leaf = self.export.header.leaf();
        let root = root_from_inclusion(leaf, self.index, self.checkpoint.size, &self.proof);
        self.checkpoint.root = root.unwrap_or(self.checkpoint.root);
    }
}

/// An entry that says something else.
fn entry(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let Ok(mut entry) = from_bytes::<Entry>(bytes) else {
        return bytes.to_vec();
    };
    match (random.below(6), &mut entry.event) {
        (0, _) => entry.height = random.near(entry.height),
        (1, _) => entry.time = Time(random.near(entry.time.0)),
        (2, _) => entry.tx = TxId([random.next().to_le_bytes()[0]; 32]),
        (3, _) => entry.actor.0[random.below(16)] ^= 1,
        (_, Event::Access(access)) => {
            for outcome in &mut access.records {
                outcome.permitted = !outcome.permitted;
            }
        }
        (_, Event::Released(released)) => released.custodian = random.near(released.custodian),
        (_, event) => {
            *event = Event::Erased(chartseal_wire::history::Erased {
                record: crate::fixture::NOTE,
            });
        }
    }
    to_bytes(&entry)
}
