//! The dial plan: what an extension means. The same plan for INVITE, REFER, SUBSCRIBE and MESSAGE, and there is
//! nothing in it outside this lot: no request can reach an address that the administrator didn't write down.

use super::config::{LotConfig, ParkingConfig, UserConfig};
use crate::parking::SlotId;
use crate::sip::{Peer, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What somebody dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A user, by name or extension.
    User(String),
    /// A park extension: any free slot of that lot.
    Park {
        /// Index of the lot.
        lot: usize,
    },
    /// A slot.
    Slot {
        /// Index of the lot.
        lot: usize,
        /// Which slot.
        slot: SlotId,
    },
    /// A ring group.
    Group {
        /// Index of the group.
        group: usize,
    },
    /// A page group.
    Page {
        /// Index of the page group.
        page: usize,
    },
    /// A number outside. Nothing that is dialled means this by itself: who dials must be allowed to.
    Outside {
        /// Index of the trunk.
        trunk: usize,
        /// What is dialled there.
        number: String,
    },
}

/// Users by name, and what their extensions and those of the lots mean.
#[derive(Debug)]
pub struct Plan {
    users: BTreeMap<String, UserConfig>,
    numbers: BTreeMap<String, Destination>,
    dynamic: Vec<ParkingConfig>,
    servers: BTreeMap<SocketAddr, String>,
}

impl Plan {
    /// The plan of a configuration. Where two want one number, a lot goes before a user.
    pub fn new(config: &LotConfig) -> Self {
        let users: BTreeMap<String, UserConfig> =
            config.users.iter().map(|user| (user.name.clone(), user.clone())).collect();
        let mut numbers = BTreeMap::new();
        for user in users.values() {
            numbers.insert(user.name.clone(), Destination::User(user.name.clone()));
            numbers.insert(user.number().to_owned(), Destination::User(user.name.clone()));
        }
        for (group, ring) in config.groups.iter().enumerate() {
            numbers.insert(ring.extension.to_string(), Destination::Group { group });
        }
        for (page, group) in config.pages.iter().enumerate() {
            numbers.insert(group.extension.to_string(), Destination::Page { page });
        }
        for (lot, parking) in config.lots.iter().enumerate() {
            // Where several lots share it, the first.
            if !matches!(numbers.get(parking.parkext.as_str()), Some(Destination::Park { .. })) {
                numbers.insert(parking.parkext.to_string(), Destination::Park { lot });
            }
            for slot in parking.parkpos.slots() {
                numbers.insert(slot.to_string(), Destination::Slot { lot, slot });
            }
        }
        let dynamic = config.dynamic_lots().into_iter().map(|(_, lot)| lot).collect();
        let server = |user: &UserConfig| Some((user.address?, user.name.clone()));
        let servers = users.values().filter_map(server).collect();
        Self { users, numbers, dynamic, servers }
    }

    /// The lots that may be made on demand.
    pub fn dynamic_lots(&self) -> &[ParkingConfig] {
        &self.dynamic
    }

    /// What `dialled` means; `None`: nothing.
    pub fn resolve(&self, dialled: &str) -> Option<&Destination> {
        self.numbers.get(dialled)
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&UserConfig> {
        self.users.get(name)
    }

    /// The user whose server sends datagrams from exactly there. A connection proves nothing of the kind: whoever shares
    /// the server's host can open one.
    pub fn server_at(&self, from: Peer) -> Option<&UserConfig> {
        let name = self.servers.get(&from.address).filter(|_| from.transport == Transport::Udp)?;
        self.user(name)
    }

    /// The user who is meant by a name or an extension.
    pub fn user_at(&self, dialled: &str) -> Option<&UserConfig> {
        match self.resolve(dialled)? {
            Destination::User(name) => self.user(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_one_thing_and_nothing_leads_outside() {
        let office =
            "[[users]]\nname='sam'\nsecret='x'\nextension='101'\n[[lots]]\nparkext='700'\nparkpos='701-702'";
        let plan = Plan::new(&toml::from_str(office).unwrap());
        let sam = Destination::User("sam".into());
        assert_eq!(plan.resolve("sam"), Some(&sam));
        assert_eq!(plan.resolve("101"), Some(&sam));
        assert_eq!(plan.resolve("700"), Some(&Destination::Park { lot: 0 }));
        let slot = SlotId::new("702").unwrap();
        assert_eq!(plan.resolve("702"), Some(&Destination::Slot { lot: 0, slot }));
        for nothing in ["703", "", "Sam", "00441614960100", "sip:sam@192.0.2.1", "sam@192.0.2.1"] {
            assert_eq!(plan.resolve(nothing), None, "{nothing}");
        }
    }
}
