//! What a user agent counts.

/// How often something happened since the agent was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams of sources that are no trunk's; dropped without an answer.
    pub foreign: u64,
    /// Messages that could not be read, or lacked what every message has.
    pub malformed: u64,
    /// Requests refused with 4xx, 5xx or 6xx before they reached a call.
    pub refused: u64,
    /// 2xx to INVITEs of calls long over: ACKed and ended.
    pub orphans: u64,
    /// Calls not placed because the table of calls was full.
    pub overloaded: u64,
}
