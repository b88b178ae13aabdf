//! FHIR R4 `AuditEvent`, by IHE's Basic Audit Log Patterns where one of them fits.

use chartseal_codec::to_hex;
use chartseal_wire::history::{Access, Released};
use chartseal_wire::{Entry, Event, Subject as Whose};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Subject;
use super::disclosures::purpose;
use crate::events::{self, Told};
use crate::failure::Failure;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP";

/// The histories of patients as one Bundle of type `collection`. What an actor did is in the patients'
/// histories already; an export of an actor's history alone gives that.
pub fn bundle(subject: &Subject<'_>) -> Result<String, Failure> {
    let report = subject.report;
    let writer = Writer { subject };
    let mut entries = Vec::new();
    for history in &report.histories {
        let all: Vec<Entry> = history.entries.iter().collect();
        for (index, entry) in (history.first..).zip(&all) {
            let told = events::tell(&entry.event);
            entries.push(writer.entry(&history.subject, index, entry, &told));
            if let Event::Access(access) = &entry.event {
                let receipts = all.iter().filter_map(|one| match &one.event {
                    Event::Released(released) if released.request == entry.tx => Some(released),
                    _ => None,
                });
                let receipts: Vec<&Released> = receipts.collect();
                if !receipts.is_empty() {
                    entries.push(writer.disclosure(
                        &history.subject,
                        index,
                        entry,
                        access,
                        &receipts,
                    ));
                }
            }
        }
    }
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": report.fresh_as_of.to_string(),
        "entry": entries,
    });
    let text = serde_json::to_string_pretty(&bundle).map_err(Failure::new)?;
    Ok(text + "\n")
}

struct Writer<'a> {
    subject: &'a Subject<'a>,
}

impl Writer<'_> {
    /// An entry as what it is by itself: a decision, or an event of a record's life or of security.
    fn entry(&self, whose: &Whose, index: u64, entry: &Entry, told: &Told) -> Value {
        let kind = Kind::of(entry);
        let mut event = self.base(entry, &kind, told);
        let mut agents = vec![self.user(entry)];
        let mut entities = Vec::from_iter(self.patient(whose, told));
        if let Event::Access(access) = &entry.event {
            let consents = consents(access);
            agents.extend(self.deciders(entry));
            // The pattern asks for the consent that decided; a denial for want of one has none.
            if consents.is_empty() {
                entities.extend(records(told));
            } else {
                let profile = format!("{BALP}/StructureDefinition/IHE.BasicAudit.AuthZconsent");
                event.insert("meta".into(), json!({ "profile": [profile] }));
                entities.extend(consents.iter().map(|id| self.consent(id)));
            }
            event.insert(
                "purposeOfEvent".into(),
                json!([reason(access.purpose.as_str())]),
            );
        } else {
            entities.extend(records(told));
        }
        event.insert("agent".into(), agents.into());
        event.insert("source".into(), self.source());
        // FHIR has no empty lists.
        if !entities.is_empty() {
            event.insert("entity".into(), entities.into());
        }
        full(&self.subject.report.origin, whose, index, "", &event)
    }

    /// What was given out on a request, as whoever gave it out records it.
    fn disclosure(
        &self,
        whose: &Whose,
        index: u64,
        entry: &Entry,
        access: &Access,
        receipts: &[&Released],
    ) -> Value {
        let mut told = events::tell(&entry.event);
        let custodians: Vec<String> = receipts
            .iter()
            .map(|one| one.custodian.to_string())
            .collect();
        told.says = format!("custodians {} released key shares", custodians.join(", "));
        let is_released = |record: &String| {
            receipts
                .iter()
                .flat_map(|one| &one.records)
                .any(|one| one.to_string() == *record)
        };
        told.outcomes.retain(|one| is_released(&one.record));
        let kind = Kind {
            system: DCM,
            code: "110106",
            display: "Export",
            subtype: Some((LIFECYCLE, "disclose", "Disclose Record Lifecycle Event")),
            action: "R",
            outcome: "0",
        };
        let mut event = self.base(entry, &kind, &told);
        let profile = format!("{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source");
        event.insert("meta".into(), json!({ "profile": [profile] }));
        event.insert(
            "purposeOfEvent".into(),
            json!([reason(access.purpose.as_str())]),
        );
        let recipient = self.who("organization", &entry.org.to_string(), None);
        event.insert(
            "agent".into(),
            json!([
                agent(
                    (DCM, "110153", "Source Role ID"),
                    &self.network(),
                    false,
                    true
                ),
                agent(
                    (DCM, "110152", "Destination Role ID"),
                    &recipient,
                    false,
                    true
                ),
                self.user(entry),
            ]),
        );
        event.insert("source".into(), self.source());
        let mut entities = Vec::from_iter(self.patient(whose, &told));
        entities.extend(records(&told));
        event.insert("entity".into(), entities.into());
        full(
            &self.subject.report.origin,
            whose,
            index,
            "disclosure",
            &event,
        )
    }

    fn base(&self, entry: &Entry, kind: &Kind, told: &Told) -> Map<String, Value> {
        let mut event = Map::new();
        event.insert("resourceType".into(), "AuditEvent".into());
        event.insert("type".into(), coding(kind.system, kind.code, kind.display));
        if let Some((system, code, display)) = kind.subtype {
            event.insert("subtype".into(), json!([coding(system, code, display)]));
        }
        event.insert("action".into(), kind.action.into());
        event.insert("recorded".into(), entry.time.to_string().into());
        event.insert("outcome".into(), kind.outcome.into());
        let says = self.subject.names.put(&told.says);
        event.insert("outcomeDesc".into(), says.into());
        event
    }

    /// Who acted.
    fn user(&self, entry: &Entry) -> Value {
        const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
        let who = self.who("actor", &entry.actor.to_string(), None);
        let role = (PARTICIPATION, "IRCP", "information recipient");
        let mut user = agent(role, &who, true, false);
        if let (Event::Access(access), Value::Object(user)) = (&entry.event, &mut user) {
            let reason = json!([reason(access.purpose.as_str())]);
            user.insert("purposeOfUse".into(), reason);
        }
        user
    }

    /// The others in a decision: the program that asked, of which a ledger knows nothing; the
    /// organization for which was asked; the network, which decided.
    fn deciders(&self, entry: &Entry) -> [Value; 3] {
        const SERVER: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
        const CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
        let unknown = json!({"display": "not recorded"});
        let org = self.who("organization", &entry.org.to_string(), None);
        [
            agent((DCM, "110150", "Application"), &unknown, false, true),
            agent((CLASS, "PROV", "healthcare provider"), &org, false, false),
            agent(
                (SERVER, "authserver", "authorization server"),
                &self.network(),
                false,
                false,
            ),
        ]
    }

    fn patient(&self, whose: &Whose, told: &Told) -> Option<Value> {
        let Whose::Patient(id) = whose else {
            return None;
        };
        let asked = told.outcomes.iter().map(|one| {
            let says = format!("{}: {}", one.record, one.says());
            json!({"type": "decision", "valueString": says})
        });
        let asked: Vec<Value> = asked.collect();
        let mut patient = json!({
            "what": self.who("patient", &id.to_string(), Some("Patient")),
            "type": coding(ENTITY, "1", "Person"),
            "role": coding(ROLE, "1", "Patient"),
        });
        if let (false, Value::Object(patient)) = (asked.is_empty(), &mut patient) {
            patient.insert("detail".into(), asked.into());
        }
        Some(patient)
    }

    fn consent(&self, id: &str) -> Value {
        json!({
            "what": self.who("directive", id, Some("Consent")),
            "type": coding("http://hl7.org/fhir/resource-types", "Consent", "Consent"),
        })
    }

    /// Who records: the network, by its log's name.
    fn source(&self) -> Value {
        const SOURCE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
        json!({
            "observer": self.network(),
            "type": [coding(SOURCE, "6", "Security Server")],
        })
    }

    fn network(&self) -> Value {
        json!({
            "identifier": {"value": self.subject.report.origin},
            "display": "Chartseal network",
        })
    }

    /// A reference by an id that counts within the network.
    fn who(&self, what: &str, id: &str, kind: Option<&str>) -> Value {
        let chain = self.subject.report.origin.rsplit('/').next();
        let system = format!("urn:chartseal:{}:{what}", chain.unwrap_or_default());
        let mut reference = Map::new();
        if let Some(kind) = kind {
            reference.insert("type".into(), kind.into());
        }
        reference.insert("identifier".into(), json!({"system": system, "value": id}));
        if let Some(name) = self.subject.names.get(id) {
            reference.insert("display".into(), name.into());
        }
        reference.into()
    }
}

/// How FHIR calls an event.
struct Kind {
    system: &'static str,
    code: &'static str,
    display: &'static str,
    subtype: Option<(&'static str, &'static str, &'static str)>,
    action: &'static str,
    outcome: &'static str,
}

impl Kind {
    fn of(entry: &Entry) -> Self {
        match &entry.event {
            Event::Access(access) => {
                let permitted = access.records.iter().filter(|one| one.permitted).count();
                Self {
                    subtype: Some((
                        "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType",
                        "AuthZ-Consent",
                        "Authorization Decision using Roles and Consent",
                    )),
                    outcome: match permitted {
                        0 => "8",
                        some if some < access.records.len() => "4",
                        _ => "0",
                    },
                    ..Self::alert(None)
                }
            }
            Event::OwnAccess(_) => Self::life("access", "Access/View", "R"),
            Event::RecordAdded(added) if added.version > 1 => Self::life("amend", "Amend", "U"),
            Event::RecordAdded(_) => Self::life("originate", "Originate/Retain", "C"),
            Event::Relabelled(_) | Event::DirectivesRelabelled(_) => {
                Self::life("amend", "Amend", "U")
            }
            Event::Erased(_) | Event::Destroyed(_) => Self::life("destroy", "Destroy/Delete", "D"),
            Event::Released(_) => Self::life("transmit", "Transmit", "E"),
            Event::SlotAdded(_) | Event::Redealt(_) => Self::life("encrypt", "Encrypt", "E"),
            Event::SlotRemoved(_) => Self::life("deprecate", "Deprecate", "U"),
            Event::Reviewed(_) | Event::DisputeAnswered(_) => Self::life("attest", "Attest", "E"),
            Event::Disputed(_) => Self::life("report", "Report", "E"),
            Event::DuplicateOf(_) => Self::life("link", "Link", "U"),
            Event::HoldPlaced(_) => Self::life("hold", "Add Legal Hold", "U"),
            Event::HoldLifted(_) => Self::life("unhold", "Remove Legal Hold", "U"),
            Event::Directive(_) => Self::alert(Some(("110136", "Security Roles Changed"))),
            Event::Emergency(_) => Self::alert(Some(("110127", "Emergency Override Started"))),
            Event::CommitteeChanged(_) => Self::alert(Some(("110131", "Security Configuration"))),
            Event::Flood(_) => Self {
                outcome: "8",
                ..Self::alert(None)
            },
            _ => Self::alert(Some(("110137", "User Security Attributes Changed"))),
        }
    }

    /// An event of a record's life, by ISO 21089.
    fn life(code: &'static str, display: &'static str, action: &'static str) -> Self {
        Self {
            system: LIFECYCLE,
            code,
            display,
            subtype: None,
            action,
            outcome: "0",
        }
    }

    /// An event of security, by DICOM.
    fn alert(subtype: Option<(&'static str, &'static str)>) -> Self {
        Self {
            system: DCM,
            code: "110113",
            display: "Security Alert",
            subtype: subtype.map(|(code, display)| (DCM, code, display)),
            action: "E",
            outcome: "0",
        }
    }
}

/// The directives that decided; rules of network law are no consents.
fn consents(access: &Access) -> Vec<String> {
    let basis = access.records.iter().flat_map(|one| &one.basis);
    let ids = basis.map(chartseal_wire::history::Token::as_str);
    let is_id = |id: &&str| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut ids: Vec<String> = ids.filter(is_id).map(Into::into).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The records of an event.
fn records(told: &Told) -> Vec<Value> {
    let fields = told
        .facts
        .iter()
        .filter(|(name, _)| matches!(*name, "record" | "records"));
    let ids = fields.flat_map(|(_, value)| match value {
        Value::Array(ids) => ids.iter().filter_map(Value::as_str).collect(),
        value => Vec::from_iter(value.as_str()),
    });
    let asked = told.outcomes.iter().map(|one| one.record.as_str());
    let entity = |id: &str| {
        json!({
            "what": {"identifier": {"value": id}},
            "type": coding(ENTITY, "2", "System Object"),
            "role": coding(ROLE, "4", "Domain Resource"),
        })
    };
    ids.chain(asked).map(entity).collect()
}

fn agent(
    (system, code, display): (&str, &str, &str),
    who: &Value,
    is_requestor: bool,
    has_network: bool,
) -> Value {
    let mut agent = json!({
        "type": {"coding": [coding(system, code, display)]},
        "who": who,
        "requestor": is_requestor,
    });
    if let (true, Value::Object(agent)) = (has_network, &mut agent) {
        // The patterns ask for a network address, which no ledger should hold.
        let absent = json!({"url": ABSENT, "valueCode": "not-applicable"});
        agent.insert("network".into(), json!({ "extension": [absent] }));
    }
    agent
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

/// A purpose of use; what was claimed, if the table doesn't have it.
fn reason(code: &str) -> Value {
    let words = purpose(code);
    if words == code {
        return json!({ "text": code });
    }
    let display = words
        .rsplit_once(" (")
        .map_or(words.as_str(), |(words, _)| words);
    json!({"coding": [{"system": REASON, "code": code}], "text": display})
}

/// A resource with an address that is the same each time: a UUID of version 8 (RFC 9562).
fn full(origin: &str, whose: &Whose, index: u64, part: &str, event: &Map<String, Value>) -> Value {
    let name = format!("{origin} {} {index} {part}", super::super::subject(whose));
    let digest = Sha256::digest(name.as_bytes());
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = to_hex(&bytes);
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    let url = format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    );
    json!({"fullUrl": url, "resource": event})
}
