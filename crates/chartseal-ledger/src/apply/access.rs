use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use chartseal_policy::{Action, Code, Decision, Effect, Obligation, Request, Symbol, decide};
use chartseal_wire::history::{self, Outcome, OwnAccess, OwnOutcome, Token, outcome_commitment};
use chartseal_wire::{DirectiveId, Event, PatientId, RecordId, Subject, Time, TxId};

use super::context::{Context, check_list};
use super::emergency::change_unreviewed;
use super::flood;
use crate::admission::AdmissionError;
use crate::body::{AccessRequested, Released};
use crate::receipt::Decided;
use crate::state::{Permit, RequestState, State, table};
use crate::world::{LedgerWorld, policy_time, symbol};

/// Decides a request, record by record. It is never refused for its answer.
pub(super) fn request(
    cx: &mut Context<'_, '_>,
    body: &AccessRequested,
) -> Result<Decided, AdmissionError> {
    check_list(body.records.iter())?;
    let judged = judge(cx, body);
    let is_listed = enter_access(cx, body, &judged);
    let permits: Vec<Permit> = judged.iter().filter_map(|one| one.permit).collect();
    let emergency = judged.iter().find_map(|one| one.emergency);
    if let Some(declaration) = emergency {
        change_unreviewed(cx, &cx.org.clone(), &declaration, |count| {
            count.saturating_add(1)
        });
    }
    let request = RequestState {
        actor: cx.actor,
        org: cx.org,
        patient: body.patient,
        action: body.action.clone(),
        purpose: body.purpose.clone(),
        reader: body.reader,
        decided: cx.now(),
        position: cx.position(),
        permits,
        emergency,
        reviewed: false,
    };
    // What is only counted has nothing to release or review.
    if is_listed {
        cx.scratch.put(table::request(&cx.tx), &request);
    }
    Ok(Decided {
        patient: body.patient,
        release_until: request.release_until(),
        records: judged.into_iter().map(|one| one.outcome).collect(),
    })
}

/// A receipt is evidence: it is taken after the release window too, and its entry's time shows it.
pub(super) fn release(cx: &mut Context<'_, '_>, body: &Released) -> Result<(), AdmissionError> {
    cx.custodian()?;
    check_list(body.records.iter())?;
    let mut index = None;
    let mut request = cx
        .state()
        .request(&body.request)
        .ok_or(AdmissionError::UnknownRequest)?;
    for record in &body.records {
        let permit = request
            .permits
            .iter_mut()
            .find(|permit| permit.record == *record);
        let permit = permit.ok_or(AdmissionError::NotPermitted)?;
        let (deal, set) = cx.releasing(&permit.header);
        let epoch = set.map_or(0, |set| set.epoch);
        let custodian = cx.custodian_of(epoch)?;
        // One receipt is of one set: else its index would mean two custodians.
        let expected = *index.get_or_insert(custodian);
        if custodian != expected {
            let found = custodian;
            return Err(AdmissionError::CustodianIndex { expected, found });
        }
        if permit.is_released_by(deal, custodian) {
            return Err(AdmissionError::AlreadyReleased);
        }
        permit.release(deal, custodian);
    }
    cx.scratch.put(table::request(&body.request), &request);
    let event = Event::Released(history::Released {
        request: body.request,
        custodian: index.unwrap_or(0),
        records: body.records.clone(),
    });
    cx.enter_for(request.patient, event);
    Ok(())
}

/// The request that the policy engine decides for one record.
pub(crate) fn policy_request(
    state: State<'_>,
    request: &RequestState,
    record: &RecordId,
) -> Request {
    Request {
        actor: symbol(&request.actor.0),
        patient: symbol(&state.owner(&request.patient).0),
        record: symbol(&record.0),
        action: request.action.as_str().parse().ok(),
        purpose: request.purpose.as_str().parse().ok(),
        time: policy_time(request.decided),
        position: request.position,
    }
}

/// One record of a request, decided.
struct Judged {
    /// Whose it is, if it exists: the id that goes on.
    owner: Option<PatientId>,
    /// For its owner's history, and the auditor.
    outcome: Outcome,
    permit: Option<Permit>,
    /// The declaration on which the permit rests.
    emergency: Option<DirectiveId>,
}

fn judge(cx: &Context<'_, '_>, body: &AccessRequested) -> Vec<Judged> {
    let world = LedgerWorld::new(cx.state(), cx.now(), cx.actor);
    let window_end = cx.now().plus_ms(cx.shared.params.release_window_ms);
    let action: Option<Action> = body.action.as_str().parse().ok();
    let named = cx.state().owner(&body.patient);
    let judge = |record: &RecordId| {
        let decision = decide(
            &world,
            &Request {
                actor: symbol(&cx.actor.0),
                patient: symbol(&named.0),
                record: symbol(&record.0),
                action,
                purpose: body.purpose.as_str().parse().ok(),
                time: policy_time(cx.now()),
                position: cx.position(),
            },
        );
        let head = cx.state().record(record);
        let header = head.as_ref().map(|head| head.header);
        let permitted = decision.effect == Effect::Permit;
        let until = decision
            .valid_until
            .map_or(window_end, |end| window_end.min(Time(end.0)));
        let permit = header.filter(|_| permitted && opens(action));
        let permit = permit.map(|header| Permit {
            record: *record,
            header,
            until,
            released: 0,
            deal: cx.state().deals(&header).durable,
        });
        Judged {
            owner: head.map(|head| cx.state().owner(&head.patient)),
            permit,
            emergency: emergency_of(&decision),
            outcome: Outcome {
                record: *record,
                header,
                permitted,
                code: token(decision.code.as_str()),
                basis: decision
                    .by
                    .iter()
                    .map(|id| token(&basis_text(id)))
                    .collect(),
                obligations: decision.obligations.iter().map(obligation).collect(),
            },
        }
    };
    body.records.iter().map(judge).collect()
}

/// Whether an action is to see the content. To be allowed to find, to add or to amend a record is not
/// to be given its key.
fn opens(action: Option<Action>) -> bool {
    matches!(action, Some(Action::Read | Action::Export))
}

/// Enters an attempt everywhere it belongs: with the patient whom it named, if there is one; with each
/// other owner, who learns of their own records alone and not whom it named; with the actor, who
/// learns no reasons. Denied attempts beyond a number are counted instead: each patient's apart, for one
/// permitted record of somebody's must not bury another's history. Whether this one is listed with the
/// patient whom it named.
fn enter_access(cx: &mut Context<'_, '_>, body: &AccessRequested, judged: &[Judged]) -> bool {
    let own = own_access(cx, body, judged);
    let named = cx.state().owner(&body.patient);
    let mut others: BTreeMap<PatientId, Vec<Outcome>> = BTreeMap::new();
    for one in judged {
        if let Some(owner) = one.owner.filter(|owner| *owner != named) {
            others.entry(owner).or_default().push(one.outcome.clone());
        }
    }
    // Policy permits nothing of another patient than the one who is named: what others own is denied.
    let is_denied = !judged.iter().any(|one| one.outcome.permitted);
    let over_quota = (is_denied || !others.is_empty()) && flood::is_over_quota(cx);
    let is_listed = !is_denied || flood::is_listed(cx, body.patient, false, over_quota);
    if is_listed && cx.state().patient(&named).is_some() {
        let claimed = judged.iter().map(|one| Outcome {
            // Another patient's record is not shown to this one.
            header: one.outcome.header.filter(|_| one.owner == Some(named)),
            ..one.outcome.clone()
        });
        let until = judged
            .iter()
            .filter_map(|one| Some(one.permit?.until))
            .max();
        let event = access_event(body, false, claimed.collect(), until);
        cx.enter(Subject::Patient(named), event);
    }
    for (owner, outcomes) in others {
        if flood::is_listed(cx, owner, true, over_quota) {
            let event = access_event(body, true, outcomes, None);
            cx.enter(Subject::Patient(owner), event);
        }
    }
    if is_listed {
        cx.enter(Subject::Actor(cx.actor), Event::OwnAccess(own));
    }
    is_listed
}

fn access_event(
    body: &AccessRequested,
    foreign_claim: bool,
    records: Vec<Outcome>,
    release_until: Option<Time>,
) -> Event {
    Event::Access(history::Access {
        action: body.action.clone(),
        purpose: body.purpose.clone(),
        reason_code: body.reason_code.clone(),
        reason: body.reason,
        foreign_claim,
        records,
        release_until,
    })
}

/// The actor's view. A commitment's salt is the record's owner's, else the named patient's, else the
/// chain's: never one that the actor knows.
fn own_access(cx: &Context<'_, '_>, body: &AccessRequested, judged: &[Judged]) -> OwnAccess {
    let salt_of = |patient: &PatientId| cx.state().patient(patient).map(|one| one.history_salt);
    let fallback = salt_of(&cx.state().owner(&body.patient)).unwrap_or(cx.shared.salt);
    let records = judged.iter().map(|one| {
        let salt = one.owner.as_ref().and_then(salt_of).unwrap_or(fallback);
        OwnOutcome {
            record: one.outcome.record,
            permitted: one.outcome.permitted,
            outcome: outcome_commitment(&salt, &cx.tx, &one.outcome),
        }
    });
    OwnAccess {
        action: body.action.clone(),
        purpose: body.purpose.clone(),
        reason_code: body.reason_code.clone(),
        patient: body.patient,
        records: records.collect(),
    }
}

fn emergency_of(decision: &Decision) -> Option<DirectiveId> {
    let declaration = decision
        .by
        .first()
        .filter(|_| decision.code == Code::Emergency)?;
    declaration.as_bytes().try_into().ok().map(TxId)
}

fn obligation(obligation: &Obligation) -> Token {
    match obligation {
        Obligation::Overrides(id) => token(&format!("overrides:{}", basis_text(id))),
        other => token(&format!("{other}")),
    }
}

/// A directive's id in hex; a rule of network law by its name.
fn basis_text(id: &Symbol) -> alloc::string::String {
    match id.as_bytes().try_into().map(TxId) {
        Ok(id) => format!("{id}"),
        Err(_) => format!("{id}"),
    }
}

/// Every word here is of a table or an id of at most 80 bytes; genesis checked the names of law.
fn token(text: &str) -> Token {
    #[expect(
        clippy::expect_used,
        reason = "words of tables, ids in hex and checked names of law"
    )]
    Token::new(text).expect("a short word")
}
