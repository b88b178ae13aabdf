//! Who signed a checkpoint, under a policy and in the strict profile of exports.

use alloc::format;
use alloc::vec::Vec;

use chartseal_wire::{Checkpoint, PublicKey, SignedNote, Time};

use crate::policy::{Quorum, TrustPolicy};
use crate::report::{Certified, Cosigner};
use crate::rules::Rule;
use crate::verdict::{Doubt, Stop};

/// Whose signatures stand under a checkpoint, and are valid.
pub(crate) struct Signed {
    pub(crate) log_key: PublicKey,
    pub(crate) witnesses: Vec<Cosigner>,
    /// For each witness of the policy, in its order: when it cosigned, in seconds since 1970.
    times: Vec<Option<u64>>,
}

/// Checks that `note`, whose text is `checkpoint`, carries one signature of the log and then those of
/// witnesses in the policy's order, all valid.
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
    let log_key = log
        .key()
        .filter(|_| log.verify(&note.text, log_line).is_ok());
    let Some(log_key) = log_key else {
        return Err(Stop::refute(Rule::LogSignature, "an invalid signature"));
    };

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

    Ok(Signed {
        log_key,
        witnesses,
        times,
    })
}

impl Signed {
    /// The policy's quorum, met by these witnesses and by the committee that certified the header of
    /// this time, if one did; `Err` says why that can't be told.
    pub(crate) fn quorum(
        &self,
        policy: &TrustPolicy,
        certified: &Result<Option<Certified>, Doubt>,
        time: Time,
    ) -> Result<Quorum, Stop> {
        let count = |is_certified: bool| {
            let time = is_certified.then(|| time_to_seconds(time));
            policy.count(&self.times, time)
        };
        let quorum = count(matches!(certified, Ok(Some(_))));
        if quorum.is_met() {
            return Ok(quorum);
        }
        // What would be enough may be there.
        if let Err(doubt) = certified
            && count(true).is_met()
        {
            return Err(Stop::Doubt(doubt.clone()));
        }
        let Quorum {
            name,
            signed,
            needed,
            of,
            ..
        } = &quorum;
        let found = format!("{signed} of {of} of \"{name}\" signed, {needed} are needed");
        Err(Stop::refute(Rule::Quorum, found))
    }
}

impl Signed {
    /// Checks that no witness's signature can be left out: of exports, not of evidence, in which more signers are
    /// more who contradict themselves. `certified` is the time of a header with a
    /// certificate that may count; behind handovers one witness is needed, to vouch for them.
    pub(crate) fn check_needed(
        &self,
        policy: &TrustPolicy,
        certified: Option<Time>,
        has_handovers: bool,
    ) -> Result<(), Stop> {
        if has_handovers && self.witnesses.len() == 1 {
            return Ok(());
        }
        let certified = certified.map(time_to_seconds);
        let is_met = |times: &[Option<u64>], time| policy.count(times, time).is_met();
        let signed = self.times.iter().enumerate();
        let signed = signed.filter_map(|(at, time)| time.map(|_| at));
        for (at, witness) in signed.zip(&self.witnesses) {
            let mut others = self.times.clone();
            others
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|time| *time = None);
            let is_needed =
                |certified| is_met(&self.times, certified) && !is_met(&others, certified);
            if !is_needed(None) && !is_needed(certified) {
                let found = format!(
                    "the policy doesn't need the signature of \"{}\"",
                    witness.name
                );
                return Err(Stop::refute(Rule::Needed, found));
            }
        }
        Ok(())
    }
}

fn time_to_seconds(time: Time) -> u64 {
    time.0 / 1000
}

pub(crate) fn seconds_to_time(seconds: u64) -> Time {
    Time(seconds.saturating_mul(1000))
}
