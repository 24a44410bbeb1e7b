//! The program under test, run to its end or in the background.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::daemon::wait_for_exit;

/// How long any command may take; a call that is heard to its end lasts half a minute.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long a command may take to say its next line.
const LINE_DEADLINE: Duration = Duration::from_secs(20);

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ended {
    /// Asserts that it failed with exit code 1, and told why in words that hold `reasons`.
    pub fn fails_with(&self, reasons: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:#?}");
        for reason in reasons {
            assert!(self.err.contains(reason), "no {reason:?} in {self:#?}");
        }
        assert!(!self.err.contains("panicked"), "{self:#?}");
    }

    /// The last line of standard output.
    pub fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

/// `ringcode ARGUMENTS` in `folder`.
pub fn ringcode(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcode"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env_remove("RINGCODE_PASSWORD");
    command
}

/// Runs `ringcode ARGUMENTS` in `folder` to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Ended {
    Running::start(ringcode(folder, arguments)).end()
}

/// Runs `ringcode ARGUMENTS` in `folder` with `input` on a pipe.
pub fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut command = ringcode(folder, arguments);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin: ChildStdin = running.child.stdin.take().expect("stdin is piped");
    stdin.write_all(input.as_bytes()).expect("ringcode reads its standard input");
    drop(stdin);
    running.end()
}

/// A command that runs; killed when dropped.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    err: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    /// Starts `command`.
    pub fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ringcode starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (line_in, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line_in.send(line).is_err() {
                    break;
                }
            }
        });
        let err = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Running { child, lines, seen: Vec::new(), err: Some(err) }
    }

    /// Waits for a line of standard output that holds `text`.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(LINE_DEADLINE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {text:?} ({error}) in {:#?}", self.seen),
            }
        }
    }

    /// Waits until the command has ended.
    pub fn end(mut self) -> Ended {
        let status = wait_for_exit(&mut self.child, DEADLINE);
        self.seen.extend(self.lines.iter());
        let err = self.err.take().map(|err| err.join().expect("the reader does not panic")).unwrap_or_default();
        let out = self.seen.join("\n");
        let Some(status) = status else { panic!("no end within {DEADLINE:?}: {out}\n{err}") };
        Ended { code: status.code(), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
