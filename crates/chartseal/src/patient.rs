use std::collections::BTreeSet;
use std::slice;

use chartseal_audit::Kept;
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::open_text;
use chartseal_fhir::{Class, Tag};
use chartseal_ledger::Label;
use chartseal_ledger::body::{DirectiveIssued, Erased};
use chartseal_node::ExportRequest;
use chartseal_policy::{
    Confidentiality, Grant, Grantee, Purpose, Restriction, Revocation, Scope, Set, Symbol, Terms,
    Window,
};
use chartseal_wire::history::{Access, EmergencyDeclared, Token};
use chartseal_wire::{
    ActorId, DirectiveId, Entry, Event, Hash, PatientId, RecordId, SealedText, Subject, Time, TxId,
};

use crate::clinician::Clinician;
use crate::document::Document;
use crate::domain;
use crate::error::Error;
use crate::invitation::{GrantReceipt, Invitation, MAX_INVITED_RECORDS};
use crate::labels::{LabelTable, Secret};
use crate::network::Network;
use crate::person::Person;
use crate::texts::seal_for;
use crate::watch::Watch;

/// A patient: grants, restricts, revokes, erases, and looks back.
#[derive(Debug)]
pub struct Patient {
    pub(crate) person: Person,
    labels: LabelTable,
}

/// What an author needs to file records for a patient. It holds no key with which to read one.
#[derive(Clone, Debug)]
pub struct FilingKit {
    /// The patient.
    pub patient: PatientId,
    /// The labels of all categories.
    pub labels: LabelTable,
    encounters: Secret,
}

impl FilingKit {
    /// What the chain sees of a document's encounter.
    pub(crate) fn encounter_of(&self, document: &Document<'_>) -> Option<[u8; 16]> {
        let encounter = document.encounter.as_deref();
        encounter.map(|encounter| self.encounter(encounter))
    }

    /// What the chain sees of an encounter.
    pub(crate) fn encounter(&self, encounter: &str) -> [u8; 16] {
        let mut label = [0; 16];
        let blinded = self
            .encounters
            .derive(domain::ENCOUNTER, encounter.as_bytes());
        label
            .iter_mut()
            .zip(blinded)
            .for_each(|(to, from)| *to = from);
        label
    }
}

/// What a patient allows: reading, of these categories, for these purposes, until then.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Classes of records.
    pub classes: Vec<Class>,
    /// Sensitive tags that are covered too. A record with another one is not.
    pub tags: Vec<Tag>,
    /// Purposes of use.
    pub purposes: Vec<Purpose>,
    /// Up to which confidentiality.
    pub confidentiality: Confidentiality,
    /// From when on; `None`: at once.
    pub from: Option<Time>,
    /// Until when, exclusive; `None`: until revoked.
    pub until: Option<Time>,
}

impl Offer {
    /// Reading normal records of one class, for treatment, until then.
    pub fn of(class: Class, until: Time) -> Self {
        Self {
            classes: vec![class],
            tags: Vec::new(),
            purposes: vec![Purpose::Treat],
            confidentiality: Confidentiality::N,
            from: None,
            until: Some(until),
        }
    }
}

/// A record as the patient's app lists it: from the chain alone, read with the label key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRecord {
    /// The record.
    pub record: RecordId,
    /// Its newest version, from 1.
    pub version: u64,
    /// Its category; `None`: filed by an author without the label table.
    pub class: Option<Class>,
    /// Its sensitive tags.
    pub tags: Vec<Tag>,
    /// When it was written.
    pub authored: Time,
    /// Whether it was erased.
    pub erased: bool,
}

/// Something about which the patient is told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who.
    pub actor: ActorId,
    /// When.
    pub time: Time,
    /// The request.
    pub request: TxId,
    /// The reason, opened; `None` if it is gone or not readable.
    pub reason: Option<String>,
    /// What the permit obliges to.
    pub obligations: Vec<String>,
}

impl Patient {
    pub(crate) fn new(person: Person) -> Self {
        let labels = LabelTable::of_key(&person.secret(domain::LABEL));
        Self { person, labels }
    }

    /// The same patient, for what their app does meanwhile.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.person.again())
    }

    /// Their id.
    pub fn id(&self) -> PatientId {
        PatientId(self.person.id().0)
    }

    /// Their keys.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What to give to an author.
    pub fn filing_kit(&self) -> FilingKit {
        let encounters = self.person.secret(domain::ENCOUNTER_KEY);
        FilingKit {
            patient: self.id(),
            labels: self.labels.clone(),
            encounters,
        }
    }

    /// Allows a clinician to read, and seals an invitation to them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn grant(
        &mut self,
        network: &mut Network,
        to: &Clinician,
        offer: &Offer,
    ) -> Result<GrantReceipt, Error> {
        let missing = || Error::NoLabel(offer.classes.iter().map(|c| c.as_str()).collect());
        let granted = self
            .labels
            .of_grant(&offer.classes, &offer.tags)
            .ok_or_else(missing)?;
        let part = self
            .labels
            .part_for_grant(&offer.classes, &offer.tags)
            .ok_or_else(missing)?;
        let covered = |listed: &ListedRecord| {
            let class = listed
                .class
                .is_some_and(|class| offer.classes.contains(&class));
            class && !listed.erased && listed.tags.iter().all(|tag| offer.tags.contains(tag))
        };
        let mut listed = self.records(network)?;
        listed.retain(covered);
        let records = listed
            .iter()
            .rev()
            .take(MAX_INVITED_RECORDS)
            .map(|listed| listed.record);
        let invitation = Invitation {
            patient: self.id(),
            labels: part,
            records: records.collect(),
        };
        let aad = to.id();
        let invitation = seal_for(
            to.person().kem_public_key(),
            domain::INVITATION,
            aad.as_ref(),
            &to_bytes(&invitation),
        )?;

        let terms = Grant {
            scope: Scope {
                to: Some(Set::one(Grantee::actor(to.id())?)),
                purposes: Some(Set::new(offer.purposes.iter().copied())?),
                conf: Some(offer.confidentiality),
                tags: Some(symbols(&granted)?),
                ..Scope::default()
            },
            window: window(offer.from, offer.until),
            ..Grant::default()
        };
        let commitment = invitation.commitment();
        let grant = self.direct(network, Terms::Grant(terms), Some(&invitation))?;
        Ok(GrantReceipt {
            grant,
            invitation: commitment,
        })
    }

    /// Forbids everybody to use records of one class, or with one of these tags; a declared
    /// emergency overrides it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn restrict(
        &mut self,
        network: &mut Network,
        classes: &[Class],
        tags: &[Tag],
    ) -> Result<DirectiveId, Error> {
        let missing = || Error::NoLabel("a restriction".into());
        let classes = classes.iter().map(|class| self.labels.of_class(*class));
        let tags = tags.iter().map(|tag| self.labels.of_tag(*tag));
        let labels: Vec<Label> = classes
            .chain(tags)
            .collect::<Option<_>>()
            .ok_or_else(missing)?;
        let scope = Scope {
            tags: Some(symbols(&labels)?),
            ..Scope::default()
        };
        let terms = Restriction {
            scope,
            ..Restriction::default()
        };
        self.direct(network, Terms::Restrict(terms), None)
    }

    /// Ends a grant or a restriction, for good.
    ///
    /// # Errors
    /// [`Error`].
    pub fn revoke(
        &mut self,
        network: &mut Network,
        target: DirectiveId,
    ) -> Result<DirectiveId, Error> {
        let terms = Revocation {
            target: Symbol::new(target)?,
        };
        self.direct(network, Terms::Revoke(terms), None)
    }

    /// Has a record erased, in all its versions: every running node destroys its shares, ciphertext,
    /// reason texts and salts, and attests it on the chain. One that is stopped does so when
    /// [`erase`](Self::erase) is called again.
    ///
    /// # Errors
    /// [`Error`].
    pub fn erase(&mut self, network: &mut Network, record: RecordId) -> Result<(), Error> {
        let known = network.read(|state| state.record(&record))?;
        if !known.ok_or(Error::NoRecord(record))?.erased {
            self.person.submit(network, Erased { record }, &[])?;
        }
        network.destroy(&record)
    }

    /// The patient's records, oldest first, as the chain has them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn records(&self, network: &Network) -> Result<Vec<ListedRecord>, Error> {
        let mut seen = BTreeSet::new();
        let entries = self.history(network)?.into_iter();
        let added = entries.filter_map(|entry| match entry.event {
            Event::RecordAdded(added) => Some(added.record),
            _ => None,
        });
        let ids: Vec<RecordId> = added.filter(|record| seen.insert(*record)).collect();
        let records = network.read_each(&ids, |state, id| state.record(id))?;
        let listed = ids.into_iter().zip(records).map(|(id, record)| {
            let record = record.ok_or(Error::NoRecord(id))?;
            let (class, tags) = self.labels.read(record.labels.as_slice());
            Ok(ListedRecord {
                record: id,
                version: record.version,
                class,
                tags,
                authored: record.authored,
                erased: record.erased,
            })
        });
        listed.collect()
    }

    /// Every entry of the history, as the first running node has it: for an app's screen. To be sure
    /// of it, [`export`](Self::export) and verify.
    ///
    /// # Errors
    /// [`Error`].
    pub fn history(&self, network: &Network) -> Result<Vec<Entry>, Error> {
        let entries = network.history(&self.person, &Subject::Patient(self.id()))?;
        let read = entries.iter().map(|bytes| from_bytes(bytes));
        read.collect::<Result<_, _>>()
            .map_err(|_| Error::Malformed("an entry of the history"))
    }

    /// The history's entries from index `from` on and each that comes, while a node of another process tells of them.
    ///
    /// # Errors
    /// [`Error`] if no node does, or the network's nodes are in this process.
    pub fn watch(&self, network: &Network, from: u64) -> Result<Watch, Error> {
        network.watch(&self.person, &Subject::Patient(self.id()), from)
    }

    /// Accesses about which the patient must be told: the broken glass.
    ///
    /// # Errors
    /// [`Error`].
    pub fn notices(&self, network: &Network) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        for entry in self.history(network)? {
            let Event::Access(access) = &entry.event else {
                continue;
            };
            let obligations: BTreeSet<&str> = access
                .records
                .iter()
                .flat_map(|o| &o.obligations)
                .map(Token::as_str)
                .collect();
            if obligations.contains("notify_patient") {
                notices.push(Notice {
                    actor: entry.actor,
                    time: entry.time,
                    request: entry.tx,
                    reason: self.reason(network, &entry)?,
                    obligations: obligations.into_iter().map(str::to_owned).collect(),
                });
            }
        }
        Ok(notices)
    }

    /// Opens the reason text of an access or an emergency; `None` if it is gone, or the requester
    /// sealed something else.
    ///
    /// # Errors
    /// [`Error`] if a node's store is damaged.
    pub fn reason(&self, network: &Network, entry: &Entry) -> Result<Option<String>, Error> {
        let (Event::Access(Access { reason, .. })
        | Event::Emergency(EmergencyDeclared { reason, .. })) = &entry.event
        else {
            return Ok(None);
        };
        match network.text(&entry.tx, reason) {
            Ok(text) => Ok(self.open_reason(&entry.actor, &text)),
            Err(Error::NoText(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_reason(&self, by: &ActorId, text: &SealedText) -> Option<String> {
        let sealed = from_bytes(text.sealed.as_ref()).ok()?;
        let plain = open_text(self.person.kem(), domain::REASON, by.as_ref(), &sealed).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// Exports the history with its proofs: one file that `chartseal-audit` verifies offline.
    ///
    /// With what a verifier kept of an earlier export, only what is new.
    ///
    /// # Errors
    /// [`Error`].
    pub fn export(&self, network: &Network, kept: Option<&Kept>) -> Result<String, Error> {
        network.export(&self.person, &self.export_request(network, kept)?)
    }

    /// The same for whoever trusts the committee itself ([`Network::committee_policy`]).
    ///
    /// # Errors
    /// [`Error`].
    pub fn export_certified(
        &self,
        network: &Network,
        kept: Option<&Kept>,
    ) -> Result<String, Error> {
        network.export_certified(&self.person, &self.export_request(network, kept)?)
    }

    fn export_request(
        &self,
        network: &Network,
        kept: Option<&Kept>,
    ) -> Result<ExportRequest, Error> {
        let first = |subject: &Subject| {
            let mut known = kept.into_iter().flat_map(Kept::histories);
            known.find(|(known, _)| known == subject)
        };
        let adopted = network.read(|state| state.adopted(&self.id()))?;
        let subjects = std::iter::once(self.id()).chain(adopted);
        let histories = subjects.map(Subject::Patient).map(|subject| {
            let first = first(&subject).map_or(0, |(_, entries)| entries);
            (subject, first)
        });
        Ok(ExportRequest {
            histories: histories.collect(),
            log_size: kept.map(Kept::log_size),
        })
    }

    pub(crate) fn history_salt(&self) -> [u8; 32] {
        *self.person.secret("history-salt").bytes()
    }

    fn direct(
        &mut self,
        network: &mut Network,
        terms: Terms,
        text: Option<&SealedText>,
    ) -> Result<DirectiveId, Error> {
        let sealed: Option<Hash> = text.map(SealedText::commitment);
        let body = DirectiveIssued {
            patient: self.id(),
            terms,
            sealed,
        };
        self.person
            .submit(network, body, text.map(slice::from_ref).unwrap_or_default())
    }
}

fn symbols(labels: &[Label]) -> Result<Set<Symbol>, Error> {
    let symbols = labels
        .iter()
        .map(Symbol::new)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Set::new(symbols)?)
}

fn window(from: Option<Time>, until: Option<Time>) -> Window {
    let policy = |time: Time| chartseal_policy::Time(time.0);
    Window {
        from: from.map(policy),
        until: until.map(policy),
    }
}
