//! Buying by rule, and following what comes of all transactions.
//!
//! Always: for each slot it is decided once, shortly before its gate, on what servers said just then; a
//! request is recorded before it is sent. Not here: the rule (`buying`) and resending (the outbox).

use crate::control::{lock, settle};
use crate::home::{Changes, Home, Market};
use crate::ports::{MarketSide, Post};
use crate::record::{Progress, StoreError};
use crate::recorder::Recorder;
use futures::future::join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_client::api::Stage;
use wattbook_types::{AccountId, Slot, Timestamp, TransactionId};

/// Trades for all homes of a process.
pub struct Trader {
    homes: HashMap<AccountId, Arc<Mutex<Home>>>,
    /// What the servers said last.
    market: Mutex<Market>,
    /// The servers.
    pub servers: Arc<dyn MarketSide>,
    /// Writes the record.
    pub recorder: Recorder,
    /// Sends transactions.
    pub post: Arc<dyn Post>,
}

impl Trader {
    /// Trades for these homes.
    pub fn new(
        homes: &[Arc<Mutex<Home>>],
        servers: Arc<dyn MarketSide>,
        recorder: Recorder,
        post: Arc<dyn Post>,
    ) -> Self {
        let homes = homes.iter().map(|home| (lock(home).identity.address, home.clone())).collect();
        Self { homes, market: Mutex::default(), servers, recorder, post }
    }

    /// What the servers said last about prices and stored energy.
    pub fn market(&self) -> Market {
        self.market.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the servers for prices, stored energy and every home's account. What is not answered stays as
    /// it was.
    pub async fn ask_servers(&self) {
        let accounts = self.homes.iter().map(|(address, home)| async move {
            match self.servers.account(*address).await {
                Ok(account) => lock(home).account = account,
                Err(reason) => tracing::debug!(%address, reason, "no answer about an account"),
            }
        });
        let (market, _) = tokio::join!(self.servers.market(), join_all(accounts));
        match market {
            Ok(market) => *self.market.lock().unwrap_or_else(PoisonError::into_inner) = market,
            Err(reason) => tracing::warn!(reason, "no server tells prices and stored energy"),
        }
    }

    /// Decides about buying for every home whose time of decision has come.
    ///
    /// # Errors
    /// Where the record cannot be written: the process must stop.
    pub async fn decide(&self, now: Timestamp) -> Result<(), StoreError> {
        let market = self.market();
        let decisions = self.homes.values().filter_map(|home| {
            let mut home = lock(home);
            let slot = home.slot_to_decide(now)?;
            let changes = home.decide_purchase(slot, &market, now, rand::random());
            Some((home.name.clone(), changes))
        });
        let decisions: Vec<(String, Changes)> = decisions.collect();
        let settled =
            join_all(decisions.into_iter().map(|(home, changes)| async move {
                settle(&self.recorder, &*self.post, &home, changes).await
            }));
        settled.await.into_iter().collect()
    }

    /// Whether any home is to decide now.
    pub fn is_to_decide(&self, now: Timestamp) -> Option<Slot> {
        self.homes.values().filter_map(|home| lock(home).slot_to_decide(now)).max()
    }

    /// Takes in where a transaction of one of the homes stands.
    ///
    /// # Errors
    /// Where the record cannot be written: the process must stop.
    pub async fn follow(
        &self,
        holder: &AccountId,
        id: &TransactionId,
        stage: Stage,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(home) = self.homes.get(holder) else { return Ok(()) };
        let (name, changes) = {
            let mut home = lock(home);
            let changes = home.progressed(id, Progress::Known { stage }, now);
            (home.name.clone(), changes)
        };
        settle(&self.recorder, &*self.post, &name, changes).await
    }
}
