//! Messages cut from datagrams and streams (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! A datagram is one message, which [`Message::parse`](super::message::Message::parse) cuts by its Content-Length. A
//! stream is cut here, incrementally: each byte is looked at once, whatever pieces it comes in, and memory grows with
//! what has arrived, never with what was announced.

use bytes::{Buf, Bytes, BytesMut};

use super::message::{MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, announced_length};

/// Whether a datagram is no message but keeps a NAT binding open: empty, or line breaks or NULs only.
pub fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message, for `Message::parse`.
    Message(Bytes),
    /// A CRLF between messages: two of them from a client are a ping, one from a server is its pong.
    LineBreak,
}

/// Why a stream cannot be cut any further; it has lost its frame, so the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Start line and headers are longer than [`MAX_HEADER_BYTES`].
    #[error("the headers are too long")]
    HeadTooLong,
    /// The message would be longer than [`MAX_MESSAGE_BYTES`].
    #[error("the message is too long")]
    MessageTooLong,
    /// Content-Length is missing, which streams need, or no number, or given twice, differently.
    #[error("Content-Length is missing or no number")]
    BadContentLength,
    /// The header lines cannot be told apart.
    #[error("the headers are malformed")]
    BadHead,
}

/// Cuts one direction of a stream into frames.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no end of headers.
    scanned: usize,
    /// Length of the whole message, once its headers have come.
    length: Option<usize>,
    failed: Option<FramingError>,
    #[cfg(test)]
    looked_at: usize,
}

impl StreamFramer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        StreamFramer::default()
    }

    /// Takes what has arrived. Call [`StreamFramer::next_frame`] until it has nothing before the next call, so that
    /// at most one message and one piece are held. Nothing is taken after an error.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next frame, when it has come whole. After an error, the same error.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.cut().inspect_err(|error| {
                self.failed = Some(*error);
                self.buffer = BytesMut::new();
            }),
        }
    }

    fn cut(&mut self) -> Result<Option<Frame>, FramingError> {
        if self.scanned == 0 {
            match *self.buffer {
                [b'\r', b'\n', ..] => {
                    self.buffer.advance(2);
                    return Ok(Some(Frame::LineBreak));
                }
                // RFC 3261 §7.5; a LF alone ends a line here as it does in the headers.
                [b'\n', ..] => {
                    self.buffer.advance(1);
                    return Ok(Some(Frame::LineBreak));
                }
                [] | [b'\r'] => return Ok(None),
                _ => {}
            }
        }
        let length = match self.length {
            Some(length) => length,
            None => match self.find_head()? {
                Some(head) => {
                    let body = announced_length(&self.buffer[..head]).map_err(|()| FramingError::BadHead)?;
                    let body = body.ok_or(FramingError::BadContentLength)?;
                    let length = head.saturating_add(body);
                    if length > MAX_MESSAGE_BYTES {
                        return Err(FramingError::MessageTooLong);
                    }
                    *self.length.insert(length)
                }
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.length = None;
        self.scanned = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// The length of start line, headers and the empty line after them, once they are there.
    fn find_head(&mut self) -> Result<Option<usize>, FramingError> {
        while let Some(byte) = self.buffer.get(self.scanned) {
            if self.scanned == MAX_HEADER_BYTES {
                return Err(FramingError::HeadTooLong);
            }
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
            self.scanned += 1;
            if *byte == b'\n' {
                let before = &self.buffer[..self.scanned - 1];
                if before.ends_with(b"\n") || before.ends_with(b"\n\r") {
                    return Ok(Some(self.scanned));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "OPTIONS sip:a@b SIP/2.0\r\nContent-Type: text/plain\r\nl: 5\r\n\r\nab\r\n\r";
    const SECOND: &str = "BYE sip:a@b SIP/2.0\nContent-Length : 0\n\n";

    fn frames(framer: &mut StreamFramer) -> Vec<Frame> {
        std::iter::from_fn(|| framer.next_frame().expect("framed")).collect()
    }

    fn message(text: &str) -> Frame {
        Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn two_messages_in_one_piece_are_told_apart() {
        let mut framer = StreamFramer::new();
        framer.push(format!("\r\n\r\n{FIRST}{SECOND}\r\n").as_bytes());
        let line_break = Frame::LineBreak;
        let expected = [line_break.clone(), line_break.clone(), message(FIRST), message(SECOND), line_break];
        assert_eq!(frames(&mut framer), expected);
        assert_eq!(framer.held(), 0);
    }

    #[test]
    fn a_byte_at_a_time_costs_no_more_looks() {
        let stream = format!("{FIRST}{SECOND}");
        let mut framer = StreamFramer::new();
        let mut cut = Vec::new();
        for byte in stream.as_bytes() {
            framer.push(&[*byte]);
            cut.extend(frames(&mut framer));
        }
        assert_eq!(cut, [message(FIRST), message(SECOND)]);
        assert_eq!(framer.looked_at, stream.len() - 5, "every byte but the body's is looked at once");
    }

    #[test]
    fn what_is_announced_takes_no_memory() {
        let mut framer = StreamFramer::new();
        framer.push(b"OPTIONS sip:a@b SIP/2.0\r\nl: 60000\r\n\r\n");
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(framer.buffer.capacity() < 1000);
    }

    #[test]
    fn caps_and_bad_lengths_end_the_stream() {
        for (head, error) in [
            ("l: -1\r\n", FramingError::BadHead),
            ("l: 18446744073709551616\r\n", FramingError::MessageTooLong),
            ("l: 4294967296\r\n", FramingError::MessageTooLong),
            ("l: 65536\r\n", FramingError::MessageTooLong),
            ("l: 1\r\nContent-Length: 2\r\n", FramingError::BadHead),
            ("X: y\r\n", FramingError::BadContentLength),
            ("no colon\r\n", FramingError::BadHead),
        ] {
            let mut framer = StreamFramer::new();
            framer.push(format!("OPTIONS sip:a@b SIP/2.0\r\n{head}\r\n").as_bytes());
            assert_eq!(framer.next_frame(), Err(error), "{head}");
            framer.push(SECOND.as_bytes());
            assert_eq!((framer.next_frame(), framer.held()), (Err(error), 0), "{head}");
        }
        let mut framer = StreamFramer::new();
        framer.push(&vec![b'x'; MAX_HEADER_BYTES + 1]);
        assert_eq!(framer.next_frame(), Err(FramingError::HeadTooLong));
        let mut framer = StreamFramer::new();
        framer.push(format!("OPTIONS sip:a@b SIP/2.0\r\n{}l: 0\r\n\r\n", "X: y\r\n".repeat(1000)).as_bytes());
        assert_eq!(framer.next_frame(), Err(FramingError::BadHead), "too many fields");
    }

    #[test]
    fn keep_alives_are_no_messages() {
        for datagram in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
            assert!(is_keep_alive(datagram), "{datagram:?}");
        }
        assert!(!is_keep_alive(SECOND.as_bytes()));
    }
}
