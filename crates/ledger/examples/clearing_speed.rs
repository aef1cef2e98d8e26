//! How long a clearing takes natively and as a contract, and how much fuel it uses: what the limits in a
//! genesis are set by. `cargo run --release -p wattbook-ledger --example clearing_speed`

use std::time::Instant;
use wattbook_ledger::{Contract, answer};
use wattbook_types::clearing::{
    Answer, BatteryState, CLEARING_VERSION, Clearing, Lot, Path, PriceLimits, Request,
};
use wattbook_types::genesis::ContractLimits;
use wattbook_types::{
    AccountId, BatteryId, ConnectionPoint, Energy, Hash, PerMille, Power, Price, Slot, SlotLength,
    TransactionId,
};

const LIMITS: ContractLimits = ContractLimits { fuel: u64::MAX / 2, memory_pages: 4096, stack_height: 256 };

fn main() {
    let module = wattbook_market::CONTRACT;
    let begun = Instant::now();
    let contract = Contract::load(module, &LIMITS).expect("the default rule loads");
    println!("module: {} bytes, loaded in {:.2?}", module.len(), begun.elapsed());
    println!(
        "requests  lots  offers    native ms  contract ms  ratio       fuel  fuel/request  answer bytes"
    );
    for (requests, lots) in [(1_000, 200), (10_000, 1_000), (20_000, 5_000)] {
        measure(&contract, &book(requests, lots, 500, 2), "spread");
        measure(&contract, &book(requests, lots, 1, 2), "equal");
        measure(&contract, &book(requests, lots, 500, 1_000), "plenty");
    }
    measure(&contract, &book(20_000, 20_000, 20_000, 2), "spread");
    measure(&contract, &book(20_000, 20_000, 1, 2), "equal");
    measure(&contract, &book(100, 20_000, 500, 2), "spread");
    println!(
        "memory for 20,000 requests and 5,000 lots: {} pages of 64 KiB",
        pages(&book(20_000, 5_000, 1, 2))
    );
    println!(
        "memory for 20,000 requests and 20,000 lots: {} pages of 64 KiB",
        pages(&book(20_000, 20_000, 1, 2))
    );
    println!("\n100 million units of fuel, spent by a contract that never ends on");
    for (what, body) in ENDLESS {
        exhaust(what, body);
    }
}

/// What a hostile contract may spend its fuel on. The slowest of them says how long a failing clearing takes.
const ENDLESS: [(&str, &str); 6] = [
    ("nothing", ""),
    ("additions", "(local.set $a (i64.add (local.get $a) (i64.const 3)))"),
    ("divisions", "(local.set $a (i64.div_u (i64.const -1) (i64.or (local.get $a) (i64.const 1))))"),
    (
        "scattered loads",
        "(local.set $a (i64.load (i32.and (i32.wrap_i64 (local.get $a)) (i32.const 0xfffff8))))
         (local.set $a (i64.add (i64.mul (local.get $b) (i64.const 0x5851f42d4c957f2d)) (local.get $a)))
         (local.set $b (i64.add (local.get $b) (i64.const 0x14057b7ef767814f)))",
    ),
    ("small copies", "(memory.copy (i32.const 0) (i32.const 4096) (i32.const 63))"),
    ("large fills", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 16000000))"),
];

/// How long it takes until the fuel is spent.
fn exhaust(what: &str, body: &str) {
    let text = format!(
        r#"(module (memory (export "memory") 256)
            (func (export "wattbook_version") (result i32) (i32.const 1))
            (func (export "wattbook_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "wattbook_clear") (param i32 i32) (result i64) (local $a i64) (local $b i64)
                (loop $on {body} (br $on)) (i64.const 8)))"#
    );
    let module = wat::parse_str(text).expect("well-formed");
    let limits = ContractLimits { fuel: 100_000_000, ..LIMITS };
    let contract = Contract::load(&module, &limits).expect("it loads");
    let clearing = book(1, 1, 1, 2);
    let begun = Instant::now();
    let failure = contract.clear(&clearing).expect_err("it never ends");
    println!("{what:<16} {:>8.1} ms  {failure}", begun.elapsed().as_secs_f64() * 1e3);
}

/// The fewest pages of memory with which the default rule can decide.
fn pages(clearing: &Clearing) -> u32 {
    let enough = |memory_pages: &u32| {
        let limits = ContractLimits { memory_pages: *memory_pages, ..LIMITS };
        let contract = Contract::load(wattbook_market::CONTRACT, &limits);
        contract.is_ok_and(|contract| contract.clear(clearing).is_ok())
    };
    (1..LIMITS.memory_pages).find(enough).expect("the limit is wide")
}

/// One line of the table.
fn measure(contract: &Contract, clearing: &Clearing, offers: &str) {
    let (native, answered) = fastest(10, || wattbook_market::clear(clearing));
    let mut turn = 0;
    let (in_sandbox, cleared) = fastest(5, || {
        // Another slot each time, or the kept outcome would be measured.
        turn += 1;
        let other = Clearing { slot: Slot::from_number(turn), ..clearing.clone() };
        contract.clear(&other).expect("the limits are wide")
    });
    assert_eq!(cleared.answer, answered);
    answer::check(clearing, &answered).expect("the default rule's answers are sound");
    println!(
        "{:>8} {:>5}  {offers:<8} {:>10.3} {:>12.3} {:>6.1} {:>10} {:>13} {:>13}",
        clearing.requests.len(),
        clearing.lots.len(),
        native * 1e3,
        in_sandbox * 1e3,
        in_sandbox / native,
        cleared.fuel,
        cleared.fuel / clearing.requests.len() as u64,
        encoded(&answered),
    );
}

fn encoded(answer: &Answer) -> usize {
    borsh::to_vec(answer).expect("a vector takes every byte").len()
}

fn fastest<T>(times: u32, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut timed = || {
        let begun = Instant::now();
        let result = run();
        (begun.elapsed().as_secs_f64(), result)
    };
    let first = timed();
    (1..times).fold(first, |best, _| {
        let next = timed();
        if next.0 < best.0 { next } else { best }
    })
}

/// A book of so many requests and lots, at so many different prices; `enough` lots' worth is stored for
/// every two lots' worth that is asked.
fn book(requests: u32, lots: u32, prices: u64, enough: u64) -> Clearing {
    let mut number = numbers();
    let mut next = move |most: u64| number() % most;
    let asked = 1_000 * u64::from(requests);
    let deliverable = Energy::from_wh(asked * enough / 4 / u64::from(lots));
    let mut requests: Vec<Request> = (0..requests)
        .map(|home| Request {
            purchase: name("purchase", home),
            buyer: AccountId::from_bytes(*name("buyer", home).as_bytes()),
            connection_point: ConnectionPoint::from_number(home % 5_000),
            energy: Energy::from_wh(100 + next(1_900)),
            offered: Price::from_milli_per_kwh(20_000 + next(prices) * 10),
        })
        .collect();
    requests.sort_by_key(|request| request.purchase);
    let mut lots: Vec<Lot> = (0..lots)
        .map(|home| Lot {
            sale: name("sale", home),
            seller: AccountId::from_bytes(*name("seller", home).as_bytes()),
            connection_point: ConnectionPoint::from_number(home % 5_000),
            slot: Slot::from_number(next(48)),
            deliverable,
            floor: Price::from_milli_per_kwh(17_000 + next(4_000)),
        })
        .collect();
    lots.sort_by_key(|lot| (lot.slot, lot.sale));
    let path = |point| Path {
        connection_point: ConnectionPoint::from_number(point),
        loss: PerMille::new((point % 40) as u16),
        distance: point,
    };
    Clearing {
        version: CLEARING_VERSION,
        slot: Slot::from_number(0),
        slot_length: SlotLength::from_seconds(1800),
        battery: BatteryState {
            battery: BatteryId::from_number(1),
            stored: Energy::MAX,
            capacity: Energy::MAX,
            deliverable: Energy::MAX,
            discharge_limit: Power::MAX,
        },
        prices: PriceLimits { buyer_cap: Price::from_milli_per_kwh(40_000), smallest: Energy::from_wh(100) },
        lots,
        requests,
        paths: (0..5_000).map(path).collect(),
    }
}

fn name(kind: &str, number: u32) -> TransactionId {
    TransactionId::from_bytes(*Hash::of(kind, &number.to_le_bytes()).as_bytes())
}

/// The same numbers every time.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    }
}
