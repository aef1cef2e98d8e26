//! One device: a unit behind a link, with its models as they were found.
//!
//! Always: the models are those of the connection that is used; a model is read from its first needed
//! register to its last in one request, so that what is read belongs together. Not here: what the values
//! are good for.

use super::decode::Block;
use super::discovery::{Map, NotFound, Placed, discover};
use super::options::{Options, guard};
use super::tables::Table;
use crate::address::DeviceAddress;
use crate::clock::Clock;
use crate::driver::Context;
use crate::modbus::{Failure, Link, MAX_READ, PORT, TLS_PORT};
use crate::reading::DeviceError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_types::{SlotLength, Timestamp};

/// How often a request is tried again because the connection was made anew meanwhile.
const TRIES: usize = 3;

/// A unit's number, and where its marker is said to be.
type Place = (u8, Option<u16>);

/// A host, with what was found of its units.
struct Host {
    link: Link,
    /// By unit, and where it was looked for.
    maps: Mutex<HashMap<Place, Arc<Map>>>,
}

/// A device.
pub(super) struct Unit {
    pub(super) address: DeviceAddress,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) slot_length: SlotLength,
    host: Arc<Host>,
}

impl Unit {
    pub(super) fn open(address: &DeviceAddress, context: &Context) -> Result<Self, DeviceError> {
        let options = Options::of(address)?;
        let guard = guard(address, context)?;
        let place = address.socket(if guard.is_some() { TLS_PORT } else { PORT });
        // Devices of one host share a connection, where they are to be reached in the same way.
        let files = ["ca", "cert", "key", "name"].map(|name| address.option(name).unwrap_or_default());
        let key = format!("{} {place} {}", address.scheme(), files.join(" "));
        let host = context.shared(&key, || Host { link: Link::new(place, guard), maps: Mutex::default() });
        Ok(Self {
            address: address.clone(),
            options,
            clock: context.clock.clone(),
            slot_length: context.slot_length,
            host,
        })
    }

    /// The models, looked for where they are not known of this connection.
    pub(super) async fn map(&self) -> Result<Arc<Map>, DeviceError> {
        self.found().await.map_err(|not_found| self.not_found(&not_found))
    }

    /// As [`map`](Self::map), with what was seen where there are none.
    pub(super) async fn found(&self) -> Result<Arc<Map>, NotFound> {
        if let Some(map) = self.maps().get(&self.place()) {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(discover(&self.host.link, self.options.unit, self.options.base).await?);
        self.maps().insert(self.place(), Arc::clone(&map));
        Ok(map)
    }

    const fn place(&self) -> Place {
        (self.options.unit, self.options.base)
    }

    fn maps(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Arc<Map>>> {
        self.host.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again whether the models are as they were. The connection that they belong to is gone.
    async fn look_again(&self, before: &Map) -> Result<(), DeviceError> {
        self.maps().remove(&self.place());
        let map = self.map().await?;
        if map.identity != before.identity {
            tracing::warn!(
                address = %self.address, before = ?before.identity, now = ?map.identity,
                "another device is at this address than before"
            );
        }
        Ok(())
    }

    /// The points of the first of some models that the device has, with all between them; `None` where it
    /// has none of the models.
    pub(super) async fn block(
        &self,
        tables: &[&'static Table],
        points: &[&str],
    ) -> Result<Option<Block>, DeviceError> {
        for _ in 0..TRIES {
            let map = self.map().await?;
            let Some((table, placed)) = map.first_of(tables) else { return Ok(None) };
            let (first, count) = span(table, placed, points);
            match self.read(&map, placed.at, first, count).await {
                Ok((words, time)) => return Ok(Some(Block { table, first, words, time })),
                Err(Failure::Reconnected) => self.look_again(&map).await?,
                Err(failure) => return Err(self.failed(&failure, &format!("model {}", table.id))),
            }
        }
        Err(self.failed(&Failure::Reconnected, "its models"))
    }

    /// Registers of a model by their places in it, even beyond its table.
    pub(super) async fn registers(
        &self,
        table: &'static Table,
        first: u16,
        count: u16,
    ) -> Result<Option<Vec<u16>>, DeviceError> {
        for _ in 0..TRIES {
            let map = self.map().await?;
            let Some(placed) = map.placed(table.id) else { return Ok(None) };
            if first + count > placed.length + 2 {
                return Ok(None);
            }
            match self.read(&map, placed.at, first, count).await {
                Ok((words, _)) => return Ok(Some(words)),
                Err(Failure::Reconnected) => self.look_again(&map).await?,
                Err(failure) => return Err(self.failed(&failure, &format!("model {}", table.id))),
            }
        }
        Err(self.failed(&Failure::Reconnected, "its models"))
    }

    async fn read(
        &self,
        map: &Map,
        at: u16,
        first: u16,
        count: u16,
    ) -> Result<(Vec<u16>, Timestamp), Failure> {
        let asked = self.clock.now();
        if count == 0 {
            // The device's model ends before the first of the points.
            return Ok((Vec::new(), asked));
        }
        let read = self.host.link.read(self.options.unit, Some(map.connection), at + first, count).await?;
        let took = self.clock.now().millis_since(asked);
        Ok((read.words, asked.plus_millis(took / 2)))
    }

    /// Writes a model's registers from a point on, in one request.
    pub(super) async fn write(
        &self,
        table: &'static Table,
        point: &str,
        words: &[u16],
    ) -> Result<(), DeviceError> {
        for _ in 0..TRIES {
            let map = self.map().await?;
            let Some(placed) = map.placed(table.id) else {
                return Err(self.lacks(&format!("model {} ({})", table.id, table.name)));
            };
            let at = placed.at + table.point(point).at;
            let wrote = self.host.link.write(self.options.unit, Some(map.connection), at, words).await;
            match wrote {
                Ok(()) => return Ok(()),
                Err(Failure::Reconnected) => self.look_again(&map).await?,
                Err(failure) => {
                    return Err(self.failed(&failure, &format!("writing {point} of model {}", table.id)));
                }
            }
        }
        Err(self.failed(&Failure::Reconnected, "its models"))
    }

    /// The number of the connection that the models belong to.
    pub(super) async fn connection(&self) -> Result<u64, DeviceError> {
        Ok(self.map().await?.connection)
    }

    pub(super) fn lacks(&self, what: &str) -> DeviceError {
        DeviceError::Refused(format!("{} has no {what}", self.address))
    }

    pub(super) fn odd(&self, what: &str) -> DeviceError {
        DeviceError::Protocol(format!("{}: {what}", self.address))
    }

    fn failed(&self, failure: &Failure, what: &str) -> DeviceError {
        match failure {
            Failure::Unreachable(_) | Failure::Reconnected => {
                DeviceError::Unreachable { address: self.address.to_string(), reason: failure.to_string() }
            }
            Failure::Exception(_) => DeviceError::Refused(format!("{}, {what}: {failure}", self.address)),
            Failure::Nonsense(_) => self.odd(&failure.to_string()),
        }
    }

    pub(super) fn not_found(&self, not_found: &NotFound) -> DeviceError {
        match not_found {
            NotFound::Failure(failure) => self.failed(failure, "looking for its models"),
            NotFound::NoMarker(seen) => self.odd(&no_marker(seen)),
            NotFound::Broken(why) => self.odd(why),
        }
    }
}

/// What to say of a device without the marker.
pub(super) fn no_marker(seen: &[String]) -> String {
    format!("it answers Modbus but has no SunSpec marker (5375 6e53): {}", seen.join("; "))
}

/// From the first of some points, or of their scales, to the last: where that begins, and how long it is.
/// No longer than the model is at the device, nor than can be read at once.
fn span(table: &'static Table, placed: Placed, points: &[&str]) -> (u16, u16) {
    let all = points.iter().map(|name| table.point(name));
    let scales = points.iter().map(|name| table.point(name).scale).filter(|scale| !scale.is_empty());
    let (mut first, mut end) = (u16::MAX, 0);
    for point in all.chain(scales.map(|scale| table.point(scale))) {
        first = first.min(point.at);
        end = end.max(point.at + point.kind.registers());
    }
    let end = end.min(placed.length.saturating_add(2));
    (first, end.saturating_sub(first).min(MAX_READ))
}
