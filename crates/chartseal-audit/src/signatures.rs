//! Who signed a checkpoint, under a policy and in the strict profile of exports.

use alloc::format;
use alloc::vec::Vec;

use chartseal_wire::{Checkpoint, PublicKey, SignedNote, Time};

use crate::policy::{Quorum, TrustPolicy};
use crate::report::Cosigner;
use crate::rules::Rule;
use crate::verdict::{Doubt, Stop};

/// Who signed.
pub(crate) struct Signed {
    pub(crate) log_key: PublicKey,
    pub(crate) witnesses: Vec<Cosigner>,
    pub(crate) quorum: Quorum,
}

/// Checks that `note`, whose text is `checkpoint`, carries one signature of the log and then those of
/// witnesses in the policy's order, all valid, and that these meet the quorum.
pub(crate) fn check(
    note: &SignedNote,
    checkpoint: &Checkpoint,
    policy: &TrustPolicy,
) -> Result<Signed, Stop> {
    let origin = &checkpoint.origin;
    let logs = policy.logs().iter().filter(|log| log.name() == origin);
    let logs: Vec<_> = logs.collect();
    if logs.is_empty() {
        let origin = origin.clone();
        return Err(Stop::Doubt(Doubt::UnknownLog { origin }));
    }
    let Some((log_line, lines)) = note.signatures.split_first() else {
        return Err(Stop::refute(Rule::LogSignature, "no signature"));
    };
    let log = logs.iter().find(|log| log.matches(log_line));
    let log = log.ok_or_else(|| Stop::refute(Rule::LogSignature, "another key's signature"))?;
    if log.verify(&note.text, log_line).is_err() {
        return Err(Stop::refute(Rule::LogSignature, "an invalid signature"));
    }

    let known: Vec<_> = policy.witnesses().collect();
    let mut times = alloc::vec![None; known.len()];
    let mut witnesses = Vec::new();
    let mut next = 0;
    for (line, number) in lines.iter().zip(2..) {
        let at = known.iter().position(|(_, key)| key.matches(line));
        let Some((at, (name, key))) = at.and_then(|at| Some((at, known.get(at)?))) else {
            let found = format!("signature {number} is by nobody whom the policy lists");
            return Err(Stop::refute(Rule::KnownWitness, found));
        };
        if at < next {
            let found = format!("signature {number}, by \"{name}\", comes too late or twice");
            return Err(Stop::refute(Rule::SignatureOrder, found));
        }
        next = at + 1;
        let seconds = key.verify(&note.text, line).map_err(|_| {
            let found = format!("signature {number}, by \"{name}\", is invalid");
            Stop::refute(Rule::Cosignature, found)
        })?;
        if let Some(time) = times.get_mut(at) {
            *time = Some(seconds);
        }
        witnesses.push(Cosigner {
            name: (*name).into(),
            time: seconds_to_time(seconds),
        });
    }

    let quorum = policy.count(&times);
    if !quorum.is_met() {
        let Quorum {
            name,
            signed,
            needed,
            of,
            ..
        } = &quorum;
        let found = format!("{signed} of {of} of \"{name}\" signed, {needed} are needed");
        return Err(Stop::refute(Rule::Quorum, found));
    }
    Ok(Signed {
        log_key: log.key(),
        witnesses,
        quorum,
    })
}

pub(crate) fn seconds_to_time(seconds: u64) -> Time {
    Time(seconds.saturating_mul(1000))
}
