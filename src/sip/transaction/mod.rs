//! The transaction layer (RFC 3261 §17 as changed by RFC 6026, §9, §18; RFC 3581).
//!
//! [`Transactions`] owns every transaction of a user agent. Its user sends requests and responses through it, feeds it
//! the messages and the time, and drains [`Transactions::poll_output`] after each input.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §17.1.1.2 INVITE: timers A and B, none over streams | `client_invite::tests::{unanswered_it_is_sent_seven_times_and_times_out_after_32_s, over_a_stream_it_is_sent_once}` |
//! | §17.1.1.2 1xx ends retransmission | `client_invite::tests::a_provisional_response_ends_retransmission_and_timer_b` |
//! | §17.1.1.2 timer D, an ACK for each copy | `client_invite::tests::{a_refusal_is_acked_again_for_each_copy_until_timer_d, over_a_stream_a_refusal_ends_it_at_once}` |
//! | §17.1.1.3 what the ACK holds | `client_invite::tests::the_ack_of_a_refusal_is_the_invite_with_the_responses_to` |
//! | RFC 6026 §8.4 Accepted and timer M | `client_invite::tests::every_2xx_goes_up_until_timer_m_and_is_stray_afterwards` |
//! | RFC 3261 §9.1 CANCEL: after 1xx only, same branch, no new To tag | `client_invite::tests::{a_cancel_waits_for_a_provisional_response, a_cancel_is_the_invite_without_a_new_to_tag_and_487_ends_both, a_cancel_before_any_response_never_leaves_when_a_final_one_comes_first}` |
//! | §9.1 200 that crosses; INVITE freed after 64*T1 | `client_invite::tests::{a_200_that_crosses_the_cancel_goes_up, without_a_final_response_a_cancel_frees_the_invite_after_32_s}` |
//! | §17.1.2.2 timers E, F, K | `client_non_invite::tests` |
//! | §17.1.4, §8.1.3.1 transport errors | `client_invite::tests::{an_error_of_the_transport_fails_what_is_being_sent, an_error_after_the_answer_changes_nothing}`, `client_non_invite::tests::an_error_of_the_transport_fails_it` |
//! | §17.2.1 100 after 200 ms, copies get the last provisional | `server_invite::tests::{a_silent_user_gets_a_100_sent_after_200_ms, a_quick_user_spares_the_100_and_copies_get_the_last_provisional}` |
//! | §17.2.1 timers G, H, I | `server_invite::tests::{a_refusal_is_repeated_up_to_t2_until_timer_h, the_ack_ends_repetition_and_copies_of_it_are_absorbed_until_timer_i, over_a_stream_a_refusal_is_sent_once_and_the_ack_ends_it}` |
//! | RFC 6026 §8.5 Accepted and timer L; the user repeats 2xx; their ACK goes up | `server_invite::tests::{after_a_2xx_copies_of_the_invite_are_absorbed_until_timer_l, the_ack_of_a_2xx_goes_up_whatever_its_branch}` |
//! | RFC 3261 §17.2.2 timer J | `server_non_invite::tests` |
//! | RFC 4320 §4.2 no final response after the client has given up | `server_non_invite::tests::a_request_that_is_never_answered_is_forgotten_after_32_s` |
//! | RFC 3261 §17.2.3 matching, with and without a proper branch | `key::tests`, `layer::tests::clients_of_rfc_2543_are_matched_by_their_fields` |
//! | §17.1.3, §18.1.2, §8.1.3.3 matching of responses, `sent-by`, one Via | `layer::tests::{a_response_to_another_host_branch_or_method_is_dropped, a_response_with_two_vias_or_none_is_dropped, branches_and_hosts_are_compared_without_case}` |
//! | §8.1.3.2 unknown codes are x00 | `layer::tests::a_code_that_nobody_knows_counts_as_x00` |
//! | §9.2 CANCEL as UAS | `layer::tests::{a_cancel_is_answered_and_told_while_the_invite_waits, a_cancel_after_the_answer_has_no_effect_and_one_of_nothing_gets_481}` |
//! | §13.2.2.4 a 2xx whose transaction is gone | `layer::tests::only_a_2xx_to_invite_is_stray` |
//! | §18.2.1, §18.2.2, RFC 3581 `received`, `rport`, and where answers go | `via::tests`, `layer::tests::a_request_goes_up_with_received_and_rport_and_is_answered_at_its_source` |
//! | RFC 3581 §3 `rport` in every Via of ours, RFC 3261 §19.3 random branches | `via::tests::our_vias_ask_for_rport_and_no_branch_repeats` |
//! | bounds of the tables | `layer::tests::{a_full_table_refuses_and_says_so, a_request_on_a_branch_in_use_is_not_sent, at_the_end_nothing_is_left}` |
//!
//! Deviations, with the reason: `maddr` is not obeyed (`via::reply_path`); a server transaction survives errors of
//! its transport (RFC 6026 §8.5, against RFC 3261 §17.2.4). Not here, because they are the user agent's decisions:
//! whether a source may speak to us at all, merged requests (482, §8.2.2.2), and a limit on how long an INVITE may ring.
//! Not tested: timer C, which only proxies have.

mod client_invite;
mod client_non_invite;
mod context;
mod counters;
mod derived;
mod event;
mod key;
mod layer;
mod path;
mod server_invite;
mod server_non_invite;
#[cfg(test)]
mod testing;
mod via;

pub use context::Timings;
pub use counters::Counters;
pub use event::{Event, Output, TransactionKey, Transmit};
pub use key::{ClientKey, ServerKey};
pub use layer::{MAX_CLIENT_TRANSACTIONS, MAX_SERVER_TRANSACTIONS, Transactions};
pub use path::{Path, Transport};
pub use via::new_via;
