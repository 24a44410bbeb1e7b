//! `ringcode serve` at its start and its end.

use std::fs;
use std::path::Path;

use crate::program::{Running, ringcode, run};
use crate::support::daemon::{Daemon, Settings};
use crate::support::root;

/// Starts the lab on a free port; gives it and the port.
fn lab(folder: &Path) -> (Running, u16) {
    let mut lab = Running::start(ringcode(folder, &["lab", "--listen", "127.0.0.1:0"]));
    let hello = lab.wait_for_line("carrier on");
    let port = hello.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split_once(' ')).map(|(port, _)| port.parse());
    (lab, port.expect("an address").expect("a port"))
}

/// The settings of a daemon that registers at the lab on `port`.
fn registering(port: u16) -> Settings {
    Settings { password: "ringcode-lab".into(), ..Settings::registrar(port) }
}

#[test]
fn a_bad_configuration_is_refused_with_key_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = fs::read_to_string(root().join("config.toml")).unwrap();
    let file = folder.path().join("config.toml");
    for (right, wrong, told) in [
        ("digit_gap = \"1s\"", "digit_gap = \"1 parsec\"", &["call.digit_gap", "\"500ms\", \"1s\""][..]),
        ("language = \"en\"", "langauge = \"en\"", &["speech.langauge", "known: dir or language"]),
        ("length = 6", "length = 3", &["otp.length", "4 to 10"]),
        ("listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\"", &["http.listen", "insecure = true"]),
        ("registrar = \"127.0.0.1:5070\"", "registrar = \"127.0.0.1:5o70\"", &["trunk", "registrar", "192.0.2.1:5060"]),
        ("password = \"ringcode-lab\"", "password_env = \"NO_SUCH\"", &["trunk", "password_env", "NO_SUCH"]),
    ] {
        let line =
            shipped.lines().position(|line| line.starts_with(right)).expect("the key is in the shipped file") + 1;
        fs::write(&file, shipped.replace(&format!("\n{right}"), &format!("\n{wrong}"))).unwrap();
        for command in ["serve", "call"] {
            let number: &[&str] = if command == "call" { &["0919270000"] } else { &[] };
            let refused = run(folder.path(), &[&[command], number].concat());
            refused.fails_with(told);
            refused.fails_with(&["config.toml is refused", &format!("line {line}: ")]);
        }
        let checked = run(folder.path(), &["check"]);
        assert_eq!(checked.code, Some(1), "{checked:#?}");
        assert!(checked.out.contains("FAILED") && checked.out.contains(&format!("line {line}: ")), "{checked:#?}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["config.toml"], "nothing half-starts");
    }
    fs::remove_file(&file).unwrap();
    run(folder.path(), &["serve"]).fails_with(&["config.toml", "--config"]);
}

#[test]
fn a_second_daemon_on_one_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_lab, port) = lab(folder.path());
    let daemon = Daemon::start(&registering(port));
    let config = daemon.folder.path().join("config.toml");
    let second = run(folder.path(), &["serve", "--config", &config.display().to_string()]);
    second.fails_with(&["another ringcode uses this database: stop it first", "test.key"]);
    assert!(second.out.is_empty(), "{second:#?}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_lab, port) = lab(folder.path());
    let taken = format!("127.0.0.1:{port}");
    run(folder.path(), &["lab", "--listen", &taken]).fails_with(&["cannot listen on", &taken]);

    let first = Daemon::start(&registering(port));
    let http = first.url.trim_start_matches("http://");
    let config = fs::read_to_string(first.folder.path().join("config.toml")).unwrap();
    let (listen, store) = ("[http]\nlisten = \"127.0.0.1:0\"", first.folder.path().join("test.db"));
    assert!(config.contains(listen));
    let config = config
        .replace(listen, &format!("[http]\nlisten = \"{http}\""))
        .replace(&store.display().to_string(), "second.db");
    fs::write(folder.path().join("config.toml"), config).unwrap();
    run(folder.path(), &["serve"]).fails_with(&["http.listen", http, "cannot be used"]);
}

#[tokio::test]
async fn an_idle_daemon_stops_at_once_and_unregisters() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut lab, port) = lab(folder.path());
        let mut daemon = Daemon::start(&registering(port));
        daemon.api().await.ready().await;
        lab.wait_for_line("ringcode registers");
        daemon.signal(signal);
        // An idle daemon waits for nobody: this is far below the 30 s in which running calls may end.
        let limit = std::time::Duration::from_secs(10);
        let status = daemon.wait_within(limit).unwrap_or_else(|| panic!("no end within {limit:?} of SIG{signal}"));
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        daemon.wait_for_line("stopped");
        assert!(daemon.log().contains("registered for"), "the log tells of the trunk: {}", daemon.log());
        lab.wait_for_line("ringcode unregisters");
    }
}

#[tokio::test]
async fn a_refused_registration_is_an_alarm_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (_lab, port) = lab(folder.path());
    let daemon = Daemon::start(&Settings::registrar(port));
    let log = daemon.wait_for_log("the registrar refuses with 40").await;
    assert!(log.contains("ERROR") && log.contains("are username and password right?"), "{log}");
    assert!(!log.contains("secret of the trunk"), "{log}");
}
