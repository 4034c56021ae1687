//! Points as lines: `rtc_stats,id=call rtt=0.1,inputLevel=0.5 1700000000000000000`.

use std::fmt::Write as _;

use super::super::point::{Origin, Point};

/// The bodies of the requests that write these points. Those of a call and a time that follow one another are
/// one line.
pub(super) fn bodies(points: &[Point], most_lines: usize) -> Vec<String> {
    let lines = points.chunk_by(|one, other| {
        one.time == other.time && one.origin == other.origin && one.call == other.call
    });
    let lines: Vec<String> = lines.map(line).collect();
    lines.chunks(most_lines).map(<[String]>::concat).collect()
}

fn line(points: &[Point]) -> String {
    let Some(first) = points.first() else {
        return String::new();
    };
    let mut line = String::from("rtc_stats,id=");
    for character in first.call.as_str().chars() {
        if matches!(character, ',' | '=' | ' ') {
            line.push('\\');
        }
        line.push(character);
    }
    if first.origin == Origin::Session {
        line.push_str(",source=session");
    }
    let mut separator = ' ';
    for point in points {
        // Names are letters, digits and underscores. Writing to a text does not fail.
        let _ = write!(line, "{separator}{}={}", point.series, point.value);
        separator = ',';
    }
    let _ = writeln!(line, " {}", first.time);
    line
}

#[cfg(test)]
mod tests {
    use super::super::super::point::CallId;
    use super::*;

    #[test]
    fn values_of_a_time_are_a_line_and_ids_stay_ids() {
        let point = |call: &str, series, time, value| Point {
            call: CallId::parse(call).unwrap_or_else(|error| unreachable!("{error}")),
            origin: Origin::Api,
            series,
            time,
            value,
        };
        let mut points = vec![
            point("a,source=x y=1", "rtt", 5, 0.25),
            point("a,source=x y=1", "jitter", 5, 1e-9),
            point("é", "rtt", 6, -1e18),
        ];
        points.push(Point {
            origin: Origin::Session,
            ..point("é", "rtt", 6, 2.0)
        });
        let lines = [
            "rtc_stats,id=a\\,source\\=x\\ y\\=1 rtt=0.25,jitter=0.000000001 5\n",
            "rtc_stats,id=é rtt=-1000000000000000000 6\n",
            "rtc_stats,id=é,source=session rtt=2 6\n",
        ];
        assert_eq!(
            bodies(&points, 2),
            [lines[..2].concat(), lines[2].to_owned()]
        );
    }
}
