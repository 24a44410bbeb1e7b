//! Questions to the database that change nothing.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::attempts::{self, AttemptRow};
use super::challenges::{COLUMNS, ChallengeRow, PendingCall, impossible};
use super::code_vault::CodeVault;
use super::error::StoreError;
use super::timeline::{self, EventRow};
use crate::base::secret::Masked;
use crate::base::time::UnixTime;
use crate::otp::{CallStatus, Code, PhoneNumber};

/// Which requests a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<CallStatus>,
    /// Only this number, in E.164 or as the user wrote it.
    pub number: Option<Masked>,
}

/// A request with what is known of its call.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCall {
    /// The request.
    pub row: ChallengeRow,
    /// Its newest attempt.
    pub attempt: Option<AttemptRow>,
    /// Its timeline, oldest first.
    pub events: Vec<EventRow>,
}

/// Requests that wait for their call.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Those that can be called, oldest first.
    pub calls: Vec<PendingCall>,
    /// Those whose row is damaged: they can only be ended.
    pub unreadable: Vec<i64>,
}

pub(super) async fn pending(
    connection: &mut AnyConnection,
    vault: &CodeVault,
    after: i64,
    limit: usize,
    now: UnixTime,
) -> Result<Pending, StoreError> {
    let rows = sqlx::query(
        "SELECT id, uuid, user_name, phone, sealed_code, maxretry, expires_at FROM challenge
         WHERE status IN (1, 4) AND id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
    )
    .bind(after)
    .bind(now.as_millis())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut pending = Pending::default();
    for row in &rows {
        let id = row.try_get("id")?;
        match pending_call(row, id, vault) {
            Ok(call) => pending.calls.push(call),
            Err(error) => {
                tracing::error!(id, %error, "a waiting request cannot be read");
                pending.unreadable.push(id);
            }
        }
    }
    Ok(pending)
}

fn pending_call(row: &AnyRow, id: i64, vault: &CodeVault) -> Result<PendingCall, StoreError> {
    let uuid: String = row.try_get("uuid")?;
    let sealed: Option<String> = row.try_get("sealed_code")?;
    let code = vault.open(&uuid, &sealed.unwrap_or_default())?;
    let phone: String = row.try_get("phone")?;
    let maxretry: i64 = row.try_get("maxretry")?;
    Ok(PendingCall {
        id,
        user: row.try_get("user_name")?,
        phone: PhoneNumber::from_e164(&phone).map_err(|_| impossible("phone", "…"))?,
        code: Code::parse(code.expose()).map_err(|_| impossible("sealed_code", "…"))?,
        maxretry: u8::try_from(maxretry).map_err(|_| impossible("maxretry", &maxretry.to_string()))?,
        expires_at: UnixTime::from_millis(row.try_get("expires_at")?),
        uuid,
    })
}

pub(super) async fn page(
    connection: &mut AnyConnection,
    user: &str,
    filter: &Filter,
    offset: i64,
    limit: i64,
) -> Result<(i64, Vec<ChallengeRow>), StoreError> {
    const MINE: &str = "user_name = $1 AND ($2 = 0 OR status = $2) AND ($3 = '' OR phone = $3 OR number_given = $3)";
    let status = filter.status.map_or(0, CallStatus::number);
    let number = filter.number.as_deref().unwrap_or_default();
    let count = sqlx::query(AssertSqlSafe(format!("SELECT COUNT(*) FROM challenge WHERE {MINE}")))
        .bind(user)
        .bind(status)
        .bind(number)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let select = format!("SELECT {COLUMNS} FROM challenge WHERE {MINE} ORDER BY id DESC LIMIT $4 OFFSET $5");
    let rows = sqlx::query(AssertSqlSafe(select))
        .bind(user)
        .bind(status)
        .bind(number)
        .bind(limit)
        .bind(offset)
        .fetch_all(connection)
        .await?;
    Ok((count, rows.iter().map(ChallengeRow::read).collect::<Result<_, _>>()?))
}

pub(super) async fn call(
    connection: &mut AnyConnection,
    user: &str,
    id: i64,
) -> Result<Option<StoredCall>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM challenge WHERE user_name = $1 AND id = $2")))
        .bind(user)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let row = ChallengeRow::read(&row)?;
    let attempt = attempts::newest(connection, id).await?;
    let events = timeline::of_call(connection, id).await?;
    Ok(Some(StoredCall { row, attempt, events }))
}

pub(super) async fn newest(
    connection: &mut AnyConnection,
    user: &str,
    phone: &PhoneNumber,
) -> Result<Option<StoredCall>, StoreError> {
    let select =
        format!("SELECT {COLUMNS} FROM challenge WHERE user_name = $1 AND phone = $2 ORDER BY id DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(select)).bind(user).bind(phone.e164()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let row = ChallengeRow::read(&row)?;
    let attempt = attempts::newest(connection, row.id).await?;
    Ok(Some(StoredCall { row, attempt, events: Vec::new() }))
}
