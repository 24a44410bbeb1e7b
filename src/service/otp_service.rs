//! The service itself: every question that a face may ask.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::types::*;
use crate::base::secret::Secret;
use crate::config::checked::{LimitsConfig, OtpConfig, User};

/// What the service needs of the configuration.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Who may ask.
    pub users: Vec<User>,
    /// The rules of a code.
    pub otp: OtpConfig,
    /// Where may be called.
    pub limits: LimitsConfig,
}

/// The one service behind both API faces. Cheap to clone; every clone is the same service.
#[derive(Clone)]
pub struct OtpService {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ServiceSettings,
}

impl OtpService {
    /// Checks `password`. Takes the same time for an unknown user.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&self, _username: &str, _password: &Secret) -> Result<UserId, LoginError> {
        todo!()
    }

    /// Whether `user`, read from a token, is still in the configuration.
    pub fn user_exists(&self, user: &UserId) -> bool {
        self.inner.settings.users.iter().any(|known| known.username == user.as_str())
    }

    /// Takes a call on; durable when this returns.
    ///
    /// # Errors
    /// [`PlaceCallError`]; nothing was accepted then.
    pub async fn place_call(&self, _user: &UserId, _request: PlaceCall) -> Result<CallRecord, PlaceCallError> {
        todo!()
    }

    /// The user's calls, newest first.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn list_calls(
        &self,
        _user: &UserId,
        _filter: &CallFilter,
        _page: Page,
    ) -> Result<CallPage, ServiceError> {
        todo!()
    }

    /// One of the user's calls; `None` when there is none of that number.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn get_call(&self, _user: &UserId, _id: i64) -> Result<Option<CallDetail>, ServiceError> {
        todo!()
    }

    /// Takes a call out of the queue, or hangs it up.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel_call(&self, _user: &UserId, _id: i64) -> Result<CancelAnswer, CancelError> {
        todo!()
    }

    /// Takes a call on, in the words of the OTP-app face.
    ///
    /// # Errors
    /// [`PlaceCallError`]; nothing was accepted then.
    pub async fn send_otp(&self, _user: &UserId, _request: PlaceCall) -> Result<CallRecord, PlaceCallError> {
        todo!()
    }

    /// Checks the newest code of a number; each try counts.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn verify_otp(&self, _user: &UserId, _phone: &str, _otp: &Secret) -> Result<VerifyAnswer, ServiceError> {
        todo!()
    }

    /// Where the newest code of a number stands.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn otp_status(&self, _user: &UserId, _phone: &str) -> Result<OtpStatus, ServiceError> {
        todo!()
    }

    /// Live steps of all calls. A listener that lags more than 4,096 steps behind is told how many it missed
    /// (`RecvError::Lagged`) and can read them from the timeline.
    pub fn progress(&self) -> broadcast::Receiver<CallProgress> {
        todo!()
    }

    /// Tries of one code.
    pub fn max_checks(&self) -> u8 {
        self.inner.settings.otp.max_checks
    }
}
