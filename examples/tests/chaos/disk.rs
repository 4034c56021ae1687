//! A small disk of a node's own, which can be full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system in memory; mounting it takes the rights of root.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Processes that still use it keep it, out of sight.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

impl Disk {
    /// A disk of this size in place of the folder; `None` where that is not allowed.
    pub(crate) fn mount(path: &Path, bytes: u64) -> Option<Self> {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "chaos"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then(|| Self {
            path: path.to_owned(),
        })
    }

    /// Takes what is free, to the last byte.
    pub(crate) fn fill(&self) {
        let Ok(mut file) = File::create(self.ballast()) else {
            return;
        };
        for piece in [1 << 20, 4 << 10, 1] {
            let zeros = vec![0; piece];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    pub(crate) fn free(&self) {
        let _ = fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}
