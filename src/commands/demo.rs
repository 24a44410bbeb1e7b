//! `ringcode demo`: the whole main job on this machine alone, and proof of what was heard.
//!
//! The daemon is the one of `serve`, started from a configuration file like any other, against the built-in carrier,
//! over UDP and HTTP on loopback. What was heard is established from the audio that arrived at the phone, and verified
//! as a person would: by typing in what was heard.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tokio::time::timeout;

use super::api_client::{ApiClient, CallView};
use super::hash_password::hash;
use super::progress::{Progress, verdict};
use crate::base::secret::Secret;
use crate::config;
use crate::daemon::Daemon;
use crate::lab::{self, HeardCall, LabConfig, LabEvent, LabHandle};
use crate::net::clock::Clock;
use crate::net::entropy;
use crate::service::TrunkStates;
use crate::sip::registration::RegistrationState;
use crate::speech::matcher::{find_prompts, readings};
use crate::store::prompt_dir::load_pack;
use crate::wire::codec::Codec;

/// How long the trunk has to register.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the daemon is asked how the call goes.
const POLL: Duration = Duration::from_millis(100);
/// The repeat key, and how often it is honoured, in the demo's configuration.
const REPEAT_KEY: char = '1';
const MAX_REPEATS: usize = 3;
/// The user of the demo's daemon.
const USERNAME: &str = "demo";

/// What `ringcode demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The code that is read to the phone, 4 to 10 digits
    #[arg(long, value_name = "DIGITS", default_value = "610389")]
    pub otp: String,
    /// The keys that the phone presses, one after each reading; none when empty
    #[arg(long, value_name = "KEYS", default_value = "1")]
    pub press: String,
    /// The codec: pcmu or pcma
    #[arg(long, value_name = "NAME", default_value = "pcmu")]
    pub codec: String,
    /// The language of the prompts
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub language: String,
    /// Write heard.wav, what the phone heard, to this folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub save: PathBuf,
    /// The folder of the prompts
    #[arg(long, value_name = "DIR", default_value = "prompts")]
    pub prompts: PathBuf,
    /// Call over the carrier at this address instead of the built-in one, to see the demo fail
    #[arg(long, value_name = "ADDRESS", hide = true)]
    pub trunk: Option<SocketAddr>,
}

/// Runs the command.
///
/// # Errors
/// Why the demo could not begin, or what about the call was not as promised.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let codec = Codec::from_config_name(&args.codec)
        .ok_or_else(|| anyhow!("--codec {}: this version speaks pcmu and pcma", args.codec.escape_debug()))?;
    if let Some(key) = args.press.chars().find(|key| !"0123456789*#ABCD".contains(*key)) {
        bail!("--press: {key:?} is no key of a telephone; the keys are 0-9, *, # and A-D");
    }
    std::fs::create_dir_all(&args.save).with_context(|| format!("--save {}", args.save.display()))?;

    let clock = Clock::start();
    let mut carrier =
        LabConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), codecs: vec![codec], ..Default::default() };
    carrier.phones.keys.clone_from(&args.press);
    let account = (carrier.accounts.username.clone(), carrier.accounts.password.clone());
    let mut lab = lab::start(carrier, &clock, entropy::system)?;
    say!("carrier    a registrar and phones on {}", lab.address());

    let folder = DemoFolder::create()?;
    let password = Secret::new(entropy::system().token());
    let trunk = args.trunk.unwrap_or_else(|| lab.address());
    let config = folder.write_config(&args, trunk, &account, &password)?;
    let daemon = Daemon::start(config::load(&config)?, clock).await?;
    say!("daemon     API on http://{}, SIP on {}", daemon.http, daemon.sip);

    let shown = tokio::select! {
        shown = show(&args, &daemon, &mut lab, &password) => shown,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    // A call that the demo has given up is not worth waiting for.
    daemon.stop(async {}).await;
    lab.stop().await;
    say!("{}", shown?);
    Ok(ExitCode::SUCCESS)
}

/// The demo itself; gives its last line.
async fn show(args: &DemoArgs, daemon: &Daemon, lab: &mut LabHandle, password: &Secret) -> anyhow::Result<String> {
    let mut trunks = daemon.service.trunks();
    let registered = timeout(REGISTER_TIMEOUT, trunks.wait_for(|states| states.usable())).await.is_ok();
    if !registered {
        let states = trunks.borrow().clone();
        bail!("the trunk did not register within {} s: {}", REGISTER_TIMEOUT.as_secs(), dead(&states));
    }
    say!("trunk      registered with digest authentication");

    let base = format!("http://{}", daemon.http);
    let client = ApiClient::login(&base, USERNAME, password).await?;
    say!("login      {base}/rest-api/get-token/");

    // What a phone of the built-in carrier does is in the last digits of its number.
    let number = if args.press.is_empty() { "0919270000" } else { "0919270001" };
    let placed = client.place(number, Some(&Secret::new(args.otp.as_str())), 0).await?;
    say!("call       {number} is to hear a code of {} digits, as call {}", args.otp.len(), placed.id);
    let view = follow(&client, placed.id, lab).await?;
    verdict(&view).map_err(|reason| anyhow!(reason))?;

    let list = client.list().await?;
    let listed = list["results"].as_array().and_then(|calls| calls.iter().find(|call| call["id"] == placed.id));
    let listed = listed.context("the list of calls does not hold the call")?;
    say!("list       {} {}, code shown as {}", listed["status_display"], listed["disposition"], listed["otp"]);
    say!("record     {}", record(&view));

    let heard = lab.kept_calls().pop().context("the phone has kept nothing of the call")?;
    let file = args.save.join("heard.wav");
    write_wav(&file, &heard.pcm).with_context(|| format!("cannot write {}", file.display()))?;
    say!("heard.wav  {:.1} s of audio as it arrived at the phone: {}", seconds(&heard), file.display());

    let codes = listen(args, heard)?;
    let honoured = args.press.chars().filter(|key| *key == REPEAT_KEY).count().min(MAX_REPEATS);
    let code = judge(&codes, &args.otp, 1 + honoured)?;
    match client.verify(number, &Secret::new(code)).await?.as_str() {
        "verified" => {
            Ok(format!("heard {code} {} time{}, verified", codes.len(), if codes.len() == 1 { "" } else { "s" }))
        }
        reason => bail!("heard {code}, but the daemon says {} when it is typed in", reason.escape_debug()),
    }
}

/// Where the trunks stand, in words.
fn dead(states: &TrunkStates) -> String {
    let trunks = states.trunks.values().map(|(name, state)| match state {
        Some(RegistrationState::Waiting { failure, .. }) => format!("{name}: {failure}"),
        Some(RegistrationState::Refused { status, .. }) => format!("{name}: refused with {status}"),
        _ => format!("{name}: the registrar does not answer"),
    });
    trunks.collect::<Vec<_>>().join("; ")
}

/// Shows the call as the daemon's timeline tells it, and the phone's side as the carrier does, until both have ended.
async fn follow(client: &ApiClient, id: i64, lab: &mut LabHandle) -> anyhow::Result<CallView> {
    let mut progress = Progress::default();
    let mut poll = tokio::time::interval(POLL);
    let (mut view, mut phone_has_ended, mut phone_was_called) = (None, false, false);
    loop {
        if let Some(view) = view.take_if(|_| phone_has_ended || !phone_was_called) {
            return Ok(view);
        }
        tokio::select! {
            event = lab.next_event() => match event.context("the carrier has ended")? {
                LabEvent::Incoming { .. } => phone_was_called = true,
                LabEvent::Pressed { digit, .. } => say!("           the phone presses {digit}"),
                LabEvent::Ended(_) => phone_has_ended = true,
                _ => {}
            },
            _ = poll.tick(), if view.is_none() => {
                let now = client.call(id).await?;
                for line in progress.lines(&now) {
                    say!("{line}");
                }
                view = Some(now).filter(CallView::has_ended);
            }
        }
    }
}

/// The record's facts in one line.
fn record(view: &CallView) -> String {
    let delivery = view.delivery.as_ref();
    let fact = |key: &str| delivery.map(|delivery| delivery[key].to_string()).unwrap_or_default().replace('"', "");
    let facts = ["reason", "readings_completed", "digits_read", "repeats", "hung_up_by", "trunk", "sip_status"];
    facts.map(|key| format!("{key} {}", fact(key))).join(", ")
}

fn seconds(heard: &HeardCall) -> f64 {
    heard.pcm.len() as f64 / f64::from(Codec::Pcmu.clock_rate())
}

/// The codes in what the phone heard, found by comparing the audio with the recordings.
fn listen(args: &DemoArgs, heard: Arc<HeardCall>) -> anyhow::Result<Vec<String>> {
    let pack = load_pack(&args.prompts, &args.language, &[Codec::Pcmu])?;
    Ok(readings(&find_prompts(&heard.speech(), &pack)))
}

/// Whether the phone heard `otp` as often as it was to; gives the code that was heard.
fn judge<'a>(codes: &'a [String], otp: &str, times: usize) -> anyhow::Result<&'a str> {
    let Some(first) = codes.first() else { bail!("the phone heard no digits at all") };
    if let Some(wrong) = codes.iter().find(|code| *code != otp) {
        bail!("the phone heard {wrong} instead of {otp}");
    }
    if codes.len() != times {
        bail!("the phone heard {otp} {} times instead of {times}", codes.len());
    }
    Ok(first)
}

fn write_wav(path: &Path, pcm: &[i16]) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: Codec::Pcmu.clock_rate(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in pcm {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

/// A folder for the demo's configuration and database; removed at the end.
struct DemoFolder(PathBuf);

impl DemoFolder {
    fn create() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("ringcode-demo-{}", entropy::system().token()));
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(DemoFolder(folder))
    }

    /// Writes the configuration, which is the shipped one but for ports, user and what the arguments say.
    fn write_config(
        &self,
        args: &DemoArgs,
        trunk: SocketAddr,
        (username, trunk_password): &(String, Secret),
        password: &Secret,
    ) -> anyhow::Result<PathBuf> {
        let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
        let prompts = std::path::absolute(&args.prompts)?;
        let config = format!(
            r#"[http]
listen = "127.0.0.1:0"
[[user]]
username = "{USERNAME}"
password_hash = {hash}
[store]
url = "sqlite:demo.db"
[call]
repeat_key = "{REPEAT_KEY}"
max_repeats = {MAX_REPEATS}
[speech]
dir = {dir}
language = {language}
[media]
codecs = [{codec}]
[limits]
country = "VN"
[sip]
listen = "127.0.0.1:0"
[[trunk]]
name = "lab"
registrar = "{trunk}"
username = {username}
password = {trunk_password}
"#,
            hash = text(&hash(password)?),
            dir = text(&prompts.to_string_lossy()),
            language = text(&args.language),
            codec = text(&args.codec),
            username = text(username),
            trunk_password = text(trunk_password.expose()),
        );
        let path = self.0.join("config.toml");
        std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn only_the_right_code_as_often_as_asked_passes() {
        assert_eq!(judge(&heard(&["610389", "610389"]), "610389", 2).unwrap(), "610389");
        for (codes, times, reason) in [
            (heard(&[]), 1, "no digits"),
            (heard(&["610388"]), 1, "610388 instead of 610389"),
            (heard(&["610389", "61038"]), 2, "61038 instead of 610389"),
            (heard(&["610389"]), 2, "1 times instead of 2"),
            (heard(&["610389", "610389"]), 1, "2 times instead of 1"),
        ] {
            let error = judge(&codes, "610389", times).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
