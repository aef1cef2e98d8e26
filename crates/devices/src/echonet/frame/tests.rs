//! Frames recorded on the wire, frames that are none, and any bytes at all.
//!
//! Always: nothing panics. Not here: what properties mean.

use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Frames as npm echonet-lite 2.16.2 and PyPI pychonet 2.8.2 sent them, recorded on the wire.
const RECORDED: &[(&str, Service, &str, &str, usize)] = &[
    ("10 81 0002 05FF01 027901 62 01 E000", Service::Get, "05FF01", "027901", 1),
    ("10 81 0003 05FF01 028801 62 02 E000 E700", Service::Get, "05FF01", "028801", 2),
    ("10 81 0004 05FF01 027D01 61 01 EB04000003E8", Service::SetC, "05FF01", "027D01", 1),
    ("10 81 0001 05FF01 0EF001 62 04 8A00 8C00 8300 D600", Service::Get, "05FF01", "0EF001", 4),
    ("10 81 0002 05FF01 028801 61 01 E50101", Service::SetC, "05FF01", "028801", 1),
    ("10 81 0007 027901 05FF01 72 02 E0020C8A E10400BC614E", Service::GetRes, "027901", "05FF01", 2),
    ("10 81 0008 028801 05FF01 52 03 E0040001E240 ED00 E704FFFFFCF7", Service::GetSna, "028801", "05FF01", 3),
    ("10 81 0009 027D01 05FF01 71 02 EB00 DA00", Service::SetRes, "027D01", "05FF01", 2),
    ("10 81 000B 0EF001 05FF01 72 01 D60A03027901027D01028801", Service::GetRes, "0EF001", "05FF01", 1),
];

#[test]
fn frames_are_read_and_written_as_they_are_on_the_wire() {
    for (bytes, service, from, to, properties) in RECORDED {
        let bytes = hex(bytes);
        let frame = Frame::decode(&bytes).expect("a frame");
        assert_eq!(frame.service, *service);
        assert_eq!((frame.from.to_string(), frame.to.to_string()), ((*from).into(), (*to).into()));
        assert_eq!(frame.properties.len(), *properties);
        assert_eq!(frame.encode(), bytes);
    }
    let set_then_read = hex("10 81 00 09 05FF01 028801 6E 01 E5 01 02 02 E2 00 E4 00");
    let frame = Frame::decode(&set_then_read).expect("a frame");
    assert_eq!(frame.properties, [Property::new(0xE5, [2])]);
    assert_eq!(frame.read, [Property::named(0xE2), Property::named(0xE4)]);
    assert_eq!(frame.encode(), set_then_read);
}

#[test]
fn what_is_no_frame_is_refused_with_the_reason() {
    for (bytes, why) in [
        ("", Malformed::Short),
        ("10 82 00 01 05FF01 027901 62 01 E0 00", Malformed::Header),
        ("00 00 00 01 05FF01 027901 62 01 E0 00", Malformed::Header),
        ("10 81 00 01 05FF01 027901", Malformed::Short),
        ("10 81 00 01 05FF01 027901 62 02 E0 00", Malformed::Short),
        ("10 81 00 01 05FF01 027901 72 01 E0 02 0B", Malformed::Short),
        ("10 81 00 01 05FF01 027901 62 01 E0 00 FF", Malformed::Long(1)),
        ("10 81 00 01 05FF01 027901 64 01 E0 00", Malformed::Service(0x64)),
    ] {
        assert_eq!(Frame::decode(&hex(bytes)), Err(why), "{bytes}");
    }
    for (text, eoj) in
        [("027901", Some(Eoj::new(0x0279, 1))), ("27901", None), ("+27901", None), ("0279zz", None)]
    {
        assert_eq!(Eoj::from_hex(text), eoj);
    }
}

fn properties() -> impl Strategy<Value = Vec<Property>> {
    let property = (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20));
    proptest::collection::vec(property.prop_map(|(epc, edt)| Property { epc, edt }), 0..6)
}

prop_compose! {
    fn frames()(
        tid in any::<u16>(),
        from in any::<[u8; 3]>(),
        to in any::<[u8; 3]>(),
        service in 0..Service::ALL.len(),
        properties in properties(),
        read in properties(),
    ) -> Frame {
        let service = Service::ALL[service];
        let read = if service.has_two_lists() { read } else { Vec::new() };
        let (from, to) = (Eoj::from_bytes(from), Eoj::from_bytes(to));
        Frame { tid, from, to, service, properties, read }
    }
}

proptest! {
    #[test]
    fn any_frame_is_read_as_it_was_written(frame in frames()) {
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn any_bytes_are_a_frame_or_refused_and_a_frame_is_the_same_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        with_header in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if with_header && bytes.len() >= 2 {
            bytes[..2].copy_from_slice(&HEADER);
        }
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }

    #[test]
    fn a_frame_that_is_cut_or_changed_never_panics(
        frame in frames(),
        cut in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = frame.encode();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}
