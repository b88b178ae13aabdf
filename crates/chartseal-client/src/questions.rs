use std::ops::Range;
use std::time::Duration;

use chartseal_api::{
    BlobAsk, Blocks, Deposit, Deposited, Envelope, EnvelopeFront, Envelopes, EnvelopesAsk,
    ExportAsk, Fronts, FrontsAsk, History, HistoryAsk, KemKey, Outline, Redeal, ReleaseAsk,
    Releases, Signed, StateAsk, StateProof, Submission, TransactionProof, TxOutcome, Uploaded,
    ValueProof,
};
use chartseal_codec::to_bytes;
use chartseal_envelope::{Deal, KemPublicKey, Release};
use chartseal_merkle::MapKey;
use chartseal_wire::{Hash, HeaderDigest, RecordId, RequestId, SealedText, Time, TxId};

use crate::asynchronous::AsyncRemote;
use crate::error::ClientError;
use crate::question::Question;
use crate::remote::Remote;

/// Gives both faces a method for each question.
macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $is:ty),*) -> $answer:ty $question:block)*) => {
        impl AsyncRemote {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`ClientError`].
                pub async fn $name(&self $(, $argument: $is)*) -> Result<$answer, ClientError> {
                    self.ask($question).await
                }
            )*
        }

        impl Remote {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`ClientError`].
                pub fn $name(&self $(, $argument: $is)*) -> Result<$answer, ClientError> {
                    self.ask($question)
                }
            )*
        }
    };
}

questions! {
    /// The time, as the node's clock shows it.
    time() -> Time { Question::get("time").decoded() }

    /// Final blocks from a height on, as many as the node gives at a time. If there is none yet it waits so long.
    blocks(from: u64, wait: Duration) -> Blocks {
        Question::get(format!("blocks?from={from}&wait_ms={}", wait.as_millis())).decoded()
    }

    /// Hands a transaction in, with its texts. One that is there already is no error.
    submit(submission: &Submission) -> () {
        Question::post("transactions", to_bytes(submission)).done()
    }

    /// What became of a transaction, as the node says.
    outcome(id: &TxId) -> TxOutcome { Question::get(format!("transactions/{id}")).decoded() }

    /// What the state has under a key, with its proof; [`Light`](crate::Light) checks it.
    value_proof(key: &MapKey) -> ValueProof { Question::get(format!("state/{key}")).decoded() }

    /// What the state has under some keys after one block, with proofs, for [`Light`](crate::Light): it waits so long for a
    /// block of that height.
    state_proof(ask: &StateAsk, height: u64, wait: Duration) -> StateProof {
        let path = format!("state?height={height}&wait_ms={}", wait.as_millis());
        Question::post(path, to_bytes(ask)).decoded()
    }

    /// A final transaction with its proof; `None` if the node has none of this id.
    transaction_proof(id: &TxId) -> Option<TransactionProof> {
        Question::get(format!("transactions/{id}/proof")).found(|_| true)
    }

    /// The newest block's header as the network certified it: an export file without histories, for
    /// [`chartseal_audit::verify_header`].
    head() -> String { Question::get("head").text() }

    /// Gives the node somebody's KEM public key, which the chain has as theirs.
    put_kem_key(key: &KemKey) -> () { Question::put("kem-keys", to_bytes(key)).done() }

    /// The KEM public key of this id; `None` if the node has none.
    kem_key(id: &[u8; 32]) -> Option<KemPublicKey> {
        let id = *id;
        // Whoever answers, the id names one key.
        let is_it = move |key: &KemPublicKey| key.key_id().0 == id;
        Question::get(format!("kem-keys/{}", Hash(id))).found(is_it)
    }

    /// A sealed text by its transaction and commitment; `None` if the node has none that opens it.
    text(tx: &TxId, commitment: &Hash) -> Option<SealedText> {
        let commitment = *commitment;
        let is_it = move |text: &SealedText| text.commitment() == commitment;
        Question::get(format!("texts/{tx}/{commitment}")).found(is_it)
    }

    /// Gives the custodian sealed records with its shares of their keys.
    deposit(envelopes: &[Envelope], deal: &Deal) -> Deposited {
        Question::post("deposits", Deposit::bytes(envelopes, deal)).decoded()
    }

    /// Gives the custodian its shares of keys that were dealt anew.
    redeal(redeal: &Redeal) -> Deposited { Question::post("redeals", to_bytes(redeal)).decoded() }

    /// Asks for this custodian's shares for a request: a release for each index that it has. It waits until it has the block
    /// at `height`: one that is behind might not know yet that the permit was revoked; and so long for a request that is not
    /// final yet.
    release(ask: &ReleaseAsk, height: u64, wait: Duration) -> Vec<Release> {
        let path = format!("releases?height={height}&wait_ms={}", wait.as_millis());
        Question::post(path, to_bytes(ask)).decoded().map(|told: Releases| told.releases)
    }

    /// Sealed records of a request that was permitted, from the first on: as many as fit an answer, and none that is not
    /// there.
    envelopes(request: &RequestId, records: &[RecordId]) -> Vec<Envelope> {
        let ask = EnvelopesAsk { records: records.to_vec() };
        let asked = Question::post(format!("envelopes/{request}"), to_bytes(&ask));
        asked.decoded().map(|told: Envelopes| told.envelopes)
    }

    /// The sealed record of a request that was permitted.
    envelope(request: &RequestId, record: &RecordId) -> Envelope {
        Question::get(format!("envelopes/{request}/{record}")).decoded()
    }

    /// The sealed record of a request that was permitted, but for its body, and what verifies the body in parts.
    outline(request: &RequestId, record: &RecordId) -> Outline {
        Question::get(format!("envelopes/{request}/{record}/outline")).decoded()
    }

    /// A part of that body, of at most [`MAX_PART`](chartseal_api::MAX_PART) bytes. Nothing says that it is the one that was
    /// asked for but the outline.
    body_part(request: &RequestId, record: &RecordId, part: Range<u64>) -> Vec<u8> {
        let last = part.end.saturating_sub(1);
        let range = format!("bytes={}-{last}", part.start);
        Question::get(format!("envelopes/{request}/{record}/body")).ranged(range)
    }

    /// Begins to give the custodian a sealed record's body, or goes on where it was cut short.
    begin_upload(outline: &Outline) -> Uploaded {
        Question::post("uploads", to_bytes(outline)).decoded()
    }

    /// Gives the custodian some groups of a body, the next ones: at most [`MAX_PART`](chartseal_api::MAX_PART) bytes.
    upload(header: &HeaderDigest, group: u64, bytes: Vec<u8>) -> Uploaded {
        Question::put(format!("uploads/{header}/{group}"), bytes).decoded()
    }

    /// Gives the custodian its shares of the keys of records whose bodies are there, or at another node.
    deposit_uploaded(dealt: &Redeal) -> Deposited {
        Question::post("deposits/uploaded", to_bytes(dealt)).decoded()
    }

    /// Headers and seals of records, for another organization's vault: those that the node has. Each is the one that the
    /// chain anchors if its header's digest is.
    fronts(ask: &Signed<FrontsAsk>) -> Vec<EnvelopeFront> {
        Question::post("fronts", to_bytes(ask)).decoded().map(|told: Fronts| told.fronts)
    }

    /// The hashes that verify a ciphertext in groups, 32 bytes each; none if it is one group. They are its own if its id
    /// follows from them.
    blob_groups(ask: &Signed<BlobAsk>) -> Vec<u8> { Question::post("blobs/groups", to_bytes(ask)) }

    /// Some of a ciphertext, for another organization's vault: at most [`MAX_PART`](chartseal_api::MAX_PART) bytes, and fewer
    /// only at its end. It is the one that was asked for if its BLAKE3 is the id.
    blob(ask: &Signed<BlobAsk>) -> Vec<u8> { Question::post("blobs", to_bytes(ask)) }

    /// A history's entries, at most so many as the node gives at a time.
    history(ask: &Signed<HistoryAsk>) -> History {
        Question::post("histories", to_bytes(ask)).decoded()
    }

    /// The version of the node's program, such as `0.1.0`.
    version() -> String { Question::get("version").text() }

    /// The verifier key under which the node issues checkpoints.
    log_key() -> String { Question::get("log-key").text() }

    /// The newest block's checkpoint, signed by the node's log: a signed note.
    checkpoint() -> String { Question::get("checkpoint").text() }

    /// The validator's cosignature line under a checkpoint of its own chain.
    cosign(checkpoint: &str) -> String { Question::post("cosignatures", checkpoint.into()).text() }

    /// An export of histories, to be verified like any.
    export(ask: &Signed<ExportAsk>) -> String { Question::post("exports", to_bytes(ask)).text() }
}
