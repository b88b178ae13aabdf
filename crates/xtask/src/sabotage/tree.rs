use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::captured;

/// A copy of a work tree's files, changed at will: the work tree itself is only read.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Path and content of every file, as they were when this was made: who goes on working in the
    /// work tree meanwhile changes no outcome.
    files: BTreeMap<PathBuf, Vec<u8>>,
    copy: PathBuf,
}

impl Tree {
    /// Reads the files that git tracks or would track in `original`.
    pub(crate) fn read(original: &Path, copy: PathBuf) -> Result<Self, String> {
        let files = list(original)?.into_iter();
        let files = files.map(|file| Ok((file.clone(), read(&original.join(file))?)));
        Ok(Self {
            files: files.collect::<Result<_, String>>()?,
            copy,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.copy
    }

    /// Makes the copy equal to what was read. Files that are equal keep their times, so that cargo
    /// builds again only what a patch touched.
    pub(crate) fn restore(&self) -> Result<(), String> {
        for (file, wanted) in &self.files {
            let copy = self.copy.join(file);
            if fs::read(&copy).is_ok_and(|held| held == *wanted) {
                continue;
            }
            let cannot = |error| format!("cannot write {}: {error}", copy.display());
            fs::create_dir_all(copy.parent().unwrap_or(&self.copy)).map_err(cannot)?;
            fs::write(&copy, wanted).map_err(cannot)?;
        }
        remove_others(&self.copy, &self.copy, &self.files)
    }

    /// Applies a diff to the copy, or says why it does not apply.
    pub(crate) fn apply(&self, patch: &Path) -> Result<Result<(), String>, String> {
        let mut git = Command::new("git");
        git.args(["apply", "--whitespace=nowarn"])
            .arg(patch)
            .current_dir(&self.copy);
        // The copy may lie in an ignored folder of a repository; git would then skip its files.
        git.env(
            "GIT_CEILING_DIRECTORIES",
            self.copy.parent().unwrap_or(&self.copy),
        );
        let (applied, _, why) = captured(&mut git)?;
        Ok(if applied {
            Ok(())
        } else {
            Err(why
                .lines()
                .next()
                .unwrap_or("git gave no reason")
                .to_owned())
        })
    }
}

/// The files that git tracks or would track.
fn list(original: &Path) -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let (listed, files, why) = captured(git.current_dir(original))?;
    if !listed {
        return Err(format!("cannot list the files to copy: {why}"));
    }
    let files = files.split_terminator('\0').map(PathBuf::from);
    Ok(files.filter(|file| original.join(file).is_file()).collect())
}

/// Removes the files below `dir` that are not in `files`, which are relative to `base`.
fn remove_others(
    base: &Path,
    dir: &Path,
    files: &BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), String> {
    let cannot = |error| format!("cannot clear {}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let path = entry.path();
        if entry.file_type().map_err(cannot)?.is_dir() {
            remove_others(base, &path, files)?;
        } else if path
            .strip_prefix(base)
            .is_ok_and(|file| !files.contains_key(file))
        {
            fs::remove_file(&path).map_err(cannot)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
