//! What an object answered, read by size and unit.
//!
//! Always: data of another size than the table says are an error, never a guess; a number that stands for
//! no value is none. Not here: which properties there are (`registers`).

use super::probe::name;
use crate::echonet::{Answers, Eoj, PropertyMap};
use crate::reading::DeviceError;

/// What an object answered.
pub struct Values {
    /// The object.
    pub object: Eoj,
    /// What it says that it has.
    pub has: PropertyMap,
    /// What it answered of that.
    pub answers: Answers,
}

impl Values {
    /// An error where the object has no such property at all.
    pub fn must_have(&self, code: u8) -> Result<(), DeviceError> {
        if self.has.has(code) {
            return Ok(());
        }
        let what = name(self.object.class(), code);
        Err(DeviceError::Refused(format!("{} has no property {code:02X} ({what})", self.object)))
    }

    /// The data of a property; `None` where it was not answered.
    pub fn bytes<const N: usize>(&self, code: u8) -> Result<Option<[u8; N]>, DeviceError> {
        let Some(edt) = self.answers.get(&code) else { return Ok(None) };
        edt.as_slice()
            .try_into()
            .map(Some)
            .map_err(|_| self.nonsense(code, &format!("{} bytes where {N} belong", edt.len())))
    }

    /// One byte.
    pub fn byte(&self, code: u8) -> Result<Option<u8>, DeviceError> {
        Ok(self.bytes(code)?.map(|[byte]| byte))
    }

    /// A share in per cent.
    pub fn percent(&self, code: u8) -> Result<Option<u64>, DeviceError> {
        match self.byte(code)? {
            None | Some(0xFE | 0xFF) => Ok(None),
            Some(share @ 0..=100) => Ok(Some(share.into())),
            Some(more) => Err(self.nonsense(code, &format!("{more} %"))),
        }
    }

    /// Two bytes without sign.
    pub fn short(&self, code: u8) -> Result<Option<u64>, DeviceError> {
        Ok(self.bytes(code)?.map(u16::from_be_bytes).filter(|number| *number < 0xFFFE).map(u64::from))
    }

    /// Four bytes without sign.
    pub fn long(&self, code: u8) -> Result<Option<u64>, DeviceError> {
        Ok(self.bytes(code)?.and_then(long))
    }

    /// The second of two numbers of four bytes without sign: the most of a range.
    pub fn most(&self, code: u8) -> Result<Option<u64>, DeviceError> {
        let Some(bytes) = self.bytes::<8>(code)? else { return Ok(None) };
        let [.., a, b, c, d] = bytes;
        Ok(long([a, b, c, d]))
    }

    /// Four bytes with sign.
    pub fn signed(&self, code: u8) -> Result<Option<i64>, DeviceError> {
        let number = self.bytes(code)?.map(i32::from_be_bytes);
        Ok(number.filter(|number| !matches!(*number, i32::MAX | i32::MIN)).map(i64::from))
    }

    /// Word that a property shows what cannot be.
    pub fn nonsense(&self, code: u8, what: &str) -> DeviceError {
        let name = name(self.object.class(), code);
        DeviceError::Protocol(format!("{} shows {what} in {code:02X} ({name})", self.object))
    }
}

fn long(bytes: [u8; 4]) -> Option<u64> {
    let number = u32::from_be_bytes(bytes);
    (number < 0xFFFF_FFFE).then_some(u64::from(number))
}
