//! The service itself: every question that a face may ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::call_link::{CallLink, TrunkStates};
use super::login::Logins;
use super::types::*;
use crate::base::hex;
use crate::base::random::Random;
use crate::base::secret::{Masked, Secret};
use crate::base::time::UnixTime;
use crate::config::checked::User;
use crate::net::clock::Clock;
use crate::otp::{Code, Limits, OtpPolicy, PhoneNumber, StoredCode};
use crate::store::{AttemptRow, Cancelled, ChallengeRow, Filter, NewChallenge, Store, StoredCall};

/// Most re-readings of a code in one call.
pub const MAX_RETRY: i64 = 10;
/// The shortest and the longest life of a code that a request may ask for, in seconds: shorter than a call takes is no
/// use, longer than a day is no one-time code.
pub const TTL_SECONDS: (i64, i64) = (30, 86_400);

/// What the service needs of the configuration.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Who may ask.
    pub users: Vec<User>,
    /// The rules of a code.
    pub otp: OtpPolicy,
    /// Where may be called.
    pub limits: Limits,
}

/// The one service behind both API faces. Cheap to clone; every clone is the same service.
#[derive(Clone)]
pub struct OtpService {
    inner: Arc<Inner>,
}

struct Inner {
    otp: OtpPolicy,
    limits: Limits,
    logins: Logins,
    store: Store,
    link: CallLink,
    clock: Clock,
    random: Mutex<Random>,
}

impl OtpService {
    /// The service over `store`; `link` leads to the dispatcher that places the calls, `random` draws codes.
    pub fn new(settings: ServiceSettings, store: Store, link: CallLink, clock: Clock, random: Random) -> Self {
        let ServiceSettings { users, otp, limits } = settings;
        let random = Mutex::new(random);
        let logins = Logins::new(&users);
        OtpService { inner: Arc::new(Inner { otp, limits, logins, store, link, clock, random }) }
    }

    /// Checks `password`. Takes the same time for an unknown user. At most two passwords are checked at a time.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&self, username: &str, password: &Secret) -> Result<UserId, LoginError> {
        self.inner.logins.check(username, password).await
    }

    /// Whether `user`, read from a token, is still in the configuration.
    pub fn user_exists(&self, user: &UserId) -> bool {
        self.inner.logins.knows(user.as_str())
    }

    /// Takes a call on; durable when this returns. The code stands in this one answer.
    ///
    /// # Errors
    /// [`PlaceCallError`]; nothing was accepted then.
    pub async fn place_call(&self, user: &UserId, request: PlaceCall) -> Result<CallRecord, PlaceCallError> {
        let inner = &*self.inner;
        if inner.link.trunks.borrow().stopping {
            return Err(PlaceCallError::ShuttingDown);
        }
        let checked = self.check(&request)?;
        inner.limits.admit(&checked.phone).map_err(|_| PlaceCallError::DestinationDenied)?;
        if !inner.link.trunks.borrow().usable() {
            return Err(PlaceCallError::NoTrunk);
        }
        let challenge = self.draw(user, request.number, checked);
        let code = Secret::new(challenge.code.expose());
        let record = CallRecord {
            id: 0,
            call_uuid: challenge.uuid.clone(),
            number: challenge.number_given.clone(),
            phone: challenge.phone.e164().into(),
            otp: Some(code),
            otp_length: usize::from(challenge.code.length()),
            maxretry: i64::from(challenge.maxretry),
            status: CallStatus::Pending,
            disposition: None,
            num_attempt: 0,
            created_at: challenge.created_at,
            expires_at: challenge.expires_at,
        };
        let id = inner.store.accept(challenge).await?;
        inner.link.accepted.notify_one();
        Ok(CallRecord { id, ..record })
    }

    /// Takes a call on, as [`place_call`](Self::place_call) does: the faces differ in their words only.
    ///
    /// # Errors
    /// [`PlaceCallError`]; nothing was accepted then.
    pub async fn send_otp(&self, user: &UserId, request: PlaceCall) -> Result<CallRecord, PlaceCallError> {
        self.place_call(user, request).await
    }

    /// The user's calls, newest first.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn list_calls(&self, user: &UserId, filter: &CallFilter, page: Page) -> Result<CallPage, ServiceError> {
        let number = filter.number.as_deref().map(|text| match PhoneNumber::parse(text, self.inner.limits.home) {
            Ok(number) => number.e164().to_owned(),
            Err(_) => text.to_owned(),
        });
        let filter = Filter { status: filter.status, number: number.map(Masked::from) };
        let limit = i64::from(page.size);
        let offset = i64::from(page.number.saturating_sub(1)).saturating_mul(limit);
        let (count, rows) = self.inner.store.page(user.as_str(), &filter, offset, limit).await?;
        Ok(CallPage { count, calls: rows.into_iter().map(record).collect() })
    }

    /// One of the user's calls; `None` when there is none of that number.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn get_call(&self, user: &UserId, id: i64) -> Result<Option<CallDetail>, ServiceError> {
        let Some(call) = self.inner.store.call(user.as_str(), id).await? else { return Ok(None) };
        let delivery = delivery(&call)?;
        let timeline = call.events.into_iter().map(TimelineEntry::from).collect();
        Ok(Some(CallDetail { record: record(call.row), delivery, timeline }))
    }

    /// Takes a call out of the queue, or hangs it up.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel_call(&self, user: &UserId, id: i64) -> Result<CancelAnswer, CancelError> {
        let link = &self.inner.link;
        let answer = match self.inner.store.cancel(user.as_str(), id, self.inner.clock.unix_now()).await? {
            Cancelled::NotFound => return Err(CancelError::NotFound),
            Cancelled::Ended => return Ok(CancelAnswer::AlreadyEnded),
            Cancelled::Pending(closed) => {
                // Nobody may be listening.
                let _ = link.progress.send(closed.into());
                CancelAnswer::Cancelled
            }
            Cancelled::Running => CancelAnswer::HangingUp,
        };
        // Without a dispatcher no call runs, and none will.
        let _ = link.cancels.send(id).await;
        Ok(answer)
    }

    /// Checks the newest code of a number; each try counts. A text that is no number has no code.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn verify_otp(&self, user: &UserId, phone: &str, otp: &Secret) -> Result<Verification, ServiceError> {
        let inner = &*self.inner;
        let Ok(phone) = PhoneNumber::parse(phone, inner.limits.home) else {
            return Ok(Verification { reason: VerifyReason::NotFound, attempts_remaining: 0 });
        };
        Ok(inner.store.verify(user.as_str(), phone, otp.clone(), inner.clock.unix_now()).await?)
    }

    /// Where the newest code of a number stands. `phone` is a number in any way of writing it, or the digits of E.164
    /// without their `+`, as they come in a path.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn otp_status(&self, user: &UserId, phone: &str) -> Result<OtpStatus, ServiceError> {
        let inner = &*self.inner;
        for text in [phone.to_owned(), format!("+{phone}")] {
            let Ok(number) = PhoneNumber::parse(&text, inner.limits.home) else { continue };
            if let Some(call) = inner.store.newest(user.as_str(), &number).await? {
                return Ok(otp_status(&call, inner.clock.unix_now())?);
            }
        }
        let phone = PhoneNumber::parse(phone, inner.limits.home).map_or(phone.to_owned(), |n| n.e164().to_owned());
        Ok(OtpStatus {
            phone: phone.into(),
            state: OtpState::NotFound,
            expires_at: None,
            attempts_used: 0,
            attempts_remaining: 0,
            call_uuid: None,
            delivery: None,
        })
    }

    /// Live steps of all calls. A listener that is more than 4,096 steps behind is told how many it missed
    /// (`RecvError::Lagged`) and finds them in the timeline.
    pub fn progress(&self) -> broadcast::Receiver<CallProgress> {
        self.inner.link.progress.subscribe()
    }

    /// Where the trunks stand, now and as it changes.
    pub fn trunks(&self) -> watch::Receiver<TrunkStates> {
        self.inner.link.trunks.clone()
    }

    /// What the daemon can do at this moment.
    pub async fn readiness(&self) -> Readiness {
        let store = self.inner.store.ping().await.is_ok();
        let trunks = self.inner.link.trunks.borrow();
        Readiness { store, trunk: trunks.usable(), open: !trunks.stopping }
    }

    /// Tries of one code.
    pub fn max_checks(&self) -> u8 {
        self.inner.otp.max_checks
    }

    /// Checks every field, so that all that is wrong is told at once.
    fn check(&self, request: &PlaceCall) -> Result<Checked, PlaceCallError> {
        let mut errors = Vec::new();
        let mut refuse = |field, problem| errors.push(FieldError { field, problem });
        let phone = PhoneNumber::parse(&request.number, self.inner.limits.home)
            .map_err(|error| refuse(Field::Number, Problem::Number(error)));
        let given = request.otp.as_ref().filter(|otp| !otp.expose().trim().is_empty());
        let code = given.map(|otp| Code::parse(otp.expose())).transpose();
        let code = code.map_err(|error| refuse(Field::Otp, Problem::Code(error)));
        let maxretry = u8::try_from(request.maxretry).ok().filter(|n| i64::from(*n) <= MAX_RETRY);
        if maxretry.is_none() {
            refuse(Field::MaxRetry, Problem::OutOfRange { min: 0, max: MAX_RETRY });
        }
        let ttl = request.ttl.unwrap_or(self.inner.otp.ttl);
        let (min, max) = TTL_SECONDS;
        if request.ttl.is_some_and(|ttl| !(min..=max).contains(&i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX))) {
            refuse(Field::Ttl, Problem::OutOfRange { min, max });
        }
        match (phone, code, maxretry) {
            (Ok(phone), Ok(code), Some(maxretry)) if errors.is_empty() => Ok(Checked { phone, code, maxretry, ttl }),
            _ => Err(PlaceCallError::Invalid(errors)),
        }
    }

    fn draw(&self, user: &UserId, number_given: Masked, checked: Checked) -> NewChallenge {
        let inner = &*self.inner;
        let Checked { phone, code, maxretry, ttl } = checked;
        let mut random = inner.random.lock().unwrap_or_else(PoisonError::into_inner);
        let code = code.unwrap_or_else(|| Code::generate(inner.otp.length, &mut random));
        let stored = StoredCode::new(inner.store.code_key(), &phone, &code, &mut random);
        let uuid = uuid(&mut random);
        let created_at = inner.clock.unix_now();
        NewChallenge {
            uuid,
            user: user.as_str().to_owned(),
            number_given,
            phone,
            code,
            stored,
            maxretry,
            max_checks: inner.otp.max_checks,
            created_at,
            expires_at: created_at + ttl,
        }
    }
}

/// A request whose fields are all right; no code means that one is drawn.
struct Checked {
    phone: PhoneNumber,
    code: Option<Code>,
    maxretry: u8,
    ttl: Duration,
}

/// A random UUID (RFC 9562 §5.4).
fn uuid(random: &mut Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn record(row: ChallengeRow) -> CallRecord {
    CallRecord {
        id: row.id,
        call_uuid: row.uuid,
        number: row.number_given,
        phone: row.phone,
        otp: None,
        otp_length: usize::try_from(row.code_length).unwrap_or(0),
        maxretry: row.maxretry,
        status: row.status,
        disposition: row.disposition,
        num_attempt: row.attempts,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

/// What the last attempt came to; a call that ended without any attempt has at least its reason.
fn delivery(call: &StoredCall) -> Result<Option<Delivery>, StoreError> {
    if let Some(delivery) = call.attempt.as_ref().map(AttemptRow::delivery).transpose()?.flatten() {
        return Ok(Some(delivery));
    }
    Ok(call.row.reason.map(|reason| Delivery::undialled(reason, None)))
}

fn otp_status(call: &StoredCall, now: UnixTime) -> Result<OtpStatus, StoreError> {
    let row = &call.row;
    let state = match row.status {
        _ if row.verified_at.is_some() => OtpState::Used,
        _ if now >= row.expires_at => OtpState::Expired,
        CallStatus::Pending | CallStatus::Retry => OtpState::Pending,
        CallStatus::InProcess => OtpState::Calling,
        CallStatus::Success => OtpState::Delivered,
        CallStatus::Failure => OtpState::Failed,
    };
    Ok(OtpStatus {
        phone: row.phone.clone(),
        state,
        expires_at: Some(row.expires_at),
        attempts_used: row.checks_used,
        attempts_remaining: row.max_checks.saturating_sub(row.checks_used),
        call_uuid: Some(row.uuid.clone()),
        delivery: delivery(call)?,
    })
}

#[cfg(test)]
mod tests;
