//! Models 201 to 204: meters, which count what was imported and exported.

use super::Kind::{Acc32, Bits32, Int16, Scale};
use super::{Point, Table, r};

/// Model 201.
pub const METER_1: Table = Table { id: 201, name: "meter, single phase", length: 105, points: METER };

/// Model 202.
pub const METER_2: Table = Table { id: 202, name: "meter, split phase", length: 105, points: METER };

/// Model 203.
pub const METER_3: Table = Table { id: 203, name: "meter, three phases, star", length: 105, points: METER };

/// Model 204.
pub const METER_DELTA: Table =
    Table { id: 204, name: "meter, three phases, delta", length: 105, points: METER };

const METER: &[Point] = &[
    r(2, "A", Int16, "A_SF", "A"),
    r(3, "AphA", Int16, "A_SF", "A"),
    r(4, "AphB", Int16, "A_SF", "A"),
    r(5, "AphC", Int16, "A_SF", "A"),
    r(6, "A_SF", Scale, "", ""),
    r(7, "PhV", Int16, "V_SF", "V"),
    r(8, "PhVphA", Int16, "V_SF", "V"),
    r(9, "PhVphB", Int16, "V_SF", "V"),
    r(10, "PhVphC", Int16, "V_SF", "V"),
    r(11, "PPV", Int16, "V_SF", "V"),
    r(12, "PhVphAB", Int16, "V_SF", "V"),
    r(13, "PhVphBC", Int16, "V_SF", "V"),
    r(14, "PhVphCA", Int16, "V_SF", "V"),
    r(15, "V_SF", Scale, "", ""),
    r(16, "Hz", Int16, "Hz_SF", "Hz"),
    r(17, "Hz_SF", Scale, "", ""),
    r(18, "W", Int16, "W_SF", "W"),
    r(19, "WphA", Int16, "W_SF", "W"),
    r(20, "WphB", Int16, "W_SF", "W"),
    r(21, "WphC", Int16, "W_SF", "W"),
    r(22, "W_SF", Scale, "", ""),
    r(23, "VA", Int16, "VA_SF", "VA"),
    r(24, "VAphA", Int16, "VA_SF", "VA"),
    r(25, "VAphB", Int16, "VA_SF", "VA"),
    r(26, "VAphC", Int16, "VA_SF", "VA"),
    r(27, "VA_SF", Scale, "", ""),
    r(28, "VAR", Int16, "VAR_SF", "var"),
    r(29, "VARphA", Int16, "VAR_SF", "var"),
    r(30, "VARphB", Int16, "VAR_SF", "var"),
    r(31, "VARphC", Int16, "VAR_SF", "var"),
    r(32, "VAR_SF", Scale, "", ""),
    r(33, "PF", Int16, "PF_SF", "Pct"),
    r(34, "PFphA", Int16, "PF_SF", "Pct"),
    r(35, "PFphB", Int16, "PF_SF", "Pct"),
    r(36, "PFphC", Int16, "PF_SF", "Pct"),
    r(37, "PF_SF", Scale, "", ""),
    r(38, "TotWhExp", Acc32, "TotWh_SF", "Wh"),
    r(40, "TotWhExpPhA", Acc32, "TotWh_SF", "Wh"),
    r(42, "TotWhExpPhB", Acc32, "TotWh_SF", "Wh"),
    r(44, "TotWhExpPhC", Acc32, "TotWh_SF", "Wh"),
    r(46, "TotWhImp", Acc32, "TotWh_SF", "Wh"),
    r(48, "TotWhImpPhA", Acc32, "TotWh_SF", "Wh"),
    r(50, "TotWhImpPhB", Acc32, "TotWh_SF", "Wh"),
    r(52, "TotWhImpPhC", Acc32, "TotWh_SF", "Wh"),
    r(54, "TotWh_SF", Scale, "", ""),
    r(55, "TotVAhExp", Acc32, "TotVAh_SF", "VAh"),
    r(57, "TotVAhExpPhA", Acc32, "TotVAh_SF", "VAh"),
    r(59, "TotVAhExpPhB", Acc32, "TotVAh_SF", "VAh"),
    r(61, "TotVAhExpPhC", Acc32, "TotVAh_SF", "VAh"),
    r(63, "TotVAhImp", Acc32, "TotVAh_SF", "VAh"),
    r(65, "TotVAhImpPhA", Acc32, "TotVAh_SF", "VAh"),
    r(67, "TotVAhImpPhB", Acc32, "TotVAh_SF", "VAh"),
    r(69, "TotVAhImpPhC", Acc32, "TotVAh_SF", "VAh"),
    r(71, "TotVAh_SF", Scale, "", ""),
    r(72, "TotVArhImpQ1", Acc32, "TotVArh_SF", "varh"),
    r(74, "TotVArhImpQ1PhA", Acc32, "TotVArh_SF", "varh"),
    r(76, "TotVArhImpQ1PhB", Acc32, "TotVArh_SF", "varh"),
    r(78, "TotVArhImpQ1PhC", Acc32, "TotVArh_SF", "varh"),
    r(80, "TotVArhImpQ2", Acc32, "TotVArh_SF", "varh"),
    r(82, "TotVArhImpQ2PhA", Acc32, "TotVArh_SF", "varh"),
    r(84, "TotVArhImpQ2PhB", Acc32, "TotVArh_SF", "varh"),
    r(86, "TotVArhImpQ2PhC", Acc32, "TotVArh_SF", "varh"),
    r(88, "TotVArhExpQ3", Acc32, "TotVArh_SF", "varh"),
    r(90, "TotVArhExpQ3PhA", Acc32, "TotVArh_SF", "varh"),
    r(92, "TotVArhExpQ3PhB", Acc32, "TotVArh_SF", "varh"),
    r(94, "TotVArhExpQ3PhC", Acc32, "TotVArh_SF", "varh"),
    r(96, "TotVArhExpQ4", Acc32, "TotVArh_SF", "varh"),
    r(98, "TotVArhExpQ4PhA", Acc32, "TotVArh_SF", "varh"),
    r(100, "TotVArhExpQ4PhB", Acc32, "TotVArh_SF", "varh"),
    r(102, "TotVArhExpQ4PhC", Acc32, "TotVArh_SF", "varh"),
    r(104, "TotVArh_SF", Scale, "", ""),
    r(105, "Evt", Bits32, "", ""),
];
