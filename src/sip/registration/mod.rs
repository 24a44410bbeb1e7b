//! One trunk's registration (RFC 3261 §10.2) as a machine: it makes REGISTER requests and is fed their fate.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §10.2 one Call-ID, CSeq + 1 | `tests::every_register_keeps_call_id_and_tag_and_counts_on` |
//! | §10.2 no second REGISTER while one is out | `tests::{stopping_waits_for_the_register_that_is_out, a_contact_that_moves_while_a_register_is_out_is_bound_after_it}` |
//! | §10.2.4 the granted interval is our own Contact's | `verdict::tests::the_granted_interval_is_that_of_our_own_contact` |
//! | refresh after 50 to 90 % of it | `backoff::tests::refreshes_come_in_time`, `tests::{outcomes_of_a_first_attempt, a_short_binding_is_refreshed_once_a_second_at_most}` |
//! | §10.2.8, §21.4.17 423 and Min-Expires | `verdict::tests::min_expires_must_be_more_than_asked_and_not_absurd`, `tests::{outcomes_of_a_first_attempt, a_raised_interval_is_kept}` |
//! | §20.33, §21.5.4 Retry-After; the next target; back-off that never gives up | `backoff::tests`, `tests::{the_next_target_is_tried_at_once_and_waits_begin_when_all_have_failed, targets_that_ask_for_no_rest_are_not_tried_in_a_circle, targets_that_time_out_are_not_tried_in_a_circle, all_targets_with_retry_after_are_left_alone_until_the_first_returns, faults_are_retried_for_ever_ever_more_slowly}` |
//! | 403, 404 and other refusals: slow retry, alarm | `verdict::tests::statuses_are_judged`, `tests::{outcomes_of_a_first_attempt, a_refused_refresh_is_an_alarm_at_once}` |
//! | §22.2 a second 401 without `stale` stops | `tests::outcomes_of_a_first_attempt` |
//! | §8.1.3.2 unknown codes are x00; §8.1.3.1 timeouts and transport errors | `verdict::tests::statuses_are_judged`, `tests::outcomes_of_a_first_attempt` |
//! | §21.4.25 482: never again with that Call-ID | `tests::after_482_the_call_id_is_another` |
//! | SIPconnect: the AOR is the trunk's name, the account another | `tests::the_trunk_is_named_in_to_and_from_and_the_account_in_the_credentials` |
//! | §10.2.2 removal on stop, within [`STOP_LIMIT`] | `tests::{every_register_keeps_call_id_and_tag_and_counts_on, stopping_ends_in_every_state}` |
//! | RFC 3581 a learned address is bound instead | `tests::{a_contact_that_moved_is_bound_anew_and_the_old_one_removed, a_contact_that_moves_while_a_register_is_out_is_bound_after_it}` |
//!
//! Not here: Service-Route and Path (RFC 3608, RFC 3327), outbound (RFC 5626) and GIN (RFC 6140). A 3xx is not followed:
//! it would send our credentials wherever it says.

mod backoff;
mod machine;
mod state;
#[cfg(test)]
mod tests;
mod verdict;

pub use machine::{Input, Output, Registration, RegistrationConfig, STOP_LIMIT, SendFailure};
pub use state::{RegistrationFailure, RegistrationState};
