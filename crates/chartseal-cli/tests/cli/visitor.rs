//! Somebody who visits again and again, whatever befalls the nodes: a record is filed, a doctor is granted to read it, reads
//! it, and no more once that is revoked. A visit may fail; what it is told has to be right.

use std::error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Error, Network, Offer, Opening, OrgId, Patient, Purpose,
    RecordId,
};
use chartseal_cluster::Cluster;
use chartseal_wire::DirectiveId;

use crate::parts::{deliver_all, people};
use crate::redeal::scrubbed;
use crate::service::{genesis, remote};

/// How long there is none between two visits: they are to go on, and not to take the machine for themselves.
const PAUSE: Duration = Duration::from_millis(200);
/// How many pauses others wait for a step that goes well.
const NO_PROGRESS: usize = 1_500;
/// How many records a visit reads: the newest.
const READ: usize = 3;
/// How many are asked for at a time in the end.
const AT_ONCE: usize = 256;
/// How often what custodians lack is delivered again.
const AGAIN: usize = 120;

/// Visits that go on, on a thread of their own.
pub(crate) struct Visitor {
    thread: JoinHandle<Visits>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    is_done: AtomicBool,
    /// How many steps of visits went well, and how many whole visits.
    steps: AtomicUsize,
    went_well: AtomicUsize,
}

/// What came of visits so far.
pub(crate) struct Visits {
    progress: Arc<Progress>,
    network: Network,
    hospital: OrgId,
    author: Clinician,
    patient: Patient,
    /// Who has nothing to read now, as the patient was told.
    doctor: Option<Clinician>,
    /// Who has, by which grant.
    granted: Option<(Clinician, DirectiveId)>,
    /// What the author was told is filed.
    filed: Vec<(RecordId, String)>,
    /// Why visits failed.
    failed: Vec<String>,
}

impl Visitor {
    /// Begins to visit at the network's nodes.
    pub(crate) fn at(cluster: &Cluster) -> Self {
        let progress = Arc::<Progress>::default();
        let mut visits = Visits::at(cluster, Arc::clone(&progress));
        let told = Arc::clone(&progress);
        let thread = thread::spawn(move || {
            while !told.is_done.load(Ordering::SeqCst) {
                match visits.go_on() {
                    Ok(()) => _ = told.went_well.fetch_add(1, Ordering::SeqCst),
                    Err(why) => visits.failed.push(why.to_string()),
                }
                thread::sleep(PAUSE);
            }
            visits
        });
        Self { thread, progress }
    }

    /// Waits until so many steps of visits more went well: of five, which are to file, to grant, to read, to revoke, and to be
    /// denied.
    pub(crate) fn settle(&self, many: usize) {
        let steps = || self.progress.steps.load(Ordering::SeqCst);
        let until = steps() + many;
        for _ in 0..NO_PROGRESS {
            if steps() >= until {
                return;
            }
            assert!(!self.thread.is_finished(), "the visitor gave up");
            thread::sleep(PAUSE);
        }
        panic!("no visit goes on: {} of {until}", steps());
    }

    /// Ends with the visit that is under way.
    pub(crate) fn end(self) -> Visits {
        self.progress.is_done.store(true, Ordering::SeqCst);
        let visits = self.thread.join().unwrap();
        let went_well = self.progress.went_well.load(Ordering::SeqCst);
        let Visits { filed, failed, .. } = &visits;
        eprintln!(
            "{went_well} visits went well, {} records are filed, {} visits failed: {failed:#?}",
            filed.len(),
            failed.len()
        );
        visits
    }
}

impl Visits {
    fn at(cluster: &Cluster, progress: Arc<Progress>) -> Self {
        let mut network = Network::connect(&cluster.place()).unwrap();
        let (author, doctor, patient) = people(&mut network);
        Self {
            progress,
            hospital: author.org(),
            network,
            author,
            patient,
            doctor: Some(doctor),
            granted: None,
            filed: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn note_step(&self) {
        self.progress.steps.fetch_add(1, Ordering::SeqCst);
    }

    /// A visit, after what the last one left.
    fn go_on(&mut self) -> Result<(), Box<dyn error::Error>> {
        self.revoke()?;
        // One that failed is filed again: it is the same until it is there.
        let content = format!("HbA1c 6.{} %", self.filed.len());
        let document = Document::new(Class::LABORATORY, "text/plain", content.as_bytes());
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file(&mut self.network, &kit, &[document], |_| ())?;
        self.filed.push((filed[0].record, content));
        self.note_step();
        let doctor = match self.doctor.take() {
            Some(doctor) => doctor,
            None => self
                .network
                .enrol_practitioner(&self.hospital, &["physician"])?,
        };
        // If this fails nobody knows what they may see, and the next visit is another doctor's.
        let grant = self.grant(&doctor)?;
        self.granted = Some((doctor, grant));
        self.note_step();
        self.read()?;
        self.note_step();
        self.revoke()
    }

    fn grant(&mut self, to: &Clinician) -> Result<DirectiveId, Error> {
        let until = self.network.now().plus_ms(24 * 3_600_000);
        let offer = Offer::of(Class::LABORATORY, until);
        Ok(self.patient.grant(&mut self.network, to, &offer)?.grant)
    }

    /// Reads what was filed last, as it was granted.
    fn read(&mut self) -> Result<(), Box<dyn error::Error>> {
        let Some((doctor, _)) = &mut self.granted else {
            return Ok(());
        };
        let newest = self.filed.iter().rev().take(READ);
        let records: Vec<RecordId> = newest.map(|(record, _)| *record).collect();
        let ask = Ask::read(self.patient.id(), &records, Purpose::Treat);
        let opening = match doctor.read(&mut self.network, &ask) {
            Err(Error::Denied(request)) => panic!("{request} is denied what was granted"),
            read => read?,
        };
        self.assert_is_as_filed(&opening);
        if opening.records.len() < records.len() {
            let (found, asked) = (opening.records.len(), records.len());
            return Err(format!("{found} of {asked} records are given").into());
        }
        Ok(())
    }

    fn assert_is_as_filed(&self, opening: &Opening) {
        for opened in &opening.records {
            let mut filed = self.filed.iter();
            let (_, content) = filed.find(|(record, _)| *record == opened.record).unwrap();
            assert!(opened.content() == content.as_bytes(), "{}", opened.record);
        }
        assert_eq!(opening.liars, []);
    }

    /// Takes back what the doctor was granted, who reads nothing from then on.
    fn revoke(&mut self) -> Result<(), Box<dyn error::Error>> {
        let Some((mut doctor, grant)) = self.granted.take() else {
            return Ok(());
        };
        if let Err(why) = self.patient.revoke(&mut self.network, grant) {
            self.granted = Some((doctor, grant));
            return Err(why.into());
        }
        self.note_step();
        let newest = self.filed.last().map(|(record, _)| *record);
        let denied = self.is_denied(&mut doctor, newest.as_slice());
        self.doctor = Some(doctor);
        denied?;
        self.note_step();
        Ok(())
    }

    /// Asks for records that may not be read any more.
    fn is_denied(&mut self, doctor: &mut Clinician, records: &[RecordId]) -> Result<(), Error> {
        let ask = Ask::read(self.patient.id(), records, Purpose::Treat);
        match doctor.read(&mut self.network, &ask) {
            Ok(opening) => panic!("{} opens what was revoked", opening.request),
            Err(Error::Denied(_)) => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// What has to be once all nodes run again: every record whose filing was acknowledged opens on the shares of any three
    /// custodians of four, what was revoked is closed, and no vault lacks anything.
    pub(crate) fn assert_nothing_is_lost(mut self, cluster: &Cluster) {
        deliver_all(&mut self.author, &mut self.network, AGAIN);
        self.revoke().unwrap();
        let records: Vec<RecordId> = self.filed.iter().map(|(record, _)| *record).collect();
        if let Some(mut doctor) = self.doctor.take() {
            for some in records.chunks(AT_ONCE) {
                self.is_denied(&mut doctor, some).unwrap();
            }
        }
        let enrolled = self
            .network
            .enrol_practitioner(&self.hospital, &["physician"]);
        let mut reader = enrolled.unwrap();
        self.grant(&reader).unwrap();
        for left_out in cluster.all() {
            let others = cluster.all().into_iter().filter(|it| *it != left_out);
            let others = others.map(|number| remote(cluster, number)).collect();
            let mut network = Network::follow(genesis(cluster), others).unwrap();
            for some in records.chunks(AT_ONCE) {
                let ask = Ask::read(self.patient.id(), some, Purpose::Treat);
                let opening = reader.read(&mut network, &ask).unwrap();
                assert_eq!(opening.records.len(), some.len(), "without {left_out}");
                self.assert_is_as_filed(&opening);
            }
        }
        for number in cluster.all() {
            let found = scrubbed(cluster, number);
            assert!(
                found.contains("; 0 lost; 0 missing shares; 0 damaged shares"),
                "node {number}: {found}"
            );
        }
    }
}
