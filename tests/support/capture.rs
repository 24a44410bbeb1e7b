//! tshark as the ear on the wire: what really left the daemon, read by a program that knows nothing of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A capture under way on the loopback interface.
pub struct Capture {
    child: Child,
    file: PathBuf,
    port: u16,
}

/// One RTP packet as tshark read it.
#[derive(Clone, Debug)]
pub struct RtpPacket {
    /// Seconds since the capture's start.
    pub at: f64,
    pub source_port: u16,
    pub ssrc: String,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub payload: Vec<u8>,
}

impl Capture {
    /// Starts to capture what is sent to `port` on 127.0.0.1; returns once tshark is listening.
    pub fn start(folder: &Path, port: u16) -> Capture {
        let file = folder.join("carrier.pcap");
        let mut child = Command::new("tshark")
            .args(["-i", "lo", "-F", "pcap", "-f", &format!("udp dst port {port}"), "-w"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tshark starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let started = lines.any(|line| line.contains("Capture started") || line.contains("Capturing on"));
        assert!(started, "tshark ended before it captured; it needs the right to capture on lo");
        std::thread::spawn(move || lines.for_each(drop));
        Capture { child, file, port }
    }

    /// Ends the capture and reads its RTP.
    pub fn finish(mut self) -> Vec<RtpPacket> {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        self.child.wait().expect("tshark was started by us");
        let out = Command::new("tshark")
            .arg("-r")
            .arg(&self.file)
            .args(["-d", &format!("udp.port=={},rtp", self.port), "-Y", "rtp", "-T", "fields"])
            .args(["-e", "frame.time_relative", "-e", "udp.srcport", "-e", "rtp.ssrc", "-e", "rtp.seq"])
            .args(["-e", "rtp.timestamp", "-e", "rtp.marker", "-e", "rtp.p_type", "-e", "rtp.payload"])
            .output()
            .expect("tshark reads its capture");
        String::from_utf8_lossy(&out.stdout).lines().map(parse_line).collect()
    }
}

fn parse_line(line: &str) -> RtpPacket {
    let fields: Vec<&str> = line.split('\t').collect();
    assert!(fields.len() >= 8, "tshark printed {line:?}");
    let hex: String = fields[7].chars().filter(char::is_ascii_hexdigit).collect();
    RtpPacket {
        at: fields[0].parse().expect("a time"),
        source_port: fields[1].parse().expect("a port"),
        ssrc: fields[2].to_owned(),
        sequence: fields[3].parse().expect("a sequence number"),
        timestamp: fields[4].parse().expect("a timestamp"),
        marker: matches!(fields[5], "1" | "True"),
        payload_type: fields[6].parse().expect("a payload type"),
        payload: (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("filtered to hex digits"))
            .collect(),
    }
}
