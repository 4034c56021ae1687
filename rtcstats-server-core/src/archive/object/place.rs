//! Stores, opened by their URLs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use super::{Failure, ObjectArchiveOptions};

/// Where objects are kept.
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// Where the objects are files: their directory.
    pub(super) directory: Option<PathBuf>,
    /// What all keys begin with.
    pub(super) prefix: Path,
}

#[derive(Debug, thiserror::Error)]
enum PlaceError {
    #[error("setting {0} is not known for this store")]
    Setting(String),
    #[error("no store is known for {0} URLs")]
    Scheme(String),
    #[error("the URL is no path of this machine")]
    NoPath,
}

impl Place {
    pub(super) fn open(url: &str, options: &ObjectArchiveOptions) -> Result<Self, Failure> {
        let url = Url::parse(url)?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&url)?;
        match scheme {
            ObjectStoreScheme::Local => Self::directory(&url, options),
            ObjectStoreScheme::Memory => {
                take_no_settings(options)?;
                Ok(Self {
                    store: Arc::new(InMemory::new()),
                    signer: None,
                    directory: None,
                    prefix,
                })
            }
            ObjectStoreScheme::AmazonS3 => Ok(Self::cloud(s3(&url, options)?, prefix)),
            ObjectStoreScheme::GoogleCloudStorage => {
                Ok(Self::cloud(google(&url, options)?, prefix))
            }
            ObjectStoreScheme::MicrosoftAzure => Ok(Self::cloud(azure(&url, options)?, prefix)),
            _ => Err(PlaceError::Scheme(url.scheme().to_owned()).into()),
        }
    }

    fn cloud<S: ObjectStore + Signer>(store: S, prefix: Path) -> Self {
        let store = Arc::new(store);
        Self {
            signer: Some(Arc::clone(&store) as Arc<dyn Signer>),
            store,
            directory: None,
            prefix,
        }
    }

    fn directory(url: &Url, options: &ObjectArchiveOptions) -> Result<Self, Failure> {
        take_no_settings(options)?;
        let directory = url.to_file_path().map_err(|()| PlaceError::NoPath)?;
        fs::create_dir_all(&directory)?;
        crate::directory::sync_parent(&directory)?;
        let store = LocalFileSystem::new_with_prefix(&directory)?.with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            signer: None,
            directory: Some(directory),
            prefix: Path::default(),
        })
    }
}

fn take_no_settings(options: &ObjectArchiveOptions) -> Result<(), PlaceError> {
    match options.settings.first() {
        Some((key, _)) => Err(PlaceError::Setting(key.clone())),
        None => Ok(()),
    }
}

fn setting<K: std::str::FromStr>(key: &str) -> Result<K, PlaceError> {
    let parsed = key.to_ascii_lowercase().parse();
    parsed.map_err(|_| PlaceError::Setting(key.to_owned()))
}

fn s3(url: &Url, options: &ObjectArchiveOptions) -> Result<object_store::aws::AmazonS3, Failure> {
    let mut builder = if options.environment {
        AmazonS3Builder::from_env()
    } else {
        AmazonS3Builder::new()
    };
    let mut has_checksum = builder
        .get_config_value(&AmazonS3ConfigKey::Checksum)
        .is_some();
    builder = builder.with_url(url.as_str());
    for (key, value) in &options.settings {
        let key = setting(key)?;
        if key == AmazonS3ConfigKey::Checksum {
            has_checksum = true;
            if value == "none" {
                continue;
            }
        }
        builder = builder.with_config(key, value);
    }
    if !has_checksum {
        builder = builder.with_config(AmazonS3ConfigKey::Checksum, "sha256");
    }
    Ok(builder.build()?)
}

fn google(
    url: &Url,
    options: &ObjectArchiveOptions,
) -> Result<object_store::gcp::GoogleCloudStorage, Failure> {
    let mut builder = if options.environment {
        GoogleCloudStorageBuilder::from_env()
    } else {
        GoogleCloudStorageBuilder::new()
    };
    builder = builder.with_url(url.as_str());
    for (key, value) in &options.settings {
        builder = builder.with_config(setting::<GoogleConfigKey>(key)?, value);
    }
    Ok(builder.build()?)
}

fn azure(
    url: &Url,
    options: &ObjectArchiveOptions,
) -> Result<object_store::azure::MicrosoftAzure, Failure> {
    let mut builder = if options.environment {
        MicrosoftAzureBuilder::from_env()
    } else {
        MicrosoftAzureBuilder::new()
    };
    builder = builder.with_url(url.as_str());
    for (key, value) in &options.settings {
        builder = builder.with_config(setting::<AzureConfigKey>(key)?, value);
    }
    Ok(builder.build()?)
}
