//! Questions about more than one request: who can see what, what a directive would change, which
//! grants are dead or about to end.

mod cohort;
mod diff;
mod upkeep;

use alloc::vec::Vec;

pub use self::diff::{Access, Diff, diff};
pub use self::upkeep::{Expiring, OverdueReviews, dead_grants, expiring, overdue_reviews};

use self::cohort::cohorts;
use crate::{Action, Effect, Moment, Purpose, Request, Symbol, World, decide};

/// A [`World`] that can also list what it holds, for analyses to go through.
pub trait Listing: World {
    /// Every known actor, in any order.
    fn actor_ids(&self) -> Vec<Symbol>;

    /// Every record of a patient, in any order.
    fn record_ids(&self, patient: &Symbol) -> Vec<Symbol>;

    /// The patients of whose records this actor may be able to see any: at least those whose grants,
    /// nested grants or emergencies speak of the actor, whose guardian the actor is at any time, and
    /// the actor's own. More of them cost time and change nothing.
    fn patient_ids_open_to(&self, actor: &Symbol) -> Vec<Symbol>;
}

/// Somebody who can read a record, and for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader {
    /// Who.
    pub actor: Symbol,
    /// For which purpose.
    pub purpose: Purpose,
}

/// A record that somebody can read, and for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Readable {
    /// Whose it is.
    pub patient: Symbol,
    /// Which.
    pub record: Symbol,
    /// For which purpose.
    pub purpose: Purpose,
}

/// Who can read a record at a moment: exactly those actors and purposes for which [`decide`] permits
/// it, in order. Nobody, if the record is not known.
///
/// Only actors whom the world knows are asked about, and the patient. Those in whom no directive and
/// no law can see a difference are asked about once, so that it costs a decision for each purpose and
/// each kind of actor, however many there are.
///
/// ```
/// use chartseal_policy::*;
/// # let mut world = MemoryWorld::new();
/// # world.patients.insert("ann".parse()?, Patient::default());
/// # for id in ["drA", "drB"] { world.actors.insert(id.parse()?, Actor::default()); }
/// # world.records.insert("lab".parse()?, Record { patient: "ann".parse()?,
/// #     class: "Observation".parse()?, conf: Confidentiality::N, tags: Set::default(),
/// #     author: None, encounter: None, authored: Time(100), release_at: None });
/// # world.apply(Directive { id: "G".parse()?, position: Position { height: 1, index: 0 },
/// #     issuer: Issuer::Actor("ann".parse()?), patient: "ann".parse()?, issued: None,
/// #     terms: Terms::Grant(Grant::to("actor:drA".parse()?, Purpose::Hpaymt)) })?;
///
/// let now = Moment { time: Time(1_000), position: Position { height: 2, index: 0 } };
/// let readers = who_can_see(&world, &"lab".parse()?, now);
/// assert_eq!(readers, [
///     Reader { actor: "ann".parse()?, purpose: Purpose::Patrqt },
///     Reader { actor: "drA".parse()?, purpose: Purpose::Hpaymt },
/// ]);
/// # Ok::<(), PolicyError>(())
/// ```
pub fn who_can_see<W: Listing + ?Sized>(world: &W, record: &Symbol, moment: Moment) -> Vec<Reader> {
    let Some(patient) = world.record(record).map(|record| record.patient.clone()) else {
        return Vec::new();
    };
    let mut readers = Vec::new();
    for cohort in cohorts(world, &patient, &world.directives(&patient), moment.time) {
        for purpose in Purpose::ALL {
            let what = (&patient, record, Action::Read, *purpose);
            if permits(world, cohort.one(), what, moment) {
                let members = cohort.members.iter().cloned();
                readers.extend(members.map(|actor| Reader {
                    actor,
                    purpose: *purpose,
                }));
            }
        }
    }
    readers.sort_unstable();
    readers
}

/// What an actor can read at a moment: exactly those records and purposes for which [`decide`]
/// permits it, in order.
///
/// It looks at the patients of [`Listing::patient_ids_open_to`] only, and says nothing of what is
/// closed.
pub fn what_can_i_see<W: Listing + ?Sized>(
    world: &W,
    actor: &Symbol,
    moment: Moment,
) -> Vec<Readable> {
    let mut readable = Vec::new();
    for patient in world.patient_ids_open_to(actor) {
        for record in world.record_ids(&patient) {
            for purpose in Purpose::ALL {
                let what = (&patient, &record, Action::Read, *purpose);
                if permits(world, actor, what, moment) {
                    readable.push(Readable {
                        patient: patient.clone(),
                        record: record.clone(),
                        purpose: *purpose,
                    });
                }
            }
        }
    }
    readable.sort_unstable();
    readable.dedup();
    readable
}

fn permits<W: World + ?Sized>(
    world: &W,
    actor: &Symbol,
    (patient, record, action, purpose): (&Symbol, &Symbol, Action, Purpose),
    moment: Moment,
) -> bool {
    let request = Request {
        actor: actor.clone(),
        patient: patient.clone(),
        record: record.clone(),
        action: Some(action),
        purpose: Some(purpose),
        time: moment.time,
        position: moment.position,
    };
    decide(world, &request).effect == Effect::Permit
}
