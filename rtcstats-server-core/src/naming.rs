//! Whether a dump names the user or the conference whose data is to be found.

use std::io::{self, BufRead};

use rtcstats_proto::dump::line_text;
use rtcstats_proto::{Generation, RawJson};

use crate::header::generation_of;
use crate::{Identifiers, Selection};

/// Members of a Jitsi `identity` that name the user.
const USERS: [&str; 2] = ["displayName", "userId"];

/// Those that name the conference.
const CONFERENCES: [&str; 3] = ["confName", "confID", "meetingUniqueId"];

/// Reads a dump as far as the first line that names what is selected. A dump that names several users is
/// that of each of them.
pub(crate) fn is_named(selection: &Selection, mut dump: impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut generation = None;
    loop {
        line.clear();
        if dump.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        let line = line_text(&line);
        let line = line.trim_end_matches('\n');
        let generation = *generation.get_or_insert_with(|| generation_of(line));
        let is_named = match generation {
            Generation::Jitsi => names_jitsi(selection, line),
            _ => Identifiers::of_line(generation, line)
                .is_some_and(|identifiers| matches(selection, &identifiers)),
        };
        if is_named {
            return Ok(true);
        }
    }
}

/// Whether an application's names are what is selected.
pub(crate) fn matches(selection: &Selection, identifiers: &Identifiers) -> bool {
    match selection {
        Selection::User(user) => identifiers.user.as_ref() == Some(user),
        Selection::Conference(conference) => identifiers
            .conference
            .as_deref()
            .is_some_and(|own| is_conference(own, conference)),
        _ => false,
    }
}

fn names_jitsi(selection: &Selection, line: &str) -> bool {
    if !line.trim_start().starts_with("[\"identity\"") {
        return false;
    }
    let Ok(event) = RawJson::parse(line) else {
        return false;
    };
    let Some(identity) = event.elements().nth(2) else {
        return false;
    };
    identity.members().any(|(name, value)| {
        let name = name.as_ref();
        match selection {
            Selection::User(user) => USERS.contains(&name) && value.is_text(user),
            Selection::Conference(conference) => {
                CONFERENCES.contains(&name)
                    && value
                        .as_text()
                        .is_some_and(|own| is_conference(&own, conference))
            }
            _ => false,
        }
    })
}

/// Rooms are the same whatever the case: records have them in lower case.
fn is_conference(own: &str, wanted: &str) -> bool {
    own.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(user: &str) -> Selection {
        Selection::User(user.to_owned())
    }

    fn conference(conference: &str) -> Selection {
        Selection::Conference(conference.to_owned())
    }

    fn is_found(selection: &Selection, dump: &str) -> bool {
        is_named(selection, dump.as_bytes()).unwrap()
    }

    #[test]
    fn a_jitsi_dump_is_found_by_its_identity() {
        let dump = "[\"connectionInfo\",null,{},5]\n[\"e\",null,{\"displayName\":\"x\"},1,1]\n[\"identity\",null,{\"confName\":\"room\",\"displayName\":\"ann\",\"userId\":7},1,2]\n";
        assert!(is_found(&user("ann"), dump));
        assert!(is_found(&conference("Room"), dump));
        for other in [user("x"), user("room"), conference("ann"), conference("")] {
            assert!(!is_found(&other, dump), "{other:?}");
        }
    }

    #[test]
    fn a_dump_of_another_generation_is_found_by_each_of_its_names() {
        let dump = "RTCStatsDump\n{}\nno json\n[\"identity\",null,{\"user\":\"ann\"},1]\n[\"identity\",null,{\"user\":\"bob\",\"conference\":\"c\"},1]\n";
        assert!(is_found(&user("ann"), dump) && is_found(&user("bob"), dump));
        assert!(is_found(&conference("c"), dump) && !is_found(&user("c"), dump));
        assert!(!is_found(&user("ann"), ""));
    }
}
