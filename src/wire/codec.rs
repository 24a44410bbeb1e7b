//! The audio codecs that ringcode speaks, and how SDP names them.

/// An audio codec. Opus and others join here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0 (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 §4.5.14).
    Pcma,
}

impl Codec {
    /// The encoding name of the `rtpmap` attribute (RFC 8866 §6.6); compare without case.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// RTP clock rate in Hz.
    pub const fn clock_rate(self) -> u32 {
        8000
    }

    /// The static payload type (RFC 3551 §6), for codecs that have one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
        }
    }

    /// The name used in configuration and on the command line: `pcmu`, `pcma`.
    pub const fn config_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "pcmu",
            Codec::Pcma => "pcma",
        }
    }

    /// The codec of a configuration name.
    pub fn from_config_name(name: &str) -> Option<Codec> {
        [Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| codec.config_name() == name)
    }

    /// RTP clock ticks in one packet of 20 ms.
    pub const fn ticks_per_frame(self) -> u32 {
        self.clock_rate() / 50
    }
}
