//! The rules between the configuration as written and as used: ranges, forms, and combinations that can work.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::Secrets;
use super::checked::{
    CallConfig, Config, Country, HttpConfig, LimitsConfig, MediaConfig, OtpConfig, SipConfig, SpeechConfig,
    StoreConfig, User,
};
use super::file::{self, File, Key};
use super::problem::{Problem, line_of};
use super::values::{Later, Ports, Text, Whole, duration_text, is_host};
use crate::base::hex;
use crate::base::secret::Secret;
use crate::net::ports::PortRange;
use crate::otp::call_script::NOT_BEFORE;
use crate::sip::message::DEFAULT_PORT;
use crate::wire::codec::Codec;

mod trunk;

fn default_ports() -> PortRange {
    PortRange::new(20000, 29999).expect("a range with even ports above 1023")
}

/// Turns a file into a configuration, or tells everything that is wrong with it, in the order of lines.
pub(super) fn check(file: File, source: &str, folder: &Path, secrets: &dyn Secrets) -> Result<Config, Vec<Problem>> {
    let mut rules = Rules { source, folder, secrets, problems: Vec::new() };
    rules.later("webhook", &file.webhook);
    let ports = file.media.ports.as_ref().map(Spanned::span);
    let address = file.media.address.as_ref().map(Spanned::span);
    let max_calls = file.limits.max_calls.as_ref().map(Spanned::span);
    let listen = file.sip.listen.as_ref().map(Spanned::span);
    let config = Config {
        http: rules.http(file.http),
        users: rules.users(file.user),
        store: rules.store(file.store),
        otp: rules.otp(file.otp),
        call: rules.call(file.call),
        speech: rules.speech(file.speech),
        media: rules.media(file.media),
        limits: rules.limits(file.limits),
        sip: rules.sip(file.sip),
        trunks: rules.trunks(file.trunk),
    };
    rules.ports(&config, ports.or(max_calls), listen.clone());
    rules.families(&config, address.or(listen));
    if rules.problems.is_empty() {
        return Ok(config);
    }
    rules.problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    Err(rules.problems)
}

/// The checker. Each rule gives a value even when it is broken, so that one run finds every problem.
struct Rules<'a> {
    source: &'a str,
    folder: &'a Path,
    secrets: &'a dyn Secrets,
    problems: Vec<Problem>,
}

type Span = std::ops::Range<usize>;

impl Rules<'_> {
    fn problem(&mut self, span: Option<Span>, key: &str, fault: impl Into<String>, remedy: impl Into<String>) {
        let line = span.map(|span| line_of(self.source, span.start));
        self.problems.push(Problem { line, key: key.to_string(), fault: fault.into(), remedy: remedy.into() });
    }

    /// Refuses a key that only a later version reads.
    fn later(&mut self, key: &str, value: &Key<Later>) {
        if let Some(value) = value {
            self.problem(Some(value.span()), key, "is not supported by this version", "remove it");
        }
    }

    fn number<T: TryFrom<i64>>(&mut self, key: &str, value: Key<Whole>, default: T, range: RangeInclusive<i64>) -> T {
        let Some(value) = value else { return default };
        let Whole(number) = *value.get_ref();
        match T::try_from(number) {
            Ok(fitting) if range.contains(&number) => fitting,
            _ => {
                let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
                self.problem(Some(value.span()), key, format!("= {number} is out of range"), remedy);
                default
            }
        }
    }

    fn duration(
        &mut self,
        key: &str,
        value: Key<Text<Duration>>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(value) = value else { return default };
        let Text(duration) = *value.get_ref();
        if range.contains(&duration) {
            return duration;
        }
        let [given, least, most] = [duration, *range.start(), *range.end()].map(duration_text);
        let remedy = format!("write a duration from \"{least}\" to \"{most}\"");
        self.problem(Some(value.span()), key, format!("= \"{given}\" is out of range"), remedy);
        default
    }

    /// A text that passes `right`; `None` when it is absent or wrong.
    fn text(&mut self, key: &str, value: Key<String>, right: impl Fn(&str) -> bool, remedy: &str) -> Option<String> {
        let value = value?;
        if right(value.get_ref()) {
            return Some(value.into_inner());
        }
        self.problem(Some(value.span()), key, format!("= {:?} is refused", value.get_ref()), remedy);
        None
    }

    /// A secret that is written, or stands in a named file or variable: at most one of the three.
    fn secret(&mut self, key: &str, written: Key<Secret>, file: Key<String>, variable: Key<String>) -> Option<Secret> {
        let spans = [
            written.as_ref().map(Spanned::span),
            file.as_ref().map(Spanned::span),
            variable.as_ref().map(Spanned::span),
        ];
        let mut given = spans.into_iter().flatten();
        let first = given.next()?;
        if let Some(second) = given.next() {
            let remedy = format!("keep one of {key}, {key}_file and {key}_env");
            self.problem(Some(second), key, "is given twice", remedy);
            return None;
        }
        let (key, secret) = if let Some(written) = written {
            (key.to_string(), written.into_inner())
        } else if let Some(file) = file {
            let key = format!("{key}_file");
            let path = self.folder.join(file.get_ref());
            match self.secrets.file(&path) {
                // Editors and `echo` end a file with a line break that is no part of the secret.
                Ok(text) => {
                    (key, Secret::new(text.strip_suffix('\n').map_or(text.as_str(), |t| t.trim_end_matches('\r'))))
                }
                Err(error) => {
                    let fault = format!("= {:?} cannot be read: {error}", file.get_ref());
                    self.problem(Some(first), &key, fault, "name a file that holds the secret and can be read");
                    return None;
                }
            }
        } else {
            let name = variable.map(Spanned::into_inner).unwrap_or_default();
            let key = format!("{key}_env");
            match self.secrets.variable(&name) {
                Some(value) => (key, Secret::new(value)),
                None => {
                    let fault = format!("= {name:?} is not set in the environment");
                    self.problem(Some(first), &key, fault, format!("set the variable {name} before the start"));
                    return None;
                }
            }
        };
        if secret.expose().is_empty() || secret.expose().chars().any(char::is_control) {
            self.problem(
                Some(first),
                &key,
                "is empty or holds control characters",
                "give the secret as one line of text",
            );
            return None;
        }
        Some(secret)
    }

    fn http(&mut self, http: file::Http) -> HttpConfig {
        self.later("http.tls", &http.tls);
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        let insecure = http.insecure.is_some_and(Spanned::into_inner);
        let listen = match &http.listen {
            Some(listen) => {
                let Text(address) = *listen.get_ref();
                if !address.ip().is_loopback() && !insecure {
                    let fault = format!("= \"{address}\" can be reached from other machines without encryption");
                    let remedy = "listen on 127.0.0.1 behind a proxy with TLS, or add insecure = true";
                    self.problem(Some(listen.span()), "http.listen", fault, remedy);
                }
                address
            }
            None => default,
        };
        let mut hosts = Vec::new();
        for host in http.hosts.map(Spanned::into_inner).unwrap_or_default() {
            let remedy = "write host names without scheme and port, such as \"otp.example.net\"";
            hosts.extend(self.text("http.hosts", Some(host), is_host, remedy).map(|host| host.to_ascii_lowercase()));
        }
        let span = http.token_secret.as_ref().map(Spanned::span);
        let token_secret =
            self.secret("http.token_secret", http.token_secret, http.token_secret_file, http.token_secret_env);
        if token_secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
            let remedy = "give at least 32 characters, such as `openssl rand -hex 32` prints";
            self.problem(span, "http.token_secret", "is too short to be safe", remedy);
        }
        HttpConfig { listen, hosts, token_secret }
    }

    fn users(&mut self, users: Vec<Spanned<file::User>>) -> Vec<User> {
        if users.is_empty() {
            let remedy = "add a [[user]] with username and password_hash (see `ringcode hash-password`)";
            self.problem(None, "user", "is missing: nobody could use the API", remedy);
        }
        let mut checked: Vec<User> = Vec::new();
        for user in users {
            let span = user.span();
            let user = user.into_inner();
            self.later("user.caller_id", &user.caller_id);
            self.later("user.countries", &user.countries);
            self.later("user.caps", &user.caps);

            let name_span = user.username.as_ref().map_or(span.clone(), Spanned::span);
            if user.username.is_none() {
                self.problem(Some(span.clone()), "user.username", "is missing", "name the user: username = \"…\"");
            }
            let right = |name: &str| (1..=150).contains(&name.chars().count()) && !name.chars().any(char::is_control);
            let username = self
                .text("user.username", user.username, right, "write 1 to 150 characters without control characters")
                .unwrap_or_default();
            if !username.is_empty() && checked.iter().any(|other| other.username == username) {
                let fault = format!("= {username:?} stands twice");
                self.problem(Some(name_span), "user.username", fault, "give each user another name");
            }

            let remedy = "run `ringcode hash-password` and paste what it prints";
            if user.password_hash.is_none() {
                self.problem(Some(span), "user.password_hash", "is missing", remedy);
            }
            // The value is not shown: whoever writes a password here by mistake must not find it in a log.
            let password_hash = match user.password_hash {
                Some(hash) if !is_argon2id(hash.get_ref()) => {
                    self.problem(Some(hash.span()), "user.password_hash", "is no argon2id hash", remedy);
                    String::new()
                }
                hash => hash.map(Spanned::into_inner).unwrap_or_default(),
            };
            let api_key_hash = user.api_key_hash.and_then(|hash| {
                let bytes = hex::decode(hash.get_ref()).and_then(|bytes| bytes.try_into().ok());
                if bytes.is_none() {
                    let remedy = "write the 64 hex digits that `printf %s \"$KEY\" | sha256sum` prints";
                    self.problem(Some(hash.span()), "user.api_key_hash", "is no SHA-256 in hex", remedy);
                }
                bytes
            });
            checked.push(User { username, password_hash: Secret::new(password_hash), api_key_hash });
        }
        checked
    }

    fn store(&mut self, store: file::Store) -> StoreConfig {
        let url = match store.url {
            Some(url) if url.get_ref().starts_with("postgres") => {
                let remedy = "write \"sqlite:ringcode.db\"";
                self.problem(Some(url.span()), "store.url", "= \"postgres…\" is not supported by this version", remedy);
                None
            }
            url => {
                // In memory, a request that was accepted would be lost with the process.
                let right = |url: &str| sqlite_path(url).is_some_and(|path| !path.is_empty() && path != ":memory:");
                self.text("store.url", url, right, "write \"sqlite:\" and the path of a file")
            }
        };
        let path = url.as_deref().and_then(sqlite_path).unwrap_or("ringcode.db");
        StoreConfig { url: format!("sqlite:{}", self.folder.join(path).display()) }
    }

    fn otp(&mut self, otp: file::Otp) -> OtpConfig {
        let default = OtpConfig::default();
        let minute = Duration::from_secs(60);
        OtpConfig {
            length: self.number("otp.length", otp.length, default.length, 4..=10),
            ttl: self.duration("otp.ttl", otp.ttl, default.ttl, minute..=minute * 60),
            max_checks: self.number("otp.max_checks", otp.max_checks, default.max_checks, 1..=5),
        }
    }

    fn call(&mut self, call: file::Call) -> CallConfig {
        let default = CallConfig::default();
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        if let Some(gate) = call.gate.filter(|gate| *gate.get_ref()) {
            self.problem(Some(gate.span()), "call.gate", "= true is not supported by this version", "write false");
        }
        if let Some(max) = call.redial.and_then(|redial| redial.max).filter(|max| max.get_ref().0 != 0) {
            let fault = "other than 0 is not supported by this version";
            self.problem(Some(max.span()), "call.redial.max", fault, "write max = 0");
        }
        let gap_span = call.digit_gap.as_ref().map(Spanned::span);
        let digit_gap = self.duration("call.digit_gap", call.digit_gap, default.digit_gap, ms(100)..=s(5));
        if !digit_gap.as_millis().is_multiple_of(20) {
            let fault = format!("= \"{}\" is no whole number of RTP packets", duration_text(digit_gap));
            self.problem(gap_span, "call.digit_gap", fault, "write a multiple of 20ms, such as \"1s\" or \"800ms\"");
        }
        let right = |key: &str| key.len() == 1 && key.bytes().all(|b| b"0123456789*#ABCD".contains(&b));
        let remedy = "write one key of a telephone: \"0\" to \"9\", \"*\" or \"#\"";
        let repeat_key = self.text("call.repeat_key", call.repeat_key, right, remedy);
        let repeat_key = repeat_key.and_then(|key| key.chars().next()).unwrap_or(default.repeat_key);
        let (ring, settle, listen) = (s(5)..=s(180), NOT_BEFORE..=s(10), s(0)..=s(60));
        CallConfig {
            ring_timeout: self.duration("call.ring_timeout", call.ring_timeout, default.ring_timeout, ring),
            answer_settle: self.duration("call.answer_settle", call.answer_settle, default.answer_settle, settle),
            digit_gap,
            repeat_key,
            max_repeats: self.number("call.max_repeats", call.max_repeats, default.max_repeats, 0..=10),
            listen_window: self.duration("call.listen_window", call.listen_window, default.listen_window, listen),
        }
    }

    fn speech(&mut self, speech: file::Speech) -> SpeechConfig {
        let dir = self.text("speech.dir", speech.dir, |dir| !dir.is_empty(), "name the folder of the prompts");
        let right = |language: &str| {
            let mut parts = language.split('-');
            parts
                .next()
                .is_some_and(|first| matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_lowercase()))
                && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        let remedy = "write a language tag such as \"en\" or \"pt-BR\": the name of a folder in speech.dir";
        let language = self.text("speech.language", speech.language, right, remedy);
        SpeechConfig {
            dir: self.folder.join(dir.map_or_else(|| PathBuf::from("prompts"), PathBuf::from)),
            language: language.unwrap_or_else(|| "en".to_string()),
        }
    }

    fn media(&mut self, media: file::Media) -> MediaConfig {
        if let Some(srtp) = media.srtp.filter(|srtp| srtp.get_ref() != "off") {
            let fault = format!("= {:?} is not supported by this version", srtp.get_ref());
            self.problem(Some(srtp.span()), "media.srtp", fault, "write \"off\"");
        }
        let address = media.address.map(|address| {
            let Text(ip) = *address.get_ref();
            if ip.is_unspecified() || ip.is_multicast() {
                let remedy = "write the address that the carrier can reach, or leave the key out";
                self.problem(Some(address.span()), "media.address", format!("= \"{ip}\" is nobody's address"), remedy);
            }
            ip
        });
        let ports = match media.ports {
            Some(ports) => {
                let Text(Ports { first, last }) = *ports.get_ref();
                PortRange::new(first, last).unwrap_or_else(|error| {
                    let fault = format!("= \"{first}-{last}\" is refused: {error}");
                    let remedy = "write a range that starts at 1024 or above, such as \"20000-29999\"";
                    self.problem(Some(ports.span()), "media.ports", fault, remedy);
                    default_ports()
                })
            }
            None => default_ports(),
        };
        MediaConfig { address, ports, codecs: self.codecs(media.codecs) }
    }

    fn codecs(&mut self, written: Key<Vec<Spanned<String>>>) -> Vec<Codec> {
        let Some(written) = written else { return vec![Codec::Pcmu, Codec::Pcma] };
        let remedy = "write some of \"pcmu\" and \"pcma\", best first";
        let span = written.span();
        if written.get_ref().is_empty() {
            self.problem(Some(span), "media.codecs", "is empty", remedy);
        }
        let mut codecs = Vec::new();
        for name in written.into_inner() {
            match Codec::from_config_name(name.get_ref()) {
                Some(codec) if codecs.contains(&codec) => {
                    let fault = format!("holds {:?} twice", name.get_ref());
                    self.problem(Some(name.span()), "media.codecs", fault, remedy);
                }
                Some(codec) => codecs.push(codec),
                None => {
                    let known =
                        if name.get_ref() == "opus" { "is not supported by this version" } else { "is unknown" };
                    self.problem(Some(name.span()), "media.codecs", format!("{:?} {known}", name.get_ref()), remedy);
                }
            }
        }
        codecs
    }

    fn limits(&mut self, limits: file::Limits) -> LimitsConfig {
        self.later("limits.per_number", &limits.per_number);
        self.later("limits.per_prefix", &limits.per_prefix);
        self.later("limits.per_user", &limits.per_user);
        let remedy = "write the ISO 3166 code of a country, such as \"VN\"";
        let country = limits.country.and_then(|country| self.country("limits.country", country, remedy));
        let country = country.unwrap_or_else(|| "VN".parse().expect("Vietnam has a numbering plan"));
        let mut countries = Vec::new();
        match limits.countries {
            None => countries.push(country),
            Some(written) => {
                if written.get_ref().is_empty() {
                    self.problem(Some(written.span()), "limits.countries", "is empty: nobody could be called", remedy);
                }
                for code in written.into_inner() {
                    let span = code.span();
                    let Some(country) = self.country("limits.countries", code, remedy) else { continue };
                    if countries.contains(&country) {
                        self.problem(Some(span), "limits.countries", format!("holds \"{country}\" twice"), "keep one");
                    }
                    countries.push(country);
                }
            }
        }
        let max_calls = self.number("limits.max_calls", limits.max_calls, 100, 1..=10_000);
        LimitsConfig { country, countries, max_calls }
    }

    fn country(&mut self, key: &str, code: Spanned<String>, remedy: &str) -> Option<Country> {
        let country = code.get_ref().parse::<Country>().ok();
        if country.is_none() {
            self.problem(Some(code.span()), key, format!("= {:?} is refused", code.get_ref()), remedy);
        }
        country
    }

    fn sip(&mut self, sip: file::Sip) -> SipConfig {
        let default = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT));
        SipConfig { listen: sip.listen.map_or(default, |listen| listen.into_inner().0) }
    }

    /// A call needs a pair of ports, and signalling one of its own.
    fn ports(&mut self, config: &Config, ports_span: Option<Span>, listen_span: Option<Span>) {
        let ports = config.media.ports;
        let pairs = ports.capacity();
        if u32::try_from(pairs).is_ok_and(|pairs| pairs < config.limits.max_calls) {
            let fault = format!("holds ports for {pairs} calls, but limits.max_calls is {}", config.limits.max_calls);
            self.problem(ports_span.clone(), "media.ports", fault, "widen the range, or lower limits.max_calls");
        }
        if ports.contains(config.sip.listen.port()) {
            let fault = format!("holds port {}, on which sip.listen stands", config.sip.listen.port());
            self.problem(ports_span.or(listen_span), "media.ports", fault, "choose ranges that do not overlap");
        }
    }

    /// Signalling and media share a family of addresses.
    fn families(&mut self, config: &Config, span: Option<Span>) {
        let Some(address) = config.media.address else { return };
        if address.is_ipv4() != config.sip.listen.is_ipv4() {
            let fault = "and sip.listen are not both IPv4 or both IPv6";
            self.problem(span, "media.address", fault, "write both in one family");
        }
    }
}

/// The path in `sqlite:<path>`, which some write as `sqlite://<path>`.
fn sqlite_path(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))
}

fn is_argon2id(text: &str) -> bool {
    use argon2::password_hash::phc::PasswordHash;
    PasswordHash::new(text)
        .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some())
}
