use alloc::collections::BTreeSet;

use chartseal_codec::from_bytes;
use chartseal_merkle::{Frontier, Map};
use chartseal_wire::Subject;

use crate::state::{Holder, KeyState};

/// Histories that a state names and a store or snapshot has not, each with its length; the first `most` that are met.
///
/// A slot's key hides whose it is, but whoever has a history has a signing key too, and what the state knows of a key
/// names its holder and stays for ever. A value does not say of which table it is: one that merely reads as a key's
/// asks for the slot of an id that has none, or for one that has to be there all the same. So nothing is missed by this,
/// and nothing named that is not amiss.
///
/// It reads each value once, and for each key computes and looks up one or two slots; it keeps what it gives, no more.
pub(super) fn missing_histories(
    state: &Map,
    most: usize,
    is_here: impl Fn(&Subject) -> bool,
) -> BTreeSet<(Subject, u64)> {
    let mut missing = BTreeSet::new();
    for (_, value) in state.iter() {
        let Ok(key) = from_bytes::<KeyState>(value) else {
            continue;
        };
        let patient = match key.holder {
            Holder::Patient(patient) => Some(Subject::Patient(patient)),
            _ => None,
        };
        for subject in patient
            .into_iter()
            .chain([Subject::Actor(key.holder.actor())])
        {
            if is_here(&subject) {
                continue;
            }
            let Some(slot) = state.get(&subject.slot()) else {
                continue;
            };
            if missing.len() >= most {
                return missing;
            }
            let frontier = from_bytes::<Frontier>(slot).unwrap_or_default();
            missing.insert((subject, frontier.size()));
        }
    }
    missing
}
