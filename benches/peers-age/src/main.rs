//! age in a process of its own, for its lockfile can't be Chartseal's. It seals or opens 64 MiB for each
//! line `seal` or `open` that it reads, and answers each with the nanoseconds that it took.

use std::io::{BufRead, Read, Write};
use std::time::Instant;

use age::x25519::Identity;
use age::{Decryptor, Encryptor, Recipient};
use anyhow::{Result, bail};

const LEN: usize = 64 << 20;

fn main() -> Result<()> {
    let identity = Identity::generate();
    let recipient = identity.to_public();
    let mut content = vec![0; LEN];
    for (place, byte) in content.iter_mut().enumerate() {
        *byte = place.to_le_bytes()[0];
    }
    // Grown once, so that no round pays for the system's pages.
    let mut sealed = Vec::with_capacity(LEN + LEN / 100);
    let mut opened = Vec::with_capacity(LEN + 1);
    seal(&recipient, &content, &mut sealed)?;
    open(&identity, &sealed, &mut opened)?;
    if opened != content {
        bail!("age opened something else than it sealed");
    }
    for line in std::io::stdin().lock().lines() {
        let start = Instant::now();
        match line?.as_str() {
            "seal" => seal(&recipient, &content, &mut sealed)?,
            "open" => open(&identity, &sealed, &mut opened)?,
            other => bail!("`seal` or `open` was expected, not {other}"),
        }
        println!("{}", start.elapsed().as_nanos());
    }
    Ok(())
}

fn seal(recipient: &dyn Recipient, content: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
    sealed.clear();
    let mut writer = Encryptor::with_recipients(std::iter::once(recipient))?.wrap_output(sealed)?;
    writer.write_all(content)?;
    writer.finish()?;
    Ok(())
}

fn open(identity: &Identity, sealed: &[u8], opened: &mut Vec<u8>) -> Result<()> {
    opened.clear();
    let mut reader = Decryptor::new(sealed)?.decrypt(std::iter::once(identity as _))?;
    reader.read_to_end(opened)?;
    Ok(())
}
