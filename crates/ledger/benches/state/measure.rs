//! The work that contenders do, and the table of what it took.
//!
//! Always: the same entries and batches for each, made from hashes of numbers; a time is what the
//! best tenth of the rounds took, since other programs may run beside; each round makes a new version and
//! drops the one before, as after a final block.

use crate::heap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use wattbook_types::Hash;
use wattbook_types::id::hash_parts;
use wattbook_types::state_proof::{branch_hash, first_difference, leaf_hash, value_hash};

/// A key of 33 bytes and a value of 64.
pub type Entry = (Vec<u8>, Vec<u8>);

const BATCHES: [usize; 4] = [1, 10, 100, 1000];

/// A map with a root hash.
pub trait Contender {
    const NAME: &str;
    /// How many batches of each size are timed.
    const ROUNDS: usize;
    /// Builds it and its first root from entries in the order of their keys.
    fn load(entries: impl Iterator<Item = Entry>) -> Self;
    /// Changes some entries and gives the new root.
    fn update(&mut self, batch: &[Entry]) -> [u8; 32];
    /// What a key's entry is, or that there is none, with all a verifier needs but root and key; encoded.
    fn prove(&self, key: &[u8]) -> Vec<u8>;
    /// Checks such a proof against the present root.
    fn verify(&self, key: &[u8], proof: &[u8]) -> bool;
    /// The bits that the branches above a key decide by, where it is a crit-bit trie.
    fn path(&self, _key: &[u8]) -> Vec<u16> {
        Vec::new()
    }
}

/// What one contender took.
pub struct Figures {
    name: &'static str,
    load: Duration,
    bytes_per_entry: usize,
    updates: [Duration; BATCHES.len()],
    /// The time of the hashes alone, where known.
    hashing: Option<[Duration; BATCHES.len()]>,
    present: usize,
    prove: Duration,
    verify: Duration,
}

/// How many entries there are.
pub struct Workload {
    entries: usize,
}

impl Workload {
    /// From the command line: the number of entries, 1,000,000 where none is given.
    pub fn from_arguments() -> Self {
        let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
        Self { entries: numbers.next().unwrap_or(1_000_000) }
    }

    /// Puts one contender to work.
    pub fn measure<C: Contender>(&self) -> Figures {
        eprintln!("{}: loading {} entries", C::NAME, self.entries);
        let before = heap::live();
        let mut entries: Vec<_> = (0..self.entries).map(|number| (key(number), value(number, 0))).collect();
        entries.sort_unstable();
        let start = Instant::now();
        let mut contender = C::load(entries.into_iter());
        let load = start.elapsed();
        let bytes_per_entry = (heap::live() - before) / self.entries;
        let updates = BATCHES.map(|size| self.updates(&mut contender, size));
        let hashing = (!contender.path(&key(0)).is_empty())
            .then(|| BATCHES.map(|size| hashing(&contender, &self.batch(size, 1))));
        let (present, prove, verify) = self.proofs(&contender);
        Figures { name: C::NAME, load, bytes_per_entry, updates, hashing, present, prove, verify }
    }

    fn batch(&self, size: usize, round: usize) -> Vec<Entry> {
        let pick = |place: usize| {
            let hash = hash_parts("pick", &[&round.to_le_bytes(), &place.to_le_bytes()]);
            u64::from_le_bytes(hash[..8].try_into().expect("eight bytes")) as usize % self.entries
        };
        (0..size).map(pick).map(|number| (key(number), value(number, round))).collect()
    }

    fn updates<C: Contender>(&self, contender: &mut C, size: usize) -> Duration {
        best_tenth((1..=C::ROUNDS).map(|round| {
            let batch = self.batch(size, round * BATCHES.len() + size);
            timed(|| contender.update(&batch))
        }))
    }

    /// Mean size, and times to make and to check.
    fn proofs<C: Contender>(&self, contender: &C) -> (usize, Duration, Duration) {
        let keys: Vec<_> = self.batch(C::ROUNDS, 7).into_iter().map(|(key, _)| key).collect();
        let proofs: Vec<_> = keys.iter().map(|key| contender.prove(key)).collect();
        assert!(keys.iter().zip(&proofs).all(|(key, proof)| contender.verify(key, proof)));
        let size = proofs.iter().map(Vec::len).sum::<usize>() / proofs.len();
        let prove = best_tenth(keys.iter().map(|key| timed(|| contender.prove(key))));
        let verify =
            best_tenth(keys.iter().zip(&proofs).map(|(key, proof)| timed(|| contender.verify(key, proof))));
        (size, prove, verify)
    }

    /// The table; the first contender is what the others are held against.
    pub fn print(&self, all: &[Figures]) {
        println!("{} entries, keys of 33 bytes, values of 64", self.entries);
        print_row("", all, |figures| figures.name.to_owned());
        print_row("load, with root", all, |figures| time(figures.load));
        print_row("heap bytes an entry", all, |figures| figures.bytes_per_entry.to_string());
        for (place, size) in BATCHES.iter().enumerate() {
            let first = all[0].updates[place];
            print_row(&format!("root after {size} updates"), all, |figures| time(figures.updates[place]));
            print_row("  times the first", all, |figures| ratio(figures.updates[place], first));
            print_row("  times its hashes alone", all, |figures| match &figures.hashing {
                Some(hashing) => ratio(figures.updates[place], hashing[place]),
                None => "-".to_owned(),
            });
        }
        print_row("proof of a present key, bytes", all, |figures| figures.present.to_string());
        print_row("  to make", all, |figures| time(figures.prove));
        print_row("  to check", all, |figures| time(figures.verify));
    }
}

fn key(number: usize) -> Vec<u8> {
    [&b"A"[..], &hash_parts("key", &[&number.to_le_bytes()])].concat()
}

fn value(number: usize, version: usize) -> Vec<u8> {
    let half = |half: u8| hash_parts("value", &[&number.to_le_bytes(), &version.to_le_bytes(), &[half]]);
    [half(0), half(1)].concat()
}

/// How long the hashes take that the root needs after these updates, one after another and on data at hand.
fn hashing(contender: &impl Contender, batch: &[Entry]) -> Duration {
    let mut keys: Vec<_> = batch.iter().map(|(key, _)| key.as_slice()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut branches = 0;
    for (place, key) in keys.iter().enumerate() {
        let shared = place.checked_sub(1).and_then(|before| first_difference(keys[before], key));
        let fresh = |bit: &u16| shared.is_none_or(|shared| *bit > shared);
        branches += contender.path(key).into_iter().filter(fresh).count();
    }
    let hash = Hash::of("any", &[]);
    let rounds = (0..21).map(|_| {
        timed(|| {
            for _ in 0..branches {
                black_box(branch_hash(black_box(9), &hash, &hash));
            }
            for (key, value) in &batch[..keys.len()] {
                black_box(leaf_hash(key, &value_hash(value)));
            }
        })
    });
    best_tenth(rounds)
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn best_tenth(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 10]
}

fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{:.1} us", seconds * 1e6),
    }
}

fn ratio(part: Duration, whole: Duration) -> String {
    let ratio = part.as_secs_f64() / whole.as_secs_f64();
    if ratio >= 100.0 { format!("{ratio:.0}") } else { format!("{ratio:.2}") }
}

fn print_row(what: &str, all: &[Figures], cell: impl Fn(&Figures) -> String) {
    print!("{what:<30}");
    all.iter().for_each(|figures| print!("{:>14}", cell(figures)));
    println!();
}
