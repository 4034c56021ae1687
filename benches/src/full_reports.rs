//! A session without deltas.

use crate::{Dump, recording};

/// One connection of a recorded call, each line behind its beginning a complete report.
pub fn session(reports: &[String]) -> Dump {
    const START: u64 = 1_700_000_000_000;
    let recording = recording::own();
    let beginning = recording
        .lines()
        .take_while(|line| !line.starts_with("[\"getstats\""))
        .map(str::to_owned);
    let lines = reports.iter().zip(0_u64..).map(|(report, second)| {
        let (time, number) = (START + second * 1_000, second + 1);
        format!("[\"getstats\",\"PC_0\",{report},{time},{number}]")
    });
    Dump {
        lines: beginning.chain(lines).collect(),
    }
}
