//! A complete history of one person, proved to them.

use akd::append_only_zks::AzksParallelismConfig;
use akd::directory::Directory;
use akd::ecvrf::HardCodedAkdVRF;
use akd::storage::StorageManager;
use akd::storage::memory::AsyncInMemoryDatabase;
use akd::{AkdLabel, AkdValue, HistoryParams, HistoryVerificationParams};
use akd::{EpochHash, WhatsAppV1Configuration as Config};
use anyhow::{Result, anyhow, ensure};
use chartseal_audit::{Options, TrustPolicy, Verdict, verify};
use protobuf::Message;

use crate::audit_export::{History, policy};
use crate::figure::{Figure, Required, in_turns};

/// The names of [`akd`].
pub const AKD: [&str; 2] = ["peers/history-size-akd", "peers/history-verify-akd"];

/// Entries of the history, versions of the label.
const ENTRIES: u64 = 21;
/// Other values of the state, other labels of the directory.
const OTHERS: u64 = 10_000;

/// Against `akd` 0.13: a patient's export of 21 entries beside the history of a label of 21 versions, in
/// the configuration that WhatsApp runs. Ours holds and checks the network's four signatures; the other's
/// root is taken as known.
pub fn akd() -> Result<Vec<Figure>> {
    let history = History::new(ENTRIES, OTHERS);
    let (file, policy) = (history.export(), TrustPolicy::parse(&policy())?);
    let check = || verify(&file, &policy, None, &Options::default());
    let verdict = check();
    ensure!(matches!(verdict, Verdict::Proved(_)), "ours: {verdict}");
    let value_len = history.bytes().len() / ENTRIES as usize;

    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let label = AkdLabel::from("the patient");
    let (proof, EpochHash(epoch, root), key) = runtime.block_on(async {
        let storage = StorageManager::new_no_cache(AsyncInMemoryDatabase::new());
        let parallelism = AzksParallelismConfig::default();
        let directory = Directory::<Config, _, _>::new(storage, HardCodedAkdVRF {}, parallelism);
        let directory = directory.await.map_err(|why| anyhow!("{why}"))?;
        let others = (0..OTHERS).map(|n| (AkdLabel::from(&format!("{n}")), value(n, 64)));
        let mut updates: Vec<_> = others.collect();
        for version in 0..ENTRIES {
            updates.push((label.clone(), value(version, value_len)));
            let published = directory.publish(std::mem::take(&mut updates));
            published.await.map_err(|why| anyhow!("{why}"))?;
        }
        let proof = directory.key_history(&label, HistoryParams::default());
        let (proof, epoch) = proof.await.map_err(|why| anyhow!("{why}"))?;
        let key = directory.get_public_key().await;
        let key = key.map_err(|why| anyhow!("{why}"))?;
        Ok::<_, anyhow::Error>((proof, epoch, key.as_bytes().to_vec()))
    })?;
    let message = akd::proto::specs::types::HistoryProof::from(&proof);
    let proof_len = message.write_to_bytes()?.len();
    let check_theirs = || {
        akd::client::key_history_verify::<Config>(
            &key,
            root,
            epoch,
            label.clone(),
            proof.clone(),
            HistoryVerificationParams::default(),
        )
    };
    let versions = check_theirs().map_err(|why| anyhow!("{why}"))?;
    ensure!(
        versions.len() as u64 == ENTRIES,
        "theirs: {} versions",
        versions.len()
    );

    let (ours, theirs) = in_turns(1, check, check_theirs);
    let [size, time] = AKD;
    let figure = |id, ours, theirs, unit, times| Figure {
        id,
        ours,
        theirs,
        other: "akd 0.13, its root known",
        unit,
        required: Some(Required::Faster(times)),
    };
    Ok(vec![
        figure(size, file.len() as f64, proof_len as f64, "bytes", 4.0),
        figure(time, ours, theirs, "ns", 15.0),
    ])
}

fn value(n: u64, len: usize) -> AkdValue {
    AkdValue([&n.to_be_bytes()[..], &vec![7; len.saturating_sub(8)]].concat())
}
