//! The contract's own decoder against the derived one, on sound and on damaged bytes.

mod books;

use books::book;
use borsh::BorshDeserialize;
use proptest::prelude::*;
use wattbook_market::input::clearing;
use wattbook_types::clearing::Clearing;

proptest! {
    #[test]
    fn reads_what_the_derived_decoder_reads(
        book in book(),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in prop_oneof![3 => Just(0usize), 1 => 1..200usize],
        more in prop_oneof![3 => Just(0usize), 1 => 1..3usize],
    ) {
        let mut bytes = borsh::to_vec(&book).unwrap();
        if let Some((place, byte)) = damage {
            *place.get_mut(&mut bytes) = byte;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        bytes.resize(bytes.len() + more, 0);
        prop_assert_eq!(clearing(&bytes), Clearing::try_from_slice(&bytes).ok());
    }
}
