//! Rows of `event`: what happened to a call, in order.

use serde_json::{Value, json};
use sqlx::{AnyConnection, Row};

use super::error::StoreError;
use crate::base::time::UnixTime;
use crate::otp::{Party, Reason};

/// A line of a timeline that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Whose timeline.
    pub challenge_id: i64,
    /// When it happened.
    pub at: UnixTime,
    /// What: one word.
    pub kind: &'static str,
    /// More about it: a JSON object without any digit of a code.
    pub detail: Value,
}

impl NewEvent {
    /// The last line of a timeline.
    pub fn ended(challenge_id: i64, reason: Reason, party: Party, at: UnixTime) -> Self {
        let detail = json!({ "reason": reason.as_str(), "party": party.as_str() });
        NewEvent { challenge_id, at, kind: "ended", detail }
    }
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Grows from line to line over all calls.
    pub id: i64,
    /// Whose timeline.
    pub challenge_id: i64,
    /// When it happened.
    pub at: UnixTime,
    /// What.
    pub kind: String,
    /// More about it.
    pub detail: Value,
}

/// Lines of one call that are shown; more than the longest call has.
pub(super) const MAX_LINES: i64 = 2000;

/// Lines that one statement inserts; 32 of them cost a third of 32 single ones.
const CHUNK: usize = 32;

/// Appends `events` in order; answers their ids in the same order.
pub(super) async fn append(connection: &mut AnyConnection, events: &[NewEvent]) -> Result<Vec<i64>, StoreError> {
    let mut ids = Vec::with_capacity(events.len());
    let (chunks, rest) = events.as_chunks::<CHUNK>();
    let pieces = chunks.iter().map(|chunk| &chunk[..]).chain(rest.chunks(1));
    for piece in pieces {
        // Two texts only, so that both stay prepared.
        let rows = (0..piece.len()).map(|row| {
            let first = row * 4 + 1;
            format!("(${}, ${}, ${}, ${})", first, first + 1, first + 2, first + 3)
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        let text = format!("INSERT INTO event (challenge_id, at, kind, detail) VALUES {rows} RETURNING id");
        let query = piece.iter().fold(sqlx::query(sqlx::AssertSqlSafe(text)), |query, event| {
            query.bind(event.challenge_id).bind(event.at.as_millis()).bind(event.kind).bind(event.detail.to_string())
        });
        let inserted = query.fetch_all(&mut *connection).await?;
        let from = ids.len();
        for row in inserted {
            ids.push(row.try_get::<i64, _>(0)?);
        }
        // Rows are numbered in the order of the statement, but may come back in any.
        ids[from..].sort_unstable();
    }
    Ok(ids)
}

/// The timeline of one call, oldest first.
pub(super) async fn of_call(connection: &mut AnyConnection, challenge_id: i64) -> Result<Vec<EventRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, challenge_id, at, kind, detail FROM event WHERE challenge_id = $1 ORDER BY id LIMIT $2",
    )
    .bind(challenge_id)
    .bind(MAX_LINES)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let detail: String = row.try_get("detail")?;
            Ok(EventRow {
                id: row.try_get("id")?,
                challenge_id: row.try_get("challenge_id")?,
                at: UnixTime::from_millis(row.try_get("at")?),
                kind: row.try_get("kind")?,
                detail: serde_json::from_str(&detail).map_err(|_| StoreError::Corrupt("event.detail".to_owned()))?,
            })
        })
        .collect()
}
