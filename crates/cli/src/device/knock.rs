//! What a stranger's TCP port answers to four plain questions: Modbus, MQTT, HTTP, and silence.
//!
//! Always: only questions, each on a connection of its own and given up after a short while; nothing is
//! written to a device. Not here: devices that a driver knows.

use serde::Serialize;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Ports that devices usually have: Modbus, Modbus over TLS, MQTT, MQTT over TLS, pages.
const USUAL: [u16; 6] = [502, 802, 1883, 8883, 80, 443];
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Reads two holding registers from 40000 on, of unit 1 (Modbus application protocol 1.1b3, 6.3).
const MODBUS: &[u8] = &[0, 1, 0, 0, 0, 6, 1, 3, 0x9c, 0x40, 0, 2];
/// Connects as client "w" with a clean session (MQTT 3.1.1, 3.1).
const MQTT: &[u8] = &[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'w'];
const HTTP: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// What a port answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Which port.
    pub port: u16,
    /// What it seems to be.
    pub what: String,
    /// What would have to be there for using it.
    pub way: String,
}

/// Asks at a host's port, or at the usual ones.
pub async fn at(host: &str, port: Option<u16>) -> Vec<Seen> {
    let ports = port.map_or(USUAL.to_vec(), |port| vec![port]);
    let asked = ports.into_iter().map(|port| knock(host, port));
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Asks all questions at a port; `None` where nobody accepts connections.
async fn knock(host: &str, port: u16) -> Option<Seen> {
    let mut heard = Vec::new();
    for question in [MODBUS, MQTT, HTTP] {
        let answer = ask(host, port, question).await?;
        if let Some((what, way)) = understood(&answer) {
            return Some(Seen { port, what, way });
        }
        if !answer.is_empty() {
            heard = answer;
        }
    }
    let what = if heard.is_empty() {
        "accepts connections and answers neither Modbus, nor MQTT, nor HTTP".to_owned()
    } else {
        let first: Vec<_> = heard.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("answers something unknown, beginning with the bytes {}", first.join(" "))
    };
    Some(Seen { port, what, way: "its protocol needs a driver of its own (docs/drivers.md)".to_owned() })
}

/// The first bytes of an answer; empty where there is none; `None` where there is no connection.
async fn ask(host: &str, port: u16, question: &[u8]) -> Option<Vec<u8>> {
    let mut stream = timeout(PATIENCE, TcpStream::connect((host, port))).await.ok()?.ok()?;
    let mut answer = vec![0; 512];
    let conversation = async {
        stream.write_all(question).await?;
        stream.read(&mut answer).await
    };
    let length = timeout(PATIENCE, conversation).await.ok().and_then(Result::ok).unwrap_or(0);
    answer.truncate(length);
    Some(answer)
}

/// What an answer says, and the way to use who gave it.
fn understood(answer: &[u8]) -> Option<(String, String)> {
    let words = |what: &str, way: &str| Some((what.to_owned(), way.to_owned()));
    match answer {
        [0, 1, 0, 0, _, _, _, 3, 4, b'S', b'u', b'n', b'S', ..] => words(
            "speaks Modbus TCP and has SunSpec models",
            "the probe's words above say which models are missing",
        ),
        [0, 1, 0, 0, _, _, _, 3, ..] => words(
            "speaks Modbus TCP, without SunSpec's mark at register 40000",
            "describe its registers from its manual in a driver made from the template (docs/drivers.md)",
        ),
        [0, 1, 0, 0, _, _, _, 0x83, code, ..] => Some((
            format!("speaks Modbus TCP, and refuses to read register 40000 of unit 1 (exception {code})"),
            "it may answer as another unit (--units); without SunSpec, describe its registers from its manual \
             in a driver made from the template (docs/drivers.md)"
                .to_owned(),
        )),
        [0x20, 2, _, 0, ..] => words(
            "is an MQTT broker that lets anybody in",
            "name the topics of a meter: mqtt:// in wattbook device drivers",
        ),
        [0x20, 2, _, _, ..] => words(
            "is an MQTT broker that wants a name and a password",
            "name topics and credentials of a meter: mqtt:// in wattbook device drivers",
        ),
        [b'H', b'T', b'T', b'P', b'/', ..] => Some((
            format!("serves pages ({})", server(answer)),
            "look there in a browser whether Modbus TCP or MQTT can be switched on".to_owned(),
        )),
        [0x15, 3, _, ..] => words(
            "speaks TLS",
            "name certificates in the address: sunspec+tls:// or mqtts:// in wattbook device drivers",
        ),
        _ => None,
    }
}

/// Who serves pages, as it says itself.
fn server(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let named = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("server").then(|| value.trim().to_owned())
    });
    named.unwrap_or_else(|| "it does not say who it is".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of an answer, and what is said.
    const ANSWERS: &[(&[u8], &str)] = &[
        (&[0, 1, 0, 0, 0, 7, 1, 3, 4, b'S', b'u', b'n', b'S'], "has SunSpec models"),
        (&[0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 0, 0, 0], "without SunSpec's mark"),
        (&[0, 1, 0, 0, 0, 3, 1, 0x83, 2], "exception 2"),
        (&[0x20, 2, 0, 5], "wants a name and a password"),
        (b"HTTP/1.1 200 OK\r\nServer: boa/0.94\r\n\r\n", "boa/0.94"),
        (&[0x15, 3, 1, 0, 2, 2, 50], "speaks TLS"),
    ];

    #[test]
    fn strangers_are_recognised_by_their_first_bytes() {
        for (answer, words) in ANSWERS {
            let (what, _) = understood(answer).unwrap();
            assert!(what.contains(words), "{what}");
        }
        assert_eq!(understood(b"SSH-2.0-x"), None);
        assert_eq!(understood(&[]), None);
    }
}
