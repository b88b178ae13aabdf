//! What a validator that starts is told of its own votes.
//!
//! A disk that was copied back to an older day knows nothing of the votes that its key has cast since, and the engine
//! would cast others in the same views. But whoever got a vote has its signature. So a validator that starts asks the
//! others first, and runs the engine once a quorum, itself included, has answered: fewer can make nothing final, so
//! nobody waits for longer than the chain would. Votes that come back go into the engine's journal, from which it
//! starts as if it had never lost them; the newest certificate of finality says in which views nobody votes anymore.
//!
//! Nobody has to be believed: a vote counts by this validator's own signature, a certificate by a quorum's. Only the
//! answer "I have none" is taken on trust, from as many as can't all be malicious.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chartseal_codec::{DecodeError, Decoder, Encoder};
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Artifact;
use commonware_consensus::{Epochable as _, Viewable as _};
use commonware_cryptography::certificate::{Membership, Scheme as _, Verifier as _};
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_cryptography::sha256::Digest;
use commonware_p2p::{Blocker, Receiver, Recipients, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Metrics, ReadOptions, Spawner, Storage};
use commonware_storage::journal::segmented::variable::{Config, Journal};
use commonware_utils::ordered::Quorum as _;
use tokio::sync::mpsc;

use super::epochs::Term;
use super::shared::Shared;
use super::start::{BUFFER, VIEWS_KEPT};
use super::votes::{Vote, is_same_kind, signer};
use crate::certificate::{Finalization, rng};
use crate::evidence::MAX_VOTE;

/// The most votes of an answer: three kinds in each view that is kept.
const MAX_VOTES: usize = 3 * 256;
const _: () = assert!(VIEWS_KEPT == 256);
/// The most bytes of a certificate of 64 members.
const MAX_CERTIFICATE: usize = 8 * 1024;
/// How soon a peer may ask again, since answers are larger than questions; and how soon another answer of it is read.
const PAUSE: Duration = Duration::from_millis(100);
/// How many answers wait to be read.
const WAITING: usize = 64;

/// A message on the channel of recalled votes. Its bytes are hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recall {
    /// Which votes of mine have you seen?
    Ask,
    /// These.
    Answer(Answer),
}

/// What a validator has seen of another one's votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The epoch that the answerer is in.
    pub epoch: u64,
    /// The epoch's newest certificate of finality, in the engine's encoding; empty if the answerer has none.
    pub newest: Vec<u8>,
    /// The asker's votes in later views of the epoch, in the engine's encoding; 768 at most.
    pub votes: Vec<Vec<u8>>,
}

impl Recall {
    /// Its canonical bytes: `[0]`, or `[1, epoch, newest, [vote]]`.
    pub fn bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        match self {
            Self::Ask => {
                e.array(1).uint(0);
            }
            Self::Answer(answer) => {
                e.array(4).uint(1).uint(answer.epoch).bytes(&answer.newest);
                e.array(answer.votes.len());
                for vote in &answer.votes {
                    e.bytes(vote);
                }
            }
        }
        e.finish()
    }

    /// The message whose bytes these are.
    ///
    /// # Errors
    /// [`DecodeError`]: no canonical message within its bounds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        let fields = d.at("recall").array(4)?;
        let recall = match (d.at("kind").uint_in(0, 1)?, fields) {
            (0, 1) => Self::Ask,
            (1, 4) => Self::Answer(Answer {
                epoch: d.at("epoch").uint()?,
                newest: d.at("newest").bytes(MAX_CERTIFICATE)?.to_vec(),
                votes: d
                    .at("votes")
                    .list_of(MAX_VOTES, |d| Ok(d.bytes(1 + MAX_VOTE)?.to_vec()))?,
            }),
            _ => return Err(d.invalid("a question has one field, an answer four")),
        };
        d.finish()?;
        Ok(recall)
    }
}

/// Starts the task that answers others, and hands their answers on while somebody waits for them.
pub(crate) fn start<E, S, R, B>(
    context: E,
    shared: Arc<Shared>,
    (mut sender, mut receiver): (S, R),
    mut blocker: B,
) -> mpsc::Receiver<(EngineKey, Answer)>
where
    E: Spawner + Clock,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
    B: Blocker<PublicKey = EngineKey>,
{
    let (answers, answered) = mpsc::channel(WAITING);
    context.spawn(move |context| async move {
        let (mut served, mut heard) = (BTreeMap::new(), BTreeMap::new());
        let is_early = |of: &mut BTreeMap<EngineKey, SystemTime>, peer: &EngineKey| {
            let now = context.current();
            let is_early = of.get(peer).is_some_and(|last| now < *last + PAUSE);
            if !is_early {
                of.insert(peer.clone(), now);
            }
            is_early
        };
        while let Ok((peer, bytes)) = receiver.recv().await {
            match Recall::from_bytes(bytes.as_ref()) {
                Ok(Recall::Ask) if is_early(&mut served, &peer) => {}
                Ok(Recall::Ask) => {
                    if let Some(answer) = shared.recall(&peer) {
                        let answer = Recall::Answer(answer).bytes();
                        let _ = sender.send(Recipients::One(peer), answer, true);
                    }
                }
                // Whoever answers without end leaves others' answers their place.
                Ok(Recall::Answer(_)) if is_early(&mut heard, &peer) => {}
                // Nobody waits anymore, or there are more than anybody waits for.
                Ok(Recall::Answer(answer)) => drop(answers.try_send((peer, answer))),
                Err(why) => {
                    tracing::warn!(?peer, %why, "peer sends what no honest validator does");
                    let _ = blocker.block(peer);
                }
            }
        }
    });
    answered
}

impl Shared {
    /// What is answered to a peer; nothing to whoever is not of the present committee.
    fn recall(&self, peer: &EngineKey) -> Option<Answer> {
        let term = self.epochs.present()?;
        let asker = term.scheme.participants().index(peer)?;
        let core = self.core();
        let newest = core.seen.newest().map(|newest| newest.encode().to_vec());
        let votes = core.seen.by(asker).take(MAX_VOTES);
        Some(Answer {
            epoch: term.epoch,
            newest: newest.unwrap_or_default(),
            votes: votes.map(|vote| vote.encode().to_vec()).collect(),
        })
    }
}

/// Asks, and waits until enough have answered.
pub(crate) struct Asking<S> {
    sender: S,
    answers: BTreeMap<EngineKey, Answer>,
}

impl<S: Sender<PublicKey = EngineKey>> Asking<S> {
    pub(crate) fn new(sender: S) -> Self {
        Self {
            sender,
            answers: BTreeMap::new(),
        }
    }

    pub(crate) fn ask(&mut self) {
        let _ = self.sender.send(Recipients::All, Recall::Ask.bytes(), true);
    }

    /// Whether it is the first of this peer's.
    pub(crate) fn take(&mut self, peer: EngineKey, answer: Answer) -> bool {
        self.answers.insert(peer, answer).is_none()
    }

    /// What this validator has to know before it votes in a term, once a quorum has told it.
    pub(crate) fn told(&self, term: &Term) -> Option<Told> {
        let participants = term.scheme.participants();
        let answers = self.answers.iter();
        let answers = answers.filter(|(peer, answer)| {
            answer.epoch == term.epoch && participants.index(peer).is_some()
        });
        let answers: Vec<&Answer> = answers.map(|(_, answer)| answer).collect();
        (answers.len() as u64 + 1 >= term.quorum).then(|| Told::of(term, &answers))
    }
}

/// What a quorum told, checked.
#[derive(Default)]
pub(crate) struct Told {
    /// No vote is cast at or below its view.
    pub(crate) newest: Option<Finalization>,
    /// This validator's votes in later views, by view.
    votes: Vec<Vote>,
}

impl Told {
    fn of(term: &Term, answers: &[&Answer]) -> Self {
        let members = term.scheme.participants().len();
        let mut told = Self::default();
        // Without randomness no signature is checked, and nothing is taken.
        let Ok(mut rng) = rng() else {
            return told;
        };
        let newest: BTreeSet<&[u8]> = answers.iter().map(|answer| &*answer.newest).collect();
        for bytes in newest {
            let Ok(of) = Finalization::decode_cfg(Copying(bytes), &members) else {
                continue;
            };
            let is_newer = told
                .newest
                .as_ref()
                .is_none_or(|old| old.view() < of.view());
            if is_newer
                && of.epoch().get() == term.epoch
                && !of.view().is_zero()
                && of.verify(&mut rng, &*term.scheme, &Sequential)
            {
                told.newest = Some(of);
            }
        }
        let votes: BTreeSet<&[u8]> = answers
            .iter()
            .flat_map(|answer| answer.votes.iter().map(Vec::as_slice))
            .collect();
        for bytes in votes {
            let Ok(vote) = Vote::decode(Copying(bytes)) else {
                continue;
            };
            let is_over = told
                .newest
                .as_ref()
                .is_some_and(|of| vote.view() <= of.view());
            if !is_over
                && vote.epoch().get() == term.epoch
                && term.scheme.me() == Some(Membership::Signer(signer(&vote)))
                && is_signed(&vote, &term.scheme, &mut rng)
            {
                told.votes.push(vote);
            }
        }
        told.votes.sort_by_key(Vote::view);
        told
    }

    /// Puts votes that the engine's journal lacks into it. Gives how many; `None` if a vote to finalize is among them.
    /// The engine casts one only in a view that it has left, so it takes none without the certificates that let it:
    /// until a view as late is final, this validator follows the chain and does not vote.
    ///
    /// # Errors
    /// Why the journal can't be read or written.
    pub(crate) async fn restore<E: Storage + Metrics>(
        &self,
        context: E,
        scheme: &Scheme,
        partition: String,
        cache: CacheRef,
    ) -> Result<Option<usize>, commonware_storage::journal::Error> {
        if self.votes.is_empty() {
            return Ok(Some(0));
        }
        let config = Config {
            partition,
            compression: None,
            codec_config: scheme.certificate_codec_config(),
            page_cache: cache,
            write_buffer: BUFFER,
        };
        let journal = Journal::<E, Artifact<Scheme, Digest>>::init(context, config).await?;
        let mut replay = journal
            .replay(0, 0, BUFFER, ReadOptions::DONT_CACHE)
            .await?;
        let mut known: BTreeMap<u64, Vec<Vote>> = BTreeMap::new();
        while let Some(artifact) = replay.next().await {
            let vote = match artifact?.3 {
                Artifact::Notarize(vote) => Vote::Notarize(vote),
                Artifact::Nullify(vote) => Vote::Nullify(vote),
                Artifact::Finalize(vote) => Vote::Finalize(vote),
                _ => continue,
            };
            known.entry(vote.view().get()).or_default().push(vote);
        }
        let mut journal = replay.finish()?;
        let is_lost = |vote: &Vote| {
            let known = known.get(&vote.view().get());
            let is_known = known.is_some_and(|all| all.iter().any(|old| excludes(old, vote)));
            !is_known && !journal.pruned(vote.view().get())
        };
        let mut finalized = self
            .votes
            .iter()
            .filter(|it| matches!(it, Vote::Finalize(_)));
        if finalized.any(is_lost) {
            return Ok(None);
        }
        let mut restored = 0;
        for vote in &self.votes {
            let view = vote.view().get();
            let known = known.entry(view).or_default();
            if journal.pruned(view) || known.iter().any(|old| excludes(old, vote)) {
                continue;
            }
            known.push(vote.clone());
            let artifact = match vote.clone() {
                Vote::Notarize(vote) => Artifact::Notarize(vote),
                Vote::Nullify(vote) => Artifact::Nullify(vote),
                Vote::Finalize(vote) => Artifact::Finalize(vote),
            };
            journal = journal.append(view, &artifact).await?.0;
            restored += 1;
        }
        journal.sync_all().await?;
        Ok(Some(restored))
    }
}

/// Whether a journal that has one vote of a view has no room for another: it is of the same kind, or a key that was
/// used twice signed what no engine signs, and the engine takes no such journal.
fn excludes(known: &Vote, vote: &Vote) -> bool {
    let conflicts = matches!(
        (known, vote),
        (Vote::Nullify(_), Vote::Finalize(_)) | (Vote::Finalize(_), Vote::Nullify(_))
    );
    conflicts || is_same_kind(known, vote)
}

fn is_signed(vote: &Vote, scheme: &Scheme, rng: &mut impl rand_core::CryptoRng) -> bool {
    match vote {
        Vote::Notarize(vote) => vote.verify(rng, scheme, &Sequential),
        Vote::Nullify(vote) => vote.verify::<_, Digest>(rng, scheme, &Sequential),
        Vote::Finalize(vote) => vote.verify(rng, scheme, &Sequential),
    }
}
