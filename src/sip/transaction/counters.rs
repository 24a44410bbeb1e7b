//! What the layer counts.

/// How often something happened since the layer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests and ACKs that came again.
    pub requests_absorbed: u64,
    /// Responses that came again, or too late for their transaction's state.
    pub responses_absorbed: u64,
    /// Responses that belong to no transaction, other than a 2xx to INVITE.
    pub responses_unmatched: u64,
    /// Responses with a Via that is not ours alone: none, two, or another `sent-by` (RFC 3261 §8.1.3.3, §18.1.2).
    pub responses_misdirected: u64,
    /// Requests without the fields that name a transaction.
    pub requests_unusable: u64,
    /// Requests refused because the table of server transactions was full.
    pub requests_refused: u64,
    /// Requests of ours not sent because the table of client transactions was full, or because their branch was none or
    /// in use.
    pub requests_unsent: u64,
    /// Responses of ours that came too late for their transaction.
    pub responses_unsent: u64,
}
