//! `ringcode hash-password`: the hash that config.toml wants.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, bail};
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use clap::Args;

use crate::base::secret::Secret;

/// What `ringcode hash-password` takes.
#[derive(Debug, Args)]
pub struct HashPasswordArgs {}

/// Runs the command.
pub async fn run(_args: HashPasswordArgs) -> anyhow::Result<ExitCode> {
    let stdin = std::io::stdin();
    let password = if stdin.is_terminal() { ask()? } else { read_line(&mut stdin.lock())? };
    say!("{}", hash(&password)?);
    Ok(ExitCode::SUCCESS)
}

/// The argon2id hash of `password` as a PHC string, with the library's parameters (OWASP's second choice: 19 MiB, two
/// passes) and a salt from the operating system.
pub fn hash(password: &Secret) -> anyhow::Result<String> {
    if password.expose().is_empty() {
        bail!("the password is empty");
    }
    let hash = Argon2::default().hash_password(password.expose().as_bytes()).context("hashing failed")?;
    Ok(hash.to_string())
}

fn ask() -> anyhow::Result<Secret> {
    let password = Secret::new(rpassword::prompt_password("Password: ").context("cannot read the password")?);
    let again = Secret::new(rpassword::prompt_password("The same again: ").context("cannot read the password")?);
    if password != again {
        bail!("the two passwords differ");
    }
    Ok(password)
}

fn read_line(input: &mut dyn BufRead) -> anyhow::Result<Secret> {
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};

    use super::*;

    #[test]
    fn the_hash_verifies_its_password_and_no_other() {
        let password = read_line(&mut "correct horse\r\nnext line\n".as_bytes()).unwrap();
        let printed = hash(&password).unwrap();
        assert!(printed.starts_with("$argon2id$v=19$"), "{printed}");
        let parsed = PasswordHash::new(&printed).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct horse\r", &parsed).is_err());
    }

    #[test]
    fn an_empty_password_is_refused() {
        assert!(hash(&read_line(&mut "\n".as_bytes()).unwrap()).is_err());
    }
}
