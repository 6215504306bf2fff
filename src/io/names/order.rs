//! In which order the servers that DNS names are tried: NAPTR by order and preference (RFC 3263 4.1), SRV by priority
//! and weight (RFC 2782), addresses by the route that leads there (RFC 7984, RFC 6724). Nothing is asked here.

use crate::sip::Transport;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::net::{IpAddr, Ipv6Addr};

/// One SRV record: a server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Its name; never the root (which says that there is no such service).
    pub target: String,
}

/// One NAPTR record that leads to SRV records of a transport that we speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub transport: Transport,
    /// Where the SRV records are.
    pub replacement: String,
}

/// The transport that a NAPTR's flags and services stand for, if it is one of ours.
pub(super) fn naptr_transport(flags: &[u8], services: &[u8], regexp: &[u8]) -> Option<Transport> {
    if !flags.eq_ignore_ascii_case(b"s") || !regexp.is_empty() {
        return None;
    }
    [
        (Transport::Udp, "SIP+D2U".as_bytes()),
        (Transport::Tcp, "SIP+D2T".as_bytes()),
        (Transport::Tls, "SIPS+D2T".as_bytes()),
    ]
    .into_iter()
    .find_map(|(transport, service)| services.eq_ignore_ascii_case(service).then_some(transport))
}

/// Puts NAPTR records in order. Only those of the first order count: the others are for clients that can't use any
/// of these (RFC 3403 4.1).
pub(super) fn order_naptr(mut records: Vec<Naptr>) -> Vec<Naptr> {
    records.sort_by_key(|record| (record.order, record.preference));
    if let Some(first) = records.first().map(|record| record.order) {
        records.retain(|record| record.order == first);
    }
    records
}

/// Puts SRV records in the order in which they are tried: by priority, and within one by chance, a heavier one more
/// often before a lighter one (RFC 2782, “Weight”).
pub(super) fn order_srv(mut records: Vec<Srv>, seed: u64) -> Vec<Srv> {
    let mut chance = StdRng::seed_from_u64(seed);
    // Those without weight first, so that they have a very small chance of being picked first.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let group = records.iter().take_while(|record| record.priority == priority);
        let total: u32 = group.map(|record| u32::from(record.weight)).sum();
        let drawn = chance.random_range(0..=total);
        let mut sum = 0;
        let picked = records.iter().position(|record| {
            sum += u32::from(record.weight);
            sum >= drawn
        });
        ordered.push(records.remove(picked.unwrap_or(0)));
    }
    ordered
}

/// Puts a host's addresses in order: those to which a route leads first; IPv6 before IPv4, unless it would leave from
/// an address that the world can't answer. `source` says from which address of ours the route leaves.
pub(super) fn order_addresses(
    mut addresses: Vec<IpAddr>,
    source: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Vec<IpAddr> {
    addresses.sort_by_cached_key(|address| rank(*address, source(*address)));
    addresses
}

fn rank(to: IpAddr, from: Option<IpAddr>) -> u8 {
    match (to, from) {
        (_, None) => 3,
        (IpAddr::V6(to), Some(IpAddr::V6(from))) if is_local(from) && !is_local(to) => 2,
        (IpAddr::V6(_), _) => 0,
        (IpAddr::V4(_), _) => 1,
    }
}

/// Whether an address is good for one's own site only.
fn is_local(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    fn names(records: Vec<Srv>) -> Vec<String> {
        records.into_iter().map(|record| record.target).collect()
    }

    #[test]
    fn servers_of_a_lower_priority_number_always_come_first() {
        for seed in 0..200 {
            let order = names(order_srv(
                vec![srv(20, 0, "c"), srv(10, 1, "a"), srv(15, 100, "b"), srv(20, 0, "d")],
                seed,
            ));
            assert_eq!(order[..2], ["a", "b"], "seed {seed}");
        }
    }

    #[test]
    fn servers_of_one_priority_share_the_load_by_weight() {
        const ROUNDS: u64 = 10_000;
        let mut first: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..ROUNDS {
            let order =
                names(order_srv(vec![srv(1, 60, "big"), srv(1, 30, "small"), srv(1, 10, "tiny")], seed));
            assert_eq!(order.len(), 3);
            *first.entry(order[0].clone()).or_default() += 1;
        }
        for (name, percent) in [("big", 60), ("small", 30), ("tiny", 10)] {
            let got = first[name] / 100;
            assert!(
                got.abs_diff(percent) <= 3,
                "{name} came first in {got} % of the rounds, not {percent} %"
            );
        }
    }

    #[test]
    fn a_server_without_weight_is_seldom_first_but_never_forgotten() {
        let mut first = 0;
        for seed in 0..1_000 {
            let order = names(order_srv(vec![srv(1, 99, "heavy"), srv(1, 0, "spare")], seed));
            first += u32::from(order[0] == "spare");
            assert!(order.contains(&"spare".to_owned()));
        }
        assert!((1..60).contains(&first), "{first} of 1000");
        // Nobody has any weight: any order, everybody in it.
        assert_eq!(order_srv(vec![srv(1, 0, "a"), srv(1, 0, "b")], 1).len(), 2);
        assert_eq!(order_srv(Vec::new(), 1), []);
    }

    #[test]
    fn only_naptr_of_the_first_order_count_and_by_preference() {
        let naptr =
            |order, preference, transport| Naptr { order, preference, transport, replacement: "x".into() };
        let order = order_naptr(vec![
            naptr(60, 1, Transport::Udp),
            naptr(50, 90, Transport::Tcp),
            naptr(50, 10, Transport::Tls),
        ]);
        let transports: Vec<Transport> = order.into_iter().map(|record| record.transport).collect();
        assert_eq!(transports, [Transport::Tls, Transport::Tcp]);
    }

    #[test]
    fn a_naptr_of_another_service_is_not_ours() {
        assert_eq!(naptr_transport(b"S", b"sips+d2t", b""), Some(Transport::Tls));
        assert_eq!(naptr_transport(b"s", b"SIP+D2U", b""), Some(Transport::Udp));
        assert_eq!(naptr_transport(b"s", b"SIP+D2W", b""), None);
        assert_eq!(naptr_transport(b"u", b"E2U+sip", b"!^.*$!sip:a@b!"), None);
        assert_eq!(naptr_transport(b"s", b"SIP+D2U", b"!x!y!"), None);
    }

    #[test]
    fn addresses_without_a_route_come_last_and_a_home_network_does_not_answer_the_world() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        let order = |source: &dyn Fn(IpAddr) -> Option<IpAddr>| order_addresses(vec![v4, v6], source);
        let global = |to: IpAddr| Some(if to.is_ipv4() { v4 } else { "2001:db8::2".parse().unwrap() });
        assert_eq!(order(&global), [v6, v4]);
        let home = |to: IpAddr| Some(if to.is_ipv4() { v4 } else { "fd00::2".parse().unwrap() });
        assert_eq!(order(&home), [v4, v6]);
        assert_eq!(order(&|to| to.is_ipv4().then_some(v4)), [v4, v6]);
        assert_eq!(order(&|to| to.is_ipv6().then_some(v6)), [v6, v4]);
    }
}
