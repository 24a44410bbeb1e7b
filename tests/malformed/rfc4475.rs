//! The torture messages of RFC 4475, each as its row of EXPECT.tsv says.

use std::collections::BTreeSet;
use std::fs;

use ringcode::sip::message::{HeaderName, Message, Method, Uri};

use crate::corpus::{Sample, find, rfc, samples};
use crate::facts::{Facts, Outcome, facts, outcome, request, response};

const LONG_NAME: &str = "amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallername";

fn corpus() -> Option<Vec<Sample>> {
    rfc("rfc4475").map(|directory| samples(&directory, Some("dat")))
}

/// What the message layer does with each. Where EXPECT leaves a choice, ours stands here; where the row is the user
/// agent's to fulfil (405 and 501, 415, 420), the message passes and the tests below read what it needs.
const OUTCOMES: &[(&str, Outcome)] = &[
    ("wsinv", Outcome::Passes),
    ("intmeth", Outcome::Passes),
    ("esc01", Outcome::Passes),
    ("escnull", Outcome::Passes),
    ("esc02", Outcome::Passes),
    ("lwsdisp", Outcome::Passes),
    ("longreq", Outcome::Passes),
    ("dblreq", Outcome::Passes),
    ("semiuri", Outcome::Passes),
    ("transports", Outcome::Passes),
    ("mpart01", Outcome::Passes),
    ("unreason", Outcome::Passes),
    ("noreason", Outcome::Passes),
    ("badinv01", Outcome::Answered(400)),
    ("clerr", Outcome::Answered(400)),
    ("ncl", Outcome::Answered(400)),
    ("scalar02", Outcome::Answered(400)),
    ("scalarlg", Outcome::Dropped),
    ("quotbal", Outcome::Answered(400)),
    ("ltgtruri", Outcome::Answered(400)),
    ("lwsruri", Outcome::Answered(400)),
    ("lwsstart", Outcome::Answered(400)),
    ("trws", Outcome::Answered(400)),
    ("escruri", Outcome::Answered(400)),
    ("baddate", Outcome::Passes),
    ("regbadct", Outcome::Answered(400)),
    ("badaspec", Outcome::Answered(400)),
    ("baddn", Outcome::Answered(400)),
    ("badvers", Outcome::Answered(505)),
    ("mismatch01", Outcome::Answered(400)),
    ("mismatch02", Outcome::Answered(400)),
    ("bigcode", Outcome::Dropped),
    ("badbranch", Outcome::Passes),
    ("insuf", Outcome::Answered(400)),
    ("unkscm", Outcome::Answered(416)),
    ("novelsc", Outcome::Answered(416)),
    ("unksm2", Outcome::Passes),
    ("bext01", Outcome::Passes),
    ("invut", Outcome::Passes),
    ("regaut01", Outcome::Passes),
    ("multi01", Outcome::Answered(400)),
    ("mcl01", Outcome::Answered(400)),
    ("bcast", Outcome::Dropped),
    ("zeromf", Outcome::Passes),
    ("cparam01", Outcome::Passes),
    ("cparam02", Outcome::Passes),
    ("regescrt", Outcome::Passes),
    ("sdp01", Outcome::Passes),
    ("inv2543", Outcome::Passes),
];

#[test]
fn each_message_ends_as_its_row_says() {
    let Some(samples) = corpus() else { return };
    for (name, expected) in OUTCOMES {
        assert_eq!(outcome(find(&samples, &format!("{name}.dat"))), *expected, "{name}");
    }
    let ours: BTreeSet<_> = OUTCOMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files: BTreeSet<_> = samples.iter().map(|(name, _)| name.trim_end_matches(".dat").to_owned()).collect();
    assert_eq!(ours, files, "each file has its row here");
    let table = fs::read_to_string(rfc("rfc4475").expect("found above").join("EXPECT.tsv")).expect("the table");
    let rows: BTreeSet<_> = table.lines().skip(1).filter_map(|row| row.split('\t').next()).map(str::to_owned).collect();
    assert_eq!(ours, rows, "each row of the table is tested");
}

/// Start, Vias, From, To, CSeq, Call-ID, Contacts and the length of the body of each valid message.
type Row<'a> = (&'a str, &'a str, &'a [&'a str], &'a str, &'a str, &'a str, &'a str, &'a [&'a str], usize);

#[test]
fn the_thirteen_valid_messages_are_typed() {
    let Some(samples) = corpus() else { return };
    let long_from = format!("sip:{LONG_NAME}@example.net|12{}424", "982".repeat(50));
    let long_contact = format!("sip:{LONG_NAME}@host5.example.net");
    let long_vias: Vec<String> = (1..=33).rev().map(|n| format!("TCP/sip{n}.example.com")).collect();
    let mut long_vias: Vec<&str> = long_vias.iter().map(String::as_str).collect();
    long_vias.push("TCP/host.example.com");
    let rows: [Row<'_>; 12] = [
        (
            "wsinv",
            "INVITE",
            &["UDP/192.0.2.2", "TCP/spindle.example.com", "UDP/192.168.255.111"],
            "sip:jdrosen@example.com|98asjd8",
            "sip:vivekg@chair-dnrc.example.com|1918181833n",
            "9 INVITE",
            "wsinv.ndaksdj@192.0.2.1",
            &["sip:jdrosen@example.com"],
            150,
        ),
        (
            "intmeth",
            "!interesting-Method0123456789_*+`.%indeed'~",
            &["TCP/host1.example.com"],
            "sip:mundane@example.com|_token~1'+`*%!-.",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com|",
            "139122385 !interesting-Method0123456789_*+`.%indeed'~",
            "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            &[],
            0,
        ),
        (
            "esc01",
            "INVITE",
            &["UDP/host5.example.net"],
            "sip:I%20have%20spaces@example.net|938",
            "sip:%75se%72@example.com|",
            "234234 INVITE",
            "esc01.239409asdfakjkn23onasd0-3234",
            &["sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"],
            150,
        ),
        (
            "escnull",
            "REGISTER",
            &["UDP/host5.example.com"],
            "sip:null-%00-null@example.com|839923423",
            "sip:null-%00-null@example.com|",
            "14398234 REGISTER",
            "escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd",
            &["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"],
            0,
        ),
        (
            "esc02",
            "RE%47IST%45R",
            &["TCP/host.example.com"],
            "sip:resource@example.com|f232jadfj23",
            "sip:resource@example.com|",
            "29344 RE%47IST%45R",
            "esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf",
            &["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"],
            0,
        ),
        (
            "lwsdisp",
            "OPTIONS",
            &["UDP/funky.example.com"],
            "sip:caller@example.com|323",
            "sip:user@example.com|",
            "60 OPTIONS",
            "lwsdisp.1234abcd@funky.example.com",
            &[],
            0,
        ),
        (
            "dblreq",
            "REGISTER",
            &["UDP/192.0.2.125"],
            "sip:j.user@example.com|43251j3j324",
            "sip:j.user@example.com|",
            "8 REGISTER",
            "dblreq.0ha0isndaksdj99sdfafnl3lk233412",
            &["sip:j.user@host.example.com"],
            0,
        ),
        (
            "semiuri",
            "OPTIONS",
            &["UDP/192.0.2.1"],
            "sip:caller@example.org|33242",
            "sip:j_user@example.com|",
            "8 OPTIONS",
            "semiuri.0ha0isndaksdj",
            &[],
            0,
        ),
        (
            "transports",
            "OPTIONS",
            &[
                "UDP/t1.example.com",
                "SCTP/t2.example.com",
                "TLS/t3.example.com",
                "UNKNOWN/t4.example.com",
                "TCP/t5.example.com",
            ],
            "sip:caller@example.com|323",
            "sip:user@example.com|",
            "60 OPTIONS",
            "transports.kijh4akdnaqjkwendsasfdj",
            &[],
            0,
        ),
        (
            "mpart01",
            "MESSAGE",
            &["UDP/127.0.0.1:5070"],
            "sip:fluffy@example.com|2fb0dcc9",
            "sip:kumiko@example.org|",
            "1 MESSAGE",
            "3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..",
            &["sip:fluffy@127.0.0.1:5070"],
            553,
        ),
        (
            "unreason",
            "200",
            &["UDP/192.0.2.198"],
            "sip:user@example.com|11141343",
            "sip:user@example.edu|2229",
            "35 INVITE",
            "unreason.1234ksdfak3j2erwedfsASdf",
            &["sip:user@host198.example.com"],
            154,
        ),
        (
            "noreason",
            "100",
            &["UDP/192.0.2.105"],
            "sip:user@example.com|39ansfi3",
            "sip:user@example.edu|902jndnke3",
            "35 INVITE",
            "noreason.asndj203insdf99223ndf",
            &["sip:user@host105.example.com"],
            0,
        ),
    ];
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for (name, start, vias, from, to, cseq, call_id, contacts, body) in rows {
        let read = facts(name, find(&samples, &format!("{name}.dat")));
        assert_eq!(read.body.len(), body, "{name}");
        let expected = Facts {
            start: start.to_owned(),
            vias: own(vias),
            from: from.to_owned(),
            to: to.to_owned(),
            cseq: cseq.to_owned(),
            call_id: call_id.to_owned(),
            contacts: own(contacts),
            body: read.body.clone(),
        };
        assert_eq!(read, expected, "{name}");
    }
    let long = facts("longreq", find(&samples, "longreq.dat"));
    assert_eq!((long.vias, long.from, long.contacts), (own(&long_vias), long_from, vec![long_contact]));
    assert_eq!((long.start.as_str(), long.cseq.as_str(), long.body.len()), ("INVITE", "3882340 INVITE", 150));
    assert!(long.call_id.starts_with("longreq.onereallyreally") && long.to.starts_with("sip:user@example.com:6000;"));
}

#[test]
fn every_message_is_written_as_it_was_read() {
    let Some(samples) = corpus() else { return };
    for (name, expected) in OUTCOMES.iter().filter(|(_, expected)| *expected == Outcome::Passes) {
        let bytes = find(&samples, &format!("{name}.dat"));
        let written = Message::parse(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}")).to_bytes();
        assert_eq!((outcome(&written), facts(name, &written)), (expected.clone(), facts(name, bytes)), "{name}");
    }
}

#[test]
fn names_and_parameters_are_read_as_meant() {
    let Some(samples) = corpus() else { return };
    let read = |name: &str| request(name, find(&samples, &format!("{name}.dat")));
    let wsinv = read("wsinv");
    assert_eq!(wsinv.headers().from().expect("valid").display_name(), Some("J Rosenberg \\\""));
    assert_eq!(wsinv.headers().max_forwards(), Some(68));
    let contact = wsinv.headers().contact().expect("valid");
    assert_eq!(contact.display_name(), Some("Quoted string \"\""));
    assert_eq!((contact.params.get("newparam"), contact.params.get("q")), (Some("newvalue"), Some("0.33")));
    assert!(contact.params.has("secondparam"));
    let route = &wsinv.headers().routes().expect("valid")[0];
    assert!(route.uri.params().is_some_and(|params| params.has("lr") && params.get("unknownwith") == Some("value")));
    let folded = HeaderName::try_from("newfangledheader").expect("a token");
    assert_eq!(wsinv.headers().first(&folded), Some(&b"newfangled value continued newfangled value"[..]));
    let intmeth = read("intmeth");
    assert_eq!(intmeth.headers().to().expect("valid").display_name(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    let from = intmeth.headers().from().expect("valid");
    assert_eq!(from.display_name(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(read("lwsdisp").headers().from().expect("valid").display_name(), Some("caller"));
    assert_eq!(read("esc02").headers().to().expect("valid").display_name(), Some("%Z%45"));
    let unreason = response("unreason", find(&samples, "unreason.dat"));
    assert_eq!(unreason.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(response("noreason", find(&samples, "noreason.dat")).reason(), "");
}

#[test]
fn escapes_in_a_user_part_are_no_separators() {
    let Some(samples) = corpus() else { return };
    let uri = request("esc01", find(&samples, "esc01.dat")).uri().clone();
    let Uri::Sip(uri) = uri else { panic!("a SIP URI") };
    assert_eq!(uri.host.to_string(), "example.net");
    assert_eq!(uri.user.map(|user| user.unescaped()).as_deref(), Some("sips:user@example.com"));
    let contacts = request("escnull", find(&samples, "escnull.dat")).headers().contacts().expect("valid");
    let uris: Vec<_> = contacts.iter().filter_map(|contact| contact.address()).map(|address| &address.uri).collect();
    assert!(uris.len() == 2 && !uris[0].equivalent(uris[1]), "two contacts, and distinct");
}

#[test]
fn what_the_user_agent_needs_is_there() {
    let Some(samples) = corpus() else { return };
    let read = |name: &str| request(name, find(&samples, &format!("{name}.dat")));
    for name in ["intmeth", "esc02"] {
        assert!(matches!(read(name).method(), Method::Other(_)), "{name}: to be answered 501");
    }
    assert_eq!(read("bext01").headers().require(), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert_eq!(read("bext01").headers().elements(&HeaderName::ProxyRequire).count(), 2);
    assert_eq!(read("invut").content_type().as_deref(), Some("application/unknownformat"));
    assert_eq!(read("mpart01").content_type().as_deref(), Some("multipart/mixed"));
    let credentials = read("regaut01").headers().credentials(&HeaderName::Authorization);
    assert!(credentials.len() == 1 && !credentials[0].is_digest(), "an unknown scheme, to be ignored");
    assert_eq!(read("zeromf").headers().max_forwards(), Some(0));
    for name in ["badbranch", "inv2543"] {
        let via = read(name).headers().top_via().expect("valid");
        assert!(!via.has_rfc3261_branch(), "{name}: to be matched by the keys of RFC 2543");
    }
    assert_eq!(read("unksm2").headers().to().expect("valid").uri.scheme(), "isbn");
    assert_eq!(read("sdp01").headers().elements(&HeaderName::Accept).collect::<Vec<_>>(), [b"text/nobodyKnowsThis"]);
}

#[test]
fn parameters_belong_to_the_field_or_to_the_uri() {
    let Some(samples) = corpus() else { return };
    let contact =
        |name: &str| request(name, find(&samples, &format!("{name}.dat"))).headers().contact().expect("a contact");
    assert!(contact("cparam01").params.has("unknownparam"));
    assert!(contact("cparam02").params.is_empty());
    assert!(contact("cparam02").uri.params().is_some_and(|params| params.has("unknownparam")));
    let uri = contact("regescrt").uri;
    assert_eq!(uri.as_sip().and_then(|uri| uri.headers()), Some("Route=%3Csip:sip.example.com%3E"));
    assert!(uri.as_sip().is_some_and(|uri| uri.as_request_uri().headers().is_none()));
}

#[test]
fn numbers_that_are_too_large_are_clamped() {
    let Some(samples) = corpus() else { return };
    let scalar = request("scalar02", find(&samples, "scalar02.dat"));
    assert_eq!(scalar.headers().expires(), Some(u32::MAX));
    assert_eq!(scalar.headers().contact().and_then(|contact| contact.expires()), Some(u32::MAX));
    let unavailable = response("scalarlg", find(&samples, "scalarlg.dat"));
    assert_eq!(unavailable.headers().retry_after(), Some(u32::MAX));
}

#[test]
fn the_message_that_nobody_understands_is_dropped() {
    let Some(directory) = rfc("rfc4475") else { return };
    for (name, bytes) in samples(&directory.join("extra"), Some("dat")) {
        assert_ne!(outcome(&bytes), Outcome::Passes, "{name}");
    }
}
