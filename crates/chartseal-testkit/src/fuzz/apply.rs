//! Any bytes as what people sign, and as blocks, on the state of a small network.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use chartseal_codec::{Bytes, Encoder, canonical_struct, from_bytes, to_bytes};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::{
    AccessRequested, Countersignature, CustodianSet, DirectiveIssued, Organization,
    PatientEnrolled, PractitionerEnrolled, RecordAdded,
};
use chartseal_ledger::{
    Block, Body, Genesis, Label, Labels, Overlay, Params, Proposed, SignedTransaction,
    TRANSACTION_VERSION, execute_on, propose, propose_verified,
};
use chartseal_policy::{Confidentiality, Grant, Grantee, Purpose, Set, Symbol, Terms, Window};
use chartseal_wire::domain::{TRANSACTION, tagged};
use chartseal_wire::history::Token;
use chartseal_wire::{
    ActorId, ChainId, Hash, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, Signature, Time,
    TxId,
};

use super::canonical;

/// What is signed and sent, block by block; and a block as it comes.
#[derive(Clone, Debug)]
pub struct Script {
    /// What each block is proposed of.
    pub blocks: Vec<Vec<Sent>>,
    /// It is executed at each height.
    pub other: Block,
}

canonical_struct!(Script { blocks, other });

/// Bytes in the place of a transaction's body.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Who signs: offices 1 to 5 are 0 to 4, custodians 5 to 9, practitioners 10 to 13, and patients 1 to 4 are 14 to 17.
    pub by: u64,
    /// Any bytes.
    pub body: Bytes,
}

canonical_struct!(Sent { by, body });

/// So many blocks, and transactions in all: each is signed, and verified twice.
const MAX_BLOCKS: usize = 3;
const MAX_SENT: usize = 12;

/// Blocks are a minute apart.
const STEP_MS: u64 = 60_000;
/// An emergency role counts after an hour.
const DELAY_MS: u64 = 3_600_000;
const START: u64 = 1_700_000_000_000;

/// The network, keys and ids are those of the ledger's own tests: signatures in its golden bodies are good here.
struct Stage {
    head: Overlay,
    signers: Vec<SigningKeyPair>,
    request: TxId,
}

/// The request on the stage, of practitioner 11 for record 20, which was permitted.
pub fn request_on_stage() -> Option<TxId> {
    Some(stage()?.request)
}

fn stage() -> Option<&'static Stage> {
    static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
    STAGE.get_or_init(Stage::new).as_ref()
}

/// Signs what the input says, proposes blocks of it and executes them, and the input's own block; whether anything was
/// admitted. Panics where an answer is not what every answer must be.
pub(super) fn script(input: &[u8]) -> bool {
    if !canonical::<Script>(input) {
        return false;
    }
    let (Ok(script), Some(stage)) = (from_bytes::<Script>(input), stage()) else {
        return false;
    };
    let sent = script.blocks.iter().map(Vec::len).sum::<usize>();
    if script.blocks.len() > MAX_BLOCKS || sent > MAX_SENT {
        return false;
    }
    let (mut head, mut admitted) = (stage.head.clone(), 0);
    other(&head, &script.other);
    for sent in &script.blocks {
        let proposed = stage.proposed(&head, sent, STEP_MS);
        admitted += proposed.block.transactions.len();
        swapped(&head, &proposed.block, &script.other);
        head = proposed.executed.overlay;
        other(&head, &script.other);
    }
    admitted > 0
}

impl Stage {
    /// A block of what is sent, executed by itself too. What is refused leaves no trace in it.
    fn proposed(&self, head: &Overlay, sent: &[Sent], after_ms: u64) -> Proposed {
        let time = Time(head.head().time.0.saturating_add(after_ms));
        let (mut all, mut admitted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for one in sent {
            let Some((key, signed)) = self.signed(head, one, &admitted) else {
                continue;
            };
            let so_far = admitted.iter().map(|(_, signed)| signed).chain([&signed]);
            let tried = propose_verified(head, time, so_far.cloned());
            if tried.rejected.is_empty() {
                admitted.push((key, signed.clone()));
            } else {
                refused.push(signed.id());
            }
            all.push(signed);
        }
        let proposed = propose(head, time, all);
        let rejected: Vec<TxId> = proposed.rejected.iter().map(|(id, _)| *id).collect();
        assert!(rejected == refused, "refused alone, and not in a block");
        let admitted = admitted.into_iter().map(|(_, signed)| signed);
        let without = propose_verified(head, time, admitted);
        assert!(
            proposed.block == without.block,
            "what is refused changes nothing"
        );
        let executed = execute_on(head, &proposed.block, NonZeroUsize::MIN);
        assert!(executed.is_ok(), "what was proposed is refused");
        if let Ok(executed) = executed {
            assert!(executed.overlay.head() == &proposed.block.header);
            assert!(executed.overlay.map().root() == proposed.block.header.state_root);
            assert!(executed.changes == proposed.executed.changes);
            assert!(executed.entries == proposed.executed.entries);
            assert!(executed.receipts == proposed.executed.receipts);
        }
        assert!(head.map().root() == head.head().state_root);
        proposed
    }

    /// Signed with the next number of the key, after those that are admitted.
    fn signed(
        &self,
        head: &Overlay,
        sent: &Sent,
        admitted: &[(PublicKey, SignedTransaction)],
    ) -> Option<(PublicKey, SignedTransaction)> {
        let at = sent.by % self.signers.len().max(1) as u64;
        let keys = self.signers.get(usize::try_from(at).ok()?)?;
        let key = public(keys);
        let before = admitted.iter().filter(|(by, _)| *by == key).count() as u64;
        let seq = head.state().sequence(&key).saturating_add(before + 1);
        let signed = sign(keys, &head.head().chain, seq, head.height(), &sent.body.0);
        Some((key, signed))
    }
}

/// Any block is executed or refused; one that is executed is what would be proposed of its transactions.
fn other(head: &Overlay, block: &Block) {
    let executed = execute_on(head, block, NonZeroUsize::MIN);
    let proposed = propose(head, block.header.time, block.transactions.clone());
    if let Ok(executed) = executed {
        assert!(executed.overlay.head() == &block.header);
        assert!(proposed.block == *block, "executed, and not proposed");
    }
    assert!(head.map().root() == head.head().state_root);
}

/// A block's header fits its own transactions alone, and these fit no other header.
fn swapped(head: &Overlay, good: &Block, other: &Block) {
    for (header, transactions) in [
        (&other.header, &good.transactions),
        (&good.header, &other.transactions),
    ] {
        let block = Block {
            header: header.clone(),
            transactions: transactions.clone(),
        };
        let is_good = execute_on(head, &block, NonZeroUsize::MIN).is_ok();
        assert!(is_good == (block == *good), "another block, executed");
    }
}

impl Stage {
    /// Five organizations, of which four are the committee; patients 1 to 3 and, provisionally, 4; practitioners 10 and 12
    /// of organization 1, 11 of 2, and 13, who reviews; records 20 of patient 1 and 21 of 2; a grant to 11, and a request.
    fn new() -> Option<Self> {
        let organizations = (1..=5).map(organization).collect();
        let committee: Vec<OrgId> = (1..=4).map(org).collect();
        let params = Params {
            emergency_role_delay_ms: DELAY_MS,
            ..Params::default()
        };
        let genesis = Genesis::new(Time(START), [0x5a; 32], params, organizations, &committee);
        let genesis = genesis.ok()?;
        let offices = (1..=5).map(office);
        let custodians = (1..=5).map(|id| key(&format!("custodian {id}")));
        let practitioners = (10..=13).map(practitioner);
        let patients = (1..=4).map(patient);
        let signers = offices
            .chain(custodians)
            .chain(practitioners)
            .chain(patients);
        let mut stage = Self {
            head: genesis.overlay(),
            signers: signers.collect(),
            request: TxId([0; 32]),
        };
        let chain = genesis.chain_id();
        let enrolled = (1..=4).map(|id| (0, enrol_patient(&chain, id).into()));
        let mut bodies: Vec<(u64, Body)> = enrolled.collect();
        for (id, of, role) in [
            (10, 1, "doctor"),
            (11, 2, "doctor"),
            (12, 1, "emergency"),
            (13, 1, "privacy"),
        ] {
            let by = u64::from(of) - 1;
            bodies.push((by, enrol_practitioner(&chain, id, of, role)?.into()));
        }
        stage.block(&bodies)?;
        stage.block(&[(10, record(20, 1)?.into()), (10, record(21, 2)?.into())])?;
        stage.block(&[(14, grant()?.into())])?;
        stage.block(&[(11, ask()?.into())])?;
        Some(stage)
    }

    /// All of it is admitted.
    fn block(&mut self, bodies: &[(u64, Body)]) -> Option<()> {
        let sent = bodies.iter().map(|(by, body)| Sent {
            by: *by,
            body: Bytes(to_bytes(body)),
        });
        let sent: Vec<Sent> = sent.collect();
        let proposed = self.proposed(&self.head, &sent, DELAY_MS);
        let transactions = &proposed.block.transactions;
        self.request = transactions.last()?.id();
        (transactions.len() == sent.len()).then(|| self.head = proposed.executed.overlay)
    }
}

/// A transaction, whatever its body is.
fn sign(
    signer: &SigningKeyPair,
    chain: &ChainId,
    seq: u64,
    height: u64,
    body: &[u8],
) -> SignedTransaction {
    let mut e = Encoder::new();
    e.array(6).item(&TRANSACTION_VERSION).item(chain);
    e.item(&public(signer)).uint(seq);
    e.uint(height.saturating_add(100));
    let bytes = [&e.finish(), body].concat();
    let signature = Signature(signer.sign(&tagged(TRANSACTION, &bytes)).0);
    SignedTransaction { bytes, signature }
}

fn public(signer: &SigningKeyPair) -> PublicKey {
    PublicKey(signer.verifying_key().to_bytes())
}

fn key(name: &str) -> SigningKeyPair {
    let mut seed = [0; 32];
    for (to, byte) in seed.iter_mut().zip(name.bytes()) {
        *to = byte;
    }
    SigningKeyPair::from_secret_bytes(&seed)
}

fn office(id: u8) -> SigningKeyPair {
    key(&format!("office {id}"))
}

fn practitioner(id: u8) -> SigningKeyPair {
    key(&format!("practitioner {id}"))
}

fn patient(id: u8) -> SigningKeyPair {
    key(&format!("patient {id}"))
}

fn org(id: u8) -> OrgId {
    OrgId([0xf0 | id; 16])
}

fn organization(id: u8) -> Organization {
    Organization {
        id: org(id),
        enrolment_key: public(&office(id)),
        custodian_key: public(&key(&format!("custodian {id}"))),
        custodian_kem: [id; 32],
        validator: public(&key(&format!("validator {id}"))),
    }
}

fn enrol_patient(chain: &ChainId, id: u8) -> PatientEnrolled {
    let key = patient(id);
    let mut body = PatientEnrolled {
        patient: PatientId([id; 16]),
        key: public(&key),
        kem: [id; 32],
        history_salt: [id ^ 0xff; 32],
        agreement: None,
        adult_from: Time(0),
        minor_consent_from: None,
    };
    let agreement = Signature(key.sign(&body.to_agree(chain)).0);
    body.agreement = (id < 4).then_some(agreement);
    body
}

fn enrol_practitioner(chain: &ChainId, id: u8, of: u8, role: &str) -> Option<PractitionerEnrolled> {
    let mut body = PractitionerEnrolled {
        actor: ActorId([id; 16]),
        key: public(&practitioner(id)),
        kem: [id; 32],
        roles: Set::one(Symbol::new(role).ok()?),
        credential: Window::ALWAYS,
        countersignature: None,
    };
    let signature = office(of + 1).sign(&body.to_countersign(chain, &org(of))).0;
    body.countersignature = (role == "emergency").then_some(Countersignature {
        org: org(of + 1),
        signature: Signature(signature),
    });
    Some(body)
}

fn record(id: u8, owner: u8) -> Option<RecordAdded> {
    let mut header = HeaderDigest([id; 32]);
    *header.0.first_mut()? = 1;
    Some(RecordAdded {
        record: RecordId([id; 16]),
        patient: PatientId([owner; 16]),
        version: 1,
        header,
        supersedes: None,
        body: [id; 32],
        length: 1_000,
        confidentiality: Confidentiality::N,
        labels: labels(),
        encounter: None,
        authored: Time(START),
        release_at: None,
        custodians: CustodianSet {
            epoch: 0,
            t: 3,
            n: 4,
        },
        fingerprint: [id; 32],
    })
}

fn labels() -> Labels {
    Labels::new([1, 2, 3, 4, 5, 6].map(|label| Label([label; 16])))
}

fn grant() -> Option<DirectiveIssued> {
    let grantee = Grantee::actor([11; 16]).ok()?;
    Some(DirectiveIssued {
        patient: PatientId([1; 16]),
        terms: Terms::Grant(Grant::to(grantee, Purpose::Treat)),
        sealed: None,
    })
}

fn ask() -> Option<AccessRequested> {
    Some(AccessRequested {
        patient: PatientId([1; 16]),
        records: vec![RecordId([20; 16])],
        action: Token::new("read")?,
        purpose: Token::new("TREAT")?,
        reason_code: Token::new("care")?,
        reason: Hash([7; 32]),
        reader: [8; 32],
    })
}
