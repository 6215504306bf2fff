//! Lamps (RFC 4235 over RFC 6665): slots, users and groups, the full state at once and after each change; as presence for
//! phones that know only that (RFC 3856), and many by one subscription (RFC 4662). Waiting messages (RFC 3842). Who is
//! parked or calls, and the tags that name his dialog, are told only to those who may take him.

mod documents;

use super::Lot;
use super::config::{ListConfig, UserConfig};
use super::plan::Destination;
use super::words::{Refusal, asserted_in};
use crate::parking::Moment;
use crate::sip::Peer;
use crate::sip::dialog_info::DialogElement;
use crate::sip::message::{Method, Request, Uri};
use crate::sip::message_summary::{self, MessageSummary};
use crate::sip::presence;
use crate::sip::{RequestKey, WatcherKey, rlmi};
use std::collections::{BTreeMap, BTreeSet};

/// How many subscriptions a user may have to one extension; a further one ends the oldest.
pub const MAX_WATCHERS_PER_USER: usize = 2;
/// How many subscriptions the lot serves; beyond it a SUBSCRIBE gets 503.
pub const MAX_WATCHERS: usize = 8_000;
/// The longest subscription that is granted, in seconds.
const MAX_EXPIRES_S: u32 = 3_600;
/// What is granted to a SUBSCRIBE that names no time (RFC 4235 3.4).
const DEFAULT_EXPIRES_S: u32 = 3_600;

/// What a watcher wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// The calls of an extension, or who is in a slot (RFC 4235).
    Dialog,
    /// Whether somebody is there and talks, for phones that know only that (RFC 3856).
    Presence,
    /// Whether messages wait (RFC 3842).
    Messages,
}

impl Package {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Dialog, "dialog"),
        (Self::Presence, presence::EVENT),
        (Self::Messages, message_summary::EVENT),
    ];

    fn read(event: &str) -> Option<Self> {
        let word = event.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(package, _)| package)
    }
}

#[derive(Debug)]
struct Watcher {
    /// What was subscribed to: an extension, or a list of them.
    extension: String,
    user: String,
    /// Who it is behind a server of ours; empty for anybody else.
    behind: String,
    package: Package,
    version: u32,
    /// For a list: those of its extensions of which there is news to tell.
    list: Option<BTreeSet<String>>,
}

/// All that watchers may be told of an extension.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub dialogs: Vec<DialogElement>,
    /// Whether a phone is registered there.
    open: bool,
    messages: Option<MessageSummary>,
}

/// Who watches what, and which lamps have changed.
#[derive(Debug, Default)]
pub(super) struct Presence {
    watchers: BTreeMap<WatcherKey, Watcher>,
    by_extension: BTreeMap<String, BTreeSet<WatcherKey>>,
    changed: BTreeSet<String>,
    /// What was told last, without what merely counts on.
    told: BTreeMap<String, State>,
    /// Watchers of lists to whom there is something to tell.
    waiting: BTreeSet<WatcherKey>,
    /// Whether changes are written down; what has changed since it was.
    keeps: bool,
    touched: BTreeSet<String>,
    marked: BTreeSet<WatcherKey>,
}

impl Presence {
    /// Something about this extension may have changed.
    pub(super) fn touch(&mut self, extension: &str) {
        if self.keeps {
            self.touched.insert(extension.to_owned());
        }
        if self.by_extension.contains_key(extension) {
            self.changed.insert(extension.to_owned());
        }
    }

    /// The same for several.
    pub(super) fn touch_all(&mut self, extensions: &[&str]) {
        extensions.iter().for_each(|extension| self.touch(extension));
    }

    pub(super) fn count(&self) -> usize {
        self.watchers.len()
    }

    /// A watcher is gone.
    pub(super) fn forget(&mut self, key: WatcherKey) {
        self.mark(key);
        let Some(watcher) = self.watchers.remove(&key) else { return };
        self.waiting.remove(&key);
        let of_list = watcher.list.is_some();
        let left: Vec<String> = match of_list {
            true => {
                self.by_extension.iter().filter(|(_, k)| k.contains(&key)).map(|(e, _)| e.clone()).collect()
            }
            false => vec![watcher.extension],
        };
        for extension in left {
            let Some(of_extension) = self.by_extension.get_mut(&extension) else { continue };
            of_extension.remove(&key);
            if of_extension.is_empty() {
                self.by_extension.remove(&extension);
                self.told.remove(&extension);
                self.changed.remove(&extension);
            }
        }
    }

    fn add(&mut self, key: WatcherKey, watcher: Watcher, watched: &[String]) {
        for extension in watched {
            self.by_extension.entry(extension.clone()).or_default().insert(key);
        }
        self.watchers.insert(key, watcher);
        self.mark(key);
    }

    /// A watcher whom the process before this one admitted; his next document has that version.
    pub(super) fn restore(
        &mut self,
        key: WatcherKey,
        (extension, user, version): (&str, &str, u32),
        event: &str,
        members: Option<Vec<String>>,
    ) {
        let Some(package) = Package::read(event) else { return };
        let watched = members.clone().unwrap_or_else(|| vec![extension.to_owned()]);
        let list = members.map(|_| BTreeSet::new());
        let (extension, user) = (extension.to_owned(), user.to_owned());
        let behind = String::new();
        self.add(key, Watcher { extension, user, behind, package, version, list }, &watched);
    }

    /// From now on it is noted what changes, to be written down.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
        self.marked.extend(self.watchers.keys());
    }

    fn mark(&mut self, key: WatcherKey) {
        if self.keeps {
            self.marked.insert(key);
        }
    }

    /// An extension whose lamp may have changed since it was last asked for.
    pub(super) fn take_touched(&mut self) -> Option<String> {
        self.touched.pop_first()
    }

    /// A watcher who came, stayed or went since he was last asked for.
    pub(super) fn take_marked(&mut self) -> Option<WatcherKey> {
        self.marked.pop_first()
    }

    /// What somebody watches, who he is, and the version of his next document.
    pub(super) fn watching(&self, key: WatcherKey) -> Option<(&str, &str, u32)> {
        self.watchers.get(&key).map(|w| (w.extension.as_str(), w.user.as_str(), w.version))
    }

    /// All subscriptions of this user.
    pub(super) fn all_of(&self, user: &str) -> Vec<WatcherKey> {
        self.watchers.iter().filter(|(_, watcher)| watcher.user == user).map(|(key, _)| *key).collect()
    }

    /// This user's subscriptions to the extension, the oldest first.
    fn of_user(&self, extension: &str, user: &str, behind: &str, package: Package) -> Vec<WatcherKey> {
        let his = |w: &Watcher| {
            w.user == user && w.behind == behind && w.extension == extension && w.package == package
        };
        self.watchers.iter().filter(|(_, watcher)| his(watcher)).map(|(key, _)| *key).collect()
    }
}

impl Lot {
    /// A SUBSCRIBE.
    pub(super) fn on_subscribe(&mut self, now: Moment, key: RequestKey, from: Peer, request: &Request) {
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.answer(now, key, status, headers, Vec::new()),
        };
        if let Err((refusal, more)) = self.admit(now, key, &user, request) {
            let mut headers = refusal.headers();
            headers.extend(more);
            self.agent.answer(now, key, refusal.status, headers, Vec::new());
            self.note_refusal(Method::Subscribe, from, Some(user), &refusal);
        }
    }

    fn admit(
        &mut self,
        now: Moment,
        key: RequestKey,
        user: &str,
        request: &Request,
    ) -> Result<(), (Refusal, Option<(String, String)>)> {
        let Some(package) = Package::read(request.headers.get("Event").unwrap_or_default()) else {
            let names = Package::ALL.map(|(_, name)| name).join(", ");
            let allowed = ("Allow-Events".to_owned(), names);
            return Err((Refusal::new(489, "That event package is not known."), Some(allowed)));
        };
        let refuse = |status, words: &str| Err((Refusal::new(status, words), None));
        let extension = request.uri.user.clone().unwrap_or_default();
        // A lot that is made on demand is made now.
        self.reach_destination(user, &extension);
        let members = self.list_of(&extension);
        if let Err(refusal) = self.can_be_watched(user, package, &extension, members.is_some()) {
            return Err((refusal, None));
        }
        let knows_lists =
            request.headers.list("Supported").iter().any(|tag| tag.eq_ignore_ascii_case(rlmi::OPTION_TAG));
        if members.is_some() && !knows_lists {
            let required = ("Require".to_owned(), rlmi::OPTION_TAG.to_owned());
            return Err((Refusal::new(421, "That is a list of extensions."), Some(required)));
        }
        // The user agent sends NOTIFY only to where this came from, and the nonce has proven that somebody is there.
        if self.presence.count() >= MAX_WATCHERS {
            return refuse(503, "Too many subscriptions.");
        }
        let server = self.plan.user(user).filter(|user| user.speaks_for_others());
        let behind = server.map(|_| asserted_in(&request.headers).number.to_string()).unwrap_or_default();
        let own = self.presence.of_user(&extension, user, &behind, package);
        for oldest in own.iter().take((own.len() + 1).saturating_sub(MAX_WATCHERS_PER_USER)) {
            self.agent.dismiss(now, *oldest, "rejected");
            self.presence.forget(*oldest);
        }
        let expires_s = request.headers.expires().unwrap_or(DEFAULT_EXPIRES_S).min(MAX_EXPIRES_S);
        let admitted = match &members {
            Some(_) => self.agent.admit_list_watcher(now, key, expires_s),
            None => self.agent.admit_watcher(now, key, expires_s),
        };
        if let Some(watcher) = admitted {
            let watched = members.clone().unwrap_or_else(|| vec![extension.clone()]);
            let list = members.map(|_| BTreeSet::new());
            let user = user.to_owned();
            let watcher_of = Watcher { extension, user, behind, package, version: 0, list };
            self.presence.add(watcher, watcher_of, &watched);
            self.tell(now, watcher);
        }
        Ok(())
    }

    /// Whether there is something to watch there, for this user.
    fn can_be_watched(
        &self,
        user: &str,
        package: Package,
        extension: &str,
        list: bool,
    ) -> Result<(), Refusal> {
        let nothing = || Refusal::new(404, "There is nothing to watch there.");
        if package == Package::Messages {
            // A mailbox is its owner's.
            let own = self.plan.user_at(extension).filter(|watched| watched.name == user);
            return match own.and_then(|own| self.messages_of(own)) {
                Some(_) => Ok(()),
                None => Err(Refusal::new(404, "There is no mailbox of yours.")),
            };
        }
        match self.destination_for(user, extension) {
            _ if list => Ok(()),
            Some(Destination::Slot { lot, .. }) if !self.has_hints(lot) => {
                Err(Refusal::new(404, "The slots of that lot have no lamps (parkinghints)."))
            }
            Some(Destination::Slot { .. } | Destination::User(_) | Destination::Group { .. }) => Ok(()),
            Some(Destination::Park { .. } | Destination::Page { .. } | Destination::Outside { .. })
            | None => Err(nothing()),
        }
    }

    fn messages_of(&self, user: &UserConfig) -> Option<MessageSummary> {
        self.trunks.messages_of(|who| who == user.name || who == user.number())
    }

    /// The extensions of a list; `None`: it is none.
    fn list_of(&self, extension: &str) -> Option<Vec<String>> {
        self.config.lists.iter().find(|list| list.extension.as_str() == extension).map(ListConfig::extensions)
    }

    /// What a watcher of the process before this one watches, if he still may: the members of a list, or `None`.
    pub(super) fn may_still_watch(
        &self,
        user: &str,
        event: &str,
        extension: &str,
        list: bool,
    ) -> Option<Option<Vec<String>>> {
        let members = if list { Some(self.list_of(extension)?) } else { None };
        let known = self.plan.user(user).is_some();
        let package = Package::read(event).filter(|_| known)?;
        self.can_be_watched(user, package, extension, list).ok()?;
        Some(members)
    }

    /// A watcher asked again.
    pub(super) fn on_watcher_refreshed(&mut self, now: Moment, watcher: WatcherKey) {
        self.presence.mark(watcher);
        self.tell(now, watcher);
    }

    /// After a reload: those who may no longer watch are sent away, and all others are told afresh.
    pub(super) fn review_watchers(&mut self, now: Moment) {
        let keys: Vec<WatcherKey> = self.presence.watchers.keys().copied().collect();
        for key in keys {
            let Some(watcher) = self.presence.watchers.get(&key) else { continue };
            let known = self.plan.user(&watcher.user).is_some();
            let (user, extension) = (watcher.user.clone(), watcher.extension.clone());
            let list = self.list_of(&extension);
            // A list has other members than before: whoever watches it asks again.
            let same_kind = list.is_some() == watcher.list.is_some() && list.is_none();
            let stays = known && self.can_be_watched(&user, watcher.package, &extension, false).is_ok();
            if same_kind && stays {
                self.tell(now, key);
            } else {
                let reason = if list.is_some() && known { "deactivated" } else { "noresource" };
                self.agent.dismiss(now, key, reason);
                self.presence.forget(key);
            }
        }
    }

    /// Tells everybody who watches something that has changed.
    pub(super) fn tell_watchers(&mut self, now: Moment) {
        for extension in std::mem::take(&mut self.presence.changed) {
            let state = self.state_of(&extension);
            let old = self.presence.told.insert(extension.clone(), state.clone());
            let old = old.unwrap_or_default();
            let dialogs = old.dialogs != state.dialogs;
            let watchers = self.presence.by_extension.get(&extension).cloned().unwrap_or_default();
            for key in watchers {
                let Some(watcher) = self.presence.watchers.get_mut(&key) else { continue };
                let news = match watcher.package {
                    Package::Dialog => dialogs,
                    Package::Presence => dialogs || old.open != state.open,
                    Package::Messages => old.messages != state.messages,
                };
                match &mut watcher.list {
                    _ if !news => {}
                    Some(of_list) => {
                        of_list.insert(extension.clone());
                        self.presence.waiting.insert(key);
                    }
                    None => self.tell(now, key),
                }
            }
        }
        // Who has not confirmed the last news of his list gets the next together: none of it is left out.
        let waiting: Vec<WatcherKey> = self.presence.waiting.iter().copied().collect();
        for key in waiting.into_iter().filter(|key| !self.agent.is_telling(*key)).collect::<Vec<_>>() {
            self.presence.waiting.remove(&key);
            self.tell_list(now, key, false);
        }
    }

    /// The full state, to one watcher.
    fn tell(&mut self, now: Moment, key: WatcherKey) {
        let Some(watcher) = self.presence.watchers.get(&key) else { return };
        if watcher.list.is_some() {
            return self.tell_list(now, key, true);
        }
        let (extension, version) = (watcher.extension.clone(), watcher.version);
        let (content_type, body) = self.document(now, &watcher.user, watcher.package, &extension, version);
        if let Some(watcher) = self.presence.watchers.get_mut(&key) {
            watcher.version = watcher.version.wrapping_add(1);
        }
        self.agent.notify(now, key, content_type, body);
    }

    /// The state of a list to one of its watchers, of all its extensions or of those with news (RFC 4662).
    fn tell_list(&mut self, now: Moment, key: WatcherKey, full: bool) {
        let Some(watcher) = self.presence.watchers.get_mut(&key) else { return };
        let news = watcher.list.as_mut().map(std::mem::take).unwrap_or_default();
        let version = watcher.version;
        watcher.version = watcher.version.wrapping_add(1);
        let (user, package, list) = (watcher.user.clone(), watcher.package, watcher.extension.clone());
        let mut all = self.list_of(&list).unwrap_or_default();
        all.retain(|member| self.can_be_watched(&user, package, member, false).is_ok());
        let told: Vec<String> = all.into_iter().filter(|member| full || news.contains(member)).collect();
        let bodies: Vec<(&str, Vec<u8>)> =
            told.iter().map(|member| self.document(now, &user, package, member, version)).collect();
        let uri = |extension: &str| Uri::sip(extension, &self.config.realm).to_string();
        let resources = told.iter().zip(&bodies).map(|(member, (kind, body))| rlmi::Resource {
            uri: uri(member),
            instances: vec![rlmi::Instance {
                id: "1".to_owned(),
                state: rlmi::InstanceState::Active,
                reason: None,
                content: Some(((*kind).to_owned(), body)),
            }],
        });
        let list = rlmi::List { uri: uri(&list), version, full, resources: resources.collect() };
        let (content_type, body) = rlmi::write(&list);
        self.agent.notify(now, key, &content_type, body);
    }
}
