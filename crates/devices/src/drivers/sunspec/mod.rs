//! Devices that speak SunSpec over Modbus TCP.

pub mod tables;
