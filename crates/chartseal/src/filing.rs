//! An author's work: seal, deal, anchor, amend.

use std::sync::Arc;

use chartseal_codec::to_bytes;
use chartseal_envelope::{
    Content, Deal, Dealer, Header, KemKeyPair, KemPublicKey, RecordInfo, RecordVersion, SubjectId,
    Suite, deal, seal,
};
use chartseal_ledger::Labels;
use chartseal_ledger::body::{CustodianSet, RecordAdded};
use chartseal_ledger::state::Deposited as Held;
use chartseal_node::{DepositFault, Deposited, Envelope, EnvelopeFront, NodeError, custodian_set};
use chartseal_wire::{HeaderDigest, OrgId, RecordId, Time};

use crate::clinician::Clinician;
use crate::document::Document;
use crate::domain;
use crate::error::Error;
use crate::labels::{KeyedHash, Secret};
use crate::network::Network;
use crate::patient::FilingKit;

/// The most documents, and the most bytes of content beyond the first, that are sealed, anchored and
/// deposited at a time: bounds what is in memory.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// A record that was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// The record.
    pub record: RecordId,
    /// The envelope's header; `None` if it was filed before and not filed again.
    pub header: Option<Header>,
}

/// Sealed records and the deal of one custodian's shares of their keys.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) to: OrgId,
    pub(crate) sealed: Sealed,
    pub(crate) deal: Deal,
}

/// Sealed records as they go to custodians.
#[derive(Clone, Debug)]
pub(crate) enum Sealed {
    /// With their bodies.
    Whole(Arc<Vec<Envelope>>),
    /// One whose body went before, in parts.
    Uploaded(Arc<EnvelopeFront>),
}

impl Sealed {
    pub(crate) fn fronts(&self) -> Vec<&EnvelopeFront> {
        match self {
            Self::Whole(envelopes) => envelopes.iter().map(|it| &it.front).collect(),
            Self::Uploaded(front) => vec![front],
        }
    }
}

impl Clinician {
    /// Files documents about a patient: each is sealed under a fresh key, dealt to the custodians,
    /// and anchored. One that this author filed before is not filed again.
    ///
    /// `progress` is told, after each batch, how many documents are done.
    ///
    /// # Errors
    /// [`Error`]. Batches before the failing one are filed, and of that one what became final all the same; filing again
    /// continues, with this [`Clinician`].
    pub fn file(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        documents: &[Document<'_>],
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Filed>, Error> {
        let mut filed = Vec::with_capacity(documents.len());
        let mut rest = documents;
        while let Some((batch, later)) = rest.split_at_checked(batch_len(rest)) {
            if batch.is_empty() {
                break;
            }
            filed.extend(self.file_batch(network, kit, batch)?);
            progress(filed.len());
            rest = later;
        }
        Ok(filed)
    }

    /// Files a new version of a record: it names the version that it replaces, keeps the record's id,
    /// labels and encounter, and may not lower the confidentiality or hold back again what was released.
    ///
    /// # Errors
    /// [`Error`].
    pub fn amend(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        previous: &Header,
        document: &Document<'_>,
    ) -> Result<Filed, Error> {
        let record = RecordId(previous.record_id().0);
        let version = RecordVersion::after(previous).map_err(|_| Error::Malformed("a version"))?;
        // The first version's labels stay, decoys included.
        let old = network.read(|state| state.record(&record))?;
        let old = old.ok_or(Error::NoRecord(record))?;
        let fingerprint = self.fingerprint(kit, document);
        let plan = Plan {
            document,
            record,
            version,
            labels: old.labels,
            encounter: old.encounter,
            fingerprint,
        };
        let mut headers = self.seal_and_anchor(network, kit, &[plan])?;
        self.hold(network, &[record])?;
        Ok(Filed {
            record,
            header: headers.pop(),
        })
    }

    /// Sends again what custodians have not acknowledged, and what became final though filing it failed. Gives how many
    /// parcels are still waiting: until there are none, records are not durable yet.
    ///
    /// # Errors
    /// [`Error`] if a custodian refuses or fails. What it did not take still waits then, and the
    /// others have theirs.
    pub fn deliver(&mut self, network: &mut Network) -> Result<usize, Error> {
        self.take_up(network)?;
        let mut acknowledgements = Vec::new();
        let mut delivered = Vec::with_capacity(self.outbox.len());
        let mut failure = None;
        for done in network.deposit(&self.outbox) {
            let taken = match done {
                // The custodian was down when the body came: it fetches it from another one.
                Some(Ok(taken)) if lacks_body(&taken) => {
                    delivered.push(false);
                    continue;
                }
                Some(Ok(taken)) => taken,
                Some(Err(NodeError::Stopped(_))) | None => {
                    delivered.push(false);
                    continue;
                }
                Some(Err(error)) => {
                    failure = failure.or(Some(error));
                    delivered.push(false);
                    continue;
                }
            };
            delivered.push(true);
            acknowledgements.extend(taken.acknowledgements);
            let mut refused = taken.refused.into_iter();
            let refused = refused.find(|(_, why)| !why.is_outdated());
            let refused = refused.map(|(record, why)| NodeError::Deposit { record, why });
            failure = failure.or(refused);
        }
        if !acknowledgements.is_empty() {
            network.submit_all(acknowledgements)?;
        }
        let sent = self.outbox.iter().zip(&delivered);
        let sent = sent.filter(|(_, delivered)| **delivered);
        let sent: Vec<&Parcel> = sent.map(|(parcel, _)| parcel.as_ref()).collect();
        // One that a custodian took and that is not acknowledged is sent again: its acknowledgement may be lost.
        let mut acknowledged = network.await_acknowledgements(&sent)?.into_iter();
        let mut delivered = delivered.into_iter();
        self.outbox
            .retain(|_| delivered.next() != Some(true) || acknowledged.next() != Some(true));
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(self.outbox.len() + self.unanchored()),
        }
    }

    /// Sees to it that records are held, if this author has what custodians lack of them. What one of them lacks beyond that
    /// goes on waiting, also if it refuses it: one custodian keeps nobody from filing.
    pub(crate) fn hold(
        &mut self,
        network: &mut Network,
        records: &[RecordId],
    ) -> Result<(), Error> {
        let delivered = if self.outbox.is_empty() {
            Ok(0)
        } else {
            self.deliver(network)
        };
        check_held(network, records).or_else(|lacking| delivered.and(Err(lacking)))
    }

    /// The fingerprint of a document for one patient: nobody else's key gives it.
    fn fingerprint(&self, kit: &FilingKit, document: &Document<'_>) -> [u8; 32] {
        let mut hash = self.fingerprinting(kit);
        hash.update(document.content);
        hash.finish()
    }

    /// The same of content that comes in parts.
    pub(crate) fn fingerprinting(&self, kit: &FilingKit) -> KeyedHash {
        let key = self.person.secret(domain::FINGERPRINT_KEY);
        let key = Secret::new(key.derive(domain::FINGERPRINT_KEY, kit.patient.as_ref()));
        key.keyed(domain::FINGERPRINT)
    }

    fn file_batch(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        documents: &[Document<'_>],
    ) -> Result<Vec<Filed>, Error> {
        // What an earlier attempt left may be on the chain by now.
        self.take_up(network)?;
        let mut plans: Vec<Plan<'_, '_>> = Vec::with_capacity(documents.len());
        let mut ids = Vec::with_capacity(documents.len());
        let fingerprints = documents.iter().map(|it| self.fingerprint(kit, it));
        let fingerprints: Vec<[u8; 32]> = fingerprints.collect();
        let known = network.read_each(&fingerprints, |state, it| {
            state.fingerprint(&self.id(), &kit.patient, it)
        })?;
        for ((document, fingerprint), known) in documents.iter().zip(fingerprints).zip(known) {
            let again = plans.iter().find(|plan| plan.fingerprint == fingerprint);
            if let Some(record) = known.or(again.map(|plan| plan.record)) {
                ids.push((record, false));
                continue;
            }
            let record = RecordId(chartseal_envelope::RecordId::random()?.0);
            let labels = kit.labels.of_record(record, document.class, &document.tags);
            let labels = labels.ok_or_else(|| Error::NoLabel(document.class.to_string()))?;
            ids.push((record, true));
            let version = RecordVersion::FIRST;
            plans.push(Plan {
                document,
                record,
                version,
                labels,
                encounter: kit.encounter_of(document),
                fingerprint,
            });
        }
        let mut headers = self.seal_and_anchor(network, kit, &plans)?.into_iter();
        let all: Vec<RecordId> = ids.iter().map(|(record, _)| *record).collect();
        self.hold(network, &all)?;
        let filed = ids.into_iter().map(|(record, is_new)| Filed {
            record,
            header: if is_new { headers.next() } else { None },
        });
        Ok(filed.collect())
    }

    fn seal_and_anchor(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        plans: &[Plan<'_, '_>],
    ) -> Result<Vec<Header>, Error> {
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let custodians = Custodians::of(network)?;
        let (now, expires) = (network.now(), network.expiry()?);
        let mut anchors = Vec::with_capacity(plans.len());
        let mut envelopes = Vec::with_capacity(plans.len());
        let mut dealers = Vec::with_capacity(plans.len());
        for plan in plans {
            let info = plan.info(kit, &custodians);
            let document = plan.document;
            let content = Content {
                media_type: document.media_type,
                attributes: &to_bytes(&document.filing()),
                bytes: document.content,
            };
            let sealed = seal(&info, &content, self.person.signing())?;
            let front = EnvelopeFront {
                header: sealed.header,
                seal: sealed.seal,
            };
            anchors.push(plan.anchor(kit, &front, now, custodians.ledger_set));
            envelopes.push(Envelope {
                front,
                body: sealed.body,
            });
            dealers.push(sealed.dealer);
        }
        let dealers: Vec<&Dealer> = dealers.iter().collect();
        let deals = custodians.deal(&dealers)?;
        let headers = envelopes
            .iter()
            .map(|envelope| envelope.front.header.clone())
            .collect();
        let envelopes = Arc::new(envelopes);
        let parcels = deals.into_iter().map(|(to, deal)| {
            let sealed = Sealed::Whole(Arc::clone(&envelopes));
            Arc::new(Parcel { to, sealed, deal })
        });
        self.anchor(network, anchors, expires, parcels.collect())?;
        Ok(headers)
    }
}

/// How many of these documents make the next batch: one at least.
fn batch_len(documents: &[Document<'_>]) -> usize {
    let mut bytes = 0;
    let fits = documents.iter().take(BATCH).take_while(|document| {
        let first = bytes == 0;
        bytes += document.content.len();
        first || bytes <= BATCH_BYTES
    });
    fits.count()
}

/// One document on its way into an envelope.
pub(crate) struct Plan<'d, 'c> {
    pub(crate) document: &'d Document<'c>,
    pub(crate) record: RecordId,
    pub(crate) version: RecordVersion,
    pub(crate) labels: Labels,
    /// Blinded.
    pub(crate) encounter: Option<[u8; 16]>,
    pub(crate) fingerprint: [u8; 32],
}

impl Plan<'_, '_> {
    pub(crate) fn info(&self, kit: &FilingKit, custodians: &Custodians) -> RecordInfo {
        RecordInfo {
            suite: Suite::XWing,
            record_id: chartseal_envelope::RecordId(self.record.0),
            subject: SubjectId(kit.patient.0),
            version: self.version,
            custodians: custodians.envelope_set,
        }
    }

    /// What goes on the chain of it.
    pub(crate) fn anchor(
        &self,
        kit: &FilingKit,
        front: &EnvelopeFront,
        now: Time,
        custodians: CustodianSet,
    ) -> RecordAdded {
        let document = self.document;
        let superseded = self.version.supersedes();
        RecordAdded {
            record: self.record,
            patient: kit.patient,
            version: self.version.number(),
            header: HeaderDigest(front.header.digest().0),
            supersedes: superseded.map(|digest| HeaderDigest(digest.0)),
            body: front.seal.body_digest().0,
            length: front.seal.body_len(),
            confidentiality: document.confidentiality,
            labels: self.labels,
            encounter: self.encounter,
            authored: document.authored.map_or(now, |authored| authored.min(now)),
            release_at: document.release_at,
            custodians,
            fingerprint: self.fingerprint,
        }
    }
}

/// Whether so many custodians hold each of these records that it opens.
pub(crate) fn check_held(network: &Network, records: &[RecordId]) -> Result<(), Error> {
    let lacking = network.read_each(records, |state, record| {
        let known = state.record(record)?;
        let deposit = state.deposit(&known.header)?;
        let is_held = known.erased || deposit.status() != Held::NotYet;
        (!is_held).then_some((deposit.count(), known.custodians.t))
    })?;
    let mut lacking = records.iter().zip(lacking);
    let first = lacking.find_map(|(record, lacking)| Some((*record, lacking?)));
    match first {
        Some((record, (found, needed))) => Err(Error::NotHeld {
            record,
            found,
            needed,
        }),
        None => Ok(()),
    }
}

/// Whether a custodian has no body for a share yet.
fn lacks_body(taken: &Deposited) -> bool {
    let mut refused = taken.refused.iter();
    refused.any(|(_, why)| *why == DepositFault::NoBody)
}

/// To whom shares are dealt now.
pub(crate) struct Custodians {
    pub(crate) envelope_set: chartseal_envelope::CustodianSet,
    pub(crate) ledger_set: CustodianSet,
    /// In the set's order. Of one that never showed its key to anybody there is none, and it gets no shares: it must not keep
    /// anybody from filing.
    keys: Vec<(OrgId, Option<KemPublicKey>)>,
}

impl Custodians {
    pub(crate) fn of(network: &Network) -> Result<Self, Error> {
        let (committee, envelope_set, members) = network.read(|state| {
            let committee = state.committee();
            let kem = |org: &OrgId| Some((*org, state.org(org)?.custodian_kem));
            let members = committee.members().iter().map(|member| kem(&member.org));
            let envelope_set = custodian_set(state, committee.epoch());
            let members = members.collect::<Vec<Option<(OrgId, [u8; 32])>>>();
            (committee.clone(), envelope_set, members)
        })?;
        let envelope_set = envelope_set.ok_or(Error::Malformed("the committee"))?;
        let members = members.into_iter().collect::<Option<Vec<_>>>();
        let members = members.ok_or(Error::Malformed("the committee"))?;
        let keys = members
            .iter()
            .map(|(org, kem)| Ok((*org, network.kem_key(kem)?)));
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        let found = keys.iter().filter(|(_, key)| key.is_some()).count();
        let needed = committee.quorum();
        if (found as u64) < needed {
            return Err(Error::NoKemKeys { found, needed });
        }
        let ledger_set = CustodianSet {
            epoch: committee.epoch(),
            t: needed,
            n: committee.n(),
        };
        Ok(Self {
            envelope_set,
            ledger_set,
            keys,
        })
    }

    /// Everybody's shares, for each whose key is known.
    pub(crate) fn deal(&self, dealers: &[&Dealer]) -> Result<Vec<(OrgId, Deal)>, Error> {
        let to = self.keys.iter().map(|(_, key)| match key {
            Some(key) => Ok(key.clone()),
            // Nobody's: the secret key is gone at once, and so is the deal.
            None => Ok(KemKeyPair::generate()?.public_key().clone()),
        });
        let to = to.collect::<Result<Vec<_>, Error>>()?;
        let deals = self.keys.iter().zip(deal(dealers, &to)?);
        let deals = deals.filter_map(|((org, key), deal)| key.is_some().then_some((*org, deal)));
        Ok(deals.collect())
    }

    /// Whether somebody's key is not known, so that they get no shares.
    pub(crate) fn lack_keys(&self) -> bool {
        self.keys.iter().any(|(_, key)| key.is_none())
    }
}
