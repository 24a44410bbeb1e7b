//! The `response` of digest credentials (RFC 7616 §3.4.1-3.4.3), the same for both sides.

use super::algorithm::Algorithm;
use crate::base::secret::Secret;

/// A quality of protection that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// The method and the URI are protected.
    Auth,
    /// The body is protected as well.
    AuthInt,
}

impl Qop {
    /// Reads one option, without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| qop.as_str().eq_ignore_ascii_case(text))
    }

    /// The option's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

/// Everything that goes into a response.
pub(super) struct Calculation<'a> {
    pub algorithm: Algorithm,
    pub username: &'a str,
    pub realm: &'a str,
    pub password: &'a Secret,
    pub nonce: &'a str,
    /// The client's nonce; empty where there is none.
    pub cnonce: &'a str,
    /// The option and the nonce count as written; `None` is the form of RFC 2069.
    pub qop: Option<(Qop, &'a str)>,
    pub method: &'a str,
    pub uri: &'a str,
    pub body: &'a [u8],
}

impl Calculation<'_> {
    /// The response in lower-case hex.
    pub fn response(&self) -> String {
        let hash = self.algorithm.hash;
        let (nonce, cnonce) = (self.nonce.as_bytes(), self.cnonce.as_bytes());
        // RFC 7616 §3.4.2
        let password = self.password.expose().as_bytes();
        let mut ha1 = hash.of_parts(&[self.username.as_bytes(), self.realm.as_bytes(), password]);
        if self.algorithm.session {
            ha1 = hash.of_parts(&[ha1.as_bytes(), nonce, cnonce]);
        }
        // RFC 7616 §3.4.3
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            Some((Qop::AuthInt, _)) => {
                let body = hash.of_parts(&[self.body]);
                hash.of_parts(&[method, uri, body.as_bytes()])
            }
            Some((Qop::Auth, _)) | None => hash.of_parts(&[method, uri]),
        };
        // RFC 7616 §3.4.1; RFC 2069 §2.1.2 for the form without qop
        match self.qop {
            Some((qop, nonce_count)) => {
                let (count, qop) = (nonce_count.as_bytes(), qop.as_str().as_bytes());
                hash.of_parts(&[ha1.as_bytes(), nonce, count, cnonce, qop, ha2.as_bytes()])
            }
            None => hash.of_parts(&[ha1.as_bytes(), nonce, ha2.as_bytes()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1
    fn rfc_7616(algorithm: Algorithm) -> String {
        Calculation {
            algorithm,
            username: "Mufasa",
            realm: "http-auth@example.org",
            password: &Secret::new("Circle of Life"),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            qop: Some((Qop::Auth, "00000001")),
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        }
        .response()
    }

    #[test]
    fn rfc_7616_section_3_9_1() {
        assert_eq!(rfc_7616(Algorithm::MD5), "8ca523f5e9506fed4657c9700eebdbec");
        let sha256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(rfc_7616(Algorithm::SHA_256), sha256);
    }

    #[test]
    fn rfc_7616_section_3_9_2_as_corrected_by_erratum_4897() {
        let response = Calculation {
            algorithm: Algorithm::SHA_512_256,
            username: "J\u{e4}s\u{f8}n Doe",
            realm: "api@example.org",
            password: &Secret::new("Secret, or not?"),
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            qop: Some((Qop::Auth, "00000001")),
            method: "GET",
            uri: "/doe.json",
            body: b"",
        }
        .response();
        assert_eq!(response, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
    }

    #[test]
    fn rfc_2617_section_3_5() {
        let response = Calculation {
            algorithm: Algorithm::MD5,
            username: "Mufasa",
            realm: "testrealm@host.com",
            password: &Secret::new("Circle Of Life"),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            qop: Some((Qop::Auth, "00000001")),
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        }
        .response();
        assert_eq!(response, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn rfc_2069_section_2_4_as_corrected() {
        let response = Calculation {
            algorithm: Algorithm::MD5,
            username: "Mufasa",
            realm: "testrealm@host.com",
            password: &Secret::new("CircleOfLife"),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "",
            qop: None,
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        }
        .response();
        assert_eq!(response, "1949323746fe6a43ef61f9606e7febea");
    }

    /// The SIP examples of draft-smith-sipping-auth-examples-01 §3, on an INVITE.
    #[test]
    fn sip_examples_of_every_option() {
        let body = b"v=0\r\n\
            o=bob 2890844526 2890844526 IN IP4 media.biloxi.com\r\n\
            s=-\r\n\
            c=IN IP4 media.biloxi.com\r\n\
            t=0 0\r\n\
            m=audio 49170 RTP/AVP 0\r\n\
            a=rtpmap:0 PCMU/8000\r\n\
            m=video 51372 RTP/AVP 31\r\n\
            a=rtpmap:31 H261/90000\r\n\
            m=video 53000 RTP/AVP 32\r\n\
            a=rtpmap:32 MPV/90000\r\n";
        let session = Algorithm { session: true, ..Algorithm::MD5 };
        for (algorithm, qop, response) in [
            (Algorithm::MD5, None, "bf57e4e0d0bffc0fbaedce64d59add5e"),
            (Algorithm::MD5, Some(Qop::Auth), "89eb0059246c02b2f6ee02c7961d5ea3"),
            (Algorithm::MD5, Some(Qop::AuthInt), "bdbeebb2da6adb6bca02599c2239e192"),
            (session, Some(Qop::Auth), "e4e4ea61d186d07a92c9e1f6919902e9"),
            (session, Some(Qop::AuthInt), "91984da2d8663716e91554859c22ca70"),
        ] {
            let calculation = Calculation {
                algorithm,
                username: "bob",
                realm: "biloxi.com",
                password: &Secret::new("zanzibar"),
                nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                cnonce: if qop.is_some() { "0a4f113b" } else { "" },
                qop: qop.map(|qop| (qop, "00000001")),
                method: "INVITE",
                uri: "sip:bob@biloxi.com",
                body,
            };
            assert_eq!(calculation.response(), response, "{algorithm} {qop:?}");
        }
    }
}
