//! Runs the `rtcstats` command line.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Examples are built along with the tests, beside the folder that this test is in.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/rtcstats");
    assert!(path.exists(), "the examples are not built");
    path
}

pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The command may have failed before it read all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A call with one report a second, of which each has 1,000 bytes more.
pub(crate) fn dump(loss: u64) -> String {
    let mut dump = String::from(
        "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\",\"userAgent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\"},1700000000000]\n\
         [\"identity\",null,{\"confName\":\"room\",\"displayName\":\"so, \\\"and\\\" so\"},1700000000000,1]\n\
         [\"create\",\"PC_0\",{},1700000000000,2]\n",
    );
    for second in 0..10_u64 {
        let time = 1_700_000_000_000 + 1_000 * second;
        let packets = 50 * second;
        let report = format!(
            r#"{{"I":{{"type":"inbound-rtp","kind":"audio","ssrc":1,"bytesReceived":{},"packetsReceived":{packets},"packetsLost":{},"timestamp":0}},"timestamp":{time}}}"#,
            1_000 * second,
            loss * second,
        );
        dump.push_str(&format!(
            "[\"getstats\",\"PC_0\",{report},{time},{}]\n",
            second + 3
        ));
    }
    dump
}

/// The records of CSV, each as long as the first.
pub(crate) fn records(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        record.iter().map(str::to_owned).collect()
    });
    records.collect()
}

pub(crate) fn widest(text: &str) -> usize {
    let widths = text.lines().map(|line| line.chars().count());
    widths.max().unwrap_or_default()
}
