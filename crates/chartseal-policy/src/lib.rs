//! Decides access requests against patients' consents: pure, explained, fail-closed.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod codes;
mod decide;
mod decision;
mod directive;
mod error;
mod finding;
mod grantee;
#[cfg(feature = "json")]
pub mod json;
mod memory;
mod scope;
mod set;
mod symbol;
mod time;
mod world;

pub use codes::{Action, Code, Confidentiality, Effect, Override, Purpose};
pub use decide::decide;
pub use decision::{Decision, Obligation, OpaqueDecision, Request};
pub use directive::{
    Approval, Declaration, Directive, Grant, Issuer, Restriction, Revocation, Terms,
};
pub use error::PolicyError;
pub use finding::{Finding, Status};
pub use grantee::{Grantee, OrgRole};
pub use memory::MemoryWorld;
pub use scope::{Exception, Exceptions, Scope};
pub use set::Set;
pub use symbol::Symbol;
pub use time::{Millis, Position, Time, Window};
pub use world::{
    Actor, EmergencyPolicy, Guardian, LawRule, Network, Patient, Quorum, Record, World,
};
