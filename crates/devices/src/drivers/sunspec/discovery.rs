//! Where a device has its models.
//!
//! Always: nothing is assumed of positions; the walk is bounded, whatever the device claims; what is found
//! belongs to one connection and is looked for again on the next, as another device may be there by then.
//! Source: SunSpec Device Information Model Specification, version 1.2 (2022), section 6.

use super::tables::{Table, common, table};
use crate::modbus::{Exception, Failure, Link};

/// Where a device may begin.
const BASES: [u16; 3] = [40_000, 0, 50_000];

/// "SunS".
const MARKER: [u16; 2] = [0x5375, 0x6e53];

/// More models than any device has.
const MOST_MODELS: usize = 128;

/// A device's models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    /// The connection over which they were found.
    pub(super) connection: u64,
    /// Where the marker is.
    pub(super) base: u16,
    pub(super) models: Vec<Placed>,
    /// What is odd about them.
    pub(super) remarks: Vec<String>,
    pub(super) identity: Identity,
}

/// A model's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) id: u16,
    /// The register of its id.
    pub(super) at: u16,
    /// How many registers follow its id and length.
    pub(super) length: u16,
}

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) version: Option<String>,
}

/// Why no models were found.
#[derive(Debug)]
pub(super) enum NotFound {
    /// The device could not be asked.
    Failure(Failure),
    /// It answers Modbus, but is no SunSpec device; what stands where its marker should.
    NoMarker(Vec<String>),
    /// Its models lead nowhere.
    Broken(String),
}

impl Map {
    /// The first of some models that the device has.
    pub(super) fn first_of(&self, tables: &[&'static Table]) -> Option<(&'static Table, Placed)> {
        tables.iter().find_map(|table| Some((*table, self.placed(table.id)?)))
    }

    /// A model's place.
    pub(super) fn placed(&self, id: u16) -> Option<Placed> {
        self.models.iter().copied().find(|placed| placed.id == id)
    }
}

/// Looks for a unit's models.
pub(super) async fn discover(link: &Link, unit: u8, base: Option<u16>) -> Result<Map, NotFound> {
    let (base, connection) = find_marker(link, unit, base).await?;
    let mut map =
        Map { connection, base, models: Vec::new(), remarks: Vec::new(), identity: Identity::default() };
    let mut at = u32::from(base) + 2;
    loop {
        let Ok(here) = u16::try_from(at) else {
            return Err(NotFound::Broken(format!("its models reach beyond register 65535, from {base} on")));
        };
        let header = match link.read(unit, Some(connection), here, 2).await {
            Ok(words) => words.words,
            // Some devices have no end marker.
            Err(Failure::Exception(Exception::IllegalDataAddress)) if !map.models.is_empty() => {
                map.remarks.push("behind its last model no end is marked".to_owned());
                break;
            }
            Err(failure) => return Err(NotFound::Failure(failure)),
        };
        let (id, length) = (header[0], header[1]);
        if id == 0xffff {
            break;
        }
        if id == 0 || map.models.len() == MOST_MODELS {
            return Err(NotFound::Broken(format!("no model can be at register {here}: its number is {id}")));
        }
        map.models.push(Placed { id, at: here, length });
        at += u32::from(length) + 2;
    }
    notice_oddities(&mut map);
    map.identity = identity(link, unit, &map).await?;
    Ok(map)
}

async fn find_marker(link: &Link, unit: u8, base: Option<u16>) -> Result<(u16, u64), NotFound> {
    let bases = base.map_or(BASES.to_vec(), |base| vec![base]);
    let mut seen = Vec::new();
    for base in bases {
        match link.read(unit, None, base, 2).await {
            Ok(words) if words.words == MARKER => return Ok((base, words.connection)),
            Ok(words) => {
                seen.push(format!("at register {base}: {:04x} {:04x}", words.words[0], words.words[1]));
            }
            Err(Failure::Exception(
                exception @ (Exception::GatewayPathUnavailable | Exception::GatewayTargetDevice),
            )) => {
                return Err(NotFound::Failure(Failure::Exception(exception)));
            }
            Err(failure @ Failure::Exception(_)) => seen.push(format!("at register {base}: {failure}")),
            Err(failure) => return Err(NotFound::Failure(failure)),
        }
    }
    Err(NotFound::NoMarker(seen))
}

fn notice_oddities(map: &mut Map) {
    if map.models.first().is_none_or(|first| first.id != common::COMMON.id) {
        map.remarks.push("its first model is not model 1".to_owned());
    }
    for placed in &map.models {
        // Model 1 comes with and without its last register.
        let short = table(placed.id).filter(|table| placed.length + 1 < table.length);
        if let Some(table) = short {
            map.remarks.push(format!(
                "model {} has {} registers, fewer than the {} of its definition",
                placed.id, placed.length, table.length
            ));
        }
    }
}

async fn identity(link: &Link, unit: u8, map: &Map) -> Result<Identity, NotFound> {
    let Some(placed) = map.placed(common::COMMON.id) else { return Ok(Identity::default()) };
    let count = (placed.length + 2).min(common::COMMON.length + 2);
    let read = link.read(unit, Some(map.connection), placed.at, count).await.map_err(NotFound::Failure)?;
    let block = super::decode::Block {
        table: &common::COMMON,
        first: 0,
        words: read.words,
        time: wattbook_types::Timestamp::from_millis(0),
    };
    Ok(Identity {
        manufacturer: block.text("Mn"),
        model: block.text("Md"),
        serial: block.text("SN"),
        version: block.text("Vr"),
    })
}
