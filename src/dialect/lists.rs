//! All lamps by one subscription (RFC 4662), where the server keeps a list of them; slot by slot where it doesn't, or
//! where the list leaves a slot out.

use super::lamps::{Subscribed, Watching};
use super::phone::Phone;
use super::watched::Follows;
use crate::parking::{Moment, SlotId};
use crate::sip::message::Uri;
use crate::sip::rlmi::{self, InstanceState, List, Resource};
use crate::sip::{SubscriptionKey, multipart};
use std::collections::{BTreeMap, BTreeSet};

/// How many lists inside the list are kept in mind.
const MAX_LISTS: usize = 64;

/// One list as it is watched.
pub(super) struct WatchedList {
    /// The last version of the list, and of the lists in it, by their URIs.
    versions: BTreeMap<String, u32>,
    /// Whether the full list was asked for: it may have any version.
    asked: bool,
}

/// Why a list's NOTIFY was not taken in.
enum Trouble {
    /// The full state is wanted.
    Gap,
    /// This is no list.
    NoList,
}

impl Phone {
    /// Subscribes to the list of these slots.
    pub(super) fn watch_list(&mut self, now: Moment, list: &SlotId, slots: &[SlotId]) {
        let event =
            self.config.dialect.preset.lamps.events.first().copied().unwrap_or(super::LampEvent::Dialog);
        let accept = format!("{}, {}", event.accept(), rlmi::ACCEPT);
        let key = self.subscribe_to(now, list.as_str(), event.package(), &accept, true);
        self.subscribed.insert(key, Subscribed::new(Watching::List));
        self.lists.insert(key, WatchedList { versions: BTreeMap::new(), asked: true });
        for slot in slots {
            if let Some(watched) = self.watched.get_mut(slot) {
                watched.by = Some(key);
            }
        }
    }

    /// The next state of that list is a whole one, of whatever version.
    pub(super) fn expect_whole_list(&mut self, subscription: SubscriptionKey) {
        if let Some(list) = self.lists.get_mut(&subscription) {
            list.asked = true;
        }
    }

    /// The server has no such list: every slot by itself.
    pub(super) fn leave_list(&mut self, now: Moment, subscription: SubscriptionKey) {
        self.ua.unsubscribe(now, subscription);
        self.subscribed.remove(&subscription);
        self.lists.remove(&subscription);
        for slot in self.slots_of(subscription) {
            self.watch_singly(now, &slot);
        }
    }

    fn slots_of(&self, subscription: SubscriptionKey) -> Vec<SlotId> {
        self.watched.values().filter(|w| w.by == Some(subscription)).map(|w| w.slot.clone()).collect()
    }

    pub(super) fn hear_list(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        content_type: &str,
        body: &[u8],
    ) {
        let (lists, follows) = match self.read_lists(subscription, content_type, body) {
            Ok(read) => read,
            Err(Trouble::Gap) => return self.ask_in_trouble(now, subscription),
            Err(Trouble::NoList) => return self.leave_list(now, subscription),
        };
        let whole = lists.first().is_some_and(|list| list.full);
        let mut named = BTreeSet::new();
        for resource in lists.iter().flat_map(|list| &list.resources) {
            let user = Uri::parse(&resource.uri).and_then(|uri| uri.user).unwrap_or_default();
            let slot = self.config.dialect.slot_watched(&user).cloned();
            if let Some(slot) = slot
                && self.hear_resource(now, subscription, &slot, resource, follows)
            {
                named.insert(slot);
            }
        }
        if whole {
            // What the list leaves out is watched by itself.
            for slot in self.slots_of(subscription).into_iter().filter(|slot| !named.contains(slot)) {
                self.watch_singly(now, &slot);
            }
        }
    }

    /// Reads the lists, and whether they follow the last ones (RFC 4662 5.2: the version goes up by one) and nothing was
    /// missed between.
    fn read_lists<'a>(
        &mut self,
        subscription: SubscriptionKey,
        content_type: &str,
        body: &'a [u8],
    ) -> Result<(Vec<List<'a>>, Follows), Trouble> {
        if !multipart::is_type(content_type, "multipart/related") {
            return Err(Trouble::NoList);
        }
        let lists = rlmi::read(content_type, body).map_err(|_| Trouble::Gap)?;
        let known = self.lists.get_mut(&subscription).ok_or(Trouble::Gap)?;
        let mut unbroken = true;
        for list in &lists {
            let last = known.versions.get(&list.uri);
            unbroken &= last.is_some_and(|last| last.checked_add(1) == Some(list.version));
            let follows = match last {
                _ if known.asked => list.full,
                Some(last) if list.full => list.version > *last,
                Some(last) => last.checked_add(1) == Some(list.version),
                None => list.full,
            };
            if !follows || (known.versions.len() >= MAX_LISTS && !known.versions.contains_key(&list.uri)) {
                return Err(Trouble::Gap);
            }
        }
        for list in &lists {
            known.versions.insert(list.uri.clone(), list.version);
        }
        known.asked = false;
        Ok((lists, Follows::InList { unbroken }))
    }

    /// One slot's part of the list. False if the list will say no more of it.
    fn hear_resource(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        slot: &SlotId,
        resource: &Resource<'_>,
        follows: Follows,
    ) -> bool {
        let over = !resource.instances.is_empty()
            && resource.instances.iter().all(|instance| instance.state == InstanceState::Terminated);
        let by = self.watched.get(slot).and_then(|watched| watched.by);
        if over {
            // The server can't watch it for us; perhaps we can, and if not it says why.
            if by == Some(subscription) {
                self.watch_singly(now, slot);
            }
            return false;
        }
        if let Some(own) = by.filter(|by| *by != subscription) {
            // It was left out before.
            self.ua.unsubscribe(now, own);
            self.subscribed.remove(&own);
            if let Some(watched) = self.watched.get_mut(slot) {
                watched.join(subscription);
            }
        }
        let told = resource.instances.iter().filter(|instance| instance.state == InstanceState::Active);
        if let Some((content_type, body)) = told.filter_map(|instance| instance.content.as_ref()).next() {
            self.hear_lamp(now, slot, content_type, body, follows);
        }
        true
    }
}
