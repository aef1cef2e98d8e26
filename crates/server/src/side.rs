//! The storage side of a battery, as a server sees it.
//!
//! Always: whoever answers, everything that comes back is checked like anything else; a simulation puts a
//! storage side of its own behind this, a process the one that answers over HTTP. Not here: when to ask
//! (`inquiry`) and what to order (`dispatch`).

use std::future::Future;
use wattbook_client::api::{DispatchAnswer, DispatchOrder, ReportQuery};
use wattbook_client::http::{ClientError, Storage};
use wattbook_types::Transaction;

/// What a server asks of a storage side.
pub trait StorageSide: Send + Sync {
    /// Signed reports, by sequence.
    ///
    /// # Errors
    /// Where nobody answers, or not what was asked.
    fn reports(
        &self,
        query: &ReportQuery,
    ) -> impl Future<Output = Result<Vec<Transaction>, ClientError>> + Send;

    /// Asks to transmit what a final reservation says. Asking again is safe.
    ///
    /// # Errors
    /// Where nobody answers; `Problem` with the refusal's code where the order is not accepted.
    fn dispatch(
        &self,
        order: &DispatchOrder,
    ) -> impl Future<Output = Result<DispatchAnswer, ClientError>> + Send;
}

impl StorageSide for Storage {
    async fn reports(&self, query: &ReportQuery) -> Result<Vec<Transaction>, ClientError> {
        Self::reports(self, query).await
    }

    async fn dispatch(&self, order: &DispatchOrder) -> Result<DispatchAnswer, ClientError> {
        Self::dispatch(self, order).await
    }
}
