//! Cuts the bytes of a `text/event-stream` into events (WHATWG HTML, section 9.2.6).
//!
//! Always: the same events come out however the bytes were cut up on the way; an event that grows beyond
//! a limit is an error. Not here: what events mean; ids and retry times, which our streams do not need.

use std::collections::VecDeque;

/// The largest event that is read, in bytes.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) event: String,
    pub(super) data: String,
}

/// The bytes that have come and are no whole event yet.
#[derive(Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    after_return: bool,
    frame: Frame,
}

impl Frames {
    /// Takes more bytes and appends the events that are whole now.
    pub(super) fn push(&mut self, bytes: &[u8], ready: &mut VecDeque<Frame>) -> Result<(), String> {
        for &byte in bytes {
            // A line ends with CR, LF, or CR LF.
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    let line = std::str::from_utf8(&line).map_err(|error| error.to_string())?;
                    ready.extend(self.end_line(line));
                }
                _ => self.line.push(byte),
            }
        }
        if self.line.len() + self.frame.data.len() > MAX_FRAME_BYTES {
            return Err(format!("an event of more than {MAX_FRAME_BYTES} bytes"));
        }
        Ok(())
    }

    fn end_line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let mut frame = std::mem::take(&mut self.frame);
            let data = frame.data.pop();
            return data.map(|_| frame);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.frame.event = value.to_owned(),
            "data" => {
                self.frame.data.push_str(value);
                self.frame.data.push('\n');
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\r\n\r\nevent: block\r\nid: 7\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\
                          event: refused\ndata:x\n\ndata: half";

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut frames, mut ready) = (Frames::default(), VecDeque::new());
        pieces.iter().for_each(|piece| frames.push(piece, &mut ready).unwrap());
        ready.into_iter().map(|frame| (frame.event, frame.data)).collect()
    }

    #[test]
    fn the_same_events_come_out_however_the_bytes_are_cut() {
        let expected =
            vec![("block".to_owned(), "{\"a\":\n1}".to_owned()), ("refused".to_owned(), "x".to_owned())];
        for cut in 0..STREAM.len() {
            let (left, right) = STREAM.as_bytes().split_at(cut);
            assert_eq!(events(&[left, right]), expected, "cut at {cut}");
        }
    }
}
