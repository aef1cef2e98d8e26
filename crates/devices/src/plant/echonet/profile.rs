//! The node profile of a simulated node.
//!
//! Always: at most 84 objects, as a list of instances has room for. Source: ECHONET Lite Specification 1.14,
//! part II, 6.11.

use super::answer::{NO_MAKER, OPERATING, identification};
use crate::drivers::echonet::registers::{GET_MAP, IDENTIFICATION, INF_MAP, MAKER, RELEASE, SET_MAP};
use crate::echonet::{Eoj, NODE_PROFILE, PropertyMap};

/// How many objects there are.
const COUNT: u8 = 0xD3;
/// How many classes there are.
const CLASS_COUNT: u8 = 0xD4;
/// The objects, told by itself.
const INSTANCES_INF: u8 = 0xD5;
/// The objects.
const INSTANCES: u8 = 0xD6;
/// The classes.
const CLASSES: u8 = 0xD7;

/// What can be read of it.
const READABLE: [u8; 11] = [
    OPERATING,
    RELEASE,
    IDENTIFICATION,
    MAKER,
    INF_MAP,
    SET_MAP,
    GET_MAP,
    COUNT,
    CLASS_COUNT,
    INSTANCES,
    CLASSES,
];

/// A node profile.
pub struct Profile(Vec<Eoj>);

impl Profile {
    pub fn new(mut objects: Vec<Eoj>) -> Self {
        objects.truncate(84);
        Self(objects)
    }

    /// A property's data.
    pub fn get(&self, code: u8) -> Option<Vec<u8>> {
        let mut classes: Vec<u16> = self.0.iter().map(|eoj| eoj.class()).collect();
        classes.sort_unstable();
        classes.dedup();
        Some(match code {
            OPERATING => vec![0x30],
            // Version 1.14, format 1.
            RELEASE => vec![1, 14, 1, 0],
            IDENTIFICATION => identification(NODE_PROFILE),
            MAKER => NO_MAKER.to_vec(),
            INF_MAP => PropertyMap::of([OPERATING, INSTANCES_INF]).encode(),
            SET_MAP => PropertyMap::default().encode(),
            GET_MAP => PropertyMap::of(READABLE).encode(),
            COUNT => vec![0, 0, self.0.len() as u8],
            // With the node profile's own.
            CLASS_COUNT => vec![0, classes.len() as u8 + 1],
            INSTANCES | INSTANCES_INF => {
                let mut list = vec![self.0.len() as u8];
                list.extend(self.0.iter().flat_map(|eoj| eoj.bytes()));
                list
            }
            // Without it; eight at most.
            CLASSES => {
                let listed = &classes[..classes.len().min(8)];
                let mut list = vec![classes.len() as u8];
                list.extend(listed.iter().flat_map(|class| class.to_be_bytes()));
                list
            }
            _ => return None,
        })
    }
}
