//! A network with an author, a doctor and a patient, and what tests often do with them.

use std::path::Path;

use chartseal::{
    Ask, Class, Clinician, Document, Error, GrantReceipt, Network, Offer, Opening, Options, OrgId,
    Patient, Person, Purpose, RecordId, Request, RequestId, TrustPolicy, Verdict, verify,
};
use chartseal_audit::Report;
use chartseal_consensus::engine::NOTICE;
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::body::{CommitteeChanged, Countersignature, NextMember};
use chartseal_ledger::{Body, NotReleasable, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, NodeError};
use chartseal_wire::history::Access;
use chartseal_wire::{Entry, Event, Time};

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// 2026-03-02T09:00:00Z.
const START: Time = Time(1_772_442_000_000);

pub(crate) struct Visit {
    pub(crate) network: Network,
    pub(crate) hospital: OrgId,
    pub(crate) author: Clinician,
    pub(crate) doctor: Clinician,
    pub(crate) patient: Patient,
}

impl Visit {
    pub(crate) fn new() -> Self {
        Self::on(Network::in_memory().unwrap())
    }

    /// Without validators.
    pub(crate) fn sequenced() -> Self {
        Self::on(Network::sequenced().unwrap())
    }

    /// With durable stores below `dir`.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self::on(Network::create(dir, Clock::manual(START)).unwrap())
    }

    fn on(mut network: Network) -> Self {
        let hospital = network.enrol_organization().unwrap();
        let author = network
            .enrol_practitioner(&hospital, &["physician"])
            .unwrap();
        let doctor = network
            .enrol_practitioner(&hospital, &["physician"])
            .unwrap();
        let patient = network.enrol_patient(&hospital).unwrap();
        Self {
            network,
            hospital,
            author,
            doctor,
            patient,
        }
    }

    /// Stops every node, and starts the network again from its folder.
    pub(crate) fn restarted(self, dir: &Path) -> Self {
        let clock = self.network.clock().clone();
        drop(self.network);
        let network = Network::open(dir, clock).unwrap();
        Self { network, ..self }
    }

    pub(crate) fn file(&mut self, class: Class, content: &str) -> RecordId {
        let document = Document::new(class, "text/plain", content.as_bytes());
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file(&mut self.network, &kit, &[document], |_| ());
        filed.unwrap()[0].record
    }

    pub(crate) fn file_result(&mut self, content: &str) -> RecordId {
        self.file(Class::LABORATORY, content)
    }

    /// The doctor may read laboratory results for treatment, for an hour.
    pub(crate) fn grant(&mut self) -> GrantReceipt {
        let until = self.network.now().plus_ms(HOUR);
        self.grant_until(until)
    }

    pub(crate) fn grant_until(&mut self, until: Time) -> GrantReceipt {
        let offer = Offer::of(Class::LABORATORY, until);
        self.patient
            .grant(&mut self.network, &self.doctor, &offer)
            .unwrap()
    }

    /// The doctor asks to read for treatment.
    pub(crate) fn request(&mut self, records: &[RecordId]) -> Request {
        let ask = Ask::read(self.patient.id(), records, Purpose::Treat);
        self.doctor.request(&mut self.network, &ask).unwrap()
    }

    pub(crate) fn open(&mut self, request: &Request) -> Result<Opening, Error> {
        self.doctor.open(&mut self.network, request)
    }

    pub(crate) fn read(&mut self, records: &[RecordId]) -> Result<Opening, Error> {
        let request = self.request(records);
        self.open(&request)
    }

    /// Moves the clock, and has a block at the new time.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.network.clock().advance_ms(ms);
        let hospital = self.hospital;
        self.network.enrol_patient(&hospital).unwrap();
    }

    /// The same organizations in another order from a height on: another committee, whose custodians have other places.
    pub(crate) fn change(&self, from: u64) -> SignedTransaction {
        let network = &self.network;
        let state = network.head().unwrap().state();
        let committee = state.committee();
        let node_of = |org: &OrgId| network.nodes().iter().find(|node| node.org() == *org);
        let nodes: Vec<_> = committee
            .members()
            .iter()
            .rev()
            .map(|member| node_of(&member.org).unwrap())
            .collect();
        let members = nodes.iter().map(|node| NextMember {
            org: node.org(),
            validator: public(&node.keys().cosigner),
            custodian_kem: node.keys().kem.public_key().key_id().0,
        });
        let mut body = CommitteeChanged {
            epoch: committee.epoch() + 1,
            from,
            members: members.collect(),
            approvals: Vec::new(),
        };
        let message = body.to_approve(&network.chain());
        let offices = nodes.iter().take(3).map(|node| Countersignature {
            org: node.org(),
            signature: sign(network.enrolment_key(&node.org()).unwrap(), &message),
        });
        body.approvals = offices.collect();
        let office = network.enrolment_key(&network.nodes()[3].org()).unwrap();
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: network.chain(),
            actor_key: public(office),
            seq: state.sequence(&public(office)) + 1,
            expires: network.head().unwrap().height() + 10,
            body: Body::from(body),
        };
        transaction.sign(|message| sign(office, message))
    }

    /// Waits until such a committee is in office.
    pub(crate) fn hand_over(&mut self) {
        let from = self.network.head().unwrap().height() + 1 + NOTICE + 3;
        self.network.submit(self.change(from), &[]).unwrap();
        while self.network.head().unwrap().height() < from + 2 {
            self.wait(1_000);
        }
        self.network.clock().advance_ms(MINUTE);
    }

    /// What the auditor proves of the patient's export, and of nothing else.
    pub(crate) fn report(&self) -> Report {
        let export = self.patient.export(&self.network, None).unwrap();
        proved(verify(&export, &self.policy(), None, &Options::default()))
    }

    pub(crate) fn policy(&self) -> TrustPolicy {
        TrustPolicy::parse(&self.network.trust_policy()).unwrap()
    }

    /// The patient's whole history, as proved.
    pub(crate) fn history(&self) -> Vec<Entry> {
        self.report().histories[0].entries.iter().collect()
    }

    /// The attempts in the patient's history, as proved.
    pub(crate) fn attempts(&self) -> Vec<(Entry, Access)> {
        let entries = self.history().into_iter();
        entries
            .filter_map(|entry| match entry.event.clone() {
                Event::Access(access) => Some((entry, access)),
                _ => None,
            })
            .collect()
    }

    /// What each custodian that runs says to releasing for a request.
    pub(crate) fn refusals(&mut self, request: &RequestId) -> Vec<NotReleasable> {
        let reader = KemKeyPair::generate().unwrap();
        let mut refusals = Vec::new();
        for node in self.network.nodes_mut() {
            match node.release(request, reader.public_key()) {
                Err(NodeError::NotReleasable { why, .. }) => refusals.push(why),
                Err(NodeError::Stopped(_)) => {}
                other => panic!("not refused by the newest state: {other:?}"),
            }
        }
        refusals
    }
}

/// A transaction that only a program other than this facade makes. Whoever's it is signs no more
/// through the facade.
pub(crate) fn signed(
    network: &Network,
    person: &Person,
    body: impl Into<Body>,
) -> SignedTransaction {
    let keys = person.seed().signing_key();
    let head = network.head().unwrap();
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: network.chain(),
        actor_key: person.public_key(),
        seq: head.state().sequence(&person.public_key()) + 1,
        expires: head.height() + 100,
        body: body.into(),
    };
    transaction.sign(|message| sign(&keys, message))
}

pub(crate) fn proved(verdict: Verdict) -> Report {
    match verdict {
        Verdict::Proved(report) => *report,
        other => panic!("{other}"),
    }
}

pub(crate) fn codes(access: &Access) -> Vec<&str> {
    access
        .records
        .iter()
        .map(|outcome| outcome.code.as_str())
        .collect()
}

pub(crate) fn contents(opening: &Opening) -> Vec<&[u8]> {
    opening
        .records
        .iter()
        .map(chartseal::OpenedRecord::content)
        .collect()
}
