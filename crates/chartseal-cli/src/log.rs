//! The log of a node that runs: on stderr, a line an event. It has ids, addresses and rules; nothing of a record, no secret.

use std::io::stderr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::failure::Failure;
use crate::node::Log;

/// What is logged, if it is not said otherwise: `off`, `error`, `warn`, `info`, `debug`, `trace`, or such a word for each
/// crate.
const VARIABLE: &str = "CHARTSEAL_LOG";
/// Ours, and what goes wrong in the engine, which tells of each view otherwise.
const USUAL: &str = "info,commonware_consensus=warn,commonware_p2p=warn,commonware_storage=warn";

/// Begins to log.
///
/// # Errors
/// [`Failure`] if the variable is not in its format.
pub fn begin(form: Log) -> Result<(), Failure> {
    let said = std::env::var(VARIABLE).unwrap_or_else(|_| USUAL.into());
    let targets: Targets = said.parse().map_err(|_| {
        Failure::new(format!(
            "{VARIABLE} is `{said}`; say off, error, warn, info, debug or trace, or crate=level,… "
        ))
    })?;
    let targets = targets.with_target("hyper", LevelFilter::WARN);
    let lines = fmt::layer().with_writer(stderr).with_ansi(false);
    match form {
        Log::Text => registry().with(lines.with_filter(targets)).init(),
        Log::Json => registry().with(lines.json().with_filter(targets)).init(),
    }
    Ok(())
}
