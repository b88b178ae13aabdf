use alloc::vec::Vec;

use chartseal_policy::{Exceptions, Issuer, Scope, Set, Terms};
use chartseal_wire::{DirectiveId, Event, PatientId, history};

use super::context::{Context, check_list};
use crate::admission::AdmissionError;
use crate::body::Relabelled;
use crate::state::table;
use crate::world::symbol;

/// The most labels of a minor's own matter.
pub(super) const MAX_PRIVATE: usize = 64;
/// The most directives that one transaction relabels.
const MAX_DIRECTIVES: usize = 512;

pub(super) fn relabel(cx: &mut Context<'_, '_>, body: &Relabelled) -> Result<(), AdmissionError> {
    let patient = cx.patient()?;
    // Other labels may take a record away from under a restriction.
    if cx.state().is_without_capacity(&patient) {
        return Err(AdmissionError::Capacity);
    }
    let is_only_records = body.directives.is_empty() && body.private.is_none();
    if is_only_records || !body.records.is_empty() {
        check_list(body.records.iter().map(|one| &one.record))?;
    }
    for one in &body.records {
        let mut record = cx.own_record(patient, &one.record)?;
        record.labels = one.labels;
        cx.scratch.put(table::record(&one.record), &record);
    }
    if !body.records.is_empty() {
        let records = body.records.iter().map(|one| one.record).collect();
        cx.enter_for(patient, Event::Relabelled(history::Relabelled { records }));
    }
    if is_only_records {
        return Ok(());
    }
    relabel_directives(cx, patient, body)?;
    if let Some(labels) = &body.private {
        if labels.len() > MAX_PRIVATE {
            return Err(AdmissionError::Relabelling("at most 64 labels are private"));
        }
        let mut care = cx.state().care(&patient);
        care.private_labels.clone_from(labels);
        cx.scratch.put(table::care(&patient), &care);
    }
    let directives = body.directives.iter().map(|one| one.directive).collect();
    let event = history::DirectivesRelabelled {
        directives,
        private: body.private.is_some(),
    };
    cx.enter_for(patient, Event::DirectivesRelabelled(event));
    Ok(())
}

/// Directives keep their ids, places and everything but their labels. A minor's reach no further than
/// their own.
fn relabel_directives(
    cx: &mut Context<'_, '_>,
    patient: PatientId,
    body: &Relabelled,
) -> Result<(), AdmissionError> {
    let mut ids: Vec<&DirectiveId> = body.directives.iter().map(|one| &one.directive).collect();
    ids.sort_unstable();
    if ids.len() > MAX_DIRECTIVES || !ids.is_sorted_by(|a, b| a < b) {
        let why = "at most 512 distinct directives are relabelled at once";
        return Err(AdmissionError::Relabelling(why));
    }
    let decides = {
        let state = cx.state().patient(&patient);
        let is_of_age = state.is_some_and(|state| state.adult_from <= cx.now());
        is_of_age && cx.state().has_capacity(&patient, cx.now())
    };
    for one in &body.directives {
        let place = cx.state().directive_place(&one.directive);
        let place = place.filter(|(of, _)| cx.state().owner(of) == patient);
        let (of, index) = place.ok_or(AdmissionError::UnknownDirective)?;
        let stored = cx.state().directive(&one.directive);
        let mut stored = stored.ok_or(AdmissionError::UnknownDirective)?;
        let own = Issuer::Actor(symbol(&of.0));
        if !decides && stored.directive.issuer != own {
            return Err(AdmissionError::Capacity);
        }
        if !differ_in_labels_only(&stored.directive.terms, &one.terms) {
            let why = "a directive's new terms are the old ones but for labels";
            return Err(AdmissionError::Relabelling(why));
        }
        stored.directive.terms = one.terms.clone();
        cx.scratch.put(table::directive(&of, index), &stored);
    }
    Ok(())
}

fn differ_in_labels_only(old: &Terms, new: &Terms) -> bool {
    match (old, new) {
        (Terms::Grant(_), Terms::Grant(_)) | (Terms::Restrict(_), Terms::Restrict(_)) => {
            unlabelled(old).is_some_and(|old| unlabelled(new) == Some(old))
        }
        _ => false,
    }
}

/// The terms, with every list of labels emptied where there is one.
fn unlabelled(terms: &Terms) -> Option<Terms> {
    Some(match terms {
        Terms::Grant(grant) => {
            let mut grant = grant.clone();
            empty(&mut grant.scope);
            grant.except = unlabelled_tree(&grant.except)?;
            Terms::Grant(grant)
        }
        Terms::Restrict(restriction) => {
            let mut restriction = restriction.clone();
            empty(&mut restriction.scope);
            restriction.except = unlabelled_tree(&restriction.except)?;
            Terms::Restrict(restriction)
        }
        other => other.clone(),
    })
}

fn unlabelled_tree(tree: &Exceptions) -> Option<Exceptions> {
    let mut nodes = tree.nodes().to_vec();
    for node in &mut nodes {
        empty(&mut node.scope);
    }
    Exceptions::new(nodes).ok()
}

/// No list at all matches everything, an empty one nothing: that difference is none of labels. So an
/// empty list is kept apart from a filled one too.
fn empty(scope: &mut Scope) {
    if scope.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        scope.tags = Some(Set::one(symbol(b"label")));
    }
}
