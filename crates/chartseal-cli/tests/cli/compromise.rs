//! A node's disk, keys and place in the network are handed to an attacker, who tries each promise; then those of t − 1
//! nodes together. With t nodes the same attacks succeed: they are real ones, and that is what the promises rest on.
//! `docs/compromise.md` says what each attacker learned.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Error, Network, Offer, Options, Patient, Purpose, RecordId,
    Request, TrustPolicy, Verdict, verify,
};
use chartseal_api::{Blocks, ReleaseAsk, Submission};
use chartseal_audit::Rule;
use chartseal_client::Follower;
use chartseal_cluster::{Cluster, Serves, office};
use chartseal_codec::{Bytes, from_bytes};
use chartseal_consensus::Replica as _;
use chartseal_envelope::{
    ContentKey, Dealing, HeldShare, KemKeyPair, SigningKeyPair, combine, open, release,
};
use chartseal_ledger::body::{AccessRequested, DirectiveIssued, PractitionerEnrolled};
use chartseal_ledger::{Block, Body, Genesis, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::TxOutcome;
use chartseal_node::{
    Clock, EnvelopeFront, ExportRequest, Node, NodeError, NodeKeys, Stores, author_key, author_keys,
};
use chartseal_policy::{Grant, Grantee, Scope, Set, Symbol, Terms, Window};
use chartseal_testkit::leaks::{Found, Kind, Search};
use chartseal_vault::{
    BlobId, BlobStore as _, DirBlobStore, FileSecretStore, SecretStore as _, ShareKey, SideKey,
};
use chartseal_wire::history::Token;
use chartseal_wire::{ActorId, Event, Hash, PatientId, SignedNote, Subject, TxId};

use crate::parts::{code, people};
use crate::service::{copied, genesis, remote, serving};

const CONTENT: &str = "HbA1c 6.1 %, of a diabetes that nobody else shall know of";
const REASON: &str = "follow-up, and nobody at the desk shall know";

/// A network of four with one visit.
struct Visit {
    cluster: Cluster,
    network: Network,
    genesis: Genesis,
    doctor: Clinician,
    patient: Patient,
    record: RecordId,
    /// Permitted, and opened.
    request: Request,
    grant: TxId,
}

impl Visit {
    fn new() -> Self {
        let cluster = serving(Serves::Encrypted);
        let genesis = genesis(&cluster);
        let mut network = Network::connect(&cluster.place()).unwrap();
        let (mut author, mut doctor, mut patient) = people(&mut network);
        let kit = patient.filing_kit();
        let document = Document::new(Class::LABORATORY, "text/plain", CONTENT.as_bytes());
        let filed = author.file(&mut network, &kit, &[document], |_| ());
        let record = filed.unwrap()[0].record;
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
        let grant = patient.grant(&mut network, &doctor, &offer).unwrap().grant;
        let records = [record];
        let ask = Ask::read(patient.id(), &records, Purpose::Treat).because("visit", REASON);
        let request = doctor.request(&mut network, &ask).unwrap();
        doctor.open(&mut network, &request).unwrap();
        Self {
            cluster,
            network,
            genesis,
            doctor,
            patient,
            record,
            request,
            grant,
        }
    }

    /// Takes a node's disk and keys. It goes on running, as the attacker wishes.
    fn steal(&mut self, number: usize, to: &Path) -> Stolen {
        let config = self.cluster.config(number);
        self.cluster.kill(number);
        let place = to.join(number.to_string());
        copied(&config.directory, &place);
        self.cluster.start(number);
        let keys = || NodeKeys::from_secret_bytes(&fs::read(&config.keys).unwrap()).unwrap();
        let shares = FileSecretStore::<ShareKey>::open(place.join("shares"), &keys().store);
        let side = FileSecretStore::<SideKey>::open(place.join("side"), &keys().store).unwrap();
        let shares = shares.unwrap();
        let (mut held, mut plain) = (Vec::new(), Vec::new());
        for key in shares.keys().unwrap() {
            let share = shares.get(&key).unwrap().unwrap();
            plain.extend_from_slice(share.expose());
            held.push(HeldShare::from_storage_bytes(share.expose()).unwrap());
        }
        let mut fronts = Vec::new();
        for key in side.keys().unwrap() {
            let row = side.get(&key).unwrap().unwrap();
            plain.extend_from_slice(row.expose());
            fronts.extend(from_bytes::<EnvelopeFront>(row.expose()));
        }
        let blobs = DirBlobStore::open(place.join("blobs")).unwrap();
        let body = |front: &EnvelopeFront| blobs.get(&BlobId(front.seal.body_digest().0)).unwrap();
        let records = fronts.iter().map(|it| (it.clone(), body(it).unwrap()));
        let records = records.collect();
        drop((shares, side, blobs));
        let stores = Stores::open(&place, &keys().store).unwrap();
        let org = config.organization;
        let node = Node::open(&self.genesis, org, keys(), stores, Clock::System).unwrap();
        Stolen {
            keys: keys(),
            node,
            held,
            records,
            plain,
        }
    }

    /// What an honest node says to a question for shares: the code of its refusal.
    fn refusal(&self, request: TxId, reader: &KemKeyPair) -> String {
        let reader = reader.public_key().clone();
        let ask = ReleaseAsk { request, reader };
        code(remote(&self.cluster, 0).release(&ask, 0, Duration::ZERO))
    }

    /// What became of a transaction that the attacker hands to an honest node.
    fn is_final(&self, transaction: &SignedTransaction) -> bool {
        let node = remote(&self.cluster, 0);
        let submission = Submission {
            transaction: transaction.clone(),
            texts: Vec::new(),
        };
        if node.submit(&submission).is_err() {
            return false;
        }
        for _ in 0..300 {
            match node.outcome(&transaction.id()).unwrap() {
                TxOutcome::Final(_) => return true,
                TxOutcome::Refused(_) => return false,
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        panic!("neither final nor refused");
    }

    fn judged(&self, export: &str) -> Verdict {
        let policy = TrustPolicy::parse(&self.network.trust_policy()).unwrap();
        verify(export, &policy, None, &Options::default())
    }
}

/// All that an attacker has of a node.
struct Stolen {
    keys: NodeKeys,
    /// The node, run by the attacker on what was its disk.
    node: Node,
    held: Vec<HeldShare>,
    records: Vec<(EnvelopeFront, Vec<u8>)>,
    /// Every row of the encrypted stores, decrypted with its key.
    plain: Vec<u8>,
}

/// P1, P2, P5, P9: the contents that shares of these nodes open, with whatever else they have.
fn opened(stolen: &[Stolen]) -> Vec<String> {
    let reader = KemKeyPair::generate().unwrap();
    let request = chartseal_envelope::RequestId([7; 32]);
    let mut opened = Vec::new();
    for (front, body) in &stolen[0].records {
        let dealing = Dealing::initial(&front.header);
        // A custodian's own share needs nobody's permit: it is released to the attacker's own key.
        let of_it = stolen.iter().flat_map(|it| &it.held);
        let of_it = of_it.filter(|held| held.dealing() == &dealing);
        let releases = of_it.map(|held| release(&[held], request, reader.public_key()).unwrap());
        let releases: Vec<_> = releases.collect();
        let key: Option<ContentKey> = combine(&reader, request, &dealing, &releases)
            .ok()
            .map(|combined| combined.key);
        let Some(key) = key else { continue };
        let state = stolen[0].node.state();
        let record = state.record(&RecordId(front.header.record_id().0)).unwrap();
        let authors = author_keys(state, &record);
        let author = author_key(&authors, &front.header).unwrap();
        let content = open(&front.header, body, &front.seal, author, &key).unwrap();
        opened.push(String::from_utf8(content.content().to_vec()).unwrap());
    }
    opened
}

/// P4, P6: a history under another chain, which begins before the newest blocks, with every signature that these nodes
/// can give.
fn shadow(stolen: &mut [Stolen], patient: PatientId) -> String {
    let (block, _) = stolen[0].node.propose(Clock::System.now(), &[]).unwrap();
    for one in stolen.iter_mut() {
        one.node.execute(&block).unwrap();
        one.node.commit(block.header.leaf()).unwrap();
    }
    let issuer = &stolen[0].node;
    let checkpoint = issuer.checkpoint();
    let mut signatures = vec![issuer.sign_checkpoint(&checkpoint).unwrap()];
    for one in stolen.iter() {
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

/// A transaction under any key.
fn signed(visit: &Visit, keys: &SigningKeyPair, body: impl Into<Body>) -> SignedTransaction {
    let head = visit.network.head().unwrap();
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: visit.network.chain(),
        actor_key: public(keys),
        seq: head.state().sequence(&public(keys)) + 100,
        expires: head.height() + 500,
        body: body.into(),
    };
    transaction.sign(|message| sign(keys, message))
}

/// P2, P3, P7: whatever these keys sign as somebody else is refused.
fn forge(visit: &Visit, stolen: &Stolen) {
    let me = SigningKeyPair::generate().unwrap();
    let ephemeral = KemKeyPair::generate().unwrap();
    let bodies = || -> Vec<Body> {
        let asked = AccessRequested {
            patient: visit.patient.id(),
            records: vec![visit.record],
            action: Token::new("read").unwrap(),
            purpose: Token::new("TREAT").unwrap(),
            reason_code: Token::new("visit").unwrap(),
            reason: Hash([1; 32]),
            reader: ephemeral.key_id().0,
        };
        let enrolled = PractitionerEnrolled {
            actor: ActorId([0x66; 16]),
            key: public(&me),
            kem: [0; 32],
            roles: Set::one(Symbol::new("physician").unwrap()),
            credential: Window::default(),
            countersignature: None,
        };
        let grant = Grant {
            scope: Scope {
                to: Some(Set::one(Grantee::actor(ActorId([0x66; 16])).unwrap())),
                ..Scope::default()
            },
            ..Grant::default()
        };
        let directive = DirectiveIssued {
            patient: visit.patient.id(),
            terms: Terms::Grant(grant),
            sealed: None,
        };
        vec![asked.into(), enrolled.into(), directive.into()]
    };
    let keys = &stolen.keys;
    for by in [&keys.custodian, &keys.cosigner, &keys.log, &me] {
        for body in bodies() {
            let is_own = public(by) == public(&keys.custodian);
            let is_attempt = is_own && matches!(body, Body::AccessRequested(_));
            let forged = signed(visit, by, body);
            // An attempt by an enrolled key, a custodian's too, is on the chain: denied.
            assert_eq!(visit.is_final(&forged), is_attempt);
            let refused = visit.refusal(forged.id(), &ephemeral);
            let denied = if is_attempt {
                NodeError::DENIED
            } else {
                NodeError::UNKNOWN_REQUEST
            };
            assert_eq!(refused, denied);
        }
    }
    // Another's permit, with the attacker's key in place of the reader's.
    let refused = visit.refusal(visit.request.id(), &ephemeral);
    assert_eq!(refused, NodeError::WRONG_READER);
}

/// P6: blocks that are not the final ones are not followed, whoever serves them.
fn serve_altered_blocks(visit: &Visit) {
    let blocks = remote(&visit.cluster, 0)
        .blocks(1, Duration::ZERO)
        .unwrap()
        .blocks;
    let follow = |blocks| {
        let mut follower = Follower::new(&visit.genesis);
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

/// P1, P7, P8: what is on these disks, decrypted, tells nothing of the patient, and holds no office's key.
fn search(visit: &Visit, stolen: &[Stolen]) {
    let mut search = Search::new(&[]);
    for text in [CONTENT, REASON, "diabetes", "HbA1c"] {
        search.add(Kind::Text, text);
    }
    for number in 0..4 {
        let office = office(&visit.cluster.place(), number);
        search.add_bytes(Kind::Text, office.expose_secret_bytes());
    }
    let mut found = Found::default();
    for (number, one) in stolen.iter().enumerate() {
        search.look_into(&one.plain, &mut found);
        search.look_into(&one.keys.to_secret_bytes(), &mut found);
        let directory = visit.cluster.config(3 - number).directory;
        search.look_below(&directory, &mut found).unwrap();
    }
    assert!(found.bytes > 100_000, "{found:?}");
    assert_eq!(search.leaks(&found), Vec::<String>::new());
}

fn lacks_a_quorum(verdict: &Verdict) {
    let Verdict::Refuted(refutation) = verdict else {
        panic!("{verdict}");
    };
    assert_eq!(refutation.rule, Rule::Quorum, "{verdict}");
}

/// How many attempts a history has that is proved.
fn accesses(verdict: Verdict) -> usize {
    let Verdict::Proved(report) = verdict else {
        panic!("{verdict}");
    };
    let mut entries = report.histories[0].entries.iter();
    entries
        .by_ref()
        .filter(|entry| matches!(entry.event, Event::Access(_)))
        .count()
}

#[test]
fn a_compromised_node_breaks_no_promise_nor_do_all_but_one_of_a_threshold() {
    let mut visit = Visit::new();
    let dir = tempfile::tempdir().unwrap();
    let mut stolen = Vec::new();
    for (count, number) in [(1, 3), (2, 2)] {
        stolen.push(visit.steal(number, dir.path()));
        assert_eq!(stolen.len(), count);
        assert_eq!(stolen[0].records.len(), 1, "the ciphertext is there");
        assert_eq!(opened(&stolen), Vec::<String>::new());
        search(&visit, &stolen);
        forge(&visit, &stolen[count - 1]);
    }
    serve_altered_blocks(&visit);
    // P10: the author's own transactions, said again.
    let blocks = remote(&visit.cluster, 0)
        .blocks(1, Duration::ZERO)
        .unwrap()
        .blocks;
    let blocks = blocks
        .iter()
        .map(|it| Block::from_bytes(&it.block.0).unwrap());
    let added = blocks
        .flat_map(|block| block.transactions)
        .find(|transaction| matches!(transaction.parse().unwrap().body, Body::RecordAdded(_)));
    let before = visit.network.head().unwrap().state().record(&visit.record);
    let _ = remote(&visit.cluster, 0).submit(&Submission {
        transaction: added.unwrap(),
        texts: Vec::new(),
    });

    // P3, P7: an attempt while the first of them is silent is in the history all the same.
    visit.cluster.kill(3);
    let records = [visit.record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Hresch);
    let denied = visit.doctor.read(&mut visit.network, &ask);
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    assert_eq!(
        visit.network.head().unwrap().state().record(&visit.record),
        before
    );
    visit.cluster.start(3);
    let export = visit.patient.export(&visit.network, None).unwrap();
    // The visit's, this one, and one by each of the attacker's custodians.
    assert_eq!(accesses(visit.judged(&export)), 4);

    // P4: a chain without that attempt, cosigned by one and by two.
    let patient = visit.patient.id();
    let alone = shadow(&mut stolen[..1], patient);
    lacks_a_quorum(&visit.judged(&alone));
    // The second one's copy is newer: the first one's is brought to the same block.
    drop(stolen);
    let fresh = dir.path().join("fresh");
    fs::create_dir(&fresh).unwrap();
    let mut stolen: Vec<Stolen> = [2, 3].map(|it| visit.steal(it, &fresh)).into();
    level(&visit, &mut stolen);
    let asked = visit.doctor.read(&mut visit.network, &ask);
    assert!(matches!(asked, Err(Error::Denied(_))), "{asked:?}");
    let two = shadow(&mut stolen, patient);
    lacks_a_quorum(&visit.judged(&two));

    // P5, P9: revoked, then erased; who copied shares before has two of the three that open it.
    let revoked = visit.grant;
    visit.patient.revoke(&mut visit.network, revoked).unwrap();
    let ephemeral = KemKeyPair::generate().unwrap();
    let refused = visit.doctor.open(&mut visit.network, &visit.request);
    assert!(
        matches!(refused, Err(Error::NotReleased { .. })),
        "{refused:?}"
    );
    assert_eq!(
        visit.refusal(visit.request.id(), &ephemeral),
        NodeError::WITHDRAWN
    );
    let record = visit.record;
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert_eq!(
        visit.refusal(visit.request.id(), &ephemeral),
        NodeError::ERASED
    );
    assert_eq!(opened(&stolen), Vec::<String>::new());
    let late = visit.steal(1, &fresh);
    assert!(
        late.held.is_empty() && late.records.is_empty(),
        "honest nodes have destroyed theirs"
    );
}

/// Brings the attacker's nodes to one block: copies are made one after the other.
fn level(visit: &Visit, stolen: &mut [Stolen]) {
    let newest = stolen
        .iter()
        .map(|it| it.node.head().height())
        .max()
        .unwrap();
    let source = remote(&visit.cluster, 0);
    for one in stolen {
        while one.node.head().height() < newest {
            let next = one.node.head().height() + 1;
            let block = source
                .blocks(next, Duration::ZERO)
                .unwrap()
                .blocks
                .remove(0);
            let block = Block::from_bytes(&block.block.0).unwrap();
            one.node.execute(&block).unwrap();
            one.node.commit(block.header.leaf()).unwrap();
        }
    }
}

/// The same attacks with t nodes: beyond what is promised. That they succeed shows that they are attacks.
#[test]
fn with_a_threshold_of_nodes_the_same_attacks_succeed() {
    let mut visit = Visit::new();
    let dir = tempfile::tempdir().unwrap();
    let mut stolen: Vec<Stolen> = [1, 2, 3].map(|it| visit.steal(it, dir.path())).into();
    assert_eq!(opened(&stolen), [CONTENT]);
    level(&visit, &mut stolen);
    let records = [visit.record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Hresch);
    assert!(visit.doctor.read(&mut visit.network, &ask).is_err());
    let honest = visit.patient.export(&visit.network, None).unwrap();
    assert_eq!(accesses(visit.judged(&honest)), 2);
    let forged = shadow(&mut stolen, visit.patient.id());
    assert_eq!(accesses(visit.judged(&forged)), 1, "an attempt is hidden");
}
