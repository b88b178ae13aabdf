use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::to_bytes;
use chartseal_merkle::{Frontier, Hash, verify_consistency, verify_inclusion};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::export::{EntrySpan, Finality};
use chartseal_wire::history::{EntryView, EventView};
use chartseal_wire::{
    BlockHeader, Checkpoint, Committee, Entry, Export, HistorySection, ProofFile, SealedText,
    Subject, Time,
};

use crate::anomaly::{self, Anomaly, Context};
use crate::equivocation::{Equivocation, certified};
use crate::finality;
use crate::ids::Ids;
use crate::kept::{Kept, KeptHistory, fit, to_keep};
use crate::policy::{Quorum, TrustPolicy};
use crate::report::{Certified, Entries, History, Name, Report, assumptions, limits};
use crate::rules::Rule;
use crate::signatures::{self, Signed, seconds_to_time};
use crate::told::{Told, told};
use crate::verdict::{Doubt, Refutation, Stop, Verdict};

/// How long after an emergency's end the reviews of its accesses are due, unless [`Options`] says
/// otherwise: 72 hours.
pub const REVIEW_PERIOD_MS: u64 = 72 * 3600 * 1000;

/// What a verifier may ask for beyond the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How fresh the histories have to be; `None`: freshness is reported, not judged.
    pub freshness: Option<Freshness>,
    /// How long after an emergency's end the reviews of its accesses are due, in ms.
    pub review_period_ms: u64,
}

/// The verifier's clock, and how far the export's time may lie from it, before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The verifier's clock.
    pub now: Time,
    /// How far, in ms.
    pub max_age_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            freshness: None,
            review_period_ms: REVIEW_PERIOD_MS,
        }
    }
}

/// Verifies one export file.
///
/// `kept` is what the verdict on an earlier export left to remember: an export that contradicts it is
/// refuted, and one that continues it may hold the newer entries alone.
///
/// The rules are checked in the order of [`Rule::ALL`], except that a file that breaks a rule is
/// refuted even if something else can't be told.
pub fn verify(file: &str, policy: &TrustPolicy, kept: Option<&Kept>, options: &Options) -> Verdict {
    examine(file, policy, kept, options).0
}

/// As [`verify`]; and everything that can't be told, whatever the verdict is: which rules were not checked for
/// it, [`Doubt::leaves_out`] says.
pub fn examine(
    file: &str,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
    options: &Options,
) -> (Verdict, Vec<Doubt>) {
    let mut doubts = Vec::new();
    let verdict = judged(prove(file, policy, kept, options, &mut doubts));
    (verdict, doubts)
}

pub(crate) fn judged<T>(outcome: Result<T, Stop>) -> Verdict<T> {
    match outcome {
        Ok(proved) => Verdict::Proved(Box::new(proved)),
        Err(Stop::Refuted(refutation)) => Verdict::Refuted(refutation),
        Err(Stop::Doubt(doubt)) => Verdict::CannotTell(doubt),
    }
}

/// A file whose header is in a log, as far as the policy knows who signed it.
pub(crate) struct Head {
    /// The export's bytes, in which its entries stay: a report shares them.
    bytes: Arc<Vec<u8>>,
    pub(crate) export: Export<EntrySpan>,
    /// The file without its export.
    file: ProofFile,
    pub(crate) checkpoint: Checkpoint,
    /// How it meets the policy's quorum; or what is missing to tell.
    pub(crate) signed: Result<(Signed, Option<Certified>, Quorum), Doubt>,
}

impl Head {
    /// What can't be told is added to `doubts`: a rule that is broken behind it still refutes.
    pub(crate) fn read(
        file: &str,
        policy: &TrustPolicy,
        kept: Option<&Kept>,
        doubts: &mut Vec<Doubt>,
    ) -> Result<Self, Stop> {
        let mut file = ProofFile::parse(file).map_err(|e| Stop::refute(Rule::File, e))?;
        let bytes = Arc::new(core::mem::take(&mut file.extra));
        let export = Export::read(&bytes).map_err(|e| Stop::refute(Rule::Export, e))?;
        let checkpoint = Checkpoint::parse(&file.checkpoint.text)
            .map_err(|e| Stop::refute(Rule::Checkpoint, e))?;
        let header = &export.header;
        if checkpoint.origin != origin(&header.chain) {
            return Err(Stop::refute(Rule::Origin, "another log than the header's"));
        }
        // From here on something may be missing. A rule that is broken counts for more, so go on.
        let signed = doubted(
            signatures::check(&file.checkpoint, &checkpoint, policy),
            doubts,
        )?;
        let finality = export.finality.as_ref();
        if let Some(finality) = finality {
            finality::check(finality, &file, &checkpoint, header)?;
        }
        let kept = kept.filter(|kept| kept.origin() == checkpoint.origin);
        let signed = match signed {
            Ok(signed) => doubted(met(signed, finality, header.time, policy, kept), doubts)?,
            Err(doubt) => Err(doubt),
        };
        if let Ok((signed, ..)) = &signed {
            // A certificate that may count, whatever was kept: the verdict on a line must not depend on that.
            let finality = finality.filter(|_| policy.committee().is_some());
            let certified = finality.map(|_| header.time);
            let has_handovers = finality.is_some_and(|finality| !finality.handovers.is_empty());
            signed.check_needed(policy, certified, has_handovers)?;
        }
        check_header(&file, &checkpoint, header)?;
        Ok(Self {
            bytes,
            export,
            file,
            checkpoint,
            signed,
        })
    }

    /// The file as a statement to keep: if the committee counts, with its certificate.
    fn statement(&self, policy: &TrustPolicy) -> String {
        let finality = self.export.finality.as_ref();
        let finality = finality.filter(|_| policy.committee().is_some());
        let certified = finality.map(|one| certified(&self.file, &self.export.header, one));
        to_keep(certified, self.file.checkpoint.to_string())
    }

    /// Up to when nothing can be newer than what the header fixes.
    pub(crate) fn fresh_as_of(&self, quorum: &Quorum) -> Time {
        let header = &self.export.header;
        let is_last = header.height == self.checkpoint.size - 1;
        match quorum.time.map(seconds_to_time) {
            Some(time) if is_last => time,
            Some(time) => time.min(header.time),
            None => header.time,
        }
    }
}

fn doubted<T>(outcome: Result<T, Stop>, doubts: &mut Vec<Doubt>) -> Result<Result<T, Doubt>, Stop> {
    match outcome {
        Ok(good) => Ok(Ok(good)),
        Err(Stop::Doubt(doubt)) => {
            doubts.push(doubt.clone());
            Ok(Err(doubt))
        }
        Err(refuted) => Err(refuted),
    }
}

fn prove(
    file: &str,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
    options: &Options,
    doubts: &mut Vec<Doubt>,
) -> Result<Report, Stop> {
    let head = Head::read(file, policy, kept, doubts)?;
    let (checkpoint, header) = (&head.checkpoint, &head.export.header);
    let same_chain = kept.filter(|kept| kept.origin() == checkpoint.origin);
    let signed = head.signed.as_ref();

    // What nobody signed contradicts nothing.
    let kept = kept.filter(|_| signed.is_ok());
    let same_chain = same_chain.filter(|_| signed.is_ok());
    if let (Some(kept), None) = (kept, same_chain) {
        doubts.push(Doubt::OtherChain {
            kept: kept.origin().into(),
            found: checkpoint.origin.clone(),
        });
    }
    let kept = same_chain;
    let before = doubts.len();
    let mut found = check_histories(&head.bytes, &head.export.histories, header, kept, doubts)?;
    // Of a history that can't be judged the texts can't either.
    let texts = if doubts.len() == before {
        check_texts(&head.export.texts, &found.entries)?
    } else {
        Ids::default()
    };
    doubts.extend(check_growth(&head, policy, kept)?);
    if let Some(subject) = found.rewritten {
        let found = format!("{}: others than were verified before", Name(&subject));
        return Err(Stop::refute(Rule::Continues, found));
    }
    let (_, certified, quorum) = signed.map_err(|doubt| Stop::Doubt(doubt.clone()))?;
    if let Some(first) = doubts.first() {
        return Err(Stop::Doubt(first.clone()));
    }
    let custodians = certified.as_ref().and_then(|one| one.custodians);
    let anomalies = find_anomalies(&mut found, header, custodians, kept, options, &texts);
    let fresh_as_of = head.fresh_as_of(quorum);
    check_freshness(fresh_as_of, options)?;
    // An older committee never takes the place of a later one, and another kind of policy forgets none.
    let over = kept.and_then(|kept| kept.committee);
    let committee = policy
        .committee()
        .map(|_| (header.epoch, header.next_committee))
        .filter(|(epoch, _)| over.is_none_or(|(over, _)| over <= *epoch))
        .or(over);
    let kept = Kept {
        statement: head.statement(policy),
        checkpoint: checkpoint.clone(),
        height: header.height,
        time: header.time,
        histories: found.logs,
        committee,
    };
    let (height, time) = (header.height, header.time);
    let (
        Signed {
            log_key, witnesses, ..
        },
        certified,
        quorum,
    ) = head.signed.map_err(Stop::Doubt)?;
    let rests_on = assumptions(&quorum, certified.as_ref(), &witnesses, policy);
    Ok(Report {
        origin: head.checkpoint.origin,
        log_key,
        witnesses,
        log_size: head.checkpoint.size,
        log_root: head.checkpoint.root,
        height,
        time,
        fresh_as_of,
        histories: found.histories,
        anomalies,
        assumptions: rests_on.chain(limits(custodians)).collect(),
        certified,
        quorum,
        kept,
        texts: head.export.texts,
    })
}

/// How the signatures, and the certificate of the header of this time, meet the policy's quorum.
pub(crate) fn met(
    signed: Signed,
    finality: Option<&Finality>,
    time: Time,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
) -> Result<(Signed, Option<Certified>, Quorum), Stop> {
    let is_witnessed = !signed.witnesses.is_empty();
    // Who is not asked for by the policy says nothing.
    let finality = finality.filter(|_| policy.committee().is_some());
    let certified = finality
        .map(|finality| finality::judge(finality, policy, kept, is_witnessed))
        .transpose();
    let quorum = signed.quorum(policy, &certified, time)?;
    Ok((signed, certified.ok().flatten(), quorum))
}

pub(crate) fn check_header(
    file: &ProofFile,
    checkpoint: &Checkpoint,
    header: &BlockHeader,
) -> Result<(), Stop> {
    let (index, height, log_size) = (file.index, header.height, header.log_size);
    if height != index || log_size != height {
        let found = format!("height {height} and log size {log_size} at index {index}");
        return Err(Stop::refute(Rule::Height, found));
    }
    verify_inclusion(
        header.leaf(),
        index,
        checkpoint.size,
        &file.proof,
        checkpoint.root,
    )
    .map_err(|e| Stop::refute(Rule::Inclusion, e))
}

/// Whether the log under the checkpoint begins with the one that was kept.
fn check_growth(
    head: &Head,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
) -> Result<Option<Doubt>, Stop> {
    let (checkpoint, header) = (&head.checkpoint, &head.export.header);
    let growth = head.export.growth.as_ref();
    let from = growth.map(|growth| growth.from);
    let Some(kept) = kept else {
        return Ok(from.map(|_| Doubt::GrowthFromElsewhere { from, kept: None }));
    };
    let (old, new) = (&kept.checkpoint, checkpoint);
    if new.size < old.size || header.height < kept.height {
        let found = format!(
            "block {} in a log of {}, after block {} in a log of {}",
            header.height, new.size, kept.height, old.size
        );
        return Err(Stop::refute(Rule::RolledBack, found));
    }
    if new.size == old.size && new.root != old.root {
        let evidence = Equivocation {
            first: kept.statement.clone(),
            second: head.statement(policy),
        };
        // What rested on an older policy, or on what was kept, need not convince anybody else.
        let is_evidence = evidence.verify(policy).is_ok();
        return Err(Stop::Refuted(Refutation {
            rule: Rule::Fork,
            detail: format!("another root of the log of {}", new.size),
            equivocation: is_evidence.then(|| Box::new(evidence)),
        }));
    }
    match growth {
        None if new.size == old.size => Ok(None),
        Some(growth) if growth.from == old.size => {
            verify_consistency(old.size, old.root, new.size, new.root, &growth.proof)
                .map_err(|e| Stop::refute(Rule::Growth, e))?;
            Ok(None)
        }
        _ => Ok(Some(Doubt::GrowthFromElsewhere {
            from,
            kept: Some(old.size),
        })),
    }
}

/// The histories of an export, as far as they can be judged.
struct Checked<'a> {
    histories: Vec<History>,
    /// The entries of each.
    entries: Vec<Vec<EntryView<'a>>>,
    /// What to keep of each, by subject.
    logs: Vec<KeptHistory>,
    /// The first one that does not continue what was kept.
    rewritten: Option<Subject>,
}

fn check_histories<'a>(
    export: &'a Arc<Vec<u8>>,
    sections: &[HistorySection<EntrySpan>],
    header: &BlockHeader,
    kept: Option<&Kept>,
    doubts: &mut Vec<Doubt>,
) -> Result<Checked<'a>, Stop> {
    let mut found = Checked {
        histories: Vec::with_capacity(sections.len()),
        entries: Vec::with_capacity(sections.len()),
        logs: Vec::with_capacity(sections.len()),
        rewritten: None,
    };
    doubts.extend(sections.is_empty().then_some(Doubt::NoHistory));
    for (subject, _) in kept.into_iter().flat_map(Kept::histories) {
        if sections.iter().all(|section| section.subject != subject) {
            doubts.push(Doubt::HistoryMissing { subject });
        }
    }
    for section in sections {
        let subject = section.subject;
        match check_history(export, section, header, kept)? {
            Ok(judged) => {
                found.logs.push(KeptHistory {
                    subject,
                    log: judged.log,
                    memory: None,
                });
                let entries = Entries::new(export, &section.entries);
                let history = History::new(subject, section.first, entries);
                found.histories.push(history);
                found.entries.push(judged.entries);
                if !judged.continues {
                    found.rewritten.get_or_insert(subject);
                }
            }
            Err(earlier) => doubts.push(earlier),
        }
    }
    Ok(found)
}

/// A history that is complete at the header.
struct Judged<'a> {
    log: Frontier,
    entries: Vec<EntryView<'a>>,
    /// Whether it begins with what was kept, and goes on in later blocks.
    continues: bool,
}

/// A complete history; or why its beginning can't be judged.
fn check_history<'a>(
    export: &'a [u8],
    section: &HistorySection<EntrySpan>,
    header: &BlockHeader,
    kept: Option<&Kept>,
) -> Result<Result<Judged<'a>, Doubt>, Stop> {
    let subject = section.subject;
    let refute = |rule, found: &str| Stop::refute(rule, format!("{}: {found}", Name(&subject)));
    // The value at the slot; a slot without one is a history without entries.
    let value = to_bytes(&section.log);
    let value = (section.log.size() > 0).then_some(value.as_slice());
    section
        .proof
        .verify(header.state_root, &subject.slot(), value)
        .map_err(|e| refute(Rule::Slot, &e.to_string()))?;

    let known = kept.and_then(|kept| Some((kept.height, &kept.history(&subject)?.log)));
    let known_size = known.map_or(0, |(_, log)| log.size());
    let mut log = match known {
        Some((_, log)) if log.size() == section.first => log.clone(),
        _ if section.first == 0 => Frontier::new(),
        _ => {
            return Ok(Err(Doubt::EarlierPartMissing {
                subject,
                first: section.first,
                kept: known_size,
            }));
        }
    };
    let (found, expected) = (section.entries.len() as u64, section.log.size());
    if section.first.checked_add(found) != Some(expected) {
        let found = format!(
            "{found} entries from entry {} on, of {expected}",
            section.first
        );
        return Err(refute(Rule::Count, &found));
    }
    let mut continues = log.size() == known_size;
    let mut entries = section.entries.of(export);
    if let (Some((_, known)), false) = (known, continues) {
        let old = usize::try_from(known_size).unwrap_or(usize::MAX);
        Entry::append(&mut log, entries.by_ref().take(old));
        continues = log == *known;
    }
    Entry::append(&mut log, entries);
    if log != section.log {
        let found = format!("{expected} entries that are not those of the slot");
        return Err(refute(Rule::Complete, &found));
    }

    // No entry is as short: a hostile count costs no more memory than the bytes that came with it.
    let most = section.entries.bytes() / 64;
    let mut entries: Vec<EntryView<'_>> = Vec::with_capacity(section.entries.len().min(most));
    for (at, bytes) in (section.first..).zip(section.entries.of(export)) {
        let entry =
            EntryView::read(bytes).map_err(|e| refute(Rule::Entry, &format!("entry {at}: {e}")))?;
        let least = entries.last().map_or(0, |before| before.height);
        if !(least..=header.height).contains(&entry.height) {
            let (found, most) = (entry.height, header.height);
            let found = format!("entry {at} of block {found}, not {least} to {most}");
            return Err(refute(Rule::EntryHeight, &found));
        }
        // What was verified before ends with the kept block.
        let is_old = known.is_some_and(|(height, _)| entry.height <= height);
        continues &= !is_old || at < known_size;
        entries.push(entry);
    }
    Ok(Ok(Judged {
        log,
        entries,
        continues,
    }))
}

/// The commitments of the texts, each of which some entry makes.
fn check_texts(texts: &[SealedText], entries: &[Vec<EntryView<'_>>]) -> Result<Ids<Hash>, Stop> {
    if texts.is_empty() {
        return Ok(Ids::default());
    }
    let mut made = Ids::default();
    for entry in entries.iter().flatten() {
        let reason = match &entry.event {
            EventView::Access(access) => Some(access.reason),
            EventView::Released(_) | EventView::RecordAdded(_) => None,
            EventView::Other(event) => match told(event) {
                Some(Told::Emergency { reason, .. } | Told::Said { reason, .. }) => Some(reason),
                _ => None,
            },
        };
        if let Some(reason) = reason {
            made.insert(&reason, 0);
        }
    }
    let mut found = Ids::default();
    for (at, text) in texts.iter().enumerate() {
        let commitment = text.commitment();
        if !made.contains(&commitment) {
            let found = format!("text {at} belongs to no entry");
            return Err(Stop::refute(Rule::Text, found));
        }
        found.insert(&commitment, 0);
    }
    Ok(found)
}

fn find_anomalies(
    found: &mut Checked<'_>,
    header: &BlockHeader,
    custodians: Option<u64>,
    kept: Option<&Kept>,
    options: &Options,
    texts: &Ids<Hash>,
) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let here = found.histories.iter().map(|history| history.subject);
    let before = kept.into_iter().flat_map(Kept::histories);
    let subjects: Vec<Subject> = here.chain(before.map(|(subject, _)| subject)).collect();
    let judged = found.histories.iter_mut().zip(&found.entries);
    for ((history, entries), to_keep) in judged.zip(&mut found.logs) {
        let kept = kept.filter(|_| history.is_part());
        let before = kept.and_then(|kept| kept.history(&history.subject));
        let context = Context {
            since: kept.map_or(Time(0), |kept| kept.time),
            until: header.time,
            review_ms: options.review_period_ms,
            custodians: custodians.unwrap_or(Committee::MAX as u64),
            texts,
            subjects: &subjects,
            before: before.and_then(|before| before.memory.as_ref()),
        };
        let (odd, memory) = anomaly::scan(history, entries, &context);
        anomalies.extend(odd);
        to_keep.memory = memory;
    }
    fit(&mut found.logs);
    anomalies
}

pub(crate) fn check_freshness(fresh_as_of: Time, options: &Options) -> Result<(), Stop> {
    match options.freshness {
        Some(Freshness { now, max_age_ms }) if fresh_as_of.0.abs_diff(now.0) > max_age_ms => {
            Err(Stop::Doubt(Doubt::Stale {
                fresh_as_of,
                now,
                max_age_ms,
            }))
        }
        _ => Ok(()),
    }
}
