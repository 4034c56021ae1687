//! The memory of a process that uploads a large dump.
//!
//! Alone in its process, as it measures all of it.

#![cfg(all(feature = "archive", feature = "testing", target_os = "linux"))]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "services/s3.rs"]
mod s3;

use std::fs;
use std::io::{self, BufReader, Read};

use rtcstats_server_core::testing::block_on;
use rtcstats_server_core::{Archive, ObjectArchive, ObjectArchiveOptions};
use s3::S3Server;
use tokio::runtime::Builder;

/// Bytes that cannot be compressed, made while they are read.
struct Noise(u64, u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1 as usize);
        for chunk in buffer[..length].chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
        self.1 -= length as u64;
        Ok(length)
    }
}

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}

#[test]
fn memory_does_not_grow_with_the_dump() {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let root = tempfile::tempdir().unwrap();
    let server = S3Server::start().unwrap();
    let on_s3 = ObjectArchiveOptions {
        settings: server.settings(),
        environment: false,
        ..ObjectArchiveOptions::default()
    };
    let on_disk = ObjectArchiveOptions {
        settings: Vec::new(),
        ..on_s3.clone()
    };
    let context = runtime.enter();
    let file = format!("file://{}", root.path().display());
    let archives = [
        ObjectArchive::open(&file, on_disk).unwrap(),
        ObjectArchive::open(&server.url(""), on_s3).unwrap(),
    ];
    drop(context);
    let name = "large".parse().unwrap();
    for archive in archives {
        let store = |length: u64| {
            let dump = BufReader::new(Noise(0x9e37_79b9_7f4a_7c15, length));
            block_on(archive.store(&name, Box::new(dump))).unwrap();
        };
        store(1);
        let before = peak();
        store(150 << 20);
        let grown = peak() - before;
        println!("a dump of 150 MiB took {} KiB", grown >> 10);
        // Three parts, and what a server in the same process and the allocator need.
        assert!(grown < 48 << 20, "{grown} bytes");
    }
}
