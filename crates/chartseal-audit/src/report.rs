use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::from_bytes;
use chartseal_merkle::Hash;
use chartseal_wire::export::{EntrySlices, EntrySpan};
use chartseal_wire::{Entry, OrgId, PublicKey, SealedText, Subject, Time};

use crate::anomaly::Anomaly;
use crate::kept::Kept;
use crate::policy::{Quorum, TrustPolicy};

/// What was proved. Nothing in it is taken from the file unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The chain's log, as the policy names it.
    pub origin: String,
    /// The proposer's key that signed the checkpoint.
    pub log_key: PublicKey,
    /// The witnesses that cosigned it, under their names in the policy, in its order.
    pub witnesses: Vec<Cosigner>,
    /// The committee's certificate of the block, if the policy names the committee and the file has one.
    pub certified: Option<Certified>,
    /// How they meet the policy's quorum.
    pub quorum: Quorum,
    /// The number of blocks under the checkpoint.
    pub log_size: u64,
    /// Their root.
    pub log_root: Hash,
    /// The height of the block after which the histories were exported.
    pub height: u64,
    /// That block's time.
    pub time: Time,
    /// Up to when the histories are known to be complete: if the block is the checkpoint's last, the
    /// time that a quorum attests ([`Quorum::time`]), else the block's own.
    pub fresh_as_of: Time,
    /// The histories, by subject.
    pub histories: Vec<History>,
    /// The sealed texts to which entries commit.
    pub texts: Vec<SealedText>,
    /// What should not be in the histories, or not so.
    pub anomalies: Vec<Anomaly>,
    /// On what all of this rests, in sentences.
    pub assumptions: Vec<String>,
    /// What to remember for the next export.
    pub kept: Kept,
}

/// A block that a committee certified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certified {
    /// The committee's term.
    pub epoch: u64,
    /// The engine's view in which the block was final.
    pub view: u64,
    /// The organizations that signed, by their validators' keys.
    pub signers: Vec<OrgId>,
    /// How many members the committee has.
    pub of: u64,
    /// How many of them may be corrupt.
    pub tolerates: u64,
    /// How often office changed hands since the committee that was trusted before.
    pub handovers: u64,
    /// How many members the largest committee since the genesis's had, if the file shows them all: they are the
    /// custodians, and none of them has a higher index.
    pub custodians: Option<u64>,
}

/// A witness that cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Its name in the policy.
    pub name: String,
    /// When it cosigned, by its own clock, to the second.
    pub time: Time,
}

/// One history, or its newer part: every entry from `first` up to the report's height.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// Whose it is.
    pub subject: Subject,
    /// How many entries came before, verified earlier.
    pub first: u64,
    /// The entries from there on, all of them.
    pub entries: Entries,
    /// Access attempts of which at least one record was permitted.
    pub permitted: u64,
    /// Access attempts of which none was, counted ones included.
    pub denied: u64,
    /// Emergencies declared.
    pub declarations: u64,
    /// Access attempts that an emergency opened.
    pub emergencies: u64,
    /// Emergency accesses whose review is still to come, and in time.
    pub open_reviews: Vec<OpenReview>,
    /// Custodians' receipts.
    pub releases: u64,
    /// Records erased.
    pub erasures: u64,
    /// Reason texts that are missing, and covered by an erasure of a record that they spoke of.
    pub redacted: u64,
    /// Entries that refer to something before `first`, and were not judged for it.
    pub unjudged: u64,
    /// Whether the kept state holds nothing of the emergencies, holds and erasures before `first`: it was
    /// written by an older version, or there were too many. Then what became of them is not judged.
    pub is_unremembered: bool,
}

/// A review that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReview {
    /// The emergency access's entry.
    pub entry: u64,
    /// Until when it has to be reviewed.
    pub due: Time,
}

impl History {
    pub(crate) fn new(subject: Subject, first: u64, entries: Entries) -> Self {
        Self {
            subject,
            first,
            entries,
            permitted: 0,
            denied: 0,
            declarations: 0,
            emergencies: 0,
            open_reviews: Vec::new(),
            releases: 0,
            erasures: 0,
            redacted: 0,
            unjudged: 0,
            is_unremembered: false,
        }
    }

    /// Whether earlier entries are left out.
    pub fn is_part(&self) -> bool {
        self.first > 0
    }

    /// The number of entries of the whole history.
    pub fn total(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

/// The entries of a history, in their order. All were checked; each is decoded when it is looked at.
///
/// ```
/// # use chartseal_audit::{Options, TrustPolicy, Verdict, verify};
/// # let file = include_str!("../tests/vectors/visit.tlog-proof");
/// # let policy = TrustPolicy::parse(include_str!("../tests/vectors/trust.policy"))?;
/// # let Verdict::Proved(report) = verify(file, &policy, None, &Options::default()) else { panic!() };
/// let entries = &report.histories[0].entries;
/// assert_eq!(entries.iter().count(), entries.len());
/// assert!(entries.iter().all(|entry| entry.height <= report.height));
/// # Ok::<(), chartseal_wire::FormatError>(())
/// ```
#[derive(Clone)]
pub struct Entries {
    /// The bytes of the export, which the histories of a report share.
    export: Arc<Vec<u8>>,
    span: EntrySpan,
}

impl Entries {
    pub(crate) fn new(export: &Arc<Vec<u8>>, span: &EntrySpan) -> Self {
        Self {
            export: export.clone(),
            span: span.clone(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.span.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.span.is_empty()
    }

    /// Each one.
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        // What was checked decodes: that is a property test, and a fuzzer's.
        self.bytes().filter_map(|bytes| from_bytes(bytes).ok())
    }

    /// The canonical bytes of each one, of which the history's log is made.
    pub fn bytes(&self) -> EntrySlices<'_> {
        self.span.of(&self.export)
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// On what a proof rests.
pub(crate) fn assumptions(
    quorum: &Quorum,
    certified: Option<&Certified>,
    witnesses: &[Cosigner],
    policy: &TrustPolicy,
) -> impl Iterator<Item = String> + use<> {
    let Quorum {
        name, needed, of, ..
    } = quorum;
    let holders = match quorum.overlap() {
        _ if *of == 0 => "The log's key is honest: the policy asks for no witness.".to_string(),
        0 => alloc::format!(
            "All {of} members of \"{name}\" are honest: {needed} of them is too few to exclude that \
             others signed another history."
        ),
        overlap => alloc::format!(
            "Fewer than {overlap} of the {of} members of \"{name}\" are corrupt. Then every signature \
             of {needed} of them is on the one history that there is."
        ),
    };
    let committee = certified.map(|certified| {
        let Certified {
            epoch,
            of,
            tolerates,
            handovers,
            ..
        } = certified;
        let now = alloc::format!(
            "At most {tolerates} of the {of} validators of epoch {epoch} are corrupt, and the keys of its \
             committee are still its own."
        );
        let before = " Office changed hands since the committee that was trusted before: a witness of \
                      the policy vouches that this is the network's history.";
        let alone = " No witness saw the block: its time is the committee's own word. If its term is over, \
                     whoever finds its keys can date a block as they like, and freshness does not show it.";
        match handovers {
            0 if witnesses.is_empty() => now + alone,
            0 => now,
            _ => now + before,
        }
    });
    // Where the committee alone is asked for, its own members are all there are.
    let holders = (!policy.asks_committee_alone()).then_some(holders);
    let lines = [
        "The policy is the network's own: whoever chose its keys chose whom to believe.",
        "Ed25519 and SHA-256 hold.",
    ];
    let lines = lines.map(String::from);
    committee.into_iter().chain(holders).chain(lines)
}

/// What the histories of a report do not tell.
pub(crate) fn limits(custodians: Option<u64>) -> impl Iterator<Item = String> {
    let unknown = custodians.is_none().then_some(
        "How many custodians there were, the file does not show from the genesis's committee on: of a \
         receipt's custodian it was checked only that the number is from 1 to 64.",
    );
    [
        "The histories are those of the ids named here. Whether a person has other ids, and what \
         happened outside of the network, is not in them.",
        "An entry says what the network decided and what custodians say that they released. What \
         somebody did with a record that they could read, no ledger sees.",
    ]
    .into_iter()
    .chain(unknown)
    .map(String::from)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Proved: these histories are authentic and complete.")?;
        writeln!(f, "  chain      {}, {} blocks", self.origin, self.log_size)?;
        let Quorum {
            name,
            signed,
            needed,
            of,
            ..
        } = &self.quorum;
        writeln!(
            f,
            "  quorum     {signed} of {of} of \"{name}\", {needed} needed"
        )?;
        for witness in &self.witnesses {
            writeln!(f, "  cosigned   {} at {}", witness.name, witness.time)?;
        }
        if let Some(certified) = &self.certified {
            let (signed, of) = (certified.signers.len(), certified.of);
            let (epoch, handovers) = (certified.epoch, certified.handovers);
            writeln!(
                f,
                "  certified  {signed} of {of} of epoch {epoch}, {handovers} handovers"
            )?;
        }
        writeln!(f, "  block      {} of {}", self.height, self.time)?;
        writeln!(f, "  complete   up to {}", self.fresh_as_of)?;
        self.histories
            .iter()
            .try_for_each(|history| write!(f, "{history}"))?;
        if self.anomalies.is_empty() {
            writeln!(f, "No anomalies.")?;
        } else {
            writeln!(f, "Anomalies ({}):", self.anomalies.len())?;
        }
        for Anomaly {
            subject,
            entry,
            kind,
        } in &self.anomalies
        {
            writeln!(f, "  {} entry {entry}: {kind}", Name(subject))?;
        }
        writeln!(f, "This rests on:")?;
        self.assumptions
            .iter()
            .try_for_each(|line| writeln!(f, "  - {line}"))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "History of {}:", Name(&self.subject))?;
        match (self.first, self.total()) {
            (_, 0) => writeln!(f, "  empty: nothing has happened")?,
            (first, total) if first == total => writeln!(f, "  nothing new since entry {first}")?,
            (first, total) => writeln!(f, "  entries    {first} to {}", total - 1)?,
        }
        writeln!(
            f,
            "  attempts   {} permitted, {} denied",
            self.permitted, self.denied
        )?;
        writeln!(f, "  releases   {} receipts by custodians", self.releases)?;
        let (declared, opened) = (self.declarations, self.emergencies);
        writeln!(f, "  emergency  {declared} declared, {opened} accesses")?;
        for OpenReview { entry, due } in &self.open_reviews {
            writeln!(f, "  review     of entry {entry} due by {due}")?;
        }
        let (erased, redacted) = (self.erasures, self.redacted);
        writeln!(
            f,
            "  erasures   {erased} records, {redacted} reason texts gone with them"
        )?;
        if self.unjudged > 0 {
            writeln!(
                f,
                "  not judged {} entries refer to what was exported before",
                self.unjudged
            )?;
        }
        if self.is_unremembered && matches!(self.subject, Subject::Patient(_)) {
            writeln!(
                f,
                "  not judged reviews, holds and erasures from before entry {}: they were not kept",
                self.first
            )?;
        }
        Ok(())
    }
}

/// A subject in words.
pub(crate) struct Name<'a>(pub(crate) &'a Subject);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Patient(id) => write!(f, "patient {id}"),
            Subject::Actor(id) => write!(f, "actor {id}"),
        }
    }
}
