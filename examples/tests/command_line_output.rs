//! What the `rtcstats` command line prints: tables, CSV, comparisons, completions, manual pages.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::{dump, records, run, stderr, stdout, widest};
use serde_json::Value;

/// A call recorded from Chromium.
const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../benches/data/chromium-av-p2p.dump.gz"
);

/// A folder with dumps of these names and losses.
fn dumps(files: &[(&str, u64)]) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, loss)| {
        let path = folder.path().join(name);
        std::fs::write(&path, dump(*loss)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (folder, paths)
}

#[test]
fn features_are_the_same_in_every_form() {
    let features: Value =
        serde_json::from_str(&stdout(&run(&["features", RECORDING], b""))).unwrap();
    let csv = stdout(&run(&["features", RECORDING, "--format", "csv"], b""));
    let records = records(&csv);
    assert_eq!(records[0], ["dump", "feature", "value"]);
    assert!(records.len() > 50, "{}", records.len());
    for record in &records[1..] {
        assert_eq!(record[0], RECORDING);
        let mut value = &features;
        for step in record[1].split(['.', '[']) {
            value = match step.strip_suffix(']') {
                Some(index) => &value[index.parse::<usize>().unwrap()],
                None => &value[step],
            };
        }
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(text, record[2], "{}", record[1]);
    }
    let table = stdout(&run(&["features", RECORDING, "--format", "table"], b""));
    assert!(widest(&table) <= 80, "{}", widest(&table));
    assert!(table.starts_with("feature"), "{table}");
    let names = table.lines().filter(|line| !line.starts_with(' '));
    assert!(names.count() >= records.len());
}

#[test]
fn several_dumps_have_one_table_each_and_one_csv() {
    let (_folder, paths) = dumps(&[("a", 0), ("b", 1)]);
    let [a, b] = [paths[0].as_str(), paths[1].as_str()];
    let csv = stdout(&run(&["features", a, b, "--format", "csv"], b""));
    let records = records(&csv);
    for path in [a, b] {
        assert!(records.iter().any(|record| record[0] == path));
    }
    assert_eq!(
        records.iter().filter(|record| record[0] == "dump").count(),
        1
    );
    let table = stdout(&run(&["features", a, b, "--format", "table"], b""));
    assert!(table.contains(&format!("{a}\nfeature")), "{table}");
    assert!(table.contains(&format!("{b}\nfeature")), "{table}");
}

#[test]
fn events_are_rows_and_records() {
    let dump = dump(0);
    let csv = stdout(&run(&["events", "-", "--format", "csv"], dump.as_bytes()));
    let records = records(&csv);
    assert_eq!(records.len(), 1 + dump.lines().count());
    assert_eq!(
        records[0],
        ["time", "connection", "sequenceNumber", "method", "value"]
    );
    assert_eq!(records[3][..4], ["1700000000000", "PC_0", "2", "create"]);
    let identity: Value = serde_json::from_str(&records[2][4]).unwrap();
    assert_eq!(identity["displayName"], "so, \"and\" so");
    let report: Value = serde_json::from_str(&records[13][4]).unwrap();
    assert_eq!(report["I"]["bytesReceived"], 9_000);

    let table = stdout(&run(&["events", "-", "--format", "table"], dump.as_bytes()));
    assert_eq!(table.lines().count(), records.len());
    assert!(widest(&table) <= 80, "{table}");
    assert!(
        table.contains("22:13:29.000 PC_0       getstats"),
        "{table}"
    );
}

#[test]
fn text_of_clients_commands_no_terminal() {
    let dump = "[\"identity\",null,{\"displayName\":\"\\u001b[2J\u{9b}31mred\"},1700000000000,1]\n[\"\\u001b[31m\",null,\"\",1700000000000,2]\n";
    for command in [
        &["events", "-", "--format", "table"][..],
        &["features", "-", "--set", "all", "--format", "table"],
    ] {
        let table = stdout(&run(command, dump.as_bytes()));
        let is_command = |character: char| character.is_control() && character != '\n';
        assert!(!table.contains(is_command), "{table:?}");
    }
}

#[test]
fn colours_are_used_when_asked_for_only() {
    let (_folder, paths) = dumps(&[("a", 0), ("b", 1)]);
    let [a, b] = [paths[0].as_str(), paths[1].as_str()];
    for command in [
        &["events", a, "--format", "table"][..],
        &["features", a, "--format", "table"],
        &["compare", a, b],
        &["--help"],
    ] {
        let text = |when: &str| {
            let arguments: Vec<&str> = command.iter().copied().chain(["--color", when]).collect();
            stdout(&run(&arguments, b""))
        };
        assert!(!text("auto").contains('\u{1b}'), "{command:?}");
        assert!(!text("never").contains('\u{1b}'), "{command:?}");
        assert!(text("always").contains('\u{1b}'), "{command:?}");
    }
}

#[test]
fn a_comparison_marks_what_differs() {
    let (_folder, paths) = dumps(&[("good", 0), ("bad", 5)]);
    let [good, bad] = [paths[0].as_str(), paths[1].as_str()];
    let set = ["--set", "legacy"];
    let compare = |more: &[&str]| {
        let mut arguments = vec!["compare", good, bad];
        arguments.extend(set);
        arguments.extend(more);
        run(&arguments, b"")
    };
    let json: Value = serde_json::from_str(&stdout(&compare(&["--format", "json"]))).unwrap();
    let rows = json.as_array().unwrap();
    let different: Vec<&Value> = rows.iter().filter(|row| row["differs"] == true).collect();
    assert!(!different.is_empty() && different.len() < rows.len());
    for row in rows {
        assert_eq!(
            row["differs"] == true,
            row.get("a") != row.get("b"),
            "{row}"
        );
    }
    let table = stdout(&compare(&[]));
    let marked = table.lines().filter(|line| line.starts_with("* "));
    assert_eq!(marked.count(), different.len(), "{table}");
    let count = format!("{} of {} features differ", different.len(), rows.len());
    assert!(table.contains(&count), "{table}");
    assert!(widest(&table) <= 80, "{table}");

    let csv = records(&stdout(&compare(&["--format", "csv", "--differences"])));
    assert_eq!(csv.len(), 1 + different.len());
    assert!(csv[1..].iter().all(|record| record[3] == "true"));

    assert_eq!(compare(&["--exit-code"]).status.code(), Some(1));
    // The same call, in a file of another name.
    let (_folder, paths) = dumps(&[("one", 1), ("other", 1)]);
    let same = run(&["compare", &paths[0], &paths[1], "--exit-code"], b"");
    assert!(stdout(&same).contains("0 of"));
}

#[test]
fn a_tolerance_makes_numbers_equal() {
    let (_folder, paths) = dumps(&[("a", 100), ("b", 101)]);
    let differences = |tolerance: &str| {
        let arguments = [
            "compare",
            &paths[0],
            &paths[1],
            "--set",
            "legacy",
            "--format",
            "csv",
            "--differences",
            "--tolerance",
            tolerance,
        ];
        records(&stdout(&run(&arguments, b""))).len() - 1
    };
    let (exact, tolerant) = (differences("0"), differences("0.02"));
    assert!(exact > tolerant, "{exact} {tolerant}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    for (arguments, input, code, said) in [
        (&["plot", RECORDING][..], "", 2, "--list"),
        (
            &["plot", RECORDING, "--series", "x", "-o", "x.png"],
            "",
            2,
            ".svg or .html",
        ),
        (
            &["plot", RECORDING, "--series", "nothing"],
            "",
            1,
            "'nothing'",
        ),
        (&["plot", "-", "--list"], "GIF89a", 1, "not a dump"),
        (&["plot", "/no/such", "--list"], "", 1, "/no/such"),
        (
            &["plot", "-", "--list"],
            "[\"create\",\"PC_0\",{},1700000000000,1]\n",
            1,
            "getStats",
        ),
        (&["compare", "-", "-"], "", 2, "standard input"),
        (&["compare", RECORDING, "/no/such"], "", 1, "/no/such"),
        (
            &["compare", RECORDING, RECORDING, "--tolerance", "2"],
            "",
            2,
            "between 0 and 1",
        ),
        (
            &["features", "-", "--paths", "--format", "csv"],
            "",
            2,
            "--paths",
        ),
        (
            &["features", "-", "--format", "xml"],
            "",
            2,
            "json, table, csv",
        ),
        (
            &["features", "-", "--format", "table"],
            "GIF89a",
            1,
            "not a dump",
        ),
        (
            &["anonymize", "--labels", "--mode", "server", RECORDING],
            "",
            2,
            "--mode strict",
        ),
        (&["nonsense"], "", 2, "nonsense"),
        (&["man", "nonsense"], "", 2, "nonsense"),
        (&["completions", "cmd"], "", 2, "bash"),
        (&["tail", "ftp://host/sessions/x"], "", 2, "http"),
        (&["tail", "http://127.0.0.1:1"], "", 2, "--latest"),
        (
            &["tail", "http://127.0.0.1:1/sessions/x"],
            "",
            1,
            "127.0.0.1:1",
        ),
        (&["load", "ftp://host", RECORDING], "", 2, "ws"),
        (
            &["load", "127.0.0.1:1", RECORDING, "--speed", "0"],
            "",
            2,
            "above 0",
        ),
        (
            &["load", "127.0.0.1:1", "-", "--sessions", "2"],
            "",
            2,
            "standard input",
        ),
        (&["load", "127.0.0.1:1", RECORDING], "", 1, "127.0.0.1:1"),
        (&["load", "127.0.0.1:1", "/no/such"], "", 1, "/no/such"),
        (&["serve", "--listen", "nowhere"], "", 2, "nowhere"),
    ] {
        let output = run(arguments, input.as_bytes());
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn completions_are_generated_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&run(&["completions", shell], b""));
        for command in ["serve", "features", "plot", "compare", "tail", "load"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("tolerance"), "{shell}");
    }
    let script = stdout(&run(&["completions", "bash"], b""));
    let checked = std::process::Command::new("bash")
        .args(["-n", "-c", &script])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
}

#[test]
fn manual_pages_are_there_for_the_program_and_each_command() {
    let page = stdout(&run(&["man"], b""));
    assert!(
        page.contains(".TH rtcstats 1") && page.contains(".SH"),
        "{page}"
    );
    let plot = stdout(&run(&["man", "plot"], b""));
    assert!(plot.contains("series") && plot.contains("EXTRA"), "{plot}");
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(
        &["man", "--directory", folder.path().to_str().unwrap()],
        b"",
    ));
    let pages: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(
        pages
            .iter()
            .all(|page| page.metadata().unwrap().len() > 100)
    );
    for name in ["rtcstats.1", "rtcstats-plot.1", "rtcstats-serve.1"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = stdout(&run(&["--help"], b""));
    assert!(help.contains("Exit codes: 0"), "{help}");
    let names = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<&str> = names
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(names.len(), 13, "{help}");
    for name in names {
        let help = stdout(&run(&[name, "--help"], b""));
        assert!(help.contains("Example"), "{help}");
        assert!(help.contains(&format!("rtcstats {name}")), "{help}");
    }
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let binary = command::binary();
    for arguments in [
        &["events", RECORDING][..],
        &["events", RECORDING, "--format", "csv"],
        &["events", RECORDING, "--format", "table"],
        &["features", RECORDING, "--format", "table"],
        &["plot", RECORDING, "--list"],
        &["plot", RECORDING, "--series", "*", "--format", "csv"],
        &["compare", RECORDING, RECORDING],
        &["completions", "bash"],
        &["man", "serve"],
    ] {
        let mut child = std::process::Command::new(&binary)
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}
