//! The program without `std`: built, run, and looked through.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{captured_out, cargo, succeeds, typed};

const PACKAGE: &str = "crates/xtask/no_std";
const PROGRAM: &str = "target/release/chartseal-no-std";

/// Whether the program links without `std`, and does what it should.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    patch_vsss(root)?;
    let mut format = Command::new("rustfmt");
    format.args(["--edition", "2024", "--check"]);
    format.args(["src/main.rs", "build.rs"]);
    let mut build = cargo(root, &["build", "--release", "--locked", "--quiet"]);
    build.args(["--manifest-path", &format!("{PACKAGE}/Cargo.toml")]);
    build.env("CARGO_TARGET_DIR", root.join("target"));
    let mut program = Command::new(root.join(PROGRAM));
    let passed = succeeds(format.current_dir(root.join(PACKAGE)))?
        && succeeds(&mut build)?
        && succeeds(&mut program)?;
    if !passed {
        return Ok(false);
    }
    // This program shows that a look would find it.
    let this = std::env::current_exe().map_err(|error| format!("where is xtask? {error}"))?;
    if !names_std(&this)? {
        return Err("finds no symbol of std in xtask, which has it".to_owned());
    }
    if names_std(&root.join(PROGRAM))? {
        eprintln!("{PROGRAM} has symbols of std");
        return Ok(false);
    }
    println!("the envelope's verbs run in a program without std");
    Ok(true)
}

/// Whether one of its symbols is of the crate `std`, in either way of writing them.
fn names_std(program: &Path) -> Result<bool, String> {
    let bytes = fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    Ok(has(b"_ZN3std") || has(b"_3std"))
}

/// Copies `vsss-rs` to where the program's manifest expects it, with `subtle`'s default features off.
///
/// `vsss-rs` leaves them on though it doesn't use them, and one of them is `std`. Once it no longer
/// does, there is nothing to replace, and this and the manifest's patch go.
fn patch_vsss(root: &Path) -> Result<(), String> {
    const DEPENDS: &str = "[dependencies.subtle]\nversion = \"2.6\"\n";
    let from = folder_of(root, "vsss-rs")?;
    let to = root.join("target/no_std/vsss-rs");
    let manifest = from.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    if !text.contains(DEPENDS) {
        return Err(
            "vsss-rs has changed how it depends on subtle: is its patch needed?".to_owned(),
        );
    }
    let patched = text.replace(DEPENDS, &format!("{DEPENDS}default-features = false\n"));
    if fs::read_to_string(to.join("Cargo.toml")).is_ok_and(|there| there == patched) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        copy_folder(&from.join("src"), &to.join("src"))?;
        fs::write(to.join("Cargo.toml"), patched)
    };
    write().map_err(|error| format!("{}: {error}", to.display()))
}

/// Where cargo keeps a dependency's source.
fn folder_of(root: &Path, name: &str) -> Result<PathBuf, String> {
    // For this platform only, or cargo fetches what others depend on.
    let mut host = Command::new("rustc");
    let (_, host) = captured_out(host.args(["--print", "host-tuple"]))?;
    let mut metadata = cargo(root, &["metadata", "--format-version=1", "--locked"]);
    metadata.args(["--filter-platform", host.trim()]);
    let (succeeded, out) = captured_out(&mut metadata)?;
    if !succeeded {
        return Err(format!("`{}` failed", typed(&metadata)));
    }
    let metadata: Value = serde_json::from_str(&out).map_err(|error| error.to_string())?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let is_named = |package: &&Value| package.get("name").is_some_and(|it| it == name);
    let package = packages.and_then(|packages| packages.iter().find(is_named));
    let manifest = package.and_then(|package| package.get("manifest_path")?.as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{name} is no dependency"))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
