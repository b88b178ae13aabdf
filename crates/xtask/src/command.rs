use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The cargo that runs this.
pub(crate) fn cargo(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(root);
    command
}

/// Whether a program answers to `--version`.
pub(crate) fn is_installed(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs it with its output as it is; whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool, String> {
    let status = command
        .status()
        .map_err(|error| cannot_start(command, &error))?;
    Ok(status.success())
}

/// Runs it so; an error that names it if it fails.
pub(crate) fn must_succeed(command: &mut Command) -> Result<(), String> {
    if succeeds(command)? {
        Ok(())
    } else {
        Err(format!("`{}` failed", typed(command)))
    }
}

/// Runs it, shows its output line by line as it comes, and gives those lines too.
pub(crate) fn succeeds_shown(command: &mut Command) -> Result<(bool, Vec<String>), String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| cannot_start(command, &error))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (shown_out, shown_err) = std::thread::scope(|scope| {
        let out = scope.spawn(|| show(out, |line| println!("{line}")));
        let err = show(err, |line| eprintln!("{line}"));
        (out.join().unwrap_or_default(), err)
    });
    let status = child
        .wait()
        .map_err(|error| cannot_start(command, &error))?;
    Ok((status.success(), [shown_out, shown_err].concat()))
}

/// Runs it with its standard error as it is; whether it succeeded, and its standard output.
pub(crate) fn captured_out(command: &mut Command) -> Result<(bool, String), String> {
    command.stderr(Stdio::inherit());
    let (succeeded, out, _) = captured(command)?;
    Ok((succeeded, out))
}

/// Runs it in silence; whether it succeeded, and its standard output and error.
pub(crate) fn captured(command: &mut Command) -> Result<(bool, String, String), String> {
    let output = command
        .output()
        .map_err(|error| cannot_start(command, &error))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    ))
}

/// A command as a person would type it.
pub(crate) fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn show(stream: Option<impl std::io::Read>, print: impl Fn(&str)) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(stream) = stream else { return lines };
    let mut stream = BufReader::new(stream);
    let mut bytes = Vec::new();
    // A test may print what is not UTF-8; that is no reason to stop reading.
    while stream
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|len| len > 0)
    {
        let line = String::from_utf8_lossy(&bytes);
        print(line.trim_end());
        lines.push(line.trim_end().to_owned());
        bytes.clear();
    }
    lines
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run `{}`: {error}", typed(command))
}
