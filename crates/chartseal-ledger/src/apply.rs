//! What a transaction may do, and what it does: admission first, then a file for each concern.

mod access;
mod adoption;
mod committee;
mod context;
mod deal;
mod directive;
mod dispute;
mod emergency;
mod enrolment;
mod erasure;
mod flood;
mod guardian;
mod hold;
mod key;
mod labels;
mod record;
mod recovery;
mod status;

use crate::admission::AdmissionError;
use crate::body::Body;
use crate::receipt::{Effect, Receipt};
use crate::scratch::Scratch;
use crate::state::{KeyState, Shared, State, table};
use crate::transaction::{
    MAX_TRANSACTION_BYTES, SignedTransaction, TRANSACTION_VERSION, Transaction,
};
pub(crate) use access::policy_request;
pub(crate) use committee::begin_epoch;
use context::Context;
pub(crate) use flood::enter_counts;

/// Applies the transaction at `index` of a block. What it wrote to `scratch` is pending until that is
/// settled. `verified` is whether its signature verifies.
pub(crate) fn apply(
    scratch: &mut Scratch<'_>,
    shared: &Shared,
    index: u32,
    signed: &SignedTransaction,
    verified: impl FnOnce() -> bool,
) -> Result<Receipt, AdmissionError> {
    let state = State {
        source: scratch,
        shared,
    };
    let (transaction, mut key) = admit(state, scratch.height(), signed, verified)?;
    let org = state
        .org_of(&key.holder)
        .ok_or(AdmissionError::UnknownKey)?;
    key.seq = transaction.seq;
    scratch.put(table::key(&transaction.actor_key), &key);
    let tx = signed.id();
    let actor = key.holder.actor();
    let (key, seq, holder) = (transaction.actor_key, transaction.seq, key.holder);
    let mut cx = Context {
        scratch,
        shared,
        tx,
        index,
        key,
        seq,
        holder,
        actor,
        org,
    };
    let effect = act(&mut cx, &transaction.body)?;
    Ok(Receipt { tx, actor, effect })
}

/// The rules that hold for every transaction. Gives it, and what the chain knows of its key.
fn admit(
    state: State<'_>,
    height: u64,
    signed: &SignedTransaction,
    verified: impl FnOnce() -> bool,
) -> Result<(Transaction, KeyState), AdmissionError> {
    let bytes = signed.bytes.len();
    if bytes > MAX_TRANSACTION_BYTES {
        return Err(AdmissionError::TooLarge { bytes });
    }
    let transaction = signed.parse().map_err(AdmissionError::NotCanonical)?;
    if transaction.version != TRANSACTION_VERSION {
        return Err(AdmissionError::Version {
            found: transaction.version,
        });
    }
    if transaction.chain != state.chain() {
        return Err(AdmissionError::WrongChain);
    }
    if transaction.expires < height {
        return Err(AdmissionError::Expired {
            expires: transaction.expires,
            height,
        });
    }
    let key = state
        .key(&transaction.actor_key)
        .ok_or(AdmissionError::UnknownKey)?;
    if key.revoked {
        return Err(AdmissionError::RevokedKey);
    }
    if transaction.seq <= key.seq {
        return Err(AdmissionError::Sequence {
            found: transaction.seq,
            last: key.seq,
        });
    }
    if !verified() {
        return Err(AdmissionError::Signature);
    }
    Ok((transaction, key))
}

fn act(cx: &mut Context<'_, '_>, body: &Body) -> Result<Effect, AdmissionError> {
    match body {
        Body::OrganizationEnrolled(body) => enrolment::organization(cx, body),
        Body::PractitionerEnrolled(body) => enrolment::practitioner(cx, body),
        Body::PatientEnrolled(body) => enrolment::patient(cx, body),
        Body::KeyRotated(body) => key::rotate(cx, body),
        Body::KeyRevoked(body) => key::revoke(cx, body),
        Body::RecordAdded(body) => record::add(cx, body),
        Body::DepositAcknowledged(body) => record::acknowledge(cx, body),
        Body::Relabelled(body) => labels::relabel(cx, body),
        Body::DirectiveIssued(body) => directive::issue(cx, body),
        Body::EmergencyDeclared(body) => emergency::declare(cx, body),
        Body::EmergencyReviewed(body) => emergency::review(cx, body),
        Body::AccessRequested(body) => return access::request(cx, body).map(Effect::Decided),
        Body::Released(body) => access::release(cx, body),
        Body::Erased(body) => erasure::erase(cx, body),
        Body::Destroyed(body) => erasure::destroy(cx, body),
        Body::SlotAdded(body) => deal::add_slot(cx, body),
        Body::SlotRemoved(body) => deal::remove_slot(cx, body),
        Body::Redealt(body) => deal::redeal(cx, body),
        Body::RedealAcknowledged(body) => deal::acknowledge(cx, body),
        Body::GuardianAppointed(body) => guardian::appoint(cx, body),
        Body::GuardianRemoved(body) => guardian::remove(cx, body),
        Body::QuorumSet(body) => guardian::set_quorum(cx, body),
        Body::QuorumGranted(body) => guardian::grant(cx, body),
        Body::StatusChanged(body) => status::change(cx, body),
        Body::RecoveryPlanned(body) => recovery::plan(cx, body),
        Body::RecoveryStarted(body) => recovery::start(cx, body),
        Body::RecoveryVetoed(body) => recovery::veto(cx, body),
        Body::RecoveryCompleted(body) => recovery::complete(cx, body),
        Body::Adopted(body) => adoption::adopt(cx, body),
        Body::DuplicateOf(body) => adoption::duplicate(cx, body),
        Body::Disputed(body) => dispute::dispute(cx, body),
        Body::DisputeAnswered(body) => dispute::answer(cx, body),
        Body::HoldPlaced(body) => hold::place(cx, body),
        Body::HoldLifted(body) => hold::lift(cx, body),
        Body::PractitionerReinstated(body) => enrolment::reinstate(cx, body),
        Body::CommitteeChanged(body) => committee::change(cx, body),
        Body::CustodianReplaced(body) => key::replace_custodian(cx, body),
    }
    .map(|()| Effect::Applied)
}
