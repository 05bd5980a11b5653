//! From where a connection may be used, as its administrator says.

use std::net::IpAddr;

use crate::vocab::AddressRules;

/// Whether the rules let this address in. Blocked wins; an empty list of allowed ones allows all.
pub fn allows_address(rules: &AddressRules, address: IpAddr) -> bool {
    // What comes as IPv6 and means IPv4 is judged as IPv4, as Odoo does.
    let address = address.to_canonical();
    let lies_in = |networks: &[ipnet::IpNet]| networks.iter().any(|network| network.contains(&address));
    !lies_in(&rules.blocked) && (rules.allowed.is_empty() || lies_in(&rules.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(allowed: &[&str], blocked: &[&str], address: &str) -> bool {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let rules = AddressRules { allowed: networks(allowed), blocked: networks(blocked) };
        allows_address(&rules, address.parse().unwrap())
    }

    #[test]
    fn empty_lists_allow_every_address() {
        assert!(admitted(&[], &[], "203.0.113.9") && admitted(&[], &[], "2001:db8::9"));
    }

    #[test]
    fn both_families_are_judged() {
        let office = ["203.0.113.0/24", "2001:db8:1::/48"];
        for (address, let_in) in [
            ("203.0.113.9", true),
            ("203.0.114.9", false),
            ("2001:db8:1:ffff::9", true),
            ("2001:db8:2::9", false),
        ] {
            assert_eq!(admitted(&office, &[], address), let_in, "{address}");
            assert_eq!(admitted(&[], &office, address), !let_in, "{address}");
        }
    }

    #[test]
    fn blocked_wins() {
        assert!(!admitted(&["203.0.113.0/24"], &["203.0.113.9/32"], "203.0.113.9"));
        assert!(admitted(&["203.0.113.0/24"], &["203.0.113.9/32"], "203.0.113.10"));
        assert!(!admitted(&["203.0.113.9/32"], &["0.0.0.0/0"], "203.0.113.9"));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        assert!(admitted(&["203.0.113.9/32"], &[], "::ffff:203.0.113.9"));
        assert!(!admitted(&[], &["203.0.113.0/24"], "::ffff:203.0.113.9"));
        // Which is why all of IPv6 is not all.
        assert!(admitted(&[], &["::/0"], "::ffff:203.0.113.9"));
    }
}
