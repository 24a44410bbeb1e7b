//! The rules of a `[[trunk]]`.

use std::time::Duration;

use toml::Spanned;

use super::{Rules, Span};
use crate::config::checked::{Identity, TrunkConfig};
use crate::config::file::{self, Key};
use crate::config::values::Server;

const USER_REMEDY: &str = "write the part before the @ alone: 1 to 64 ASCII characters without spaces and <>:\"";

impl Rules<'_> {
    pub(super) fn trunks(&mut self, trunks: Vec<Spanned<file::Trunk>>) -> Vec<TrunkConfig> {
        if trunks.is_empty() {
            let remedy = "add a [[trunk]] with name, registrar, username and password";
            self.problem(None, "trunk", "is missing: there is no carrier to call through", remedy);
        }
        if let Some(surplus) = trunks.get(64) {
            self.problem(Some(surplus.span()), "trunk", "stands more than 64 times", "remove some");
        }
        let mut checked: Vec<TrunkConfig> = Vec::new();
        for trunk in trunks {
            let name_span = trunk.get_ref().name.as_ref().map(Spanned::span);
            let Some(trunk) = self.trunk(trunk) else { continue };
            if checked.iter().any(|other| other.name == trunk.name) {
                let fault = format!("= {:?} stands twice", trunk.name);
                self.problem(name_span, "trunk.name", fault, "give each trunk another name");
            }
            checked.push(trunk);
        }
        checked
    }

    fn trunk(&mut self, trunk: Spanned<file::Trunk>) -> Option<TrunkConfig> {
        let span = trunk.span();
        let trunk = trunk.into_inner();
        if let Some(transport) = trunk.transport.filter(|transport| transport.get_ref() != "udp") {
            let fault = format!("= {:?} is not supported by this version", transport.get_ref());
            self.problem(Some(transport.span()), "trunk.transport", fault, "write \"udp\"");
        }
        if trunk.name.is_none() {
            self.problem(Some(span.clone()), "trunk.name", "is missing", "name the trunk: name = \"…\"");
        }
        let right = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let name = self.text("trunk.name", trunk.name, right, "write 1 to 64 letters, digits and . _ -");

        let (registrar, gateway) = (trunk.registrar, trunk.gateway);
        let has_registrar = registrar.is_some();
        if let (Some(_), Some(gateway)) = (&registrar, &gateway) {
            let remedy = "keep registrar for a trunk with an account, gateway for one that knows you by address";
            self.problem(Some(gateway.span()), "trunk.gateway", "stands beside trunk.registrar", remedy);
        }
        let register_span = trunk.register.as_ref().map(Spanned::span);
        let register = trunk.register.map_or(has_registrar, Spanned::into_inner);
        if register && !has_registrar {
            let remedy = "add registrar = \"host\", or write register = false";
            self.problem(register_span, "trunk.register", "= true needs trunk.registrar", remedy);
        }
        let server: Option<Server> = match registrar.or(gateway) {
            Some(server) => Some(server.into_inner().0),
            None => {
                let remedy = "add registrar = \"host\", or gateway = \"host\" for a trunk without registration";
                self.problem(Some(span.clone()), "trunk.registrar", "is missing", remedy);
                None
            }
        };

        let username = self.user_part("trunk.username", trunk.username.as_ref());
        if register && trunk.username.is_none() {
            let remedy = "add the account's username, or write register = false";
            self.problem(Some(span.clone()), "trunk.username", "is missing, but the trunk registers", remedy);
        }
        let digest = |text: &str| (1..=128).contains(&text.len()) && !text.chars().any(char::is_control);
        let remedy = "write 1 to 128 characters without control characters";
        let auth_username = self.text("trunk.auth_username", trunk.auth_username, digest, remedy);
        let realm = self.text("trunk.realm", trunk.realm, digest, remedy);
        let has_password =
            [trunk.password.is_some(), trunk.password_file.is_some(), trunk.password_env.is_some()].contains(&true);
        let password = self.secret("trunk.password", trunk.password, trunk.password_file, trunk.password_env);
        if trunk.username.is_some() && !has_password {
            let remedy = "add password, password_file or password_env";
            self.problem(Some(span.clone()), "trunk.password", "is missing beside trunk.username", remedy);
        }
        if has_password && trunk.username.is_none() && auth_username.is_none() {
            let remedy = "add username, or remove the password";
            self.problem(Some(span.clone()), "trunk.username", "is missing beside trunk.password", remedy);
        }

        let caller_id = self.user_part("trunk.caller_id", trunk.caller_id.as_ref());
        if trunk.caller_id.is_none() && username.is_none() && trunk.username.is_none() {
            let remedy = "write the number that the callee shall see";
            self.problem(Some(span), "trunk.caller_id", "is missing, and there is no trunk.username", remedy);
        }
        let day = Duration::from_secs(86_400);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let expires = self.duration("trunk.expires", trunk.expires, minutes(10), minutes(1)..=day);
        let (cps, max_calls) = (
            self.number("trunk.cps", trunk.cps, 2, 1..=1000),
            self.number("trunk.max_calls", trunk.max_calls, 10, 1..=10_000),
        );
        let priority = self.number("trunk.priority", trunk.priority, 0, 0..=1000);
        self.later("trunk.prefixes", &trunk.prefixes);
        let identity = self.identity(trunk.identity);

        let server = server?;
        let domain = trunk.domain.map_or_else(|| server.written.clone(), |domain| domain.into_inner().0.written);
        Some(TrunkConfig {
            name: name?,
            server: server.host_port,
            outbound_proxy: trunk.outbound_proxy.map(|proxy| proxy.into_inner().0.host_port),
            domain,
            caller_id: caller_id.or_else(|| username.clone()).unwrap_or_default(),
            username,
            auth_username,
            password,
            realm,
            register,
            expires,
            cps,
            max_calls,
            priority,
            identity,
        })
    }

    /// A text that stands in SIP URIs.
    fn user_part(&mut self, key: &str, value: Option<&Spanned<String>>) -> Option<String> {
        let value = value?;
        // The user agent would escape the rest as well; but a whole address here is a mistake that only the carrier
        // would tell, with a 403.
        let right = |c: char| c.is_ascii_graphic() && !"@:<>\"".contains(c);
        if (1..=64).contains(&value.get_ref().len()) && value.get_ref().chars().all(right) {
            return Some(value.get_ref().clone());
        }
        self.problem(Some(value.span()), key, format!("= {:?} is refused", value.get_ref()), USER_REMEDY);
        None
    }

    fn identity(&mut self, identity: Key<String>) -> Identity {
        let Some(identity) = identity else { return Identity::From };
        match identity.get_ref().as_str() {
            "from" => Identity::From,
            "pai" => Identity::Pai,
            "ppi" => Identity::Ppi,
            "rpid" => Identity::Rpid,
            other => {
                let remedy = "write \"from\", \"pai\", \"ppi\" or \"rpid\"";
                let span: Span = identity.span();
                self.problem(Some(span), "trunk.identity", format!("= {other:?} is unknown"), remedy);
                Identity::From
            }
        }
    }
}
