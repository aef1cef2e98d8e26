//! What a Victron GX publishes of a meter or a solar inverter, and how the MQTT driver is told to read it.
//!
//! Source: `dbus-flashmq` (github.com/victronenergy/dbus-flashmq, README and `src/ha_gridmeter.cpp`, 2024 to
//! 2026) for topics, messages and the keep-alive; the Venus OS wiki's page `dbus` (edition of 13 January 2025),
//! sections "Grid (and genset) meter" and "PV inverters", for paths and units: "SI units are used for all
//! measurements, with these exceptions: Energy is in kWh".
//!
//! Always: a topic is `N/PORTAL/SERVICE/INSTANCE/PATH`, a message `{"value": …}` and not kept by the broker; a
//! value that is not there is `{"value": null}`, a device that has gone an empty message. Not here: reading
//! numbers out of messages (`mqtt`).

use crate::driver::Capability;

/// A kind of device behind a GX.
pub struct Service {
    /// Its place in topics.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What it can be used as.
    pub offers: &'static [Capability],
    /// The options of an MQTT address that read it. Paths are below the device's topic.
    pub options: &'static str,
}

/// Energy in kWh and power in W, both ways or one, in messages `{"value": …}`.
pub const SERVICES: &[Service] = &[
    Service {
        name: "grid",
        about: "a meter at the grid's connection",
        offers: &[Capability::Meter],
        options: "import=Ac/Energy/Forward:/value&export=Ac/Energy/Reverse:/value&unit=kWh\
                  &power=Ac/Power:/value&power_unit=W",
    },
    Service {
        name: "acload",
        about: "a meter of what is used",
        offers: &[Capability::Meter],
        options: "import=Ac/Energy/Forward:/value&export=none&unit=kWh&power=Ac/Power:/value&power_unit=W",
    },
    Service {
        name: "pvinverter",
        about: "a solar inverter, which counts what it generates",
        offers: &[Capability::Meter, Capability::Generator],
        options: "import=none&export=Ac/Energy/Forward:/value&unit=kWh\
                  &power=Ac/Power:/value&power_unit=W&power_sign=export&kind=solar",
    },
];

/// How old a value may be, in seconds: three rounds of what a GX says when it is kept alive.
pub const MAX_AGE_S: u64 = 90;
