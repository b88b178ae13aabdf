//! The people of the visit, and what every step needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Filed, Kept, Network, Offer, Patient, RecordId, Request, Time,
    TrustPolicy,
};
use chartseal_fhir::{Bundle, Resource};
use chartseal_node::Clock;
use chartseal_wire::{Event, OrgId};

use crate::demo::directory::Directory;
use crate::demo::page::{Outcome, Page};
use crate::demo::report::{Attempt, Checks, Report, SCHEMA, Sizes, Verdict};
use crate::failure::Failure;

/// One step of the visit.
pub type Step = fn(&mut Visit<'_>) -> Result<(), Failure>;

/// One minute, in ms.
pub const MINUTE: u64 = 60_000;
/// One hour, in ms.
pub const HOUR: u64 = 60 * MINUTE;
/// How long before now the visit begins: an emergency role counts a day after its enrolment, and the
/// clock is moved by hand so that nobody waits for it.
const BEGINS_BEFORE: u64 = 27 * HOUR;

/// The visit, as far as it has come.
pub struct Visit<'a> {
    /// Where it is kept.
    pub directory: &'a Directory,
    /// What is printed.
    pub page: Page,
    /// The file.
    pub source: &'a [u8],
    /// The file's resources.
    pub bundle: &'a Bundle<'a>,
    /// Whether it is the bundle that is built in.
    pub built_in: bool,
    /// What was checked.
    pub checks: Checks,
    /// Access attempts.
    pub attempts: Vec<Attempt>,
    /// How long steps took.
    pub timings: BTreeMap<&'static str, u64>,
    /// When the visit ends, by the real clock.
    pub ends: Time,
    /// The directory of a network whose nodes are processes of their own, on the real clock.
    pub remote: Option<&'a Path>,
    /// Whether that one's state is asked for by parts, and no block executed here.
    pub is_light: bool,
    /// The network.
    pub network: Network,
    /// The people, once they are enrolled.
    pub people: Option<People>,
    /// Each clinical resource of the bundle with what it was filed as.
    pub filed: Vec<(Resource<'a>, Filed)>,
    /// What the patient grants: laboratory results, or what else there is. (`until` comes with each grant.)
    pub granted: Offer,
    /// What the patient's app kept of the first export.
    pub kept: Option<(String, Kept)>,
    /// What the verifier said last.
    pub verdict: Option<Verdict>,
    /// The length of the last export.
    pub export_bytes: u64,
}

/// The people of the visit.
pub struct People {
    /// A hospital without a node.
    pub hospital: OrgId,
    /// Files the records.
    pub author: Clinician,
    /// Is granted access.
    pub doctor: Clinician,
    /// Breaks the glass.
    pub emergency: Clinician,
    /// Reviews it.
    pub privacy: Clinician,
    /// Decides.
    pub patient: Patient,
}

impl<'a> Visit<'a> {
    /// A visit that has not begun; its network is founded in the first step's time.
    pub fn new(
        directory: &'a Directory,
        page: Page,
        source: &'a [u8],
        bundle: &'a Bundle<'a>,
        built_in: bool,
        remote: Option<&'a Path>,
        is_light: bool,
    ) -> Result<Self, Failure> {
        let ends = Clock::System.now();
        let network = if let Some(dir) = remote {
            if is_light {
                Network::connect_light(dir)?
            } else {
                Network::connect(dir)?
            }
        } else {
            let clock = Clock::manual(Time(ends.0.saturating_sub(BEGINS_BEFORE)));
            Network::create(&directory.path().join("nodes"), clock)?
        };
        Ok(Self {
            directory,
            page,
            source,
            bundle,
            built_in,
            checks: Checks::default(),
            attempts: Vec::new(),
            timings: BTreeMap::new(),
            ends,
            remote,
            is_light,
            network,
            people: None,
            filed: Vec::new(),
            granted: Offer::of(Class::LABORATORY, ends),
            kept: None,
            verdict: None,
            export_bytes: 0,
        })
    }

    /// Lets time pass: the clock is moved by hand, or it is waited for as long as a real network's demonstration
    /// parameters ask.
    pub fn pass(&self, ms: u64, really_ms: u64) {
        if self.remote.is_some() {
            std::thread::sleep(Duration::from_millis(really_ms));
        } else {
            self.network.clock().advance_ms(ms);
        }
    }

    /// The network and the people, to act.
    pub fn cast(&mut self) -> Result<(&mut Network, &mut People), Failure> {
        let people = self
            .people
            .as_mut()
            .ok_or_else(|| Failure::new("nobody is enrolled yet"))?;
        Ok((&mut self.network, people))
    }

    /// Writes down an access attempt as the chain has it, and gives it.
    pub fn attempt(&mut self, actor: &'static str, request: &Request) -> Result<Attempt, Failure> {
        let (network, people) = self.cast()?;
        let entries = people.patient.history(network)?;
        let access = entries.into_iter().find_map(|entry| match entry.event {
            Event::Access(access) if entry.tx == request.id() => Some((entry.height, access)),
            _ => None,
        });
        let (height, access) = access
            .ok_or_else(|| Failure::new("an access attempt is not in the patient's history"))?;
        let permitted = access.records.iter().find(|outcome| outcome.permitted);
        let decisive = permitted.or(access.records.first());
        let attempt = Attempt {
            actor,
            purpose: access.purpose.to_string(),
            effect: if permitted.is_some() {
                "permit"
            } else {
                "deny"
            },
            code: decisive.map_or_else(String::new, |outcome| outcome.code.to_string()),
            height,
            records: access.records.len(),
        };
        self.attempts.push(attempt.clone());
        Ok(attempt)
    }

    /// Makes a request that must be denied with `code`, prints it, and checks it for `promise`.
    pub fn denied(
        &mut self,
        actor: &'static str,
        who: fn(&mut People) -> &mut Clinician,
        ask: &Ask<'_>,
        code: &str,
        promise: &'static str,
        why: &str,
    ) -> Result<(), Failure> {
        let (network, people) = self.cast()?;
        let request = who(people).request(network, ask)?;
        let opened = who(people).open(network, &request).is_ok();
        let attempt = self.attempt(actor, &request)?;
        let held = attempt.effect == "deny" && attempt.code == code && !opened;
        let count = plural(ask.records.len(), "record");
        let purpose = purpose(&attempt.purpose);
        let what = format!("{actor} asks for {count}, {purpose}: {why}");
        let result = format!("{}, on the chain", decision(&attempt));
        self.page.line(&what, Outcome::Refused, &result)?;
        self.checks.check(
            promise,
            held,
            format!("{why}: denied with {code}, and nothing opens"),
        );
        Ok(())
    }

    /// What the patient grants, until then.
    pub fn offer(&self, until: Time) -> Offer {
        Offer {
            until: Some(until),
            ..self.granted.clone()
        }
    }

    /// What the patient grants, as the page calls it.
    pub fn granted_class(&self) -> String {
        let classes = self.granted.classes.iter();
        classes.map(ToString::to_string).collect()
    }

    /// Whether the grant covers a resource.
    pub fn is_granted(&self, resource: &Resource<'_>) -> bool {
        Document::from_fhir(resource).is_some_and(|document| {
            self.granted.classes.contains(&document.class)
                && document
                    .tags
                    .iter()
                    .all(|tag| self.granted.tags.contains(tag))
                && document.confidentiality <= self.granted.confidentiality
        })
    }

    /// The records that the grant covers, at most as many as one request may name.
    pub fn granted_records(&self) -> Vec<RecordId> {
        let covered = self
            .filed
            .iter()
            .filter(|(resource, _)| self.is_granted(resource));
        let records = covered.map(|(_, filed)| filed.record);
        records
            .take(chartseal_wire::history::MAX_REQUEST_RECORDS)
            .collect()
    }

    /// The bytes of the resource that a record was filed from.
    pub fn source_of(&self, record: &RecordId) -> Option<&'a [u8]> {
        let filed = self.filed.iter().find(|(_, filed)| filed.record == *record);
        filed.map(|(resource, _)| resource.raw())
    }

    /// The policy against which exports are checked.
    pub fn trust(&self) -> Result<TrustPolicy, Failure> {
        TrustPolicy::parse(&self.network.trust_policy()).map_err(Failure::new)
    }

    /// The report, at the end.
    pub fn finish(mut self) -> Result<Report, Failure> {
        let state_root = self.network.tip()?.state_root.to_string();
        let mut nodes = self.network.nodes().iter();
        let agree = nodes.all(|node| node.head().map().root().to_string() == state_root);
        self.checks.check(
            "P6",
            agree,
            if self.is_light {
                "every value that was read is proved under the state root that a quorum certified"
            } else if self.remote.is_some() {
                "every block was executed here too, with the state root that a quorum certified"
            } else {
                "all four organizations have the same state root at the end"
            },
        );
        for (promise, what) in WANTED {
            // A custodian of another process is not made to lie.
            if !(self.remote.is_some() && promise == "P7") {
                self.checks.want(promise, what);
            }
        }
        let sizes = self.sizes()?;
        let verdict = self
            .verdict
            .take()
            .ok_or_else(|| Failure::new("no export was verified"))?;

        self.page.summary(&self.checks)?;
        if let Some(path) = self.directory.kept_path() {
            self.page.kept(path)?;
        }
        Ok(Report {
            schema: SCHEMA,
            records: self
                .filed
                .iter()
                .filter(|(_, filed)| filed.header.is_some())
                .count(),
            duplicates: self.bundle.duplicates().len()
                + self
                    .filed
                    .iter()
                    .filter(|(_, filed)| filed.header.is_none())
                    .count(),
            attempts: self.attempts,
            promises: self.checks.into_promises(),
            verdict,
            state_root,
            sizes,
            timings_ms: self.timings,
        })
    }

    fn sizes(&self) -> Result<Sizes, Failure> {
        let chain = match self.network.nodes().first() {
            Some(node) => Some(node.chain_bytes().map_err(Failure::new)?),
            None => self.network.chain_bytes(),
        };
        let lengths = self.network.read_each(&self.filed, |state, (_, filed)| {
            state.record(&filed.record).map(|record| record.length)
        })?;
        Ok(Sizes {
            bundle: self.source.len() as u64,
            plaintext: self
                .filed
                .iter()
                .map(|(resource, _)| resource.raw().len() as u64)
                .sum(),
            ciphertext: lengths.into_iter().flatten().sum(),
            chain,
            export: self.export_bytes,
        })
    }
}

/// A promise of which nothing was checked is not one that held.
const WANTED: [(&str, &str); 10] = [
    ("P1", "confidentiality"),
    ("P2", "no read without a trace"),
    ("P3", "every attempt on the chain"),
    ("P4", "a history that proves itself"),
    ("P5", "revocation and expiry"),
    ("P6", "immutability"),
    ("P7", "one bad node"),
    ("P8", "no PHI on the chain"),
    ("P9", "erasure"),
    ("P10", "no duplicates"),
];

/// A purpose of use as a person says it, and as HL7 does.
pub fn purpose(code: &str) -> String {
    match code {
        "TREAT" => "for treatment (TREAT)".into(),
        "HRESCH" => "for research (HRESCH)".into(),
        "BTG" => "to break the glass (BTG)".into(),
        other => format!("purpose {other}"),
    }
}

/// What was decided, with the code, and where.
pub fn decision(attempt: &Attempt) -> String {
    let effect = if attempt.effect == "permit" {
        "permitted"
    } else {
        "denied"
    };
    format!("{effect} ({}) in block {}", attempt.code, attempt.height)
}

/// "1 record", "2 records".
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A moment as a person reads it, to the minute.
pub fn clock(time: Time) -> String {
    // `Time` displays as RFC 3339.
    time.to_string()
        .get(..16)
        .unwrap_or_default()
        .replace('T', " ")
}
