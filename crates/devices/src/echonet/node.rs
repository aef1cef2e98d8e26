//! A node that is asked: one request at a time, repeated until it is answered or patience ends.
//!
//! Always: whoever holds a session has the node to itself among all that share it; a request that was not
//! answered may have been carried out. Not here: what properties mean.

use super::socket::{Bind, Ether};
use super::{CONTROLLER, Eoj, Frame, Property, Service};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// How often a request is sent at most.
const TIMES: u32 = 3;

/// A node, as all drivers of its objects share it.
pub struct Node {
    host: String,
    port: u16,
    bind: Bind,
    patience: Duration,
    ether: Arc<Ether>,
    turn: Mutex<()>,
}

/// What a node answered: the data of those properties that it has.
pub type Answers = BTreeMap<u8, Vec<u8>>;

/// Why a node did not answer or do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No answer, or no way to ask.
    #[error("{0}")]
    Unreachable(String),
    /// It did not take these properties' values.
    #[error("it does not accept {}", .0.iter().map(|epc| format!("{epc:02X}")).collect::<Vec<_>>().join(", "))]
    NotSet(Vec<u8>),
}

impl Node {
    /// A node. Nothing is sent yet. `patience` is how long (real time) an answer may take.
    pub fn new(host: String, port: u16, bind: Bind, patience: Duration, ether: Arc<Ether>) -> Self {
        Self { host, port, bind, patience, ether, turn: Mutex::default() }
    }

    /// Where it is.
    pub fn place(&self) -> String {
        let host = &self.host;
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }

    /// The node to oneself, as soon as others are done.
    pub async fn session(&self) -> Session<'_> {
        Session { node: self, _turn: self.turn.lock().await }
    }

    async fn ask(
        &self,
        to: Eoj,
        service: Service,
        properties: Vec<Property>,
        answers: &'static [Service],
    ) -> Result<Frame, NodeError> {
        let request = Frame { tid: 0, from: CONTROLLER, to, service, properties, read: Vec::new() };
        let node = self.resolve().await?;
        let local = self.bind.local(node).map_err(|error| NodeError::Unreachable(error.to_string()))?;
        let line = self.ether.line(local).map_err(|error| cannot_listen(local, &error))?;
        let unsent = |error: std::io::Error| NodeError::Unreachable(format!("nothing can be sent: {error}"));
        let answer = line.ask(node, request, answers, TIMES, self.patience / TIMES).await.map_err(unsent)?;
        match answer {
            Some(frame) => Ok(frame),
            None if line.is_deaf().await => Err(NodeError::Unreachable(format!(
                "another program on this machine took UDP port {} of {}, and gets the answers; give each its own \
                 address with ?bind=",
                local.port(),
                local.ip()
            ))),
            None => Err(NodeError::Unreachable(format!(
                "no answer from {to} within {} ms, asked {TIMES} times from {local}",
                self.patience.as_millis()
            ))),
        }
    }

    async fn resolve(&self) -> Result<SocketAddr, NodeError> {
        let unknown = |why: String| NodeError::Unreachable(format!("its address is not known: {why}"));
        let mut found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| unknown(error.to_string()))?;
        let fits = |node: &SocketAddr| match self.bind {
            Bind::At(local) => local.is_ipv4() == node.is_ipv4(),
            Bind::Routed => true,
        };
        found.find(fits).ok_or_else(|| unknown("the name has none of the kind that ?bind= is".to_owned()))
    }
}

fn cannot_listen(local: SocketAddr, error: &std::io::Error) -> NodeError {
    NodeError::Unreachable(format!(
        "answers come to UDP {local}, which cannot be had ({error}); name another address of this machine with \
         ?bind="
    ))
}

/// A node to oneself.
pub struct Session<'a> {
    node: &'a Node,
    _turn: MutexGuard<'a, ()>,
}

impl Session<'_> {
    /// Reads properties of an object. Those that it does not have, or cannot read now, are left out.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn get(&self, object: Eoj, codes: &[u8]) -> Result<Answers, NodeError> {
        let properties = codes.iter().copied().map(Property::named).collect();
        let answers = &[Service::GetRes, Service::GetSna];
        let frame = self.node.ask(object, Service::Get, properties, answers).await?;
        // By code: not every node keeps the order in which it was asked.
        let has = |property: &Property| !property.edt.is_empty() && codes.contains(&property.epc);
        Ok(frame.properties.into_iter().filter(has).map(|property| (property.epc, property.edt)).collect())
    }

    /// Sets properties of an object, and waits until it says that it did.
    ///
    /// # Errors
    /// Where it does not answer, or did not accept some; the others are set all the same.
    pub async fn set(&self, object: Eoj, properties: Vec<Property>) -> Result<(), NodeError> {
        let codes: Vec<u8> = properties.iter().map(|property| property.epc).collect();
        let answers = &[Service::SetRes, Service::SetCSna];
        let frame = self.node.ask(object, Service::SetC, properties, answers).await?;
        if frame.service == Service::SetRes {
            return Ok(());
        }
        // What was set comes back without its data.
        let set = |epc: u8| frame.properties.iter().any(|it| it.epc == epc && it.edt.is_empty());
        let refused: Vec<u8> = codes.iter().copied().filter(|epc| !set(*epc)).collect();
        Err(NodeError::NotSet(if refused.is_empty() { codes } else { refused }))
    }
}
