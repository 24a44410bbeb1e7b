//! sipp as the carrier: scenarios written as a list of steps, and the messages it received.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::wait_for_exit;

/// A sipp scenario of a server, step by step.
#[derive(Default)]
pub struct Scenario {
    xml: String,
    next: usize,
}

/// The SDP that the carrier answers with; sipp fills in its media address.
pub const SDP: &str = "v=0\r
o=carrier 53655765 2353687637 IN IP[local_ip_type] [local_ip]\r
s=-\r
c=IN IP[media_ip_type] [media_ip]\r
t=0 0\r
m=audio [media_port] RTP/AVP 0 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
";

impl Scenario {
    /// An empty scenario.
    pub fn new() -> Scenario {
        Scenario::default()
    }

    fn push(mut self, step: &str) -> Scenario {
        self.xml.push_str(step);
        self.xml.push('\n');
        self
    }

    /// Waits for a request. Of an INVITE, the CSeq number is kept as `[$cseq]`, the top Via as `[$via]` and the To
    /// value as `[$to]`; of a REGISTER, the Contact's URI as `[$contact]`.
    pub fn recv(self, method: &str) -> Scenario {
        let keep = if method == "INVITE" {
            r#"<action>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
</action>"#
        } else if method == "REGISTER" {
            r#"<action>
<ereg regexp="sip:[^>;]*" search_in="hdr" header="Contact:" assign_to="contact"/>
</action>"#
        } else {
            ""
        };
        self.push(&format!(r#"<recv request="{method}" timeout="30000">{keep}</recv>"#))
    }

    /// Waits for a request whose Authorization fits the trunk's account; ends the scenario with an error if not. (sipp
    /// does not verify Proxy-Authorization; see [`Received::has_valid_credentials`].)
    pub fn recv_authenticated(mut self, method: &str) -> Scenario {
        self.next += 1;
        let label = self.next;
        self.push(&format!(
            r#"<recv request="{method}" timeout="30000"><action>
<verifyauth assign_to="valid{label}" username="ringcode" password="secret of the trunk"/>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp="sip:[^>;]*" search_in="hdr" header="Contact:" assign_to="contact"/>
</action></recv>
<nop hide="true" test="valid{label}" next="{label}"/>
<recv request="CREDENTIALS-THAT-FIT" timeout="1"></recv>
<label id="{label}"/>"#
        ))
    }

    /// Answers the request received last. `headers` are whole lines ending in CR LF.
    pub fn reply(self, status: u16, reason: &str, headers: &str) -> Scenario {
        self.reply_with(status, reason, headers, "", "")
    }

    /// Answers the request received last with the carrier's SDP.
    pub fn reply_sdp(self, status: u16, reason: &str, headers: &str) -> Scenario {
        self.reply_with(status, reason, headers, "", SDP)
    }

    /// Answers the request received last with a To tag of the given suffix and a body.
    pub fn reply_with(self, status: u16, reason: &str, headers: &str, tag: &str, sdp: &str) -> Scenario {
        let tag = if status == 100 { String::new() } else { format!(";tag=[pid]carrier[call_number]{tag}") };
        let contact =
            if sdp.is_empty() && status != 180 { "" } else { "Contact: <sip:carrier@[local_ip]:[local_port]>\r\n" };
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.send_raw(&format!(
            "SIP/2.0 {status} {reason}\r
[last_Via:]\r
[last_From:]\r
[last_To:]{tag}\r
[last_Call-ID:]\r
[last_CSeq:]\r
{contact}{headers}{kind}Content-Length: [len]\r
\r
{sdp}"
        ))
    }

    /// Answers within a dialog: the To header already has its tag.
    pub fn reply_in_dialog(self, status: u16, reason: &str) -> Scenario {
        self.send_raw(&format!(
            "SIP/2.0 {status} {reason}\r
[last_Via:]\r
[last_From:]\r
[last_To:]\r
[last_Call-ID:]\r
[last_CSeq:]\r
Content-Length: 0\r
\r
"
        ))
    }

    /// Answers the INVITE although another request was received since.
    pub fn reply_to_invite(self, status: u16, reason: &str, sdp: &str) -> Scenario {
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.send_raw(&format!(
            "SIP/2.0 {status} {reason}\r
Via:[$via]\r
[last_From:]\r
To:[$to];tag=[pid]carrier[call_number]\r
[last_Call-ID:]\r
CSeq: [$cseq] INVITE\r
Contact: <sip:carrier@[local_ip]:[local_port]>\r
{kind}Content-Length: [len]\r
\r
{sdp}"
        ))
    }

    /// A request within the dialog that the INVITE made, towards its Contact.
    pub fn request(mut self, method: &str, headers: &str, body: &str) -> Scenario {
        self.next += 1;
        let cseq = 100 + self.next;
        self.send_raw(&format!(
            "{method} [$contact] SIP/2.0\r
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\r
From:[$to];tag=[pid]carrier[call_number]\r
To:[$from]\r
[last_Call-ID:]\r
CSeq: {cseq} {method}\r
Max-Forwards: 70\r
Contact: <sip:carrier@[local_ip]:[local_port]>\r
{headers}Content-Length: [len]\r
\r
{body}"
        ))
    }

    /// Keeps what later requests of the callee need: call it right after `recv("INVITE")`'s acknowledgement.
    pub fn recv_ack_keeping_dialog(self) -> Scenario {
        self.push(
            r#"<recv request="ACK" timeout="30000"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
</action></recv>"#,
        )
    }

    /// Waits for an INVITE and keeps its Contact and From for the callee's own requests.
    pub fn recv_invite_keeping_contact(self) -> Scenario {
        self.push(
            r#"<recv request="INVITE" timeout="30000"><action>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="sip:[^>;]*" search_in="hdr" header="Contact:" assign_to="contact"/>
</action></recv>"#,
        )
    }

    /// Waits for a response to the callee's own request.
    pub fn recv_response(self, status: u16) -> Scenario {
        self.push(&format!(r#"<recv response="{status}" timeout="30000"></recv>"#))
    }

    /// Sends a message as it stands.
    pub fn send_raw(self, message: &str) -> Scenario {
        let message = message.replace("\r\n", "\n");
        self.push(&format!("<send><![CDATA[\n{message}\n]]></send>"))
    }

    /// Waits, as a person at the phone does. This is the scenario's time, not the test's.
    pub fn pause(self, milliseconds: u32) -> Scenario {
        self.push(&format!(r#"<pause milliseconds="{milliseconds}"/>"#))
    }

    /// Plays a capture as the phone's audio.
    pub fn play_pcap(self, file: &std::path::Path) -> Scenario {
        self.push(&format!(r#"<nop><action><exec play_pcap_audio="{}"/></action></nop>"#, file.display()))
    }

    fn to_xml(&self) -> String {
        let mut used = String::new();
        for name in ["cseq", "via", "to", "from", "contact"] {
            if self.xml.contains(&format!("assign_to=\"{name}\"")) {
                let _ = write!(used, "{}{name}", if used.is_empty() { "" } else { "," });
            }
        }
        let reference = if used.is_empty() { String::new() } else { format!("<Reference variables=\"{used}\"/>") };
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<!DOCTYPE scenario SYSTEM \"sipp.dtd\">\n\
             <scenario name=\"carrier\">\n{}\n{reference}\n</scenario>\n",
            self.xml
        )
    }

    /// Starts sipp with this scenario for one call at `127.0.0.1:port`.
    pub fn start(&self, port: u16) -> Sipp {
        Sipp::start(self, port, super::free_udp_port())
    }
}

/// A running sipp; killed when dropped.
pub struct Sipp {
    child: Child,
    folder: TempDir,
    /// The port it takes RTP on.
    pub media_port: u16,
}

impl Sipp {
    fn start(scenario: &Scenario, port: u16, media_port: u16) -> Sipp {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("scenario.xml");
        std::fs::write(&file, scenario.to_xml()).expect("the scenario can be written");
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-mi", "127.0.0.1"])
            .args(["-mp", &media_port.to_string(), "-m", "1", "-nostdin", "-nd", "-timeout", "90s", "-timeout_error"])
            .args(["-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp starts");
        let mut sipp = Sipp { child, folder, media_port };
        sipp.wait_until_bound(port);
        sipp
    }

    /// Returns once the system lists the socket: a packet sent earlier would be refused.
    fn wait_until_bound(&mut self, port: u16) {
        let wanted = format!("0100007F:{port:04X}");
        while !std::fs::read_to_string("/proc/net/udp").is_ok_and(|sockets| sockets.contains(&wanted)) {
            let ended = self.child.try_wait().expect("sipp was started by us");
            assert!(ended.is_none(), "sipp ended before it listened:\n{}", self.file("errors"));
            std::thread::yield_now();
        }
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Waits for the scenario's end and demands that every step came as written. Returns what sipp received.
    pub fn finish(mut self) -> Vec<Received> {
        let status = wait_for_exit(&mut self.child, Duration::from_secs(100));
        let clean = status.is_some_and(|status| status.success());
        assert!(
            clean,
            "sipp ended with {status:?}\n--- errors ---\n{}\n--- messages ---\n{}",
            self.file("errors"),
            self.file("messages")
        );
        self.received()
    }

    /// The messages that sipp has received so far.
    pub fn received(&self) -> Vec<Received> {
        let log = self.file("messages");
        log.split("-----------------------------------------------")
            .filter_map(|entry| entry.split_once("message received"))
            .filter_map(|(_, rest)| rest.split_once(":\n\n").or_else(|| rest.split_once(":\r\n\r\n")))
            .map(|(_, text)| Received { text: text.trim_start().to_owned() })
            .collect()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A SIP message as sipp wrote it down.
#[derive(Clone, Debug)]
pub struct Received {
    /// The text of the message.
    pub text: String,
}

impl Received {
    /// The method of a request, or `SIP/2.0` of a response.
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The request URI.
    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header field of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).take_while(|line| !line.trim().is_empty()).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A parameter of a header field, e.g. the `branch` of the `Via`.
    pub fn parameter(&self, header: &str, name: &str) -> Option<&str> {
        let value = self.header(header)?;
        value.split([';', ',', ' ']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    }
}

impl Received {
    /// Whether the digest credentials in the header `name` are those of the trunk's account (RFC 7616 §3.4.1 with MD5 and
    /// qop=auth), computed here by itself.
    pub fn has_valid_credentials(&self, name: &str) -> bool {
        let value = self.header(name).unwrap_or_default();
        let fields: Vec<(&str, &str)> = value
            .trim_start_matches("Digest ")
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .map(|(key, value)| (key, value.trim_matches('"')))
            .collect();
        let field = |wanted: &str| fields.iter().find(|(key, _)| *key == wanted).map_or("", |(_, value)| *value);
        let ha1 = md5(&format!("ringcode:{}:secret of the trunk", field("realm")));
        let ha2 = md5(&format!("{}:{}", self.method(), field("uri")));
        let [nonce, nc, cnonce] = ["nonce", "nc", "cnonce"].map(field);
        field("uri") == self.uri() && field("response") == md5(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"))
    }
}

fn md5(text: &str) -> String {
    use md5::Digest as _;
    md5::Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The requests of one method among `messages`.
pub fn requests<'a>(messages: &'a [Received], method: &str) -> Vec<&'a Received> {
    messages.iter().filter(|message| message.method() == method).collect()
}
