//! Proposing and verifying: what the library asks of the chain.
//!
//! Always: a proposal waits for work, a due deadline, the heartbeat, or a parent that lingers without
//! being final; a verdict waits until it is for ever. Both may be dropped at any moment: the chain keeps
//! nothing but overlays. Not here: final blocks (`delivery`).

use super::block::WireBlock;
use super::{Chain, Change, RealTime, Verdict, Work};
use commonware_consensus::simplex::{scheme::ed25519::Scheme, types::Context};
use commonware_consensus::{Application, marshal::ancestry::Ancestry};
use commonware_cryptography::{Digested, ed25519, sha256};
use commonware_macros::select;
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tracing::warn;

/// How long to wait before building again after the chain could not.
const BUILD_RETRY: Duration = Duration::from_millis(50);

/// Real time by the runtime's clock.
pub(super) fn now(clock: &impl Clock) -> RealTime {
    let since = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    RealTime::default().plus(since)
}

/// Runs what may block where it does not hold up other tasks.
pub(super) async fn blocking<E: Spawner, T: Send + 'static>(
    context: &E,
    label: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    context.child(label).shared(true).spawn(move |_| async move { work() }).await.ok()
}

/// When the last block became durable here, for the heartbeat.
#[derive(Debug, Default)]
pub(super) struct LastBlock(AtomicU64);

impl LastBlock {
    /// A block became durable.
    pub fn set(&self, time: RealTime) {
        self.0.store(time.millis(), Ordering::Relaxed);
    }

    fn get(&self) -> RealTime {
        RealTime::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The chain, as the library calls it.
#[derive(Clone)]
pub(super) struct Proposer {
    pub chain: Arc<dyn Chain>,
    pub last_block: Arc<LastBlock>,
    /// How long a ledger without work goes without a block.
    pub heartbeat: Duration,
    /// How long a parent may stay without being final before a block is put on it to make it so.
    pub linger: Duration,
}

impl Proposer {
    /// Waits until there is reason for a block on this parent.
    async fn wait_for_work(&self, context: &impl Clock, parent: &WireBlock) {
        let entered = now(context);
        loop {
            let change = self.chain.change().listen();
            let time = now(context);
            let due = self.due(parent, entered, time);
            if due <= time {
                return;
            }
            select! {
                _ = change => {},
                _ = context.sleep(due.since(time)) => {},
            }
        }
    }

    fn due(&self, parent: &WireBlock, entered: RealTime, now: RealTime) -> RealTime {
        let due = match self.chain.next_work(parent.block(), now) {
            Work::Now => return now,
            Work::At(time) => time,
            Work::Later => RealTime::from_millis(u64::MAX),
        };
        // A parent that is about to become final is itself the heartbeat's block.
        let is_final = parent.block().height() <= self.chain.last_final().0;
        due.min(if is_final { self.last_block.get().plus(self.heartbeat) } else { entered.plus(self.linger) })
    }

    /// Sees to it that the chain holds a block's state, by executing what lies between it and the last
    /// final block. Says no if the block conflicts with a final one or is invalid.
    async fn hold_state<E: Clock + Spawner>(
        &self,
        context: &E,
        ancestry: &mut impl Ancestry<WireBlock>,
        block: &WireBlock,
    ) -> bool {
        let mut missing = Vec::new();
        let mut cursor = block.clone();
        while !self.chain.holds_state(&cursor.id()) {
            let height = cursor.block().height();
            if height <= self.chain.last_final().0 {
                if self.chain.final_block(height) != Some(cursor.id()) {
                    return false;
                }
                // Final meanwhile and built upon: what follows is judged by the final blocks.
                break;
            }
            let parent = match ancestry.next().await {
                Some(parent) => parent.inner().clone(),
                None => futures::future::pending().await,
            };
            missing.push(std::mem::replace(&mut cursor, parent));
        }
        for child in missing.into_iter().rev() {
            if !self.judge(context, &cursor, &child, false).await {
                return false;
            }
            cursor = child;
        }
        true
    }

    /// Waits for the verdict on a block. `fresh`: no quorum has voted for it yet, so the clock counts.
    async fn judge<E: Clock + Spawner>(
        &self,
        context: &E,
        parent: &WireBlock,
        block: &WireBlock,
        fresh: bool,
    ) -> bool {
        loop {
            let change = self.chain.change().listen();
            if let Some(verdict) = self.judge_by_final(parent, block) {
                return verdict;
            }
            let retry = if self.chain.holds_state(&parent.id()) {
                match self.ask(context, parent, block, fresh).await {
                    Some(Verdict::Valid) => return true,
                    Some(Verdict::Invalid(reason)) => {
                        warn!(height = %block.block().height(), block = %block.id(), reason, "invalid block");
                        return false;
                    }
                    Some(Verdict::NotYet(retry)) => retry,
                    None => None,
                }
            } else {
                None
            };
            wait(context, change, retry).await;
        }
    }

    /// The verdict on a block that final blocks have overtaken.
    fn judge_by_final(&self, parent: &WireBlock, block: &WireBlock) -> Option<bool> {
        let (last, _) = self.chain.last_final();
        let is_final = |block: &WireBlock| self.chain.final_block(block.block().height()) == Some(block.id());
        if block.block().height() <= last {
            return Some(is_final(block));
        }
        (parent.block().height() <= last && !is_final(parent)).then_some(false)
    }

    async fn ask<E: Clock + Spawner>(
        &self,
        context: &E,
        parent: &WireBlock,
        block: &WireBlock,
        fresh: bool,
    ) -> Option<Verdict> {
        let (chain, parent, block) = (self.chain.clone(), parent.block().clone(), block.block().clone());
        let time = fresh.then(|| now(context));
        blocking(context, "verify", move || chain.verify(&parent, &block, time)).await
    }

    async fn build<E: Clock + Spawner>(&self, context: &E, parent: &WireBlock) -> Option<WireBlock> {
        let (chain, parent, time) = (self.chain.clone(), parent.block().clone(), now(context));
        let block = blocking(context, "build", move || chain.build(&parent, time)).await??;
        let wire = WireBlock::new(block);
        if wire.is_none() {
            warn!("a block was built that is longer than blocks may be");
        }
        wire
    }
}

async fn wait(
    clock: &impl Clock,
    change: std::pin::Pin<Box<tokio::sync::futures::Notified<'_>>>,
    until: Option<RealTime>,
) {
    let Some(until) = until else {
        return change.await;
    };
    let pause = until.since(now(clock)).max(Duration::from_millis(1));
    select! {
        _ = change => {},
        _ = clock.sleep(pause) => {},
    }
}

impl<E: Clock + Spawner + Metrics> Application<E> for Proposer {
    type SigningScheme = Scheme;
    type Context = Context<sha256::Digest, ed25519::PublicKey>;
    type Block = WireBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (context, _): (E, Self::Context),
        mut ancestry: impl Ancestry<WireBlock>,
        _: (),
    ) -> Option<Digested<WireBlock>> {
        let parent = ancestry.next().await?.inner().clone();
        if !self.hold_state(&context, &mut ancestry, &parent).await {
            return None;
        }
        while self.chain.holds_state(&parent.id()) {
            self.wait_for_work(&context, &parent).await;
            if let Some(block) = self.build(&context, &parent).await {
                return Some(block.digested());
            }
            let change: &Change = self.chain.change();
            wait(&context, change.listen(), Some(now(&context).plus(BUILD_RETRY))).await;
        }
        // Another block became final at this height: the view is over.
        None
    }

    async fn verify(
        &mut self,
        (context, _): (E, Self::Context),
        mut ancestry: impl Ancestry<WireBlock>,
    ) -> bool {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return futures::future::pending().await;
        };
        let (block, parent) = (block.inner().clone(), parent.inner().clone());
        if let Some(verdict) = self.judge_by_final(&parent, &block) {
            return verdict;
        }
        self.hold_state(&context, &mut ancestry, &parent).await
            && self.judge(&context, &parent, &block, true).await
    }
}
