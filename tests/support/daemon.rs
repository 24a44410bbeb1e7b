//! `ringcode serve` as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::api::Api;

/// The one user of a test daemon.
pub const USERNAME: &str = "app";
/// That user's password.
pub const PASSWORD: &str = "correct horse";
/// The number that tests call unless the number matters.
pub const NUMBER: &str = "0919273027";
/// The code that tests send unless the code matters.
pub const OTP: &str = "4702";

/// What a test wants of the daemon's configuration; everything else is made quick and local.
pub struct Settings {
    /// Where the trunk's packets go, `host:port`.
    pub trunk: String,
    /// Whether the trunk registers.
    pub register: bool,
    /// The trunk's password.
    pub password: String,
    /// Further lines of `[[trunk]]`.
    pub trunk_lines: String,
    /// Lines of `[call]` beside the quick defaults.
    pub call_lines: String,
    /// Calls at a time over the trunk.
    pub trunk_calls: u32,
    /// Length of the gap between digits.
    pub digit_gap: String,
    /// How long the caller listens for a key.
    pub listen_window: String,
}

impl Settings {
    /// A trunk without registration at `127.0.0.1:port`.
    pub fn gateway(port: u16) -> Settings {
        Settings {
            trunk: format!("127.0.0.1:{port}"),
            register: false,
            password: "secret of the trunk".into(),
            trunk_lines: String::new(),
            call_lines: String::new(),
            trunk_calls: 10,
            digit_gap: "200ms".into(),
            listen_window: "1s".into(),
        }
    }

    /// A trunk that registers at `127.0.0.1:port`.
    pub fn registrar(port: u16) -> Settings {
        Settings { register: true, ..Settings::gateway(port) }
    }

    fn to_toml(&self, folder: &std::path::Path, media_port: u16) -> String {
        let hash = password_hash();
        let target = if self.register { "registrar" } else { "gateway" };
        format!(
            r#"
[http]
listen = "127.0.0.1:0"
[[user]]
username = "{USERNAME}"
password_hash = "{hash}"
[store]
url = "sqlite:{store}"
[otp]
length = 6
[call]
digit_gap = "{gap}"
listen_window = "{listen}"
{call}
[speech]
dir = "{prompts}"
language = "en"
[media]
address = "127.0.0.1"
ports = "{media_port}-{media_end}"
[limits]
country = "VN"
max_calls = 10
[sip]
listen = "127.0.0.1:0"
[[trunk]]
name = "carrier"
{target} = "{trunk}"
register = {register}
username = "ringcode"
password = "{password}"
caller_id = "+842873000000"
cps = 50
max_calls = {trunk_calls}
{lines}
"#,
            store = folder.join("test.db").display(),
            gap = self.digit_gap,
            listen = self.listen_window,
            call = self.call_lines,
            prompts = super::root().join("prompts").display(),
            media_end = media_port + 19,
            trunk = self.trunk,
            trunk_calls = self.trunk_calls,
            register = self.register,
            password = self.password,
            lines = self.trunk_lines,
        )
    }
}

/// The argon2id hash of [`PASSWORD`], made once by the program under test.
fn password_hash() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringcode"))
            .arg("hash-password")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("ringcode starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        writeln!(stdin, "{PASSWORD}").expect("ringcode reads its standard input");
        drop(stdin);
        let out = child.wait_with_output().expect("ringcode ends");
        let text = String::from_utf8(out.stdout).expect("a hash is text");
        text.lines().last().unwrap_or_default().trim().to_owned()
    })
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Its folder: configuration, database, log.
    pub folder: TempDir,
    /// `http://127.0.0.1:port`.
    pub url: String,
    lines: mpsc::Receiver<String>,
}

impl Daemon {
    /// Starts `ringcode serve` and waits until it listens.
    pub fn start(settings: &Settings) -> Daemon {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let config = settings.to_toml(folder.path(), super::media_ports());
        std::fs::write(folder.path().join("config.toml"), config).expect("the configuration can be written");
        Daemon::start_in(folder)
    }

    /// Starts `ringcode serve` again in the folder of an earlier one, with its configuration and database.
    pub fn start_in(folder: TempDir) -> Daemon {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .expect("the log can be opened");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringcode"))
            .args(["serve", "--config"])
            .arg(folder.path().join("config.toml"))
            .current_dir(folder.path())
            .env("RUST_LOG", "ringcode=debug")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("ringcode starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (line_in, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line_in.send(line).is_err() {
                    break;
                }
            }
        });
        let mut daemon = Daemon { child, folder, url: String::new(), lines };
        let line = daemon.wait_for_line("listening on http://");
        daemon.url = line[line.find("http://").expect("the line was chosen by it")..].trim().to_owned();
        daemon
    }

    /// The next line of standard output that contains `text`, within 20 s.
    pub fn wait_for_line(&self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with {text:?} ({error}); the log:\n{}", self.log()),
            }
        }
    }

    /// What the daemon has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The log once it contains `text`, within 20 s.
    pub async fn wait_for_log(&self, text: &str) -> String {
        let wait = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                tick.tick().await;
                if self.log().contains(text) {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(found.is_ok(), "no {text:?} in the log:\n{}", self.log());
        self.log()
    }

    /// The path of its database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Its API with a fresh login.
    pub async fn api(&self) -> Api {
        Api::login(&self.url, USERNAME, PASSWORD).await
    }

    /// Sends a signal by `kill`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill is a standard program");
        assert!(status.success(), "the daemon was gone before kill -{name}");
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = std::time::Duration::from_secs(60);
        wait_for_exit(&mut self.child, deadline).unwrap_or_else(|| panic!("no exit within 60 s; log:\n{}", self.log()))
    }

    /// Waits for the end of the process; `None` when `limit` passes first, and the process is killed.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_for_exit(&mut self.child, limit)
    }

    /// `kill -9`, then the folder for the next start.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().expect("the daemon runs");
        self.child.wait().expect("the daemon was started by us");
        let empty = tempfile::tempdir().expect("a temporary folder can be made");
        std::mem::replace(&mut self.folder, empty)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log ---\n{}", self.log());
        }
    }
}

/// Waits for a child's end on a thread of its own; `None` when `limit` passes first.
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let pid = child.id();
    let (done_in, done) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if done.recv_timeout(limit).is_err() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            return true;
        }
        false
    });
    let status = child.wait().expect("the child was started by us");
    let _ = done_in.send(());
    let timed_out = watchdog.join().expect("the watchdog does not panic");
    (!timed_out).then_some(status)
}
