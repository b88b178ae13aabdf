//! Patients in control of their medical records: Patient, Clinician and Network in a dozen verbs.
