//! The commands that need no carrier.

use crate::program::{run, run_with_input};

#[test]
fn every_command_says_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        ("serve", "Run the daemon"),
        ("demo", "proof of what was heard"),
        ("lab", "Run the built-in carrier alone"),
        ("call", "Call a number through a running daemon"),
        ("check", "print what works and what does not"),
        ("hash-password", "Turn a password into the hash that config.toml wants"),
    ];
    let all = run(folder.path(), &["--help"]);
    for (command, purpose) in commands {
        assert!(all.out.contains(command) && all.out.contains(purpose), "{command}: {all:#?}");
        let help = run(folder.path(), &[command, "--help"]);
        assert_eq!(help.code, Some(0), "{help:#?}");
        assert!(help.out.contains(purpose), "{command}: {help:#?}");
        let usage = run(folder.path(), &[command, "--no-such-option"]);
        assert_eq!(usage.code, Some(2), "{usage:#?}");
    }
}

#[test]
fn hash_password_reads_one_line_from_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let hashed = run_with_input(folder.path(), &["hash-password"], "correct horse\nnot this line\n");
    assert_eq!(hashed.code, Some(0), "{hashed:#?}");
    assert!(hashed.out.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hashed.out.contains('\n'), "{hashed:#?}");
    let again = run_with_input(folder.path(), &["hash-password"], "correct horse");
    assert_ne!(hashed.out, again.out, "each hash has a salt of its own");
    run_with_input(folder.path(), &["hash-password"], "\n").fails_with(&["the password is empty"]);
    run(folder.path(), &["hash-password"]).fails_with(&["the password is empty"]);
}

#[test]
fn call_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let url = ["call", "0919270000", "--url", "http://127.0.0.1:9"];
    run(folder.path(), &["call", "0919270000"]).fails_with(&["--url and --username", "config.toml"]);
    run(folder.path(), &[&url[..], &["--username", "demo"]].concat()).fails_with(&["RINGCODE_PASSWORD"]);
    run(folder.path(), &[&url[..], &["--api-key-env", "NO_SUCH_KEY"]].concat()).fails_with(&["NO_SUCH_KEY"]);
}
