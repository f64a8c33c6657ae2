//! JSON text and maps of text, borrowed from the event wherever JSON's escapes allow it.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// A JSON string. Serde's own `Cow` is borrowed only where it is a field itself, not inside maps and lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'e>(pub(crate) Cow<'e, str>);

/// A JSON object of strings, in order, repeats kept.
#[derive(Debug, Default)]
pub(crate) struct Pairs<'e>(pub(crate) Vec<(Text<'e>, Text<'e>)>);

/// A JSON object of lists of strings, as pairs.
#[derive(Debug, Default)]
pub(crate) struct Lists<'e>(pub(crate) Vec<(Text<'e>, Text<'e>)>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'e, 'e> Deserialize<'de> for Text<'e> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

impl<'de: 'e, 'e> Deserialize<'de> for Pairs<'e> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(FEW);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

impl<'de: 'e, 'e> Deserialize<'de> for Lists<'e> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Lists<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of lists of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lists<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(FEW);
                while let Some(name) = map.next_key()? {
                    map.next_value_seed(Values { name, pairs: &mut pairs })?;
                }
                Ok(Lists(pairs))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// The values of one name.
struct Values<'p, 'e> {
    name: Text<'e>,
    pairs: &'p mut Vec<(Text<'e>, Text<'e>)>,
}

impl<'de> DeserializeSeed<'de> for Values<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while let Some(value) = values.next_element()? {
            self.pairs.push((self.name.clone(), value));
        }
        Ok(())
    }
}

/// Room for the headers of most requests.
const FEW: usize = 16;
