//! The carrier at its one socket: the registrar answers REGISTER and asks callers who they are, the proxy forwards to
//! registered telephones, and what is left goes to a user agent that is all the other phones.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::base::random::Random;
use crate::base::secret::Masked;
use crate::base::time::Instant;
use crate::lab::proxy::{Forwarded, Proxy};
use crate::lab::registrar::{Accounts, Binding, Change, Registrar};
use crate::net::signalling::{SignallingInput, SignallingMachine, SignallingOutput};
use crate::sip::message::{Message, Method, Request, check_request};
use crate::sip::user_agent::{self, Policy, UserAgent};

/// Callers that are remembered as ends of forwarded calls; the oldest make room.
const MAX_CALLERS: usize = 1024;

/// Calls that the phones can hold at once.
pub const MAX_CALLS: usize = 2048;

/// What the carrier tells.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Someone registered, or unregistered.
    Registrar(Change),
    /// A call was passed on to a telephone that is registered under `number`.
    Forwarded {
        /// The number that was dialled.
        number: Masked,
    },
    /// The phones' user agent has something to tell.
    Phones(user_agent::Event),
}

/// What becomes of a datagram.
enum Verdict {
    /// The phones' user agent takes it.
    Phones,
    /// This goes out, if anything.
    Answer(Option<Forwarded>),
}

/// The machine.
pub struct Carrier {
    registrar: Registrar,
    proxy: Proxy,
    phones: UserAgent,
    callers: VecDeque<SocketAddr>,
    outputs: VecDeque<SignallingOutput<Signal>>,
}

impl Carrier {
    /// A carrier that is reached at `local`.
    pub fn new(local: SocketAddr, accounts: Accounts, mut random: impl FnMut() -> Random) -> Self {
        let policy = Policy {
            accept_calls: true,
            deliver_requests: false,
            accept_any_source: true,
            user_agent: "ringcode lab".to_owned(),
            local,
            max_calls: MAX_CALLS,
        };
        Carrier {
            registrar: Registrar::new(accounts, random()),
            proxy: Proxy::new(local, random().u64()),
            phones: UserAgent::new(policy, Vec::new(), random()),
            callers: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    fn receive(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        // What cannot be read is the user agent's to answer or to drop.
        let verdict = match Message::parse(Bytes::copy_from_slice(bytes)) {
            Err(_) => Verdict::Phones,
            Ok(Message::Response(response)) if self.proxy.has_forwarded(&response) => {
                Verdict::Answer(self.proxy.send_back(&response))
            }
            Ok(Message::Response(_)) => Verdict::Phones,
            Ok(Message::Request(request)) if check_request(&request).is_err() => Verdict::Phones,
            Ok(Message::Request(request)) => self.judge(now, source, request),
        };
        match verdict {
            Verdict::Phones => self.phones.handle_input(now, user_agent::Input::Datagram { source, bytes }),
            Verdict::Answer(answer) => self.outputs.extend(answer.map(transmit)),
        }
    }

    fn judge(&mut self, now: Instant, source: SocketAddr, mut request: Request) -> Verdict {
        self.proxy.strip_route(&mut request);
        let in_dialog = request.headers().to().is_ok_and(|to| to.tag().is_some());
        match request.method() {
            Method::Register => {
                let (response, change) = self.registrar.register(now, &request, source);
                self.outputs.extend(change.map(|change| SignallingOutput::Event(Signal::Registrar(change))));
                Verdict::Answer(Some(Forwarded { remote: source, bytes: response.to_bytes() }))
            }
            Method::Invite if !in_dialog => self.place(now, source, &request),
            // The ACK of a refusal of ours ends here: a stateless server has nothing more to do.
            Method::Ack if self.registrar.has_refused(&request) => Verdict::Answer(None),
            method => {
                let follows_invite = matches!(method, Method::Ack | Method::Cancel);
                if let Some(next) = self.end_of_call(now, &request).filter(|_| in_dialog) {
                    self.forward(&request, source, None, next)
                } else if let Some(telephone) = self.telephone(now, &request).filter(|_| follows_invite) {
                    self.forward(&request, source, Some(&telephone), telephone.source)
                } else {
                    Verdict::Phones
                }
            }
        }
    }

    /// A new call: only for those who may, to a telephone that is there, else to a phone of ours.
    fn place(&mut self, now: Instant, source: SocketAddr, request: &Request) -> Verdict {
        if let Err(refusal) = self.registrar.admit(now, request, source) {
            return Verdict::Answer(Some(Forwarded { remote: source, bytes: refusal.to_bytes() }));
        }
        let Some(telephone) = self.telephone(now, request) else { return Verdict::Phones };
        self.callers.retain(|caller| *caller != source);
        if self.callers.len() >= MAX_CALLERS {
            self.callers.pop_front();
        }
        self.callers.push_back(source);
        self.outputs.push_back(SignallingOutput::Event(Signal::Forwarded { number: Masked::from(dialled(request)) }));
        self.forward(request, source, Some(&telephone), telephone.source)
    }

    fn forward(
        &self,
        request: &Request,
        source: SocketAddr,
        telephone: Option<&Binding>,
        remote: SocketAddr,
    ) -> Verdict {
        let target = telephone.map(|telephone| &telephone.contact);
        Verdict::Answer(match self.proxy.forward(request, source, target, remote) {
            Ok(forwarded) => Some(forwarded),
            Err(_) if *request.method() == Method::Ack => None,
            Err(status) => {
                let response = self.registrar.reply(request, source, status);
                Some(Forwarded { remote: source, bytes: response.to_bytes() })
            }
        })
    }

    fn telephone(&self, now: Instant, request: &Request) -> Option<Binding> {
        self.registrar.telephone(now, &dialled(request)).cloned()
    }

    /// The other end of a forwarded call, when `request` is on its way there. Nothing is sent to anyone else: the carrier
    /// is no relay for strangers.
    fn end_of_call(&self, now: Instant, request: &Request) -> Option<SocketAddr> {
        let next = self.proxy.next_hop(request)?;
        (self.callers.contains(&next) || self.registrar.knows(now, next)).then_some(next)
    }
}

impl SignallingMachine for Carrier {
    type Command = user_agent::Command;
    type Event = Signal;

    fn handle_input(&mut self, now: Instant, input: SignallingInput<'_, user_agent::Command>) {
        match input {
            SignallingInput::Datagram { source, bytes } => self.receive(now, source, bytes),
            other => SignallingMachine::handle_input(&mut self.phones, now, other),
        }
    }

    fn poll_output(&mut self) -> SignallingOutput<Signal> {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match SignallingMachine::poll_output(&mut self.phones) {
            SignallingOutput::Transmit { remote, bytes } => SignallingOutput::Transmit { remote, bytes },
            SignallingOutput::Event(event) => SignallingOutput::Event(Signal::Phones(event)),
            SignallingOutput::Timeout(wake) => SignallingOutput::Timeout(wake),
        }
    }
}

/// The number that a request is for; empty when its URI has no user.
pub(super) fn dialled(request: &Request) -> String {
    let user = request.uri().as_sip().and_then(|uri| uri.user.as_ref()).map(|user| user.unescaped());
    user.or_else(|| request.uri().user().map(str::to_owned)).unwrap_or_default()
}

fn transmit(forwarded: Forwarded) -> SignallingOutput<Signal> {
    SignallingOutput::Transmit { remote: forwarded.remote, bytes: forwarded.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::registrar::tests::{accounts, prove, request};
    use crate::sip::message::{CSeq, HeaderName, NameAddr, Response, Uri};
    use std::time::Duration;

    const CALLER: &str = "127.0.0.8:4444";
    const TELEPHONE: &str = "127.0.0.9:5090";
    const CONTACT: Option<&str> = Some("<sip:bob@127.0.0.9:5090>");

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn carrier() -> Carrier {
        let mut seed = 0;
        Carrier::new(address("127.0.0.1:5070"), accounts(), || {
            seed += 1;
            Random::from_seed(seed)
        })
    }

    /// What the carrier sends when `message` comes from `source`.
    fn sent(carrier: &mut Carrier, source: &str, message: &Message) -> Vec<(SocketAddr, Message)> {
        let bytes = message.to_bytes();
        let input = SignallingInput::Datagram { source: address(source), bytes: &bytes };
        carrier.handle_input(Instant::ZERO + Duration::from_secs(1), input);
        let mut sent = Vec::new();
        loop {
            match carrier.poll_output() {
                SignallingOutput::Transmit { remote, bytes } => sent.push((remote, Message::parse(bytes).unwrap())),
                SignallingOutput::Event(_) => {}
                SignallingOutput::Timeout(_) => return sent,
            }
        }
    }

    fn one_response(carrier: &mut Carrier, source: &str, request: &Request) -> Response {
        let mut sent = sent(carrier, source, &request.clone().into());
        assert_eq!(sent.len(), 1, "{sent:?}");
        match sent.remove(0) {
            (remote, Message::Response(response)) if remote == address(source) => response,
            other => panic!("{other:?}"),
        }
    }

    fn one_request(carrier: &mut Carrier, source: &str, message: &Message, remote: &str) -> Request {
        let mut sent = sent(carrier, source, message);
        assert_eq!(sent.len(), 1, "{sent:?}");
        match sent.remove(0) {
            (to, Message::Request(request)) if to == address(remote) => request,
            other => panic!("{other:?}"),
        }
    }

    fn telephone_registers(carrier: &mut Carrier) {
        let mut register = request(Method::Register, "0919273027", CONTACT, Some(60));
        let challenge = one_response(carrier, TELEPHONE, &register);
        prove(&mut register, &challenge, "0919273027", "ringcode-lab");
        assert_eq!(one_response(carrier, TELEPHONE, &register).status(), 200);
    }

    fn to_number(method: Method) -> Request {
        let uri = Uri::parse(b"sip:+84919273027@127.0.0.1:5070").unwrap();
        let mut invite = Request::new(method.clone(), uri);
        *invite.headers_mut() = request(method, "ringcode", Some("<sip:127.0.0.8:4444>"), None).headers().clone();
        invite
    }

    #[test]
    fn a_call_to_a_registered_telephone_goes_both_ways() {
        let mut carrier = carrier();
        telephone_registers(&mut carrier);
        let mut invite = to_number(Method::Invite);
        let challenge = one_response(&mut carrier, CALLER, &invite);
        assert_eq!(challenge.status(), 407);
        prove(&mut invite, &challenge, "ringcode", "ringcode-lab");
        let received = one_request(&mut carrier, CALLER, &invite.clone().into(), TELEPHONE);
        assert_eq!(received.uri().to_string(), "sip:bob@127.0.0.9:5090");

        let mut answer = Response::reply_to(&received, 200);
        answer.set_to_tag("bob");
        let back = sent(&mut carrier, TELEPHONE, &answer.into());
        let [(remote, Message::Response(answer))] = &back[..] else { panic!("{back:?}") };
        assert_eq!((*remote, answer.status()), (address(CALLER), 200));
        let route = answer.headers().record_routes().unwrap().remove(0);

        let in_dialog = |method: Method, uri: &str| {
            let mut request = Request::new(method.clone(), Uri::parse(uri.as_bytes()).unwrap());
            *request.headers_mut() = invite.headers().clone();
            request.headers_mut().set(HeaderName::To, answer.headers().to().unwrap());
            request.headers_mut().set(HeaderName::CSeq, CSeq::new(2, method));
            request.headers_mut().push(HeaderName::Route, route.clone());
            Message::from(request)
        };
        let ack = one_request(&mut carrier, CALLER, &in_dialog(Method::Ack, "sip:bob@127.0.0.9:5090"), TELEPHONE);
        assert_eq!(ack.headers().routes().unwrap(), Vec::<NameAddr>::new());
        one_request(&mut carrier, TELEPHONE, &in_dialog(Method::Bye, "sip:127.0.0.8:4444"), CALLER);
        let elsewhere = sent(&mut carrier, TELEPHONE, &in_dialog(Method::Bye, "sip:127.0.0.66:4444"));
        assert!(elsewhere.iter().all(|(remote, _)| *remote == address(TELEPHONE)), "relayed: {elsewhere:?}");
    }

    #[test]
    fn cancel_follows_its_invite_to_the_telephone() {
        let mut carrier = carrier();
        telephone_registers(&mut carrier);
        one_request(&mut carrier, CALLER, &to_number(Method::Cancel).into(), TELEPHONE);
    }

    #[test]
    fn the_ack_of_a_challenge_ends_at_the_carrier() {
        let mut carrier = carrier();
        telephone_registers(&mut carrier);
        let challenge = one_response(&mut carrier, CALLER, &to_number(Method::Invite));
        let mut ack = to_number(Method::Ack);
        ack.headers_mut().set(HeaderName::To, challenge.headers().to().unwrap());
        let out = sent(&mut carrier, CALLER, &ack.into());
        assert!(out.is_empty(), "{out:?}");
    }

    #[test]
    fn bytes_that_are_no_message_do_no_harm() {
        let mut carrier = carrier();
        for bytes in [&b""[..], b"\r\n\r\n", b"INVITE", &[0; 2000], b"SIP/2.0 200 OK\r\n\r\n"] {
            carrier.handle_input(Instant::ZERO, SignallingInput::Datagram { source: address(CALLER), bytes });
            while !matches!(carrier.poll_output(), SignallingOutput::Timeout(_)) {}
        }
    }
}
