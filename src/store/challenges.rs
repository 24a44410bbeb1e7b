//! Rows of `challenge`: one code for one number, and the request to speak it.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::error::StoreError;
use super::timeline::{self, EventRow, NewEvent};
use super::writer::Operation;
use crate::base::secret::{Masked, Secret};
use crate::base::time::UnixTime;
use crate::otp::{
    CallStatus, Challenge, ChallengeState, Code, CodeKey, Disposition, Party, PhoneNumber, Reason, StoredCode,
    Verification, VerifyReason,
};

/// A request that is to be made durable.
#[derive(Clone, Debug)]
pub struct NewChallenge {
    /// Its name towards the OTP-app face; unique.
    pub uuid: String,
    /// The user who asked.
    pub user: String,
    /// The number as the user wrote it.
    pub number_given: Masked,
    /// The number.
    pub phone: PhoneNumber,
    /// The code in clear; it is sealed before it is written.
    pub code: Code,
    /// Its hash, for verification.
    pub stored: StoredCode,
    /// Re-readings.
    pub maxretry: u8,
    /// Tries of a verification.
    pub max_checks: u8,
    /// When it was accepted.
    pub created_at: UnixTime,
    /// The first instant at which the code is not valid any more.
    pub expires_at: UnixTime,
}

/// A request as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRow {
    /// The number of the record.
    pub id: i64,
    /// Its name towards the OTP-app face.
    pub uuid: String,
    /// Whose it is.
    pub user: String,
    /// The number as the user wrote it.
    pub number_given: Masked,
    /// The number in E.164.
    pub phone: Masked,
    /// Digits of the code.
    pub code_length: i64,
    /// Re-readings.
    pub maxretry: i64,
    /// Where the call stands.
    pub status: CallStatus,
    /// How the call ended.
    pub disposition: Option<Disposition>,
    /// Why the call ended.
    pub reason: Option<Reason>,
    /// Calls that were attempted.
    pub attempts: i64,
    /// Tries of a verification that were counted.
    pub checks_used: i64,
    /// Tries after which the code is void.
    pub max_checks: i64,
    /// When the code was verified.
    pub verified_at: Option<UnixTime>,
    /// When the request was accepted.
    pub created_at: UnixTime,
    /// The first instant at which the code is not valid any more.
    pub expires_at: UnixTime,
    /// When the call ended.
    pub ended_at: Option<UnixTime>,
}

/// A request whose call may be placed, with its code in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCall {
    /// The number of the record.
    pub id: i64,
    /// Its name towards the OTP-app face.
    pub uuid: String,
    /// Whose it is.
    pub user: String,
    /// The number to call.
    pub phone: PhoneNumber,
    /// What to read.
    pub code: Code,
    /// Re-readings.
    pub maxretry: u8,
    /// The first instant at which the code is not valid any more.
    pub expires_at: UnixTime,
}

/// A request that has just ended, and the line of its timeline that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Its name towards the OTP-app face.
    pub uuid: String,
    /// Whose it is.
    pub user: String,
    /// The last line of its timeline.
    pub event: EventRow,
}

/// What became of the wish to cancel.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancelled {
    /// The user has no such request.
    NotFound,
    /// It was waiting and has ended now.
    Pending(Closed),
    /// Its call runs: whoever runs it must hang up.
    Running,
    /// It had ended before.
    Ended,
}

pub(super) const COLUMNS: &str = "id, uuid, user_name, number_given, phone, code_length, maxretry, status, disposition,
    reason, attempts, checks_used, max_checks, verified_at, created_at, expires_at, ended_at";

impl ChallengeRow {
    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let time = |column| row.try_get::<Option<i64>, _>(column).map(|at| at.map(UnixTime::from_millis));
        let status: i64 = row.try_get("status")?;
        let disposition: Option<String> = row.try_get("disposition")?;
        let reason: Option<String> = row.try_get("reason")?;
        Ok(ChallengeRow {
            id: row.try_get("id")?,
            uuid: row.try_get("uuid")?,
            user: row.try_get("user_name")?,
            number_given: row.try_get::<String, _>("number_given")?.into(),
            phone: row.try_get::<String, _>("phone")?.into(),
            code_length: row.try_get("code_length")?,
            maxretry: row.try_get("maxretry")?,
            status: CallStatus::from_number(status).ok_or_else(|| impossible("status", &status.to_string()))?,
            disposition: word("disposition", disposition, Disposition::from_word)?,
            reason: word("reason", reason, Reason::from_word)?,
            attempts: row.try_get("attempts")?,
            checks_used: row.try_get("checks_used")?,
            max_checks: row.try_get("max_checks")?,
            verified_at: time("verified_at")?,
            created_at: UnixTime::from_millis(row.try_get("created_at")?),
            expires_at: UnixTime::from_millis(row.try_get("expires_at")?),
            ended_at: time("ended_at")?,
        })
    }
}

pub(super) fn impossible(column: &str, value: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} `{value}`"))
}

/// Reads a word of a closed list from a column that may be null.
pub(super) fn word<T>(
    column: &str,
    value: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    value.map(|text| parse(&text).ok_or_else(|| impossible(column, &text))).transpose()
}

fn small(column: &str, value: i64) -> Result<u8, StoreError> {
    u8::try_from(value).map_err(|_| impossible(column, &value.to_string()))
}

/// Writes a request; answers its number.
pub(super) struct Accept {
    pub challenge: NewChallenge,
    pub sealed: String,
}

impl Operation for Accept {
    type Answer = i64;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<i64, StoreError> {
        let new = &self.challenge;
        let row = sqlx::query(
            "INSERT INTO challenge (uuid, user_name, number_given, phone, sealed_code, code_hash, code_length, maxretry,
                 status, attempts, checks_used, max_checks, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, 0, $9, $10, $11) RETURNING id",
        )
        .bind(new.uuid.as_str())
        .bind(new.user.as_str())
        .bind(new.number_given.as_str())
        .bind(new.phone.e164())
        .bind(self.sealed.as_str())
        .bind(new.stored.to_text())
        .bind(i64::from(new.code.length()))
        .bind(i64::from(new.maxretry))
        .bind(i64::from(new.max_checks))
        .bind(new.created_at.as_millis())
        .bind(new.expires_at.as_millis())
        .fetch_one(connection)
        .await?;
        Ok(row.try_get(0)?)
    }
}

/// Ends a waiting request of `user`, in one statement, so that it either never rings or is told to be running.
pub(super) struct Cancel {
    pub user: String,
    pub id: i64,
    pub now: UnixTime,
}

impl Operation for Cancel {
    type Answer = Cancelled;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<Cancelled, StoreError> {
        let row = sqlx::query("SELECT status FROM challenge WHERE id = $1 AND user_name = $2")
            .bind(self.id)
            .bind(self.user.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(Cancelled::NotFound) };
        let status: i64 = row.try_get(0)?;
        if status == CallStatus::InProcess.number() {
            return Ok(Cancelled::Running);
        }
        let closed = close(connection, self.id, Reason::Cancelled, Party::Caller, self.now).await?;
        Ok(closed.map_or(Cancelled::Ended, Cancelled::Pending))
    }
}

/// Ends the request `id` unless it has ended before: it stays as it ended first.
pub(super) async fn close(
    connection: &mut AnyConnection,
    id: i64,
    reason: Reason,
    party: Party,
    at: UnixTime,
) -> Result<Option<Closed>, StoreError> {
    let row = sqlx::query(
        "UPDATE challenge SET status = $1, disposition = $2, reason = $3, ended_at = $4, sealed_code = NULL
         WHERE id = $5 AND status IN (1, 2, 4) RETURNING uuid, user_name",
    )
    .bind(reason.status().number())
    .bind(reason.disposition().as_str())
    .bind(reason.as_str())
    .bind(at.as_millis())
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let event = NewEvent::ended(id, reason, party, at);
    let ids = timeline::append(connection, std::slice::from_ref(&event)).await?;
    let event = EventRow {
        id: ids.first().copied().ok_or_else(|| impossible("event", "no id"))?,
        challenge_id: id,
        at,
        kind: event.kind.to_owned(),
        detail: event.detail,
    };
    Ok(Some(Closed { uuid: row.try_get(0)?, user: row.try_get(1)?, event }))
}

/// Checks a code against the newest one of the user's number, by [`Challenge::verify`]'s rules.
///
/// Every answer costs the same statements, whether there was a row to change or not.
pub(super) struct Verify {
    pub user: String,
    pub phone: PhoneNumber,
    pub given: Secret,
    pub key: CodeKey,
    pub now: UnixTime,
}

/// How often a verification is tried again when another node was faster; each time that node's guess was counted.
const VERIFY_ROUNDS: usize = 16;

impl Operation for Verify {
    type Answer = Verification;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<Verification, StoreError> {
        for _ in 0..VERIFY_ROUNDS {
            let (id, mut challenge) = match self.newest(connection).await? {
                Some((id, challenge)) => (id, Some(challenge)),
                None => (0, None),
            };
            let before = challenge.clone();
            let verification =
                Challenge::verify(challenge.as_mut(), &self.key, &self.phone, self.given.expose(), self.now);
            let used = |challenge: &Option<Challenge>| challenge.as_ref().map_or(0, |c| i64::from(c.checks_used));
            let verified = verification.reason == VerifyReason::Verified;
            // The row must still be as it was read: of two right codes that come at once, one wins.
            let changed = sqlx::query(
                "UPDATE challenge SET checks_used = $1, verified_at = COALESCE(verified_at, $2)
                 WHERE id = $3 AND checks_used = $4 AND ($5 = 0 OR verified_at IS NULL)",
            )
            .bind(used(&challenge))
            .bind(verified.then_some(self.now.as_millis()))
            .bind(id)
            .bind(used(&before))
            .bind(i64::from(before.as_ref().is_some_and(|c| c.state == ChallengeState::Open)))
            .execute(&mut *connection)
            .await?
            .rows_affected();
            sqlx::query("UPDATE fact SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'verifications'")
                .execute(&mut *connection)
                .await?;
            if changed == 1 || id == 0 {
                return Ok(verification);
            }
        }
        Err(StoreError::Busy("others verify the same code all the time".to_owned()))
    }
}

impl Verify {
    async fn newest(&self, connection: &mut AnyConnection) -> Result<Option<(i64, Challenge)>, StoreError> {
        let row = sqlx::query(
            "SELECT id, code_hash, expires_at, checks_used, max_checks, verified_at FROM challenge
             WHERE user_name = $1 AND phone = $2 ORDER BY id DESC LIMIT 1",
        )
        .bind(self.user.as_str())
        .bind(self.phone.e164())
        .fetch_optional(connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hash: Option<String> = row.try_get("code_hash")?;
        let verified_at: Option<i64> = row.try_get("verified_at")?;
        let challenge = Challenge {
            number: self.phone.clone(),
            stored: word("code_hash", hash, StoredCode::from_text)?,
            expires_at: UnixTime::from_millis(row.try_get("expires_at")?),
            checks_used: small("checks_used", row.try_get("checks_used")?)?,
            max_checks: small("max_checks", row.try_get("max_checks")?)?,
            state: if verified_at.is_some() { ChallengeState::Used } else { ChallengeState::Open },
        };
        Ok(Some((row.try_get("id")?, challenge)))
    }
}

/// Ends what waited for longer than its code is valid, and wipes the hashes of codes that nobody can verify any more.
pub(super) struct Sweep {
    pub now: UnixTime,
}

/// Rows that one sweep ends or wipes; the next one goes on. Bounds how long it holds up the writer.
const SWEEP_ROWS: i64 = 500;

impl Operation for Sweep {
    type Answer = Vec<Closed>;

    async fn apply(&self, connection: &mut AnyConnection) -> Result<Vec<Closed>, StoreError> {
        let now = self.now.as_millis();
        let waiting = "SELECT id FROM challenge WHERE status IN (1, 4) AND expires_at <= $1 ORDER BY id LIMIT $2";
        let rows = sqlx::query(waiting).bind(now).bind(SWEEP_ROWS).fetch_all(&mut *connection).await?;
        let mut ended = Vec::new();
        for row in rows {
            ended.extend(close(connection, row.try_get(0)?, Reason::Expired, Party::Us, self.now).await?);
        }
        sqlx::query(
            "UPDATE challenge SET code_hash = NULL WHERE id IN
                 (SELECT id FROM challenge WHERE code_hash IS NOT NULL AND expires_at <= $1 LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(connection)
        .await?;
        Ok(ended)
    }
}
