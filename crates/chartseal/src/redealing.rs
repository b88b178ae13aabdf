//! Dealing keys anew when the committee changed, by whoever has them: the patient, or a reader.

use std::num::NonZeroU64;

use chartseal_api::{EnvelopeFront, Redeal};
use chartseal_envelope::{Dealer, deal};
use chartseal_ledger::State;
use chartseal_ledger::body::Redealt;
use chartseal_node::{NodeError, dealt_in};
use chartseal_wire::{HeaderDigest, RecordId, RequestId};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redealing {
    /// Records that rest on the present committee now.
    pub durable: usize,
    /// Records of which a custodian of the present committee has no share yet, or that may not be opened now. They rest
    /// on whom they rested on, and can be read as before; dealing again goes on with them.
    pub waiting: usize,
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
    /// its custodians have their shares the former ones release as before; then they destroy theirs.
    ///
    /// An app calls it in the background: what was begun and cut short is gone on with, for the chain has it.
    /// `progress` is told how many of how many records were looked at.
    ///
    /// # Errors
    /// [`Error`]; what was dealt until then stays dealt.
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
            match self.read(network, batch) {
                Ok(opening) => {
                    done.durable += self.person.redeal(network, None, &opening.records)?;
                }
                // Before its release date not even the patient opens a record.
                Err(Error::Denied(_)) => {}
                Err(error) => return Err(error),
            }
            rest = later;
            progress(due.len() - rest.len(), due.len());
        }
        done.waiting = due.len() - done.durable;
        Ok(done)
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
        let durable = self.person.redeal(network, request, &opening.records)?;
        Ok(Redealing {
            durable,
            waiting: due.saturating_sub(durable),
        })
    }
}

impl Person {
    /// Deals these records' keys to the present committee, those that rest on a former one. Gives how many are durable.
    fn redeal(
        &mut self,
        network: &mut Network,
        request: Option<RequestId>,
        opened: &[OpenedRecord],
    ) -> Result<usize, Error> {
        let custodians = Custodians::of(network)?;
        let (chain, expires) = (network.chain(), network.expiry()?);
        let (mut anchors, mut deals) = (Vec::new(), Vec::new());
        let (mut fronts, mut dealers) = (Vec::new(), Vec::new());
        let begun = network.read_each(opened, |state, one| {
            let header = HeaderDigest(one.header.digest().0);
            let next = state.deals(&header).newest.saturating_add(1);
            rests_on_former(state, &one.record).then(|| (begun(state, one, &custodians), next))
        })?;
        for (one, begun) in opened.iter().zip(begun) {
            let Some((begun, next)) = begun else {
                continue;
            };
            let header = HeaderDigest(one.header.digest().0);
            let next = NonZeroU64::new(next).ok_or(Error::Malformed("a deal's number"))?;
            let number = begun.unwrap_or(next);
            let dealer = one.redealer(number, custodians.envelope_set);
            if begun.is_none() {
                let body = Redealt {
                    record: one.record,
                    header,
                    deal: number.get(),
                    custodians: custodians.ledger_set,
                    root: dealer.dealing().root().0,
                    request,
                };
                anchors.push(self.transaction(chain, expires, body));
            }
            deals.push((header, number.get()));
            fronts.push(EnvelopeFront {
                header: one.header.clone(),
                seal: one.seal.clone(),
            });
            dealers.push(dealer);
        }
        if dealers.is_empty() {
            return Ok(0);
        }
        if !anchors.is_empty() {
            network.submit_all(anchors)?;
        }
        hand_out(network, &custodians, &fronts, &dealers)?;
        network.end_redeal(&deals)
    }
}

/// Gives every custodian its shares. One that is down gets them another time.
fn hand_out(
    network: &mut Network,
    custodians: &Custodians,
    fronts: &[EnvelopeFront],
    dealers: &[Dealer],
) -> Result<(), Error> {
    let dealers: Vec<&Dealer> = dealers.iter().collect();
    let deals = deal(&dealers, &custodians.kem_keys)?;
    let mut acknowledgements = Vec::new();
    let mut failure = None;
    for (to, deal) in custodians.orgs.iter().zip(deals) {
        let fronts = fronts.to_vec();
        match network.redeposit(to, &Redeal { fronts, deal }) {
            Some(Ok(taken)) => {
                acknowledgements.extend(taken.acknowledgements);
                let mut refused = taken.refused.into_iter();
                let refused = refused.find(|(_, why)| !why.is_outdated());
                let refused = refused.map(|(record, why)| NodeError::Deposit { record, why });
                failure = failure.or(refused);
            }
            Some(Err(NodeError::Stopped(_))) | None => {}
            Some(Err(error)) => failure = failure.or(Some(error)),
        }
    }
    if !acknowledgements.is_empty() {
        network.submit_all(acknowledgements)?;
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
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
