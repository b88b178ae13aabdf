//! One organization's server: validator, custodian, stores.
