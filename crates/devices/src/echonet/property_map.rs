//! Which properties an object has: the maps that it tells of itself (properties 9D, 9E and 9F).
//!
//! Always: fewer than 16 properties are listed, 16 or more are a field of bits. Source: Appendix to ECHONET
//! Lite, annex 1.

/// A set of property codes, 80 to FF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyMap(u128);

/// How many properties are still listed one by one.
const LISTED: usize = 15;

impl PropertyMap {
    /// The set of these; codes below 80 are none.
    pub fn of(codes: impl IntoIterator<Item = u8>) -> Self {
        Self(codes.into_iter().filter(|code| *code >= 0x80).fold(0, |set, code| set | bit(code)))
    }

    /// Whether a property is among them.
    pub const fn has(self, code: u8) -> bool {
        code >= 0x80 && self.0 & bit(code) != 0
    }

    /// All of them, ascending.
    pub fn codes(self) -> impl Iterator<Item = u8> {
        (0x80..=0xFF).filter(move |code| self.has(*code))
    }

    /// Reads the map's data; `None` where they are none.
    pub fn decode(edt: &[u8]) -> Option<Self> {
        let (&count, rest) = edt.split_first()?;
        let codes: Vec<u8> = if usize::from(count) <= LISTED {
            rest.to_vec()
        } else {
            // Byte n, bit b stands for code 80 + 10 * b + n.
            let bits: &[u8; 16] = rest.try_into().ok()?;
            let code = |byte: usize, bit: usize| 0x80 + 16 * bit as u8 + byte as u8;
            let places = (0..16).flat_map(|byte| (0..8).map(move |bit| (byte, bit)));
            places
                .filter(|&(byte, bit)| bits[byte] >> bit & 1 == 1)
                .map(|(byte, bit)| code(byte, bit))
                .collect()
        };
        (codes.len() == usize::from(count) && codes.iter().all(|code| *code >= 0x80)).then(|| Self::of(codes))
    }

    /// Writes the map's data.
    pub fn encode(self) -> Vec<u8> {
        let codes: Vec<u8> = self.codes().collect();
        let mut edt = vec![codes.len() as u8];
        if codes.len() <= LISTED {
            edt.extend(codes);
        } else {
            let byte = |byte: u8| {
                (0..8).filter(|bit| self.has(0x80 + 16 * bit + byte)).fold(0, |bits, bit| bits | 1 << bit)
            };
            edt.extend((0..16).map(byte));
        }
        edt
    }
}

const fn bit(code: u8) -> u128 {
    1 << (code & 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let listed = [0x03, 0x80, 0xE0, 0xFF];
        assert_eq!(PropertyMap::decode(&listed), Some(PropertyMap::of([0xE0, 0x80, 0xFF])));
        // Of a smart meter, as npm echonet-lite reads it.
        let bits = [
            0x17, 0x41, 0x41, 0x41, 0x60, 0x40, 0x40, 0x00, 0x62, 0x43, 0x00, 0x41, 0x40, 0x00, 0x03, 0x02,
            0x02,
        ];
        let codes = [
            0x80, 0x81, 0x82, 0x88, 0x8A, 0x8D, 0x97, 0x98, 0x9D, 0x9E, 0x9F, 0xD3, 0xD7, 0xE0, 0xE1, 0xE2,
            0xE3, 0xE4, 0xE5, 0xE7, 0xE8, 0xEA, 0xEB,
        ];
        assert_eq!(PropertyMap::decode(&bits), Some(PropertyMap::of(codes)));
        assert_eq!(PropertyMap::of(codes).encode(), bits);
    }

    #[test]
    fn what_is_no_map_is_none() {
        for wrong in [&[][..], &[1], &[2, 0x80], &[1, 0x7F], &[0x10, 0x80], &[0x11; 17]] {
            assert_eq!(PropertyMap::decode(wrong), None, "{wrong:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_map_is_read_as_it_was_written(set in any::<u128>()) {
            prop_assert_eq!(PropertyMap::decode(&PropertyMap(set).encode()), Some(PropertyMap(set)));
        }

        #[test]
        fn any_bytes_are_a_map_or_none(edt in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(map) = PropertyMap::decode(&edt) {
                prop_assert_eq!(map.codes().count(), map.encode()[0] as usize);
            }
        }
    }
}
