//! Patients in control of their medical records: sealed, consented, logged, provable.
//!
//! The facade over Chartseal's crates. A [`Network`] is four organizations, each with a ledger replica,
//! a custodian of key shares and a vault. A [`Patient`] and a [`Clinician`] hold their own keys and do
//! the rest. One clinic visit:
//!
//! ```
//! use chartseal::{Ask, Class, Document, Network, Offer, Options, Purpose, TrustPolicy, Verdict, verify};
//!
//! let mut network = Network::in_memory()?;
//! let hospital = network.enrol_organization()?;
//! let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
//! let mut doctor = network.enrol_practitioner(&hospital, &["physician"])?;
//! let mut patient = network.enrol_patient(&hospital)?;
//!
//! // Filed: sealed under a fresh key, the key dealt to four custodians, anchored on the ledger.
//! let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
//! let filed = author.file(&mut network, &patient.filing_kit(), &[result], |_| ())?;
//!
//! // Consent: this doctor, laboratory results, for treatment, for an hour.
//! let until = network.now().plus_ms(3_600_000);
//! let grant = patient.grant(&mut network, &doctor, &Offer::of(Class::LABORATORY, until))?;
//! let invited = doctor.accept(&network, &grant)?;
//!
//! // Read: request, the same decision on every node, three of four shares, open.
//! let ask = Ask::read(invited.patient, &invited.records, Purpose::Treat);
//! let opening = doctor.read(&mut network, &ask)?;
//! assert_eq!(opening.records[0].content(), b"HbA1c 6.1 %");
//! assert_eq!(opening.records[0].record, filed[0].record);
//!
//! // Revoked: the same request is denied, and denied on the chain.
//! patient.revoke(&mut network, grant.grant)?;
//! assert!(doctor.read(&mut network, &ask).is_err());
//!
//! // The patient's history, verified offline against a policy of whose signatures count.
//! let export = patient.export(&network, None)?;
//! let policy = TrustPolicy::parse(&network.trust_policy())?;
//! let verdict = verify(&export, &policy, None, &Options::default());
//! let Verdict::Proved(report) = verdict else { panic!("{verdict}") };
//! assert_eq!((report.histories[0].permitted, report.histories[0].denied), (1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `network` | [`Network`]: found, reopen, enrol, submit |
//! | `patient` | [`Patient`]: grant, restrict, revoke, erase, list, be told, export |
//! | `clinician` | [`Clinician`]: accept, declare an emergency, review |
//! | `filing` | [`Clinician::file`], [`Clinician::amend`]: seal, deal, anchor |
//! | `anchoring` | records of which it is not known yet whether the chain has them |
//! | `reading` | [`Ask`], [`Request`], [`Opening`]: ask, collect releases, open |
//! | `streaming` | [`Clinician::file_stream`], [`Clinician::read_stream`]: images, in constant memory |
//! | `redealing` | [`Patient::redeal`]: keys to the present committee, when it changed |
//! | `background` | [`RedealWorker`]: the same, while an app runs |
//! | `document`, `labels` | [`Document`]: what is filed; [`LabelTable`]: what the chain sees of its categories |
//! | `custody`, `remote` | what custodians do, in this process or over their nodes' service |
//! | `asked` | the chain of who does not execute it: values with their proofs |
//! | `invitation` | [`Invitation`]: what a grantee is told |
//! | `watch` | [`Watch`]: a history as it grows |
//! | `trust` | the trust policy, signed exports |
//! | [`domain`] | domain-separation strings |
//!
//! # Limits
//! - [`Network::in_memory`] and [`Network::create`] are one process: the organizations are separate in code, stores and
//!   keys, not in machines. [`Network::connect`] speaks to nodes that are processes of their own,
//!   and executes every block; [`Network::light`] holds no state and asks for what it needs. [`Network::held`] is what
//!   either knows, for a next run without a connection.
//! - Not audited, no medical device: synthetic data only, for now. `docs/promises.md` says what is
//!   promised, and while what holds.
//! - People's keys are in memory; keep [`Person::seed`] in an encrypted keystore, and come back with
//!   [`Network::patient`] or [`Network::clinician`].

mod anchoring;
mod asked;
mod background;
mod clinician;
mod custody;
mod document;
pub mod domain;
mod error;
mod filing;
mod invitation;
mod labels;
mod network;
mod patient;
mod person;
mod reading;
mod redealing;
mod remote;
mod several;
mod streaming;
mod texts;
mod trust;
mod watch;

pub use chartseal_audit::{Kept, Options, TrustPolicy, Verdict, verify};
pub use chartseal_client::{Asking, HeldError, Remote, Roots};
pub use chartseal_envelope::KeySeed;
pub use chartseal_fhir::{Class, Tag};
pub use chartseal_policy::{Action, Confidentiality, Obligation, Purpose};
pub use chartseal_wire::{ActorId, OrgId, PatientId, RecordId, RequestId, Time};

pub use background::{Pace, RedealProgress, RedealWorker};
pub use clinician::Clinician;
pub use document::{Document, FHIR_JSON, Filing};
pub use error::Error;
pub use filing::Filed;
pub use invitation::{GrantReceipt, Invitation, MAX_INVITED_RECORDS};
pub use labels::LabelTable;
pub use network::Network;
pub use patient::{FilingKit, ListedRecord, Notice, Offer, Patient};
pub use person::Person;
pub use reading::{Ask, OpenedRecord, Opening, Request};
pub use redealing::Redealing;
pub use streaming::StreamedRecord;
pub use watch::Watch;
