//! Agreement under everything that may happen to servers and wires, in the deterministic world.

use super::toy::{Disk, Toy, keys, ledger, mark};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wattbook_server::consensus::simulation::{Link, Outcome, World, WorldConfig, resume, run};
use wattbook_server::consensus::{Fault, Handle, RealTime, channel};
use wattbook_types::finality::{Finality, ServerSet};
use wattbook_types::{BlockId, Hash, Height, SecretKey, hex};

const SECOND: Duration = Duration::from_secs(1);

/// Servers in a world, each with its disk.
struct Town {
    world: World,
    keys: Vec<SecretKey>,
    disks: Vec<Disk>,
    running: Vec<Option<(Arc<Toy>, Handle)>>,
    submitted: BTreeSet<Hash>,
}

impl Town {
    async fn build(world: World, servers: u8) -> Self {
        Self::build_on(world, (0..servers).map(|_| Disk::new()).collect()).await
    }

    async fn build_on(world: World, disks: Vec<Disk>) -> Self {
        let servers = disks.len() as u8;
        let mut town = Self {
            world,
            keys: keys(servers),
            disks,
            running: (0..servers).map(|_| None).collect(),
            submitted: BTreeSet::new(),
        };
        for index in 0..town.keys.len() {
            town.start(index).await;
        }
        town
    }

    async fn start(&mut self, index: usize) {
        let (handle, inlet) = channel();
        let toy = Toy::new(self.keys[index].clone(), self.disks[index].clone(), handle.clone());
        self.world.start(index, toy.clone(), inlet).await;
        self.running[index] = Some((toy, handle));
    }

    async fn crash(&mut self, index: usize) {
        self.world.crash(index).await;
        self.running[index] = None;
    }

    fn toy(&self, index: usize) -> &Arc<Toy> {
        &self.running[index].as_ref().expect("runs").0
    }

    fn handle(&self, index: usize) -> &Handle {
        &self.running[index].as_ref().expect("runs").1
    }

    fn submit(&mut self, index: usize, name: &str) {
        self.submitted.insert(mark(name));
        self.toy(index).submit(mark(name));
    }

    /// Waits until some servers hold all marks as final.
    async fn settled(&self, servers: &[usize], limit: Duration) -> bool {
        let all = |index: &usize| self.submitted.is_subset(&self.disks[*index].marks().into_keys().collect());
        self.world.until(limit, || servers.iter().all(all)).await
    }

    /// What is final on one server is final on every other, as far as it got.
    fn agree(&self) {
        let chains: Vec<Vec<BlockId>> =
            self.disks.iter().map(|disk| disk.blocks().iter().map(|block| block.id()).collect()).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).expect("servers");
        for chain in &chains {
            assert_eq!(chain[..], longest[..chain.len()], "servers disagree");
        }
        for index in 0..self.keys.len() {
            assert_eq!(self.world.fault(index), None);
        }
    }
}

fn config(seed: u64, servers: u8) -> WorldConfig {
    WorldConfig {
        seed,
        start: RealTime::from_millis(1_800_000_000_000),
        limit: Duration::from_secs(3_600),
        ledger: ledger(),
        keys: keys(servers),
        epoch_blocks: 1_000,
        leader_timeout: SECOND,
        heartbeat: Duration::from_secs(30),
        link: Link::GOOD,
    }
}

fn play<T, Fut: Future<Output = T>>(config: WorldConfig, script: impl FnOnce(Town) -> Fut) -> Outcome<T> {
    let servers = config.keys.len() as u8;
    run(config, async move |world: World| script(Town::build(world, servers).await).await)
}

#[test]
fn servers_agree_and_an_idle_ledger_hardly_grows() {
    let outcome = play(config(1, 4), async |mut town| {
        for number in 0..20 {
            town.submit(number % 4, &format!("mark {number}"));
            town.world.sleep(Duration::from_millis(100)).await;
        }
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        town.agree();
        let before = town.disks[0].height();
        town.world.sleep(120 * SECOND).await;
        let grown = town.disks[0].height() - before;
        town.agree();
        grown
    });
    assert!((3..=5).contains(&outcome.result), "{} heartbeats in two minutes", outcome.result);
}

#[test]
fn p4_three_servers_need_all_three() {
    play(config(2, 3), async |mut town| {
        town.submit(0, "with all");
        assert!(town.settled(&[0, 1, 2], 10 * SECOND).await);
        town.crash(2).await;
        town.submit(0, "without one");
        assert!(!town.settled(&[0], 60 * SECOND).await);
        town.start(2).await;
        assert!(town.settled(&[0, 1, 2], 60 * SECOND).await);
        town.agree();
    });
}

#[test]
fn l12_a_crashed_server_comes_back_and_catches_up() {
    play(config(3, 4), async |mut town| {
        for round in 0..3 {
            let victim = round % 4;
            town.submit((victim + 1) % 4, &format!("before {round}"));
            town.world.sleep(Duration::from_millis(35)).await;
            town.crash(victim).await;
            for number in 0..10 {
                town.submit((victim + 1) % 4, &format!("{round} without, {number}"));
                town.world.sleep(Duration::from_millis(200)).await;
            }
            let others: Vec<_> = (0..4).filter(|index| *index != victim).collect();
            assert!(town.settled(&others, 20 * SECOND).await);
            town.start(victim).await;
            assert!(town.settled(&[0, 1, 2, 3], 30 * SECOND).await, "round {round}");
            town.agree();
        }
    });
}

#[test]
fn all_servers_crash_at_once_and_nothing_final_is_lost() {
    play(config(4, 4), async |mut town| {
        for number in 0..10 {
            town.submit(number % 4, &format!("mark {number}"));
            town.world.sleep(Duration::from_millis(20)).await;
        }
        for index in 0..4 {
            town.crash(index).await;
        }
        let before: Vec<_> = town.disks.iter().map(Disk::marks).collect();
        for index in 0..4 {
            town.start(index).await;
        }
        town.submit(0, "after");
        let after = BTreeSet::from([mark("after")]);
        let has = |disk: &Disk| after.is_subset(&disk.marks().into_keys().collect());
        assert!(town.world.until(60 * SECOND, || town.disks.iter().all(has)).await);
        for marks in before {
            assert!(marks.keys().all(|mark| town.disks[0].marks().contains_key(mark)));
        }
        town.agree();
    });
}

#[test]
fn the_power_fails_everywhere_and_nothing_final_is_lost() {
    for seed in 20..26 {
        let config = config(seed, 4);
        let mut outcome = play(config.clone(), async |mut town| {
            for number in 0..10 {
                town.submit(number % 4, &format!("mark {number}"));
                town.world.sleep(Duration::from_millis(7 + seed)).await;
            }
            town.disks
        });
        for round in 0..3 {
            let disks = outcome.result.clone();
            let before: Vec<_> = disks.iter().map(Disk::marks).collect();
            outcome = resume(outcome.remains, config.clone(), async |world| {
                let mut town = Town::build_on(world, disks).await;
                town.submit(round % 4, &format!("after {round}"));
                assert!(town.settled(&[0, 1, 2, 3], 60 * SECOND).await, "seed {seed}, round {round}");
                town.agree();
                let marks = town.disks[0].marks();
                assert!(before.iter().flat_map(|marks| marks.keys()).all(|mark| marks.contains_key(mark)));
                town.submit(round % 4, "one that the next failure interrupts");
                town.submitted.clear();
                town.world.sleep(Duration::from_millis(3 * seed)).await;
                town.disks
            });
        }
    }
}

#[test]
fn l12_a_server_that_lost_its_store_takes_it_from_the_archive() {
    play(config(14, 4), async |mut town| {
        for number in 0..10 {
            town.submit(number % 4, &format!("mark {number}"));
        }
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        town.crash(1).await;
        town.disks[1] = Disk::new();
        town.start(1).await;
        assert!(town.settled(&[1], SECOND).await);
        town.submit(1, "and goes on");
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        town.agree();
    });
}

#[test]
fn a_block_from_a_clock_that_is_ahead_waits_for_its_time() {
    for (ahead, accepted) in [(400, true), (900, true), (5_000, false)] {
        play(config(15, 4), async |mut town| {
            town.submit(0, "first");
            assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
            town.toy(2).set_clock_ahead(ahead);
            for number in 0..8 {
                town.submit(number % 4, &format!("mark {number}"));
                town.world.sleep(2 * SECOND).await;
            }
            assert!(town.settled(&[0, 1, 2, 3], 30 * SECOND).await);
            let by_server_2 =
                |block: &&wattbook_types::Block| block.header().proposer == town.keys[2].public_key();
            let blocks = town.disks[0].blocks();
            assert_eq!(blocks[2..].iter().filter(by_server_2).count() > 0, accepted, "{ahead} ms ahead");
            town.agree();
        });
    }
}

#[test]
fn s6_two_and_two_agree_on_nothing_until_they_meet_again() {
    play(config(5, 4), async |mut town| {
        town.submit(0, "together");
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        town.world.part(&[&[0, 1], &[2, 3]]).await;
        town.world.sleep(SECOND).await;
        let before = town.disks[0].height();
        town.submit(0, "on one side");
        town.submit(2, "on the other");
        town.world.sleep(60 * SECOND).await;
        assert!(town.disks.iter().all(|disk| disk.height() <= before + 1));
        town.world.heal().await;
        // What was said while the others could not hear is said again by its owner.
        town.submit(0, "on one side");
        town.submit(2, "on the other");
        assert!(town.settled(&[0, 1, 2, 3], 60 * SECOND).await);
        town.agree();
    });
}

#[test]
fn lost_messages_delay_but_do_not_divide() {
    let lossy =
        Link { latency: Duration::from_millis(20), jitter: Duration::from_millis(15), lost_per_mille: 150 };
    play(WorldConfig { link: lossy, ..config(6, 4) }, async |mut town| {
        for number in 0..20 {
            for server in 0..4 {
                town.submit(server, &format!("mark {number}"));
            }
            town.world.sleep(Duration::from_millis(500)).await;
        }
        assert!(town.settled(&[0, 1, 2, 3], 240 * SECOND).await);
        town.agree();
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let once = |seed| {
        let outcome = play(config(seed, 4), async |mut town| {
            town.submit(0, "one");
            town.world.sleep(Duration::from_millis(30)).await;
            town.crash(1).await;
            town.submit(2, "two");
            town.world.sleep(5 * SECOND).await;
            town.start(1).await;
            assert!(town.settled(&[0, 1, 2, 3], 30 * SECOND).await);
            town.disks[0].blocks().last().map(|block| block.id())
        });
        (outcome.result, outcome.trace)
    };
    assert_eq!(once(7), once(7));
    assert_ne!(once(7).1, once(8).1);
}

#[test]
fn a_trade_after_long_idleness_at_a_dead_leaders_turn_is_final_in_time() {
    for dead in 0..4 {
        let outcome = play(config(9, 4), async |mut town| {
            town.world.sleep(5 * SECOND).await;
            town.crash(dead).await;
            town.world.sleep(300 * SECOND).await;
            let (asked, others) = ((dead + 1) % 4, (0..4).filter(|i| *i != dead).collect::<Vec<_>>());
            // Wait for the dead leader's turn, as far as it is ever waited for.
            let its_key = town.keys[dead].public_key();
            let turn = town.handle(asked).watch();
            let its_turn = || turn.borrow().leader == Some(its_key);
            town.world.until(10 * SECOND, its_turn).await;
            let submitted = town.world.now();
            town.submit(asked, "after long idleness");
            assert!(town.settled(&others, 10 * SECOND).await);
            town.world.now().since(submitted)
        });
        assert!(outcome.result < 3 * SECOND, "final after {:?}", outcome.result);
    }
}

#[test]
fn epochs_follow_each_other() {
    play(WorldConfig { epoch_blocks: 3, ..config(10, 4) }, async |mut town| {
        for number in 0..8 {
            town.submit(number % 4, &format!("mark {number}"));
            assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await, "mark {number}");
        }
        // A server is away while the others go through several epochs.
        town.crash(2).await;
        for number in 8..20 {
            town.submit(number % 2, &format!("mark {number}"));
            assert!(town.settled(&[0, 1, 3], 10 * SECOND).await, "mark {number}");
        }
        town.start(2).await;
        assert!(town.settled(&[2], 30 * SECOND).await, "catches up over epochs");
        town.submit(2, "together again");
        assert!(town.settled(&[0, 1, 2, 3], 20 * SECOND).await);
        assert!(town.handle(2).status().epoch >= 7);
        town.agree();
        // All stop and start in the middle of an epoch.
        for index in 0..4 {
            town.crash(index).await;
        }
        for index in 0..4 {
            town.start(index).await;
        }
        town.submit(1, "after all of it");
        assert!(town.settled(&[0, 1, 2, 3], 30 * SECOND).await);
        town.agree();
    });
}

#[test]
fn a_server_whose_state_differs_stops_and_says_so() {
    play(config(11, 4), async |mut town| {
        town.submit(0, "fine");
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        town.toy(3).corrupt();
        town.submit(0, "not fine on server 3");
        assert!(town.settled(&[0, 1, 2], 20 * SECOND).await);
        assert!(town.world.until(10 * SECOND, || town.world.fault(3).is_some()).await);
        assert!(matches!(town.world.fault(3), Some(Fault::Diverged { .. })));
    });
}

#[test]
fn l1_every_final_block_has_a_certificate_at_or_above_it() {
    play(config(12, 4), async |mut town| {
        for number in 0..10 {
            town.submit(number % 4, &format!("mark {number}"));
            town.world.sleep(Duration::from_millis(10)).await;
        }
        assert!(town.settled(&[0, 1, 2, 3], 10 * SECOND).await);
        for height in 1..=town.disks[1].height() {
            let height = Height::from_number(height);
            let found = town.handle(1).certificate(height).await.expect("certified");
            assert!(found.height >= height);
            let block = town.handle(1).block(height).await.expect("in the archive");
            assert_eq!(block, town.disks[1].blocks()[height.number() as usize]);
        }
    });
}

/// The proofs that `crates/types` checks without the library. To write them anew after a change that is
/// meant: `WATTBOOK_WRITE_VECTORS=1 cargo test -p wattbook-server --test consensus vectors`.
#[test]
fn finality_vectors_are_what_the_library_makes() {
    let outcome = play(WorldConfig { epoch_blocks: 4, ..config(13, 4) }, async |mut town| {
        for number in 0..10 {
            town.submit(number % 4, &format!("mark {number}"));
            town.world.sleep(Duration::from_millis(7)).await;
        }
        assert!(town.settled(&[0, 1, 2, 3], 30 * SECOND).await);
        let blocks = town.disks[0].blocks();
        let mut proofs = Vec::new();
        // The last one goes through two children, as where a block has no certificate of its own.
        let own = blocks[1..].iter().map(|block| (block, block.height()));
        for (block, certified) in own.chain([(&blocks[2], blocks[4].height())]) {
            let height = block.height();
            let found = town.handle(0).certificate(certified).await.expect("certified");
            let range = height.number() as usize..=found.height.number() as usize;
            let headers = blocks[range].iter().map(|block| block.signed.clone()).collect();
            let finality = Finality { certificate: found.certificate, headers };
            let proven = finality.verify(&ledger(), &servers()).expect("our code agrees");
            assert_eq!(proven, block.header());
            proofs.push(serde_json::json!({
                "height": height.number(),
                "finality": hex::encode(&borsh::to_vec(&finality).expect("in memory")),
            }));
        }
        proofs
    });
    let keys: Vec<_> = servers().keys().iter().map(ToString::to_string).collect();
    let made = serde_json::json!({ "ledger": ledger(), "servers": keys, "proofs": outcome.result });
    let text = serde_json::to_string_pretty(&made).expect("in memory") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../types/vectors/finality.json");
    if std::env::var_os("WATTBOOK_WRITE_VECTORS").is_some() {
        std::fs::write(path, &text).expect("the repository can be written");
    }
    assert_eq!(std::fs::read_to_string(path).expect("the vectors are there"), text);
}

fn servers() -> ServerSet {
    ServerSet::new(keys(4).iter().map(SecretKey::public_key).collect())
}
