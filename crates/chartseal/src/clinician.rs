use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{
    Content, Deal, Dealer, Dealing, Fault, Header, KemKeyPair, KemPublicKey, Opened, RecordInfo,
    RecordVersion, Release, SubjectId, Suite, Threshold, combine_all, deal, open, open_text, seal,
};
use chartseal_ledger::Labels;
use chartseal_ledger::body::{
    AccessRequested, CustodianSet, EmergencyDeclared, EmergencyReviewed, RecordAdded,
};
use chartseal_node::{DepositFault, Envelope, EnvelopeFront, NodeError};
use chartseal_policy::{Action, Declaration, Purpose};
use chartseal_wire::history::Token;
use chartseal_wire::{
    ActorId, Hash, HeaderDigest, OrgId, PatientId, RecordId, RequestId, SealedText, TxId,
};

use crate::document::{Document, Filing};
use crate::domain;
use crate::error::Error;
use crate::invitation::Invitation;
use crate::labels::Secret;
use crate::network::Network;
use crate::patient::FilingKit;
use crate::person::Person;

/// How many documents are sealed, anchored and deposited at a time: bounds what is in memory.
const BATCH: usize = 256;

/// Somebody who treats patients: files records, asks for them, opens them.
#[derive(Debug)]
pub struct Clinician {
    person: Person,
    org: OrgId,
    /// Deals that a custodian has not acknowledged yet; kept to send them again.
    outbox: Vec<Parcel>,
}

/// Sealed records and the deal of one custodian's shares of their keys.
#[derive(Debug)]
struct Parcel {
    to: OrgId,
    envelopes: Arc<Vec<Envelope>>,
    deal: Deal,
}

/// A record that was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// The record.
    pub record: RecordId,
    /// The envelope's header; `None` if it was filed before and not filed again.
    pub header: Option<Header>,
}

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

    /// What it was filed under; `None` if its author said nothing readable.
    pub fn filing(&self) -> Option<Filing> {
        from_bytes(self.opened.attributes()).ok()
    }
}

/// What came of opening a permitted request.
#[derive(Debug)]
pub struct Opening {
    /// The records, in the request's order.
    pub records: Vec<OpenedRecord>,
    /// Custodians that gave wrong shares, each once, by name.
    pub liars: Vec<(OrgId, Fault)>,
}

impl Clinician {
    pub(crate) fn new(person: Person, org: OrgId) -> Self {
        Self {
            person,
            org,
            outbox: Vec::new(),
        }
    }

    /// Their id.
    pub fn id(&self) -> ActorId {
        self.person.id()
    }

    /// Their organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Their keys.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// Files documents about a patient: each is sealed under a fresh key, dealt to the custodians,
    /// and anchored. One that this author filed before is not filed again.
    ///
    /// `progress` is told, after each batch, how many documents are done.
    ///
    /// # Errors
    /// [`Error`]. Batches before the failing one are filed; filing again continues.
    pub fn file(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        documents: &[Document<'_>],
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Filed>, Error> {
        let mut filed = Vec::with_capacity(documents.len());
        for batch in documents.chunks(BATCH) {
            filed.extend(self.file_batch(network, kit, batch)?);
            progress(filed.len());
        }
        Ok(filed)
    }

    /// Files a new version of a record: it names the version that it replaces, keeps the record's id
    /// and may not drop a label or lower the confidentiality.
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
        let old = network
            .state()?
            .record(&record)
            .ok_or(Error::NoRecord(record))?;
        let fingerprint = self.fingerprint(kit, document);
        let plan = Plan {
            document,
            record,
            version,
            labels: old.labels,
            fingerprint,
        };
        let mut headers = self.seal_and_deposit(network, kit, &[plan])?;
        Ok(Filed {
            record,
            header: headers.pop(),
        })
    }

    /// Sends again what custodians have not acknowledged. Gives how many parcels are still waiting:
    /// until there are none, records are not durable yet.
    ///
    /// # Errors
    /// [`Error`] if a custodian refuses or fails. What it did not take still waits then, and the
    /// others have theirs.
    pub fn deliver(&mut self, network: &mut Network) -> Result<usize, Error> {
        let mut acknowledgements = Vec::new();
        let mut delivered = Vec::with_capacity(self.outbox.len());
        let mut failure = None;
        for parcel in &self.outbox {
            let node = network
                .nodes_mut()
                .iter_mut()
                .find(|node| node.org() == parcel.to);
            let taken = match node.map(|node| node.deposit(&parcel.envelopes, &parcel.deal)) {
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
            // Amended or erased since it was sent: nobody needs this share any more.
            let is_outdated =
                |why: &DepositFault| matches!(why, DepositFault::NotAnchored | DepositFault::Erased);
            let refused = taken.refused.into_iter().find(|(_, why)| !is_outdated(why));
            let refused = refused.map(|(record, why)| NodeError::Deposit { record, why });
            failure = failure.or(refused);
        }
        if !acknowledgements.is_empty() {
            network.submit_all(acknowledgements)?;
        }
        let mut delivered = delivered.into_iter();
        self.outbox.retain(|_| delivered.next() != Some(true));
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(self.outbox.len()),
        }
    }

    /// Opens the invitation that came with a grant.
    ///
    /// # Errors
    /// [`Error`] if it is gone, or for somebody else.
    pub fn accept(&self, network: &Network, invitation: &Hash) -> Result<Invitation, Error> {
        let text = network.text(invitation)?;
        let sealed =
            from_bytes(text.sealed.as_ref()).map_err(|_| Error::Malformed("an invitation"))?;
        let plain = open_text(
            self.person.kem(),
            domain::INVITATION,
            self.id().as_ref(),
            &sealed,
        )?;
        from_bytes(&plain).map_err(|_| Error::Malformed("an invitation"))
    }

    /// Asks for records. Whatever the decision is, it is final and in the histories.
    ///
    /// # Errors
    /// [`Error`] if the request can't be made. A denial is no error here: see
    /// [`Request::permitted`].
    pub fn request(&mut self, network: &mut Network, ask: &Ask<'_>) -> Result<Request, Error> {
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
        let signed = self
            .person
            .transaction(network.chain(), network.expiry()?, body);
        let id = network.submit(signed, &[reason])?;
        let state = network.state()?;
        let decided = state.request(&id).ok_or(Error::Malformed("a request"))?;
        let permitted = decided.permits.iter().map(|permit| permit.record).collect();
        Ok(Request {
            id,
            height: decided.position.height,
            reader,
            permitted,
        })
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
        let first = *request.permitted.first().ok_or(Error::Denied(request.id))?;
        let (releases, refusal) = collect_releases(network, request)?;
        if releases.is_empty() {
            let why = Box::new(refusal.ok_or(Error::NobodyThere)?);
            return Err(Error::NotReleased {
                request: request.id,
                why,
            });
        }
        let wanted = still_released(network, request, &releases)?;
        let envelopes = wanted
            .iter()
            .map(|record| find_envelope(network, request, record));
        let envelopes = envelopes.collect::<Result<Vec<Envelope>, Error>>()?;
        let dealings: Vec<Dealing> = envelopes
            .iter()
            .map(|envelope| Dealing::initial(&envelope.front.header))
            .collect();
        let dealings: Vec<&Dealing> = dealings.iter().collect();
        let by_custodian: Vec<Release> = releases
            .iter()
            .map(|(_, release)| release.clone())
            .collect();
        let id = chartseal_envelope::RequestId(request.id.0);
        let combined = combine_all(&request.reader, id, &dealings, &by_custodian);

        let mut liars: BTreeMap<OrgId, Fault> = BTreeMap::new();
        let mut records = Vec::with_capacity(envelopes.len());
        for ((record, envelope), combined) in wanted.iter().zip(envelopes).zip(combined) {
            let combined = combined.map_err(|why| Error::NotCombined {
                record: *record,
                why,
            })?;
            for fault in combined.faults {
                let sender = releases
                    .iter()
                    .find(|(_, release)| release.index() == fault.custodian);
                if let Some((org, _)) = sender {
                    liars.entry(*org).or_insert(fault);
                }
            }
            let state = network.state()?;
            let anchored = state.record(record).ok_or(Error::NoRecord(*record))?;
            let author = network
                .running()
                .find_map(|node| node.author_key(&anchored));
            let author_key = author.ok_or(Error::NoRecord(*record))?;
            let EnvelopeFront { header, seal } = envelope.front;
            let opened = open(&header, &envelope.body, &seal, &author_key, &combined.key);
            let opened = opened.map_err(|why| Error::NotOpened {
                record: *record,
                why,
            })?;
            records.push(OpenedRecord {
                record: *record,
                header,
                author: anchored.author,
                opened,
            });
        }
        if records.is_empty() {
            return Err(Error::NoRecord(first));
        }
        Ok(Opening {
            records,
            liars: liars.into_iter().collect(),
        })
    }

    /// Asks for records and opens them.
    ///
    /// # Errors
    /// As [`request`](Self::request) and [`open`](Self::open).
    pub fn read(&mut self, network: &mut Network, ask: &Ask<'_>) -> Result<Opening, Error> {
        let request = self.request(network, ask)?;
        self.open(network, &request)
    }

    /// Declares an emergency for a patient: for a while, requests for the purpose `BTG` may break the
    /// glass. The patient sees who and why.
    ///
    /// # Errors
    /// [`Error`].
    pub fn declare_emergency(
        &mut self,
        network: &mut Network,
        patient: PatientId,
        reason_code: &str,
        reason: &str,
    ) -> Result<TxId, Error> {
        let text = reason_text(network, &patient, &self.id(), reason)?;
        let body = EmergencyDeclared {
            patient,
            reason_code: token(reason_code)?,
            reason: text.commitment(),
            has_reason: !Declaration::is_blank(reason),
        };
        let signed = self
            .person
            .transaction(network.chain(), network.expiry()?, body);
        network.submit(signed, &[text])
    }

    /// Reviews a colleague's emergency access, in the role `privacy`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn review(
        &mut self,
        network: &mut Network,
        request: RequestId,
        justified: bool,
    ) -> Result<TxId, Error> {
        let body = EmergencyReviewed { request, justified };
        let signed = self
            .person
            .transaction(network.chain(), network.expiry()?, body);
        network.submit(signed, &[])
    }

    /// The fingerprint of a document for one patient: nobody else's key gives it.
    fn fingerprint(&self, kit: &FilingKit, document: &Document<'_>) -> [u8; 32] {
        let key = self.person.secret(domain::FINGERPRINT_KEY);
        let key = Secret::new(key.derive(domain::FINGERPRINT_KEY, kit.patient.as_ref()));
        key.derive(domain::FINGERPRINT, document.content)
    }

    fn file_batch(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        documents: &[Document<'_>],
    ) -> Result<Vec<Filed>, Error> {
        let mut plans: Vec<Plan<'_, '_>> = Vec::with_capacity(documents.len());
        let mut new: BTreeSet<[u8; 32]> = BTreeSet::new();
        let mut ids = Vec::with_capacity(documents.len());
        for document in documents {
            let fingerprint = self.fingerprint(kit, document);
            let state = network.state()?;
            let known = state.fingerprint(&self.id(), &kit.patient, &fingerprint);
            let again = plans.iter().find(|plan| plan.fingerprint == fingerprint);
            if let Some(record) = known.or(again.map(|plan| plan.record)) {
                ids.push((record, false));
                continue;
            }
            let record = RecordId(chartseal_envelope::RecordId::random()?.0);
            let labels = kit.labels.of_record(record, document.class, &document.tags);
            let labels = labels.ok_or_else(|| Error::NoLabel(document.class.to_string()))?;
            new.insert(fingerprint);
            ids.push((record, true));
            let version = RecordVersion::FIRST;
            plans.push(Plan {
                document,
                record,
                version,
                labels,
                fingerprint,
            });
        }
        let mut headers = self.seal_and_deposit(network, kit, &plans)?.into_iter();
        let filed = ids.into_iter().map(|(record, is_new)| Filed {
            record,
            header: if is_new { headers.next() } else { None },
        });
        Ok(filed.collect())
    }

    fn seal_and_deposit(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        plans: &[Plan<'_, '_>],
    ) -> Result<Vec<Header>, Error> {
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let custodians = Custodians::of(network)?;
        let (now, chain, expires) = (network.now(), network.chain(), network.expiry()?);
        let mut anchors = Vec::with_capacity(plans.len());
        let mut envelopes = Vec::with_capacity(plans.len());
        let mut dealers = Vec::with_capacity(plans.len());
        for plan in plans {
            let info = RecordInfo {
                suite: Suite::XWing,
                record_id: chartseal_envelope::RecordId(plan.record.0),
                subject: SubjectId(kit.patient.0),
                version: plan.version,
                custodians: custodians.envelope_set,
            };
            let document = plan.document;
            let content = Content {
                media_type: document.media_type,
                attributes: &to_bytes(&document.filing()),
                bytes: document.content,
            };
            let sealed = seal(&info, &content, self.person.signing())?;
            let body = RecordAdded {
                record: plan.record,
                patient: kit.patient,
                version: plan.version.number(),
                header: HeaderDigest(sealed.header.digest().0),
                supersedes: plan
                    .version
                    .supersedes()
                    .map(|digest| HeaderDigest(digest.0)),
                body: sealed.seal.body_digest().0,
                length: sealed.seal.body_len(),
                confidentiality: document.confidentiality,
                labels: plan.labels,
                encounter: document
                    .encounter
                    .as_ref()
                    .map(|encounter| kit.encounter(encounter)),
                authored: document.authored.map_or(now, |authored| authored.min(now)),
                release_at: document.release_at,
                custodians: custodians.ledger_set,
                fingerprint: plan.fingerprint,
            };
            anchors.push(self.person.transaction(chain, expires, body));
            let front = EnvelopeFront {
                header: sealed.header,
                seal: sealed.seal,
            };
            envelopes.push(Envelope {
                front,
                body: sealed.body,
            });
            dealers.push(sealed.dealer);
        }
        network.submit_all(anchors)?;

        let dealers: Vec<&Dealer> = dealers.iter().collect();
        let deals = deal(&dealers, &custodians.kem_keys)?;
        let headers = envelopes
            .iter()
            .map(|envelope| envelope.front.header.clone())
            .collect();
        let envelopes = Arc::new(envelopes);
        for (to, deal) in custodians.orgs.into_iter().zip(deals) {
            self.outbox.push(Parcel {
                to,
                envelopes: Arc::clone(&envelopes),
                deal,
            });
        }
        self.deliver(network)?;
        Ok(headers)
    }
}

/// One document on its way into an envelope.
struct Plan<'d, 'c> {
    document: &'d Document<'c>,
    record: RecordId,
    version: RecordVersion,
    labels: Labels,
    fingerprint: [u8; 32],
}

/// To whom shares are dealt.
struct Custodians {
    envelope_set: chartseal_envelope::CustodianSet,
    ledger_set: CustodianSet,
    orgs: Vec<OrgId>,
    kem_keys: Vec<KemPublicKey>,
}

impl Custodians {
    fn of(network: &Network) -> Result<Self, Error> {
        let state = network.state()?;
        let committee = state.committee();
        let (t, n) = (committee.quorum(), committee.n());
        let narrow = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let threshold = Threshold::new(narrow(t), narrow(n));
        let envelope_set = chartseal_envelope::CustodianSet {
            id: chartseal_envelope::SetId(committee.hash().0),
            epoch: committee.epoch(),
            threshold: threshold.map_err(|_| Error::Malformed("the committee"))?,
        };
        let orgs: Vec<OrgId> = committee
            .members()
            .iter()
            .map(|member| member.org)
            .collect();
        let key = |org: &OrgId| {
            let org = state.org(org).ok_or(Error::NoOffice(*org))?;
            network.kem_key(&org.custodian_kem)
        };
        let kem_keys = orgs.iter().map(key).collect::<Result<_, _>>()?;
        let ledger_set = CustodianSet {
            epoch: committee.epoch(),
            t,
            n,
        };
        Ok(Self {
            envelope_set,
            ledger_set,
            orgs,
            kem_keys,
        })
    }
}

/// Every running custodian's release, with who sent it, and the last refusal. Receipts go on the
/// chain.
type Releases = (Vec<(OrgId, Release)>, Option<NodeError>);

fn collect_releases(network: &mut Network, request: &Request) -> Result<Releases, Error> {
    let (mut releases, mut receipts, mut refusal) = (Vec::new(), Vec::new(), None);
    for node in network.nodes_mut() {
        match node.release(&request.id, request.reader.public_key()) {
            // A release is not signed: who sent it is known from whom it came.
            Ok(released) if released.release.index() != node.index() => {}
            Ok(released) => {
                releases.push((node.org(), released.release));
                receipts.extend(released.receipt);
            }
            Err(NodeError::Stopped(_)) => {}
            Err(error) => refusal = Some(error),
        }
    }
    if !receipts.is_empty() {
        network.submit_all(receipts)?;
    }
    Ok((releases, refusal))
}

/// The permitted records that custodians still release. A record is withheld if so many leave it out
/// that one of them is honest.
fn still_released(
    network: &Network,
    request: &Request,
    releases: &[(OrgId, Release)],
) -> Result<Vec<RecordId>, Error> {
    let state = network.state()?;
    let decided = state.request(&request.id);
    let decided = decided.ok_or(Error::Malformed("a request"))?;
    let faulty = usize::try_from(state.committee().f()).unwrap_or(usize::MAX);
    let is_released = |record: &RecordId| {
        let permit = decided.permit(record);
        let gives = |release: &Release| {
            permit.is_some_and(|permit| release.items().any(|item| item.header.0 == permit.header.0))
        };
        let without = releases.iter().filter(|(_, release)| !gives(release)).count();
        without <= faulty.min(releases.len().saturating_sub(1))
    };
    Ok(request.permitted.iter().copied().filter(is_released).collect())
}

fn find_envelope(
    network: &Network,
    request: &Request,
    record: &RecordId,
) -> Result<Envelope, Error> {
    // Which copy is served does not matter: seal and digest are checked before it is opened.
    let mut copies = network
        .running()
        .map(|node| node.envelope(&request.id, record));
    copies
        .find_map(Result::ok)
        .ok_or(Error::NoCiphertext(*record))
}

/// A reason sealed to the patient whom the requester names; to nobody, if there is no such patient.
fn reason_text(
    network: &Network,
    patient: &PatientId,
    by: &ActorId,
    reason: &str,
) -> Result<SealedText, Error> {
    let known = network
        .state()?
        .patient(patient)
        .ok_or(Error::NoPatient(*patient))?;
    let key = network.kem_key(&known.kem)?;
    seal_for(&key, domain::REASON, by.as_ref(), reason.as_bytes())
}

/// A text sealed to a key, under a fresh salt.
pub(crate) fn seal_for(
    key: &KemPublicKey,
    purpose: &str,
    aad: &[u8],
    text: &[u8],
) -> Result<SealedText, Error> {
    let sealed = chartseal_envelope::seal_text(key, purpose, aad, text)?;
    let salt = *chartseal_envelope::KeySeed::generate()?.expose_bytes();
    Ok(SealedText {
        salt,
        sealed: to_bytes(&sealed).into(),
    })
}

fn token(text: &str) -> Result<Token, Error> {
    Token::new(text).ok_or(Error::Malformed(
        "a code: it has 1 to 96 printable characters, no spaces",
    ))
}
