//! The one-time-code service that both API faces share, and the driver of the dialer.
//!
//! ```text
//!   http ──► OtpService ──► store ◄── feeder ──► dispatcher ──► dialer (pure)
//!                 │                                  │  ▲           outputs │
//!                 │   cancel, progress, trunks       │  └── sip, media ◄────┤
//!                 └────────── call_link ─────────────┘                      ▼
//!                                                    recorder ──► store ──► progress
//! ```
//!
//! A face authenticates ([`OtpService::login`]), then asks in the user's name; everything that a face may show is in
//! [`types`]. What a call does meanwhile comes out of [`OtpService::progress`].
//!
//! The table of waiting requests in the store is the queue: the [`feeder`] brings as many as the dialer has room for,
//! at start as in mid-run, so that a request that was accepted is never in memory only. The [`recorder`] writes what
//! happens, in order and in groups, before anybody hears of it.

pub mod call_link;
pub mod dispatcher;
pub mod feeder;
pub mod login;
pub mod otp_service;
pub mod recorder;
pub mod types;

pub use call_link::{CallLink, TrunkStates, call_link};
pub use dispatcher::{Dispatcher, MediaDriver};
pub use otp_service::{OtpService, ServiceSettings};
pub use types::{
    CallDetail, CallFilter, CallPage, CallProgress, CallRecord, CallStatus, CancelAnswer, CancelError, CodeError,
    Delivery, Disposition, Field, FieldError, LoginError, OtpState, OtpStatus, Page, PhoneNumberError, PlaceCall,
    PlaceCallError, Problem, Readiness, ServiceError, TimelineEntry, UserId, Verification, VerifyReason,
};
