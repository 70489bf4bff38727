//! A section of `tfm.toml` is declared once: the reader, the JSON schema and what `tfm config show` lists come from it.

use super::{Bytes, Level};
use crate::output::Format;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;

/// A type that a key may have.
pub trait Kind {
    /// Its JSON schema.
    fn schema() -> Value;

    /// The keys of a section, with what stands when they are not given; none for any other type.
    fn keys() -> Vec<Key> {
        Vec::new()
    }
}

/// A key of a section.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: String,
    /// What counts when it is not given.
    pub default: String,
    /// The schema of its value.
    pub schema: Value,
    /// The keys below it.
    pub keys: Vec<Key>,
}

/// The schema of a section.
pub fn object(doc: &str, keys: &[Key]) -> Value {
    let property = |k: &Key| {
        let mut schema = k.schema.clone();
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), k.doc.clone().into());
        }
        (k.name.to_string(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    json!({ "type": "object", "description": doc, "additionalProperties": false, "properties": properties })
}

/// Declares a section: a key a line, `name: Type = "what counts without it"`. What stands under `skip` is no key.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident : $ty:ty = $default:expr ),* $(,)?
        }
        $( skip { $( $(#[$meta:meta])* $skipped:ident : $other:ty ),* $(,)? } )?
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub $field: $ty, )*
            $( $( $(#[$meta])* #[serde(skip)] pub $skipped: $other, )* )?
        }

        impl $crate::config::section::Kind for $name {
            fn schema() -> serde_json::Value {
                let about = concat!($($about, "\n"),*);
                $crate::config::section::object(about.trim(), &Self::keys())
            }

            fn keys() -> Vec<$crate::config::section::Key> {
                vec![ $( $crate::config::section::Key {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),*).lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_string(),
                    default: $default.to_string(),
                    schema: <$ty as $crate::config::section::Kind>::schema(),
                    keys: <$ty as $crate::config::section::Kind>::keys(),
                } ),* ]
            }
        }
    };
}
pub(crate) use section;

macro_rules! kinds {
    ($($ty:ty: $schema:tt),* $(,)?) => { $( impl Kind for $ty { fn schema() -> Value { json!($schema) } } )* };
}
kinds! {
    String: { "type": "string" },
    PathBuf: { "type": "string" },
    NonZeroU16: { "type": "integer", "minimum": 1, "maximum": 65535 },
    Bytes: { "type": "string", "pattern": r"^\s*\+?(?=.*[1-9])([0-9]+\.?[0-9]*|\.[0-9]+)\s*[KMGT]B\s*$" },
    Level: { "type": "string", "enum": words::<Level>() },
    Format: { "type": "string", "enum": words::<Format>() },
}

/// A value as it is written.
pub fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|v| v.get_name().to_string()).unwrap_or_default()
}

fn words<T: ValueEnum>() -> Vec<String> {
    T::value_variants().iter().map(word).collect()
}

impl<T: Kind> Kind for Option<T> {
    fn schema() -> Value {
        T::schema()
    }

    fn keys() -> Vec<Key> {
        T::keys()
    }
}

impl<T: Kind> Kind for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

impl<T: Kind> Kind for BTreeMap<String, T> {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }
}
