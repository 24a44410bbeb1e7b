//! One call, from its channel to its outcome.

use std::net::SocketAddr;
use std::time::Duration;

use super::desk::{Desk, Timer};
use super::event::{Attempt, MediaUnavailable, Output};
use super::job::Job;
use super::outcome::{Outcome, Why, hung_up_by, verdict};
use super::progress::CallStep;
use crate::base::time::Instant;
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command as MediaCommand, Event as MediaEvent, SessionConfig};
use crate::otp::call_script::{CallScript, Input as ScriptInput, Output as ScriptOutput};
use crate::otp::{Delivery, Party, PhoneNumber, Reason};
use crate::sip::call_end::{self, CallEnd, EndReason};
use crate::sip::offer_answer::{LocalMedia, NegotiatedMedia, TELEPHONE_EVENT_PAYLOAD_TYPE};
use crate::sip::user_agent::{CallEvent, CallId, Command, Q850, TrunkId, UserPart};

/// Q.850 cause 16, normal call clearing.
const NORMAL_CLEARING: Q850 = Q850(16);

/// A playlist that has not ended so long after its time will not end any more.
const STALL_MARGIN: Duration = Duration::from_secs(5);

/// How long the other end may keep us on hold while something is to be said.
const HOLD_LIMIT: Duration = Duration::from_secs(60);

/// The user agent ends a hung-up call within 64·T1 = 32 s (RFC 3261 §9.1, §17.1.2.2); longer, and it has lost it.
const HANGUP_GUARD: Duration = Duration::from_secs(40);

/// How long a media session may take to close.
const CLOSE_GUARD: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Stage {
    /// A port is being opened.
    Opening,
    /// The attempt is being written; our RTP address is known.
    Recording(SocketAddr),
    /// The INVITE is out.
    Dialing,
    /// Answered.
    Talking,
    /// CANCEL or BYE is out.
    HangingUp,
    /// All is said, but for the media session's figures.
    Closing(Ending),
    /// The last output is out.
    Over,
}

#[derive(Debug)]
enum Ending {
    /// Never tried, and handed back.
    Released,
    /// Never dialled.
    Undialled(Reason, Party),
    /// Dialled, and ended at that time.
    Dialled(CallEnd, Instant),
}

/// A call that has a channel.
#[derive(Debug)]
pub(super) struct Call {
    job: Job,
    trunk: TrunkId,
    trunk_name: String,
    stage: Stage,
    script: CallScript,
    media_open: bool,
    /// What was agreed; from the answer on.
    media: Option<NegotiatedMedia>,
    answered_at: Option<Instant>,
    /// The playlist that plays, and how long it lasts.
    playing: Option<(u32, Duration)>,
    /// Why we hung up.
    why: Option<Why>,
}

impl Call {
    /// A call over `trunk`, whose channel is taken. It begins with a port for its media.
    pub fn start(job: Job, trunk: TrunkId, trunk_name: String, desk: &mut Desk) -> Self {
        desk.put(Output::OpenMedia { call: job.call });
        Call {
            script: CallScript::new(job.code.clone(), desk.policy.clone(), job.readings),
            job,
            trunk,
            trunk_name,
            stage: Stage::Opening,
            media_open: false,
            media: None,
            answered_at: None,
            playing: None,
            why: None,
        }
    }

    pub fn trunk(&self) -> TrunkId {
        self.trunk
    }

    pub fn number(&self) -> &PhoneNumber {
        &self.job.number
    }

    /// Whether its last output is out.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub fn media_opened(&mut self, now: Instant, result: Result<SocketAddr, MediaUnavailable>, desk: &mut Desk) {
        match (&self.stage, result) {
            (Stage::Opening, Ok(address)) => {
                self.media_open = true;
                self.stage = Stage::Recording(address);
                desk.put(Output::Record(Attempt {
                    call: self.job.call,
                    trunk: self.trunk,
                    trunk_name: self.trunk_name.clone(),
                    at: desk.civil(now),
                }));
            }
            (Stage::Opening, Err(MediaUnavailable)) => {
                self.close(now, Ending::Undialled(Reason::NoMediaPorts, Party::Us), desk);
            }
            // Given up while it was being opened, and nothing was opened: nothing will be closed.
            (Stage::Closing(_), Err(MediaUnavailable)) if !self.media_open => self.finish(None, desk),
            _ => {}
        }
    }

    pub fn recorded(&mut self, now: Instant, desk: &mut Desk) {
        let Stage::Recording(address) = self.stage else { return };
        self.stage = Stage::Dialing;
        desk.step(now, self.job.call, CallStep::Dialing { trunk: self.trunk_name.clone() });
        let media = LocalMedia {
            address,
            codecs: desk.codecs.clone(),
            // RFC 8866 §5.2 wants a number that is unique per session; 63 bits, since some peers read it as signed.
            session_id: desk.random.u64() >> 1,
            version: 1,
            telephone_event: TELEPHONE_EVENT_PAYLOAD_TYPE,
        };
        desk.put(Output::Sip(Command::Invite {
            call: self.job.call,
            trunk: self.trunk,
            callee: UserPart::new(self.job.number.e164()).expect("E.164 is a + and at most 15 digits"),
            caller_id: self.job.caller_id.clone(),
            media,
        }));
        desk.timers.set(Timer::Ring(self.job.call), now + desk.policy.ring_timeout);
    }

    pub fn record_failed(&mut self, now: Instant, desk: &mut Desk) {
        if matches!(self.stage, Stage::Recording(_)) {
            self.close(now, Ending::Undialled(Reason::StoreFailure, Party::Us), desk);
        }
    }

    pub fn sip(&mut self, now: Instant, event: CallEvent, desk: &mut Desk) {
        match (&self.stage, event) {
            (Stage::Opening | Stage::Recording(_) | Stage::Over, _) => {}
            // A 200 that crosses the CANCEL (RFC 3261 §9.1): the phone was answered, and is hung up.
            (Stage::HangingUp | Stage::Closing(_), CallEvent::Answered { .. }) => {
                self.answered_at.get_or_insert(now);
                self.send_hangup(desk);
            }
            (Stage::Closing(_), _) => {}
            (_, CallEvent::Ended(end)) => self.close(now, Ending::Dialled(end, now), desk),
            (Stage::Dialing, CallEvent::Ringing { status }) => {
                desk.step(now, self.job.call, CallStep::Ringing { status });
            }
            (Stage::Dialing, CallEvent::EarlyMedia { status }) => {
                desk.step(now, self.job.call, CallStep::EarlyMedia { status });
            }
            (Stage::Dialing, CallEvent::Answered { media }) => self.answered(now, media, desk),
            (Stage::Talking, CallEvent::MediaChanged { media }) => self.media_changed(now, media, desk),
            _ => {}
        }
    }

    pub fn media(&mut self, now: Instant, event: MediaEvent, desk: &mut Desk) {
        let talking = matches!(self.stage, Stage::Talking);
        let input = match event {
            // Counted up to the very end: what was sent was sent, even if the news of it crosses a BYE.
            MediaEvent::Reached { playlist, mark } => ScriptInput::Reached { playlist, mark },
            _ if !talking => return,
            MediaEvent::FirstPacket => ScriptInput::FirstPacket,
            MediaEvent::Digit { digit } => ScriptInput::Digit(digit),
            MediaEvent::Finished { playlist } => {
                if self.playlist() == Some(playlist) {
                    self.playing = None;
                    desk.timers.cancel(&Timer::Stall(self.job.call));
                }
                ScriptInput::Finished { playlist }
            }
            // One that was replaced in the meantime is missed by nobody.
            MediaEvent::CodecChanged { playlist, .. } if playlist.is_some() && playlist == self.playlist() => {
                ScriptInput::Replay
            }
            MediaEvent::CodecChanged { .. } | MediaEvent::ReceiveTimeout | MediaEvent::Speech { .. } => return,
        };
        self.drive(now, input, desk);
    }

    pub fn media_closed(&mut self, now: Instant, report: AudioReport, desk: &mut Desk) {
        self.media_open = false;
        match self.stage {
            Stage::Closing(_) => self.finish(Some(AudioReport { heard: None, ..report }), desk),
            Stage::Over => {}
            // Nobody asked for it: the media thread is gone.
            _ => self.give_up(now, Why::MediaFailed, desk),
        }
    }

    /// Ends the call by our hand; does nothing when it is ending already.
    pub fn give_up(&mut self, now: Instant, why: Why, desk: &mut Desk) {
        match self.stage {
            Stage::Opening => {
                let (reason, party) = why.verdict();
                // Nothing was written yet: the next start of the daemon can still make this call.
                let ending = if why == Why::Interrupted { Ending::Released } else { Ending::Undialled(reason, party) };
                desk.put(Output::CloseMedia { call: self.job.call });
                desk.timers.set(Timer::Close(self.job.call), now + CLOSE_GUARD);
                desk.timers.cancel(&Timer::Expiry(self.job.call));
                self.stage = Stage::Closing(ending);
            }
            Stage::Recording(_) => {
                let (reason, party) = why.verdict();
                self.close(now, Ending::Undialled(reason, party), desk);
            }
            Stage::Dialing | Stage::Talking => {
                self.why = Some(why);
                self.stage = Stage::HangingUp;
                desk.forget_timers(self.job.call);
                desk.timers.set(Timer::Hangup(self.job.call), now + HANGUP_GUARD);
                self.send_hangup(desk);
            }
            Stage::HangingUp | Stage::Closing(_) | Stage::Over => {}
        }
    }

    pub fn timer(&mut self, now: Instant, timer: Timer, desk: &mut Desk) {
        match timer {
            Timer::Expiry(_) => self.give_up(now, Why::Expired, desk),
            Timer::Ring(_) => self.give_up(now, Why::RingTimeout, desk),
            Timer::Script(_) => self.drive(now, ScriptInput::Timeout, desk),
            Timer::Stall(_) => {
                let why = if self.is_held() { Why::HeldTooLong } else { Why::MediaFailed };
                self.give_up(now, why, desk);
            }
            Timer::Hangup(_) => {
                let end = CallEnd {
                    reason: EndReason::Timeout,
                    party: call_end::Party::Us,
                    sip_status: None,
                    q850: None,
                    text: None,
                    retry_after: None,
                };
                self.close(now, Ending::Dialled(end, now), desk);
            }
            Timer::Close(_) => self.finish(None, desk),
            Timer::Pace | Timer::NoTrunk(_) => {}
        }
    }

    fn answered(&mut self, now: Instant, media: NegotiatedMedia, desk: &mut Desk) {
        desk.timers.cancel(&Timer::Ring(self.job.call));
        desk.timers.cancel(&Timer::Expiry(self.job.call));
        self.stage = Stage::Talking;
        self.answered_at = Some(now);
        self.media = Some(media);
        desk.step(now, self.job.call, CallStep::Answered);
        if !desk.codecs.contains(&media.codec) || !self.media_open {
            self.give_up(now, Why::MediaFailed, desk);
            return;
        }
        self.send_media(MediaCommand::Start(SessionConfig::from_negotiated(&media)), desk);
        self.drive(now, ScriptInput::Answered, desk);
    }

    /// Hold, resume, another address or codec (RFC 3264 §8).
    fn media_changed(&mut self, now: Instant, media: NegotiatedMedia, desk: &mut Desk) {
        let was_held = self.is_held();
        self.media = Some(media);
        if !desk.codecs.contains(&media.codec) {
            self.give_up(now, Why::MediaFailed, desk);
            return;
        }
        self.send_media(MediaCommand::Update(SessionConfig::from_negotiated(&media)), desk);
        if self.is_held() != was_held {
            let step = if self.is_held() { CallStep::Held } else { CallStep::Resumed };
            desk.step(now, self.job.call, step);
            self.watch_playout(now, desk);
        }
    }

    /// Whether the other end does not want to hear us.
    fn is_held(&self) -> bool {
        self.media.is_some_and(|media| !media.direction.sends())
    }

    /// Gives the script an input and does what it wants. While the call is ending, it is only listened to.
    fn drive(&mut self, now: Instant, input: ScriptInput, desk: &mut Desk) {
        self.script.handle_input(now, input);
        loop {
            let talking = matches!(self.stage, Stage::Talking);
            match self.script.poll_output() {
                ScriptOutput::Event(event) => desk.step(now, self.job.call, event.into()),
                ScriptOutput::Play { playlist, phrases } if talking => {
                    let Some(media) = self.media else { continue };
                    let (playlist, lasts) = desk.playlist(media.codec, playlist, &phrases);
                    self.playing = Some((playlist.id, lasts));
                    self.send_media(MediaCommand::Play { playlist }, desk);
                    self.watch_playout(now, desk);
                }
                ScriptOutput::Hangup if talking => self.give_up(now, Why::ScriptDone, desk),
                ScriptOutput::Play { .. } | ScriptOutput::Hangup => {}
                ScriptOutput::Timeout(Some(at)) if talking => {
                    desk.timers.set(Timer::Script(self.job.call), at);
                    return;
                }
                ScriptOutput::Timeout(_) => {
                    desk.timers.cancel(&Timer::Script(self.job.call));
                    return;
                }
            }
        }
    }

    /// The playlist that plays.
    fn playlist(&self) -> Option<u32> {
        self.playing.map(|(playlist, _)| playlist)
    }

    /// Bounds what plays: by its length, or by how long a hold may last.
    fn watch_playout(&mut self, now: Instant, desk: &mut Desk) {
        let Some((_, lasts)) = self.playing else { return };
        let limit = if self.is_held() { HOLD_LIMIT } else { lasts + STALL_MARGIN };
        desk.timers.set(Timer::Stall(self.job.call), now + limit);
    }

    fn send_media(&self, command: MediaCommand, desk: &mut Desk) {
        desk.put(Output::Media { call: self.job.call, command });
    }

    fn send_hangup(&self, desk: &mut Desk) {
        desk.put(hang_up(self.job.call));
    }

    fn close(&mut self, now: Instant, ending: Ending, desk: &mut Desk) {
        desk.forget_timers(self.job.call);
        self.stage = Stage::Closing(ending);
        if self.media_open {
            desk.put(Output::CloseMedia { call: self.job.call });
            desk.timers.set(Timer::Close(self.job.call), now + CLOSE_GUARD);
        } else {
            self.finish(None, desk);
        }
    }

    fn finish(&mut self, audio: Option<AudioReport>, desk: &mut Desk) {
        desk.forget_timers(self.job.call);
        let call = self.job.call;
        desk.put(match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Closing(Ending::Released) => Output::Released { call },
            Stage::Closing(Ending::Undialled(reason, party)) => {
                let trunk = Some(self.trunk_name.clone());
                Output::Ended(Box::new(Outcome { audio, ..Outcome::undialled(call, reason, party, trunk) }))
            }
            Stage::Closing(Ending::Dialled(end, at)) => Output::Ended(Box::new(self.outcome(end, at, audio, desk))),
            // Only a closing call finishes.
            stage => {
                self.stage = stage;
                return;
            }
        });
    }

    fn outcome(&self, end: CallEnd, at: Instant, audio: Option<AudioReport>, desk: &Desk) -> Outcome {
        let progress = self.script.progress();
        let answered = self.answered_at.is_some();
        let (reason, party) = verdict(&end, answered, progress.readings_completed, self.why);
        let delivery = Delivery {
            answered_at: self.answered_at.map(|at| desk.civil(at)),
            readings_completed: progress.readings_completed,
            digits_read: progress.digits_read,
            repeats: progress.repeats,
            hung_up_by: answered.then(|| hung_up_by(&end, self.why)),
            trunk: Some(self.trunk_name.clone()),
            // The final response to the INVITE of an answered call was a 2xx (RFC 3261 §13.3.1.4).
            sip_status: end.sip_status.or(answered.then_some(200)),
            reason,
            q850: end.q850,
        };
        Outcome {
            call: self.job.call,
            reason,
            party,
            delivery,
            retry: reason.retry(),
            retry_after: end.retry_after,
            text: end.text,
            dialled: true,
            billable: self.answered_at.map_or(Duration::ZERO, |answered| at.saturating_duration_since(answered)),
            audio,
        }
    }
}

/// The order to end a call, also one that is no longer known here.
pub(super) fn hang_up(call: CallId) -> Output {
    Output::Sip(Command::Hangup { call, cause: Some(NORMAL_CLEARING) })
}
