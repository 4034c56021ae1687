//! Locations from a database file.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::Reader;
use serde_json::Value;

use crate::LocationDatabase;

/// A [`LocationDatabase`] in a file in MaxMind's format, of the schema City. It is read into memory
/// as a whole.
pub struct GeoFile(Reader<Vec<u8>>);

/// A database that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("database of locations cannot be read")]
pub struct GeoFileError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl GeoFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no such database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GeoFileError> {
        let reader = Reader::open_readfile(path);
        reader
            .map(Self)
            .map_err(|error| GeoFileError(Box::new(error)))
    }
}

impl LocationDatabase for GeoFile {
    fn record(&self, address: IpAddr) -> Option<Value> {
        // Broken records are as good as none.
        let found = self.0.lookup(address).ok()?;
        found.decode::<Value>().ok().flatten()
    }
}

impl fmt::Debug for GeoFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GeoFile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use mmdb_writer::Writer;
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_found_by_address() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("city.mmdb");
        let record = json!({
            "continent": { "names": { "en": "Europe" } },
            "country": { "names": { "en": "Norway", "de": "Norwegen" }, "iso_code": "NO" },
            "location": { "latitude": 59.5 },
        });
        let mut writer = Writer::new("Test-City");
        let known: IpAddr = "198.51.100.7".parse().unwrap();
        writer.insert(known, &record).unwrap();
        std::fs::write(&path, writer.to_bytes().unwrap()).unwrap();
        let database = GeoFile::open(&path).unwrap();
        assert_eq!(database.record(known), Some(record));
        assert_eq!(database.record("203.0.113.7".parse().unwrap()), None);
        assert_eq!(database.record("2001:db8::1".parse().unwrap()), None);
    }

    #[test]
    fn a_file_of_another_kind_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("city.mmdb");
        assert!(GeoFile::open(&path).is_err());
        std::fs::write(&path, "no database").unwrap();
        assert!(GeoFile::open(&path).is_err());
    }
}
