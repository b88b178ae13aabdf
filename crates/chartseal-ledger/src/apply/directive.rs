use chartseal_policy::{Directive, Exceptions, Issuer, Scope, Symbol, Terms};
use chartseal_wire::history::{self, Token};
use chartseal_wire::{ActorId, DirectiveId, Event, Hash, PatientId, Time};

use super::context::{Context, wrong_signer};
use super::guardian::word;
use crate::admission::AdmissionError;
use crate::body::DirectiveIssued;
use crate::state::{Holder, StoredDirective, table};
use crate::world::{policy_time, symbol};

/// How many issuers' worth of directives about one patient an organization's people have together.
const SHARE_OF_ORGANIZATION: u32 = 16;

pub(super) fn issue(
    cx: &mut Context<'_, '_>,
    body: &DirectiveIssued,
) -> Result<(), AdmissionError> {
    if !matches!(cx.holder, Holder::Practitioner(_) | Holder::Patient(_)) {
        return Err(wrong_signer("a practitioner or a patient"));
    }
    cx.known_patient(&body.patient)?;
    let is_without = cx.state().is_without_capacity(&body.patient);
    if cx.actor == body.patient.into() && is_without && opens(cx, &body.terms) {
        return Err(AdmissionError::Capacity);
    }
    let event = check_terms(cx, body.patient, &body.terms)?;
    if !is_first_revocation(cx, body) {
        count(cx, body.patient)?;
    }
    let issuer = Issuer::Actor(symbol(&cx.actor.0));
    store(cx, body.patient, issuer, body.terms.clone(), body.sealed);
    cx.enter_for(body.patient, Event::Directive(event));
    Ok(())
}

/// Adds a grant that a quorum's member sends in.
pub(super) fn grant_by_quorum(
    cx: &mut Context<'_, '_>,
    patient: PatientId,
    terms: Terms,
    sealed: Option<Hash>,
) -> Result<(), AdmissionError> {
    let event = history::DirectiveIssued {
        kind: word("quorum_grant"),
        ..check_terms(cx, patient, &terms)?
    };
    count(cx, patient)?;
    store(cx, patient, Issuer::Quorum, terms, sealed);
    cx.enter_for(patient, Event::Directive(event));
    Ok(())
}

/// Whether a directive may open something: a minor's is judged at each decision, but who is without
/// capacity was once of age.
fn opens(cx: &Context<'_, '_>, terms: &Terms) -> bool {
    match terms {
        Terms::Grant(_) => true,
        Terms::Restrict(restriction) => {
            restriction.nested_grants || !restriction.supersedes.is_empty()
        }
        Terms::Revoke(revocation) => {
            let target = directive_id(&revocation.target).and_then(|id| cx.state().directive(&id));
            target.is_some_and(|one| matches!(one.directive.terms, Terms::Restrict(_)))
        }
        Terms::Approve(_) | Terms::Emergency(_) => false,
    }
}

/// Adds a directive to those of a patient; its id is the transaction's.
pub(super) fn store(
    cx: &mut Context<'_, '_>,
    patient: PatientId,
    issuer: Issuer,
    terms: Terms,
    sealed: Option<Hash>,
) {
    let index = add_place(cx, &patient);
    store_at(cx, index, patient, issuer, terms, sealed);
}

/// A new place among a patient's directives.
pub(super) fn add_place(cx: &mut Context<'_, '_>, patient: &PatientId) -> u64 {
    let index = cx.state().directive_count(patient);
    cx.scratch
        .put(table::directive_count(patient), &(index + 1));
    index
}

/// Puts a directive at a place among those of a patient.
pub(super) fn store_at(
    cx: &mut Context<'_, '_>,
    index: u64,
    patient: PatientId,
    issuer: Issuer,
    terms: Terms,
    sealed: Option<Hash>,
) {
    let directive = Directive {
        id: symbol(&cx.tx.0),
        position: cx.position(),
        issuer,
        patient: symbol(&patient.0),
        issued: Some(policy_time(cx.now())),
        terms,
    };
    cx.scratch.put(
        table::directive(&patient, index),
        &StoredDirective { directive, sealed },
    );
    cx.scratch
        .put(table::directive_place(&cx.tx), &(patient, index));
}

/// Refuses what could never mean anything on a chain, and says how the directive enters histories.
fn check_terms(
    cx: &Context<'_, '_>,
    patient: PatientId,
    terms: &Terms,
) -> Result<history::DirectiveIssued, AdmissionError> {
    let (window, target) = match terms {
        Terms::Grant(grant) => {
            check_scopes(&grant.scope, &grant.except)?;
            (Some(grant.window), None)
        }
        Terms::Restrict(restriction) => {
            check_scopes(&restriction.scope, &restriction.except)?;
            (Some(restriction.window), None)
        }
        Terms::Revoke(revocation) => {
            let stored = directive_id(&revocation.target).and_then(|id| cx.state().directive(&id));
            let of = stored.and_then(|stored| stored.directive.patient.as_bytes().try_into().ok());
            let of = of.map(|of| cx.state().owner(&PatientId(of)));
            if of != Some(patient) {
                return Err(AdmissionError::UnknownDirective);
            }
            (None, directive_id(&revocation.target))
        }
        Terms::Approve(approval) => {
            if approval.at > policy_time(cx.now()) {
                return Err(AdmissionError::Directive("approves at a time to come"));
            }
            // The grant comes after its approvals: its id may be of a transaction not yet sent.
            let refused = AdmissionError::Directive("names a target that is no directive's id");
            (None, Some(directive_id(&approval.target).ok_or(refused)?))
        }
        Terms::Emergency(_) => {
            return Err(AdmissionError::Directive(
                "is an emergency, which has a body of its own",
            ));
        }
    };
    let kind = Token::new(terms.kind());
    let kind = kind.ok_or(AdmissionError::Directive("is of a kind without a name"))?;
    let from = window
        .and_then(|window| window.from)
        .map(|time| Time(time.0));
    let until = window
        .and_then(|window| window.until)
        .map(|time| Time(time.0));
    Ok(history::DirectiveIssued {
        kind,
        target,
        from,
        until,
    })
}

/// A class is one of a record's labels here, so a selector of classes would match nothing: a
/// restriction would fail open.
fn check_scopes(scope: &Scope, except: &Exceptions) -> Result<(), AdmissionError> {
    let mut scopes = core::iter::once(scope).chain(except.nodes().iter().map(|node| &node.scope));
    if scopes.any(|scope| scope.classes.is_some()) {
        return Err(AdmissionError::Directive(
            "selects classes; on a chain they are tags",
        ));
    }
    Ok(())
}

/// Takes note of a revocation by who issued the target, or by the patient: whether it is their first of that grant or
/// restriction. It is not counted, so whoever had somebody's key for a while can't use up what takes back what they
/// opened; and there are no more of them than two for each directive that was counted.
fn is_first_revocation(cx: &mut Context<'_, '_>, body: &DirectiveIssued) -> bool {
    let Terms::Revoke(revocation) = &body.terms else {
        return false;
    };
    let Some(id) = directive_id(&revocation.target) else {
        return false;
    };
    let target = cx.state().directive(&id).map(|stored| stored.directive);
    let is_theirs = target.is_some_and(|target| {
        let can_be_revoked = matches!(target.terms, Terms::Grant(_) | Terms::Restrict(_));
        let is_issuers = target.issuer.is(&symbol(&cx.actor.0));
        can_be_revoked && (is_issuers || cx.actor == body.patient.into())
    });
    let key = table::revoked(&id, &cx.actor);
    if !is_theirs || cx.state().read::<u64>(&key).is_some() {
        return false;
    }
    cx.scratch.put(key, &cx.scratch.height());
    true
}

/// Counts the issuer's directives about this patient; and, of who does not speak for the patient, those of all for
/// whom the same organization answers. Each decision reads whatever is said about a patient, and to enrol more people is no way
/// to make it read more.
fn count(cx: &mut Context<'_, '_>, patient: PatientId) -> Result<(), AdmissionError> {
    let params = &cx.shared.params;
    if cx.holder == Holder::Patient(patient) {
        return count_by(cx, cx.actor, patient, params.max_directives_by_patient);
    }
    let max = params.max_directives_by_other;
    if !speaks_for(cx, &patient) {
        let max = max.saturating_mul(SHARE_OF_ORGANIZATION);
        count_by(cx, cx.answerable().into(), patient, max)?;
    }
    count_by(cx, cx.actor, patient, max)
}

/// Whether the issuer is a guardian of the patient's, or of the quorum that grants for them.
fn speaks_for(cx: &Context<'_, '_>, patient: &PatientId) -> bool {
    let state = cx.state();
    let (care, issuer) = (state.care(patient), symbol(&cx.actor.0));
    let adult_from = state.patient(patient).map_or(Time(0), |one| one.adult_from);
    let mut guardians = care.guardians.iter().map(|term| term.effective(adult_from));
    let now = policy_time(cx.now());
    guardians.any(|one| one.actor == issuer && one.window.contains(now))
        || care
            .quorum
            .is_some_and(|quorum| quorum.members.contains(&issuer))
}

fn count_by(
    cx: &mut Context<'_, '_>,
    issuer: ActorId,
    patient: PatientId,
    max: u32,
) -> Result<(), AdmissionError> {
    let key = table::directives_by(&issuer, &patient);
    let count: u64 = cx.state().read(&key).unwrap_or(0);
    if count >= u64::from(max) {
        return Err(AdmissionError::TooManyDirectives { max });
    }
    cx.scratch.put(key, &(count + 1));
    Ok(())
}

fn directive_id(target: &Symbol) -> Option<DirectiveId> {
    target.as_bytes().try_into().ok().map(chartseal_wire::TxId)
}
