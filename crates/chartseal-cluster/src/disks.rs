use std::fs;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// How often, and how many times, it is looked whether a disk that was mended can be written.
const LOOK: Duration = Duration::from_millis(500);
const MOST_LOOKS: usize = 240;
/// The file that takes up room.
const BALLAST: &str = "ballast";

/// A small disk: an ext4 file system out of a file, mounted at a folder until this is dropped.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
    image: PathBuf,
}

fn run(program: &str, words: &[&Path]) -> bool {
    let output = Command::new(program).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

impl Disk {
    /// Makes one of so many MiB, in the file `image`; `None`, and it is said, where that is not allowed.
    pub fn mount(image: &Path, at: &Path, mib: u64) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
        let disk = Self {
            at: at.into(),
            image: image.into(),
        };
        // No room is left for root alone: full is full.
        let made = run("mkfs.ext4", &["-q".as_ref(), "-m0".as_ref(), image]);
        if made && disk.attach() {
            return Some(disk);
        }
        eprintln!("did not run: no file system can be mounted here");
        None
    }

    fn attach(&self) -> bool {
        run(
            "mount",
            &["-o".as_ref(), "loop".as_ref(), &self.image, &self.at],
        )
    }

    /// Takes all the room that is left, but for so many KiB.
    pub fn fill_but(&self, kib: u64) {
        let mut file = fs::File::create(self.at.join(BALLAST)).unwrap();
        let mut length = 0;
        // Ever smaller pieces, for each is synced.
        for size in [1 << 20, 64 << 10, 4 << 10] {
            let piece = vec![0; size];
            let full = loop {
                match file.write_all(&piece).and_then(|()| file.sync_data()) {
                    Ok(()) => length += size as u64,
                    Err(error) => break error,
                }
            };
            assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
            file.set_len(length).unwrap();
            file.seek(SeekFrom::Start(length)).unwrap();
        }
        let kept = u64::saturating_sub(length, kib * 1_024);
        file.set_len(kept).unwrap();
        file.sync_all().unwrap();
    }

    /// Gives the room back.
    pub fn clear(&self) {
        fs::remove_file(self.at.join(BALLAST)).unwrap();
    }

    /// What a kernel does with a disk that fails: from now on it is read-only, for files that are open too.
    pub fn fail(&self) {
        let abort = ["-o".as_ref(), "remount,abort".as_ref(), self.at.as_path()];
        assert!(run("mount", &abort), "{}", self.at.display());
    }

    /// Checks and mounts a disk that failed, as an operator would. Nobody has it open.
    pub fn mend(&self) {
        for _ in 0..MOST_LOOKS {
            assert!(run("umount", &[&self.at]), "{}", self.at.display());
            // It exits with 1 where it mended something.
            let checked = Command::new("e2fsck").arg("-fy").arg(&self.image).output();
            assert!(checked.unwrap().status.code().is_some_and(|code| code <= 1));
            assert!(self.attach(), "{}", self.at.display());
            // The kernel forgets that it failed when no namespace has it mounted any more: one that somebody makes for a
            // network has all that was mounted then, for as long as it lasts.
            let probe = self.at.join("probe");
            if fs::File::create(&probe).is_ok() {
                fs::remove_file(probe).unwrap();
                return;
            }
            thread::sleep(LOOK);
        }
        panic!("{} stays read-only", self.at.display());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that still ends holds it no longer than itself.
        run("umount", &["-l".as_ref(), &self.at]);
    }
}
