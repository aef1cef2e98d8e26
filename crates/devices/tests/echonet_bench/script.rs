//! A node that answers from tables, and does besides what a test wants: loses requests, answers in another
//! way, refuses.
//!
//! Always: what it answers is made by hand, not by the simulated nodes of this program.

use super::own_node;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use wattbook_devices::echonet::{Eoj, Frame, NODE_PROFILE, Property, PropertyMap, Service};

/// Bytes from hexadecimal digits.
pub fn data(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// An object's properties.
#[derive(Clone, Debug)]
pub struct Table {
    pub eoj: Eoj,
    pub answers: BTreeMap<u8, Vec<u8>>,
    pub settable: Vec<u8>,
}

impl Table {
    pub fn new(eoj: &str, settable: &[&str]) -> Self {
        let eoj = Eoj::from_hex(eoj).expect("an object");
        Self { eoj, answers: BTreeMap::new(), settable: settable.iter().map(|code| data(code)[0]).collect() }
    }

    /// With these data; empty ones are in the map and never answered.
    pub fn with(mut self, properties: &[(&str, &str)]) -> Self {
        self.answers.extend(properties.iter().map(|(code, edt)| (data(code)[0], data(edt))));
        self
    }

    pub fn without(mut self, code: &str) -> Self {
        self.answers.remove(&data(code)[0]);
        self
    }

    fn get(&self, code: u8) -> Vec<u8> {
        let of_its_own = self.answers.get(&code).cloned();
        of_its_own.unwrap_or_else(|| match code {
            0x9E => PropertyMap::of(self.settable.iter().copied()).encode(),
            0x9F => PropertyMap::of(self.answers.keys().copied().chain([0x9E, 0x9F])).encode(),
            _ => Vec::new(),
        })
    }
}

type BeforeAnswer = Box<dyn Fn(&Frame, SocketAddr) -> Vec<Vec<u8>> + Send>;

#[derive(Default)]
struct State {
    tables: Vec<Table>,
    set: Vec<String>,
    requests: Vec<Vec<u8>>,
    refused: Vec<u8>,
    lose: usize,
    other_port: bool,
    twist: Option<Box<dyn Fn(Frame) -> Frame + Send>>,
    before: Option<BeforeAnswer>,
    on_set: Option<Box<dyn Fn(Table) -> Table + Send>>,
}

/// A node.
pub struct Script {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Script {
    pub async fn start(tables: Vec<Table>) -> Self {
        let address = own_node();
        let socket = UdpSocket::bind(address).await.expect("an address of its own");
        let state = Arc::new(Mutex::new(State { tables, ..State::default() }));
        let task = tokio::spawn(serve(socket, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What was set, in order: code and data.
    pub fn set(&self) -> Vec<String> {
        self.state().set.clone()
    }

    /// All requests as they came in.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.state().requests.clone()
    }

    /// Does not accept this property.
    pub fn refuse(&self, code: u8) {
        self.state().refused.push(code);
    }

    /// The next requests are not answered.
    pub fn lose(&self, count: usize) {
        self.state().lose = count;
    }

    /// Answers come from another port than requests go to.
    pub fn answer_from_another_port(&self) {
        self.state().other_port = true;
    }

    /// Answers otherwise.
    pub fn twist(&self, twist: impl Fn(Frame) -> Frame + Send + 'static) {
        self.state().twist = Some(Box::new(twist));
    }

    /// Sends something else first.
    pub fn before_answer(&self, before: impl Fn(&Frame, SocketAddr) -> Vec<Vec<u8>> + Send + 'static) {
        self.state().before = Some(Box::new(before));
    }

    /// Changes the objects of a request that sets.
    pub fn on_set(&self, change: impl Fn(Table) -> Table + Send + 'static) {
        self.state().on_set = Some(Box::new(change));
    }

    /// Changes an object.
    pub fn change(&self, eoj: u32, change: impl Fn(Table) -> Table) {
        for table in self.state().tables.iter_mut().filter(|table| number(table.eoj) == eoj) {
            *table = change(table.clone());
        }
    }
}

fn number(eoj: Eoj) -> u32 {
    let [a, b, c] = eoj.bytes();
    u32::from_be_bytes([0, a, b, c])
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 2_000];
    loop {
        let (length, controller) = socket.recv_from(&mut buffer).await.expect("a socket");
        let request = Frame::decode(&buffer[..length]).expect("this program asks in frames");
        let (out, other_port) = {
            let mut state = lock(&state);
            state.requests.push(buffer[..length].to_vec());
            if state.lose > 0 {
                state.lose -= 1;
                continue;
            }
            let Some(answer) = answer(&mut state, &request) else { continue };
            let answer = state.twist.as_ref().map_or(answer.clone(), |twist| twist(answer));
            let mut out = state.before.as_ref().map_or(Vec::new(), |before| before(&answer, controller));
            out.push(answer.encode());
            (out, state.other_port)
        };
        let other = UdpSocket::bind((socket.local_addr().expect("bound").ip(), 0)).await.expect("a socket");
        for bytes in out {
            let from = if other_port { &other } else { &socket };
            from.send_to(&bytes, controller).await.expect("sent");
        }
    }
}

fn answer(state: &mut State, request: &Frame) -> Option<Frame> {
    if request.to == NODE_PROFILE {
        let mut list = vec![u8::try_from(state.tables.len()).expect("few")];
        list.extend(state.tables.iter().flat_map(|table| table.eoj.bytes()));
        let mut profile = Table::new("0EF001", &[]);
        profile.answers.insert(0xD6, list);
        return Some(told(&profile, request));
    }
    let place = state.tables.iter().position(|table| table.eoj == request.to)?;
    if request.service == Service::Get {
        return Some(told(&state.tables[place], request));
    }
    assert_eq!(request.service, Service::SetC, "drivers read, and set and wait");
    let done = |property: &Property| {
        let refused =
            state.refused.contains(&property.epc) || !state.tables[place].settable.contains(&property.epc);
        if refused { property.clone() } else { Property::named(property.epc) }
    };
    let properties: Vec<Property> = request.properties.iter().map(done).collect();
    let all = properties.iter().all(|property| property.edt.is_empty());
    for Property { epc, edt } in &request.properties {
        let edt: String = edt.iter().map(|byte| format!("{byte:02X}")).collect();
        state.set.push(format!("{epc:02X} {edt}"));
    }
    if let Some(change) = &state.on_set {
        state.tables[place] = change(state.tables[place].clone());
    }
    let service = if all { Service::SetRes } else { Service::SetCSna };
    Some(Frame { from: request.to, to: request.from, service, properties, ..request.clone() })
}

fn told(table: &Table, request: &Frame) -> Frame {
    let told = |property: &Property| Property::new(property.epc, table.get(property.epc));
    let properties: Vec<Property> = request.properties.iter().map(told).collect();
    let all = properties.iter().all(|property| !property.edt.is_empty());
    let service = if all { Service::GetRes } else { Service::GetSna };
    Frame { from: request.to, to: request.from, service, properties, ..request.clone() }
}
