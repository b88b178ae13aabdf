//! FHIR R4 in and out: lossless bundles, labels, confidentiality.
