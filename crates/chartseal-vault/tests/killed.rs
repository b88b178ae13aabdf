#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! A process that is killed in the middle of a write leaves a store without damage.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chartseal_vault::{
    BlobId, BlobStore, DirBlobStore, FileSecretStore, SecretStore, ShareKey, StoreKey, VaultError,
};

const DIR: &str = "CHARTSEAL_VAULT_KILLED_DIR";
const ROUNDS: u32 = 12;

fn store_key() -> StoreKey {
    StoreKey::from_secret_bytes(&[9; 32])
}

#[test]
fn blobs_survive_kills_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..ROUNDS {
        let reported = kill_after("blob_child", dir.path(), round);
        let store = DirBlobStore::open(dir.path()).unwrap();
        let ids = store.ids().unwrap();
        for id in &ids {
            store.get(id).unwrap().unwrap();
        }
        // What the child reported as stored is there.
        assert!(ids.len() as u64 >= reported, "{} of {reported}", ids.len());
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
        store.delete(&ids).unwrap();
        written += reported;
    }
    assert!(written > 0, "no child had written anything yet");
}

#[test]
fn shares_survive_kills_at_any_moment_of_puts_and_destructions() {
    let dir = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..ROUNDS {
        let reported = kill_after("share_child", dir.path(), round);
        let store = FileSecretStore::<ShareKey>::open(dir.path(), &store_key()).unwrap();
        let keys = store.keys().unwrap();
        for key in &keys {
            assert_eq!(store.get(key).unwrap().unwrap().expose(), key.0.repeat(4));
        }
        // Of each ten that were put whole, one is destroyed.
        assert!(
            keys.len() as u64 >= reported * 9,
            "{} of {reported} batches",
            keys.len()
        );
        assert!(!dir.path().join("secrets.redb.new").exists());
        store.destroy(&keys).unwrap();
        written += reported;
    }
    assert!(written > 0, "no child had written anything yet");
}

#[test]
fn a_store_that_another_process_has_open_is_refused_until_that_process_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    for child in ["blob_child", "share_child"] {
        let (mut child, _) = spawn(child, dir.path());
        let blobs = DirBlobStore::open(dir.path()).unwrap_err();
        let shares = FileSecretStore::<ShareKey>::open(dir.path(), &store_key()).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(blobs, VaultError::InUse { .. }), "{blobs}");
        assert!(
            shares.to_string().contains("is in use by another process"),
            "{shares}"
        );
        DirBlobStore::open(dir.path()).unwrap();
    }
}

/// Limits the child's files to 64 kB: the kernel then refuses in the middle of a write, as it does
/// when a disk is full.
#[cfg(unix)]
#[test]
fn a_write_that_the_medium_refuses_gives_one_clear_error_and_leaves_nothing_half_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (blobs, shares) = (dir.path().join("blobs"), dir.path().join("shares"));
    let id = DirBlobStore::open(&blobs).unwrap().put(b"kept").unwrap();
    let key = ShareKey([1; 32]);
    FileSecretStore::open(&shares, &store_key())
        .unwrap()
        .put_batch(&[(key, &b"kept"[..])])
        .unwrap();

    let exe = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"")
        .arg(exe)
        .args(["--ignored", "--exact", "--nocapture", "limited_child"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(
        stdout.contains("blob: cannot write a blob to the blob store's folder"),
        "{stdout}"
    );
    assert!(
        stdout.contains("stream: cannot write a blob to the blob store's folder"),
        "{stdout}"
    );
    assert!(stdout.contains("share: cannot"), "{stdout}");

    let store = DirBlobStore::open(&blobs).unwrap();
    assert_eq!(store.ids().unwrap(), [id]);
    assert_eq!(fs::read_dir(blobs.join("tmp")).unwrap().count(), 0);
    let store = FileSecretStore::<ShareKey>::open(&shares, &store_key()).unwrap();
    assert_eq!(store.keys().unwrap(), [key]);
    assert_eq!(store.get(&key).unwrap().unwrap().expose(), b"kept");
}

#[test]
#[ignore = "a child of the tests above"]
fn limited_child() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let store = DirBlobStore::open(dir.join("blobs")).unwrap();
    let large = vec![1; 1_000_000];
    let refused = store.put_batch(&[b"small", &large]).unwrap_err();
    println!("blob: {refused}");
    let refused = store
        .put_stream(&BlobId::of(&large), &mut large.as_slice())
        .unwrap_err();
    println!("stream: {refused}");
    let refused = FileSecretStore::open(dir.join("shares"), &store_key())
        .and_then(|store| store.put_batch(&[(ShareKey([2; 32]), &large[..])]))
        .unwrap_err();
    println!("share: {refused}");
}

#[test]
#[ignore = "a child of the tests above"]
fn blob_child() {
    let store = DirBlobStore::open(std::env::var_os(DIR).unwrap()).unwrap();
    println!("\nopen");
    for n in 0u64.. {
        store.put(&n.to_be_bytes().repeat(1000)).unwrap();
        println!("\ndone {}", n + 1);
    }
}

#[test]
#[ignore = "a child of the tests above"]
fn share_child() {
    let store = FileSecretStore::open(std::env::var_os(DIR).unwrap(), &store_key()).unwrap();
    println!("\nopen");
    for n in 0u64.. {
        let key = |i: u64| ShareKey(*blake3::hash(&(n * 10 + i).to_be_bytes()).as_bytes());
        let rows: Vec<(ShareKey, Vec<u8>)> =
            (0..10).map(|i| (key(i), key(i).0.repeat(4))).collect();
        let rows: Vec<(ShareKey, &[u8])> = rows.iter().map(|(key, row)| (*key, &row[..])).collect();
        store.put_batch(&rows).unwrap();
        store.destroy(&[key(0)]).unwrap();
        println!("\ndone {}", n + 1);
    }
}

/// Runs `child` on `dir`, kills it at a moment that depends on `round`, and gives how far it said
/// that it had come.
fn kill_after(child: &str, dir: &Path, round: u32) -> u64 {
    let (mut child, output) = spawn(child, dir);
    std::thread::sleep(Duration::from_micros(20_000 + 7_919 * u64::from(round)));
    child.kill().unwrap();
    child.wait().unwrap();
    let done = output.lines().map_while(Result::ok);
    done.filter_map(|line| line.strip_prefix("done ")?.parse().ok())
        .max()
        .unwrap_or(0)
}

/// Starts one of the children above, and waits until it has opened its store.
fn spawn(child: &str, dir: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", child])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim() != "open" {
        line.clear();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "the child ended early"
        );
    }
    (child, output)
}
