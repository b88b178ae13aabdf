//! Dealing keys anew when the committee changed, by whoever has them: the patient, or a reader.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::slice;
use std::sync::Arc;

use chartseal_api::{EnvelopeFront, Redeal};
use chartseal_client::ClientError;
use chartseal_envelope::Dealer;
use chartseal_ledger::{State, body};
use chartseal_node::{NodeError, dealt_in};
use chartseal_wire::{HeaderDigest, OrgId, RecordId, RequestId};

use crate::clinician::Clinician;
use crate::error::Error;
use crate::filing::Custodians;
use crate::network::Network;
use crate::patient::Patient;
use crate::person::Person;
use crate::reading::{OpenedRecord, Opening};

/// The most records, and the most bytes of ciphertext beyond the first, that are opened and dealt anew at a time.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 4 << 20;

/// What came of dealing keys anew.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Redealing {
    /// Records that rest on the present committee now.
    pub durable: usize,
    /// Records of which a custodian of the present committee has no share yet, or that could not be opened. They rest on
    /// whom they rested on; dealing again goes on with them.
    pub waiting: usize,
    /// Those of them that could not be opened or dealt, and why. Before its release date not even the patient opens a
    /// record.
    pub failed: Vec<(RecordId, Arc<Error>)>,
    /// Custodians that refused shares, each with what it said first. One that is down is not among them.
    pub refusing: BTreeMap<OrgId, Arc<Error>>,
}

impl Redealing {
    /// That records could not be opened or dealt, if that is why.
    fn fail(&mut self, records: &[RecordId], why: Error) -> Result<(), Error> {
        if !is_of_records(&why) {
            return Err(why);
        }
        let why = Arc::new(why);
        let failed = records.iter().map(|record| (*record, Arc::clone(&why)));
        self.failed.extend(failed);
        Ok(())
    }

    fn refuse(&mut self, org: OrgId, why: NodeError) {
        let why = || Arc::new(why.into());
        self.refusing.entry(org).or_insert_with(why);
    }
}

impl Patient {
    /// The records that rest on custodians of a former committee.
    ///
    /// # Errors
    /// [`Error`].
    pub fn resting_on_former(&self, network: &Network) -> Result<Vec<RecordId>, Error> {
        let listed = self.records(network)?.into_iter();
        let listed = listed.filter(|listed| !listed.erased);
        let records: Vec<RecordId> = listed.map(|listed| listed.record).collect();
        let rest = network.read_each(&records, rests_on_former)?;
        let resting = records.into_iter().zip(rest).filter(|(_, rests)| *rests);
        Ok(resting.map(|(record, _)| record).collect())
    }

    /// Deals the keys of all records anew that rest on custodians of a former committee, to the present one. Until all of
    /// its custodians have their shares the former ones release as before; then they destroy theirs. What can't be done for
    /// one record is said in the result, and the others go on.
    ///
    /// [`redeal_in_background`](Self::redeal_in_background) sees to it for as long as an app runs. What was begun and cut
    /// short is gone on with, for the chain has it. `progress` is told how many of how many records were looked at.
    ///
    /// # Errors
    /// [`Error`] if the network can't be asked, or nothing becomes final; what was dealt until then stays dealt.
    pub fn redeal(
        &mut self,
        network: &mut Network,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Redealing, Error> {
        let due = self.resting_on_former(network)?;
        let mut done = Redealing::default();
        let mut rest = due.as_slice();
        while !rest.is_empty() {
            let len = network.read(|state| batch_len(state, rest))?;
            let (batch, later) = rest.split_at(len);
            self.redeal_batch(network, batch, &mut done)?;
            rest = later;
            progress(due.len() - rest.len(), due.len());
        }
        done.waiting = due.len() - done.durable;
        Ok(done)
    }

    fn redeal_batch(
        &mut self,
        network: &mut Network,
        batch: &[RecordId],
        done: &mut Redealing,
    ) -> Result<(), Error> {
        let (opening, unopened) = match self.read_each(network, batch) {
            Ok(read) => read,
            Err(why) => return done.fail(batch, why),
        };
        for (record, why) in unopened {
            done.fail(&[record], why)?;
        }
        match self.person.redeal(network, None, &opening.records, done) {
            Err(why) if is_of_records(&why) => {}
            dealt => return dealt,
        }
        // Whichever it is of which the chain knows something newer, the others are dealt to without it.
        for one in &opening.records {
            let dealt = self
                .person
                .redeal(network, None, slice::from_ref(one), done);
            dealt.or_else(|why| done.fail(&[one.record], why))?;
        }
        Ok(())
    }
}

impl Clinician {
    /// Deals the keys of records anew that this clinician opened and that rest on a former committee, to the present one.
    /// The former custodians keep their shares, until the patient deals.
    ///
    /// # Errors
    /// [`Error`].
    pub fn redeal(&mut self, network: &mut Network, opening: &Opening) -> Result<Redealing, Error> {
        let rest = network.read_each(&opening.records, |state, it| {
            rests_on_former(state, &it.record)
        })?;
        let due = rest.into_iter().filter(|rests| *rests).count();
        let request = Some(opening.request);
        let mut done = Redealing::default();
        self.person
            .redeal(network, request, &opening.records, &mut done)?;
        done.waiting = due.saturating_sub(done.durable);
        Ok(done)
    }
}

impl Person {
    /// Deals these records' keys to the present committee, those that rest on a former one.
    fn redeal(
        &mut self,
        network: &mut Network,
        request: Option<RequestId>,
        opened: &[OpenedRecord],
        done: &mut Redealing,
    ) -> Result<(), Error> {
        let custodians = Custodians::of(network)?;
        let deals = self.again_if_outrun(network, |person, network| {
            person.anchor_deals(network, request, opened, &custodians)
        })?;
        if deals.is_empty() {
            return Ok(());
        }
        let missed = hand_out(network, &custodians, &deals, done)?;
        let anchored: Vec<(HeaderDigest, u64)> = deals.iter().map(|deal| deal.anchored).collect();
        // Nobody waits for who has no share to acknowledge.
        let taken = deals
            .iter()
            .filter(|deal| !missed.contains(&deal.front.record()));
        let taken: Vec<(HeaderDigest, u64)> = taken.map(|deal| deal.anchored).collect();
        done.durable += network.end_redeal(&anchored, &taken)?;
        Ok(())
    }

    /// Puts a deal of each on the chain, but of those for which it has this one.
    fn anchor_deals(
        &mut self,
        network: &mut Network,
        request: Option<RequestId>,
        opened: &[OpenedRecord],
        custodians: &Custodians,
    ) -> Result<Vec<Dealt>, Error> {
        let (chain, expires) = (network.chain(), network.expiry()?);
        let begun = network.read_each(opened, |state, one| {
            let header = HeaderDigest(one.header.digest().0);
            let next = state.deals(&header).newest.saturating_add(1);
            rests_on_former(state, &one.record).then(|| (begun(state, one, custodians), next))
        })?;
        let (mut anchors, mut deals) = (Vec::new(), Vec::new());
        for (one, begun) in opened.iter().zip(begun) {
            let Some((begun, next)) = begun else {
                continue;
            };
            let header = HeaderDigest(one.header.digest().0);
            let next = NonZeroU64::new(next).ok_or(Error::Malformed("a deal's number"))?;
            let number = begun.unwrap_or(next);
            let dealer = one.redealer(number, custodians.envelope_set);
            if begun.is_none() {
                let body = body::Redealt {
                    record: one.record,
                    header,
                    deal: number.get(),
                    custodians: custodians.ledger_set,
                    root: dealer.dealing().root().0,
                    request,
                };
                anchors.push(self.transaction(chain, expires, body));
            }
            let front = EnvelopeFront {
                header: one.header.clone(),
                seal: one.seal.clone(),
            };
            deals.push(Dealt {
                anchored: (header, number.get()),
                front,
                dealer,
            });
        }
        if !anchors.is_empty() {
            network.submit_all(anchors)?;
        }
        Ok(deals)
    }
}

/// A deal that is on the chain, and its secrets.
struct Dealt {
    anchored: (HeaderDigest, u64),
    front: EnvelopeFront,
    dealer: Dealer,
}

/// Gives every custodian its shares. One that is down gets them another time, and so does one that refuses. Gives the
/// records of which some custodian took none.
fn hand_out(
    network: &mut Network,
    custodians: &Custodians,
    deals: &[Dealt],
    done: &mut Redealing,
) -> Result<BTreeSet<RecordId>, Error> {
    let fronts: Vec<EnvelopeFront> = deals.iter().map(|deal| deal.front.clone()).collect();
    let dealers: Vec<&Dealer> = deals.iter().map(|deal| &deal.dealer).collect();
    let (mut acknowledgements, mut missed) = (Vec::new(), BTreeSet::new());
    if custodians.lack_keys() {
        missed.extend(fronts.iter().map(EnvelopeFront::record));
    }
    for (to, deal) in custodians.deal(&dealers)? {
        let redeal = Redeal {
            fronts: fronts.clone(),
            deal,
        };
        match network.redeposit(&to, &redeal) {
            Some(Ok(taken)) => {
                acknowledgements.extend(taken.acknowledgements);
                for (record, why) in taken.refused {
                    missed.insert(record);
                    if !why.is_outdated() {
                        done.refuse(to, NodeError::Deposit { record, why });
                    }
                }
            }
            not_taken => {
                missed.extend(fronts.iter().map(EnvelopeFront::record));
                match not_taken {
                    Some(Err(why)) if !matches!(why, NodeError::Stopped(_)) => {
                        done.refuse(to, why);
                    }
                    _ => {}
                }
            }
        }
    }
    if !acknowledgements.is_empty() {
        network.submit_all(acknowledgements)?;
    }
    Ok(missed)
}

/// Whether an error is of the records that were asked for, so that with others it may go better.
fn is_of_records(error: &Error) -> bool {
    matches!(
        error,
        Error::Denied(_)
            | Error::NoRecord(_)
            | Error::NoCiphertext(_)
            | Error::NotReleased { .. }
            | Error::NotCombined { .. }
            | Error::NotOpened { .. }
            | Error::Malformed(_)
            | Error::Refused(_)
            | Error::RefusedThere(_)
            | Error::Client(ClientError::Refused { .. })
    )
}

/// The number of the newest deal, if it is to this committee and the one that this key gives: then it is gone on with.
fn begun(state: State<'_>, one: &OpenedRecord, custodians: &Custodians) -> Option<NonZeroU64> {
    let header = HeaderDigest(one.header.digest().0);
    let newest = NonZeroU64::new(state.deals(&header).newest)?;
    let anchored = state.deal(&header, newest.get())?;
    let dealer = one.redealer(newest, custodians.envelope_set);
    let is_it =
        anchored.custodians == custodians.ledger_set && anchored.root == dealer.dealing().root().0;
    is_it.then_some(newest)
}

/// The epoch of the committee that holds a record's key now.
fn epoch_of(state: State<'_>, record: &RecordId) -> Option<u64> {
    let header = state.record(record)?.header;
    dealt_in(state, &header, state.deals(&header).durable)
}

/// Whether it is a former one.
fn rests_on_former(state: State<'_>, record: &RecordId) -> bool {
    epoch_of(state, record).is_some_and(|epoch| epoch < state.committee().epoch())
}

/// How many of these records make the next batch: one at least.
fn batch_len(state: State<'_>, records: &[RecordId]) -> usize {
    let mut bytes = 0;
    let fits = records.iter().take(BATCH).take_while(|record| {
        let first = bytes == 0;
        bytes += state.record(record).map_or(0, |record| record.length);
        first || bytes <= BATCH_BYTES
    });
    fits.count()
}
