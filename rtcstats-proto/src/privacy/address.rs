//! What is left of an address.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::literal;

const MASKED_IPV4: &str = "x.x.x.x";
const MASKED_IPV6: &str = "x:x:x:x:x:x:x:x";

/// Masks the host part as the 5.0 server does (rtcstats 5.0 spec, section 11.1): the last number of
/// IPv4, what follows the third colon of IPv6. Loopback and unspecified addresses stay, and host names
/// unless they have four labels.
///
/// An IPv6 address that is masked already stays, where the reference masks it again.
///
/// ```
/// use rtcstats_proto::privacy::mask_host;
/// assert_eq!(mask_host("198.51.100.9"), "198.51.100.x");
/// assert_eq!(mask_host("2001:db8:1:2::5"), "2001:db8:1x:x:x:x:x:x");
/// assert_eq!(mask_host("127.0.0.1"), "127.0.0.1");
/// ```
pub fn mask_host(address: &str) -> Cow<'_, str> {
    const TAIL: &str = "x:x:x:x:x:x";
    match address {
        "::1" | "127.0.0.1" | "0.0.0.0" => Cow::Borrowed(address),
        _ if address.ends_with(TAIL) => Cow::Borrowed(address),
        _ if address.contains(':') => Cow::Owned(format!("{}{TAIL}", first_groups(address))),
        _ => mask_last_number(address),
    }
}

/// Masks the host part as the server of the legacy generation does (legacy 2.0 spec, section 1.1): as
/// [`mask_host`], with a colon before the masked groups of IPv6 and without exceptions.
///
/// ```
/// use rtcstats_proto::privacy::mask_host_legacy;
/// assert_eq!(mask_host_legacy("198.51.100.9"), "198.51.100.x");
/// assert_eq!(mask_host_legacy("[2001:db8:1:2::5]"), "2001:db8:1:x:x:x:x:x");
/// ```
pub fn mask_host_legacy(address: &str) -> Cow<'_, str> {
    const TAIL: &str = ":x:x:x:x:x";
    if address.ends_with(TAIL) {
        return Cow::Borrowed(address);
    }
    if address.contains(':') || address.starts_with('[') {
        let groups = address.trim_matches(['[', ']']);
        return Cow::Owned(format!("{}{TAIL}", first_groups(groups)));
    }
    mask_last_number(address)
}

/// Masks everything, as Jitsi's client does (Jitsi spec, section 8); host names too.
///
/// ```
/// use rtcstats_proto::privacy::mask_all;
/// assert_eq!(mask_all("198.51.100.9"), "x.x.x.x");
/// assert_eq!(mask_all("2001:db8::5"), "x:x:x:x:x:x:x:x");
/// ```
pub fn mask_all(address: &str) -> &'static str {
    if address.starts_with('[') || address.contains(':') {
        MASKED_IPV6
    } else {
        MASKED_IPV4
    }
}

/// Masks an address so that at most its network is left: 24 bits of IPv4, 48 of IPv6, however it
/// is written, an IPv4 address inside of a 6to4 one included. Loopback and unspecified addresses stay, and host names.
///
/// ```
/// use rtcstats_proto::privacy::mask_strictly;
/// assert_eq!(mask_strictly("198.51.100.9"), "198.51.100.x");
/// assert_eq!(mask_strictly("fe80::1%eth0"), "fe80:0:0:x:x:x:x:x");
/// assert_eq!(mask_strictly("::ffff:198.51.100.9"), "198.51.100.x");
/// ```
pub fn mask_strictly(address: &str) -> Cow<'_, str> {
    if let Some(ip) = parse(address) {
        return match network(ip) {
            Some(network) => Cow::Owned(network),
            None => Cow::Borrowed(address),
        };
    }
    if is_masked_strictly(address) {
        Cow::Borrowed(address)
    } else if address.contains(':') {
        Cow::Borrowed(MASKED_IPV6)
    } else {
        literal::masked(address)
    }
}

/// The address that a text is, in brackets and with a zone if need be.
pub(super) fn parse(address: &str) -> Option<IpAddr> {
    let address = address.trim();
    let bare = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'))
        .unwrap_or(address);
    let without_zone = bare.split('%').next().unwrap_or(bare);
    without_zone.parse().ok()
}

/// What is left of an address; `None` if all of it may stay.
pub(super) fn network(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(address) => network_of_ipv4(address),
        IpAddr::V6(address) if address.is_loopback() || address.is_unspecified() => None,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => network_of_ipv4(mapped),
            None => Some(network_of_ipv6(address)),
        },
    }
}

fn network_of_ipv4(address: Ipv4Addr) -> Option<String> {
    let [a, b, c, d] = address.octets();
    // `156.0.0.0` is no host, but may be the version of a browser.
    let is_harmless = address.is_loopback() || [b, c, d] == [0; 3];
    (!is_harmless).then(|| format!("{a}.{b}.{c}.x"))
}

fn network_of_ipv6(address: Ipv6Addr) -> String {
    const SIX_TO_FOUR: u16 = 0x2002;
    let [a, b, c, ..] = address.segments();
    // Behind this prefix stands an address of IPv4, its host part in the third group.
    let c = if a == SIX_TO_FOUR { c & 0xFF00 } else { c };
    format!("{a:x}:{b:x}:{c:x}:x:x:x:x:x")
}

/// What stands for text that holds an address nobody can read.
pub(super) fn masked_ipv6() -> &'static str {
    MASKED_IPV6
}

fn is_masked_strictly(address: &str) -> bool {
    let is_group = |group: &str| {
        (1..=4).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    address == MASKED_IPV6
        || address.strip_suffix(":x:x:x:x:x").is_some_and(|network| {
            network.split(':').count() == 3 && network.split(':').all(is_group)
        })
}

/// What stands before the third colon.
fn first_groups(address: &str) -> &str {
    let end = address.match_indices(':').nth(2).map(|(at, _)| at);
    address
        .get(..end.unwrap_or(address.len()))
        .unwrap_or(address)
}

/// Masks the last of four fields.
fn mask_last_number(address: &str) -> Cow<'_, str> {
    if address.matches('.').count() != 3 {
        return Cow::Borrowed(address);
    }
    match address.rsplit_once('.') {
        Some((network, host)) if host != "x" => Cow::Owned(format!("{network}.x")),
        _ => Cow::Borrowed(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_stays_as_it_is() {
        for address in [
            "198.51.100.9",
            "2001:db8:1:2::5",
            "fe80::1%en0",
            "::ffff:192.0.2.1",
            "[2001:db8::1]",
            "::1",
            ":",
            "",
            "a.b.c.d",
            "host:80",
            "1.2.3.4:80",
        ] {
            let legacy = mask_host_legacy(address);
            assert_eq!(mask_host_legacy(&legacy), legacy);
            let host = mask_host(address);
            assert_eq!(mask_host(&host), host);
            let strict = mask_strictly(address);
            assert_eq!(mask_strictly(&strict), strict);
            assert_eq!(mask_all(mask_all(address)), mask_all(address));
        }
    }

    #[test]
    fn no_spelling_of_an_address_shows_more_than_its_network() {
        for (address, masked) in [
            ("2001:db8::5", "2001:db8:0:x:x:x:x:x"),
            ("fe80::1", "fe80:0:0:x:x:x:x:x"),
            ("2002:c000:201::1", "2002:c000:200:x:x:x:x:x"),
            ("2002:c000:200:x:x:x:x:x", "2002:c000:200:x:x:x:x:x"),
            ("[2001:db8::1]", "2001:db8:0:x:x:x:x:x"),
            ("2001:db8:1x:x:x:x:x:x", "x:x:x:x:x:x:x:x"),
            ("fe80::1x:x:x:x:x:x", "x:x:x:x:x:x:x:x"),
            (" 192.0.2.1 ", "192.0.2.x"),
            ("192.0.2.x", "192.0.2.x"),
            ("010.001.002.003", "010.001.002.x"),
            ("a.example.co.uk", "a.example.co.uk"),
            ("127.0.0.5", "127.0.0.5"),
            ("::", "::"),
        ] {
            assert_eq!(mask_strictly(address), masked);
        }
    }
}
