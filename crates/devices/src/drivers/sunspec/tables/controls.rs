//! Models 123 and 124: what an inverter and what a storage device is told to do.

use super::Kind::{Bits16, Enum16, Int16, Scale, Uint16};
use super::{Point, Table, r, w};

/// Model 123.
pub const CONTROLS: Table =
    Table { id: 123, name: "immediate controls", length: 24, points: CONTROLS_POINTS };

/// Model 124.
pub const STORAGE: Table = Table { id: 124, name: "storage controls", length: 24, points: STORAGE_POINTS };

const CONTROLS_POINTS: &[Point] = &[
    w(2, "Conn_WinTms", Uint16, "", "Secs"),
    w(3, "Conn_RvrtTms", Uint16, "", "Secs"),
    w(4, "Conn", Enum16, "", ""),
    w(5, "WMaxLimPct", Uint16, "WMaxLimPct_SF", "% WMax"),
    w(6, "WMaxLimPct_WinTms", Uint16, "", "Secs"),
    w(7, "WMaxLimPct_RvrtTms", Uint16, "", "Secs"),
    w(8, "WMaxLimPct_RmpTms", Uint16, "", "Secs"),
    w(9, "WMaxLim_Ena", Enum16, "", ""),
    w(10, "OutPFSet", Int16, "OutPFSet_SF", "cos()"),
    w(11, "OutPFSet_WinTms", Uint16, "", "Secs"),
    w(12, "OutPFSet_RvrtTms", Uint16, "", "Secs"),
    w(13, "OutPFSet_RmpTms", Uint16, "", "Secs"),
    w(14, "OutPFSet_Ena", Enum16, "", ""),
    w(15, "VArWMaxPct", Int16, "VArPct_SF", "% WMax"),
    w(16, "VArMaxPct", Int16, "VArPct_SF", "% VArMax"),
    w(17, "VArAvalPct", Int16, "VArPct_SF", "% VArAval"),
    w(18, "VArPct_WinTms", Uint16, "", "Secs"),
    w(19, "VArPct_RvrtTms", Uint16, "", "Secs"),
    w(20, "VArPct_RmpTms", Uint16, "", "Secs"),
    w(21, "VArPct_Mod", Enum16, "", ""),
    w(22, "VArPct_Ena", Enum16, "", ""),
    r(23, "WMaxLimPct_SF", Scale, "", ""),
    r(24, "OutPFSet_SF", Scale, "", ""),
    r(25, "VArPct_SF", Scale, "", ""),
];

const STORAGE_POINTS: &[Point] = &[
    w(2, "WChaMax", Uint16, "WChaMax_SF", "W"),
    w(3, "WChaGra", Uint16, "WChaDisChaGra_SF", "% WChaMax/sec"),
    w(4, "WDisChaGra", Uint16, "WChaDisChaGra_SF", "% WChaMax/sec"),
    w(5, "StorCtl_Mod", Bits16, "", ""),
    w(6, "VAChaMax", Uint16, "VAChaMax_SF", "VA"),
    w(7, "MinRsvPct", Uint16, "MinRsvPct_SF", "% WChaMax"),
    r(8, "ChaState", Uint16, "ChaState_SF", "% AhrRtg"),
    r(9, "StorAval", Uint16, "StorAval_SF", "AH"),
    r(10, "InBatV", Uint16, "InBatV_SF", "V"),
    r(11, "ChaSt", Enum16, "", ""),
    w(12, "OutWRte", Int16, "InOutWRte_SF", "% WDisChaMax"),
    w(13, "InWRte", Int16, "InOutWRte_SF", " % WChaMax"),
    w(14, "InOutWRte_WinTms", Uint16, "", "Secs"),
    w(15, "InOutWRte_RvrtTms", Uint16, "", "Secs"),
    w(16, "InOutWRte_RmpTms", Uint16, "", "Secs"),
    w(17, "ChaGriSet", Enum16, "", ""),
    r(18, "WChaMax_SF", Scale, "", ""),
    r(19, "WChaDisChaGra_SF", Scale, "", ""),
    r(20, "VAChaMax_SF", Scale, "", ""),
    r(21, "MinRsvPct_SF", Scale, "", ""),
    r(22, "ChaState_SF", Scale, "", ""),
    r(23, "StorAval_SF", Scale, "", ""),
    r(24, "InBatV_SF", Scale, "", ""),
    r(25, "InOutWRte_SF", Scale, "", ""),
];
