//! What custodians do for people, wherever their nodes are.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chartseal_api::{MAX_PART, Outline, Redeal};
use chartseal_consensus::Replica as _;
use chartseal_envelope::{KemPublicKey, Release, ShareIndex};
use chartseal_ledger::{SignedTransaction, State};
use chartseal_node::{Deposited, Envelope, EnvelopeFront, NodeError, share_index};
use chartseal_vault::{BlobId, GROUP, Outboard};
use chartseal_wire::{HeaderDigest, OrgId, RecordId, RequestId, Subject};

use crate::error::Error;
use crate::filing::{Parcel, Sealed};
use crate::network::{Network, Place};
use crate::person::Person;
use crate::reading::{Expected, ExpectedRecords};
use crate::remote::{LATE, envelope_of, envelopes_of};
use crate::several::LONG_GRACE;
use crate::watch::Watch;

/// How many groups of a body are asked for at a time: 4 MiB.
const GROUPS_AT_ONCE: usize = MAX_PART / GROUP;

/// How many sealed records are asked for at a time.
const ENVELOPES_AT_ONCE: usize = 64;

/// What a custodian gives for a request, or why it refuses.
pub(crate) type Given = (OrgId, Result<Vec<Release>, NodeError>);

impl Network {
    /// Gives custodians sealed records with their shares. What came of each parcel; `None` if there is no such custodian, or
    /// it has not answered.
    pub(crate) fn deposit(
        &mut self,
        parcels: &[Arc<Parcel>],
    ) -> Vec<Option<Result<Deposited, NodeError>>> {
        let ordering = match &mut self.place {
            Place::Here(ordering) => ordering,
            Place::There(there) => return there.deposit(parcels),
        };
        let mut deposit = |parcel: &Parcel| {
            let mut nodes = ordering.replicas_mut().iter_mut();
            let node = nodes.find(|node| node.org() == parcel.to)?;
            Some(match &parcel.sealed {
                Sealed::Whole(envelopes) => node.deposit(envelopes, &parcel.deal),
                Sealed::Uploaded(front) => {
                    node.deposit_uploaded(std::slice::from_ref(front.as_ref()), &parcel.deal)
                }
            })
        };
        parcels.iter().map(|parcel| deposit(parcel)).collect()
    }

    /// Gives a custodian a sealed record's body, and goes on with it where that was cut short.
    pub(crate) fn upload(
        &mut self,
        to: &OrgId,
        outline: &Outline,
        mut body: impl Read + Seek,
    ) -> Result<(), Error> {
        match &mut self.place {
            Place::Here(ordering) => {
                let mut nodes = ordering.replicas_mut().iter_mut();
                let node = nodes.find(|node| node.org() == *to);
                let node = node.ok_or(Error::NoOffice(*to))?;
                body.rewind().map_err(Error::Scratch)?;
                Ok(node.upload(&outline.front, &mut body)?)
            }
            Place::There(there) => there.upload(to, outline, body),
        }
    }

    /// A sealed record of a request without its body, and what verifies that in parts, from the first node that gives
    /// both as `is_it` wants them.
    pub(crate) fn outline(
        &self,
        request: &RequestId,
        record: &RecordId,
        is_it: impl Fn(&EnvelopeFront) -> bool,
    ) -> Result<(EnvelopeFront, Outboard), Error> {
        let checked = |Outline { front, groups }| {
            let (id, len) = (BlobId(front.seal.body_digest().0), front.seal.body_len());
            let outboard = Outboard::new(id, len, groups)?;
            is_it(&front).then_some((front, outboard))
        };
        let found = match &self.place {
            Place::Here(_) => self
                .running()
                .find_map(|node| node.outline(request, record).ok().and_then(checked)),
            Place::There(there) => there.outline(request, record, checked),
        };
        found.ok_or(Error::NoCiphertext(*record))
    }

    /// Some groups of its body, from the first node that gives the right bytes.
    pub(crate) fn body_part(
        &self,
        request: &RequestId,
        record: &RecordId,
        outboard: &Outboard,
        groups: Range<u64>,
    ) -> Result<Vec<u8>, Error> {
        let part = outboard.place(groups.start).start..outboard.place(groups.end).start;
        let is_it = |bytes: &Vec<u8>| outboard.are_groups(groups.clone(), bytes);
        let found = match &self.place {
            Place::Here(_) => self.running().find_map(|node| {
                let given = node.body_part(request, record, outboard, part.clone());
                given.ok().filter(is_it)
            }),
            Place::There(there) => there.body_part(request, record, part, is_it),
        };
        found.ok_or(Error::NoCiphertext(*record))
    }

    /// Gives a custodian its shares of keys that were dealt anew; `None` if there is no such custodian.
    pub(crate) fn redeposit(
        &mut self,
        to: &OrgId,
        redeal: &Redeal,
    ) -> Option<Result<Deposited, NodeError>> {
        match &mut self.place {
            Place::Here(ordering) => {
                let mut nodes = ordering.replicas_mut().iter_mut();
                let node = nodes.find(|node| node.org() == *to)?;
                Some(node.redeposit(&redeal.fronts, &redeal.deal))
            }
            Place::There(there) => there.redeposit(to, redeal),
        }
    }

    /// Waits until those of these deals are durable of which every custodian took its share, if custodians acknowledge by
    /// themselves, for a minute; has those in this process destroy the shares that they replace. Gives how many of all are
    /// durable.
    pub(crate) fn end_redeal(
        &mut self,
        deals: &[(HeaderDigest, u64)],
        taken: &[(HeaderDigest, u64)],
    ) -> Result<usize, Error> {
        let is_durable = |state: State<'_>, (header, number): &(HeaderDigest, u64)| {
            state.deals(header).durable >= *number
        };
        match &mut self.place {
            Place::Here(ordering) => {
                let nodes = ordering.replicas_mut().iter_mut();
                for node in nodes.filter(|node| node.is_running()) {
                    node.destroy_replaced(deals.iter().map(|(header, _)| *header))?;
                }
            }
            Place::There(there) => {
                there.until(|state| is_each(taken, |deal| is_durable(state, deal)))?;
            }
        }
        self.read(|state| deals.iter().filter(|deal| is_durable(state, deal)).count())
    }

    /// Waits until the chain has custodians' acknowledgements of what they took, if they put them there themselves. Whether
    /// it has them of each parcel.
    pub(crate) fn await_acknowledgements(&mut self, of: &[&Parcel]) -> Result<Vec<bool>, Error> {
        let Place::There(there) = &mut self.place else {
            return Ok(vec![true; of.len()]);
        };
        let is_acknowledged = |state: State<'_>, by: &OrgId, front: &EnvelopeFront| {
            let record = front.record();
            let header = HeaderDigest(front.header.digest().0);
            let index = index_for(state, by, &record);
            // One that was amended, erased or dealt anew meanwhile is not acknowledged any more.
            let known = state.record(&record);
            let is_replaced = state.deals(&header).durable > 0;
            let is_newest = known.is_some_and(|it| it.header == header && !it.erased);
            let deposit = state.deposit(&header);
            let is_acknowledged = deposit.is_some_and(|it| {
                index.is_none_or(|index| it.is_acknowledged_by(index.get().into()))
            });
            !is_newest || is_replaced || is_acknowledged
        };
        let mut by: BTreeMap<OrgId, Vec<&EnvelopeFront>> = BTreeMap::new();
        for parcel in of {
            by.entry(parcel.to)
                .or_default()
                .extend(parcel.sealed.fronts());
        }
        there.until_all(by.len(), LATE, |state| {
            let are_acknowledged = by
                .iter()
                .map(|(org, fronts)| is_each(fronts, |front| is_acknowledged(state, org, front)));
            are_acknowledged.filter(|are| *are).count()
        })?;
        self.read_each(of, |state, parcel| {
            is_each(parcel.sealed.fronts(), |front| {
                is_acknowledged(state, &parcel.to, front)
            })
        })
    }

    /// Asks every custodian for its shares for a request, after its receipt is final.
    ///
    /// # Errors
    /// [`Error`] if nothing becomes final.
    pub fn releases(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<Vec<Given>, Error> {
        self.releases_within(request, reader, LONG_GRACE)
    }

    /// The same; custodians in other processes may take so long once enough others have answered.
    pub(crate) fn releases_within(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
        grace: Duration,
    ) -> Result<Vec<Given>, Error> {
        let ordering = match &mut self.place {
            Place::Here(ordering) => ordering,
            Place::There(there) => return Ok(there.releases(request, reader, grace)),
        };
        let nodes = ordering.replicas_mut().iter_mut();
        // Who refuses has none, and says why when it is asked for its shares.
        let receipts = nodes.filter_map(|node| node.receipts(request, reader).ok());
        let receipts: Vec<SignedTransaction> = receipts.flatten().collect();
        if !receipts.is_empty() {
            self.submit_all(receipts)?;
        }
        let nodes = self.nodes().iter();
        Ok(nodes
            .map(|node| (node.org(), node.release(request, reader)))
            .collect())
    }

    /// Has custodians in other processes told of a request that is about to be handed in, for it is opened at once if it is
    /// permitted: then they need not be asked first.
    pub(crate) fn ask_early(&mut self, request: &RequestId, reader: &KemPublicKey) {
        if let Place::There(there) = &mut self.place {
            there.ask_early(request, reader);
        }
    }

    /// Does `work` while sealed records of a request are fetched from nodes in other processes, a share from each. Those that
    /// could not be fetched are missing, as all are if the nodes are in this process, which give them at once.
    pub(crate) fn fetch_during<T>(
        &mut self,
        request: &RequestId,
        records: &ExpectedRecords,
        work: impl FnOnce(&mut Self) -> T,
    ) -> (T, BTreeMap<RecordId, Envelope>) {
        let nodes = match &self.place {
            Place::Here(_) => Vec::new(),
            Place::There(there) => there.nodes().to_vec(),
        };
        let fetch = |mut place: usize| {
            let share = records.iter().skip(place).step_by(nodes.len());
            let mut left: Vec<_> = share.collect();
            let mut fetched = BTreeMap::new();
            while let Some(some) = left.get(..left.len().min(ENVELOPES_AT_ONCE)) {
                let given = envelopes_of(&nodes, place, request, some);
                if given.is_empty() {
                    break;
                }
                fetched.extend(given);
                left.retain(|(record, _)| !fetched.contains_key(*record));
            }
            // What one node has not, from whoever gives it.
            fetched.extend(left.into_iter().filter_map(|(record, expected)| {
                let envelope = envelope_of(&nodes, &mut place, request, record, expected)?;
                Some((*record, envelope))
            }));
            fetched
        };
        thread::scope(|scope| {
            let places = 0..nodes.len().min(records.len());
            let fetch = &fetch;
            let fetching: Vec<_> = places
                .map(|place| scope.spawn(move || fetch(place)))
                .collect();
            let done = work(self);
            let fetched = fetching.into_iter().filter_map(|it| it.join().ok());
            (done, fetched.flatten().collect())
        })
    }

    /// A sealed record of a request, from the first node that gives the right one.
    pub(crate) fn envelope(
        &self,
        request: &RequestId,
        record: &RecordId,
        expected: &Expected,
    ) -> Result<Envelope, Error> {
        let found = match &self.place {
            Place::Here(_) => self.running().find_map(|node| {
                let given = node.envelope(request, record);
                given.ok().filter(|given| expected.is(given))
            }),
            Place::There(there) => envelope_of(there.nodes(), &mut 0, request, record, expected),
        };
        if let Some(found) = found {
            return Ok(found);
        }
        // One that is too long for a message, or damaged in a part of each copy.
        let (front, outboard) = self.outline(request, record, |front| expected.is_front(front))?;
        let mut body = Vec::new();
        for groups in parts(&outboard) {
            body.extend(self.body_part(request, record, &outboard, groups)?);
        }
        Ok(Envelope { front, body })
    }

    /// Has every custodian destroy what it holds of an erased record, and attest it. Those in other processes do both by
    /// themselves; it is waited for, for a minute, or ten seconds once all have that can't be faulty.
    pub(crate) fn destroy(&mut self, record: &RecordId) -> Result<(), Error> {
        let orgs = self.organizations();
        let missing = self.read(|state| {
            let holds = |org: &&OrgId| {
                index_for(state, org, record).is_some() && !state.has_destroyed(record, org)
            };
            orgs.iter().filter(holds).copied().collect::<Vec<OrgId>>()
        })?;
        match &mut self.place {
            Place::Here(ordering) => {
                let mut attestations = Vec::new();
                let nodes = ordering.replicas_mut().iter_mut();
                for node in nodes.filter(|node| missing.contains(&node.org())) {
                    match node.destroy(record) {
                        Ok(attestation) => attestations.push(attestation),
                        Err(NodeError::Stopped(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                self.submit_all(attestations)?;
            }
            Place::There(there) => {
                there.until_all(missing.len(), LATE, |state| {
                    let missing = missing.iter();
                    missing
                        .filter(|org| state.has_destroyed(record, org))
                        .count()
                })?;
            }
        }
        Ok(())
    }

    /// A person's history as it grows.
    pub(crate) fn watch(
        &self,
        person: &Person,
        subject: &Subject,
        from: u64,
    ) -> Result<Watch, Error> {
        match &self.place {
            Place::Here(_) => Err(Error::NotRemote),
            Place::There(there) => there.watch(person, subject, from, self.now()),
        }
    }

    /// A person's history, or one of which they speak, as the newest state has it.
    pub(crate) fn history(
        &self,
        person: &Person,
        subject: &Subject,
    ) -> Result<Vec<Vec<u8>>, Error> {
        match &self.place {
            Place::Here(_) => {
                let node = self.running().next().ok_or(Error::NobodyThere)?;
                Ok(node.history(subject, 0)?)
            }
            Place::There(there) => there.history(person, subject, self.now()),
        }
    }
}

/// Whether something is so of each. All are looked at, even if one is not: what is not known of the state is asked for at
/// once then, and not one value after the other.
pub(crate) fn is_each<I>(of: impl IntoIterator<Item = I>, is_so: impl Fn(I) -> bool) -> bool {
    of.into_iter().fold(true, |all, one| is_so(one) & all)
}

/// A body's groups, as many at a time as are asked for.
pub(crate) fn parts(outboard: &Outboard) -> impl Iterator<Item = Range<u64>> {
    let count = outboard.count();
    let starts = (0..count).step_by(GROUPS_AT_ONCE);
    starts.map(move |at| at..(at + GROUPS_AT_ONCE as u64).min(count))
}

/// An organization's index among the custodians to whom a record was dealt.
pub(crate) fn index_for(state: State<'_>, org: &OrgId, record: &RecordId) -> Option<ShareIndex> {
    share_index(state, org, state.record(record)?.custodians.epoch)
}
