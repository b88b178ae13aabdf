//! Bundles, files and disks that a demo can't work with: one clear line each, and nothing half-stored.

use std::fs;
use std::path::Path;
use std::process::Command;

use chartseal_testkit::bad_bundles;

use crate::support::{Ran, chartseal, demo_of, names};

/// A demo of this bundle, to be kept in that directory.
fn demo(bundle: &Path, dir: &Path) -> Ran {
    let mut command = chartseal();
    command
        .args(["demo", "--json", "--bundle"])
        .arg(bundle)
        .arg("--dir")
        .arg(dir);
    command.output().unwrap().into()
}

#[test]
fn every_bad_bundle_is_refused_in_one_line_without_its_content_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("kept");
    for case in bad_bundles::all() {
        let file = folder.path().join(format!("{}.json", case.name));
        fs::write(&file, case.bytes()).unwrap();
        let ran = demo(&file, &dir);
        let why = ran.error().strip_prefix(&format!("{}: ", file.display()));
        let why = why.unwrap_or_else(|| panic!("{}: names its file: {}", case.name, ran.stderr));
        assert!(why.contains(case.expect), "{}: {why}", case.name);
        for canary in bad_bundles::CANARIES {
            assert!(!why.contains(canary), "{}: {why}", case.name);
        }
        assert!(!dir.exists(), "{}", case.name);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn files_that_are_none_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.json");
    fs::write(&empty, "").unwrap();
    let within = empty.join("within.json");
    for (file, expect) in [
        (&folder.path().join("missing.json"), "no such file"),
        (
            &folder.path().to_path_buf(),
            "a directory; a file is needed",
        ),
        (&empty, "the input is empty"),
        (&within, "cannot read it: Not a directory"),
    ] {
        let dir = folder.path().join("kept");
        let ran = demo(file, &dir);
        let why = ran
            .error()
            .strip_prefix(&format!("{}: ", file.display()))
            .unwrap();
        assert!(why.contains(expect), "{why}");
        assert!(!dir.exists());
    }
}

#[test]
fn a_directory_that_is_a_file_is_named_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    for (dir, expect) in [
        (&file, "not a directory; name an empty or a new one"),
        (
            &file.join("within"),
            "cannot make the directory: Not a directory",
        ),
    ] {
        let ran: Ran = chartseal()
            .args(["demo", "--json", "--dir"])
            .arg(dir)
            .output()
            .unwrap()
            .into();
        let why = ran
            .error()
            .strip_prefix(&format!("{}: ", dir.display()))
            .unwrap();
        assert!(why.contains(expect), "{why}");
        assert_eq!(fs::read(&file).unwrap(), b"content");
    }
}

#[cfg(unix)]
mod permissions {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;

    use super::*;

    /// A copy of the program that whoever may not do everything can run, in a folder that they can
    /// enter; and whether we are such a person already.
    struct Unprivileged {
        folder: tempfile::TempDir,
        program: PathBuf,
    }

    impl Unprivileged {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            let program = folder.path().join("chartseal");
            fs::copy(env!("CARGO_BIN_EXE_chartseal"), &program).unwrap();
            fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
            Self { folder, program }
        }

        fn run(&self, args: &[&Path]) -> Ran {
            let mut command = Command::new(&self.program);
            command.args(["demo", "--json"]).args(args);
            // Permissions bind everybody but root.
            if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
                command.uid(65_534).gid(65_534);
            }
            command.output().unwrap().into()
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let person = Unprivileged::new();
        let file = person.folder.path().join("secret.json");
        fs::write(&file, bad_bundles::bundle_of(1)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
        let ran = person.run(&[Path::new("--bundle"), &file]);
        let why = ran
            .error()
            .strip_prefix(&format!("{}: ", file.display()))
            .unwrap();
        assert_eq!(why, "no permission to read it");
    }

    #[test]
    fn a_directory_without_permission_is_named() {
        let person = Unprivileged::new();
        let closed = person.folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        for dir in [
            closed.clone(),
            closed.join("new"),
            closed.join("new/and/deep"),
        ] {
            let ran = person.run(&[Path::new("--dir"), &dir]);
            let error = ran.error();
            assert!(error.starts_with(&*dir.to_string_lossy()), "{error}");
            assert!(error.contains("Permission denied"), "{error}");
            assert!(
                error.contains("a writable directory with room is needed"),
                "{error}"
            );
            assert_eq!(names(&closed), Vec::<String>::new());
        }
    }

    #[test]
    fn a_temporary_directory_without_permission_is_named() {
        let person = Unprivileged::new();
        let closed = person.folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        let mut command = Command::new(&person.program);
        command.args(["demo", "--json"]).env("TMPDIR", &closed);
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            command.uid(65_534).gid(65_534);
        }
        let ran: Ran = command.output().unwrap().into();
        assert!(
            ran.error().starts_with(&*closed.to_string_lossy()),
            "{}",
            ran.stderr
        );
    }
}

/// Runs a demo on a file system of its own that is mounted with these options, in a mount namespace
/// that is gone afterwards. `None` where we may not do that. Gives what was left there, too.
#[cfg(target_os = "linux")]
fn demo_on_a_mount(options: &str, args: &[&str]) -> Option<(Ran, String, String)> {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o "$1" none "$2" 2>/dev/null || exit 77
        cd "$2"; left="$3"; shift 3
        "$@"; code=$?
        find . -mindepth 1 > "$left"
        exit $code"#;
    let folder = tempfile::tempdir().unwrap();
    let (mount, left) = (folder.path().join("mount"), folder.path().join("left"));
    fs::create_dir(&mount).unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        SCRIPT,
        "sh",
        options,
    ]);
    command
        .args([&mount, &left])
        .arg(env!("CARGO_BIN_EXE_chartseal"))
        .args(args);
    let ran: Option<Ran> = command.output().ok().map(Into::into);
    match ran {
        Some(ran) if left.exists() => {
            let left = fs::read_to_string(left).unwrap();
            Some((ran, left, mount.display().to_string()))
        }
        _ => {
            eprintln!("did not run: no file system can be mounted here");
            None
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_is_named_and_nothing_stays_on_it() {
    // Too little for the marker, for the stores, for the records.
    for inodes_or_size in ["nr_inodes=2", "size=4k", "size=64k", "size=1m", "size=3m"] {
        for dir in ["new/deep", "."] {
            let ran = demo_on_a_mount(inodes_or_size, &["demo", "--json", "--dir", dir]);
            let Some((ran, left, _)) = ran else { return };
            let error = ran.error();
            assert!(
                error.contains(&format!("{dir}/")) || error.starts_with(dir),
                "{inodes_or_size} {dir}: {error}"
            );
            assert!(
                error.contains("No space left on device") || error.contains("no room: "),
                "{inodes_or_size} {dir}: {error}"
            );
            assert_eq!(left, "", "{inodes_or_size} {dir}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_disk_is_named() {
    for dir in ["new", "."] {
        let ran = demo_on_a_mount("ro", &["demo", "--json", "--dir", dir]);
        let Some((ran, left, _)) = ran else { return };
        let error = ran.error();
        assert!(error.starts_with(dir), "{error}");
        assert!(error.contains("Read-only file system"), "{error}");
        assert_eq!(left, "");
    }
}

#[test]
fn a_file_that_never_ends_is_refused() {
    let zeros = Path::new("/dev/zero");
    if !zeros.exists() {
        eprintln!("did not run: there is no /dev/zero");
        return;
    }
    let ran = demo_of(zeros);
    assert!(
        ran.error().starts_with("/dev/zero: longer than "),
        "{}",
        ran.stderr
    );
}
