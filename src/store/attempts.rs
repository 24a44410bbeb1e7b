//! Rows of `attempt`: one try to reach a number. The row is durable before its INVITE leaves, so that a crash can tell
//! what may have rung from what cannot have.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::challenges::{Closed, close, impossible, word};
use super::error::StoreError;
use super::timeline::{self, NewEvent};
use super::writer::Operation;
use crate::base::time::UnixTime;
use crate::otp::{Delivery, Party, Reason};

/// Something about a call that is to be written, in order.
#[derive(Clone, Debug)]
pub enum Record {
    /// The call is about to be placed.
    Begin(Begin),
    /// Something happened.
    Event(NewEvent),
    /// The call ended; no other follows.
    End(End),
}

/// A call that is about to be placed.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The request.
    pub challenge_id: i64,
    /// The trunk's name.
    pub trunk: String,
    /// When.
    pub at: UnixTime,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The request.
    pub challenge_id: i64,
    /// What was read to whom.
    pub delivery: Delivery,
    /// Who caused the end.
    pub party: Party,
    /// The carrier's own words, when it gave any.
    pub carrier_text: Option<String>,
    /// From the answer to the end; zero when it was not answered.
    pub billable: Duration,
    /// The audio figures, a JSON object; `None` when there were none.
    pub audio: Option<serde_json::Value>,
    /// When.
    pub at: UnixTime,
}

/// The answer to a [`Record`].
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// The attempt stands in the database: the INVITE may leave.
    Begun,
    /// The request does not wait any more (it was cancelled, or ended): no INVITE may leave.
    Refused,
    /// The event stands in the database under this id.
    Event(i64),
    /// The end stands in the database; `None` when the request had ended before.
    Ended(Option<Closed>),
}

/// An attempt as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number.
    pub id: i64,
    /// The trunk's name.
    pub trunk: String,
    /// When it began.
    pub started_at: UnixTime,
    /// When it was answered.
    pub answered_at: Option<UnixTime>,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<UnixTime>,
    /// Complete readings.
    pub readings_completed: i64,
    /// Digits of the last reading.
    pub digits_read: i64,
    /// Repeats by key.
    pub repeats: i64,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// Who caused the end.
    pub party: Option<Party>,
    /// Who hung up an answered call.
    pub hung_up_by: Option<Party>,
    /// The final SIP status.
    pub sip_status: Option<i64>,
    /// The Q.850 cause.
    pub q850: Option<i64>,
    /// The carrier's own words.
    pub carrier_text: Option<String>,
    /// From the answer to the end, in milliseconds; `None` while it runs.
    pub billable_ms: Option<i64>,
}

impl AttemptRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let time = |column| row.try_get::<Option<i64>, _>(column).map(|at| at.map(UnixTime::from_millis));
        Ok(AttemptRow {
            id: row.try_get("id")?,
            trunk: row.try_get("trunk")?,
            started_at: UnixTime::from_millis(row.try_get("started_at")?),
            answered_at: time("answered_at")?,
            ended_at: time("ended_at")?,
            readings_completed: row.try_get("readings_completed")?,
            digits_read: row.try_get("digits_read")?,
            repeats: row.try_get("repeats")?,
            reason: word("reason", row.try_get("reason")?, Reason::from_word)?,
            party: word("party", row.try_get("party")?, Party::from_word)?,
            hung_up_by: word("hung_up_by", row.try_get("hung_up_by")?, Party::from_word)?,
            sip_status: row.try_get("sip_status")?,
            q850: row.try_get("q850")?,
            carrier_text: row.try_get("carrier_text")?,
            billable_ms: row.try_get("billable_ms")?,
        })
    }

    /// What became of the attempt; `None` while it runs.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a number in the row is out of its range.
    pub fn delivery(&self) -> Result<Option<Delivery>, StoreError> {
        fn fit<T: TryFrom<i64>>(column: &str, value: i64) -> Result<T, StoreError> {
            T::try_from(value).map_err(|_| impossible(column, &value.to_string()))
        }
        let Some(reason) = self.reason else { return Ok(None) };
        Ok(Some(Delivery {
            answered_at: self.answered_at,
            readings_completed: fit("readings_completed", self.readings_completed)?,
            digits_read: fit("digits_read", self.digits_read)?,
            repeats: fit("repeats", self.repeats)?,
            hung_up_by: self.hung_up_by,
            trunk: Some(self.trunk.clone()),
            sip_status: self.sip_status.map(|status| fit("sip_status", status)).transpose()?,
            reason,
            q850: self.q850.map(|cause| fit("q850", cause)).transpose()?,
        }))
    }
}

/// Writes records in order, all in one transaction; answers each in the same order.
pub(super) struct Write {
    pub records: Vec<Record>,
}

impl Operation for Write {
    type Answer = Vec<Recorded>;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<Vec<Recorded>, StoreError> {
        let mut answers = Vec::with_capacity(self.records.len());
        let mut events: Vec<NewEvent> = Vec::new();
        for record in &self.records {
            match record {
                Record::Event(event) => events.push(event.clone()),
                Record::Begin(_) | Record::End(_) => flush(connection, &mut events, &mut answers).await?,
            }
            match record {
                Record::Event(_) => {}
                Record::Begin(begin) => answers.push(self::begin(connection, begin).await?),
                Record::End(end) => answers.push(Recorded::Ended(self::end(connection, end).await?)),
            }
        }
        flush(connection, &mut events, &mut answers).await?;
        Ok(answers)
    }
}

async fn flush(
    connection: &mut AnyConnection,
    events: &mut Vec<NewEvent>,
    answers: &mut Vec<Recorded>,
) -> Result<(), StoreError> {
    let ids = timeline::append(connection, events).await?;
    answers.extend(ids.into_iter().map(Recorded::Event));
    events.clear();
    Ok(())
}

async fn begin(connection: &mut AnyConnection, begin: &Begin) -> Result<Recorded, StoreError> {
    let taken =
        sqlx::query("UPDATE challenge SET status = 2, attempts = attempts + 1 WHERE id = $1 AND status IN (1, 4)")
            .bind(begin.challenge_id)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if taken == 0 {
        return Ok(Recorded::Refused);
    }
    sqlx::query(
        "INSERT INTO attempt (challenge_id, trunk, started_at, readings_completed, digits_read, repeats)
         VALUES ($1, $2, $3, 0, 0, 0)",
    )
    .bind(begin.challenge_id)
    .bind(begin.trunk.as_str())
    .bind(begin.at.as_millis())
    .execute(connection)
    .await?;
    Ok(Recorded::Begun)
}

async fn end(connection: &mut AnyConnection, end: &End) -> Result<Option<Closed>, StoreError> {
    let delivery = &end.delivery;
    let reason = delivery.reason;
    sqlx::query(
        "UPDATE attempt SET answered_at = $1, ended_at = $2, readings_completed = $3, digits_read = $4, repeats = $5,
             reason = $6, party = $7, hung_up_by = $8, sip_status = $9, q850 = $10, carrier_text = $11, billable_ms = $12,
             audio = $13
         WHERE challenge_id = $14 AND ended_at IS NULL",
    )
    .bind(delivery.answered_at.map(UnixTime::as_millis))
    .bind(end.at.as_millis())
    .bind(i64::from(delivery.readings_completed))
    .bind(i64::from(delivery.digits_read))
    .bind(i64::from(delivery.repeats))
    .bind(reason.as_str())
    .bind(end.party.as_str())
    .bind(delivery.hung_up_by.map(Party::as_str))
    .bind(delivery.sip_status.map(i64::from))
    .bind(delivery.q850.map(i64::from))
    .bind(end.carrier_text.as_deref())
    .bind(i64::try_from(end.billable.as_millis()).unwrap_or(i64::MAX))
    .bind(end.audio.as_ref().map(ToString::to_string))
    .bind(end.challenge_id)
    .execute(&mut *connection)
    .await?;
    // A request whose attempt never began (no trunk, no port, no time left) ends as well.
    close(connection, end.challenge_id, reason, end.party, end.at).await
}

/// Ends what ran when the last daemon died as `interrupted`: its INVITE may have left, so it must not ring again.
pub(super) struct Recover {
    pub now: UnixTime,
}

impl Operation for Recover {
    type Answer = Vec<Closed>;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<Vec<Closed>, StoreError> {
        let reason = Reason::Interrupted;
        // How far it got stands in the timeline, which is written as the call goes.
        sqlx::query(
            "UPDATE attempt SET ended_at = $1, reason = $2, party = $3, billable_ms = 0,
             answered_at = (SELECT MIN(at) FROM event WHERE challenge_id = attempt.challenge_id
                AND at >= attempt.started_at AND kind = 'answered'),
             readings_completed = (SELECT COUNT(*) FROM event WHERE challenge_id = attempt.challenge_id
                AND at >= attempt.started_at AND kind = 'reading_completed'),
             repeats = (SELECT COUNT(*) FROM event WHERE challenge_id = attempt.challenge_id
                AND at >= attempt.started_at AND kind = 'repeated'),
             digits_read = (SELECT COUNT(*) FROM event WHERE challenge_id = attempt.challenge_id
                AND at >= attempt.started_at AND kind = 'digit_read'
                AND id > (SELECT COALESCE(MAX(id), 0) FROM event WHERE challenge_id = attempt.challenge_id
                   AND kind = 'reading_started'))
             WHERE ended_at IS NULL",
        )
        .bind(self.now.as_millis())
        .bind(reason.as_str())
        .bind(Party::Us.as_str())
        .execute(&mut *connection)
        .await?;
        let running = "SELECT id FROM challenge WHERE status = 2 ORDER BY id";
        let rows = sqlx::query(running).fetch_all(&mut *connection).await?;
        let mut ended = Vec::with_capacity(rows.len());
        for row in rows {
            ended.extend(close(connection, row.try_get(0)?, reason, Party::Us, self.now).await?);
        }
        Ok(ended)
    }
}

/// The newest attempt of a call.
pub(super) async fn newest(
    connection: &mut AnyConnection,
    challenge_id: i64,
) -> Result<Option<AttemptRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM attempt WHERE challenge_id = $1 ORDER BY id DESC LIMIT 1")
        .bind(challenge_id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(AttemptRow::read).transpose()
}
