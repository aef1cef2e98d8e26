//! Whether an order to transmit may be obeyed (B9): the storage side as a light client.
//!
//! Always: knowing only the genesis, it is checked that the record stands in a block that more than two
//! thirds of the community's servers signed as final. A server's word alone moves no energy. Not here: the
//! time until which an order comes in time (the caller knows the time), and keeping it.

use wattbook_client::api::DispatchOrder;
use wattbook_types::finality::{Finality, FinalityError};
use wattbook_types::record::Reservation;
use wattbook_types::{BatteryId, Genesis, Record, Refusal, Timestamp, hex};

/// Why an order is not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// The bytes are not a reservation and a proof.
    #[error("the order cannot be read: {0}")]
    Malformed(&'static str),
    /// The reservation is of another battery.
    #[error("the reservation is of battery {0}")]
    OtherBattery(BatteryId),
    /// The connection point does not join this battery.
    #[error("the reservation's connection point does not join this battery")]
    OtherConnectionPoint,
    /// The proof does not hold.
    #[error("the reservation is not proved to be final: {0}")]
    NotFinal(FinalityError),
    /// The proof holds, but for a block that does not contain the reservation.
    #[error("the reservation does not stand in the block that the proof is about")]
    NotInBlock,
    /// The slot has ended.
    #[error("the reservation's slot has ended")]
    TooLate,
}

impl DispatchError {
    /// The stable code.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Malformed(_) => Refusal::Malformed,
            Self::OtherBattery(_) => Refusal::UnknownBattery,
            Self::OtherConnectionPoint => Refusal::WrongBattery,
            Self::NotFinal(_) | Self::NotInBlock => Refusal::NotFinal,
            Self::TooLate => Refusal::TooLateToDispatch,
        }
    }
}

/// The reservation of an order, once everything about it is checked at ledger time `now`.
///
/// # Errors
/// In the order of [`DispatchError`].
pub fn check(
    order: &DispatchOrder,
    genesis: &Genesis,
    battery: BatteryId,
    now: Timestamp,
) -> Result<Reservation, DispatchError> {
    let bytes =
        hex::decode(&order.record).ok_or(DispatchError::Malformed("the record is not hexadecimal"))?;
    let record = borsh::from_slice(&bytes).map_err(|_| DispatchError::Malformed("no record"))?;
    let Record::Reservation(reservation) = record else {
        return Err(DispatchError::Malformed("the record is not a reservation"));
    };
    if reservation.battery != battery {
        return Err(DispatchError::OtherBattery(reservation.battery));
    }
    let joins = |point: &wattbook_types::genesis::ConnectionPointSpec| {
        point.id == reservation.connection_point && point.battery == battery
    };
    if !genesis.connection_points.iter().any(joins) {
        return Err(DispatchError::OtherConnectionPoint);
    }
    let proof = hex::decode(&order.finality)
        .and_then(|bytes| borsh::from_slice::<Finality>(&bytes).ok())
        .ok_or(DispatchError::Malformed("no proof of finality"))?;
    let header =
        proof.verify(&genesis.ledger_id(), &genesis.server_set()).map_err(DispatchError::NotFinal)?;
    if order.path.root_from(&bytes) != Some(header.records_root) {
        return Err(DispatchError::NotInBlock);
    }
    if reservation.slot.end(genesis.rules.slot_length) <= now {
        return Err(DispatchError::TooLate);
    }
    Ok(reservation)
}
