//! The files in `axum/deploy` against the server they start, and against the programs that read them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use server::example;

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("axum/deploy");
    folder.join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// Settings of the server with their values: `NAME=value` or `NAME: value`.
fn settings(text: &str) -> BTreeMap<String, String> {
    let starts = text.match_indices("RTCSTATS_");
    let settings = starts.filter_map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|next: char| !(next.is_ascii_uppercase() || next == '_'))?;
        let (name, rest) = rest.split_at(end);
        let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(": "))?;
        let end = value.find(['\n', ' ', ',', '}']).unwrap_or(value.len());
        // Of lists in one value the rest belongs to it.
        let end = if value.contains("://") {
            value.find(['\n', ' ', '}']).unwrap_or(value.len())
        } else {
            end
        };
        Some((name.to_owned(), value[..end].trim_matches('"').to_owned()))
    });
    settings.collect()
}

/// The output of a program, unless it is not installed.
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            let name = command.get_program().to_string_lossy().into_owned();
            let required = std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_some();
            let is_service = name.ends_with("nats-server");
            assert!(!(required && is_service), "{name}: {error}");
            // Not a print macro: those are captured while the test passes.
            let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed");
            None
        }
    }
}

/// The program that other tests start, too.
fn nats_server() -> Command {
    let program = std::env::var_os("RTCSTATS_NATS_SERVER");
    Command::new(program.unwrap_or_else(|| "nats-server".into()))
}

#[test]
fn every_setting_is_one_of_the_server() {
    let help = Command::new(example("axum"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut checked = 0;
    for name in ["rtcstats.service", "Dockerfile", "compose.yaml"] {
        for setting in settings(&text(name)).keys() {
            assert!(
                help.contains(&format!("[env: {setting}")),
                "{name}: {setting}"
            );
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn the_server_takes_the_values_of_the_settings() {
    for (name, least) in [("rtcstats.service", 3), ("compose.yaml", 10)] {
        let data = tempfile::tempdir().unwrap();
        let settings = settings(&text(name));
        assert!(settings.len() >= least, "{settings:?}");
        let output = Command::new(example("axum"))
            .envs(settings)
            .env("RTCSTATS_DATA", data.path())
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            // It ends the start after all other values were taken, and before it waits for anybody.
            .env("RTCSTATS_DATABASE", "mysql://not/known")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("sink sql"), "{name}: {said}");
    }
}

#[test]
fn nats_knows_the_flags_that_compose_starts_it_with() {
    let Some(output) = run(nats_server().arg("--help")) else {
        return;
    };
    let mut help = String::from_utf8_lossy(&output.stdout).into_owned();
    help.push_str(&String::from_utf8_lossy(&output.stderr));
    let compose = text("compose.yaml");
    let commands = compose
        .lines()
        .filter(|line| line.contains("--cluster_name"));
    let mut flags = 0;
    for command in commands {
        for flag in command.split(['[', ',', ' ']) {
            if flag.starts_with("--") {
                assert!(help.contains(flag), "{flag}");
                flags += 1;
            }
        }
    }
    assert_eq!(flags, 3 * 7);
}

#[test]
fn nats_takes_its_configuration() {
    let Some(version) = run(nats_server().arg("--version")) else {
        return;
    };
    if String::from_utf8_lossy(&version.stdout).contains("v2.9.") {
        // It does not know the setting, and is not to be used.
        let required = std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_some();
        assert!(!required, "nats-server is too old");
        let _ = writeln!(std::io::stderr(), "skipped: nats-server is too old");
        return;
    }
    let mut check = nats_server();
    check.arg("-t").arg("--config").arg(file("nats.conf"));
    let checked = check.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("rtcstats.service");
    // The program is where it was built.
    let program = example("axum");
    let text = text("rtcstats.service").replace(
        "ExecStart=/usr/local/bin/rtcstats-server",
        &format!("ExecStart={}", program.display()),
    );
    assert!(text.contains(&format!("{}", program.display())));
    std::fs::write(&unit, text).unwrap();
    let Some(output) = run(Command::new("systemd-analyze").arg("verify").arg(&unit)) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // What it says of other units of the machine is not about this one.
    let own: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("rtcstats"))
        .collect();
    assert!(own.is_empty(), "{own:#?}");
}

#[test]
fn haproxy_takes_its_configuration() {
    if run(Command::new("haproxy").arg("-v")).is_none() {
        return;
    }
    let checked = Command::new("haproxy")
        .args(["-c", "-f"])
        .arg(file("haproxy.cfg"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

#[test]
fn the_process_is_given_more_time_to_end_than_it_takes() {
    let seconds = |text: &str| -> u64 { text.trim_end_matches('s').parse().unwrap() };
    for (name, key) in [
        ("rtcstats.service", "TimeoutStopSec="),
        ("compose.yaml", "stop_grace_period: "),
    ] {
        let text = text(name);
        let patience = &settings(&text)["RTCSTATS_SHUTDOWN_PATIENCE"];
        let Some((_, rest)) = text.split_once(key) else {
            panic!("{name} has no {key}");
        };
        let given = seconds(rest.lines().next().unwrap());
        assert!(given >= seconds(patience) + 10, "{name}");
    }
}
