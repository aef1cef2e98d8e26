//! What addresses may say, and what they are told when they do not.

use super::*;

fn settings(address: &str) -> Result<Settings, DeviceError> {
    Settings::of_address(&address.parse().expect("an address"))
}

#[test]
fn values_are_topics_or_places_in_json() {
    let said = settings(
        "mqtt://broker/tele/my%20meter/?import=total&export=/SML/Total_out&power=em:0:/total_act_power\
         &time=/Time",
    )
    .expect("settings");
    let places: Vec<_> = said
        .values
        .iter()
        .map(|(_, source)| (source.topic.as_str(), source.pointer.as_ref().map(Pointer::to_string)))
        .collect();
    let wanted = [
        ("tele/my meter/total", None),
        ("tele/my meter", Some("/SML/Total_out".to_owned())),
        ("tele/my meter/em:0", Some("/total_act_power".to_owned())),
    ];
    assert_eq!(places, wanted);
    assert!(matches!(said.timing, Timing::Within(_)));
    assert_eq!(settings("mqtt://broker/meters/#").expect("settings").base, "meters");
    assert_eq!(settings("mqtt://broker/#").expect("settings").base, "");
    let apart = settings("mqtt://broker/m?import=a&time=ts").expect("settings");
    assert!(matches!(apart.timing, Timing::After(source) if source.topic == "m/ts"));
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    for (options, words) in [
        ("imports=a", "there are: import, export"),
        ("import=+/a", "no part"),
        ("unit=kwh", "Wh, kWh or MWh"),
        ("power_unit=VA", "W, kW or MW"),
        ("power_sign=plus", "import or export"),
        ("max_age=0", "1 to 86400"),
        ("max_age=2m", "1 to 86400"),
        ("time_offset=CET", "+01:00"),
        ("unit=kWh&wraps_at=-1", "energy"),
        ("wraps_at=100000", "in unit="),
        ("rated_power=5kW", "whole watts"),
        ("kind=coal", "solar, wind or gas"),
    ] {
        let error = settings(&format!("mqtt://broker/m?{options}")).expect_err(options).to_string();
        assert!(error.contains(words), "{options}: {error}");
    }
    assert!(settings("mqtt://broker/?import=/a").is_err(), "no topic at all");
}

#[test]
fn nothing_is_guessed() {
    let lacks = settings("mqtt://broker/m").expect("settings").lacks_for_meter().join("; ");
    for name in ["import=", "export=", "unit=", "power=", "power_unit="] {
        assert!(lacks.contains(name), "{lacks}");
    }
    let whole = "mqtt://broker/m?import=a&export=none&unit=kWh&power=p&power_unit=W&wraps_at=100000";
    let meter = settings(whole).expect("settings");
    assert_eq!(meter.lacks_for_meter(), Vec::<String>::new());
    assert_eq!(meter.traits.wraps_at, Some(Energy::from_wh(100_000_000)));
    assert_eq!(meter.lacks_for_generator().len(), 3);
    let address = "mqtt://broker/m?power=p&power_unit=kW&power_sign=export&kind=wind&rated_power=6000";
    let generator = settings(address).expect("settings");
    assert_eq!(generator.lacks_for_generator(), Vec::<String>::new());
    let power = Power::from_watts(6000);
    assert_eq!(generator.nameplate(), Some(GeneratorNameplate { kind: Generation::Wind, power }));
}

#[test]
fn power_is_said_in_one_way_only() {
    let lacks = |options: &str| {
        let address = format!("mqtt://broker/m?power_unit=W&{options}");
        settings(&address).expect("settings").lacks_for_power().len()
    };
    assert_eq!(lacks("power=a"), 0);
    assert_eq!(lacks("power_import=a&power_export=b"), 0);
    assert_eq!(lacks("power_import=a"), 1);
    assert_eq!(lacks("power=a&power_import=a"), 1);
    assert_eq!(lacks("power=a&power_import=a&power_export=b"), 1);
}
