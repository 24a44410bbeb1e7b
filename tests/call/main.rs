//! Whole calls with sipp as the carrier. Each test asserts what sipp received and what the API then tells.
//!
//! | carrier | test |
//! |---|---|
//! | 401, 407, a stale nonce, credentials refused | `authenticated` |
//! | 180 then 200; no RTP at all from the callee | `answered::ringing_then_answered_…` |
//! | 183 with early media, then 200 with other SDP | `answered::early_media_…` |
//! | 200 sent three times | `answered::each_copy_of_a_200_…` |
//! | two 200s from a fork | `answered::the_second_200_…` |
//! | BYE in the second digit | `answered::a_callee_that_hangs_up_…` |
//! | Record-Route | `answered::a_call_goes_through_the_route_set_…` |
//! | re-INVITE, UPDATE, OPTIONS and INFO in the dialog | `answered::hold_and_resume_…` |
//! | an answer that cannot be used | `answered::an_answer_without_a_codec_…` |
//! | 404, 408, 480, 486, 487, 503, 603 with Reason; 302; nobody there | `refused` |
//! | never answered: CANCEL, 487; 200 crossing the CANCEL; DELETE | `cancelled` |
//! | key 1 by telephone-event from a capture, at any payload type | `pressed` |
//! | what arrived, by tshark and sox alone, with and without key 1 | `heard` |
//! | SIGTERM in mid-call; kill -9 while one rings and one waits | `restarted` |

#[path = "../support/mod.rs"]
mod support;

mod answered;
mod authenticated;
mod cancelled;
mod heard;
mod pressed;
mod refused;
mod restarted;
