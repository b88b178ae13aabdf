//! Decides access requests against patients' consents: pure, explained, fail-closed.
//!
//! **The promise:** [`decide`] is a function of the state and the request, and of nothing else. It
//! reads no clock, no file, no hash order, so every node gives the same decision, for ever. Where a
//! rule does not clearly permit, it denies.
//!
//! # A clinic appointment
//! Ann lets her doctor read normal records, for treatment, until the visit ends.
//!
//! ```
//! use chartseal_policy::*;
//! # fn clinic() -> Result<MemoryWorld, PolicyError> {
//!
//! let mut world = MemoryWorld::new();
//! world.patients.insert("ann".parse()?, Patient::default());
//! world.actors.insert("drNew".parse()?, Actor::default());
//! world.records.insert("lab".parse()?, Record {
//!     patient: "ann".parse()?,
//!     class: "Observation".parse()?,
//!     conf: Confidentiality::N,
//!     tags: Set::default(),
//!     author: None,
//!     encounter: None,
//!     authored: Time(100),
//!     release_at: None,
//! });
//! # Ok(world)
//! # }
//! # let mut world = clinic()?;
//!
//! let mut visit = Grant::to("actor:drNew".parse()?, Purpose::Treat);
//! visit.window.until = Some(Time(2_000));
//! world.apply(Directive {
//!     id: "visit".parse()?,
//!     position: Position { height: 1, index: 0 },
//!     issuer: Issuer::Actor("ann".parse()?),
//!     patient: "ann".parse()?,
//!     issued: Some(Time(900)),
//!     terms: Terms::Grant(visit),
//! })?;
//!
//! let ask = Request {
//!     actor: "drNew".parse()?,
//!     patient: "ann".parse()?,
//!     record: "lab".parse()?,
//!     action: Some(Action::Read),
//!     purpose: Some(Purpose::Treat),
//!     time: Time(1_000),
//!     position: Position { height: 2, index: 0 },
//! };
//! let decision = decide(&world, &ask);
//! assert_eq!(decision.code, Code::Granted);
//! assert_eq!(decision.by, ["visit".parse()?]);
//! assert_eq!(decision.valid_until, Some(Time(2_000)));
//!
//! // The window is half-open: at its end the visit is over, and the explanation says so.
//! let late = decide(&world, &Request { time: Time(2_000), ..ask });
//! assert_eq!(late.code, Code::NoGrant);
//! assert_eq!(late.explanation[0].status.to_string(), "its window is over");
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! # A psychiatric note
//! Some tags are *gated*: a grant that does not name them covers no record that bears one, whatever
//! else it says. Confidentiality above `N` has to be named too. And whatever a restriction touches
//! stays closed, though a grant permits it. The requester never learns which of these it was.
//!
//! ```
//! # use chartseal_policy::*;
//! # let mut world = MemoryWorld::new();
//! # world.patients.insert("ann".parse()?, Patient::default());
//! # world.actors.insert("drNew".parse()?, Actor::default());
//! # let record = Record { patient: "ann".parse()?, class: "Condition".parse()?,
//! #     conf: Confidentiality::R, tags: Set::one("PSY".parse()?), author: None, encounter: None,
//! #     authored: Time(100), release_at: None };
//! # world.records.insert("note".parse()?, record);
//! # let by_ann = |id: &str, height, terms| Ok::<_, PolicyError>(Directive { id: id.parse()?,
//! #     position: Position { height, index: 0 }, issuer: Issuer::Actor("ann".parse()?),
//! #     patient: "ann".parse()?, issued: None, terms });
//! # let ask = Request { actor: "drNew".parse()?, patient: "ann".parse()?, record: "note".parse()?,
//! #     action: Some(Action::Read), purpose: Some(Purpose::Treat), time: Time(1_000),
//! #     position: Position { height: 9, index: 0 } };
//! let mut grant = Grant::to("actor:drNew".parse()?, Purpose::Treat);
//! world.apply(by_ann("general", 1, Terms::Grant(grant.clone()))?)?;
//! let unnamed = decide(&world, &ask);
//! assert_eq!(unnamed.code, Code::NoGrant);
//!
//! grant.scope.tags = Some(Set::one("PSY".parse()?));
//! grant.scope.conf = Some(Confidentiality::R);
//! world.apply(by_ann("psychiatry", 2, Terms::Grant(grant))?)?;
//! assert_eq!(decide(&world, &ask).by, ["psychiatry".parse()?]);
//!
//! world.apply(by_ann("closed", 3, Terms::Restrict(Restriction::default()))?)?;
//! let closed = decide(&world, &ask);
//! assert_eq!(closed.code, Code::Restricted);
//! assert_eq!(closed.opaque(), unnamed.opaque());
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! # A minor
//! Tim is under age. His mother reads his records and grants others access, but from the age of
//! minor consent on some matters are his own: he alone grants there, tag by tag, and nothing else yet.
//!
//! ```
//! # use chartseal_policy::*;
//! # let mut world = MemoryWorld::new();
//! # for id in ["mum", "drTeen"] { world.actors.insert(id.parse()?, Actor::default()); }
//! # let record = Record { patient: "tim".parse()?, class: "Condition".parse()?,
//! #     conf: Confidentiality::N, tags: Set::default(), author: None, encounter: None,
//! #     authored: Time(100), release_at: None };
//! # world.records.insert("cast".parse()?, record.clone());
//! # let tags = Set::one("SDV".parse()?);
//! # world.records.insert("private".parse()?, Record { tags, ..record });
//! # let by = |issuer: &str, id: &str, height, grant| Ok::<_, PolicyError>(Directive {
//! #     id: id.parse()?, position: Position { height, index: 0 },
//! #     issuer: Issuer::Actor(issuer.parse()?), patient: "tim".parse()?,
//! #     issued: Some(Time(900)), terms: Terms::Grant(grant) });
//! # let now = Moment { time: Time(1_000), position: Position { height: 9, index: 0 } };
//! # let ask = |actor: &str, record: &str, purpose| Ok::<_, PolicyError>(Request {
//! #     actor: actor.parse()?, patient: "tim".parse()?, record: record.parse()?,
//! #     action: Some(Action::Read), purpose: Some(purpose), time: now.time,
//! #     position: now.position });
//! let until_majority = Window { from: None, until: Some(Time(5_000)) };
//! world.patients.insert("tim".parse()?, Patient {
//!     adult_from: Time(5_000),
//!     minor_consent_from: Some(Time(500)),
//!     minor_private_tags: Set::one("SDV".parse()?),
//!     guardians: Set::one(Guardian { actor: "mum".parse()?, window: until_majority }),
//!     quorum: None,
//! });
//! assert_eq!(decide(&world, &ask("mum", "cast", Purpose::Famrqt)?).code, Code::Guardian);
//! assert_eq!(decide(&world, &ask("mum", "private", Purpose::Famrqt)?).code, Code::MinorPrivate);
//!
//! // A grant that names no tags is not his to make yet, and one over that tag no longer hers.
//! let general = Grant::to("actor:drTeen".parse()?, Purpose::Treat);
//! let mut private = general.clone();
//! private.scope.tags = Some(Set::one("SDV".parse()?));
//! for void in [by("tim", "his", 1, general)?, by("mum", "hers", 1, private.clone())?] {
//!     assert_eq!(validity(&world, &void, now), Err(Status::NoAuthority));
//! }
//! world.apply(by("tim", "named", 2, private)?)?;
//! let decision = decide(&world, &ask("drTeen", "private", Purpose::Treat)?);
//! assert_eq!(decision.by, ["named".parse()?]);
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! # A research project
//! Ann gives a study her observations of one period, for research, and lets its lead pass that on
//! once. What the lead passes on must lie within it in every dimension, and ends with it.
//!
//! ```
//! # use chartseal_policy::*;
//! # let mut world = MemoryWorld::new();
//! # world.patients.insert("ann".parse()?, Patient::default());
//! # world.actors.insert("lead".parse()?, Actor::default());
//! # for id in ["eve", "max"] { world.actors.insert(id.parse()?, Actor {
//! #     org: Some("Uni".parse()?), roles: Set::one("analyst".parse()?), ..Actor::default() }); }
//! # let record = Record { patient: "ann".parse()?, class: "Observation".parse()?,
//! #     conf: Confidentiality::N, tags: Set::default(), author: None, encounter: None,
//! #     authored: Time(100), release_at: None };
//! # world.records.insert("lab".parse()?, record);
//! # let by = |issuer: &str, id: &str, height, terms| Ok::<_, PolicyError>(Directive {
//! #     id: id.parse()?, position: Position { height, index: 0 },
//! #     issuer: Issuer::Actor(issuer.parse()?), patient: "ann".parse()?, issued: None, terms });
//! # let now = Moment { time: Time(1_000), position: Position { height: 9, index: 0 } };
//! let mut study = Grant::to("actor:lead".parse()?, Purpose::Hresch);
//! study.scope.classes = Some(Set::one("Observation".parse()?));
//! study.scope.data = Window { from: Some(Time(0)), until: Some(Time(500)) };
//! study.delegable = 1;
//! world.apply(by("ann", "study", 1, Terms::Grant(study.clone()))?)?;
//!
//! let mut team = study;
//! team.scope.to = Some(Set::one("orgrole:Uni/analyst".parse()?));
//! team.parent = Some("study".parse()?);
//! team.delegable = 0;
//! let mut wider = team.clone();
//! wider.scope.classes = None;
//! let wider = by("lead", "wider", 2, Terms::Grant(wider))?;
//! assert_eq!(validity(&world, &wider, now), Err(Status::WiderThanParent));
//! world.apply(by("lead", "team", 2, Terms::Grant(team))?)?;
//!
//! let readers = who_can_see(&world, &"lab".parse()?, now);
//! let research = readers.iter().filter(|one| one.purpose == Purpose::Hresch);
//! let actors: Vec<_> = research.map(|one| one.actor.to_string()).collect();
//! assert_eq!(actors, ["eve", "lead", "max"]);
//!
//! // Before Ann takes it back she sees who would lose what: the team too.
//! let end = Terms::Revoke(Revocation { target: "study".parse()? });
//! let change = diff(&world, &by("ann", "end", 3, end)?, now.time)?;
//! assert_eq!((change.gained.len(), change.lost.len()), (0, 3));
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! # An emergency
//! Breaking the glass takes a declaration with a reason, an emergency role and the purpose `BTG`. It
//! overrides restrictions, names them, and leaves duties behind.
//!
//! ```
//! # use chartseal_policy::*;
//! # let mut world = MemoryWorld::new();
//! # world.patients.insert("ann".parse()?, Patient::default());
//! # let record = Record { patient: "ann".parse()?, class: "Condition".parse()?,
//! #     conf: Confidentiality::N, tags: Set::default(), author: None, encounter: None,
//! #     authored: Time(100), release_at: None };
//! # world.records.insert("allergy".parse()?, record);
//! # let ask = Request { actor: "drEr".parse()?, patient: "ann".parse()?,
//! #     record: "allergy".parse()?, action: Some(Action::Read), purpose: Some(Purpose::Btg),
//! #     time: Time(1_000), position: Position { height: 9, index: 0 } };
//! # let statement = |id: &str, issuer: &str, terms| Ok::<_, PolicyError>(Directive {
//! #     id: id.parse()?, position: Position { height: 1, index: 0 },
//! #     issuer: Issuer::Actor(issuer.parse()?), patient: "ann".parse()?, issued: None, terms });
//! world.network.emergency = Some(EmergencyPolicy {
//!     ttl: Millis(4_000),
//!     roles: Set::one("emergency".parse()?),
//!     max_overdue: 3,
//!     allow_absolute: true,
//! });
//! let roles = Set::one("emergency".parse()?);
//! world.actors.insert("drEr".parse()?, Actor { roles, ..Actor::default() });
//! world.apply(statement("closed", "ann", Terms::Restrict(Restriction::default()))?)?;
//! assert_eq!(decide(&world, &ask).code, Code::EmergencyNotDeclared);
//!
//! let declared = Declaration { from: Time(950), has_reason: true, closed: None };
//! world.apply(statement("trauma", "drEr", Terms::Emergency(declared))?)?;
//! let decision = decide(&world, &ask);
//! assert_eq!(decision.code, Code::Emergency);
//! let duties: Vec<_> = decision.obligations.iter().map(ToString::to_string).collect();
//! assert_eq!(duties, ["log", "notify_patient", "overrides:closed", "reason", "review"]);
//! assert_eq!(decision.valid_until, Some(Time(4_950)));
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! # Matching
//! A permit *covers*: the record's confidentiality is at or under its ceiling, and each of the
//! record's gated tags is named. A deny *touches*: one shared tag is enough. A record tagged `INBOX`
//! (filed, not yet sorted) is touched by every deny that speaks of the request otherwise, whatever it
//! says of classes, tags or confidentiality. An absent list matches everything, an empty one nothing.
//!
//! # The order of a decision
//! The first rule that applies ends it: malformed or not visible; the patient's own records; the
//! actor's standing; guardians; network law; then, for `BTG`, an emergency, else restrictions before
//! grants. Who may grant is checked at every decision, never only on admission.
//!
//! # Questions about more than one request
//! [`who_can_see`] and [`what_can_i_see`] answer exactly what asking [`decide`] about everything
//! would; [`diff`] says who would gain and who lose what by a directive; [`dead_grants`],
//! [`expiring`] and [`overdue_reviews`] say what needs somebody's attention. Each looks at a
//! [`Moment`]; one in the past replays it.
//!
//! # Beside other ways to say it
//! Each of these is good at what it was made for. The last column is what a consent of the kind above
//! needs, and the language itself does not say: code or data around it has to.
//!
//! | | what it is | left to what surrounds it |
//! |---|---|---|
//! | Cedar | permit and forbid policies over entities, analyzable; a forbid always wins | who may make a policy, and its revocation or supersession; an emergency that overrides a forbid, other than by an `unless` in each; obligations; until when an answer holds |
//! | OPA, regorus (Rego) | rules that compute any document from data | all of the above as a program of one's own; rules can't recurse, so chains of delegation are unrolled or go through a graph builtin; builtins that read the clock or the network make an answer no function of its input |
//! | Biscuit | signed tokens with Datalog, which whoever holds one can only narrow | what the patient says after the token was issued: restrictions, exceptions and revocations are the authorizer's facts; obligations; who may see a record, since tokens are with their holders |
//! | XACML 3.0 | policy trees with combining algorithms and obligations | revocation and supersession; the meaning of `NotApplicable` and `Indeterminate` at the enforcement point; who may delegate, unless by its administration profile |
//! | FHIR Consent | a format for one consent: provisions with exceptions, periods, purposes, labels | a decision: how several consents combine; chains of delegation, a quorum's approvals, declared emergencies and reviews of them |
//!
//! From [Cedar's authorization](https://docs.cedarpolicy.com/auth/authorization.html), Rego's
//! [ban on recursion](https://www.openpolicyagent.org/docs/errors/rego-recursion-error/rule-name-is-recursive)
//! and [builtins](https://www.openpolicyagent.org/docs/policy-reference),
//! [Biscuit's](https://github.com/eclipse-biscuit/biscuit/blob/main/SPECIFICATIONS.md) and
//! [XACML's](https://docs.oasis-open.org/xacml/3.0/xacml-3.0-core-spec-en.html) specifications, and
//! [FHIR R5's Consent](https://hl7.org/fhir/R5/consent.html). What Cedar can say of grants and restrictions
//! it answers as this crate does: the repository's benches ask both.
//!
//! In turn this crate is no general language: it says nothing that the five kinds of directives do
//! not, and has no attributes but those of [`Actor`], [`Patient`] and [`Record`].
//!
//! # What is where
//! | item | what |
//! |---|---|
//! | [`decide`], [`Request`], [`Decision`] | the verb; an answer has an effect, a [`Code`], its basis, [`Obligation`]s, `valid_until` |
//! | [`Finding`], [`Status`] | the explanation: each directive with its part, or the first condition that it failed |
//! | [`Decision::opaque`] | what a requester is told |
//! | [`Directive`], [`Terms`] | grants, restrictions, revocations, approvals, emergencies; with canonical bytes (`docs/cddl/policy.cddl`) |
//! | [`Scope`], [`Exceptions`], [`Grantee`] | selectors, and trees of exceptions |
//! | [`validity`] | whether a directive counts, whatever is asked; else the reason why it is void |
//! | [`World`], [`MemoryWorld`] | the state that a decision reads: yours, or in memory |
//! | [`PolicyState`] | all directives: applied one by one, indexed, with snapshots and canonical bytes |
//! | [`Listing`], [`who_can_see`], [`diff`], … | questions about more than one request |
#![cfg_attr(
    feature = "json",
    doc = "| [`json`] | worlds and cases as JSON, and `check` over them (feature `json`) |"
)]
//!
//! # Limits
//! Nothing recurses on a directive. A tree of exceptions has at most 256 nodes and 16 levels, a list
//! 4,096 values, an id 64 bytes; these are refused when a value is made or read. A chain of
//! delegation has at most 32 grants: a longer one is void, and so is one that runs in a circle. A
//! decision takes time in proportion to the patient's own directives (but for the logarithm of
//! sorting revocations), and none for another patient's. A state holds 1,048,576 directives of one
//! patient: what is admitted, and from whom, is for who stores them.
//!
//! `valid_until` may come early: the decision stays the same before it, and may stay the same after.
//! Directives' ids must be unique for a patient; [`PolicyState::apply`] refuses a second one.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod analysis;
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
mod persistent;
mod scope;
mod set;
mod state;
mod symbol;
mod time;
mod world;

pub use analysis::{
    Access, Diff, Expiring, Listing, OverdueReviews, Readable, Reader, dead_grants, diff, expiring,
    overdue_reviews, what_can_i_see, who_can_see,
};
pub use codes::{Action, Code, Confidentiality, Effect, Override, Purpose};
pub use decide::{decide, validity};
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
pub use state::PolicyState;
pub use symbol::Symbol;
pub use time::{Millis, Moment, Position, Time, Window};
pub use world::{
    Actor, EmergencyPolicy, Guardian, LawRule, Network, Patient, Quorum, Record, World,
};
