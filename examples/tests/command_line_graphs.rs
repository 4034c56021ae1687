//! Graphs of the `rtcstats` command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::{dump, records, run, stderr, stdout, widest};
use serde_json::Value;

/// A call recorded from Chromium.
const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../benches/data/chromium-av-p2p.dump.gz"
);

#[test]
fn series_are_listed_and_printed() {
    let dump = dump(2);
    let list = stdout(&run(
        &["plot", "-", "--list", "--format", "json"],
        dump.as_bytes(),
    ));
    let list: Value = serde_json::from_str(&list).unwrap();
    let known = |name: &str| {
        let mut rows = list.as_array().unwrap().iter();
        let row = rows.find(|row| row["name"] == name && row["object"] == "I");
        row.map(|row| row["values"].as_u64().unwrap())
    };
    assert_eq!(known("bytesReceived"), Some(10));
    assert_eq!(known("[bytesReceived_in_bits/s]"), Some(9));
    assert_eq!(known("bitrate"), Some(9));
    let table = stdout(&run(&["plot", "-", "--list"], dump.as_bytes()));
    assert!(table.contains("PC_0/I/packetsLost"), "{table}");
    assert!(widest(&table) <= 80, "{table}");

    let series = [
        "plot",
        "-",
        "--series",
        "pc_0/*/PACKETSLOST",
        "--format",
        "csv",
    ];
    let values = records(&stdout(&run(&series, dump.as_bytes())));
    assert_eq!(values.len(), 11);
    assert_eq!(
        values[10][..3],
        ["1700000009000", "PC_0/I/packetsLost", "18"]
    );
    let rates = [
        "plot",
        "-",
        "--series",
        "[bytesReceived_in_bits/s]",
        "--format",
        "csv",
    ];
    let rates = records(&stdout(&run(&rates, dump.as_bytes())));
    assert!(
        rates[1..].iter().all(|record| record[2] == "8000"),
        "{rates:?}"
    );
}

/// How many elements of a name an SVG document has that meet a condition.
fn elements(svg: &str, name: &str, has: impl Fn(&str) -> bool) -> usize {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut count = 0;
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(start) => {
                depth += 1;
                let text = String::from_utf8(start.to_vec()).unwrap();
                count += usize::from(start.name().as_ref() == name.as_bytes() && has(&text));
            }
            Event::Empty(start) => {
                let text = String::from_utf8(start.to_vec()).unwrap();
                count += usize::from(start.name().as_ref() == name.as_bytes() && has(&text));
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "an element is not closed");
    count
}

#[test]
fn a_picture_has_a_line_for_each_series() {
    let is_curve = |element: &str| element.contains("stroke-width=\"2\"");
    let one = ["plot", "-", "--series", "bitrate"];
    let svg = stdout(&run(&one, dump(0).as_bytes()));
    assert_eq!(elements(&svg, "polyline", is_curve), 1);
    let two = [
        "plot",
        "-",
        "--series",
        "bitrate",
        "--series",
        "packetsLost",
    ];
    let svg = stdout(&run(&two, dump(0).as_bytes()));
    assert_eq!(elements(&svg, "polyline", is_curve), 2);
    assert!(elements(&svg, "text", |_| true) > 10);
    assert!(!svg.contains("href") && !svg.contains("<image"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bitrate.svg");
    let path = path.to_str().unwrap();
    stdout(&run(
        &["plot", RECORDING, "--series", "bitrate", "-o", path],
        b"",
    ));
    let svg = std::fs::read_to_string(path).unwrap();
    let list = [
        "plot", RECORDING, "--series", "bitrate", "--list", "--format", "json",
    ];
    let list: Value = serde_json::from_str(&stdout(&run(&list, b""))).unwrap();
    assert!(elements(&svg, "polyline", is_curve) >= list.as_array().unwrap().len());
}

#[test]
fn a_picture_has_a_gap_where_nothing_is_known() {
    let lines: Vec<String> = dump(0).lines().map(str::to_owned).collect();
    // Bitrates of 1 s, and then nothing for 4 s.
    let gap: Vec<&str> = lines
        .iter()
        .enumerate()
        .filter(|(line, _)| !(6..10).contains(line))
        .map(|(_, line)| line.as_str())
        .collect();
    let series = ["plot", "-", "--series", "bitrate", "--format", "json"];
    let values: Value =
        serde_json::from_str(&stdout(&run(&series, gap.join("\n").as_bytes()))).unwrap();
    let values = values[0]["values"].as_array().unwrap();
    let runs = values
        .split(Value::is_null)
        .filter(|run| run.len() > 1)
        .count();
    let svg = stdout(&run(&series[..4], gap.join("\n").as_bytes()));
    let drawn = elements(&svg, "polyline", |element| {
        element.contains("stroke-width=\"2\"")
    });
    assert_eq!(drawn, runs);
    assert!(runs > 1, "{values:?}");
}

#[test]
fn a_page_needs_nothing_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graphs.html");
    let path = path.to_str().unwrap();
    let title = "<b>T&T</b>";
    let arguments = [
        "plot",
        RECORDING,
        "--series",
        "bitrate",
        "--series",
        "*/packetsLost",
        "--title",
        title,
        "-o",
        path,
    ];
    // A pattern with one slash is that of a name.
    let output = run(&arguments, b"");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let arguments = arguments.map(|argument| argument.replace("*/packetsLost", "*/*/packetsLost"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    stdout(&run(&arguments, b""));
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once("<script>").unwrap();
    let (library, tail) = rest.split_once("</script>").unwrap();
    assert!(library.contains("Plotly") && library.len() > 1_000_000);
    for part in [head, tail] {
        for forbidden in ["http:", "https:", " src=", " href=", "@import", "url("] {
            assert!(!part.contains(forbidden), "{forbidden}");
        }
    }
    assert!(head.contains("<h1>&lt;b&gt;T&amp;T&lt;/b&gt;</h1>"));
    assert_eq!(tail.matches("\"type\":\"scatter\"").count(), {
        let list = [
            "plot",
            RECORDING,
            "--series",
            "bitrate",
            "--series",
            "*/*/packetsLost",
            "--list",
            "--format",
            "json",
        ];
        let list: Value = serde_json::from_str(&stdout(&run(&list, b""))).unwrap();
        list.as_array().unwrap().len()
    });
}
