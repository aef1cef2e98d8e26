//! Somebody in between (F23): a relay that takes connections in one namespace, passes them on from another
//! and keeps a copy of everything; and a server that is not the community's.
//!
//! Always: through the relay bytes go as they came. Not here: how connections are led there (`hosts`).

use super::hosts::within;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use wattbook_link::{Authority, Files, Link, Role, Subject, plain_files};

/// What went through.
#[derive(Clone, Default)]
pub struct Copy(Arc<Mutex<Vec<u8>>>);

impl Copy {
    /// Everything until now, both directions mixed.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no relay panics").clone()
    }

    fn note(&self, bytes: &[u8]) {
        self.0.lock().expect("no relay panics").extend_from_slice(bytes);
    }
}

/// Listens at a port of all addresses of `from`, passes everything on to `target` out of `to`, and copies it.
/// Ends with the process.
pub fn relay(from: &str, to: &str, port: u16, target: Ipv4Addr) -> Copy {
    let copy = Copy::default();
    let (taken, waiting) = channel();
    let kept = copy.clone();
    let target = SocketAddr::V4(SocketAddrV4::new(target, port));
    let listener = within(from, move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a port"));
    let listener = listener.join().expect("it listens");
    std::thread::spawn(move || accept(&listener, &taken));
    // Threads that a thread in a namespace starts live there too.
    drop(within(to, move || connect_all(&waiting, target, &kept)));
    copy
}

fn accept(listener: &TcpListener, taken: &Sender<TcpStream>) {
    for stream in listener.incoming().flatten() {
        if taken.send(stream).is_err() {
            return;
        }
    }
}

fn connect_all(waiting: &Receiver<TcpStream>, target: SocketAddr, copy: &Copy) {
    for near in waiting {
        let copy = copy.clone();
        std::thread::spawn(move || {
            let Ok(far) = TcpStream::connect(target) else { return };
            let (near_again, far_again) =
                (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
            let back = copy.clone();
            std::thread::spawn(move || pass(far_again, near_again, &back));
            pass(near, far, &copy);
        });
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, copy: &Copy) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        copy.note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// A server that is not the community's: its certificate is of an authority of the same name.
#[derive(Clone, Default)]
pub struct Posed(Arc<Mutex<(u64, usize)>>);

impl Posed {
    /// How many came by, and how many bytes of what they had to say he was told.
    pub fn met(&self) -> (u64, usize) {
        *self.0.lock().expect("nobody panics")
    }

    fn meet(&self, config: &Arc<rustls::ServerConfig>, mut stream: TcpStream) {
        self.0.lock().expect("nobody panics").0 += 1;
        let mut connection = rustls::ServerConnection::new(config.clone()).expect("a configuration");
        let mut words = [0; 4_096];
        let told = rustls::Stream::new(&mut connection, &mut stream).read(&mut words).unwrap_or(0);
        self.0.lock().expect("nobody panics").1 += told;
    }
}

/// Listens in a namespace at a port of all its addresses, as a server of that address would.
pub fn posed_server(space: &str, port: u16, address: Ipv4Addr) -> Posed {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("Our community").expect("an authority");
    let hosts = vec![address.to_string()];
    let subject = Subject { role: Role::Server, name: "server-1".to_owned(), accounts: Vec::new(), hosts };
    let issued = authority.issue(&subject).expect("a certificate");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file
    };
    let files = Files {
        certificate: write("tls.crt", &issued.certificate_pem),
        key: write("tls.key", &issued.key_pem),
        authority: write("ca.crt", authority.certificate_pem()),
        revoked: None,
    };
    let config = Link::open(&files, plain_files()).expect("a link").server(false).expect("a certificate");
    let posed = Posed::default();
    let meeting = posed.clone();
    let listener = within(space, move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a port"));
    let listener = listener.join().expect("it listens");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (meeting, config) = (meeting.clone(), config.clone());
            std::thread::spawn(move || meeting.meet(&config, stream));
        }
    });
    posed
}
