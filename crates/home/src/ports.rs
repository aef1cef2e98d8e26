//! Whom a home talks to, as small traits, so that tests need no network: the storage side, the servers,
//! and the outbox.
//!
//! Always: an implementation gives up by itself after a bounded time. Not here: the devices, which have
//! their traits in `wattbook_devices`.

use crate::home::Market;
use futures::future::BoxFuture;
use std::time::Duration;
use wattbook_client::api::{AccountInfo, Announcement, AnnouncementAnswer};
use wattbook_client::http::{Servers, Storage};
use wattbook_client::outbox::Outbox;
use wattbook_types::{AccountId, Transaction};

/// How long anything may take before a control cycle goes on without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The storage side of the home's battery.
pub trait StorageSide: Send + Sync {
    /// Announces that the home is about to send (S1).
    fn announce<'a>(
        &'a self,
        announcement: &'a Announcement,
    ) -> BoxFuture<'a, Result<AnnouncementAnswer, String>>;
}

/// What the servers know.
pub trait MarketSide: Send + Sync {
    /// Prices in force and stored energy for sale.
    fn market(&self) -> BoxFuture<'_, Result<Market, String>>;

    /// An account; `None` where it is not registered.
    fn account(&self, address: AccountId) -> BoxFuture<'_, Result<Option<AccountInfo>, String>>;
}

/// Takes transactions over for good: keeps them, sends and resends them until they have ended.
pub trait Post: Send + Sync {
    /// Takes over a transaction. Taking over one that is known changes nothing.
    fn take(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), String>>;
}

async fn patiently<T, E: ToString>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

impl StorageSide for Storage {
    fn announce<'a>(
        &'a self,
        announcement: &'a Announcement,
    ) -> BoxFuture<'a, Result<AnnouncementAnswer, String>> {
        Box::pin(patiently(Self::announce(self, announcement)))
    }
}

impl MarketSide for Servers {
    fn market(&self) -> BoxFuture<'_, Result<Market, String>> {
        Box::pin(patiently(async {
            let (prices, community) = tokio::try_join!(self.prices(), self.community())?;
            let for_sale = community.batteries.iter().map(|battery| (battery.id, battery.for_sale)).collect();
            Ok::<_, wattbook_client::http::ClientError>(Market { prices: Some(prices), for_sale })
        }))
    }

    fn account(&self, address: AccountId) -> BoxFuture<'_, Result<Option<AccountInfo>, String>> {
        Box::pin(patiently(async move { Self::account(self, &address).await }))
    }
}

impl Post for Outbox {
    fn take(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.put(transaction).await.map(drop).map_err(|error| error.to_string()) })
    }
}
