use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use chartseal_ledger::State;
use chartseal_ledger::state::{Shared, Source};
use chartseal_merkle::MapKey;
use chartseal_wire::BlockHeader;

/// How often values are asked for in one reading: each time some that the last ones led to. A record's author and the author's
/// former keys are three.
pub(crate) const MAX_ROUNDS: usize = 64;

/// What is proved of the state after one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedValues {
    /// The block's header.
    pub header: BlockHeader,
    /// What is under each key that was asked for; `None`: nothing, as is proved too.
    pub values: BTreeMap<MapKey, Option<Vec<u8>>>,
}

/// As much of the state after one block as was asked for, to be read like the whole state. What a reading lacks is asked for,
/// and everything that it looked at is of the same block.
///
/// ```no_run
/// use chartseal_audit::TrustPolicy;
/// use chartseal_client::{Asking, Light, LightError, PartialState, Remote};
/// use chartseal_wire::RecordId;
///
/// # fn example(org: chartseal_wire::OrgId, policy: &str, record: RecordId) -> Result<(), Box<dyn std::error::Error>> {
/// let node = Remote::new(org, "https://node.example:9100", &Asking::default())?;
/// let mut light = Light::new(TrustPolicy::parse(policy)?);
/// let mut state = PartialState::default();
/// // Three values and what leads to them, not the whole state: who wrote the record, and for whom.
/// let found = state.read_with(
///     |state| state.record(&record).and_then(|record| Some((state.actor(&record.author)?.org, record.patient))),
///     |keys| light.values(&node, keys),
/// )?;
/// # let _: Option<(chartseal_wire::OrgId, chartseal_wire::PatientId)> = found;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct PartialState {
    known: Option<Known>,
}

/// What came of reading a [`PartialState`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// What was read; `None`: a value that it needs is not known.
    pub answer: Option<T>,
    /// Every key that was looked at, known or not, and that of what blocks have in common: to ask for all of them again, for
    /// what one knows of another block does not go with it.
    pub keys: Vec<MapKey>,
}

/// The values of one block's state.
#[derive(Debug)]
struct Known {
    proved: ProvedValues,
    shared: Option<Shared>,
}

/// What is known, and what is looked at.
struct Looked<'a> {
    values: &'a BTreeMap<MapKey, Option<Vec<u8>>>,
    keys: Mutex<BTreeSet<MapKey>>,
}

impl<'a> Looked<'a> {
    fn at(values: &'a BTreeMap<MapKey, Option<Vec<u8>>>) -> Self {
        Self {
            values,
            keys: Mutex::default(),
        }
    }
}

impl Source for Looked<'_> {
    fn value(&self, key: &MapKey) -> Option<&[u8]> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(*key);
        self.values.get(key)?.as_deref()
    }
}

impl PartialState {
    /// The header of the block of whose state it is; `None` before anything is known.
    pub fn head(&self) -> Option<&BlockHeader> {
        self.known.as_ref().map(|known| &known.proved.header)
    }

    /// Adds what is proved of the same block. If it is of another one, that is what is known from now on, and nothing else.
    pub fn take(&mut self, proved: ProvedValues) {
        match &mut self.known {
            Some(known) if known.proved.header == proved.header => {
                known.proved.values.extend(proved.values);
            }
            known => {
                *known = Some(Known {
                    proved,
                    shared: None,
                });
            }
        }
        if let Some(known) = &mut self.known
            && known.shared.is_none()
        {
            known.shared = Shared::of(&Looked::at(&known.proved.values));
        }
    }

    /// Reads what is known. `read` may look at nothing but the state: with values missing it is called in vain, and then
    /// again.
    pub fn read<T>(&self, read: impl FnOnce(State<'_>) -> T) -> Reading<T> {
        let shared_key = Shared::key();
        let known = self.known.as_ref();
        let Some((known, shared)) = known.and_then(|it| Some((&it.proved, it.shared.as_ref()?)))
        else {
            return Reading {
                answer: None,
                keys: vec![shared_key],
            };
        };
        let looked = Looked::at(&known.values);
        let answer = read(State::of(&looked, shared));
        let keys = looked.keys.into_inner();
        let mut keys = keys.unwrap_or_else(PoisonError::into_inner);
        let is_known = keys.iter().all(|key| known.values.contains_key(key));
        keys.insert(shared_key);
        Reading {
            answer: Some(answer).filter(|_| is_known),
            keys: keys.into_iter().collect(),
        }
    }

    /// Reads, and has `fetch` ask for what is missing, until nothing is. What is looked at only because of another value is
    /// asked for after it.
    ///
    /// # Errors
    /// What `fetch` fails with; and [`Endless`](ReadError::Endless).
    pub fn read_with<T, E>(
        &mut self,
        read: impl Fn(State<'_>) -> T,
        mut fetch: impl FnMut(&[MapKey]) -> Result<ProvedValues, E>,
    ) -> Result<T, ReadError<E>> {
        for _ in 0..MAX_ROUNDS {
            let Reading { answer, keys } = self.read(&read);
            if let Some(answer) = answer {
                return Ok(answer);
            }
            self.take(fetch(&keys).map_err(ReadError::Fetch)?);
        }
        Err(ReadError::Endless)
    }
}

/// Why a state can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// Values can't be had.
    #[error(transparent)]
    Fetch(E),
    /// Values lead to others again and again.
    #[error("what is read leads to other values {MAX_ROUNDS} times over")]
    Endless,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chartseal_ledger::body::Organization;
    use chartseal_ledger::{Genesis, Overlay, Params};
    use chartseal_wire::history::state_key;
    use chartseal_wire::{OrgId, PublicKey, Time};
    use core::cell::{Cell, RefCell};
    use core::convert::Infallible;
    use ed25519_dalek::SigningKey;

    const ORG: OrgId = OrgId([1; 16]);

    /// A state with one organization.
    fn whole(time: u64) -> Overlay {
        let key = |seed| {
            let key = SigningKey::from_bytes(&[seed; 32]);
            PublicKey(key.verifying_key().to_bytes())
        };
        let hospital = Organization {
            id: ORG,
            enrolment_key: key(1),
            custodian_key: key(2),
            custodian_kem: [3; 32],
            validator: key(4),
        };
        let genesis = Genesis::new(
            Time(time),
            [7; 32],
            Params::default(),
            vec![hospital],
            &[ORG],
        );
        genesis.unwrap().overlay()
    }

    fn proved(of: &Overlay, keys: &[MapKey]) -> ProvedValues {
        let value = |key: &MapKey| (*key, of.map().get(key).map(<[u8]>::to_vec));
        ProvedValues {
            header: of.head().clone(),
            values: keys.iter().map(value).collect(),
        }
    }

    #[test]
    fn what_a_reading_takes_is_asked_for_and_nothing_else() {
        let whole = whole(1_000);
        let asked = RefCell::new(Vec::new());
        let fetch = |keys: &[MapKey]| {
            asked.borrow_mut().push(keys.to_vec());
            Ok::<_, Infallible>(proved(&whole, keys))
        };
        let mut state = PartialState::default();
        assert_eq!(state.head(), None);
        let org = state.read_with(|state| state.org(&ORG), fetch).unwrap();
        assert_eq!(org, whole.state().org(&ORG));
        assert_eq!(state.head(), Some(whole.head()));
        // What is not there is known too, and asked for no second time.
        let nobody = OrgId([9; 16]);
        for _ in 0..2 {
            let found = state.read_with(|state| (state.org(&nobody), state.chain()), fetch);
            assert_eq!(found.unwrap(), (None, whole.state().chain()));
        }
        let key = |id: &OrgId| state_key("org", &id.0);
        let sorted = |mut keys: Vec<MapKey>| {
            keys.sort();
            keys
        };
        let shared = Shared::key();
        let questions = vec![
            vec![shared],
            sorted(vec![shared, key(&ORG)]),
            sorted(vec![shared, key(&nobody)]),
        ];
        assert_eq!(*asked.borrow(), questions);
    }

    #[test]
    fn what_was_read_is_of_one_block_however_many_come_in_between() {
        let blocks = [1_000, 2_000, 3_000, 4_000].map(whole);
        let mut state = PartialState::default();
        // Each question meets a newer block.
        let next = Cell::new(0);
        let found = state.read_with(
            |state| {
                (
                    state.chain(),
                    state.org(&ORG).map(|org| org.custodian_kem),
                    state.org(&ORG),
                )
            },
            |keys| {
                let block = &blocks[next.get()];
                next.set(next.get() + 1);
                Ok::<_, Infallible>(proved(block, keys))
            },
        );
        let last = &blocks[next.get() - 1];
        assert_eq!((next.get(), state.head()), (2, Some(last.head())));
        assert_eq!(found.unwrap().0, last.state().chain());
        // What is known of the older one counts no more.
        state.take(proved(&blocks[3], &[Shared::key()]));
        let Reading { answer, keys } = state.read(|state| state.org(&ORG));
        assert_eq!((answer, keys.len()), (None, 2));
    }

    #[test]
    fn values_that_nobody_gives_and_readings_that_end_nowhere_are_errors() {
        let whole = whole(1_000);
        let mut state = PartialState::default();
        let failed = state.read_with(|_| (), |_| Err("nobody"));
        assert!(
            matches!(failed, Err(ReadError::Fetch("nobody"))),
            "{failed:?}"
        );
        // A state without what all have in common is none.
        let none = |_: &[MapKey]| Ok::<_, Infallible>(proved(&whole, &[]));
        let failed = state.read_with(|_| (), none);
        assert!(matches!(failed, Err(ReadError::Endless)), "{failed:?}");
        let count = Cell::new(0);
        let endless = |state: State<'_>| {
            count.set(count.get() + 1);
            state.org(&OrgId([count.get(); 16]))
        };
        let failed = state.read_with(endless, |keys| Ok::<_, Infallible>(proved(&whole, keys)));
        assert!(matches!(failed, Err(ReadError::Endless)), "{failed:?}");
        assert!(failed.unwrap_err().to_string().contains("64 times"));
    }
}
