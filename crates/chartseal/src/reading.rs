//! A reader's work: ask, collect releases, combine, open.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::slice;
use std::time::Duration;

use chartseal_codec::from_bytes;
use chartseal_envelope::{
    CombineError, Combined, ContentKey, CustodianSet, Dealer, Dealing, Fault, Header, KemKeyPair,
    Opened, Release, Seal, VerifyingKey, combine_all, open,
};
use chartseal_fhir::Tag;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{Body, State};
use chartseal_node::{
    Envelope, EnvelopeFront, NodeError, author_key, author_keys, dealing_of, dealt_in, share_index,
};
use chartseal_policy::{Action, Obligation, Purpose};
use chartseal_vault::BlobId;
use chartseal_wire::{ActorId, HeaderDigest, OrgId, PatientId, RecordId, RequestId};

use crate::clinician::Clinician;
use crate::custody::is_each;
use crate::document::Filing;
use crate::error::Error;
use crate::network::Network;
use crate::patient::Patient;
use crate::person::Person;
use crate::several::{LONG_GRACE, TOGETHER};
use crate::texts::{reason_text, token};

/// What a clinician asks for, and why.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Whose records.
    pub patient: PatientId,
    /// Which, at most 512.
    pub records: &'a [RecordId],
    /// What to do with them.
    pub action: Action,
    /// For which purpose of use.
    pub purpose: Purpose,
    /// Why, as a short code without spaces.
    pub reason_code: &'a str,
    /// Why, in words that only the patient can read.
    pub reason: &'a str,
}

impl<'a> Ask<'a> {
    /// A request to read.
    pub fn read(patient: PatientId, records: &'a [RecordId], purpose: Purpose) -> Self {
        let action = Action::Read;
        Self {
            patient,
            records,
            action,
            purpose,
            reason_code: "visit",
            reason: "visit",
        }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(self, reason_code: &'a str, reason: &'a str) -> Self {
        Self {
            reason_code,
            reason,
            ..self
        }
    }
}

/// A request that was decided, with the ephemeral key of whoever made it. Dropping it destroys the
/// key, and with it every release.
#[derive(Debug)]
pub struct Request {
    id: RequestId,
    height: u64,
    reader: KemKeyPair,
    permitted: Vec<RecordId>,
}

impl Request {
    /// The request's id.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The block that decided it.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The records that may be opened. Why others may not is for the patient's history to tell.
    pub fn permitted(&self) -> &[RecordId] {
        &self.permitted
    }
}

/// A record that was opened.
#[derive(Debug)]
pub struct OpenedRecord {
    /// The record.
    pub record: RecordId,
    /// Its header, which an amendment supersedes.
    pub header: Header,
    /// Who wrote it, as the chain says.
    pub author: ActorId,
    pub(crate) seal: Seal,
    opened: Opened,
}

impl OpenedRecord {
    /// The content, byte for byte as it was filed.
    pub fn content(&self) -> &[u8] {
        self.opened.content()
    }

    /// The content's media type.
    pub fn media_type(&self) -> &str {
        self.opened.media_type()
    }

    /// What goes with the record because of its category: the chain sees none, so the reader's app
    /// attaches it (42 CFR Part 2 for substance use records, as the policy semantics say).
    pub fn obligations(&self) -> Vec<Obligation> {
        let part2 = self
            .filing()
            .is_some_and(|filing| filing.tags.contains(&Tag::Sud));
        let obligations = [Obligation::AttachPart2Notice, Obligation::AttachConsentCopy];
        obligations.into_iter().filter(|_| part2).collect()
    }

    /// The secrets of the deal in its header, for who sends a custodian its share once more.
    pub fn dealer(&self) -> Dealer {
        self.opened.dealer()
    }

    /// The secrets of another deal of its key. [`Patient::redeal`] does all that goes with it.
    pub fn redealer(&self, number: NonZeroU64, custodians: CustodianSet) -> Dealer {
        self.opened.redeal(number, custodians)
    }

    /// What it was filed under; `None` if its author said nothing readable.
    pub fn filing(&self) -> Option<Filing> {
        from_bytes(self.opened.attributes()).ok()
    }
}

/// What came of opening a permitted request.
#[derive(Debug)]
pub struct Opening {
    /// By which request.
    pub request: RequestId,
    /// The records, in the request's order.
    pub records: Vec<OpenedRecord>,
    /// Custodians that gave wrong shares, each once, by name.
    pub liars: Vec<(OrgId, Fault)>,
}

/// What the sealed records of a request have to be.
pub(crate) type ExpectedRecords = BTreeMap<RecordId, Expected>;

/// Records of a request that could not be opened, and why.
pub(crate) type Unopened = Vec<(RecordId, Error)>;

/// A record as it is sealed, and what it has to be.
type SealedRecord = (RecordId, Expected, Envelope);

/// What there is to open a request's records with.
struct Collected {
    releases: Vec<(OrgId, Release)>,
    sealed: Vec<SealedRecord>,
    /// Those that no node gives.
    missing: Unopened,
}

/// A deal, and the key that its shares give.
type Unlocked = (Dealing, Result<Combined, CombineError>);

impl Clinician {
    /// Asks for records. Whatever the decision is, it is final and in the histories.
    ///
    /// # Errors
    /// [`Error`] if the request can't be made. A denial is no error here: see
    /// [`Request::permitted`].
    pub fn request(&mut self, network: &mut Network, ask: &Ask<'_>) -> Result<Request, Error> {
        self.person.request(network, ask, Then::Nothing)
    }

    /// Opens what a request was permitted: collects releases, names liars, combines, decrypts.
    ///
    /// A record for which the permit counts no more (erased, or forbidden since) is left out, if
    /// others are still permitted.
    ///
    /// # Errors
    /// [`Error::Denied`] if nothing was permitted, [`Error::NotReleased`] if no custodian releases
    /// (any more), [`Error::NotCombined`] with the count of missing shares.
    pub fn open(&mut self, network: &mut Network, request: &Request) -> Result<Opening, Error> {
        request.open(network)
    }

    /// Asks for records and opens them. That is quicker than one after the other, for custodians in other processes know of
    /// the request before it is final.
    ///
    /// # Errors
    /// As [`request`](Self::request) and [`open`](Self::open).
    pub fn read(&mut self, network: &mut Network, ask: &Ask<'_>) -> Result<Opening, Error> {
        self.person.request(network, ask, Then::Open)?.open(network)
    }
}

impl Patient {
    /// Opens records of one's own, at the patient's request. Custodians release them as to anybody, and the history has
    /// it.
    ///
    /// # Errors
    /// As [`Clinician::read`].
    pub fn read(&mut self, network: &mut Network, records: &[RecordId]) -> Result<Opening, Error> {
        let ask = Ask::read(self.id(), records, Purpose::Patrqt).because("own", "own records");
        self.person
            .request(network, &ask, Then::Open)?
            .open(network)
    }

    /// The same; what can't be opened keeps nothing else from being opened, and comes with the reason.
    pub(crate) fn read_each(
        &mut self,
        network: &mut Network,
        records: &[RecordId],
    ) -> Result<(Opening, Unopened), Error> {
        let (mut rest, mut unopened) = (records.to_vec(), Unopened::new());
        let (request, opening) = loop {
            let ask = Ask::read(self.id(), &rest, Purpose::Patrqt).because("own", "own records");
            let request = self.person.request(network, &ask, Then::Open)?;
            let Collected {
                releases,
                sealed,
                missing,
            } = request.collect(network)?;
            // Of a record that nobody gives shares can't be told from others, nor those behind them: the others are asked
            // for without it.
            let is_again = !missing.is_empty() && !sealed.is_empty();
            rest.retain(|record| missing.iter().all(|(it, _)| it != record));
            unopened.extend(missing);
            if is_again {
                continue;
            }
            let (opening, more) = request.unseal(network, releases, sealed)?;
            unopened.extend(more);
            break (request, opening);
        };
        // Denied: one before its release date. Or left out by custodians that know of something newer.
        let left_out = records.iter().filter(|record| {
            let is_opened = opening.records.iter().any(|it| it.record == **record);
            !is_opened && unopened.iter().all(|(it, _)| it != *record)
        });
        let left_out: Vec<RecordId> = left_out.copied().collect();
        unopened.extend(
            left_out
                .into_iter()
                .map(|it| (it, Error::Denied(request.id))),
        );
        Ok((opening, unopened))
    }
}

/// What comes after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Whatever its maker decides: who opens it asks custodians for their shares.
    Nothing,
    /// It is opened at once, so custodians are asked already.
    Open,
}

impl Person {
    /// Asks for records.
    pub(crate) fn request(
        &mut self,
        network: &mut Network,
        ask: &Ask<'_>,
        then: Then,
    ) -> Result<Request, Error> {
        let reader = KemKeyPair::generate()?;
        let reason = reason_text(network, &ask.patient, &self.id(), ask.reason)?;
        let body = AccessRequested {
            patient: ask.patient,
            records: ask.records.to_vec(),
            action: token(ask.action.as_str())?,
            purpose: token(ask.purpose.as_str())?,
            reason_code: token(ask.reason_code)?,
            reason: reason.commitment(),
            reader: reader.key_id().0,
        };
        let body = Body::from(body);
        let id = self.again_if_outrun(network, |person, network| {
            let signed = person.transaction(network.chain(), network.expiry()?, body.clone());
            if then == Then::Open {
                network.ask_early(&signed.id(), reader.public_key());
            }
            network.submit(signed, slice::from_ref(&reason))
        })?;
        let decided = network.read(|state| state.request(&id))?;
        let decided = decided.ok_or(Error::Malformed("a request"))?;
        let permitted = decided.permits.iter().map(|permit| permit.record).collect();
        Ok(Request {
            id,
            height: decided.position.height,
            reader,
            permitted,
        })
    }
}

impl Request {
    /// What custodians release, one at least, and as many as it takes if they do.
    pub(crate) fn releases(&self, network: &mut Network) -> Result<Vec<(OrgId, Release)>, Error> {
        self.releases_within(network, TOGETHER)
    }

    fn releases_within(
        &self,
        network: &mut Network,
        grace: Duration,
    ) -> Result<Vec<(OrgId, Release)>, Error> {
        if self.permitted.is_empty() {
            return Err(Error::Denied(self.id));
        }
        let (mut releases, mut refusal) = collect_releases(network, self, grace)?;
        if are_mixed(&releases) {
            // Custodians learn at different moments that a key was dealt anew; by now all know.
            (releases, refusal) = collect_releases(network, self, grace)?;
        }
        if releases.is_empty() {
            let why = Box::new(refusal.ok_or(Error::NobodyThere)?);
            return Err(Error::NotReleased {
                request: self.id,
                why,
            });
        }
        Ok(releases)
    }

    /// As [`combine`](Self::combine). If some shares were wrong, those that came too late are waited for after all.
    pub(crate) fn unlock(
        &self,
        network: &mut Network,
        headers: &[&Header],
        releases: &mut Vec<(OrgId, Release)>,
    ) -> Result<Vec<Unlocked>, Error> {
        let unlocked = self.combine(network, headers, releases)?;
        if unlocked.iter().all(|(_, key)| key.is_ok()) {
            return Ok(unlocked);
        }
        *releases = self.releases_within(network, LONG_GRACE)?;
        self.combine(network, headers, releases)
    }

    /// The keys of records with these headers, each with the deal whose shares gave it.
    pub(crate) fn combine(
        &self,
        network: &Network,
        headers: &[&Header],
        releases: &[(OrgId, Release)],
    ) -> Result<Vec<Unlocked>, Error> {
        let dealings = network.read_each(headers, |state, header| {
            released_deal(state, header, releases)
        })?;
        let dealings = dealings.into_iter().collect::<Option<Vec<Dealing>>>();
        let dealings = dealings.ok_or(Error::Malformed("a deal"))?;
        let named: Vec<&Dealing> = dealings.iter().collect();
        let by_custodian: Vec<Release> = releases
            .iter()
            .map(|(_, release)| release.clone())
            .collect();
        let id = chartseal_envelope::RequestId(self.id.0);
        let combined = combine_all(&self.reader, id, &named, &by_custodian);
        Ok(dealings.into_iter().zip(combined).collect())
    }

    /// What the permitted records' envelopes have to be.
    pub(crate) fn expected(&self, network: &Network) -> Result<ExpectedRecords, Error> {
        let expected = network.read(|state| {
            let permits = state.request(&self.id)?.permits;
            let expected = permits.iter().map(|permit| {
                let anchored = state.record(&permit.record)?;
                let expected = Expected {
                    header: permit.header,
                    author: anchored.author,
                    authors: author_keys(state, &anchored),
                };
                Some((permit.record, expected))
            });
            Some(expected.flatten().collect())
        })?;
        expected.ok_or(Error::Malformed("a request"))
    }

    fn open(&self, network: &mut Network) -> Result<Opening, Error> {
        let Collected {
            releases,
            sealed,
            missing,
        } = self.collect(network)?;
        let (opening, unopened) = match missing.into_iter().next() {
            Some((_, why)) => return Err(why),
            None => self.unseal(network, releases, sealed)?,
        };
        if let Some((_, why)) = unopened.into_iter().next() {
            return Err(why);
        }
        match self.permitted.first() {
            Some(first) if opening.records.is_empty() => Err(Error::NoRecord(*first)),
            _ => Ok(opening),
        }
    }

    /// Custodians' shares, and the sealed records.
    fn collect(&self, network: &mut Network) -> Result<Collected, Error> {
        let mut expected = self.expected(network)?;
        let (releases, mut fetched) =
            network.fetch_during(&self.id, &expected, |network| self.releases(network));
        let releases = releases?;
        let (mut sealed, mut missing) = (Vec::new(), Vec::new());
        for record in still_released(network, self, &releases)? {
            let expected = expected.remove(&record).ok_or(Error::NoRecord(record));
            let found = expected.and_then(|expected| {
                let fetched = fetched.remove(&record).map(Ok);
                let envelope =
                    fetched.unwrap_or_else(|| network.envelope(&self.id, &record, &expected));
                Ok((record, expected, envelope?))
            });
            match found {
                Ok(found) => sealed.push(found),
                Err(why) => missing.push((record, why)),
            }
        }
        Ok(Collected {
            releases,
            sealed,
            missing,
        })
    }

    /// Opens them. What can't be opened keeps nothing else from being opened, and comes with the reason.
    fn unseal(
        &self,
        network: &mut Network,
        mut releases: Vec<(OrgId, Release)>,
        sealed: Vec<SealedRecord>,
    ) -> Result<(Opening, Unopened), Error> {
        let headers = sealed.iter().map(|(_, _, envelope)| &envelope.front.header);
        let headers: Vec<&Header> = headers.collect();
        let combined = self.unlock(network, &headers, &mut releases)?;
        let mut faults = Vec::new();
        let (mut records, mut unopened) = (Vec::with_capacity(sealed.len()), Vec::new());
        for ((record, expected, envelope), (dealing, combined)) in sealed.into_iter().zip(combined)
        {
            let opened = combined
                .map_err(|why| Error::NotCombined { record, why })
                .and_then(|combined| {
                    faults.push((dealing, combined.faults));
                    expected.opened(record, envelope, &combined.key)
                });
            match opened {
                Ok(opened) => records.push(opened),
                Err(why) => unopened.push((record, why)),
            }
        }
        let opening = Opening {
            request: self.id,
            records,
            liars: name_liars(&releases, faults),
        };
        Ok((opening, unopened))
    }
}

/// What a sealed record has to be: the version that was permitted, as its author signed it. Which copy is served does not
/// matter then, and one that is none is passed over.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    header: HeaderDigest,
    pub(crate) author: ActorId,
    authors: Vec<VerifyingKey>,
}

impl Expected {
    pub(crate) fn is(&self, Envelope { front, body }: &Envelope) -> bool {
        self.is_front(front) && BlobId::of(body).0 == front.seal.body_digest().0
    }

    pub(crate) fn is_front(&self, EnvelopeFront { header, seal }: &EnvelopeFront) -> bool {
        let is_signed = |author| seal.verify_signature(header, author).is_ok();
        header.digest().0 == self.header.0 && self.author_key(header).is_some_and(is_signed)
    }

    fn opened(
        &self,
        record: RecordId,
        envelope: Envelope,
        key: &ContentKey,
    ) -> Result<OpenedRecord, Error> {
        let EnvelopeFront { header, seal } = envelope.front;
        let author = self.author_key(&header).ok_or(Error::NoRecord(record))?;
        let opened = open(&header, &envelope.body, &seal, author, key);
        let opened = opened.map_err(|why| Error::NotOpened { record, why })?;
        Ok(OpenedRecord {
            record,
            header,
            author: self.author,
            seal,
            opened,
        })
    }

    /// The key with which its author signed it.
    pub(crate) fn author_key(&self, header: &Header) -> Option<&VerifyingKey> {
        author_key(&self.authors, header)
    }
}

/// Who gave wrong shares, each once.
pub(crate) fn name_liars(
    releases: &[(OrgId, Release)],
    faults: impl IntoIterator<Item = (Dealing, Vec<Fault>)>,
) -> Vec<(OrgId, Fault)> {
    let mut liars: BTreeMap<OrgId, Fault> = BTreeMap::new();
    for (dealing, faults) in faults {
        for fault in faults {
            let sender = releases.iter().find(|(_, release)| {
                let mut items = release.items();
                release.index() == fault.custodian && items.any(|item| item == dealing.item())
            });
            if let Some((org, _)) = sender {
                liars.entry(*org).or_insert(fault);
            }
        }
    }
    liars.into_iter().collect()
}

/// Every running custodian's releases, with who sent each, and the last refusal.
type Released = (Vec<(OrgId, Release)>, Option<NodeError>);

fn collect_releases(
    network: &mut Network,
    request: &Request,
    grace: Duration,
) -> Result<Released, Error> {
    let (mut releases, mut refusal) = (Vec::new(), None);
    for (org, given) in network.releases_within(&request.id, request.reader.public_key(), grace)? {
        match given {
            Ok(given) => releases.extend(given.into_iter().map(|release| (org, release))),
            Err(NodeError::Stopped(_)) => {}
            Err(error) => refusal = Some(error),
        }
    }
    // A release is not signed: who sent it is known from whom it came.
    let are_theirs = network.read_each(&releases, |state, (org, one)| is_of(state, org, one))?;
    let mut are_theirs = are_theirs.into_iter();
    releases.retain(|_| are_theirs.next() == Some(true));
    Ok((releases, refusal))
}

/// Whether a release's index is the one that its sender has in every committee to which its records were dealt.
fn is_of(state: State<'_>, sender: &OrgId, release: &Release) -> bool {
    is_each(release.items(), |item| {
        let epoch = dealt_in(state, &HeaderDigest(item.header.0), item.deal_epoch);
        let index = epoch.and_then(|epoch| share_index(state, sender, epoch));
        index == Some(release.index())
    })
}

/// Whether there are shares of different deals of one version.
fn are_mixed(releases: &[(OrgId, Release)]) -> bool {
    let items = releases.iter().flat_map(|(_, release)| release.items());
    let mut deals = BTreeMap::new();
    items
        .into_iter()
        .any(|item| *deals.entry(item.header).or_insert(item.deal_epoch) != item.deal_epoch)
}

/// The deal of a version of which most custodians gave shares.
fn released_deal(
    state: State<'_>,
    header: &Header,
    releases: &[(OrgId, Release)],
) -> Option<Dealing> {
    let digest = header.digest();
    let given = releases.iter().flat_map(|(org, release)| {
        let items = release.items().filter(|item| item.header == digest);
        items.map(|item| (*org, item.deal_epoch))
    });
    let durable = state.deals(&HeaderDigest(digest.0)).durable;
    dealing_of(state, header, most_given(given, durable))
}

/// The number that most senders name, however often each does; of several the durable deal's, which custodians release.
fn most_given(given: impl Iterator<Item = (OrgId, u64)>, durable: u64) -> u64 {
    let mut senders: BTreeMap<u64, BTreeSet<OrgId>> = BTreeMap::new();
    for (org, number) in given {
        senders.entry(number).or_default().insert(org);
    }
    let most = senders
        .into_iter()
        .max_by_key(|(number, senders)| (senders.len(), *number == durable));
    most.map_or(durable, |(number, _)| number)
}

/// The permitted records that custodians still release. A record is withheld if so many leave it out
/// that one of them is honest.
pub(crate) fn still_released(
    network: &Network,
    request: &Request,
    releases: &[(OrgId, Release)],
) -> Result<Vec<RecordId>, Error> {
    let (decided, faulty) =
        network.read(|state| (state.request(&request.id), state.committee().f()))?;
    let decided = decided.ok_or(Error::Malformed("a request"))?;
    let faulty = usize::try_from(faulty).unwrap_or(usize::MAX);
    let is_released = |record: &RecordId| {
        let permit = decided.permit(record);
        let gives = |release: &Release| {
            permit
                .is_some_and(|permit| release.items().any(|item| item.header.0 == permit.header.0))
        };
        let mut senders: BTreeMap<&OrgId, bool> = BTreeMap::new();
        for (org, release) in releases {
            *senders.entry(org).or_default() |= gives(release);
        }
        let without = senders.values().filter(|gives| !**gives).count();
        without <= faulty.min(senders.len().saturating_sub(1))
    };
    Ok(request
        .permitted
        .iter()
        .copied()
        .filter(is_released)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::{Class, Offer};

    /// Who repeats themselves has one voice, as everybody: else one custodian could have all others' shares refused.
    #[test]
    fn the_deal_that_is_read_is_the_one_that_most_custodians_gave() {
        let most = |given: &[(u8, u64)], durable| {
            let given = given.iter().map(|(org, deal)| (OrgId([*org; 16]), *deal));
            most_given(given, durable)
        };
        let mut given = vec![(1, 1), (2, 1), (3, 1)];
        given.extend([(4, 0); 64]);
        given.extend([(4, 2); 64]);
        assert_eq!(most(&given, 0), 1);
        assert_eq!(most(&[(1, 0), (2, 0), (3, 1)], 1), 0);
        // Of as many for each, what is durable.
        for durable in [0, 1] {
            assert_eq!(most(&[(1, 0), (1, 0), (2, 1)], durable), durable);
        }
        assert_eq!(most(&[], 3), 3);
    }

    #[test]
    fn a_sealed_record_is_the_one_that_was_permitted_whole_and_of_its_author() {
        let mut network = Network::in_memory().unwrap();
        let hospital = network.enrol_organization().unwrap();
        let mut enrol = || {
            network
                .enrol_practitioner(&hospital, &["physician"])
                .unwrap()
        };
        let (mut author, mut doctor) = (enrol(), enrol());
        let mut patient = network.enrol_patient(&hospital).unwrap();
        let documents = [&b"HbA1c 6.1 %"[..], b"HbA1c 6.0 %"];
        let documents = documents.map(|it| Document::new(Class::LABORATORY, "text/plain", it));
        let kit = patient.filing_kit();
        let filed = author.file(&mut network, &kit, &documents, |_| ());
        let records: Vec<RecordId> = filed.unwrap().iter().map(|filed| filed.record).collect();
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(60_000));
        patient.grant(&mut network, &doctor, &offer).unwrap();
        let ask = Ask::read(patient.id(), &records, Purpose::Treat);
        let request = doctor.request(&mut network, &ask).unwrap();

        let expected = request.expected(&network).unwrap();
        let [(first, one), (second, other)] = Vec::from_iter(&expected)[..] else {
            panic!("{expected:?}");
        };
        let given = |record| network.envelope(&request.id, record, one);
        let envelope = given(first).unwrap();
        assert!(one.is(&envelope) && !other.is(&envelope));
        assert!(given(second).is_err(), "every node gives another record");
        let mut damaged = envelope.clone();
        damaged.body[0] ^= 1;
        assert!(!one.is(&damaged));
        let stranger = Expected {
            authors: vec![doctor.person().signing().verifying_key()],
            ..one.clone()
        };
        assert!(!stranger.is(&envelope));
    }
}
