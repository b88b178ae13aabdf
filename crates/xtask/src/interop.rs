//! Other people's programs that tests talk to, each in a folder of its own under the target folder: HPKE for the
//! envelope, a tester of HTTP services by their OpenAPI description, a server that speaks S3, and a cosigner.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{is_installed, must_succeed, typed};

/// One of them.
struct Peer {
    /// Where the scripts and the pinned versions lie.
    scripts: &'static str,
    /// Where it is installed, under the target folder.
    folder: &'static str,
    /// The files with its pinned versions. A copy of the last says that they are installed.
    pins: &'static [&'static str],
    /// What must answer to `--version` first.
    tools: &'static [(&'static str, &'static [&'static str])],
    /// Debian's packages with these tools.
    packages: &'static [&'static str],
    /// The commands, run in a folder with the pins.
    install: &'static [&'static [&'static str]],
}

const VENV: &[&str] = &["python3", "-m", "venv", "--clear", "venv"];
const HPKE: &str = "crates/chartseal-envelope/tests/interop";
const PEERS: [Peer; 5] = [
    Peer::in_python(HPKE, "interop"),
    Peer::in_python("crates/chartseal-cli/tests/contract", "contract"),
    Peer::in_python("crates/chartseal-vault/tests/s3", "s3"),
    Peer {
        install: &[
            VENV,
            &[
                "venv/bin/python",
                "-m",
                "pip",
                "install",
                "--quiet",
                // It says that it needs Python 3.12; what the test calls of it runs on 3.11 too.
                "--ignore-requires-python",
                "-r",
                "requirements.txt",
            ],
        ],
        ..Peer::in_python("crates/chartseal-tiles/tests/cosign", "cosign")
    },
    Peer {
        scripts: HPKE,
        folder: "interop",
        pins: &["package.json", "package-lock.json"],
        tools: &[("node", &[]), ("npm", &[])],
        packages: &["nodejs", "npm"],
        install: &[&["npm", "ci", "--ignore-scripts", "--silent"]],
    },
];

/// Installs those that are not there yet.
///
/// In CI all must be. Elsewhere the tests say what is missing, and nothing is installed outside of
/// the target folder.
pub(crate) fn install(root: &Path) -> Result<(), String> {
    let required = std::env::var_os("CI").is_some_and(|set| set == "true");
    for peer in &PEERS {
        let scripts = root.join(peer.scripts);
        let folder = root.join("target").join(peer.folder);
        match peer.install(&scripts, &folder, required) {
            Err(why) if required => return Err(why),
            Err(why) => eprintln!("tests of interoperation will be left out: {why}"),
            Ok(()) => {}
        }
    }
    Ok(())
}

impl Peer {
    /// What `requirements.txt` pins, in a virtual environment `venv`.
    const fn in_python(scripts: &'static str, folder: &'static str) -> Self {
        Self {
            scripts,
            folder,
            pins: &["requirements.txt"],
            tools: &[("python3", &[]), ("python3", &["-m", "ensurepip"])],
            packages: &["python3", "python3-venv"],
            install: &[
                VENV,
                &[
                    "venv/bin/python",
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "-r",
                    "requirements.txt",
                ],
            ],
        }
    }

    fn install(
        &self,
        scripts: &Path,
        folder: &Path,
        may_install_tools: bool,
    ) -> Result<(), String> {
        let pins = self.pins.last().copied().unwrap_or_default();
        let mark = folder.join(format!("{pins}.installed"));
        let wanted = fs::read(scripts.join(pins)).map_err(|error| format!("{pins}: {error}"))?;
        if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        if !self.has_tools() && may_install_tools {
            let words = ["install", "--yes", "--no-install-recommends"];
            run(Command::new("apt-get").args(words).args(self.packages))?;
        }
        if !self.has_tools() {
            return Err(format!("{} is missing", self.packages.join(" or ")));
        }
        let copy = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            for name in self.pins {
                fs::copy(scripts.join(name), folder.join(name))?;
            }
            Ok(())
        };
        copy().map_err(|error| format!("{}: {error}", folder.display()))?;
        for words in self.install {
            let Some((program, words)) = words.split_first() else {
                continue;
            };
            // A program of the folder itself is found from wherever this runs.
            let program = if program.contains('/') {
                folder.join(program)
            } else {
                program.into()
            };
            run(Command::new(program).args(words).current_dir(folder))?;
        }
        fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
    }

    fn has_tools(&self) -> bool {
        let mut tools = self.tools.iter();
        tools.all(|(program, words)| is_installed(program, words))
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    eprintln!("installing: {}", typed(command));
    must_succeed(command)
}
