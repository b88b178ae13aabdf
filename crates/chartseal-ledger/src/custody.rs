use alloc::vec::Vec;

use chartseal_policy::{Code, Effect, Request, decide};
use chartseal_wire::{HeaderDigest, PatientId, RecordId, RequestId, Time};
use thiserror::Error;

use crate::apply::policy_request;
use crate::overlay::Overlay;
use crate::state::{Permit, RequestState, after_block};
use crate::world::{LedgerWorld, policy_time};

/// What a custodian may release: its share of this version's key, to the request's reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releasable {
    /// The record.
    pub record: RecordId,
    /// The version that was permitted; the release is bound to it.
    pub header: HeaderDigest,
    /// The newest deal of its key that is durable; the one that the header names has 0.
    pub deal: u64,
    /// Whose it is.
    pub patient: PatientId,
}

/// Why a custodian must not release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotReleasable {
    /// This copy of the chain is behind, or the clock is wrong: it can't know of revocations.
    #[error(
        "the newest block is {apart_ms} ms apart from the clock, {allowed_ms} at most are allowed"
    )]
    Stale {
        /// The difference, in ms.
        apart_ms: u64,
        /// What is allowed, in ms.
        allowed_ms: u64,
    },
    /// There is no such request in this chain, or not yet.
    #[error("there is no such access request at this height")]
    UnknownRequest,
    /// The request was denied for all its records, or is for an action that opens none.
    #[error("the request has no permit to open a record")]
    Denied,
    /// The permit's time is over.
    #[error("the permit ended at {}", .until.0)]
    TooLate {
        /// When it ended, in ms.
        until: Time,
    },
    /// The record was erased since.
    #[error("the record was erased")]
    Erased,
    /// What permitted it does so no more: a revocation, an expiry, a new restriction.
    #[error("the newest state denies it: {}", .code.as_str())]
    Withdrawn {
        /// The code of the new decision.
        code: Code,
    },
}

/// What a custodian may release for a request, judged anew at the newest height: by `head`, the
/// newest **final** overlay, and `now`, its own clock, which may lie `delta_ms` apart from the head's time.
///
/// A record for which something changed since the permit is left out.
///
/// # Errors
/// [`NotReleasable`] if nothing may be released; what is wrong with the first record, if they differ.
pub fn releasable(
    head: &Overlay,
    request: &RequestId,
    now: Time,
    delta_ms: u64,
) -> Result<Vec<Releasable>, NotReleasable> {
    let (request, now) = asked(head, request, now, delta_ms)?;
    Judge::new(head, &request, now).judge_all(request.permits.iter())
}

/// What a custodian may release of these records of a request, in this order, as [`releasable`] has it. Those that were not
/// permitted are left out too.
///
/// # Errors
/// [`NotReleasable`].
pub fn releasable_of(
    head: &Overlay,
    request: &RequestId,
    records: &[RecordId],
    now: Time,
    delta_ms: u64,
) -> Result<Vec<Releasable>, NotReleasable> {
    let (request, now) = asked(head, request, now, delta_ms)?;
    let permits = records.iter().filter_map(|record| request.permit(record));
    Judge::new(head, &request, now).judge_all(permits)
}

/// The request, and the time at which it is judged, if this copy of the chain is not behind.
fn asked(
    head: &Overlay,
    request: &RequestId,
    now: Time,
    delta_ms: u64,
) -> Result<(RequestState, Time), NotReleasable> {
    let apart_ms = now.0.abs_diff(head.head().time.0);
    if apart_ms > delta_ms {
        return Err(NotReleasable::Stale {
            apart_ms,
            allowed_ms: delta_ms,
        });
    }
    let request = head.state().request(request);
    let request = request.ok_or(NotReleasable::UnknownRequest)?;
    // The later of the two: nothing is released because a clock is slow.
    Ok((request, now.max(head.head().time)))
}

struct Judge<'a> {
    head: &'a Overlay,
    request: &'a RequestState,
    now: Time,
    world: LedgerWorld<'a>,
}

impl<'a> Judge<'a> {
    fn new(head: &'a Overlay, request: &'a RequestState, now: Time) -> Self {
        Self {
            head,
            request,
            now,
            world: LedgerWorld::new(head.state(), now, request.actor),
        }
    }

    /// Those that may be released, or why not even one.
    fn judge_all<'p>(
        &self,
        permits: impl Iterator<Item = &'p Permit>,
    ) -> Result<Vec<Releasable>, NotReleasable> {
        let (mut ready, mut withheld) = (Vec::new(), None);
        for permit in permits {
            match self.judge(permit) {
                Ok(one) => ready.push(one),
                Err(why) => withheld = withheld.or(Some(why)),
            }
        }
        if ready.is_empty() {
            return Err(withheld.unwrap_or(NotReleasable::Denied));
        }
        Ok(ready)
    }

    fn judge(&self, permit: &Permit) -> Result<Releasable, NotReleasable> {
        if self.now >= permit.until {
            return Err(NotReleasable::TooLate {
                until: permit.until,
            });
        }
        let record = self.head.state().record(&permit.record);
        let Some(record) = record.filter(|record| !record.erased) else {
            return Err(NotReleasable::Erased);
        };
        let decision = decide(
            &self.world,
            &Request {
                time: policy_time(self.now),
                position: after_block(self.head.height()),
                ..policy_request(self.head.state(), self.request, &permit.record)
            },
        );
        if decision.effect == Effect::Deny {
            return Err(NotReleasable::Withdrawn {
                code: decision.code,
            });
        }
        Ok(Releasable {
            record: permit.record,
            header: permit.header,
            deal: self.head.state().deals(&permit.header).durable,
            patient: record.patient,
        })
    }
}
