//! The shipped `config.toml` with `ringcode lab`, as they stand: the first things that a user tries.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use serde_json::Value;

use crate::program::{Running, ringcode, run};
use crate::support::api::Api;
use crate::support::daemon::Daemon;
use crate::support::{free_udp_port, root};

/// The password that the shipped configuration names beside its hash.
const PASSWORD: &str = "ringcode-demo";

/// What a number's last digits make of a call: status, disposition, reason, SIP status.
const NUMBERS: &[(&str, i64, &str, &str, i64)] = &[
    ("0919270000", 5, "ANSWER", "delivered", 200),
    ("0919270001", 5, "ANSWER", "delivered", 200),
    ("0919270200", 5, "ANSWER", "delivered", 200),
    ("0919270100", 3, "ANSWER", "hung_up_early", 200),
    ("0919270486", 3, "BUSY", "busy", 486),
    ("0919270480", 3, "NOANSWER", "unavailable", 480),
    ("0919270404", 3, "FAILED", "unallocated", 404),
    ("0919270603", 3, "BUSY", "rejected", 603),
    ("0919270503", 3, "CONGESTION", "congestion", 503),
];

/// Writes the shipped configuration to `folder`; only a port that another program holds is replaced. Gives the lab's.
fn place_configuration(folder: &Path) -> u16 {
    let shipped = std::fs::read_to_string(root().join("config.toml")).expect("the configuration is shipped");
    let mut config = shipped.clone();
    if TcpListener::bind("127.0.0.1:8080").is_err() {
        config = config.replace("127.0.0.1:8080", "127.0.0.1:0");
    }
    if UdpSocket::bind("0.0.0.0:5060").is_err() {
        config = config.replace("# listen = \"0.0.0.0:5060\"", "listen = \"0.0.0.0:0\"");
    }
    let mut lab = 5070;
    if UdpSocket::bind(("127.0.0.1", lab)).is_err() {
        lab = free_udp_port();
        config = config.replace("127.0.0.1:5070", &format!("127.0.0.1:{lab}"));
    }
    if config != shipped {
        eprintln!("other programs hold ports of the shipped configuration: it is tried with others");
    }
    std::fs::write(folder.join("config.toml"), config).expect("a temporary folder can be written");
    std::os::unix::fs::symlink(root().join("prompts"), folder.join("prompts")).expect("likewise");
    lab
}

#[tokio::test]
async fn the_shipped_configuration_works_with_the_lab() {
    let folder = tempfile::tempdir().unwrap();
    let port = place_configuration(folder.path());
    let arguments: &[&str] = if port == 5070 { &["lab"] } else { &["lab", "--listen", &format!("127.0.0.1:{port}")] };
    let mut lab = Running::start(ringcode(folder.path(), arguments));
    let hello = lab.wait_for_line("carrier on");
    assert!(hello.contains(&format!("127.0.0.1:{port}")) && hello.contains("ringcode-lab"), "{hello}");

    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    for row in ["configuration        ok", "prompts              ok", "trunk lab            ok"] {
        assert!(checked.out.contains(row), "no {row:?} in {checked:#?}");
    }
    lab.wait_for_line("ringcode unregisters");

    let mut daemon = Daemon::start_in(folder);
    lab.wait_for_line("ringcode registers");
    let api = Api::login(&daemon.url, "demo", PASSWORD).await;
    api.ready().await;
    let followed = Followed::start(&daemon);
    every_number_does_what_it_says(&api, &mut lab).await;
    followed.end();
    refusals_are_told(&daemon);
    checks_leave_a_running_daemon_registered(&daemon).await;

    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    lab.wait_for_line("ringcode unregisters");
}

async fn every_number_does_what_it_says(api: &Api, lab: &mut Running) {
    let endless = api.call("0919270408", "4702", 0).await;
    let mut calls = Vec::new();
    for expected in NUMBERS {
        calls.push((api.call(expected.0, "4702", 0).await, expected));
    }

    let happened = |record: &Value, event: &str| {
        record["timeline"].as_array().is_some_and(|steps| steps.iter().any(|step| step["event"] == event))
    };
    api.wait_until(endless, "ringing", |record| happened(record, "ringing")).await;
    let (status, answer) = api.delete(&format!("/rest-api/voice-otp/{endless}/")).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    let record = api.ended(endless).await;
    let told = (record["disposition"].as_str(), record["delivery"]["reason"].as_str());
    assert_eq!(told, (Some("CANCEL"), Some("cancelled")), "{record:#}");
    assert!(!happened(&record, "answered"), "{record:#}");

    for (id, &(number, status, disposition, reason, sip_status)) in calls {
        let record = api.ended(id).await;
        let shown = format!("{number}: {record:#}");
        let delivery = &record["delivery"];
        assert_eq!(record["status"], status, "{shown}");
        assert_eq!(record["disposition"], disposition, "{shown}");
        assert_eq!(delivery["reason"], reason, "{shown}");
        assert_eq!(delivery["sip_status"], sip_status, "{shown}");
        assert_eq!(delivery["trunk"], "lab", "{shown}");
        assert_eq!(delivery["answered_at"].is_string(), disposition == "ANSWER", "{shown}");
        let (readings, repeats, digits) = match number {
            "0919270001" => (2, 1, 4),
            "0919270100" => (0, 0, 1),
            _ if reason == "delivered" => (1, 0, 4),
            _ => (0, 0, 0),
        };
        assert_eq!(delivery["readings_completed"], readings, "{shown}");
        assert_eq!(delivery["repeats"], repeats, "{shown}");
        assert_eq!(delivery["digits_read"], digits, "{shown}");
        assert!(!record.to_string().contains("4702"), "the code stands in no record: {shown}");
    }
    let seen = lab.wait_for_line("over");
    assert!(seen.contains("audio heard"), "{seen}");
}

/// `ringcode call` through the daemon, as its user would run it in the daemon's folder.
fn call(daemon: &Daemon, arguments: &[&str], password: &str) -> Running {
    let mut command = ringcode(daemon.folder.path(), &[&["call"], arguments].concat());
    // The shipped port may have been taken, and any other is known to the daemon alone.
    if daemon.url != "http://127.0.0.1:8080" {
        command.args(["--url", &daemon.url]);
    }
    command.env("RINGCODE_PASSWORD", password);
    Running::start(command)
}

/// Calls that are followed on the terminal, side by side.
struct Followed {
    busy: Running,
    early: Running,
    heard: Running,
}

impl Followed {
    fn start(daemon: &Daemon) -> Followed {
        Followed {
            busy: call(daemon, &["0919270486"], PASSWORD),
            early: call(daemon, &["0919270100", "--otp", "4702"], PASSWORD),
            heard: call(daemon, &["0919270000", "--otp", "4702", "--maxretry", "1"], PASSWORD),
        }
    }

    fn end(self) {
        let busy = self.busy.end();
        assert_eq!(busy.code, Some(1), "{busy:#?}");
        assert!(busy.out.contains("the code is ") && busy.out.contains("over: busy"), "{busy:#?}");
        assert_eq!(busy.last_line(), "not delivered: busy (SIP 486)");

        let early = self.early.end();
        assert_eq!(early.code, Some(1), "{early:#?}");
        assert!(!early.out.contains("4702"), "{early:#?}");
        for line in ["ringing (180)", "answered", "digit 1 of 4", "over: hung up early"] {
            assert!(early.out.contains(line), "no {line:?} in {early:#?}");
        }
        let why = "not delivered: hung up early, 1 digit of the last reading was heard";
        assert_eq!(early.last_line(), why, "{early:#?}");

        let heard = self.heard.end();
        assert_eq!((heard.code, heard.last_line()), (Some(0), "delivered: the code was read 2 times"), "{heard:#?}");
    }
}

fn refusals_are_told(daemon: &Daemon) {
    let code = ["0919270000", "--otp", "12"];
    call(daemon, &["0919270000"], "wrong").end().fails_with(&["401", "No active account found"]);
    call(daemon, &code, PASSWORD).end().fails_with(&["otp: A code has 4 to 10 digits."]);
    call(daemon, &["12"], PASSWORD).end().fails_with(&["alarm_phonenumber"]);
}

async fn checks_leave_a_running_daemon_registered(daemon: &Daemon) {
    let folder = daemon.folder.path();
    let checked = run(folder, &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:#?}");

    let config = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    std::fs::write(folder.join("wrong.toml"), config.replace("ringcode-lab", "not the password")).unwrap();
    let refused = run(folder, &["check", "--config", "wrong.toml"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.last_line().starts_with("trunk lab            FAILED"), "{refused:#?}");
    assert!(refused.last_line().contains("are username and password right?"), "{refused:#?}");
    assert!(!refused.out.contains("not the password"), "no password is shown: {refused:#?}");

    let api = Api::login(&daemon.url, "demo", PASSWORD).await;
    let id = api.call("0919270486", "4702", 0).await;
    assert_eq!(api.ended(id).await["delivery"]["reason"], "busy", "the daemon is still registered");
}
