//! Records whose anchors were handed in. Whether these became final may not be known for a while, as when every node ends
//! before it answers: until it is, the sealed records are kept here, for the chain may have them all the same.

use std::sync::Arc;

use chartseal_ledger::body::RecordAdded;
use chartseal_ledger::{SignedTransaction, State};
use chartseal_wire::{ActorId, HeaderDigest, PatientId};

use crate::clinician::Clinician;
use crate::error::Error;
use crate::filing::Parcel;
use crate::network::Network;

/// Records that are anchored together, with what custodians get of them.
#[derive(Debug)]
pub(crate) struct Anchoring {
    anchors: Vec<Anchor>,
    parcels: Vec<Arc<Parcel>>,
    /// The number of the last transaction that anchors one of them.
    seq: u64,
    /// The height up to which these transactions may become final.
    expires: u64,
    /// How many of them are known to be on the chain.
    known: usize,
}

/// A version of a record, as the chain would have it.
#[derive(Debug)]
pub(crate) struct Anchor {
    header: HeaderDigest,
    patient: PatientId,
    fingerprint: [u8; 32],
}

impl From<&RecordAdded> for Anchor {
    fn from(body: &RecordAdded) -> Self {
        Self {
            header: body.header,
            patient: body.patient,
            fingerprint: body.fingerprint,
        }
    }
}

/// What the chain has of records that are anchored together.
struct Found {
    anchored: usize,
    /// Those that it does not have, and may have one day.
    open: usize,
}

impl Anchoring {
    fn found(&self, state: State<'_>, author: &ActorId, is_over: bool) -> Found {
        let each = self.anchors.iter().map(|anchor| {
            let is_anchored = state.deposit(&anchor.header).is_some();
            // The author filed the same again, and that is there.
            let taken = state.fingerprint(author, &anchor.patient, &anchor.fingerprint);
            (is_anchored, taken.is_some())
        });
        let each: Vec<(bool, bool)> = each.collect();
        let count = |is: fn(&(bool, bool)) -> bool| each.iter().filter(|it| is(it)).count();
        Found {
            anchored: count(|(is_anchored, _)| *is_anchored),
            open: if is_over {
                0
            } else {
                count(|(is_anchored, is_taken)| !is_anchored && !is_taken)
            },
        }
    }
}

impl Clinician {
    /// Hands in what anchors records. What custodians get of them is to be delivered then.
    ///
    /// # Errors
    /// [`Error`]. Records that are on the chain all the same are [taken up](Self::take_up) later.
    pub(crate) fn anchor(
        &mut self,
        network: &mut Network,
        bodies: Vec<RecordAdded>,
        expires: u64,
        parcels: Vec<Arc<Parcel>>,
    ) -> Result<(), Error> {
        let chain = network.chain();
        let anchors = bodies.iter().map(Anchor::from).collect();
        let bodies = bodies.into_iter();
        let signed = bodies.map(|body| self.person.transaction(chain, expires, body));
        let signed: Vec<SignedTransaction> = signed.collect();
        self.anchoring.push(Anchoring {
            anchors,
            parcels,
            seq: self.person.sequence(),
            expires,
            known: 0,
        });
        match network.submit_all(signed) {
            Ok(_) => {
                let done = self.anchoring.pop();
                self.outbox
                    .extend(done.into_iter().flat_map(|it| it.parcels));
                Ok(())
            }
            Err(error) => {
                // Whoever orders in this process knows what is final, and that nothing else will be.
                if let (Error::Refused(_), Some(it)) = (&error, self.anchoring.last_mut()) {
                    it.expires = 0;
                }
                if error.is_outrun() {
                    // What is filed next is not.
                    self.person.catch_up(network)?;
                }
                Err(error)
            }
        }
    }

    /// Has delivered what became final since it was handed in, and forgets what never will.
    ///
    /// # Errors
    /// [`Error`] if no node tells what is final.
    pub(crate) fn take_up(&mut self, network: &mut Network) -> Result<(), Error> {
        if self.anchoring.is_empty() {
            return Ok(());
        }
        network.refresh()?;
        let height = network.tip()?.height;
        let (author, key) = (self.id(), self.person.public_key());
        let found = network.read_each(&self.anchoring, |state, it| {
            // The chain takes no number that is not above the last one.
            let is_over = state.sequence(&key) >= it.seq || height >= it.expires;
            it.found(state, &author, is_over)
        })?;
        let mut found = found.into_iter();
        let outbox = &mut self.outbox;
        self.anchoring.retain_mut(|it| {
            let Some(found) = found.next() else {
                return true;
            };
            // Custodians take those that are anchored, and take none twice.
            if found.anchored > it.known {
                outbox.extend(it.parcels.iter().map(Arc::clone));
                it.known = found.anchored;
            }
            found.open > 0
        });
        Ok(())
    }

    /// How many parcels wait for the chain to have their records, or not to.
    pub(crate) fn unanchored(&self) -> usize {
        self.anchoring.iter().map(|it| it.parcels.len()).sum()
    }
}
