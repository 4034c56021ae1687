//! Whose conference it was (§11.9).

use serde_json::Value as Json;

use super::Tenant;
use crate::javascript::is_truthy;

const PREFIX: &str = "vpaas-magic-cookie-";

impl Tenant {
    /// The tenant that the URL of a conference names, and the customer that the identity does.
    pub(super) fn of(conference_url: &str, customer_id: Option<&Json>) -> Self {
        let mut tenant = Self::from_url(conference_url);
        if is_truthy(customer_id)
            && let Some(customer_id) = customer_id
        {
            tenant.jaas_client_id = customer_id.clone();
        }
        tenant
    }

    fn from_url(url: &str) -> Self {
        let none = Self {
            jaas_client_id: Json::String(String::new()),
            ..Self::default()
        };
        let mut parts = without_scheme(url).split('/').skip(1);
        let Some((tenant, id)) = parts
            .next()
            .and_then(|part| Some((part, part.strip_prefix(PREFIX)?)))
        else {
            return none;
        };
        Self {
            tenant: tenant.to_owned(),
            jaas_meeting_fqn: joined(std::iter::once(tenant).chain(parts)),
            jaas_client_id: Json::String(id.to_owned()),
            is_jaas_tenant: true,
        }
    }
}

/// The URL without a leading `scheme://` or `//`.
fn without_scheme(url: &str) -> &str {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let behind_name = url.trim_start_matches(is_word);
    let behind_scheme = match behind_name.strip_prefix(':') {
        Some(rest) if behind_name.len() < url.len() => rest,
        _ => url,
    };
    behind_scheme.strip_prefix("//").unwrap_or(url)
}

/// The parts as one path, normalized.
fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut path: Vec<&str> = Vec::new();
    for part in parts {
        match part {
            "" | "." => {}
            ".." if path.last().is_some_and(|last| *last != "..") => {
                path.pop();
            }
            _ => path.push(part),
        }
    }
    if path.is_empty() {
        return ".".to_owned();
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_cookie_in_the_path_names_a_tenant() {
        for url in [
            "https://8x8.vc/vpaas-magic-cookie-ab/room",
            "//8x8.vc/vpaas-magic-cookie-ab/room",
            "8x8.vc/vpaas-magic-cookie-ab/./x/..//room",
        ] {
            let tenant = Tenant::of(url, None);
            assert_eq!(tenant.tenant, "vpaas-magic-cookie-ab", "{url}");
            assert_eq!(tenant.jaas_meeting_fqn, "vpaas-magic-cookie-ab/room");
            assert_eq!(tenant.jaas_client_id, "ab");
            assert!(tenant.is_jaas_tenant);
        }
    }

    #[test]
    fn other_urls_have_no_tenant() {
        for url in [
            "",
            "https://meet.example.org/room",
            "h/x/vpaas-magic-cookie-ab",
            "a-b://h/vpaas-magic-cookie-ab",
        ] {
            let tenant = Tenant::of(url, None);
            assert_eq!(
                (tenant.tenant.as_str(), tenant.is_jaas_tenant),
                ("", false),
                "{url}"
            );
            assert_eq!(tenant.jaas_client_id, "");
        }
    }

    #[test]
    fn a_customer_id_replaces_the_client_id_and_nothing_else() {
        let customer = Json::String("c".to_owned());
        let tenant = Tenant::of("h/room", Some(&customer));
        assert_eq!(
            (tenant.jaas_client_id, tenant.is_jaas_tenant),
            (customer, false)
        );
        let empty = Json::String(String::new());
        let tenant = Tenant::of("h/vpaas-magic-cookie-ab", Some(&empty));
        assert_eq!(tenant.jaas_client_id, "ab");
    }

    #[test]
    fn a_path_may_climb_above_the_tenant() {
        let path = |url| Tenant::of(url, None).jaas_meeting_fqn;
        assert_eq!(path("h/vpaas-magic-cookie-a/../.."), "..");
        assert_eq!(path("h/vpaas-magic-cookie-a/.."), ".");
    }
}
