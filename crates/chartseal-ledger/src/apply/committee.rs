//! The next committee: decided on by a quorum of the present one, in force from an epoch's first height.

use alloc::vec::Vec;

use chartseal_wire::{Event, OrgId, Subject, history};

use super::context::Context;
use super::enrolment::{check_validator, reserve_validator};
use super::key::give_kem;
use crate::admission::AdmissionError;
use crate::body::CommitteeChanged;
use crate::scratch::Scratch;
use crate::state::{NextCommittee, Shared, State, table};
use chartseal_wire::committee::{Committee, Member};

/// The furthest height ahead at which an epoch may begin.
const MAX_AHEAD: u64 = 100_000;

pub(super) fn change(
    cx: &mut Context<'_, '_>,
    body: &CommitteeChanged,
) -> Result<(), AdmissionError> {
    let signer = cx.office()?;
    let present = &cx.shared.committee;
    present
        .index_of(&signer)
        .ok_or(AdmissionError::NotInCommittee)?;
    let refused = |why| Err(AdmissionError::NextCommittee(why));
    if body.epoch != present.epoch().saturating_add(1) {
        return refused("is not of the next epoch");
    }
    let height = cx.scratch.height();
    if body.from <= height || body.from > height.saturating_add(MAX_AHEAD) {
        return refused("begins after this block, at most 100000 blocks ahead");
    }
    let mut shared = cx.state().shared_now();
    if shared.next.is_some() {
        return refused("is decided on already");
    }
    let mut members = Vec::new();
    for member in body.members.iter().take(Committee::MAX + 1) {
        let Some(org) = cx.state().org(&member.org) else {
            return refused("has a member that is not enrolled");
        };
        let former = table::former_kem(&member.custodian_kem);
        let is_former = cx.state().read::<OrgId>(&former) == Some(member.org);
        if is_former && member.custodian_kem != org.custodian_kem {
            return refused("has a custodian with a kem key that it gave up");
        }
        check_validator(cx, &member.validator, member.org)?;
        members.push(Member {
            org: member.org,
            validator: member.validator,
        });
    }
    let Some(committee) = Committee::new(body.epoch, members) else {
        return refused("has not 3f + 1 distinct members, 64 at most");
    };
    let found = count_approvals(cx, body);
    let needed = present.quorum();
    if found < needed {
        return Err(AdmissionError::CommitteeApprovals { found, needed });
    }
    let both = present.members().iter().chain(committee.members());
    let both: Vec<Member> = both.copied().collect();
    for member in &both {
        reserve_validator(cx, &member.validator, member.org);
    }
    let mut concerned: Vec<OrgId> = both.iter().map(|member| member.org).collect();
    concerned.sort_unstable();
    concerned.dedup();
    shared.next = Some(NextCommittee {
        from: body.from,
        committee,
        custodian_kems: body.members.iter().map(|one| one.custodian_kem).collect(),
    });
    cx.scratch.put(table::shared(), &shared);
    let event = Event::CommitteeChanged(history::CommitteeChanged {
        epoch: body.epoch,
        from: body.from,
        members: body.members.iter().map(|member| member.org).collect(),
    });
    for org in concerned {
        cx.enter(Subject::Actor(org.into()), event.clone());
    }
    Ok(())
}

/// How many distinct members' offices agree.
fn count_approvals(cx: &Context<'_, '_>, body: &CommitteeChanged) -> u64 {
    let message = body.to_approve(&cx.chain());
    let mut agreeing: Vec<OrgId> = Vec::new();
    for approval in body.approvals.iter().take(Committee::MAX) {
        let is_member = cx.shared.committee.index_of(&approval.org).is_some();
        let office = cx.state().org(&approval.org).filter(|_| is_member);
        let agrees = office.is_some_and(|office| {
            let key = office.enrolment_key;
            key.verify_raw(&message, &approval.signature).is_ok()
        });
        if agrees && !agreeing.contains(&approval.org) {
            agreeing.push(approval.org);
        }
    }
    agreeing.len() as u64
}

/// Begins the next epoch, if the next height is its first one: after everything else in a block. Gives
/// what the next block has in common, if that changed.
pub(crate) fn begin_epoch(scratch: &mut Scratch<'_>, shared: &Shared) -> Option<Shared> {
    let state = State {
        source: &*scratch,
        shared,
    };
    let mut now = state.shared_now();
    let next_height = scratch.height().saturating_add(1);
    let is_due = |next: &NextCommittee| next.from == next_height;
    let Some(next) = now.next.take_if(|next| is_due(next)) else {
        return (now != *shared).then_some(now);
    };
    let members = next.committee.members().iter();
    let orgs: Vec<_> = members
        .zip(next.custodian_kems)
        .filter_map(|(member, kem)| {
            let mut org = state.org(&member.org)?;
            org.validator = member.validator;
            Some((org, kem))
        })
        .collect();
    let old = core::mem::replace(&mut now.committee, next.committee);
    for (mut org, kem) in orgs {
        give_kem(scratch, &mut org, kem);
        scratch.put(table::org(&org.id), &org);
    }
    scratch.put(table::committee(old.epoch()), &old);
    scratch.put(table::shared(), &now);
    scratch.settle(true);
    Some(now)
}
