//! A validator that sends as much as it can of what nobody may cut it off for. It runs the engine like the others; beside that
//! every channel is flooded in its name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chartseal_consensus::engine::{Answer, MAX_FRAME_BYTES, Recall};
use chartseal_consensus::namespace;
use chartseal_ledger::{Block, SignedTransaction};
use chartseal_wire::{ChainId, Hash};
use commonware_codec::Encode as _;
use commonware_consensus::marshal::resolver::handler::Key;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalize, Nullify, Proposal, Vote};
use commonware_consensus::types::{Epoch, Height, Round, View};
use commonware_cryptography::sha256::Digest;
use commonware_p2p::{Receiver as _, Recipients, Sender as _};
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::ordered::Set;

use super::heard::{Certificate, Deeds, Heard, ask, carried, of_epoch};
use super::links::{self, Ends};
use super::plan::Rng;

/// How often it votes, and how many votes later it sends something on every channel.
const PULSE: Duration = Duration::from_millis(10);
const ALL: u64 = 10;
/// The most transactions of a frame.
const FRAME: usize = 512;

/// Makes an actor's transaction of a sequence number, a last height, and a number of its own; large ones are asked for.
pub type Signer = Box<dyn Fn(u64, u64, u8, bool) -> SignedTransaction + Send>;

/// Who floods.
pub struct Flooder {
    pub number: usize,
    /// How many validators the first committee has.
    pub members: usize,
    pub chain: ChainId,
    /// Actors whose keys it has.
    pub actors: Vec<Signer>,
    pub deeds: Deeds,
}

struct Flood {
    flooder: Flooder,
    scheme: Scheme,
    heard: Arc<Mutex<Heard>>,
    rng: Rng,
    /// The number of its next request.
    request: u64,
}

/// Floods every channel until its validator ends.
pub fn start(context: &deterministic::Context, channels: Ends, flooder: Flooder) {
    let heard = Arc::new(Mutex::new(Heard::new(flooder.members)));
    let mut senders = Vec::new();
    for (channel, (sender, mut receiver)) in (0..).zip(channels) {
        senders.push(sender);
        let heard = Arc::clone(&heard);
        let context = context.child("heard").with_attribute("channel", channel);
        context.spawn(move |_| async move {
            while let Ok((_, message)) = receiver.recv().await {
                heard.lock().unwrap().note(channel, &message);
            }
        });
    }
    let mut flood = Flood::new(flooder, heard);
    context.child("flood").spawn(move |context| async move {
        for pulse in 0_u64.. {
            context.sleep(PULSE).await;
            let channels = if pulse % ALL == 0 { senders.len() } else { 1 };
            for (channel, sender) in (0..).zip(&mut senders[..channels]) {
                for (to, message) in flood.messages(channel) {
                    let _ = sender.send(to, message, false);
                }
            }
        }
    });
}

type Message = (
    Recipients<commonware_cryptography::ed25519::PublicKey>,
    Vec<u8>,
);

impl Flood {
    fn new(flooder: Flooder, heard: Arc<Mutex<Heard>>) -> Self {
        let key = links::signing_key(flooder.number);
        let members = Set::from_iter_dedup((0..flooder.members).map(links::name));
        let scheme = Scheme::signer(&namespace(&flooder.chain), members, key).unwrap();
        Self {
            rng: Rng::new(flooder.number as u64),
            flooder,
            scheme,
            heard,
            request: 0,
        }
    }

    /// What it sends at once on a channel.
    fn messages(&mut self, channel: u64) -> Vec<Message> {
        // Mostly a steady flood, now and then more than any queue holds.
        let many = match channel {
            links::VOTES => 2,
            _ if self.rng.one_in(20) => 400,
            _ => 10,
        };
        let (name, messages): (_, Vec<Message>) = match channel {
            links::VOTES => ("votes", to_all((0..many).map(|_| self.vote()))),
            links::CERTIFICATES => ("certificates", to_all(self.certificates(many))),
            links::RESOLVER => ("asks for certificates", {
                to_all((0..many).map(|_| self.asks_certificate()))
            }),
            links::BACKFILL => ("asks for blocks", {
                to_all((0..many).map(|_| self.asks_block()))
            }),
            links::BLOCKS => ("blocks", to_all(self.blocks(many / 10))),
            links::TRANSACTIONS => ("frames", self.frames()),
            _ => ("recalls", to_all((0..many).map(|_| self.recall()))),
        };
        let mut deeds = self.flooder.deeds.lock().unwrap();
        *deeds.entry(name.into()).or_default() += messages.len() as u64;
        drop(deeds);
        messages
    }

    /// A vote of its own in a view or an epoch that nobody comes to.
    fn vote(&mut self) -> Vec<u8> {
        let far = (1 << 40) + self.rng.range(0, 1 << 20);
        let epoch = if self.rng.one_in(8) { 0 } else { far };
        let round = Round::new(Epoch::new(epoch), View::new(far));
        let vote = if self.rng.one_in(2) {
            Vote::Nullify(Nullify::sign::<Digest>(&self.scheme, round).unwrap())
        } else {
            let proposal = Proposal::new(round, View::new(far - 1), Digest([7; 32]));
            Vote::Finalize(Finalize::sign(&self.scheme, proposal).unwrap())
        };
        of_epoch(epoch, &vote.encode())
    }

    /// True ones, as the others sent them.
    fn certificates(&mut self, many: usize) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        let all: Vec<_> = heard.certificates.iter().cloned().collect();
        drop(heard);
        let all = (0..many * usize::from(!all.is_empty())).map(|_| self.rng.choose(&all));
        all.map(|(epoch, it)| of_epoch(*epoch, &it.encode()))
            .collect()
    }

    fn asks_certificate(&mut self) -> Vec<u8> {
        self.request += 1;
        let view = if self.rng.one_in(8) {
            u64::MAX
        } else {
            self.rng.range(0, 500)
        };
        let epoch = self.heard.lock().unwrap().epoch();
        of_epoch(epoch, &ask(self.request, &view.to_be_bytes()))
    }

    fn asks_block(&mut self) -> Vec<u8> {
        self.request += 1;
        let heard = self.heard.lock().unwrap();
        let (height, epoch) = (heard.height(), heard.epoch());
        let leaf = heard
            .blocks
            .back()
            .map_or(Hash([7; 32]), |block| block.header.leaf());
        drop(heard);
        let key = match self.rng.range(0, 4) {
            0 => Key::Block(Digest(leaf.0)),
            1 => Key::Block(Digest([9; 32])),
            2 => Key::Finalized {
                height: Height::new(self.rng.range(0, height + 64)),
            },
            _ => Key::Notarized {
                round: Round::new(Epoch::new(epoch), View::new(self.rng.range(0, height + 64))),
            },
        };
        ask(self.request, &key.encode())
    }

    /// Blocks that nobody proposed, each another one, with the body that its header names.
    fn blocks(&mut self, many: usize) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        let Some(last) = heard.blocks.back().cloned() else {
            return Vec::new();
        };
        drop(heard);
        let other = |_| {
            let mut block: Block = last.clone();
            block.header.time = block.header.time.plus_ms(self.rng.range(1, 1 << 20));
            carried(&block)
        };
        (0..many).map(other).collect()
    }

    fn recall(&mut self) -> Vec<u8> {
        if self.rng.one_in(2) {
            return Recall::Ask.bytes();
        }
        let heard = self.heard.lock().unwrap();
        let mut certificates = heard.certificates.iter().rev();
        let newest = certificates.find_map(|(_, it)| match it {
            Certificate::Finalization(of) => Some(of.encode().to_vec()),
            _ => None,
        });
        let answer = Answer {
            epoch: heard.epoch(),
            newest: newest.unwrap_or_default(),
            votes: Vec::new(),
        };
        Recall::Answer(answer).bytes()
    }

    /// Full frames: its actors' next transactions, for one half of the validators others than for the other half under the
    /// same numbers; and for the rest what is final already.
    fn frames(&mut self) -> Vec<Message> {
        let heard = self.heard.lock().unwrap();
        let (height, blocks) = (heard.height(), heard.blocks.clone());
        drop(heard);
        let finals: Vec<_> = blocks
            .iter()
            .flat_map(|block| &block.transactions)
            .collect();
        let is_large = self.rng.one_in(2);
        let halves = [
            (0..links::MAX_VALIDATORS).step_by(2),
            (1..links::MAX_VALIDATORS).step_by(2),
        ];
        let mut frames = Vec::new();
        for (variant, half) in (0..).zip(halves) {
            let mut frame = Vec::new();
            for sign in &self.flooder.actors {
                // Numbers may have gaps, so nobody has to know which one was the last.
                let next = 24 * height + 1..=24 * height + 24;
                frame.extend(next.map(|seq| sign(seq, height + 300, variant, is_large)));
            }
            if !finals.is_empty() {
                frame.extend((frame.len()..FRAME).map(|_| (*self.rng.choose(&finals)).clone()));
            }
            let mut bytes = 16;
            frame.truncate(FRAME);
            let fits = frame.iter().take_while(|it| {
                bytes += it.bytes.len() + 80;
                bytes <= MAX_FRAME_BYTES
            });
            let fits = fits.count();
            frame.truncate(fits);
            if !frame.is_empty() {
                let to = Recipients::Some(half.map(links::name).collect());
                frames.push((to, chartseal_codec::to_bytes(&frame)));
            }
        }
        frames
    }
}

fn to_all(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<Message> {
    let messages = messages.into_iter();
    messages.map(|message| (Recipients::All, message)).collect()
}
