//! Queries in InfluxQL.

use super::super::point::CallId;
use super::super::store::{CALLS, Calls, Query};

/// The sums and counts of buckets.
pub(super) fn statement_of_sums(query: &Query<'_>) -> String {
    let field = identifier(query.series);
    let interval = query.interval;
    let (calls, groups, limit) = match query.calls {
        Calls::Each => (String::new(), ", \"id\"", format!(" SLIMIT {CALLS}")),
        Calls::Together => (String::new(), "", String::new()),
        Calls::One(call) => (
            format!(" AND \"id\" = {}", text(call.as_str())),
            "",
            String::new(),
        ),
    };
    format!(
        "SELECT sum({field}), count({field}) FROM \"rtc_stats\" \
         WHERE time >= {} AND time < {}{calls}{} GROUP BY time({}ns){groups} fill(none){limit}",
        interval.start,
        interval.end,
        left_out_condition(query.left_out.iter()),
        interval.width,
    )
}

/// Sessions that are not meant.
pub(super) fn left_out_condition<'a>(calls: impl Iterator<Item = &'a CallId>) -> String {
    let others: Vec<_> = calls
        .map(|call| format!("\"id\" != {}", text(call.as_str())))
        .collect();
    if others.is_empty() {
        return String::new();
    }
    format!(
        " AND (\"source\" != 'session' OR ({}))",
        others.join(" AND ")
    )
}

/// The name of a field or a database.
pub(super) fn identifier(name: &str) -> String {
    quoted(name, '"')
}

/// A text.
pub(super) fn text(value: &str) -> String {
    quoted(value, '\'')
}

fn quoted(value: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push(quote);
    for character in value.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\\' => quoted.push_str("\\\\"),
            character => {
                if character == quote {
                    quoted.push('\\');
                }
                quoted.push(character);
            }
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::super::interval::Interval;
    use super::*;

    #[test]
    fn nothing_ends_a_quoted_text() {
        assert_eq!(
            text(r"a'; DROP DATABASE x -- \'"),
            r"'a\'; DROP DATABASE x -- \\\''"
        );
        assert_eq!(identifier("a\"b\n"), "\"a\\\"b\\n\"");
    }

    #[test]
    fn sessions_that_are_left_out_are_named() {
        let call = |text| CallId::parse(text).unwrap_or_else(|error| unreachable!("{error}"));
        let (one, other) = (call("it's"), call("b"));
        let query = Query {
            series: "rtt",
            interval: Interval {
                start: 5,
                end: 25,
                width: 10,
            },
            calls: Calls::One(&one),
            left_out: &[one.clone(), other],
        };
        assert_eq!(
            statement_of_sums(&query),
            "SELECT sum(\"rtt\"), count(\"rtt\") FROM \"rtc_stats\" WHERE time >= 5 AND time < 25 AND \"id\" = 'it\\'s' \
             AND (\"source\" != 'session' OR (\"id\" != 'it\\'s' AND \"id\" != 'b')) GROUP BY time(10ns) fill(none)"
        );
    }
}
