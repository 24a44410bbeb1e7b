//! Configuration: as written (`file`, `values`), the rules that lie between (`rules`), and as used (`checked`).
//! Everyone else sees only the latter.

pub mod checked;
mod file;
mod problem;
mod rules;
mod values;

use std::path::Path;

pub use problem::{ConfigError, Problem};

use checked::Config;

/// Where the values of secrets are looked up that the configuration only names.
pub(crate) trait Secrets {
    /// The text of a file.
    fn file(&self, path: &Path) -> std::io::Result<String>;
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
}

struct MachineSecrets;

impl Secrets for MachineSecrets {
    fn file(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Reads and checks the file at `path`. Relative paths in it are taken from the folder that holds it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let source = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_path_buf(), reason: error.to_string() })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&source, folder, &MachineSecrets)
        .map_err(|problems| ConfigError::Refused { path: path.to_path_buf(), problems })
}

/// Checks `source`, whose relative paths start at `folder`. All problems are reported, in the order of their lines;
/// but a file that is no TOML, or holds an unknown key or a value of the wrong kind, is refused for the first of these.
pub(crate) fn parse(source: &str, folder: &Path, secrets: &dyn Secrets) -> Result<Config, Vec<Problem>> {
    let file = toml::from_str(source).map_err(|error| vec![Problem::from_toml(source, error)])?;
    rules::check(file, source, folder, secrets)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sip::user_agent::TrunkId;

    const SHIPPED: &str = include_str!("../../config.toml");
    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$zw6fKjf0Cq2zwBPsqcsfjQ$GzTLVUqQ+tySoEd2bKuQNmlO2SMAw8nCNr9Ajeu3nSY";

    /// A file `pw` and a variable `PW`, and nothing else.
    struct TestSecrets;

    impl Secrets for TestSecrets {
        fn file(&self, path: &Path) -> std::io::Result<String> {
            match path.to_str() {
                Some("etc/pw") => Ok("from file\r\n".into()),
                Some("etc/empty") => Ok("\n".into()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }

        fn variable(&self, name: &str) -> Option<String> {
            (name == "PW").then(|| "from environment".into())
        }
    }

    fn read(source: &str) -> Result<Config, Vec<Problem>> {
        parse(source, Path::new("etc"), &TestSecrets)
    }

    /// The least file that is accepted, in which tests change a line.
    fn least() -> String {
        format!(
            "[[user]]\nusername = \"u\"\npassword_hash = \"{HASH}\"\n\
             [[trunk]]\nname = \"t\"\nregistrar = \"sip.example.net\"\nusername = \"1000\"\npassword = \"pw\"\n"
        )
    }

    #[test]
    fn the_shipped_file_fits_the_lab() {
        let config = read(SHIPPED).unwrap();
        let trunk = &config.trunks[0];
        assert_eq!((trunk.server.host.as_str(), trunk.server.port), ("127.0.0.1", 5070));
        assert_eq!((trunk.username.as_deref(), trunk.domain.as_str()), (Some("ringcode"), "127.0.0.1:5070"));
        assert_eq!(trunk.password.as_ref().map(|p| p.expose()), Some("ringcode-lab"));
        assert!(trunk.register);
        assert!(config.http.listen.ip().is_loopback());
        use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};
        let hash = PasswordHash::new(config.users[0].password_hash.expose()).unwrap();
        assert!(argon2::Argon2::default().verify_password(b"ringcode-demo", &hash).is_ok());
    }

    /// What the comments of the shipped file call defaults, and the keys that it spells out, are the defaults.
    #[test]
    fn the_shipped_file_states_the_defaults() {
        let [shipped, least] = [read(SHIPPED).unwrap(), read(&least()).unwrap()];
        assert_eq!(shipped.http.listen, least.http.listen);
        assert_eq!(shipped.store.url, least.store.url);
        assert_eq!(shipped.otp, least.otp);
        assert_eq!(shipped.call, least.call);
        assert_eq!(shipped.speech, least.speech);
        assert_eq!(shipped.media, least.media);
        assert_eq!(shipped.limits, least.limits);
        let shown = SHIPPED.lines().filter_map(|line| {
            let line = line.strip_prefix("# ")?.split("  ").next()?;
            let shows = ["listen", "register", "expires", "cps", "max_calls", "priority", "identity"];
            shows.iter().any(|key| line.starts_with(&format!("{key} ="))).then_some(line)
        });
        let (mut sip, mut trunk) = (String::from("[sip]\n"), String::new());
        for line in shown {
            let table = if line.starts_with("listen") { &mut sip } else { &mut trunk };
            table.push_str(line);
            table.push('\n');
        }
        assert_eq!(trunk.lines().count(), 6, "{trunk}");
        let spelled = read(&format!("{sip}{}{trunk}", self::least())).unwrap();
        assert_eq!(spelled.sip, least.sip);
        assert_eq!(format!("{:?}", spelled.trunks), format!("{:?}", least.trunks));
    }

    #[test]
    fn a_real_trunk_is_a_change_of_eight_lines() {
        let real = SHIPPED
            .replace("name = \"lab\"", "name = \"carrier\"")
            .replace("127.0.0.1:5070", "sip.carrier.example")
            .replace("username = \"ringcode\"", "username = \"842812345678\"")
            .replace("password = \"ringcode-lab\"", "password_env = \"PW\"")
            .replace("# caller_id = ", "caller_id = ")
            .replace("country = \"VN\"", "country = \"IN\"")
            .replace("countries = [\"VN\"]", "countries = [\"IN\", \"VN\"]");
        let changed = SHIPPED.lines().zip(real.lines()).filter(|(was, is)| was != is).count();
        assert_eq!(SHIPPED.lines().count(), real.lines().count());
        assert!(changed <= 8, "{changed} lines");
        let config = read(&real).unwrap();
        assert_eq!(config.trunks[0].server, checked::HostPort { host: "sip.carrier.example".into(), port: 5060 });
        assert_eq!(config.trunks[0].caller_id, "+842812345678");
        assert_eq!(config.limits.countries.len(), 2);
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = read(SHIPPED).unwrap();
        assert_eq!(config.store.url, "sqlite:etc/ringcode.db");
        assert_eq!(config.speech.dir, Path::new("etc/prompts"));
        let here = parse(SHIPPED, Path::new(""), &TestSecrets).unwrap();
        assert_eq!(here.store.url, "sqlite:ringcode.db");
        for (written, meant) in [
            ("sqlite:/var/lib/r.db", "sqlite:/var/lib/r.db"),
            ("sqlite:///var/lib/r.db", "sqlite:/var/lib/r.db"),
            ("sqlite://r.db", "sqlite:etc/r.db"),
        ] {
            let config = read(&(least() + &format!("[store]\nurl = \"{written}\"\n"))).unwrap();
            assert_eq!(config.store.url, meant);
        }
    }

    #[test]
    fn a_secret_comes_from_the_file_or_where_the_file_says() {
        for (line, secret) in [
            ("password = \"pw\"", "pw"),
            ("password_file = \"pw\"", "from file"),
            ("password_env = \"PW\"", "from environment"),
        ] {
            let config = read(&least().replace("password = \"pw\"", line)).unwrap();
            assert_eq!(config.trunks[0].password.as_ref().map(|p| p.expose()), Some(secret), "{line}");
            assert!(!format!("{config:?}").contains(secret), "{line}");
        }
    }

    #[test]
    fn a_gateway_needs_no_account() {
        let source = least()
            .replace("registrar", "gateway")
            .replace("username = \"1000\"\npassword = \"pw\"", "caller_id = \"+842812345678\"");
        let trunk = read(&source).unwrap().trunks.remove(0);
        assert_eq!((trunk.register, &trunk.username, trunk.caller_id.as_str()), (false, &None, "+842812345678"));
        let target = "192.0.2.1:5060".parse().unwrap();
        let sip = trunk.sip_trunk(TrunkId(3), &[target]).unwrap();
        assert_eq!((sip.proxy, sip.account.is_none(), sip.aor_user.as_str()), (target, true, "+842812345678"));
        assert!(trunk.sip_trunk(TrunkId(3), &[]).is_none());
    }

    #[test]
    fn the_user_agent_is_told_what_the_file_says() {
        let more = "domain = \"example.net\"\nauth_username = \"login\"\nrealm = \"r\"\nexpires = \"2m\"\nidentity = \"pai\"\n\
                    outbound_proxy = \"proxy.example.net:5080\"\ncaller_id = \"+842812345678\"\n";
        let trunk = read(&(least() + more)).unwrap().trunks.remove(0);
        assert_eq!(trunk.next_hop().to_string(), "proxy.example.net:5080");
        let targets = ["192.0.2.1:5080", "192.0.2.2:5080"].map(|target| target.parse().unwrap());
        let sip = trunk.sip_trunk(TrunkId(0), &targets).unwrap();
        assert_eq!((sip.proxy, sip.fallbacks.as_slice()), (targets[0], &targets[1..]));
        assert_eq!((sip.registrar.as_deref(), sip.domain.as_str()), (Some("sip.example.net"), "example.net"));
        assert_eq!((sip.aor_user.as_str(), sip.caller_id.as_str(), sip.expires), ("1000", "+842812345678", 120));
        assert_eq!(sip.identity, checked::Identity::Pai);
        let account = sip.account.unwrap();
        assert_eq!(
            (account.username.as_str(), account.password.expose(), account.realm.as_deref()),
            ("login", "pw", Some("r"))
        );
    }

    /// A change of the least file, and what is told of it: line, key, a part of the fault and a part of the remedy.
    type Case = (&'static str, &'static str, usize, &'static str, &'static str, &'static str);

    /// Lines of the least file: 1 [[user]] 2 username 3 password_hash 4 [[trunk]] 5 name 6 registrar 7 username
    /// 8 password, 9 what a case adds.
    #[rustfmt::skip]
    const CASES: &[Case] = &[
        // Form.
        ("", "[otp", 9, "otp", "refused", "write"),
        ("", "[oven]", 9, "oven", "is unknown", "known: http, user, store, otp"),
        ("", "[http]\nlsten = \"127.0.0.1:1\"", 10, "http.lsten", "is unknown", "known: listen, insecure"),
        ("registrar = \"sip.example.net\"", "registrer = \"sip.example.net\"", 6, "trunk.registrer", "is unknown", "registrar"),
        ("", "[otp]\nlength = \"six\"", 10, "otp.length", "invalid type: string \"six\"", "write a whole number"),
        ("", "[otp]\nlength = 6.0", 10, "otp.length", "invalid type: floating point", "write a whole number"),
        ("", "[otp]\nttl = 300", 10, "otp.ttl", "invalid type: integer", "\"5m\""),
        ("", "[otp]\nttl = \"5 minutes\"", 10, "otp.ttl", "invalid value", "\"5m\""),
        ("", "[http]\nlisten = \"localhost:8080\"", 10, "http.listen", "invalid value", "\"127.0.0.1:8080\""),
        ("", "[http]\ninsecure = \"yes\"", 10, "http.insecure", "invalid type", "a boolean"),
        ("registrar = \"sip.example.net\"", "registrar = \"sip:example.net\"", 6, "trunk.registrar", "invalid value", "\"sip.example.net\""),
        ("", "[media]\nports = \"20000\"", 10, "media.ports", "invalid value", "\"20000-29999\""),
        ("", "[otp]\nlength = 5\nlength = 6", 11, "otp.length", "duplicate key", "TOML"),
        // Ranges.
        ("", "[otp]\nlength = 3", 10, "otp.length", "= 3 is out of range", "from 4 to 10"),
        ("", "[otp]\nlength = 11", 10, "otp.length", "= 11 is out of range", "from 4 to 10"),
        ("", "[otp]\nttl = \"0s\"", 10, "otp.ttl", "= \"0s\" is out of range", "from \"1m\" to \"1h\""),
        ("", "[otp]\nmax_checks = 0", 10, "otp.max_checks", "out of range", "from 1 to 5"),
        ("", "[otp]\nmax_checks = -1", 10, "otp.max_checks", "out of range", "from 1 to 5"),
        ("", "[otp]\nmax_checks = 260", 10, "otp.max_checks", "out of range", "from 1 to 5"),
        ("", "[call]\nring_timeout = \"0s\"", 10, "call.ring_timeout", "out of range", "from \"5s\" to \"3m\""),
        ("", "[call]\nanswer_settle = \"100ms\"", 10, "call.answer_settle", "out of range", "from \"300ms\""),
        ("", "[call]\ndigit_gap = \"50ms\"", 10, "call.digit_gap", "out of range", "from \"100ms\""),
        ("", "[call]\ndigit_gap = \"510ms\"", 10, "call.digit_gap", "no whole number", "multiple of 20ms"),
        ("", "[call]\nrepeat_key = \"11\"", 10, "call.repeat_key", "= \"11\" is refused", "one key"),
        ("", "[call]\nrepeat_key = \"x\"", 10, "call.repeat_key", "refused", "one key"),
        ("", "[call]\nrepeat_key = \"\"", 10, "call.repeat_key", "refused", "one key"),
        ("", "[call]\nmax_repeats = 11", 10, "call.max_repeats", "out of range", "from 0 to 10"),
        ("", "[call]\nlisten_window = \"2m\"", 10, "call.listen_window", "out of range", "to \"1m\""),
        ("", "[speech]\nlanguage = \"../en\"", 10, "speech.language", "refused", "language tag"),
        ("", "[speech]\ndir = \"\"", 10, "speech.dir", "refused", "folder"),
        ("", "[media]\naddress = \"0.0.0.0\"", 10, "media.address", "nobody's", "leave the key out"),
        ("", "[media]\nports = \"20001-20002\"", 10, "media.ports", "no even port with the odd one", "such as"),
        ("", "[media]\nports = \"29999-20000\"", 10, "media.ports", "no even port with the odd one", "such as"),
        ("", "[media]\nports = \"80-1023\"", 10, "media.ports", "1024 or above", "starts at 1024"),
        ("", "[media]\ncodecs = []", 10, "media.codecs", "is empty", "\"pcmu\""),
        ("", "[media]\ncodecs = [\"pcmu\", \"pcmu\"]", 10, "media.codecs", "twice", "\"pcma\""),
        ("", "[media]\ncodecs = [\"g729\"]", 10, "media.codecs", "\"g729\" is unknown", "\"pcmu\""),
        ("", "[limits]\ncountry = \"Vietnam\"", 10, "limits.country", "= \"Vietnam\" is refused", "\"VN\""),
        ("", "[limits]\ncountry = \"XX\"", 10, "limits.country", "= \"XX\" is refused", "\"VN\""),
        ("", "[limits]\ncountries = []", 10, "limits.countries", "is empty", "ISO 3166"),
        ("", "[limits]\ncountries = [\n\"VN\",\n\"ZZ\"]", 12, "limits.countries", "= \"ZZ\" is refused", "ISO 3166"),
        ("", "[limits]\ncountries = [\"VN\", \"VN\"]", 10, "limits.countries", "twice", "keep one"),
        ("", "[limits]\nmax_calls = 0", 10, "limits.max_calls", "out of range", "from 1 to 10000"),
        // Users.
        ("username = \"u\"\n", "", 1, "user.username", "is missing", "username ="),
        ("username = \"u\"", "username = \"\"", 2, "user.username", "is refused", "1 to 150"),
        ("username = \"u\"", "username = \"a\\nb\"", 2, "user.username", "is refused", "control"),
        ("password_hash = \"$argon2id$", "password_hash = \"$argon2i$", 3, "user.password_hash", "no argon2id hash", "ringcode hash-password"),
        ("password_hash", "# password_hash", 1, "user.password_hash", "is missing", "ringcode hash-password"),
        ("username = \"u\"", "username = \"u\"\napi_key_hash = \"abc\"", 3, "user.api_key_hash", "no SHA-256", "sha256sum"),
        // Trunks.
        ("name = \"t\"\n", "", 4, "trunk.name", "is missing", "name ="),
        ("name = \"t\"", "name = \"a b\"", 5, "trunk.name", "refused", "letters"),
        ("registrar = \"sip.example.net\"\n", "", 4, "trunk.registrar", "is missing", "gateway"),
        ("registrar = \"sip.example.net\"\n", "gateway = \"g\"\nregister = true\n", 7, "trunk.register", "needs trunk.registrar", "register = false"),
        ("registrar = \"sip.example.net\"\n", "registrar = \"r\"\ngateway = \"g\"\n", 7, "trunk.gateway", "stands beside", "keep registrar"),
        ("username = \"1000\"\npassword = \"pw\"\n", "caller_id = \"1\"\n", 4, "trunk.username", "is missing", "register = false"),
        ("username = \"1000\"", "username = \"1000@example.net\"", 7, "trunk.username", "refused", "the part before the @"),
        ("username = \"1000\"", "username = \"1000\\r\\nX: y\"", 7, "trunk.username", "refused", "the part before the @"),
        ("password = \"pw\"\n", "", 4, "trunk.password", "is missing", "password_file"),
        ("password = \"pw\"", "password = \"\"", 8, "trunk.password", "is empty", "one line"),
        ("password = \"pw\"", "password = \"pw\"\npassword_env = \"PW\"", 9, "trunk.password", "given twice", "keep one"),
        ("password = \"pw\"", "password_file = \"none\"", 8, "trunk.password_file", "cannot be read", "name a file"),
        ("password = \"pw\"", "password_file = \"empty\"", 8, "trunk.password_file", "is empty", "one line"),
        ("password = \"pw\"", "password_env = \"NONE\"", 8, "trunk.password_env", "not set", "set the variable NONE"),
        ("", "caller_id = \"a b\"", 9, "trunk.caller_id", "refused", "the part before the @"),
        ("", "domain = \"a b\"", 9, "trunk.domain", "invalid value", "a host"),
        ("", "auth_username = \"\"", 9, "trunk.auth_username", "refused", "1 to 128"),
        ("", "realm = \"a\\nb\"", 9, "trunk.realm", "refused", "control"),
        ("", "expires = \"5s\"", 9, "trunk.expires", "out of range", "from \"1m\" to \"24h\""),
        ("", "cps = 0", 9, "trunk.cps", "out of range", "from 1 to 1000"),
        ("", "max_calls = 0", 9, "trunk.max_calls", "out of range", "from 1 to 10000"),
        ("", "priority = -1", 9, "trunk.priority", "out of range", "from 0 to 1000"),
        ("", "identity = \"nobody\"", 9, "trunk.identity", "unknown", "\"pai\""),
        // Combinations.
        ("", "[http]\nlisten = \"0.0.0.0:8080\"", 10, "http.listen", "without encryption", "insecure = true"),
        ("", "[http]\nhosts = [\"https://otp.example.net\"]", 10, "http.hosts", "refused", "without scheme"),
        ("", "[http]\ntoken_secret = \"short\"", 10, "http.token_secret", "too short", "at least 32"),
        ("", "[media]\nports = \"20000-20009\"", 10, "media.ports", "for 5 calls, but limits.max_calls is 100", "widen"),
        ("", "[limits]\nmax_calls = 5001", 10, "media.ports", "for 5000 calls", "lower limits.max_calls"),
        ("", "[sip]\nlisten = \"0.0.0.0:20000\"", 10, "media.ports", "holds port 20000", "overlap"),
        ("", "[media]\naddress = \"2001:db8::1\"", 10, "media.address", "not both IPv4", "one family"),
        ("", "[[user]]\nusername = \"u\"\npassword_hash = \"HASH\"", 10, "user.username", "stands twice", "another name"),
        ("", "[[trunk]]\nname = \"t\"\ngateway = \"g\"\ncaller_id = \"1\"", 10, "trunk.name", "stands twice", "another name"),
        // What later versions will do is told from what nobody knows, and never ignored.
        ("", "[call]\ngate = true", 10, "call.gate", "not supported by this version", "write false"),
        ("", "[call]\nredial = { max = 1 }", 10, "call.redial.max", "not supported by this version", "max = 0"),
        ("", "[media]\nsrtp = \"optional\"", 10, "media.srtp", "not supported by this version", "\"off\""),
        ("", "[media]\ncodecs = [\"opus\", \"pcmu\"]", 10, "media.codecs", "\"opus\" is not supported by this version", "\"pcmu\""),
        ("", "[webhook]\nurl = \"http://x\"", 9, "webhook", "not supported by this version", "remove"),
        ("", "[store]\nurl = \"postgres://u:canary@h/d\"", 10, "store.url", "not supported by this version", "sqlite:"),
        ("", "[store]\nurl = \"ringcode.db\"", 10, "store.url", "refused", "sqlite:"),
        ("", "[store]\nurl = \"sqlite://\"", 10, "store.url", "refused", "path of a file"),
        ("", "[store]\nurl = \"sqlite::memory:\"", 10, "store.url", "refused", "path of a file"),
        ("", "[limits]\nper_number = \"3/10m\"", 10, "limits.per_number", "not supported by this version", "remove"),
        ("", "[http]\ntls = { cert = \"a\" }", 10, "http.tls", "not supported by this version", "remove"),
        ("", "prefixes = [\"+84\"]", 9, "trunk.prefixes", "not supported by this version", "remove"),
        ("", "transport = \"tls\"", 9, "trunk.transport", "not supported by this version", "\"udp\""),
        ("username = \"u\"", "username = \"u\"\ncountries = [\"VN\"]", 3, "user.countries", "not supported by this version", "remove"),
    ];

    #[test]
    fn each_error_names_key_line_and_remedy() {
        let mut wrong = Vec::new();
        for (from, to, line, key, fault, remedy) in CASES {
            let to = to.replace("HASH", HASH);
            let source = if from.is_empty() { format!("{}{to}\n", least()) } else { least().replacen(from, &to, 1) };
            assert_ne!(source, least(), "{from}");
            let problems = read(&source).expect_err(&source);
            let found = problems.iter().any(|problem| {
                problem.line == Some(*line)
                    && problem.key == *key
                    && problem.fault.contains(fault)
                    && problem.remedy.contains(remedy)
            });
            if !found || problems.len() != 1 {
                wrong.push(format!("{to}: wanted line {line} {key} {fault}; {remedy}: got {problems:#?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn harmless_values_of_later_keys_are_taken() {
        let later =
            "[call]\ngate = false\nredial = { max = 0, after = [\"15s\"], on = [\"busy\"] }\n[media]\nsrtp = \"off\"\n";
        read(&(least() + "transport = \"udp\"\n" + later)).unwrap();
    }

    #[test]
    fn a_secret_of_the_wrong_kind_is_not_shown() {
        for source in [
            least().replace("\"pw\"", "918273"),
            least().replace("\"pw\"", "[\"918273\"]"),
            least() + "[http]\ntoken_secret = 918273\n",
            least().replace(HASH, "918273"),
            least() + "[store]\nurl = \"postgres://u:918273@h/d\"\n",
        ] {
            let problems = read(&source).unwrap_err();
            assert!(!format!("{problems:?}").contains("918273"), "{problems:?}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once_and_in_order() {
        let source = "[otp]\nlength = 3\n[call]\nring_timeout = \"0s\"\n";
        let error = ConfigError::Refused { path: "config.toml".into(), problems: read(source).unwrap_err() };
        let text = error.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert_eq!(lines[1], "  line 2: otp.length = 3 is out of range; write a whole number from 4 to 10");
        assert!(lines[3].starts_with("  no line: user is missing"), "{text}");
    }

    #[test]
    fn a_missing_file_is_told_with_its_name() {
        let error = load(Path::new("/nonexistent/config.toml")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/config.toml") && error.contains("--config"), "{error}");
    }

    #[test]
    fn durations_in_problems_are_written_as_in_files() {
        assert_eq!(values::duration_text(Duration::from_millis(1500)), "1500ms");
    }
}
