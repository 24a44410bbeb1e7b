//! One-time codes: the number, the code, its verification, the limits of one call, the script of a call, and how a
//! call ended. Knows no SIP and no media.
//!
//! - [`phone_number`]: what may be dialled, in E.164, masked wherever it prints
//! - [`code`]: the digits themselves, which never print
//! - [`challenge`]: what is kept of a code so that it can be verified: how long, how often, and against what
//! - [`limits`]: which numbers a call may go to
//! - [`call_script`]: what is said in a call, in which order, and what a pressed key does
//! - [`reason`], [`delivery`], [`call_status`]: how a call ended, in the words of the API

pub mod call_script;
pub mod call_status;
pub mod challenge;
pub mod code;
pub mod delivery;
pub mod limits;
pub mod phone_number;
pub mod reason;

pub use call_script::{CallPolicy, CallScript, Phrase, ScriptEvent};
pub use call_status::{CallStatus, Disposition};
pub use challenge::{Challenge, ChallengeState, CodeKey, OtpPolicy, StoredCode, Verification, VerifyReason};
pub use code::{Code, CodeError};
pub use delivery::{Delivery, Party};
pub use limits::{Limits, NotAllowed};
pub use phone_number::{Country, PhoneNumber, PhoneNumberError};
pub use reason::{Reason, Retry};
