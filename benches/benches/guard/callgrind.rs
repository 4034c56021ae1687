//! Counts the instructions of this program.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The argument that makes this program run the paths.
pub(crate) const RUN: &str = "--run";

/// What one path took.
pub(crate) struct Count {
    pub(crate) path: String,
    /// Bytes of its input.
    pub(crate) bytes: f64,
    pub(crate) instructions: f64,
}

/// Why nothing can be counted.
pub(crate) struct Unavailable(pub(crate) String);

/// Runs this program again under callgrind.
pub(crate) fn count() -> Result<Vec<Count>, Unavailable> {
    /// Only what this function does is counted, and written to a file of its own each time.
    const MEASURED: &str = "guard::paths::measured";
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("count");
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(std::env::current_exe().unwrap())
        .arg(RUN)
        .output();
    let run = run.map_err(|error| Unavailable(format!("valgrind cannot be run: {error}")))?;
    if !run.status.success() {
        let errors = String::from_utf8_lossy(&run.stderr);
        return Err(Unavailable(format!("valgrind failed: {errors}")));
    }
    let text = String::from_utf8_lossy(&run.stdout);
    let count = |(number, line): (u32, &str)| {
        let (path, bytes) = line.split_once('\t').unwrap();
        let instructions = total(&output.with_extension(number.to_string()))
            .ok_or_else(|| Unavailable(format!("callgrind counted nothing for {path}")))?;
        Ok(Count {
            path: path.to_owned(),
            bytes: bytes.parse().unwrap(),
            instructions,
        })
    };
    let counts: Vec<Count> = (1..)
        .zip(text.lines())
        .map(count)
        .collect::<Result<_, _>>()?;
    let (half, whole) = counts.split_at(counts.len() / 2);
    Ok(half.iter().zip(whole).map(Count::steady).collect())
}

impl Count {
    /// What the second half of a call takes.
    fn steady((half, whole): (&Self, &Self)) -> Self {
        assert_eq!(half.path, whole.path);
        Self {
            path: whole.path.clone(),
            bytes: whole.bytes - half.bytes,
            instructions: whole.instructions - half.instructions,
        }
    }
}

/// The sum in a file of callgrind's.
fn total(file: &Path) -> Option<f64> {
    let text = fs::read_to_string(file).ok()?;
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok().filter(|total| *total > 0.0)
}
