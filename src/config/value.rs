//! Forms of values that a file, a variable and a flag share: spans of time, lists, sizes.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, SeqAccess, Visitor};

/// A span of time: a number of seconds, or a text such as `500ms`, `10s`, `2m`, `1h 30m`.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(SpanVisitor)
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time such as \"10s\"")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| E::custom("must not be negative"))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        if let Ok(seconds) = text.parse::<f64>() {
            return self.visit_f64(seconds);
        }
        let span: jiff::SignedDuration =
            text.parse().map_err(|_| E::custom(format!("{text:?} is not a span of time such as \"10s\"")))?;
        Duration::try_from(span).map_err(|_| E::custom("must not be negative"))
    }
}

/// A list: an array in the file, comma-separated in the environment and in flags.
pub(super) fn list<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    deserializer.deserialize_any(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for ListVisitor<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(item).collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(text) = seq.next_element::<String>()? {
            items.push(item(&text)?);
        }
        Ok(items)
    }
}

fn item<T: FromStr, E: de::Error>(text: &str) -> Result<T, E>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| E::custom(format!("{text:?}: {error}")))
}
