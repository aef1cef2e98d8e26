//! One UDP socket for all nodes that are asked from an address of this machine.
//!
//! Always: a reply is handed on only to a request to the host that sends it, with its number, from the
//! object that was asked; all else is dropped. Devices answer to port 3610 whatever port asked, so the
//! socket has that port, and shares it (SO_REUSEADDR) with whoever else speaks ECHONET Lite here. Linux
//! gives what comes in to the last who bound the very same address: a process binds an address once, whoever
//! asks from it; and where nothing comes in, it is found out whether another process did.

use super::{CONTROLLER, Eoj, Frame, PORT, Service};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The largest datagram that is read: frames are at most 1,500 bytes in practice.
pub(crate) const LARGEST: usize = 65_535;

/// How long a datagram from this machine to itself may take.
const SELF_CHECK: Duration = Duration::from_millis(300);

/// From where nodes are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// From the address that the way to the node begins at, port 3610. To nodes on this machine, from a
    /// loopback address of this process' own: simulated nodes have the usual ones.
    Routed,
    /// From this address.
    At(SocketAddr),
}

impl Bind {
    /// The local address for asking a node.
    pub(super) fn local(self, node: SocketAddr) -> io::Result<SocketAddr> {
        match self {
            Self::At(local) => Ok(local),
            Self::Routed if cfg!(target_os = "linux") && node.is_ipv4() && node.ip().is_loopback() => {
                // A process' number has 22 bits at most.
                let [_, high, middle, low] = std::process::id().to_be_bytes();
                Ok(SocketAddr::from(([127, 128 | (high & 0x3F), middle, low], PORT)))
            }
            Self::Routed => {
                // Connecting a UDP socket sends nothing; it finds the way.
                let any: IpAddr = if node.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
                let probe = StdSocket::bind((any, 0))?;
                probe.connect(node)?;
                Ok(SocketAddr::new(probe.local_addr()?.ip(), PORT))
            }
        }
    }
}

/// The sockets that somebody asks over, by local address. They are closed when nobody has them any more.
#[derive(Default)]
pub struct Ether(Mutex<HashMap<SocketAddr, Arc<Line>>>);

/// All sockets of this process: by whom they are served and where they are.
static LINES: Mutex<BTreeMap<(String, SocketAddr), Weak<Line>>> = Mutex::new(BTreeMap::new());

impl Ether {
    /// The socket at a local address. Binds it where nobody in this process did.
    pub(super) fn line(&self, local: SocketAddr) -> io::Result<Arc<Line>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&local).filter(|line| line.listens()) {
            return Ok(Arc::clone(line));
        }
        let mut all = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, line| line.strong_count() > 0);
        // A socket is of use only where its runtime is.
        let key = (Handle::current().id().to_string(), local);
        let shared = all.get(&key).and_then(Weak::upgrade).filter(|line| line.listens());
        let line = match shared {
            Some(line) => line,
            None => Arc::new(Line::bind(local)?),
        };
        all.insert(key, Arc::downgrade(&line));
        lines.insert(local, Arc::clone(&line));
        Ok(line)
    }
}

/// A bound socket and the requests that wait for an answer there.
pub(super) struct Line {
    socket: Arc<UdpSocket>,
    waiting: Waiting,
    receiver: JoinHandle<()>,
    /// The number of the next request.
    tid: AtomicU16,
}

type Waiting = Arc<Mutex<HashMap<(IpAddr, u16), Expected>>>;

struct Expected {
    from: Eoj,
    services: &'static [Service],
    answer: oneshot::Sender<Frame>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

impl Line {
    fn listens(&self) -> bool {
        !self.receiver.is_finished()
    }

    fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = Arc::new(bind_shared(local)?);
        let waiting = Waiting::default();
        let receiver = tokio::spawn(receive(Arc::clone(&socket), Arc::clone(&waiting)));
        // From anywhere, so that an answer to the process before this one is no answer to this one.
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let tid = AtomicU16::new((now.as_micros() % 0x1_0000) as u16);
        Ok(Self { socket, waiting, receiver, tid })
    }

    /// Sends a request until it is answered, at most `times`, with `pause` after each. The answer is taken
    /// whichever of them it answers: they are the same, with one number, which is given here.
    pub(super) async fn ask(
        &self,
        node: SocketAddr,
        mut request: Frame,
        services: &'static [Service],
        times: u32,
        pause: Duration,
    ) -> io::Result<Option<Frame>> {
        request.tid = self.tid.fetch_add(1, Ordering::Relaxed);
        let (answer, mut answered) = oneshot::channel();
        let key = (node.ip(), request.tid);
        let expected = Expected { from: request.to, services, answer };
        let _forget = Forget { waiting: &self.waiting, key };
        lock(&self.waiting).insert(key, expected);
        let bytes = request.encode();
        for _ in 0..times {
            self.socket.send_to(&bytes, node).await?;
            if let Ok(Ok(frame)) = tokio::time::timeout(pause, &mut answered).await {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Whether somebody else gets what is sent to this socket.
    pub(super) async fn is_deaf(&self) -> bool {
        let Ok(local) = self.socket.local_addr() else { return false };
        if local.ip().is_unspecified() {
            return false;
        }
        let to_self = Frame {
            tid: 0,
            from: CONTROLLER,
            to: CONTROLLER,
            service: Service::InfCRes,
            properties: Vec::new(),
            read: Vec::new(),
        };
        matches!(self.ask(local, to_self, &[Service::InfCRes], 1, SELF_CHECK).await, Ok(None))
    }
}

/// Takes a request out of those that wait, however its asking ends.
struct Forget<'a> {
    waiting: &'a Waiting,
    key: (IpAddr, u16),
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.key);
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<(IpAddr, u16), Expected>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(socket: Arc<UdpSocket>, waiting: Waiting) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, sender) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(%error, "the ECHONET Lite socket is closed; the next request opens it again");
                return;
            }
        };
        match Frame::decode(&buffer[..length]) {
            Ok(frame) => hand_on(&waiting, sender, frame),
            Err(error) => tracing::debug!(%sender, %error, "no ECHONET Lite frame"),
        }
    }
}

fn hand_on(waiting: &Waiting, sender: SocketAddr, frame: Frame) {
    let key = (sender.ip(), frame.tid);
    let mut waiting = lock(waiting);
    let fits =
        |expected: &Expected| expected.from == frame.from && expected.services.contains(&frame.service);
    if waiting.get(&key).is_some_and(fits)
        && let Some(expected) = waiting.remove(&key)
    {
        // Whoever asked may have given up.
        let _ = expected.answer.send(frame);
    } else {
        tracing::debug!(%sender, tid = frame.tid, from = %frame.from, "nobody asked for this frame");
    }
}

/// A UDP socket at an address that others may have too.
pub(crate) fn bind_shared(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    UdpSocket::from_std(socket.into())
}
