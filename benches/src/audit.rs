//! What the verifier takes, beside what nobody can do without.

use std::error::Error;

use chartseal_audit::{Kept, Options, TrustPolicy, Verdict, verify};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::audit_export::{History, policy};
use crate::figure::{Figure, Required, median, time};

/// The names of [`figures`].
pub const FIGURES: [&str; 3] = [
    "audit/verify-1000",
    "audit/verify-1000-smallest",
    "audit/incremental",
];

const ROUNDS: usize = 101;
/// Other values of the state.
const OTHERS: u64 = 10_000;

/// A whole history of 1,000 entries, as visits make them and of the smallest that there are, and one
/// entry more of a long one.
///
/// # Errors
/// If an export is not proved.
pub fn figures() -> Result<Vec<Figure>, Box<dyn Error>> {
    let policy = TrustPolicy::parse(&policy())?;
    let [visits, smallest, incremental] = FIGURES;
    let required = Some(Required::Within(3.0));
    Ok(vec![
        whole_history(
            visits,
            &History::of_visits(1_000, OTHERS),
            required,
            &policy,
        )?,
        whole_history(smallest, &History::new(1_000, OTHERS), None, &policy)?,
        one_more(incremental, &policy)?,
    ])
}

/// The time beyond four signature checks, against SHA-256 over the bytes of the entries.
fn whole_history(
    id: &'static str,
    history: &History,
    required: Option<Required>,
    policy: &TrustPolicy,
) -> Result<Figure, Box<dyn Error>> {
    let (file, bytes) = (history.export(), history.bytes());
    proved(&file, policy, None)?;
    let key = SigningKey::from_bytes(&[1; 32]);
    let (public, signature) = (key.verifying_key(), key.sign(&[1; 200]));
    let (mut all, mut signatures, mut hashing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        all.push(time(|| verify(&file, policy, None, &Options::default())));
        signatures.push(time(|| {
            (0..4).all(|_| public.verify_strict(&[1; 200], &signature).is_ok())
        }));
        hashing.push(time(|| Sha256::digest(&bytes)));
    }
    Ok(Figure {
        id,
        ours: median(all) - median(signatures),
        theirs: median(hashing),
        other: "SHA-256 of the entries' bytes",
        unit: "ns",
        required,
    })
}

/// One entry after 10,000, against one after 100.
fn one_more(id: &'static str, policy: &TrustPolicy) -> Result<Figure, Box<dyn Error>> {
    let prepared = |entries| -> Result<(String, Kept), Box<dyn Error>> {
        let history = History::new(entries, OTHERS);
        let kept = proved(&history.export(), policy, None)?;
        let newer = history.newer();
        proved(&newer, policy, Some(&kept))?;
        Ok((newer, kept))
    };
    let ((long, after_long), (short, after_short)) = (prepared(10_000)?, prepared(100)?);
    let options = Options::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| verify(&long, policy, Some(&after_long), &options)));
        theirs.push(time(|| {
            verify(&short, policy, Some(&after_short), &options)
        }));
    }
    Ok(Figure {
        id,
        ours: median(ours),
        theirs: median(theirs),
        other: "the same after 100 entries",
        unit: "ns",
        required: Some(Required::Within(1.25)),
    })
}

fn proved(file: &str, policy: &TrustPolicy, kept: Option<&Kept>) -> Result<Kept, String> {
    match verify(file, policy, kept, &Options::default()) {
        Verdict::Proved(report) => Ok(report.kept),
        other => Err(other.to_string()),
    }
}
