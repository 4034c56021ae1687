//! What holds for masking whatever the text is.

use proptest::prelude::*;
use rtcstats_proto::json::write_text;
use rtcstats_proto::privacy::{Anonymizer, Mode, Obfuscator, Outcome};
use rtcstats_proto::{Generation, Limits, RawJson};

const MODES: [Mode; 5] = [
    Mode::Client,
    Mode::Server(Generation::Legacy),
    Mode::Server(Generation::Jitsi),
    Mode::Server(Generation::Rtcstats),
    Mode::Strict,
];

fn masked(mode: Mode, line: &str) -> (Outcome, String) {
    let mut out = String::new();
    let outcome = Obfuscator::new(mode, Limits::default()).line(line, &mut out);
    (outcome, out)
}

fn address() -> impl Strategy<Value = String> {
    let ipv4 = any::<[u8; 4]>()
        // Loopback and networks may stay.
        .prop_map(|[a, b, c, d]| std::net::Ipv4Addr::new(a & 0x7E, b, c, d | 1));
    let ipv6 = any::<[u16; 8]>().prop_map(|mut groups| {
        groups[0] |= 0x2000;
        groups[7] |= 1;
        std::net::Ipv6Addr::from(groups)
    });
    let sparse = (any::<u16>(), any::<u16>())
        .prop_map(|(a, b)| std::net::Ipv6Addr::new(a | 0x2000, 0xdb8, 0, 0, 0, 0, 0, b | 1));
    prop_oneof![
        ipv4.prop_map(|address| address.to_string()),
        ipv4_mapped().prop_map(|address| address.to_string()),
        ipv6.prop_map(|address| address.to_string()),
        sparse.prop_map(|address| address.to_string()),
    ]
}

fn ipv4_mapped() -> impl Strategy<Value = std::net::Ipv6Addr> {
    any::<[u8; 4]>()
        .prop_map(|[_, b, c, d]| std::net::Ipv4Addr::new(198, b, c, d | 1).to_ipv6_mapped())
}

/// Text around an address that neither continues it nor makes it another number.
fn surroundings() -> impl Strategy<Value = (String, String)> {
    const BEFORE: &str = "(.*[ /\\[\"=,(@\u{e9}\\r\\n\u{4e2d}-]|)";
    const AFTER: &str = "([ /\\]\"=,)@%\\r\\n-].*|)";
    (BEFORE, AFTER)
}

/// The places of an event where a text may stand.
fn line() -> impl Strategy<Value = (String, String)> {
    let text = (address(), surroundings());
    (text, 0..14_usize).prop_map(|((address, (before, after)), place)| {
        let mut text = String::new();
        write_text(&format!("{before}{address}{after}"), &mut text);
        let plain = format!("\"{address}\"");
        let candidate = format!("1 1 udp 5 {address} 9 typ srflx raddr {address} rport 7 ufrag a");
        let line = match place {
            0 => format!("[20,\"PC_0\",{{\"candidate\":\"candidate:{candidate}\"}},1]"),
            1 => format!("[\"addIceCandidate\",\"PC_0\",{{\"candidate\":\"a=candidate:{candidate}\",\"url\":{text}}},1]"),
            2 => format!("[\"g\",\"PC_0\",{{\"0\":{{\"134\":{plain},\"ip\":{plain},\"136\":\"relay\"}}}},1]"),
            3 => format!("[\"getStats\",\"PC_0\",{{\"I\":{{\"ip\":{plain},\"relatedAddress\":{plain}}}}},1]"),
            4 => format!("[\"getstats\",\"PC_0\",{{\"I\":{{\"ipAddress\":{plain},\"googLocalAddress\":\"{address}:80\"}}}},1,2]"),
            5 => format!("[\"setLocalDescription\",\"PC_0\",{{\"sdp\":\"v=0\\r\\no=- 1 1 IN IP4 {address}\\r\\na=candidate:{candidate}\\r\\na=remote-candidates:1 {address} 9\\r\\n\"}},1]"),
            6 => format!("[\"publicIP\",null,[{plain}],1]"),
            7 => format!("[21,\"PC_0\",{{\"address\":{plain},\"hostCandidate\":\"[{address}]:5\",\"url\":\"stun:{address}\"}},1]"),
            8 => format!("[39,\"PC_0\",{{\"iceServers\":[{{\"urls\":[\"turn:{address}:3478?transport=udp\"]}}]}},1]"),
            9 => format!("{{\"fileFormat\":3,\"remoteAddresses\":[{plain}]}}"),
            10 => format!("[\"connectionInfo\",null,\"{{\\\"path\\\":\\\"{address}\\\"}}\",1]"),
            11 => format!("{{{text}:[{text}]}}"),
            12 => format!("[20,\"PC_0\",{{\"candidate\":\"candidate:{address}\"}},1]"),
            _ => format!("not JSON {address}"),
        };
        (line, address)
    })
}

proptest! {
    #[test]
    fn the_strict_form_shows_no_address((line, address) in line()) {
        let (outcome, out) = masked(Mode::Strict, &line);
        prop_assert!(outcome != Outcome::Unchanged, "{line}");
        prop_assert!(!out.contains(&address), "{line} became {out}");
        prop_assert!(RawJson::parse(&out).is_ok(), "{line} became {out}");
    }

    #[test]
    fn masking_again_changes_nothing((line, _) in line()) {
        for mode in MODES {
            let (_, once) = masked(mode, &line);
            let (_, twice) = masked(mode, &once);
            prop_assert_eq!(&twice, &once, "{:?}", mode);
        }
    }

    #[test]
    fn what_is_not_masked_stays_byte_by_byte(text in ".*") {
        let mut line = "[ \"custom\" , null, ".to_owned();
        write_text(&text, &mut line);
        line.push_str(",1.50, 2 ]");
        for mode in MODES {
            let (outcome, out) = masked(mode, &line);
            prop_assert_eq!(outcome == Outcome::Unchanged, out == line);
            prop_assert!(outcome == Outcome::Unchanged || mode == Mode::Strict);
        }
    }

    #[test]
    fn a_line_that_is_cut_off_shows_no_address((line, address) in line(), cut in 0..400_usize) {
        let mut cut = cut.min(line.len());
        while !line.is_char_boundary(cut) {
            cut -= 1;
        }
        let (_, out) = masked(Mode::Strict, &line[..cut]);
        prop_assert!(!out.contains(&address));
    }

    #[test]
    fn any_file_can_be_anonymised_or_refused(lines in prop::collection::vec(line(), 0..6), kind in 0..4_u8) {
        let mut file = match kind {
            0 => "RTCStatsDump\n",
            1 => "[\"connectionInfo\",null,{},1]\n",
            2 => "{\"fileFormat\":2}\n",
            _ => "",
        }.to_owned();
        for (line, _) in &lines {
            file.push_str(line);
            file.push('\n');
        }
        let mut out = Vec::new();
        let result = Anonymizer::strict(Limits::default()).run(file.as_bytes(), &mut out);
        let out = String::from_utf8(out).unwrap();
        for (_, address) in &lines {
            prop_assert!(!out.contains(address));
        }
        prop_assert!(result.is_ok() || kind > 2);
        let _ = Anonymizer::compatible(Limits::default()).run(file.as_bytes(), std::io::sink());
    }
}
