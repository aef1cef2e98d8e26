//! Frames of format 1, as they are on the wire.
//!
//! Always: reading never panics, whatever the bytes; what is read and written again is the same bytes.
//! Source: ECHONET Lite Specification 1.14, part II, 3.2. Not here: what properties mean.

use std::fmt;

/// The header of format 1.
const HEADER: [u8; 2] = [0x10, 0x81];

/// Objects of a node: a class and which of that class, from 1. Instance 0 means all of the class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eoj {
    class: u16,
    instance: u8,
}

impl Eoj {
    /// An object.
    pub const fn new(class: u16, instance: u8) -> Self {
        Self { class, instance }
    }

    /// From `027901`: six hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(text, 16).ok()?;
        Some(Self::from_bytes([(number >> 16) as u8, (number >> 8) as u8, number as u8]))
    }

    /// From its three bytes.
    pub const fn from_bytes(bytes: [u8; 3]) -> Self {
        Self { class: u16::from_be_bytes([bytes[0], bytes[1]]), instance: bytes[2] }
    }

    /// As three bytes.
    pub const fn bytes(self) -> [u8; 3] {
        let [group, class] = self.class.to_be_bytes();
        [group, class, self.instance]
    }

    /// Its class: the group's code and the class' code.
    pub const fn class(self) -> u16 {
        self.class
    }

    /// Which of its class.
    pub const fn instance(self) -> u8 {
        self.instance
    }
}

impl fmt::Display for Eoj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}{:02X}", self.class, self.instance)
    }
}

impl fmt::Debug for Eoj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a frame asks for or tells (ESV; table 3-9 and following).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Service {
    /// What was not set of a [`Service::SetI`].
    SetISna = 0x50,
    /// What was not set of a [`Service::SetC`].
    SetCSna = 0x51,
    /// Not everything can be read.
    GetSna = 0x52,
    /// Not everything can be told.
    InfSna = 0x53,
    /// Not everything was set or can be read.
    SetGetSna = 0x5E,
    /// Sets, and wants no answer.
    SetI = 0x60,
    /// Sets, and wants an answer.
    SetC = 0x61,
    /// Reads.
    Get = 0x62,
    /// Asks for a notification.
    InfReq = 0x63,
    /// Sets, then reads.
    SetGet = 0x6E,
    /// All is set.
    SetRes = 0x71,
    /// All that was asked for.
    GetRes = 0x72,
    /// Tells something.
    Inf = 0x73,
    /// Tells something, and wants to know that it arrived.
    InfC = 0x74,
    /// It arrived.
    InfCRes = 0x7A,
    /// All is set, and all that was asked for.
    SetGetRes = 0x7E,
}

impl Service {
    const ALL: [Self; 16] = [
        Self::SetISna,
        Self::SetCSna,
        Self::GetSna,
        Self::InfSna,
        Self::SetGetSna,
        Self::SetI,
        Self::SetC,
        Self::Get,
        Self::InfReq,
        Self::SetGet,
        Self::SetRes,
        Self::GetRes,
        Self::Inf,
        Self::InfC,
        Self::InfCRes,
        Self::SetGetRes,
    ];

    /// Its byte.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From its byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.code() == code)
    }

    /// Whether two lists of properties follow: what is set, then what is read.
    const fn has_two_lists(self) -> bool {
        matches!(self, Self::SetGet | Self::SetGetRes | Self::SetGetSna)
    }
}

/// A property: its code, and its data where there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its code (EPC).
    pub epc: u8,
    /// Its data (EDT), at most 255 bytes; empty where it is only named.
    pub edt: Vec<u8>,
}

impl Property {
    /// A property with its data.
    pub fn new(epc: u8, edt: impl Into<Vec<u8>>) -> Self {
        Self { epc, edt: edt.into() }
    }

    /// A property that is only named.
    pub const fn named(epc: u8) -> Self {
        Self { epc, edt: Vec::new() }
    }
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The number of the exchange (TID), which an answer repeats.
    pub tid: u16,
    /// Whose it is.
    pub from: Eoj,
    /// For whom it is.
    pub to: Eoj,
    /// What it asks or tells.
    pub service: Service,
    /// The properties; of a service that sets and reads, those that it sets.
    pub properties: Vec<Property>,
    /// The properties that a service that sets and reads, reads; of others none.
    pub read: Vec<Property>,
}

/// Why bytes are no frame of format 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another format or another protocol.
    #[error("it does not begin with 10 81")]
    Header,
    /// It ends too early.
    #[error("it ends before its properties do")]
    Short,
    /// Something follows.
    #[error("{0} bytes follow its properties")]
    Long(usize),
    /// A service that is none.
    #[error("there is no service {0:02X}")]
    Service(u8),
}

impl Frame {
    /// Reads a frame.
    ///
    /// # Errors
    /// Where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Rest(bytes);
        if rest.take::<2>()? != HEADER {
            return Err(Malformed::Header);
        }
        let tid = u16::from_be_bytes(rest.take()?);
        let (from, to) = (Eoj::from_bytes(rest.take()?), Eoj::from_bytes(rest.take()?));
        let [code] = rest.take()?;
        let service = Service::from_code(code).ok_or(Malformed::Service(code))?;
        let properties = rest.properties()?;
        let read = if service.has_two_lists() { rest.properties()? } else { Vec::new() };
        match rest.0.len() {
            0 => Ok(Self { tid, from, to, service, properties, read }),
            more => Err(Malformed::Long(more)),
        }
    }

    /// Writes a frame. Of more than 255 properties, or 255 bytes of one, the rest is cut off.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.extend(self.tid.to_be_bytes());
        bytes.extend(self.from.bytes());
        bytes.extend(self.to.bytes());
        bytes.push(self.service.code());
        write(&mut bytes, &self.properties);
        if self.service.has_two_lists() {
            write(&mut bytes, &self.read);
        }
        bytes
    }
}

fn write(bytes: &mut Vec<u8>, properties: &[Property]) {
    const MOST: usize = u8::MAX as usize;
    bytes.push(properties.len().min(MOST) as u8);
    for Property { epc, edt } in properties.iter().take(MOST) {
        let edt = &edt[..edt.len().min(MOST)];
        bytes.extend([*epc, edt.len() as u8]);
        bytes.extend(edt);
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn properties(&mut self) -> Result<Vec<Property>, Malformed> {
        let [count] = self.take()?;
        (0..count).map(|_| self.property()).collect()
    }

    fn property(&mut self) -> Result<Property, Malformed> {
        let [epc, length] = self.take()?;
        let (edt, rest) = self.0.split_at_checked(usize::from(length)).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(Property::new(epc, edt))
    }
}

#[cfg(test)]
mod tests;
