//! Features of many dumps at a time, as people extract them.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use command::{run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

/// A dump whose session starts at `time`. The time the features were computed at is nowhere in them.
fn dump(time: u64) -> String {
    format!(
        "[\"connectionInfo\",null,{{\"clientProtocol\":\"3.1_STANDARD\"}},{time}]\n\
         [\"identity\",null,{{\"confID\":\"room\",\"confStartTime\":{time}}},{time},1]\n\
         [\"create\",\"PC_0\",{{}},{time},2]\n"
    )
}

/// Three directories: `a` with a dump on each side of a directory with two, `b` with many, `empty`.
fn folders() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let mut time = 1_700_000_000_000;
    let mut write = |name: String| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        time += 1;
        fs::write(path, dump(time)).unwrap();
    };
    for name in ["3.jsonl", "2/y", "2/x.dump", "1"] {
        write(format!("a/{name}"));
    }
    for number in (0..150).rev() {
        write(format!("b/{number:03}"));
    }
    write("a/.hidden".to_owned());
    write("a/.git/object".to_owned());
    fs::create_dir(root.path().join("empty")).unwrap();
    root
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the features say their dump is, without the folder it is in.
fn dumps(output: &str, root: &Path) -> Vec<String> {
    let name = |line| {
        let features: Value = serde_json::from_str(line).unwrap();
        let path = features.pointer("/dumpMetadata/dumpPath").unwrap();
        let path = path.as_str().unwrap();
        let path = Path::new(path).strip_prefix(root).unwrap();
        text(path).to_owned()
    };
    output.lines().map(name).collect()
}

#[test]
fn dumps_come_in_the_order_of_the_arguments_and_within_directories_by_path() {
    let root = folders();
    let path = |name: &str| text(&root.path().join(name)).to_owned();
    let features = stdout(&run(
        &["features", &path("b/149"), &path("a"), &path("b/000")],
        b"",
    ));
    assert_eq!(
        dumps(&features, root.path()),
        ["b/149", "a/1", "a/2/x.dump", "a/2/y", "a/3.jsonl", "b/000"]
    );
    // One line each, even for a directory with one dump.
    let features = stdout(&run(&["features", &path("a/2")], b""));
    assert_eq!(dumps(&features, root.path()), ["a/2/x.dump", "a/2/y"]);
}

#[test]
fn any_number_of_jobs_prints_the_same() {
    let root = folders();
    let print = |jobs| {
        let arguments = [
            "features",
            "--set",
            "all",
            "--jobs",
            jobs,
            text(root.path()),
        ];
        stdout(&run(&arguments, b""))
    };
    let one = print("1");
    assert_eq!(one.lines().count(), 154);
    for jobs in ["2", "7"] {
        assert_eq!(print(jobs), one);
    }
    let none = run(&["features", "--jobs", "0", text(root.path())], b"");
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn a_hidden_file_is_read_if_it_is_an_argument() {
    let root = folders();
    let features = stdout(&run(
        &["features", text(&root.path().join("a/.hidden"))],
        b"",
    ));
    assert!(features.lines().count() > 1, "a document: {features}");
}

#[test]
fn what_failed_is_said_at_the_end_in_the_same_order() {
    let root = folders();
    let path = |name: &str| text(&root.path().join(name)).to_owned();
    fs::write(path("a/0.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    fs::write(path("a/2/z.gz"), b"\x1f\x8b\x08cut off").unwrap();
    let damaged = format!("{}no event\n", dump(1_700_000_000_000));
    fs::write(path("a/4"), damaged).unwrap();
    let output = run(
        &["features", &path("a"), &path("no such file"), &path("b")],
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    let features = String::from_utf8_lossy(&output.stdout);
    assert_eq!(features.lines().count(), 155);
    let said = stderr(&output).replace(&path(""), "");
    let said: Vec<&str> = said.lines().collect();
    let [image, cut, damaged, absent] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(
        *image,
        "rtcstats: a/0.png: not a dump: none of its lines is an event"
    );
    assert!(cut.starts_with("rtcstats: a/2/z.gz: "), "{cut}");
    assert_eq!(
        *damaged,
        "rtcstats: a/4: 1 of 4 lines were passed over; --strict names the first"
    );
    assert!(absent.starts_with("rtcstats: no such file: "), "{absent}");
}

#[test]
fn a_directory_without_dumps_is_no_failure() {
    let root = folders();
    let output = run(&["features", text(&root.path().join("empty"))], b"");
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output), "rtcstats: no dumps found\n");
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let root = folders();
    let path = |name: &str| root.path().join(name);
    symlink(path("b/007"), path("a/7")).unwrap();
    symlink(path("a"), path("a/2/circle")).unwrap();
    symlink(path("gone"), path("a/2/dangling")).unwrap();
    let output = run(&["features", text(&path("a"))], b"");
    assert_eq!(output.status.code(), Some(1));
    let features = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        dumps(&features, root.path()),
        ["a/1", "a/2/x.dump", "a/2/y", "a/3.jsonl", "a/7"]
    );
    let said = stderr(&output);
    let (circle, dangling) = said.trim_end().split_once('\n').unwrap();
    let folder = text(&path("a")).to_owned();
    assert_eq!(
        circle,
        format!("rtcstats: {folder}/2/circle: leads back to {folder}")
    );
    assert!(
        dangling.starts_with(&format!("rtcstats: {folder}/2/dangling: ")),
        "{dangling}"
    );
}

#[test]
fn a_directory_that_may_not_be_read_is_said() {
    let root = folders();
    let closed = root.path().join("a/2");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let is_closed = fs::read_dir(&closed).is_err();
    let output = run(&["features", text(&root.path().join("a"))], b"");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    if !is_closed {
        println!("SKIPPED: whoever runs this may read everything");
        return;
    }
    assert_eq!(output.status.code(), Some(1));
    let features = String::from_utf8_lossy(&output.stdout);
    assert_eq!(dumps(&features, root.path()), ["a/1", "a/3.jsonl"]);
    let said = stderr(&output);
    assert!(
        said.starts_with(&format!("rtcstats: {}: ", closed.display())),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn features_may_come_with_the_path_of_their_dump() {
    let root = folders();
    let folder = root.path().join("a");
    let arguments = ["features", "--set", "rtcstats", "--paths", text(&folder)];
    let output = stdout(&run(&arguments, b""));
    let lines = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let paths: Vec<&str> = lines
        .iter()
        .map(|line| line["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths.len(), 4);
    assert_eq!(paths.first().unwrap(), &text(&folder.join("1")));
    assert!(
        lines
            .iter()
            .all(|line| line["features"]["peerConnections"].is_array())
    );
}
