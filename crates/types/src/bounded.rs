//! Decoding of numbers that not every bit pattern is one of.
//!
//! Always: what a type's constructor `checked` refuses, its decoders refuse, from bytes and from JSON
//! alike, so that no value out of range comes in from outside. Not here: which ranges those are.

/// Decodes a newtype over `$inner` by way of its `checked`; `$complaint` says what was wrong.
macro_rules! decode_checked {
    ($name:ident, $inner:ty, $complaint:literal) => {
        impl borsh::BorshDeserialize for $name {
            fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
                let number = <$inner as borsh::BorshDeserialize>::deserialize_reader(reader)?;
                Self::checked(number)
                    .ok_or_else(|| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, $complaint))
            }
        }

        #[cfg(feature = "ledger")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$inner as serde::Deserialize>::deserialize(deserializer)?;
                Self::checked(number).ok_or_else(|| serde::de::Error::custom($complaint))
            }
        }
    };
}

pub(crate) use decode_checked;
