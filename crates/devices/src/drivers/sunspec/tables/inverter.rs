//! Models 101 to 103: what an inverter generates now and ever, with one, two or three phases; and the
//! inverter's nameplate (120) and settings (121).

use super::Kind::{Acc32, Bits32, Enum16, Int16, Pad, Scale, Uint16};
use super::{Point, Table, r, w};

/// Model 101.
pub const INVERTER_1: Table = Table { id: 101, name: "inverter, single phase", length: 50, points: INVERTER };

/// Model 102.
pub const INVERTER_2: Table = Table { id: 102, name: "inverter, split phase", length: 50, points: INVERTER };

/// Model 103.
pub const INVERTER_3: Table = Table { id: 103, name: "inverter, three phases", length: 50, points: INVERTER };

/// Model 120.
pub const NAMEPLATE: Table = Table { id: 120, name: "nameplate", length: 26, points: NAMEPLATE_POINTS };

/// Model 121.
pub const SETTINGS: Table = Table { id: 121, name: "basic settings", length: 30, points: SETTINGS_POINTS };

const INVERTER: &[Point] = &[
    r(2, "A", Uint16, "A_SF", "A"),
    r(3, "AphA", Uint16, "A_SF", "A"),
    r(4, "AphB", Uint16, "A_SF", "A"),
    r(5, "AphC", Uint16, "A_SF", "A"),
    r(6, "A_SF", Scale, "", ""),
    r(7, "PPVphAB", Uint16, "V_SF", "V"),
    r(8, "PPVphBC", Uint16, "V_SF", "V"),
    r(9, "PPVphCA", Uint16, "V_SF", "V"),
    r(10, "PhVphA", Uint16, "V_SF", "V"),
    r(11, "PhVphB", Uint16, "V_SF", "V"),
    r(12, "PhVphC", Uint16, "V_SF", "V"),
    r(13, "V_SF", Scale, "", ""),
    r(14, "W", Int16, "W_SF", "W"),
    r(15, "W_SF", Scale, "", ""),
    r(16, "Hz", Uint16, "Hz_SF", "Hz"),
    r(17, "Hz_SF", Scale, "", ""),
    r(18, "VA", Int16, "VA_SF", "VA"),
    r(19, "VA_SF", Scale, "", ""),
    r(20, "VAr", Int16, "VAr_SF", "var"),
    r(21, "VAr_SF", Scale, "", ""),
    r(22, "PF", Int16, "PF_SF", "Pct"),
    r(23, "PF_SF", Scale, "", ""),
    r(24, "WH", Acc32, "WH_SF", "Wh"),
    r(26, "WH_SF", Scale, "", ""),
    r(27, "DCA", Uint16, "DCA_SF", "A"),
    r(28, "DCA_SF", Scale, "", ""),
    r(29, "DCV", Uint16, "DCV_SF", "V"),
    r(30, "DCV_SF", Scale, "", ""),
    r(31, "DCW", Int16, "DCW_SF", "W"),
    r(32, "DCW_SF", Scale, "", ""),
    r(33, "TmpCab", Int16, "Tmp_SF", "C"),
    r(34, "TmpSnk", Int16, "Tmp_SF", "C"),
    r(35, "TmpTrns", Int16, "Tmp_SF", "C"),
    r(36, "TmpOt", Int16, "Tmp_SF", "C"),
    r(37, "Tmp_SF", Scale, "", ""),
    r(38, "St", Enum16, "", ""),
    r(39, "StVnd", Enum16, "", ""),
    r(40, "Evt1", Bits32, "", ""),
    r(42, "Evt2", Bits32, "", ""),
    r(44, "EvtVnd1", Bits32, "", ""),
    r(46, "EvtVnd2", Bits32, "", ""),
    r(48, "EvtVnd3", Bits32, "", ""),
    r(50, "EvtVnd4", Bits32, "", ""),
];

const NAMEPLATE_POINTS: &[Point] = &[
    r(2, "DERTyp", Enum16, "", ""),
    r(3, "WRtg", Uint16, "WRtg_SF", "W"),
    r(4, "WRtg_SF", Scale, "", ""),
    r(5, "VARtg", Uint16, "VARtg_SF", "VA"),
    r(6, "VARtg_SF", Scale, "", ""),
    r(7, "VArRtgQ1", Int16, "VArRtg_SF", "var"),
    r(8, "VArRtgQ2", Int16, "VArRtg_SF", "var"),
    r(9, "VArRtgQ3", Int16, "VArRtg_SF", "var"),
    r(10, "VArRtgQ4", Int16, "VArRtg_SF", "var"),
    r(11, "VArRtg_SF", Scale, "", ""),
    r(12, "ARtg", Uint16, "ARtg_SF", "A"),
    r(13, "ARtg_SF", Scale, "", ""),
    r(14, "PFRtgQ1", Int16, "PFRtg_SF", "cos()"),
    r(15, "PFRtgQ2", Int16, "PFRtg_SF", "cos()"),
    r(16, "PFRtgQ3", Int16, "PFRtg_SF", "cos()"),
    r(17, "PFRtgQ4", Int16, "PFRtg_SF", "cos()"),
    r(18, "PFRtg_SF", Scale, "", ""),
    r(19, "WHRtg", Uint16, "WHRtg_SF", "Wh"),
    r(20, "WHRtg_SF", Scale, "", ""),
    r(21, "AhrRtg", Uint16, "AhrRtg_SF", "AH"),
    r(22, "AhrRtg_SF", Scale, "", ""),
    r(23, "MaxChaRte", Uint16, "MaxChaRte_SF", "W"),
    r(24, "MaxChaRte_SF", Scale, "", ""),
    r(25, "MaxDisChaRte", Uint16, "MaxDisChaRte_SF", "W"),
    r(26, "MaxDisChaRte_SF", Scale, "", ""),
    r(27, "Pad", Pad, "", ""),
];

const SETTINGS_POINTS: &[Point] = &[
    w(2, "WMax", Uint16, "WMax_SF", "W"),
    w(3, "VRef", Uint16, "VRef_SF", "V"),
    w(4, "VRefOfs", Int16, "VRefOfs_SF", "V"),
    w(5, "VMax", Uint16, "VMinMax_SF", "V"),
    w(6, "VMin", Uint16, "VMinMax_SF", "V"),
    w(7, "VAMax", Uint16, "VAMax_SF", "VA"),
    w(8, "VArMaxQ1", Int16, "VArMax_SF", "var"),
    w(9, "VArMaxQ2", Int16, "VArMax_SF", "var"),
    w(10, "VArMaxQ3", Int16, "VArMax_SF", "var"),
    w(11, "VArMaxQ4", Int16, "VArMax_SF", "var"),
    w(12, "WGra", Uint16, "WGra_SF", "% WMax/sec"),
    w(13, "PFMinQ1", Int16, "PFMin_SF", "cos()"),
    w(14, "PFMinQ2", Int16, "PFMin_SF", "cos()"),
    w(15, "PFMinQ3", Int16, "PFMin_SF", "cos()"),
    w(16, "PFMinQ4", Int16, "PFMin_SF", "cos()"),
    w(17, "VArAct", Enum16, "", ""),
    w(18, "ClcTotVA", Enum16, "", ""),
    w(19, "MaxRmpRte", Uint16, "MaxRmpRte_SF", "% WGra"),
    w(20, "ECPNomHz", Uint16, "ECPNomHz_SF", "Hz"),
    w(21, "ConnPh", Enum16, "", ""),
    r(22, "WMax_SF", Scale, "", ""),
    r(23, "VRef_SF", Scale, "", ""),
    r(24, "VRefOfs_SF", Scale, "", ""),
    r(25, "VMinMax_SF", Scale, "", ""),
    r(26, "VAMax_SF", Scale, "", ""),
    r(27, "VArMax_SF", Scale, "", ""),
    r(28, "WGra_SF", Scale, "", ""),
    r(29, "PFMin_SF", Scale, "", ""),
    r(30, "MaxRmpRte_SF", Scale, "", ""),
    r(31, "ECPNomHz_SF", Scale, "", ""),
];
