mod patch;
mod tree;

use std::collections::BTreeSet;
use std::iter;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::Args;
use crate::command::{captured, cargo};
use patch::Patch;
use tree::Tree;

/// What came of a patch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The test that it names failed, and these with it.
    Killed(Vec<String>),
    /// No test noticed that the check is gone.
    Survived,
    /// The test that it names is not there, or fails without the patch.
    NoSuchTest,
    /// The code has moved on: the diff has to be made again.
    DoesNotApply(String),
    /// A compiler, not a test, refuses the patched code.
    DoesNotCompile(String),
}

/// Applies patches, one at a time, to a copy of the code; whether a test kills each.
pub(crate) fn run(root: &Path, args: &Args) -> Result<bool, String> {
    let mut patches = Patch::read_all(&root.join("crates/xtask/sabotage"))?;
    if let Some(only) = &args.only {
        patches.retain(|patch| patch.name == *only);
        if patches.is_empty() {
            return Err(format!(
                "no sabotage is called {only}: see `cargo xtask sabotage --list`"
            ));
        }
    }
    if args.list {
        print!("{}", table(&patches));
        return Ok(true);
    }
    let lab = Lab {
        tree: Tree::read(root, root.join("target/sabotage/tree"))?,
        target: root.join("target/sabotage/target"),
    };
    let outcomes = lab.try_all(&patches, |patch, outcome| {
        eprintln!("{}", line(patch, outcome));
    })?;
    let entries: Vec<Value> = patches
        .iter()
        .zip(&outcomes)
        .map(|(patch, outcome)| entry(patch, outcome))
        .collect();
    let killed = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Killed(_)))
        .count();
    if args.json {
        println!(
            "{:#}",
            json!({"schema": "chartseal.sabotage/1", "patches": entries})
        );
    } else {
        println!("{killed} of {} killed", entries.len());
    }
    Ok(killed == entries.len())
}

/// The patches as a table in Markdown, as `docs/sabotage.md` has it.
fn table(patches: &[Patch]) -> String {
    let rows = patches.iter().map(|patch| {
        let Patch {
            name,
            what,
            package,
            test,
            ..
        } = patch;
        format!("| `{name}` | {what} | {package} | `{test}` |\n")
    });
    let head = "| patch | what the code no longer does right | crate | the test that fails |\n|---|---|---|---|\n";
    iter::once(head.to_owned()).chain(rows).collect()
}

/// Where patches are tried: a copy of the tree, with build artefacts of its own.
pub(crate) struct Lab {
    pub(crate) tree: Tree,
    pub(crate) target: PathBuf,
}

impl Lab {
    /// What comes of each patch, in order; each outcome is shown as it comes.
    pub(crate) fn try_all(
        &self,
        patches: &[Patch],
        show: impl Fn(&Patch, &Outcome),
    ) -> Result<Vec<Outcome>, String> {
        self.tree.restore()?;
        // First all without a patch, else a test that fails anyway would kill everything.
        let sound: Vec<bool> = patches
            .iter()
            .map(|patch| self.passes_untouched(patch))
            .collect::<Result<_, _>>()?;
        let try_patch = |(patch, sound)| {
            let outcome = if sound {
                self.try_patch(patch)?
            } else {
                Outcome::NoSuchTest
            };
            show(patch, &outcome);
            Ok(outcome)
        };
        patches.iter().zip(sound).map(try_patch).collect()
    }

    fn passes_untouched(&self, patch: &Patch) -> Result<bool, String> {
        let run = self.test(patch)?;
        Ok(run.passed.contains(&patch.test) && run.failed.is_empty())
    }

    fn try_patch(&self, patch: &Patch) -> Result<Outcome, String> {
        if let Err(why) = self.tree.apply(&patch.path)? {
            return Ok(Outcome::DoesNotApply(why));
        }
        let run = self.test(patch)?;
        self.tree.restore()?;
        Ok(if let Some(error) = run.compiler_error {
            Outcome::DoesNotCompile(error)
        } else if run.failed.contains(&patch.test) {
            Outcome::Killed(run.failed.into_iter().collect())
        } else {
            Outcome::Survived
        })
    }

    /// Runs the tests of the patch's crate, or of one target of it, whose names contain the one that
    /// it names.
    fn test(&self, patch: &Patch) -> Result<Run, String> {
        let cargo = |words: &[&str]| {
            let mut command = cargo(self.tree.path(), &["test", "--release"]);
            command.args(["-p", &patch.package]);
            if patch.target.is_empty() {
                command.arg("--tests");
            }
            command.args(&patch.target).args(words);
            command.env("CARGO_TARGET_DIR", &self.target);
            captured(&mut command)
        };
        let (built, _, messages) = cargo(&["--quiet", "--no-run"])?;
        if !built {
            let error = messages.lines().find(|line| line.starts_with("error"));
            return Ok(Run {
                compiler_error: Some(error.unwrap_or("cargo gave no error line").to_owned()),
                ..Run::default()
            });
        }
        let (_, output, _) = cargo(&["--no-fail-fast", "--", &patch.test])?;
        Ok(Run::read(&output))
    }
}

/// What a test run said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    compiler_error: Option<String>,
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Run {
    /// Reads lines such as `test tests::name ... ok`.
    fn read(output: &str) -> Self {
        let mut run = Self::default();
        for line in output.lines() {
            let test = line.strip_prefix("test ");
            let Some((name, verdict)) = test.and_then(|test| test.rsplit_once(" ... ")) else {
                continue;
            };
            let name = name
                .strip_suffix(" - should panic")
                .unwrap_or(name)
                .to_owned();
            match verdict {
                "ok" => run.passed.insert(name),
                "FAILED" => run.failed.insert(name),
                _ => continue,
            };
        }
        run
    }
}

fn line(patch: &Patch, outcome: &Outcome) -> String {
    let Patch {
        name,
        what,
        package,
        test,
        ..
    } = patch;
    match outcome {
        Outcome::Killed(by) => format!("killed    {name}: {what}\n          by {}", by.join(", ")),
        Outcome::Survived => format!("SURVIVED  {name}: {what}; {test} of {package} passed"),
        Outcome::NoSuchTest => {
            format!("NO TEST   {name}: {package} has no test {test} that passes without the patch")
        }
        Outcome::DoesNotApply(why) => format!("STALE     {name}: does not apply: {why}"),
        Outcome::DoesNotCompile(why) => format!("BROKEN    {name}: does not compile: {why}"),
    }
}

fn entry(patch: &Patch, outcome: &Outcome) -> Value {
    let (outcome, killed_by, why) = match outcome {
        Outcome::Killed(by) => ("killed", by.clone(), None),
        Outcome::Survived => ("survived", Vec::new(), None),
        Outcome::NoSuchTest => ("no_such_test", Vec::new(), None),
        Outcome::DoesNotApply(why) => ("does_not_apply", Vec::new(), Some(why)),
        Outcome::DoesNotCompile(why) => ("does_not_compile", Vec::new(), Some(why)),
    };
    json!({
        "name": patch.name, "what": patch.what, "package": patch.package, "test": patch.test,
        "outcome": outcome, "killed_by": killed_by, "why": why,
    })
}

#[cfg(test)]
mod tests;
