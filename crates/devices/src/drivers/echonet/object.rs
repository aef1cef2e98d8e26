//! An object of a node, asked only for what it says that it has.
//!
//! Always: the maps of what can be read and set are asked for once, and again after the node was silent (it
//! may be another one by then). Not here: what the values mean.

use super::registers::{GET_MAP, SET_MAP};
use super::values::Values;
use crate::echonet::{Eoj, Node, NodeError, Property, PropertyMap, Session};
use crate::reading::DeviceError;
use std::sync::{Arc, Mutex, PoisonError};

/// An object of a node.
pub struct Object {
    node: Arc<Node>,
    eoj: Eoj,
    maps: Mutex<Option<Maps>>,
}

/// Which properties an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps {
    /// What can be read.
    pub get: PropertyMap,
    /// What can be set.
    pub set: PropertyMap,
}

impl Object {
    /// An object. Asks nothing.
    pub const fn new(node: Arc<Node>, eoj: Eoj) -> Self {
        Self { node, eoj, maps: Mutex::new(None) }
    }

    /// The node to oneself.
    pub async fn session(&self) -> Session<'_> {
        self.node.session().await
    }

    /// Reads properties, in one exchange of their own.
    pub async fn read(&self, codes: &[u8]) -> Result<Values, DeviceError> {
        let session = self.session().await;
        self.read_in(&session, codes).await
    }

    /// Reads properties.
    pub async fn read_in(&self, session: &Session<'_>, codes: &[u8]) -> Result<Values, DeviceError> {
        let has = self.maps(session).await?.get;
        let wanted: Vec<u8> = codes.iter().copied().filter(|code| has.has(*code)).collect();
        let mut values = Values { object: self.eoj, has, answers: Default::default() };
        if wanted.is_empty() {
            return Ok(values);
        }
        values.answers = session.get(self.eoj, &wanted).await.map_err(|error| self.told(error))?;
        // Some nodes give up on the whole where many properties are asked for at once.
        if values.answers.is_empty() && wanted.len() > 1 {
            for code in wanted {
                values
                    .answers
                    .extend(session.get(self.eoj, &[code]).await.map_err(|error| self.told(error))?);
            }
        }
        Ok(values)
    }

    /// Which properties it has.
    pub async fn maps(&self, session: &Session<'_>) -> Result<Maps, DeviceError> {
        let known = *self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(maps) = known {
            return Ok(maps);
        }
        let answers = session.get(self.eoj, &[GET_MAP, SET_MAP]).await.map_err(|error| self.told(error))?;
        let map = |code: u8| {
            let none = || {
                DeviceError::Protocol(format!("{} has a map {code:02X} of properties that is none", self.eoj))
            };
            answers.get(&code).map(|edt| PropertyMap::decode(edt).ok_or_else(none)).transpose()
        };
        let get = map(GET_MAP)?.ok_or_else(|| self.cannot("does not say which properties it has (9F)"))?;
        let maps = Maps { get, set: map(SET_MAP)?.unwrap_or_default() };
        *self.maps.lock().unwrap_or_else(PoisonError::into_inner) = Some(maps);
        Ok(maps)
    }

    /// Sets properties, and waits until the object says that it did.
    pub async fn set_in(&self, session: &Session<'_>, properties: Vec<Property>) -> Result<(), DeviceError> {
        session.set(self.eoj, properties).await.map_err(|error| self.told(error))
    }

    /// Word that it cannot be told to do something.
    pub fn cannot(&self, what: &str) -> DeviceError {
        DeviceError::Refused(format!("{} at {} {what}", self.eoj, self.node.place()))
    }

    fn told(&self, error: NodeError) -> DeviceError {
        match error {
            NodeError::Unreachable(reason) => {
                *self.maps.lock().unwrap_or_else(PoisonError::into_inner) = None;
                DeviceError::Unreachable { address: format!("{}/{}", self.node.place(), self.eoj), reason }
            }
            NodeError::NotSet(_) => self.cannot(&error.to_string()),
        }
    }
}
