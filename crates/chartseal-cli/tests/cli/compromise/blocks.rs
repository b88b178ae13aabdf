//! P4, P6: blocks that are not the final ones, altered or invented, with every certificate that stolen keys can make.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use chartseal::{Options, TrustPolicy, Verdict};
use chartseal_api::{Blocks, FinalBlock, ValueProof};
use chartseal_audit::{Contradiction, Equivocation, NoEquivocation, Rule, verify_header};
use chartseal_client::{FollowError, Light, LightError};
use chartseal_codec::{Bytes, from_bytes, to_bytes};
use chartseal_consensus::{Replica as _, Validating as _};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::{Block, Executed, propose};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, ExportRequest};
use chartseal_wire::history::state_key;
use chartseal_wire::{
    BlockHeader, Certificate, Export, Hash, PatientId, ProofFile, Signature, SignedNote, Subject,
    Time,
};

use super::visit::{Stolen, Visit};

/// How many of these blocks there are up to the last one with a certificate.
pub(super) fn newest_certified(blocks: &[FinalBlock]) -> u64 {
    let last = blocks.iter().rposition(|it| it.certificate.is_some());
    last.unwrap() as u64 + 1
}

/// Blocks that are not the final ones are not followed, whoever serves them.
pub(super) fn serve_altered(visit: &Visit) {
    let blocks = visit.blocks();
    let follow = |blocks: Vec<FinalBlock>| {
        let mut follower = visit.follower(&blocks, 0);
        let taken = follower.take(&Blocks { blocks }, NonZeroUsize::MIN);
        taken.map(|_| follower.height())
    };
    assert!(follow(blocks.clone()).unwrap() > 0);
    let full = |block: &&Block| !block.transactions.is_empty();
    let parsed: Vec<Block> = blocks
        .iter()
        .map(|it| Block::from_bytes(&it.block.0).unwrap())
        .collect();
    let at = parsed.iter().position(|block| full(&block)).unwrap();
    let bytes = blocks[at].block.0.len();
    for place in (0..bytes).step_by(bytes / 40) {
        let mut altered = blocks.clone();
        altered[at].block.0[place] ^= 1;
        assert!(follow(altered).is_err(), "byte {place}");
    }
    // A transaction is left out, and the header says so.
    let mut block = parsed[at].clone();
    block.transactions.pop();
    let mut without = blocks.clone();
    without[at].block = Bytes(block.bytes());
    assert!(follow(without).is_err());
    // Nobody certified it.
    let mut bare = blocks;
    bare.truncate(at + 1);
    for block in &mut bare {
        block.certificate = None;
    }
    assert_eq!(follow(bare).unwrap(), 0);
}

/// A chain of the attackers' own, from the last block that all of them have.
pub(super) struct Fork {
    /// The height of that block.
    base: u64,
    /// What they made after it. The last one is of the height of the honest export, and they certified it.
    blocks: Vec<FinalBlock>,
    last: BlockHeader,
    /// What they prove under its header, and the export of a history.
    proof: ValueProof,
    export: String,
}

/// Which value of the state they show.
fn shown(patient: PatientId) -> chartseal_merkle::MapKey {
    state_key("patient", &patient.0)
}

impl Fork {
    /// Goes on without what became final since, up to the height of an honest export.
    pub(super) fn new(visit: &Visit, stolen: &mut [Stolen], honest: &str) -> Self {
        let base = stolen[0].node.head().height();
        let height = exported(honest).header.height;
        assert!(base < height, "something became final since");
        let mut blocks = Vec::new();
        let last = loop {
            let (block, executed) = next(&stolen[0]);
            let is_last = block.header.height == height;
            let certificate = is_last.then(|| by_all(visit, stolen, &block.header));
            for one in stolen.iter_mut() {
                let kept = one.node.keep(&block, &executed, certificate.as_ref());
                kept.unwrap();
            }
            blocks.push(FinalBlock {
                block: Bytes(block.bytes()),
                certificate: None,
            });
            if is_last {
                break block.header;
            }
        };
        let patient = visit.patient.id();
        let certified = stolen[0].node.certified().unwrap().unwrap();
        Self {
            base,
            blocks,
            last,
            proof: certified.prove_value(&shown(patient)),
            export: exported_by(stolen, patient, 0),
        }
    }

    /// Whether who follows the chain goes on with it, under a certificate.
    fn followed(&self, visit: &Visit, certificate: &Certificate) -> Result<(), FollowError> {
        let honest = visit.blocks();
        let mut follower = visit.follower(&honest, self.base);
        let before = follower.height();
        let mut blocks = self.blocks.clone();
        // What they believe already is not the attackers' to give.
        blocks.last_mut().unwrap().certificate = Some(Bytes(certificate.bytes()));
        let taken = follower.take(&Blocks { blocks }, NonZeroUsize::MIN);
        if taken.is_err() {
            // Nothing of it stays, and the honest chain is gone on with.
            assert_eq!((follower.height(), follower.next()), (before, before + 1));
            // The network may not have made another one since.
            for _ in 0..100 {
                let blocks = visit.blocks();
                let taken = follower.take(&Blocks { blocks }, NonZeroUsize::MIN);
                taken.unwrap();
                if follower.height() > before {
                    break;
                }
                thread::sleep(Duration::from_millis(200));
            }
            assert!(follower.height() > before);
        }
        taken.map(|_| ())
    }

    /// What the verifier and a light client say of its header, under a certificate.
    fn proved(&self, visit: &Visit, certificate: &Certificate) -> Option<Rule> {
        let head = recertified(&self.proof.head, certificate);
        let policy = policy(visit);
        let mut light = Light::new(policy.clone());
        let proof = ValueProof {
            head: head.clone(),
            ..self.proof.clone()
        };
        let value = light.judge_value(&shown(visit.patient.id()), proof);
        match verify_header(&head, &policy, &Options::default()) {
            Verdict::Proved(_) => {
                assert!(matches!(value, Ok(Some(_))), "{value:?}");
                None
            }
            Verdict::Refuted(refutation) => {
                let Err(LightError::Header(why)) = value else {
                    panic!("{value:?}");
                };
                let rule = refutation.rule.to_string();
                assert!(why.contains(&rule), "{why}");
                assert_eq!(light.height(), 0);
                Some(refutation.rule)
            }
            doubt @ Verdict::CannotTell(_) => panic!("{doubt}"),
        }
    }
}

/// Followers and light clients refuse the block under every certificate that fewer than a quorum's keys can make, and each
/// says why; and two headers of one height convict nobody of two signatures.
pub(super) fn is_refused(visit: &Visit, stolen: &[Stolen], fork: &Fork, honest: &str) {
    let few = "fewer than a quorum signed";
    let unsigned = "an invalid signature in a certificate";
    let other = "the certificate of another block";
    let epoch = "a certificate of another epoch";
    let header = &fork.last;
    let n = visit.genesis.committee().n();
    let theirs = seats(visit, stolen);
    let own: Vec<_> = (0..).zip(theirs.iter().map(|(_, keys)| *keys)).collect();
    // The seats of honest validators are filled with the first stolen key.
    let mut full = theirs.clone();
    let free = (0..n).filter(|at| theirs.iter().all(|(taken, _)| taken != at));
    full.extend(free.map(|at| (at, theirs[0].1)));
    full.sort_by_key(|(at, _)| *at);
    let blocks = visit.blocks();
    let certified = blocks.iter().rev().find_map(|it| it.certificate.as_ref());
    let honestly = Certificate::parse(&certified.unwrap().0).unwrap();
    let signatures: Vec<(u64, Signature)> =
        honestly.signed().map(|(at, it)| (at as u64, *it)).collect();
    let (view, parent) = (honestly.view, honestly.parent_view);
    let moved = Certificate::new((0, view, parent), header.leaf(), n, &signatures);
    let later = BlockHeader {
        epoch: 1,
        ..header.clone()
    };
    let mut of_another_epoch = certificate(&later, n, &full);
    of_another_epoch.block = header.leaf();
    for (certificate, why, rule) in [
        (
            certificate(header, n, &theirs),
            few,
            Rule::CertificateQuorum,
        ),
        // A committee of themselves.
        (
            certificate(header, own.len() as u64, &own),
            few,
            Rule::CertificateQuorum,
        ),
        (
            certificate(header, n, &full),
            unsigned,
            Rule::CertificateSignature,
        ),
        // What honest validators signed of another block.
        (moved.unwrap(), unsigned, Rule::CertificateSignature),
        (honestly, other, Rule::Certificate),
        (of_another_epoch, epoch, Rule::Certificate),
    ] {
        let refused = fork.followed(visit, &certificate);
        let Err(FollowError::Certificate { height, why: said }) = refused else {
            panic!("{why}: {refused:?}");
        };
        assert_eq!((height, said.as_str()), (header.height, why));
        assert_eq!(fork.proved(visit, &certificate), Some(rule), "{why}");
    }

    let evidence = Equivocation::between(honest, &fork.export).unwrap();
    match evidence.verify(&policy(visit)) {
        Err(NoEquivocation::Refuted(why)) => assert_eq!(why.rule, Rule::CertificateQuorum),
        other => panic!("{other:?}"),
    }
}

/// With a quorum's keys the same block is believed; then the two headers convict who signed both, and nobody else.
pub(super) fn is_believed(visit: &Visit, stolen: &[Stolen], fork: &Fork, honest: &str) {
    let certificate = by_all(visit, stolen, &fork.last);
    fork.followed(visit, &certificate).unwrap();
    assert_eq!(fork.proved(visit, &certificate), None);
    let evidence = Equivocation::between(honest, &fork.export).unwrap();
    let proof = evidence.verify(&policy(visit)).unwrap();
    let height = fork.last.height;
    assert_eq!(proof.contradiction, Contradiction::Block { height });
    let orgs = stolen
        .iter()
        .map(|it| format!("organization {}", it.node.org()));
    let orgs: Vec<String> = orgs.collect();
    // Two quorums of four have two in common at least.
    assert!(proof.both.len() >= 2, "{:?}", proof.both);
    assert!(
        proof.both.iter().all(|name| orgs.contains(name)),
        "{:?}",
        proof.both
    );
}

/// What a header is made to say, and the rule that refuses it.
type Change = (&'static str, fn(&mut BlockHeader));

/// A header that says what the ledger's rules do not give is refused by its rule, whoever certifies it.
pub(super) fn invent_headers(visit: &Visit, stolen: &[Stolen]) {
    let honest = visit.blocks();
    let base = newest_certified(&honest);
    let head = visit.follower(&honest, base).head().clone();
    let block = propose(&head, Clock::System.now(), []).block;
    let changes: [Change; 6] = [
        ("CS-LED-83", |header| header.epoch = 1),
        ("CS-LED-85", |header| header.parent.0[0] ^= 1),
        ("CS-LED-86", |header| header.time = Time(0)),
        ("CS-LED-87", |header| header.log_root.0[0] ^= 1),
        ("CS-LED-88", |header| header.next_committee = Hash([6; 32])),
        ("CS-LED-91", |header| header.state_root.0[0] ^= 1),
    ];
    for (rule, change) in changes {
        let mut block = block.clone();
        change(&mut block.header);
        let certificate = by_all(visit, stolen, &block.header);
        let given = FinalBlock {
            block: Bytes(block.bytes()),
            certificate: Some(Bytes(certificate.bytes())),
        };
        let blocks = vec![given];
        let mut follower = visit.follower(&honest, base);
        let refused = follower.take(&Blocks { blocks }, NonZeroUsize::MIN);
        let Err(FollowError::Block { why, .. }) = refused else {
            panic!("{rule}: {refused:?}");
        };
        assert_eq!(why.rule(), rule);
        assert_eq!(follower.height(), base);
    }
}

/// A history after a block that was made without the others, with every cosignature that these nodes can give.
pub(super) fn shadow(stolen: &mut [Stolen], patient: PatientId) -> String {
    let (block, _) = next(&stolen[0]);
    for one in stolen.iter_mut() {
        one.node.execute(&block).unwrap();
        one.node.commit(block.header.leaf()).unwrap();
    }
    exported_by(stolen, patient, stolen.len())
}

/// An export by the first node, cosigned by so many of them.
fn exported_by(stolen: &[Stolen], patient: PatientId, cosigners: usize) -> String {
    let issuer = &stolen[0].node;
    let checkpoint = issuer.checkpoint();
    let mut signatures = vec![issuer.sign_checkpoint(&checkpoint).unwrap()];
    for one in &stolen[..cosigners] {
        signatures.push(one.node.cosign_checkpoint(&checkpoint).unwrap());
    }
    let request = ExportRequest {
        histories: vec![(Subject::Patient(patient), 0)],
        log_size: None,
    };
    let note = SignedNote {
        text: checkpoint.to_string(),
        signatures,
    };
    issuer.export(&request, note).unwrap().to_string()
}

/// The next block of a node's own making: what anybody asked for is left out.
fn next(of: &Stolen) -> (Block, Executed) {
    let proposed = propose(of.node.head(), Clock::System.now(), []);
    (proposed.block, proposed.executed)
}

/// The stolen validators' places in the committee.
fn seats<'a>(visit: &Visit, stolen: &'a [Stolen]) -> Vec<(u64, &'a SigningKeyPair)> {
    let validators = visit.genesis.committee().validators();
    let keys = stolen.iter().map(|one| &one.keys.cosigner);
    let seat = |keys: &SigningKeyPair| {
        let key = public(keys);
        validators
            .iter()
            .position(|it| it.validator == key)
            .unwrap() as u64
    };
    let mut seats: Vec<_> = keys.map(|keys| (seat(keys), keys)).collect();
    seats.sort_by_key(|(at, _)| *at);
    seats
}

/// What all of them certify together.
fn by_all(visit: &Visit, stolen: &[Stolen], header: &BlockHeader) -> Certificate {
    certificate(header, visit.genesis.committee().n(), &seats(visit, stolen))
}

/// A certificate of a header with signatures under these numbers.
fn certificate(
    header: &BlockHeader,
    members: u64,
    signers: &[(u64, &SigningKeyPair)],
) -> Certificate {
    let views = (header.epoch, 1_000_000, 999_999);
    let made = |signed: &[(u64, Signature)]| {
        Certificate::new(views, header.leaf(), members, signed).unwrap()
    };
    let blank: Vec<_> = signers
        .iter()
        .map(|(at, _)| (*at, Signature([0; 64])))
        .collect();
    let message = made(&blank).message(&header.chain);
    let signed: Vec<_> = signers
        .iter()
        .map(|(at, keys)| (*at, sign(keys, &message)))
        .collect();
    made(&signed)
}

/// What counts for who trusts the committee.
fn policy(visit: &Visit) -> TrustPolicy {
    TrustPolicy::parse(&visit.network.committee_policy()).unwrap()
}

fn exported(file: &str) -> Export {
    from_bytes(&ProofFile::parse(file).unwrap().extra).unwrap()
}

/// The same file with another certificate of its header.
fn recertified(file: &str, certificate: &Certificate) -> String {
    let mut export = exported(file);
    export.finality.as_mut().unwrap().certificate = certificate.clone();
    let mut file = ProofFile::parse(file).unwrap();
    file.extra = to_bytes(&export);
    file.to_string()
}
