//! What a simulated node answers to each service.
//!
//! Always: what cannot be read or set is answered with the service's own refusal, beside what can; frames
//! for objects that are not there are dropped, as the standard has it. Source: ECHONET Lite Specification
//! 1.14, part II, 3.2.5 and 4.2. Not here: what the properties are.

use super::Thing;
use super::profile::Profile;
use crate::drivers::echonet::registers::{
    DATE, GET_MAP, IDENTIFICATION, INF_MAP, MAKER, PRODUCT, RELEASE, SERIAL, SET_MAP, TIME,
};
use crate::echonet::{Eoj, Frame, NODE_PROFILE, Property, PropertyMap, Service};
use crate::simulated::physics::Physics;
use crate::simulated::site::Live;
use std::sync::Arc;

/// Properties of any device that can be read.
const COMMON: [u8; 14] = [
    OPERATING,
    PLACE,
    RELEASE,
    IDENTIFICATION,
    FAULT,
    FAULT_KIND,
    MAKER,
    PRODUCT,
    SERIAL,
    TIME,
    DATE,
    INF_MAP,
    SET_MAP,
    GET_MAP,
];
/// Whether it operates.
pub const OPERATING: u8 = 0x80;
/// Where it is installed.
const PLACE: u8 = 0x81;
/// Whether it is at fault.
const FAULT: u8 = 0x88;
/// Which fault.
const FAULT_KIND: u8 = 0x89;

/// The maker code of those who have none.
pub const NO_MAKER: [u8; 3] = [0xFF; 3];

/// What a node answers.
pub struct Answering<P> {
    live: Arc<Live<P>>,
    things: Vec<Box<dyn Thing<P>>>,
    profile: Profile,
}

impl<P: Physics> Answering<P> {
    pub fn new(live: Arc<Live<P>>, things: Vec<Box<dyn Thing<P>>>) -> Self {
        let profile = Profile::new(things.iter().map(|thing| thing.eoj()).collect());
        Self { live, things, profile }
    }

    /// The answers to a frame: one of each object that it is for.
    pub fn answer(&self, request: &Frame) -> Vec<Frame> {
        let mut physics = self.live.present();
        let objects = self.things.iter().map(|thing| thing.eoj()).chain([NODE_PROFILE]);
        let meant = |eoj: &Eoj| {
            eoj.class() == request.to.class() && matches!(request.to.instance(), 0 | 0xFF)
                || *eoj == request.to
        };
        objects.filter(meant).filter_map(|eoj| self.answer_of(&mut physics, eoj, request)).collect()
    }

    fn answer_of(&self, physics: &mut P, from: Eoj, request: &Frame) -> Option<Frame> {
        let (properties, read) = (&request.properties, &request.read);
        let answer = |service, properties| {
            let to = request.from;
            Some(Frame { tid: request.tid, from, to, service, properties, read: Vec::new() })
        };
        let pick = |all, yes, no| if all { yes } else { no };
        match request.service {
            Service::Get => {
                let (all, told) = self.told(physics, from, properties);
                answer(pick(all, Service::GetRes, Service::GetSna), told)
            }
            Service::InfReq => {
                let (all, told) = self.told(physics, from, properties);
                answer(pick(all, Service::Inf, Service::InfSna), told)
            }
            Service::SetC => {
                let (all, done) = self.done(physics, from, properties);
                answer(pick(all, Service::SetRes, Service::SetCSna), done)
            }
            Service::SetI => match self.done(physics, from, properties) {
                (true, _) => None,
                (false, done) => answer(Service::SetISna, done),
            },
            Service::SetGet => {
                let (set, done) = self.done(physics, from, properties);
                let (all, told) = self.told(physics, from, read);
                let service = pick(set && all, Service::SetGetRes, Service::SetGetSna);
                answer(service, done).map(|frame| Frame { read: told, ..frame })
            }
            Service::InfC => {
                let named = properties.iter().map(|property| Property::named(property.epc)).collect();
                answer(Service::InfCRes, named)
            }
            // Answers to what a simulated node never asks.
            _ => None,
        }
    }

    /// The data of properties, and whether all could be told.
    fn told(&self, physics: &P, eoj: Eoj, properties: &[Property]) -> (bool, Vec<Property>) {
        let told = |property: &Property| {
            self.get(physics, eoj, property.epc)
                .map_or_else(|| Property::named(property.epc), |edt| Property::new(property.epc, edt))
        };
        let told: Vec<Property> = properties.iter().map(told).collect();
        (told.iter().all(|property| !property.edt.is_empty()), told)
    }

    /// Sets properties: what was set comes back without its data. Whether all were set.
    fn done(&self, physics: &mut P, eoj: Eoj, properties: &[Property]) -> (bool, Vec<Property>) {
        let mut all = true;
        let mut done = Vec::new();
        for property in properties {
            let thing = self.thing(eoj).filter(|thing| thing.settable().contains(&property.epc));
            if thing.is_some_and(|thing| thing.set(physics, property.epc, &property.edt)) {
                done.push(Property::named(property.epc));
            } else {
                all = false;
                done.push(property.clone());
            }
        }
        (all, done)
    }

    fn thing(&self, eoj: Eoj) -> Option<&dyn Thing<P>> {
        self.things.iter().find(|thing| thing.eoj() == eoj).map(AsRef::as_ref)
    }

    fn get(&self, physics: &P, eoj: Eoj, code: u8) -> Option<Vec<u8>> {
        let Some(thing) = self.thing(eoj) else { return self.profile.get(code) };
        let wall = || thing.utc_offset().wall(physics.now());
        match code {
            OPERATING => Some(vec![0x30]),
            PLACE => Some(vec![0x00]),
            RELEASE => Some(vec![0, 0, thing.release(), 0]),
            IDENTIFICATION => Some(identification(eoj)),
            FAULT => Some(vec![0x42]),
            FAULT_KIND => Some(vec![0, 0]),
            MAKER => Some(NO_MAKER.to_vec()),
            PRODUCT => Some(text("simulated")),
            SERIAL => Some(text(&eoj.to_string())),
            TIME => wall().map(|wall| wall.minute_bytes().to_vec()),
            DATE => wall().map(|wall| wall.date_bytes().to_vec()),
            INF_MAP => Some(PropertyMap::of([OPERATING, PLACE, FAULT]).encode()),
            SET_MAP => Some(PropertyMap::of(thing.settable().iter().copied()).encode()),
            GET_MAP => Some(PropertyMap::of(thing.readable().into_iter().chain(COMMON)).encode()),
            _ => thing.readable().contains(&code).then(|| thing.get(physics, code)).flatten(),
        }
    }
}

/// An identification number: FE, the maker, and 13 bytes that are the maker's business.
pub fn identification(eoj: Eoj) -> Vec<u8> {
    let mut number = vec![0xFE];
    number.extend(NO_MAKER);
    number.extend([0; 10]);
    number.extend(eoj.bytes());
    number
}

/// Text in 12 bytes.
fn text(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.bytes().take(12).collect();
    bytes.resize(12, 0);
    bytes
}
