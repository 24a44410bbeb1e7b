//! What is wrong with a configuration: which key, in which line, and what would be right.

use std::fmt;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The file was read and refused.
    Refused {
        /// The file.
        path: PathBuf,
        /// At least one, in the order of their lines.
        problems: Vec<Problem>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { path, reason } => {
                write!(f, "cannot read {}: {reason}; name the file with --config", path.display())
            }
            ConfigError::Refused { path, problems } => {
                write!(f, "{} is refused:", path.display())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; that of the table's header when a key is missing; `None` when the whole table is.
    pub line: Option<usize>,
    /// The key with its table (`otp.length`).
    pub key: String,
    /// What is wrong with it.
    pub fault: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: ")?,
            None => f.write_str("no line: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        write!(f, "{}; {}", self.fault, self.remedy)
    }
}

impl Problem {
    /// The problem in an error of the TOML reader, whose message has the forms of serde: "…, expected …".
    pub(super) fn from_toml(source: &str, mut error: toml::de::Error) -> Self {
        let line = error.span().map(|span| line_of(source, span.start));
        let message = error.message().to_string();
        // Without its input, the error prints the path of keys in its last line: "in `http.listen`".
        error.set_input(None);
        let printed = error.to_string();
        let told = printed.lines().last().and_then(|last| last.strip_prefix("in `")?.strip_suffix('`'));
        let key = told
            .map_or_else(|| error.span().map(|span| key_of(source, span.start)).unwrap_or_default(), str::to_string);
        let key = key.as_str();

        if let Some((unknown, known)) =
            message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
        {
            let known = known.strip_prefix("one of ").unwrap_or(known).replace('`', "");
            let key = if key.is_empty() || key.ends_with(unknown) { key } else { &format!("{key}.{unknown}") };
            let key = if key.is_empty() { unknown } else { key };
            return Problem { line, key: key.into(), fault: "is unknown".into(), remedy: format!("known: {known}") };
        }
        let (fault, remedy) = match message.rsplit_once(", expected ") {
            Some((fault, expected)) => (fault, format!("write {expected}")),
            None => (message.as_str(), "write the file as TOML".to_string()),
        };
        let secret = ["password", "secret"].iter().any(|word| key.contains(word));
        let fault = if secret { "is not of the right kind".to_string() } else { format!("is refused: {fault}") };
        Problem { line, key: key.into(), fault, remedy }
    }
}

/// The line, from 1, of the byte at `offset`.
pub(super) fn line_of(source: &str, offset: usize) -> usize {
    source.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The key, with its table, of the line at `offset`; what there is of it.
fn key_of(source: &str, offset: usize) -> String {
    let line = line_of(source, offset);
    let header = source.lines().take(line).filter_map(|line| line.trim_start().strip_prefix('[')).last();
    let table = header.map(|header| header.trim_start_matches('[').split(']').next().unwrap_or("").trim());
    let key = source.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    [table, key].into_iter().flatten().collect::<Vec<_>>().join(".")
}
