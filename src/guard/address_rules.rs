//! Allow and block lists of addresses for a connection, as an administrator sets them.

use std::net::IpAddr;

use crate::vocab::AddressRules;

/// Whether the rules allow this address. Blocked wins; an empty allow list allows all.
pub fn allows_address(rules: &AddressRules, address: IpAddr) -> bool {
    // An IPv4 address mapped to IPv6 is checked as IPv4, as Odoo does.
    let address = address.to_canonical();
    let is_in = |networks: &[ipnet::IpNet]| networks.iter().any(|network| network.contains(&address));
    !is_in(&rules.blocked) && (rules.allowed.is_empty() || is_in(&rules.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &[&str], blocked: &[&str], address: &str) -> bool {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let rules = AddressRules { allowed: networks(allowed), blocked: networks(blocked) };
        allows_address(&rules, address.parse().unwrap())
    }

    #[test]
    fn empty_lists_allow_every_address() {
        assert!(allows(&[], &[], "203.0.113.9") && allows(&[], &[], "2001:db8::9"));
    }

    #[test]
    fn both_families_are_checked() {
        let office = ["203.0.113.0/24", "2001:db8:1::/48"];
        for (address, allowed) in [
            ("203.0.113.9", true),
            ("203.0.114.9", false),
            ("2001:db8:1:ffff::9", true),
            ("2001:db8:2::9", false),
        ] {
            assert_eq!(allows(&office, &[], address), allowed, "{address}");
            assert_eq!(allows(&[], &office, address), !allowed, "{address}");
        }
    }

    #[test]
    fn blocked_wins() {
        assert!(!allows(&["203.0.113.0/24"], &["203.0.113.9/32"], "203.0.113.9"));
        assert!(allows(&["203.0.113.0/24"], &["203.0.113.9/32"], "203.0.113.10"));
        assert!(!allows(&["203.0.113.9/32"], &["0.0.0.0/0"], "203.0.113.9"));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        assert!(allows(&["203.0.113.9/32"], &[], "::ffff:203.0.113.9"));
        assert!(!allows(&[], &["203.0.113.0/24"], "::ffff:203.0.113.9"));
        // So a block of all IPv6 is not a block of all addresses.
        assert!(allows(&[], &["::/0"], "::ffff:203.0.113.9"));
    }
}
