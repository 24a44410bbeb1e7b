//! A call's timeline in words, as it comes.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::api_client::{CallView, Step};

/// Turns a growing timeline into lines, each step once.
#[derive(Debug, Default)]
pub struct Progress {
    told: usize,
    start: Option<OffsetDateTime>,
}

impl Progress {
    /// The lines of the steps that `view` has and the views before it had not.
    pub fn lines(&mut self, view: &CallView) -> Vec<String> {
        let new = view.timeline.get(self.told..).unwrap_or_default();
        self.told = self.told.max(view.timeline.len());
        new.iter().map(|step| self.line(step)).collect()
    }

    fn line(&mut self, step: &Step) -> String {
        let at = OffsetDateTime::parse(&step.at, &Rfc3339).ok();
        let start = *self.start.get_or_insert(at.unwrap_or(OffsetDateTime::UNIX_EPOCH));
        let seconds = at.map_or(0.0, |at| (at - start).as_seconds_f64());
        format!("{seconds:7.1} s  {}", words(step))
    }
}

fn words(step: &Step) -> String {
    let number = |key: &str| step.detail[key].as_i64().unwrap_or_default();
    let text = |key: &str| step.detail[key].as_str().unwrap_or_default().escape_debug().to_string();
    match step.event.as_str() {
        "dialing" => format!("calling over trunk {}", text("trunk")),
        "ringing" => format!("ringing ({})", number("status")),
        "early_media" => "the carrier plays audio before the answer; it is ignored".into(),
        "answered" => "answered".into(),
        "reading_started" => format!("reading {} begins", number("reading")),
        "digit_read" => format!("digit {} of {}", number("index"), number("of")),
        "reading_completed" => format!("reading {} is complete", number("reading")),
        "repeated" => "the repeat key was pressed".into(),
        "listening" => "waiting for the repeat key".into(),
        "goodbye" => "goodbye".into(),
        "held" => "the phone put us on hold".into(),
        "resumed" => "the phone resumed".into(),
        "ended" => format!("over: {}", text("reason").replace('_', " ")),
        // A step of a newer daemon is better shown raw than not at all.
        other => match &step.detail {
            Value::Object(detail) if !detail.is_empty() => {
                format!("{} {}", other.escape_debug(), step.detail.to_string().escape_debug())
            }
            _ => other.escape_debug().to_string(),
        },
    }
}

/// How a call that has ended went, in one line; `Err` when the code was not delivered.
pub fn verdict(view: &CallView) -> Result<String, String> {
    let delivery = view.delivery.as_ref().unwrap_or(&Value::Null);
    let number = |key: &str| delivery[key].as_i64().unwrap_or_default();
    if view.status_display == "SUCCESS" {
        let times = number("readings_completed");
        return Ok(format!("delivered: the code was read {times} time{}", if times == 1 { "" } else { "s" }));
    }
    let reason = delivery["reason"].as_str().unwrap_or("no attempt was made").replace('_', " ");
    let mut sentence = format!("not delivered: {}", reason.escape_debug());
    if let Some(status) = delivery["sip_status"].as_i64().filter(|status| *status >= 300) {
        sentence.push_str(&format!(" (SIP {status})"));
    }
    if delivery["answered_at"].is_string() {
        sentence.push_str(&match number("digits_read") {
            1 => ", 1 digit of the last reading was heard".to_owned(),
            digits => format!(", {digits} digits of the last reading were heard"),
        });
    }
    Err(sentence)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(status: &str, delivery: Value, timeline: Value) -> CallView {
        let whole =
            json!({ "status_display": status, "disposition": null, "delivery": delivery, "timeline": timeline });
        serde_json::from_value(whole).expect("a view")
    }

    #[test]
    fn each_step_is_told_once_with_its_time() {
        let mut progress = Progress::default();
        let ringing = json!({ "at": "2026-01-01T00:00:00.250Z", "event": "ringing", "detail": { "status": 180 } });
        let answered = json!({ "at": "2026-01-01T00:00:03.750Z", "event": "answered", "detail": {} });
        let first = view("IN_PROCESS", Value::Null, json!([ringing]));
        assert_eq!(progress.lines(&first), ["    0.0 s  ringing (180)"]);
        assert!(progress.lines(&first).is_empty());
        let second = view("IN_PROCESS", Value::Null, json!([ringing, answered]));
        assert_eq!(progress.lines(&second), ["    3.5 s  answered"]);
    }

    #[test]
    fn no_step_can_move_the_cursor() {
        let step = json!({ "at": "x", "event": "new\u{1b}[2J", "detail": { "text": "\u{1b}]0;x\u{7}" } });
        let lines = Progress::default().lines(&view("IN_PROCESS", Value::Null, json!([step])));
        assert!(lines[0].chars().all(|c| !c.is_control()), "{lines:?}");
    }

    #[test]
    fn the_verdict_tells_why() {
        let delivered =
            json!({ "answered_at": "2026-01-01T00:00:00Z", "readings_completed": 2, "reason": "delivered" });
        assert_eq!(verdict(&view("SUCCESS", delivered, json!([]))), Ok("delivered: the code was read 2 times".into()));
        let busy = json!({ "answered_at": null, "reason": "busy", "sip_status": 486 });
        assert_eq!(verdict(&view("FAILURE", busy, json!([]))), Err("not delivered: busy (SIP 486)".into()));
        let early = json!({ "answered_at": "2026-01-01T00:00:00Z", "reason": "hung_up_early", "digits_read": 2, "sip_status": 200 });
        assert_eq!(
            verdict(&view("FAILURE", early, json!([]))),
            Err("not delivered: hung up early, 2 digits of the last reading were heard".into())
        );
        assert!(verdict(&view("FAILURE", Value::Null, json!([]))).is_err());
    }
}
