//! A rolling upgrade: nodes end and go on as another version, one after the other, while the network has work. And back.
//!
//! `CHARTSEAL_OLDER` is the other version's program: `cargo xtask upgrade --from REVISION` builds it. Without it both are
//! this one, and nodes are restarted in turn.

use std::path::PathBuf;
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Network, Offer, OpenedRecord, Patient, Purpose, RecordId,
};
use chartseal_cluster::{Cluster, Load, Program, Serves, Setting};

use crate::net::program;

/// Who files and reads at the network, by this version's client.
struct Visit {
    network: Network,
    author: Clinician,
    doctor: Clinician,
    patient: Patient,
    filed: Vec<(RecordId, String)>,
}

impl Visit {
    fn at(cluster: &Cluster) -> Self {
        let mut network = Network::connect(&cluster.place()).unwrap();
        let hospital = cluster.config(0).organization;
        let mut enrol = || {
            let enrolled = network.enrol_practitioner(&hospital, &["physician"]);
            enrolled.unwrap()
        };
        let (author, doctor) = (enrol(), enrol());
        let mut patient = network.enrol_patient(&hospital).unwrap();
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
        patient.grant(&mut network, &doctor, &offer).unwrap();
        Self {
            network,
            author,
            doctor,
            patient,
            filed: Vec::new(),
        }
    }

    /// Files another record, and reads all that were filed, before as after.
    fn go_on(&mut self) {
        let content = format!("HbA1c 6.{} %", self.filed.len());
        let document = Document::new(Class::LABORATORY, "text/plain", content.as_bytes());
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file(&mut self.network, &kit, &[document], |_| ());
        self.filed.push((filed.unwrap()[0].record, content));
        let records: Vec<RecordId> = self.filed.iter().map(|(record, _)| *record).collect();
        let ask = Ask::read(self.patient.id(), &records, Purpose::Treat);
        let opening = self.doctor.read(&mut self.network, &ask).unwrap();
        let opened = opening.records.iter().map(OpenedRecord::content);
        let filed = self.filed.iter().map(|(_, content)| content.as_bytes());
        assert!(opened.eq(filed), "{:?}", self.filed);
        assert_eq!(opening.liars, []);
    }
}

#[test]
fn nodes_are_replaced_one_after_the_other_under_load_and_back() {
    let this: PathBuf = program().into();
    let older = std::env::var_os("CHARTSEAL_OLDER").map(PathBuf::from);
    if older.is_none() {
        eprintln!("CHARTSEAL_OLDER is not set: nodes are restarted as the same version");
    }
    let older = older.unwrap_or_else(|| this.clone());
    let setting = Setting {
        heartbeat_ms: 500,
        serves: Serves::Encrypted,
        ..Setting::of(4)
    };
    let mut cluster = Cluster::make(Program::chartseal(&older), &setting).unwrap();
    cluster.up();
    let mut visit = Visit::at(&cluster);
    visit.go_on();
    // The first one's office signs for the visit.
    let offices = cluster.authors().split_off(1);
    let load = Load::start(cluster.directories(), offices, 0, Duration::from_millis(2));
    load.settle(20);
    // Each alone, as an operator does it: the next one only when this one is as far as the others.
    for (number, program) in [(0, &this), (1, &this), (2, &this), (3, &this), (0, &older)] {
        cluster.replace(number, program.clone());
        load.settle(20);
        cluster.await_height_of(&[number], cluster.height());
        visit.go_on();
    }
    let (acknowledged, _) = load.end();
    cluster.assert_nothing_is_lost(&acknowledged);
}
