//! `chartseal key …`, and the keys and passwords of the other verbs.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use chartseal_envelope::file::{self, Kind};
use chartseal_envelope::{AuthorKey, Header, KeySeed, PublicIdentity, Suite, keystore};
use zeroize::Zeroizing;

use super::args::{Key, KeyNew, KeyShow, Password, Unlock};
use super::input::object;
use super::inspect;
use super::output::Output;
use crate::exit::Exit;
use crate::failure::{Failure, read_file, read_text};

/// The longest first line of a password file, in bytes.
const MAX_PASSWORD: u64 = 4096;

pub fn run(command: &Key) -> Result<Exit, Failure> {
    match command {
        Key::New(args) => new(args),
        Key::Show(args) => show(args),
    }
}

fn new(args: &KeyNew) -> Result<Exit, Failure> {
    let public = args.out.with_extension("pub");
    if public == args.out {
        return Err(Failure::bad(
            &args.out,
            "the public key gets this name; use another",
        ));
    }
    for path in [&args.out, &public] {
        if path.exists() {
            return Err(Failure::bad(path, "it exists already"));
        }
    }
    let password = args.password.new_one()?;
    let seed = KeySeed::generate().map_err(Failure::new)?;
    let identity = seed.identity(Suite::default());
    let encrypted = keystore::encrypt(&seed, &password).map_err(Failure::new)?;
    let mut out = Output::secret(&args.out)?;
    out.write_all(encrypted.as_bytes())?;
    let mut public_out = Output::public(&public)?;
    public_out.write_all(&file::to_bytes(&identity))?;
    out.finish_new()?;
    if let Err(failure) = public_out.finish_new() {
        // A pair, or none.
        let _ = fs::remove_file(&args.out);
        return Err(failure);
    }
    writeln!(io::stdout(), "{}", identity.fingerprint())?;
    Ok(Exit::Done)
}

fn show(args: &KeyShow) -> Result<Exit, Failure> {
    let bytes = read_file(
        &args.file,
        u64::try_from(keystore::MAX_FILE).unwrap_or(u64::MAX),
    )?;
    let identity = if Kind::of(&bytes) == Some(Kind::Identity) {
        object(&args.file)?
    } else {
        open(&args.file, &args.password)?.identity(Suite::default())
    };
    inspect::print(&inspect::identity(&identity), args.json)
}

/// The seed in an encrypted key's file.
pub fn open(path: &Path, password: &Password) -> Result<KeySeed, Failure> {
    let file = read_text(path, u64::try_from(keystore::MAX_FILE).unwrap_or(u64::MAX))?;
    // Before anybody types a password for nothing.
    keystore::check(&file).map_err(|why| Failure::bad(path, why))?;
    let password = password.known_one(path)?;
    keystore::decrypt(&file, &password).map_err(|why| Failure::bad(path, why))
}

impl Unlock {
    pub fn open(&self) -> Result<KeySeed, Failure> {
        open(&self.key, &self.password)
    }
}

/// The key that a header's author verifies with: the one that is given, or one's own.
pub fn author(given: Option<&Path>, own: &KeySeed, header: &Header) -> Result<AuthorKey, Failure> {
    let identity: PublicIdentity = match given {
        Some(path) => object(path)?,
        None => own.identity(header.suite()),
    };
    let key = identity.author();
    if key.key_id() == header.author() {
        return Ok(key.clone());
    }
    Err(match given {
        Some(path) => Failure::bad(path, "header names another author key (CS-ENV-30)"),
        None => Failure::new("you are not the record's author: whose key is it? (--author)"),
    })
}

impl Password {
    fn known_one(&self, path: &Path) -> Result<Zeroizing<String>, Failure> {
        match &self.password_file {
            Some(file) => from_file(file),
            None => ask(&format!("Password of {}: ", path.display())),
        }
    }

    fn new_one(&self) -> Result<Zeroizing<String>, Failure> {
        let password = if let Some(file) = &self.password_file {
            from_file(file)?
        } else {
            let password = ask("New password: ")?;
            if *password != *ask("The same again: ")? {
                return Err(Failure::new("the two passwords differ"));
            }
            password
        };
        if password.is_empty() {
            return Err(Failure::new("password is empty (CS-ENV-84)"));
        }
        Ok(password)
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = Zeroizing::new(read_text(path, MAX_PASSWORD)?);
    let line = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_owned()))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
    typed.map_err(|_| {
        Failure::new("there is no terminal to ask for the password; use --password-file")
    })
}
