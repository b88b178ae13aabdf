//! Who lies or floods beside the engine of a Byzantine validator, in its name.

use std::sync::Arc;

use chartseal_ledger::Genesis;
use commonware_runtime::deterministic;

use super::agreed::Kept as _;
use super::disk::Disk;
use super::faults::Malice;
use super::flood::{self, Flooder, Signer};
use super::heard::{Deeds, Library};
use super::lies;
use super::links::Ends;
use super::people::{self, Person};
use super::plan::Plan;

/// Gets the second ends of a validator's channels.
pub type Accomplice = Box<dyn FnOnce(&deterministic::Context, Ends) + Send>;

/// A validator's, if it has one.
pub fn accomplice(
    plan: &Plan,
    genesis: &Genesis,
    number: usize,
    disk: &Disk,
    seed: u64,
    deeds: &Deeds,
) -> Option<Accomplice> {
    let members = if plan.handovers {
        people::ORGANIZATIONS - 1
    } else {
        plan.validators
    };
    let (disk, deeds, chain) = (disk.clone(), Arc::clone(deeds), genesis.chain_id());
    match plan.malice_of(number) {
        Malice::LiesInSync => Some(Box::new(move |context, ends| {
            let library: Library = Box::new(move |height| {
                let is_there = height <= disk.height();
                is_there.then(|| (disk.block(height), disk.certificate(height)))
            });
            lies::start(context, ends, members, seed, library, deeds);
        })),
        Malice::FloodValid => Some(Box::new(move |context, ends| {
            let signer = |actor: Person| -> Signer {
                Box::new(move |seq, expires, patient, is_large| {
                    if is_large {
                        actor.ask_for_many(chain, seq, expires, patient)
                    } else {
                        actor.ask(chain, seq, expires, patient)
                    }
                })
            };
            let flooder = Flooder {
                number,
                members,
                chain,
                actors: people::actors_of(number).into_iter().map(signer).collect(),
                deeds,
            };
            flood::start(context, ends, flooder);
        })),
        _ => None,
    }
}
