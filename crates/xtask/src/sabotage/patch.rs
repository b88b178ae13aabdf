use std::fs;
use std::path::{Path, PathBuf};

/// A check to take out: `sabotage/NAME.patch`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// What the code no longer does, in words.
    pub(crate) what: String,
    /// The package whose test has to fail.
    pub(crate) package: String,
    /// In which target the test is and what it needs, in cargo's words (`--test NAME`, `--features F`);
    /// without: in any target.
    pub(crate) target: Vec<String>,
    /// The test's full name, as the test runner prints it.
    pub(crate) test: String,
}

impl Patch {
    /// All patches of a folder, by name.
    pub(crate) fn read_all(dir: &Path) -> Result<Vec<Self>, String> {
        let cannot = |error| format!("cannot read {}: {error}", dir.display());
        let mut patches = Vec::new();
        for file in fs::read_dir(dir).map_err(cannot)? {
            let path = file.map_err(cannot)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patch")
            {
                patches.push(Self::read(path)?);
            }
        }
        patches.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(patches)
    }

    fn read(path: PathBuf) -> Result<Self, String> {
        let read = fs::read_to_string(&path);
        let lines = read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let field = |name: &str| {
            let found = lines.lines().find_map(|line| line.strip_prefix(name));
            found
                .map(str::trim)
                .ok_or_else(|| format!("{}: no line `{name}`", path.display()))
        };
        let what = field("# what:")?.to_owned();
        let kills = field("# kills:")?;
        let words: Vec<String> = kills.split_whitespace().map(str::to_owned).collect();
        let [package, target @ .., test] = words.as_slice() else {
            let expected = "CRATE [WORDS FOR CARGO] TEST";
            return Err(format!("{}: `# kills:` wants {expected}", path.display()));
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            what,
            package: package.clone(),
            target: target.to_vec(),
            test: test.clone(),
            path,
        })
    }
}
