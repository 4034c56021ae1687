//! How features are serialized.

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::javascript::number;

/// What the type of a feature says about its JSON.
pub(super) trait Feature {
    /// Whether there is no member at all.
    fn is_absent(&self) -> bool {
        false
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Feature for f64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self, serializer)
    }
}

impl<T: Feature> Feature for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// Values that JSON has as they are.
macro_rules! plain {
    ($($type:ty),*) => {
        $(impl Feature for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Serialize::serialize(self, serializer)
            }
        })*
    };
}

plain!(
    bool,
    u64,
    i32,
    String,
    Json,
    super::Direction,
    Vec<super::TrackFeatures>
);

/// Declares a struct whose members are features, named in camel case; behind the semicolon stand
/// members that are none.
macro_rules! feature_set {
    (
        $(#[$of_struct:meta])*
        pub struct $name:ident {
            $($(#[$of_feature:meta])* pub $feature:ident: $type:ty,)*
            ;
            $($(#[$of_other:meta])* pub $other:ident: $other_type:ty,)*
        }
    ) => {
        $(#[$of_struct])*
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$of_feature])*
                #[serde(
                    skip_serializing_if = "super::feature::Feature::is_absent",
                    serialize_with = "super::feature::Feature::serialize"
                )]
                pub $feature: $type,
            )*
            $($(#[$of_other])* pub $other: $other_type,)*
        }
    };
}

pub(super) use feature_set;
