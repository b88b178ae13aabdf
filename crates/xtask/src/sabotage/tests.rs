use std::fs;
use std::path::Path;
use std::process::Command;

use super::patch::Patch;
use super::tree::Tree;
use super::{Lab, Outcome, Run, table};
use crate::command::captured;

const LIB: &str = "\
pub fn is_adult(age: u8) -> bool {
    let checked = age < 150;
    checked && age >= 18
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_child_is_refused() {
        assert!(!super::is_adult(17));
    }
    #[test]
    fn fails_anyway() {
        assert!(super::is_adult(17));
    }
}
";

#[test]
fn a_patch_must_apply_compile_and_be_killed_by_its_own_test() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    write(
        &original,
        "Cargo.toml",
        "[package]\nname = \"toy\"\nedition = \"2024\"\n[workspace]\n",
    );
    write(&original, "src/lib.rs", LIB);
    let init = Command::new("git")
        .args(["init", "-q"])
        .current_dir(&original)
        .status();
    assert!(init.unwrap().success());

    let age = ("    checked && age >= 18", "    checked");
    let killed = "tests::a_child_is_refused";
    write_patch(dir.path(), "1_killed", killed, age);
    write_patch(
        dir.path(),
        "2_survived",
        killed,
        ("    checked && age >= 18", "    age >= 18"),
    );
    write_patch(
        dir.path(),
        "3_stale",
        killed,
        ("    checked && age >= 21", "    checked"),
    );
    write_patch(
        dir.path(),
        "4_broken",
        killed,
        ("    checked && age >= 18", "    checkd"),
    );
    write_patch(
        dir.path(),
        "5_no_test",
        "tests::a_test_that_was_renamed",
        age,
    );
    write_patch(dir.path(), "6_fails_anyway", "tests::fails_anyway", age);

    let lab = Lab {
        tree: Tree::read(&original, dir.path().join("copy")).unwrap(),
        target: dir.path().join("target"),
    };
    let patches = Patch::read_all(dir.path()).unwrap();
    let outcomes = lab.try_all(&patches, |_, _| ()).unwrap();
    assert_eq!(outcomes[0], Outcome::Killed(vec![killed.to_owned()]));
    assert_eq!(outcomes[1], Outcome::Survived);
    assert!(
        matches!(outcomes[2], Outcome::DoesNotApply(_)),
        "{:?}",
        outcomes[2]
    );
    assert!(
        matches!(outcomes[3], Outcome::DoesNotCompile(_)),
        "{:?}",
        outcomes[3]
    );
    assert_eq!(outcomes[4..], [Outcome::NoSuchTest, Outcome::NoSuchTest]);
    assert_eq!(
        fs::read_to_string(original.join("src/lib.rs")).unwrap(),
        LIB
    );
}

#[test]
fn restoring_takes_patches_and_stray_files_back_and_touches_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    write(&original, "kept.rs", "kept");
    write(&original, "below/patched.rs", "whole");
    let init = Command::new("git")
        .args(["init", "-q"])
        .current_dir(&original)
        .status();
    assert!(init.unwrap().success());
    let tree = Tree::read(&original, dir.path().join("copy")).unwrap();
    tree.restore().unwrap();
    let time = || {
        fs::metadata(tree.path().join("kept.rs"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = time();
    write(tree.path(), "below/patched.rs", "broken");
    write(&original, "below/patched.rs", "edited meanwhile");
    write(tree.path(), "below/stray.rs", "stray");
    tree.restore().unwrap();
    assert_eq!(
        fs::read_to_string(tree.path().join("below/patched.rs")).unwrap(),
        "whole"
    );
    assert!(!tree.path().join("below/stray.rs").exists());
    assert_eq!(time(), before);
}

#[test]
fn a_run_is_read_from_the_runners_lines() {
    let run = Run::read(
        "running 3 tests\ntest a::b ... ok\ntest c - should panic ... FAILED\ntest d ... ignored\n",
    );
    assert_eq!(run.passed, ["a::b".to_owned()].into());
    assert_eq!(run.failed, ["c".to_owned()].into());
}

#[test]
fn every_patch_applies_to_the_code_as_it_is_and_names_a_test_that_is_there() {
    let root = crate::root().unwrap();
    let patches = Patch::read_all(&root.join("crates/xtask/sabotage")).unwrap();
    assert!(patches.len() >= 30);
    for patch in &patches {
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(&patch.path);
        let (applies, _, why) = captured(git.current_dir(&root)).unwrap();
        assert!(applies, "{} has to be made again: {why}", patch.name);
        let test = patch.test.rsplit("::").next().unwrap();
        let package = root.join("crates").join(&patch.package);
        assert!(
            has_function(&package, test),
            "{}: {} has no test {test}",
            patch.name,
            patch.package
        );
    }
    let page = fs::read_to_string(root.join("docs/sabotage.md")).unwrap();
    assert!(
        page.contains(&table(&patches)),
        "docs/sabotage.md wants the table that `cargo xtask sabotage --list` prints"
    );
}

/// Whether a source file below `dir` has a function of this name.
fn has_function(dir: &Path, name: &str) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return has_function(&path, name);
        }
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        is_source
            && fs::read_to_string(&path)
                .unwrap()
                .contains(&format!("fn {name}("))
    })
}

/// A patch that replaces the third line of [`LIB`].
fn write_patch(dir: &Path, name: &str, test: &str, (old, new): (&str, &str)) {
    let diff = format!(
        "# what: {name}\n# kills: toy {test}\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,4 +1,4 @@\n \
         pub fn is_adult(age: u8) -> bool {{\n     let checked = age < 150;\n-{old}\n+{new}\n }}\n"
    );
    write(dir, &format!("{name}.patch"), &diff);
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
