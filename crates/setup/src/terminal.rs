//! A question on the terminal whose answer is not shown.
//!
//! Always: the terminal is as before afterwards, also when the answer is broken off with Ctrl-C; standard
//! input and output may be something else. Not here: questions whose answers may be seen.

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use zeroize::{Zeroize, Zeroizing};

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const CLEAR: u8 = 21;
const DELETE: u8 = 127;

/// Asks on the terminal of the process. `None` where it has none.
///
/// # Errors
/// Where the terminal fails, or the answer is broken off or empty.
pub fn ask_secret(question: &str) -> io::Result<Option<String>> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    let Ok(before) = tcgetattr(&terminal) else { return Ok(None) };
    let mut hidden = before.clone();
    // Byte by byte and without signals: a signal that ends the process would leave the echo off.
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
    hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
    let _restored = Restored { terminal: terminal.try_clone()?, before };
    // Asked when nothing that is typed is shown or thrown away any more.
    terminal.write_all(question.as_bytes())?;
    let answer = read_line(&mut terminal);
    let _ = terminal.write_all(b"\n");
    answer.map(Some)
}

/// Puts the terminal back when it is dropped.
struct Restored {
    terminal: File,
    before: Termios,
}

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// The bytes up to the end of the line, with the usual keys for taking back.
fn read_line(input: &mut impl Read) -> io::Result<String> {
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    let mut byte = [0];
    loop {
        let end = input.read(&mut byte)? == 0;
        match byte[0] {
            _ if end => break,
            b'\n' | b'\r' | END => break,
            INTERRUPT => return Err(io::Error::new(io::ErrorKind::Interrupted, "broken off")),
            BACKSPACE | DELETE => while line.pop().is_some_and(|last| last & 0xC0 == 0x80) {},
            CLEAR => line.clear(),
            other => line.push(other),
        }
    }
    byte.zeroize();
    match std::str::from_utf8(&line) {
        Ok("") => Err(io::Error::new(io::ErrorKind::InvalidInput, "the answer is empty")),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not text (UTF-8)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_for_taking_back_work() {
        for (typed, wanted) in [
            ("open\n", Some("open")),
            ("opem\x7fn\r", Some("open")),
            ("über\x08\x08\x08\x08open\n", Some("open")),
            ("no\x15open\x04", Some("open")),
            ("open", Some("open")),
            ("half\x03", None),
            ("\n", None),
        ] {
            assert_eq!(read_line(&mut typed.as_bytes()).ok().as_deref(), wanted, "{typed:?}");
        }
    }
}
