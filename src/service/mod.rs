//! The one-time-code service that both API faces share, and the driver of the dialer.
//!
//! A face authenticates ([`OtpService::login`]), then asks in the user's name; everything that a face may show is in
//! [`types`]. What a call does meanwhile comes out of [`OtpService::progress`].

pub mod otp_service;
pub mod types;

pub use otp_service::{OtpService, ServiceSettings};
pub use types::{
    CallDetail, CallFilter, CallPage, CallProgress, CallRecord, CallStatus, CancelAnswer, CancelError, Delivery,
    Disposition, Field, FieldError, LoginError, OtpState, OtpStatus, Page, PlaceCall, PlaceCallError, Problem,
    ServiceError, TimelineEntry, UserId, VerifyAnswer, VerifyReason,
};
