//! A network of an older version's nodes is upgraded to this one's, node by node.

use std::path::Path;
use std::process::Command;

use crate::args::Args;
use crate::command::{cargo, must_succeed, succeeds};

/// The older version's sources and what is built of them, under the target folder.
const SOURCES: &str = "target/upgrade/sources";
const BUILT: &str = "target/upgrade/built";

/// Whether a network that begins as the program of the revision `--from` goes on, and loses nothing, while its nodes become
/// this version's.
pub(crate) fn run(root: &Path, args: &Args) -> Result<bool, String> {
    let from = args.from.as_ref();
    let from = from.ok_or("--from names the revision that is upgraded")?;
    let sources = root.join(SOURCES);
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(root).args(words);
        git
    };
    if sources.exists() {
        must_succeed(&mut git(&["-C", SOURCES, "checkout", "--quiet", from]))?;
    } else {
        must_succeed(&mut git(&["worktree", "prune"]))?;
        must_succeed(&mut git(&["worktree", "add", "--detach", SOURCES, from]))?;
    }
    let built = root.join(BUILT);
    let mut compile = cargo(&sources, &["build", "--release", "--locked"]);
    compile.args(["--package", "chartseal-cli"]);
    must_succeed(compile.env("CARGO_TARGET_DIR", &built))?;
    let mut test = cargo(root, &["test", "--release", "--workspace", "--test", "cli"]);
    test.args(["--", "upgrade::", "--nocapture"]);
    succeeds(test.env("CHARTSEAL_OLDER", built.join("release/chartseal")))
}
