//! What answers each path.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chartseal_api::{
    Blocks, Deposit, Deposited, Envelopes, EnvelopesAsk, ExportAsk, FinalBlock, History,
    HistoryAsk, KemKey, MAX_KEYS, Redeal, Refused, ReleaseAsk, Releases, Signed, SignedError,
    StateAsk, Submission, TxOutcome,
};
use chartseal_codec::{Bytes, Decode, Encode, from_bytes, hex_exact, to_bytes};
use chartseal_consensus::PoolError;
use chartseal_consensus::engine::Outcome;
use chartseal_envelope::KemPublicKey;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_ledger::{Overlay, State as LedgerState};
use chartseal_merkle::MapKey;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{
    Checkpoint, Hash, PublicKey, RecordId, RequestId, SealedText, SignedNote, TxId,
};
use serde::Deserialize;
use tokio::time::Instant;

use super::asked::{Cbor, Named, Queried, Sent};
use super::failure::Failure;
use super::nonces::Taken;
use super::{Api, MAX_WAIT, work};
use crate::clock::Clock;
use crate::error::NodeError;
use crate::export::ExportRequest;
use crate::proof::Certified;
use crate::serve::texts::commitment;

pub(super) type Answer = Result<Response, Failure>;
pub(super) type Asked = State<Arc<Api>>;

/// The most final blocks of an answer, and about how many bytes.
const MAX_BLOCKS: u64 = 256;
const MAX_BLOCK_BYTES: usize = 4 << 20;
/// The most bytes of sealed records of an answer, but for its first one.
const MAX_ENVELOPES_BYTES: usize = 4 << 20;
/// The most bytes of the values of an answer.
const MAX_VALUE_BYTES: usize = 16 << 20;
/// How many blocks without a certificate of their own are waited out.
const CERTIFIED: usize = 8;
/// The most bytes of a text.
const MAX_TEXT: usize = 128 * 1024;
/// The most entries of a history that are given at a time.
const MAX_ENTRIES: usize = 4_096;
/// The most histories of an export.
const MAX_SECTIONS: usize = 64;

/// As far as a client's chain goes, and how long it would have the node wait.
#[derive(Deserialize)]
pub(super) struct Known {
    #[serde(default)]
    height: u64,
    #[serde(default)]
    wait_ms: u64,
}

impl Known {
    fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms).min(MAX_WAIT)
    }
}

/// The genesis: who founded the network, and what holds in it.
#[utoipa::path(
    get,
    path = "/v1/genesis",
    tag = "chain",
    responses(
        (status = 200, description = "`Genesis` of chartseal-ledger", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn genesis(State(api): Asked) -> Answer {
    Ok(cbor(api.genesis.clone()))
}

/// The node's clock.
#[utoipa::path(
    get,
    path = "/v1/time",
    tag = "operations",
    responses(
        (status = 200, description = "`Time` of chartseal-wire: milliseconds since 1970", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn time() -> Answer {
    Ok(encoded(&Clock::System.now()))
}

#[derive(Deserialize)]
pub(super) struct From {
    from: u64,
    #[serde(default)]
    wait_ms: u64,
}

/// Final blocks from a height on, with their certificates: at most 256 and about 4 MiB. Waits for one if there is none.
#[utoipa::path(
    get,
    path = "/v1/blocks",
    tag = "chain",
    params(
        ("from" = u64, Query, format = "uint64", description = "the first height"),
        ("wait_ms" = Option<u64>, Query, format = "uint64", description = "how long to wait for a block, in milliseconds; at most 20,000"),
    ),
    responses(
        (status = 200, description = "`Blocks` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn blocks(State(api): Asked, Queried(ask): Queried<From>) -> Answer {
    let wait = Duration::from_millis(ask.wait_ms).min(MAX_WAIT);
    // Nothing new within that time is an empty answer.
    reached(&api, ask.from, wait).await;
    work(&api, move |api| {
        let head = api.keeper.node().head().height();
        let mut blocks = Vec::new();
        let mut bytes = 0;
        for height in ask.from..=head.min(ask.from.saturating_add(MAX_BLOCKS - 1)) {
            // One at a time: whoever commits a block waits for the node too.
            let (block, certificate) = {
                let node = api.keeper.node();
                let certificate = node.ledger().certificate(height);
                (
                    node.kept_block(height)?,
                    certificate.map_err(NodeError::from)?,
                )
            };
            let Some(block) = block else {
                return Err(Failure::not_found("a block that was pruned"));
            };
            let certificate = certificate.filter(|it| it.block == block.header.leaf());
            let block = block.bytes();
            bytes += block.len();
            blocks.push(FinalBlock {
                block: Bytes(block),
                certificate: certificate.map(|certificate| Bytes(certificate.bytes())),
            });
            if bytes >= MAX_BLOCK_BYTES {
                break;
            }
        }
        Ok(encoded(&Blocks { blocks }))
    })
    .await
}

/// Hands in a transaction, with the sealed text to which it commits. It waits for a block.
#[utoipa::path(
    post,
    path = "/v1/transactions",
    tag = "chain",
    request_body(content = Cbor, description = "`Submission` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 202, description = "taken: it waits for a block"),
        Failure,
    ),
)]
pub(super) async fn submit(State(api): Asked, Sent(body): Sent) -> Answer {
    let Submission { transaction, texts } = read("a submission", &body)?;
    work(&api, move |api| {
        let parsed = transaction.parse();
        let parsed = parsed.map_err(|why| Failure::malformed("a transaction", why))?;
        let named = commitment(&parsed.body);
        let fits =
            |text: &SealedText| text.sealed.0.len() <= MAX_TEXT && named == Some(text.commitment());
        if texts.len() > 1 || !texts.iter().all(fits) {
            let why = "a text is too long, or the transaction does not commit to it";
            return Err(Failure::malformed("a submission", why));
        }
        let id = transaction.id();
        match api.handle.submit(transaction) {
            // It is here already: its texts may not be.
            Ok(_) | Err(PoolError::Known(_)) => {}
            Err(why) => return Err(why.into()),
        }
        if !texts.is_empty() {
            api.keeper.node().put_texts(&id, &texts)?;
        }
        Ok(StatusCode::ACCEPTED.into_response())
    })
    .await
}

/// What became of a transaction.
#[utoipa::path(
    get,
    path = "/v1/transactions/{id}",
    tag = "chain",
    params(
        ("id" = String, Path, description = "the transaction's id", pattern = "^[0-9a-f]{64}$"),
    ),
    responses(
        (status = 200, description = "`TxOutcome` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn outcome(State(api): Asked, Named(id): Named<String>) -> Answer {
    let id = TxId(hex(&id)?);
    work(&api, move |api| {
        Ok(encoded(&api.keeper.outcome(&api.handle, &id)))
    })
    .await
}

/// The newest block's header as the network certified it: an export file without histories.
#[utoipa::path(
    get,
    path = "/v1/head",
    tag = "chain",
    responses(
        (status = 200, description = "an export file; `chartseal_audit::verify_header` checks it", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn head(State(api): Asked) -> Answer {
    Ok(text_answer(certified(&api).await?.file.clone()))
}

/// What the state has under a key after the newest block, with its proof.
#[utoipa::path(
    get,
    path = "/v1/state/{key}",
    tag = "chain",
    params(
        ("key" = String, Path, description = "the key, as docs/ledger.md has it", pattern = "^[0-9a-f]{64}$"),
    ),
    responses(
        (status = 200, description = "`ValueProof` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn value(State(api): Asked, Named(key): Named<String>) -> Answer {
    let key = MapKey(hex(&key)?);
    Ok(encoded(&certified(&api).await?.prove_value(&key)))
}

/// What the state has under some keys after one block, with proofs: the newest, or what there is when the wait ends.
#[utoipa::path(
    post,
    path = "/v1/state",
    tag = "chain",
    params(
        ("height" = Option<u64>, Query, format = "uint64", description = "a height that is waited for"),
        ("wait_ms" = Option<u64>, Query, format = "uint64", description = "how long to wait for it, in milliseconds; at most 20,000"),
    ),
    request_body(content = Cbor, description = "`StateAsk` of chartseal-api: at most 4,096 keys", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`StateProof` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn values(
    State(api): Asked,
    Queried(known): Queried<Known>,
    Sent(body): Sent,
) -> Answer {
    let StateAsk { keys } = read("a question for values", &body)?;
    if keys.len() > MAX_KEYS {
        return Err(Failure::too_much("the values of 4,096 keys"));
    }
    reached(&api, known.height, known.wait()).await;
    let at = certified(&api).await?;
    work(&api, move |_| {
        let proof = at.prove_values(&keys, MAX_VALUE_BYTES);
        let proof = proof.ok_or_else(|| Failure::too_much("16 MiB of values"))?;
        Ok(encoded(&proof))
    })
    .await
}

/// A final transaction, with its proof.
#[utoipa::path(
    get,
    path = "/v1/transactions/{id}/proof",
    tag = "chain",
    params(
        ("id" = String, Path, description = "the transaction's id", pattern = "^[0-9a-f]{64}$"),
    ),
    responses(
        (status = 200, description = "`TransactionProof` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn transaction_proof(State(api): Asked, Named(id): Named<String>) -> Answer {
    let id = TxId(hex(&id)?);
    let at = certified(&api).await?;
    work(&api, move |api| {
        let proof = api.keeper.node().prove_transaction(&at, &id)?;
        let proof = proof.ok_or_else(|| Failure::not_found("a final transaction of this id"))?;
        Ok(encoded(&proof))
    })
    .await
}

/// The newest block that is certified. One that only a later block vouches for is waited out.
async fn certified(api: &Arc<Api>) -> Result<Arc<Certified>, Failure> {
    for _ in 0..CERTIFIED {
        let height = api.handle.status().head.height;
        if let Some(certified) = api.certified(height) {
            return Ok(certified);
        }
        let made = work(api, |api| Ok(api.keeper.node().certified()?));
        if let Some(made) = made.await? {
            return Ok(api.put_certified(made));
        }
        let _ = tokio::time::timeout(MAX_WAIT, api.handle.wait_above(height)).await;
    }
    Err(Failure::busy())
}

/// Gives the node a KEM public key that the chain has as somebody's.
#[utoipa::path(
    put,
    path = "/v1/kem-keys",
    tag = "records",
    request_body(content = Cbor, description = "`KemKey` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 204, description = "kept"),
        Failure,
    ),
)]
pub(super) async fn put_kem_key(State(api): Asked, Sent(body): Sent) -> Answer {
    let KemKey { of, key } = read("a KEM key", &body)?;
    work(&api, move |api| {
        let node = api.keeper.node();
        if !Api::knows_kem(node.state(), &of, &key.key_id().0) {
            return Err(Failure::forbidden(
                "the chain does not have this key as theirs",
            ));
        }
        node.put_kem_key(&key)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// A KEM public key by its id.
#[utoipa::path(
    get,
    path = "/v1/kem-keys/{id}",
    tag = "records",
    params(
        ("id" = String, Path, description = "the key's id", pattern = "^[0-9a-f]{64}$"),
    ),
    responses(
        (status = 200, description = "`KemPublicKey` of chartseal-envelope", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn kem_key(State(api): Asked, Named(id): Named<String>) -> Answer {
    let id = hex(&id)?;
    work(&api, move |api| {
        let key = api.keeper.node().kem_key(&id)?;
        key.map(|key| encoded(&key))
            .ok_or_else(|| Failure::not_found("a KEM key of this id"))
    })
    .await
}

/// A sealed text, by its transaction and its commitment.
#[utoipa::path(
    get,
    path = "/v1/texts/{tx}/{commitment}",
    tag = "records",
    params(
        ("tx" = String, Path, description = "the transaction's id", pattern = "^[0-9a-f]{64}$"),
        ("commitment" = String, Path, description = "the commitment in it", pattern = "^[0-9a-f]{64}$"),
    ),
    responses(
        (status = 200, description = "`SealedText` of chartseal-wire", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn text(
    State(api): Asked,
    Named((tx, commitment)): Named<(String, String)>,
) -> Answer {
    let (tx, commitment) = (TxId(hex(&tx)?), Hash(hex(&commitment)?));
    work(&api, move |api| {
        let text = api.keeper.node().text(&tx, &commitment)?;
        text.map(|text| encoded(&text))
            .ok_or_else(|| Failure::not_found("a text of this transaction"))
    })
    .await
}

/// Sealed records, with this custodian's shares of their keys.
#[utoipa::path(
    post,
    path = "/v1/deposits",
    tag = "records",
    request_body(content = Cbor, description = "`Deposit` of chartseal-api, at most 64 MiB", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Deposited` of chartseal-api: what was not taken, and why", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn deposit(State(api): Asked, Sent(body): Sent) -> Answer {
    let _turn = api.deposits.try_acquire().map_err(|_| Failure::busy())?;
    let Deposit { envelopes, deal } = read("a deposit", &body)?;
    drop(body);
    work(&api, move |api| {
        let done = api.keeper.deposit(&envelopes, &deal)?;
        Ok(encoded(&deposited(api, done)))
    })
    .await
}

/// This custodian's shares of keys that were dealt anew to the present committee.
#[utoipa::path(
    post,
    path = "/v1/redeals",
    tag = "records",
    request_body(content = Cbor, description = "`Redeal` of chartseal-api, at most 64 MiB", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Deposited` of chartseal-api: what was not taken, and why", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn redeal(State(api): Asked, Sent(body): Sent) -> Answer {
    let _turn = api.deposits.try_acquire().map_err(|_| Failure::busy())?;
    let Redeal { fronts, deal } = read("a re-deal", &body)?;
    drop(body);
    work(&api, move |api| {
        let done = api.keeper.node().redeposit(&fronts, &deal)?;
        let answer = deposited(api, done);
        // A newcomer has no ciphertext of what was filed before; that nobody gives it now keeps nothing from being dealt.
        if let Err(error) = api.scrub.fetch(&fronts) {
            tracing::warn!(%error, "ciphertexts of records that were dealt anew can't be fetched");
        }
        Ok(encoded(&answer))
    })
    .await
}

/// Puts a custodian's acknowledgements on their way; gives what it says to the dealer.
pub(super) fn deposited(api: &Api, done: crate::Deposited) -> Deposited {
    api.submit_own(done.acknowledgements);
    let refused = done.refused.into_iter().map(|(record, why)| Refused {
        record,
        is_outdated: why.is_outdated(),
        why: why.to_string(),
    });
    Deposited {
        refused: refused.collect(),
    }
}

/// This custodian's shares for a request that the newest final state permits. It may be asked before the request is final.
#[utoipa::path(
    post,
    path = "/v1/releases",
    tag = "records",
    params(
        ("height" = Option<u64>, Query, format = "uint64", description = "a block that the reader knows: the node waits until it has it, 20 seconds at most"),
        ("wait_ms" = Option<u64>, Query, format = "uint64", description = "how long to wait for the request to be final, in milliseconds; at most 20,000"),
    ),
    request_body(content = Cbor, description = "`ReleaseAsk` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Releases` of chartseal-api, sealed to the reader", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn release(
    State(api): Asked,
    Queried(known): Queried<Known>,
    Sent(body): Sent,
) -> Answer {
    let ReleaseAsk { request, reader } = read("a question for shares", &body)?;
    if !reached(&api, known.height, MAX_WAIT).await {
        return Err(Failure::behind());
    }
    if !known.wait().is_zero() {
        let end = Instant::now() + known.wait();
        if let Some(ahead) = foreseen(&api, request, end).await? {
            // It may never come. What is refused here may be permitted then, and a receipt that is refused is given again.
            let _ = receipted(&api, Some(ahead), request, &reader).await;
        }
        decided(&api, request, end).await?;
    }
    receipted(&api, None, request, &reader).await?;
    work(&api, move |api| {
        let releases = api.keeper.node().release(&request, &reader)?;
        Ok(encoded(&Releases { releases }))
    })
    .await
}

/// Waits so long for the block at a height. Whether the node has it.
async fn reached(api: &Api, height: u64, within: Duration) -> bool {
    match height.checked_sub(1) {
        Some(below) => is_next(api, below, Instant::now() + within).await,
        None => true,
    }
}

/// Waits until the receipts of a request are final, by a state that may come or by the newest final one.
async fn receipted(
    api: &Arc<Api>,
    state: Option<Overlay>,
    request: RequestId,
    reader: &KemPublicKey,
) -> Result<(), Failure> {
    let reader = reader.clone();
    let receipts = work(api, move |api| {
        let mut node = api.keeper.node();
        let state = state.unwrap_or_else(|| node.head().clone());
        let receipts = node.receipts_at(&state, &request, &reader)?;
        drop(node);
        Ok(api.receipts.submit(&api.handle, receipts))
    });
    for receipt in receipts.await? {
        settled(api, &receipt).await;
    }
    Ok(())
}

/// Waits until `end` for a state with a request, which is not final for certain. `None` if the request won't come.
async fn foreseen(
    api: &Arc<Api>,
    request: RequestId,
    end: Instant,
) -> Result<Option<Overlay>, Failure> {
    let ahead = api
        .handle
        .foresee(|state| state.request(&request).is_some());
    tokio::select! {
        ahead = ahead => Ok(ahead),
        refused = decided(api, request, end) => refused.map(|()| None),
    }
}

/// Waits until a transaction is final here, which may not even have come, or until `end`.
async fn decided(api: &Arc<Api>, id: TxId, end: Instant) -> Result<(), Failure> {
    loop {
        let height = api.handle.status().head.height;
        let outcome = work(api, move |api| Ok(api.keeper.outcome(&api.handle, &id)));
        let is_known = matches!(outcome.await?, TxOutcome::Final(_) | TxOutcome::Refused(_));
        if is_known || !is_next(api, height, end).await {
            return Ok(());
        }
    }
}

/// Waits until it is known what became of a transaction, or not for long.
async fn settled(api: &Api, id: &TxId) {
    let end = Instant::now() + MAX_WAIT;
    loop {
        let height = api.handle.status().head.height;
        let is_known = !matches!(api.handle.outcome(id), Outcome::Waiting);
        if is_known || !is_next(api, height, end).await {
            return;
        }
    }
}

/// Waits until `end` for a block above a height. Whether there is one.
async fn is_next(api: &Api, height: u64, end: Instant) -> bool {
    let next = tokio::time::timeout_at(end, api.handle.wait_above(height));
    // `None`: the validator stops, and nothing becomes final any more.
    matches!(next.await, Ok(Some(_)))
}

/// Sealed records of a request that was permitted: about 4 MiB, from the first on. What is not here, or may not be given any more,
/// is left out.
#[utoipa::path(
    post,
    path = "/v1/envelopes/{request}",
    tag = "records",
    params(
        ("request" = String, Path, description = "the request's id", pattern = "^[0-9a-f]{64}$"),
    ),
    request_body(content = Cbor, description = "`EnvelopesAsk` of chartseal-api: at most 512 records", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Envelopes` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn envelopes(
    State(api): Asked,
    Named(request): Named<String>,
    Sent(body): Sent,
) -> Answer {
    let request = id::<RequestId>(&request)?;
    let EnvelopesAsk { records } = read("a question for sealed records", &body)?;
    work(&api, move |api| {
        let envelopes = api
            .keeper
            .envelopes(&request, &records, MAX_ENVELOPES_BYTES)?;
        Ok(encoded(&Envelopes { envelopes }))
    })
    .await
}

/// A sealed record of a request that was permitted.
#[utoipa::path(
    get,
    path = "/v1/envelopes/{request}/{record}",
    tag = "records",
    params(
        ("request" = String, Path, description = "the request's id", pattern = "^[0-9a-f]{64}$"),
        ("record" = String, Path, description = "the record's id", pattern = "^[0-9a-f]{32}$"),
    ),
    responses(
        (status = 200, description = "`Envelope` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn envelope(
    State(api): Asked,
    Named((request, record)): Named<(String, String)>,
) -> Answer {
    let (request, record) = (id::<RequestId>(&request)?, id::<RecordId>(&record)?);
    work(&api, move |api| {
        let envelope = api.keeper.envelope(&request, &record)?;
        Ok(encoded(&envelope))
    })
    .await
}

/// A history's entries, for its subject alone: at most 4,096.
#[utoipa::path(
    post,
    path = "/v1/histories",
    tag = "histories",
    request_body(content = Cbor, description = "`Signed<HistoryAsk>` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`History` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn history(State(api): Asked, Sent(body): Sent) -> Answer {
    let signed: Signed<HistoryAsk> = read("a question for a history", &body)?;
    work(&api, move |api| {
        let subjects = [&signed.ask.subject];
        let HistoryAsk { subject, from } = check(api, &signed, Api::may_ask(subjects))?;
        let node = api.keeper.node();
        let ledger = node.ledger();
        let entries = ledger.history(subject, *from, MAX_ENTRIES);
        let entries = entries.map_err(NodeError::from)?;
        let entries = entries.into_iter().map(Bytes).collect();
        Ok(encoded(&History { entries }))
    })
    .await
}

/// The key under which this node issues checkpoints: a C2SP verifier key.
#[utoipa::path(
    get,
    path = "/v1/log-key",
    tag = "chain",
    responses(
        (status = 200, description = "a C2SP verifier key", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn log_key(State(api): Asked) -> Answer {
    work(&api, |api| {
        let node = api.keeper.node();
        let key = node.keys().log_vkey(&origin(&node.chain()));
        let key = key.ok_or_else(|| Failure::not_found("a log's key"))?;
        Ok(text_answer(key.to_string()))
    })
    .await
}

/// The newest block's checkpoint, signed: a C2SP signed note.
#[utoipa::path(
    get,
    path = "/v1/checkpoint",
    tag = "chain",
    responses(
        (status = 200, description = "a C2SP signed note", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn checkpoint(State(api): Asked) -> Answer {
    work(&api, |api| {
        let node = api.keeper.node();
        let checkpoint = node.checkpoint();
        let signatures = vec![node.sign_checkpoint(&checkpoint)?];
        let text = checkpoint.to_string();
        Ok(text_answer(SignedNote { text, signatures }.to_string()))
    })
    .await
}

/// The validator's cosignature under a checkpoint of its own chain.
#[utoipa::path(
    post,
    path = "/v1/cosignatures",
    tag = "chain",
    request_body(content = String, description = "a C2SP checkpoint", content_type = "text/plain"),
    responses(
        (status = 200, description = "a signature line of a C2SP signed note", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn cosign(State(api): Asked, Sent(body): Sent) -> Answer {
    let checkpoint = std::str::from_utf8(&body).map_err(|_| "not text".to_owned());
    let checkpoint = checkpoint.and_then(|text| Checkpoint::parse(text).map_err(|e| e.to_string()));
    let checkpoint = checkpoint.map_err(|why| Failure::malformed("a checkpoint", why))?;
    work(&api, move |api| {
        let line = api.keeper.node().cosign_checkpoint(&checkpoint)?;
        Ok(text_answer(line.to_string()))
    })
    .await
}

/// An export of histories, for their subject alone; `chartseal audit verify` checks it.
#[utoipa::path(
    post,
    path = "/v1/exports",
    tag = "histories",
    request_body(content = Cbor, description = "`Signed<ExportAsk>` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 200, description = "an export", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn export(State(api): Asked, Sent(body): Sent) -> Answer {
    let signed: Signed<ExportAsk> = read("a question for an export", &body)?;
    if signed.ask.sections.len() > MAX_SECTIONS {
        let why = "an export has at most 64 histories";
        return Err(Failure::malformed("a question for an export", why));
    }
    work(&api, move |api| {
        let subjects = signed.ask.sections.iter().map(|section| &section.subject);
        let ask = check(api, &signed, Api::may_ask(subjects))?;
        let histories = ask.sections.iter();
        let histories = histories.map(|section| (section.subject, section.first));
        let request = ExportRequest {
            histories: histories.collect(),
            log_size: ask.log_size,
        };
        let note = SignedNote::parse(&ask.note);
        let note = note.map_err(|why| Failure::malformed("a checkpoint", why))?;
        let export = api.keeper.node().export(&request, note)?;
        Ok(text_answer(export.to_string()))
    })
    .await
}

/// The question, if somebody who may ask it signed it for this node, now, and for the first time.
pub(super) fn check<'a, T: Encode>(
    api: &Api,
    signed: &'a Signed<T>,
    may: impl FnOnce(LedgerState<'_>, &PublicKey) -> bool,
) -> Result<&'a T, Failure> {
    let now = {
        let node = api.keeper.node();
        let now = node.clock.now();
        signed
            .check(&node.chain(), &node.org(), now)
            .map_err(|why| match why {
                SignedError::Time => Failure::stale("the question was not made within a minute"),
                SignedError::Signature => {
                    Failure::forbidden("the question is not signed, or for another node")
                }
            })?;
        if !Api::may(node.state(), &signed.key, may) {
            return Err(Failure::forbidden("this key may not ask it"));
        }
        now
    };
    // Before its nonce is remembered: no key fills that memory by asking too often.
    if !api.keys.take(signed.key) {
        return Err(Failure::too_often("this key asks"));
    }
    let taken = api.nonces().take(signed.key, signed.nonce, signed.at, now);
    taken.map_err(|why| match why {
        Taken::Before => Failure::stale("the question came before"),
        Taken::Early => Failure::stale("the question was made before this node started"),
        Taken::Full => Failure::busy(),
    })?;
    Ok(&signed.ask)
}

pub(super) fn read<T: Decode>(what: &str, body: &[u8]) -> Result<T, Failure> {
    from_bytes(body).map_err(|why| Failure::malformed(what, why))
}

pub(super) fn hex<const N: usize>(text: &str) -> Result<[u8; N], Failure> {
    hex_exact(text).map_err(|why| Failure::malformed("an id", why))
}

pub(super) fn id<T: FromStr>(text: &str) -> Result<T, Failure>
where
    T::Err: Display,
{
    text.parse().map_err(|why| Failure::malformed("an id", why))
}

pub(super) fn encoded(value: &impl Encode) -> Response {
    cbor(to_bytes(value))
}

pub(super) fn text_answer(text: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, text).into_response()
}

fn cbor(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response()
}
