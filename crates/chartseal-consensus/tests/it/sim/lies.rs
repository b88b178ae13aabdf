//! A validator that lies to who has to catch up. It runs the engine like the others, but requests for blocks,
//! certificates and recalled votes reach somebody else, who answers in its place.

use std::sync::{Arc, Mutex};

use chartseal_consensus::engine::{Answer, Recall};
use chartseal_ledger::Block;
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::Viewable as _;
use commonware_consensus::marshal::resolver::handler::Key;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalization, Nullification};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::sha256::Digest;
use commonware_p2p::utils::mux;
use commonware_p2p::{Receiver as _, Recipients, Sender as _};
use commonware_runtime::{IoBuf, Spawner as _, Supervisor as _, deterministic};

use super::heard::{Certificate, Deeds, Heard, Known, Library, answer, of_epoch, request};
use super::links::{self, Ends};
use super::plan::Rng;

/// How an answer is untrue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// There is no answer.
    Silence,
    /// It says that it has nothing.
    Nothing,
    /// It is true, so that it is asked again.
    Truth,
    /// It is true of something else: another height, an older view.
    Other,
    /// A signature is not one, or the body is another.
    Altered,
    /// Half of it is missing.
    Cut,
}

impl Lie {
    const ALL: [Self; 6] = [
        Self::Silence,
        Self::Nothing,
        Self::Truth,
        Self::Other,
        Self::Altered,
        Self::Cut,
    ];
    /// Those that nobody can hold against it.
    const SLY: [Self; 3] = [Self::Silence, Self::Nothing, Self::Truth];
}

struct Liar {
    heard: Heard,
    rng: Rng,
    /// Of blocks, certificates and votes, whether it says only what can't be held against it. Who says more is soon spoken to
    /// by nobody.
    is_sly: [bool; 3],
    library: Library,
    deeds: Deeds,
}

/// Answers in its validator's place, until it ends.
pub fn start(
    context: &deterministic::Context,
    channels: Ends,
    members: usize,
    seed: u64,
    library: Library,
    deeds: Deeds,
) {
    let mut rng = Rng::new(seed);
    let liar = Liar {
        heard: Heard::new(members),
        is_sly: std::array::from_fn(|_| rng.one_in(2)),
        rng,
        library,
        deeds,
    };
    let liar = Arc::new(Mutex::new(liar));
    for (channel, (mut sender, mut receiver)) in (0..).zip(channels) {
        let liar = Arc::clone(&liar);
        let context = context.child("liar").with_attribute("channel", channel);
        context.spawn(move |_| async move {
            while let Ok((peer, message)) = receiver.recv().await {
                let answer = liar.lock().unwrap().answer(channel, &message);
                if let Some(answer) = answer {
                    let _ = sender.send(Recipients::One(peer), answer, true);
                }
            }
        });
    }
}

impl Liar {
    fn answer(&mut self, channel: u64, message: &IoBuf) -> Option<Vec<u8>> {
        match channel {
            links::BACKFILL => {
                let (number, key) = request(message.as_ref())?;
                let key = Key::<Digest>::decode(Copying(key)).ok()?;
                let lie = self.choose(0);
                let value = self.block(&key, lie);
                let of = match key {
                    Key::Block(_) => "block",
                    Key::Finalized { .. } => "height",
                    Key::Notarized { .. } => "view",
                };
                self.note(of, lie, value.is_some());
                if lie == Lie::Silence {
                    return None;
                }
                Some(answer(number, value))
            }
            links::RESOLVER => {
                let (epoch, message) = mux::parse(message.clone()).ok()?;
                let (number, key) = request(message.as_ref())?;
                let view = u64::from_be_bytes(key.try_into().ok()?);
                let lie = self.choose(1);
                let value = self.certificate(epoch, view, lie);
                self.note("certificate", lie, value.is_some());
                if lie == Lie::Silence {
                    return None;
                }
                Some(of_epoch(epoch, &answer(number, value)))
            }
            links::RECALL => {
                let lie = self.choose(2);
                self.note("votes", lie, true);
                (lie != Lie::Silence).then(|| self.votes(lie))
            }
            channel => {
                self.heard.note(channel, message);
                None
            }
        }
    }

    /// How it answers the next question about blocks, certificates or votes.
    fn choose(&mut self, of: usize) -> Lie {
        if self.is_sly[of] {
            *self.rng.choose(&Lie::SLY)
        } else {
            *self.rng.choose(&Lie::ALL)
        }
    }

    /// Counts an answer. Who knows nothing to make a lie of says that it has nothing.
    fn note(&mut self, of: &str, lie: Lie, is_told: bool) {
        let lie = if is_told || lie == Lie::Silence {
            lie
        } else {
            Lie::Nothing
        };
        let mut deeds = self.deeds.lock().unwrap();
        *deeds.entry(format!("{of}: {lie:?}")).or_default() += 1;
    }

    /// What is answered to whoever asks for a block.
    fn block(&mut self, key: &Key<Digest>, lie: Lie) -> Option<Vec<u8>> {
        self.heard.read(&self.library);
        let mut known = self.heard.known();
        known.retain(|known| known.is_like(key));
        // What nobody has yet it does not lie about: that would have it cut off before it is asked for what matters.
        let truth = known.iter().find(|known| known.answers(key)).cloned()?;
        known.retain(|known| !known.answers(key));
        let other = (!known.is_empty()).then(|| self.rng.choose(&known).clone());
        match lie {
            Lie::Silence | Lie::Nothing => None,
            Lie::Truth => Some(truth.bytes()),
            Lie::Other => other.map(|other| other.bytes()),
            Lie::Altered => Some(self.altered(truth, other).bytes()),
            Lie::Cut => Some(halved(truth.bytes())),
        }
    }

    /// The same header with another body, or the block with a certificate that nobody signed.
    fn altered(&mut self, known: Known, other: Option<Known>) -> Known {
        let Known { certificate, block } = known;
        if let Some(certificate) = &certificate
            && self.rng.one_in(2)
        {
            let certificate = Some(forged(certificate));
            return Known { certificate, block };
        }
        let mut block = Block::clone(&block);
        if block.transactions.pop().is_none() {
            let others = other.map(|other| other.block.transactions.clone());
            block.transactions = others.unwrap_or_default();
        }
        let block = Arc::new(block);
        Known { certificate, block }
    }

    /// A certificate of another view, or one by which what was notarized is final.
    fn confused(&mut self, certificate: &Certificate) -> Certificate {
        match certificate.clone() {
            Certificate::Notarization(of) if self.rng.one_in(2) => {
                Certificate::Finalization(Finalization {
                    proposal: of.proposal,
                    certificate: of.certificate,
                })
            }
            other => forged(&other),
        }
    }

    /// What is answered to whoever asks for the certificate of a view.
    fn certificate(&mut self, epoch: u64, view: u64, lie: Lie) -> Option<Vec<u8>> {
        let all = self.heard.certificates.iter();
        let all = all.filter(|(of, _)| *of == epoch).map(|(_, it)| it.clone());
        let (truth, old): (Vec<_>, Vec<_>) = all.partition(|it| it.view().get() >= view);
        // Whoever asks takes what is of the view itself, or a later one that makes it needless.
        let truth = truth.into_iter().min_by_key(Certificate::view);
        let old = (!old.is_empty()).then(|| self.rng.choose(&old).clone());
        let bytes = |it: Option<Certificate>| it.map(|it| it.encode().to_vec());
        match lie {
            Lie::Silence | Lie::Nothing => None,
            Lie::Truth => bytes(truth),
            Lie::Other => bytes(old),
            Lie::Altered => {
                let of_view = old.map(|old| skipped(&old, epoch, view));
                bytes(truth.map(|truth| self.confused(&truth)).or(of_view))
            }
            Lie::Cut => bytes(truth.or(old)).map(halved),
        }
    }

    /// What is answered to whoever asks for its votes.
    fn votes(&mut self, lie: Lie) -> Vec<u8> {
        let certificates = self.heard.certificates.iter();
        let finals: Vec<_> = certificates
            .filter_map(|(_, it)| match it {
                Certificate::Finalization(of) => Some(of.clone()),
                _ => None,
            })
            .collect();
        let (oldest, newest) = (finals.first().cloned(), finals.last().cloned());
        let encoded = |of: Option<Final>| of.map(|of| of.encode().to_vec()).unwrap_or_default();
        let mut answer = Answer {
            epoch: self.heard.epoch(),
            newest: Vec::new(),
            votes: Vec::new(),
        };
        match lie {
            // It has seen none.
            Lie::Silence | Lie::Nothing => {}
            // As far as it knows there are none above what is final.
            Lie::Truth => answer.newest = encoded(newest),
            // What is final is long ago, and there may be votes of another epoch.
            Lie::Other => {
                answer.newest = encoded(oldest);
                answer.epoch += self.rng.range(0, 2);
            }
            // A view is final that nobody has come to, and there are votes that nobody cast.
            Lie::Altered => {
                answer.newest = encoded(newest.map(far));
                answer.votes = (0..768)
                    .map(|view| forged_vote(view, &mut self.rng))
                    .collect();
            }
            Lie::Cut => return halved(Recall::Answer(answer).bytes()),
        }
        Recall::Answer(answer).bytes()
    }
}

type Final = Finalization<Scheme, Digest>;

/// The same, of a view far ahead.
fn far(mut of: Final) -> Final {
    let round = of.proposal.round;
    of.proposal.round = Round::new(round.epoch(), View::new(round.view().get() + 1_000));
    of
}

/// A certificate of the next view under this one's signatures.
fn forged(certificate: &Certificate) -> Certificate {
    let later = |round: Round| Round::new(round.epoch(), View::new(round.view().get() + 1));
    let mut certificate = certificate.clone();
    match &mut certificate {
        Certificate::Notarization(of) => of.proposal.round = later(of.proposal.round),
        Certificate::Nullification(of) => of.round = later(of.round),
        Certificate::Finalization(of) => of.proposal.round = later(of.proposal.round),
    }
    certificate
}

/// A vote to skip a view, with somebody's name and a signature that is none.
fn forged_vote(view: u64, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&Round::new(Epoch::zero(), View::new(view)).encode());
    bytes.push(rng.range(0, 4).to_le_bytes()[0]);
    bytes.extend((0..64).map(|_| rng.next().to_le_bytes()[0]));
    bytes
}

/// A certificate that a view was skipped, under signatures of something else.
fn skipped(other: &Certificate, epoch: u64, view: u64) -> Certificate {
    let round = Round::new(Epoch::new(epoch), View::new(view));
    let certificate = match other.clone() {
        Certificate::Notarization(of) => of.certificate,
        Certificate::Nullification(of) => of.certificate,
        Certificate::Finalization(of) => of.certificate,
    };
    Certificate::Nullification(Nullification { round, certificate })
}

fn halved(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}
