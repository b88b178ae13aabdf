/// What stands behind a task's name.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) check: bool,
    pub(crate) peers: bool,
    pub(crate) list: bool,
    pub(crate) json: bool,
    pub(crate) only: Option<String>,
    pub(crate) from: Option<String>,
}

impl Args {
    /// Reads the flags in `allowed`, and no others.
    pub(crate) fn parse(words: &[String], allowed: &[&str]) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if !allowed.contains(&word.as_str()) {
                return Err(format!("{word} is not one of: {}", allowed.join(", ")));
            }
            match word.as_str() {
                "--check" => args.check = true,
                "--peers" => args.peers = true,
                "--list" => args.list = true,
                "--json" => args.json = true,
                "--from" => {
                    args.from = Some(words.next().ok_or("--from needs a revision")?.clone());
                }
                _ => args.only = Some(words.next().ok_or("--only needs a name")?.clone()),
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_of_another_task_is_refused() {
        let words = ["--only", "codec", "--json"].map(String::from);
        let args = Args::parse(&words, &["--only", "--json"]).unwrap();
        assert_eq!(args.only.as_deref(), Some("codec"));
        assert!(args.json && !args.peers);
        assert!(Args::parse(&words, &["--json"]).is_err());
        assert!(Args::parse(&words[..1], &["--only"]).is_err());
    }
}
