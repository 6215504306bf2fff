//! Ring groups: one extension that rings several people, at once or one after another.

use super::{LotConfig, MAX_TIME_S, SlotRange, claim};
use crate::parking::SlotId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most ring groups.
pub const MAX_GROUPS: usize = 64;
/// The most members of one group.
pub const MAX_MEMBERS: usize = 64;

/// The most phones that hear one page; further ones don't.
pub const MAX_PAGED: usize = 32;
/// The most lists of lamps.
pub const MAX_LISTS: usize = 16;
/// The most extensions of one list: all of them go in one datagram where phones use UDP.
pub const MAX_LISTED: usize = 64;

/// A ring group, in the words of Asterisk's `queues.conf` where it has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// What phones show as called.
    pub name: String,
    /// The number that rings the group.
    pub extension: SlotId,
    /// Who is rung: users or their extensions, in this order when `strategy` is `linear`.
    pub members: Vec<String>,
    /// In which order they are rung.
    #[serde(default)]
    pub strategy: Strategy,
    /// Seconds for which all of them ring, or each of them when they are rung one after another.
    #[serde(default = "twenty")]
    pub timeout: u32,
    /// Whether members are rung who are on a call.
    #[serde(default)]
    pub ringinuse: bool,
    /// Who is rung when nobody has answered: a user, an extension, another group, or a number for the trunk. With
    /// none the caller is told that nobody is there.
    #[serde(default)]
    pub fallback: Option<String>,
}

/// A page group: whoever calls it is heard on all its members' phones, which answer by themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageConfig {
    /// What phones show as calling, before who speaks.
    pub name: String,
    /// The number that pages.
    pub extension: SlotId,
    /// Who is to hear it: users or their extensions. Those who are on a call are left in peace.
    pub members: Vec<String>,
    /// The longest page, in seconds.
    #[serde(default = "sixty")]
    pub timeout: u32,
}

/// In which order the members of a group are rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// All at once; the first who answers gets the call.
    #[default]
    Ringall,
    /// One after another, in the order of the list, always from its beginning.
    Linear,
}

/// A list of extensions that are watched by one subscription (RFC 4662).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfig {
    /// What is subscribed to.
    pub extension: SlotId,
    /// Slots, as ranges (`"701-712"`), and the extensions of users and groups.
    pub members: Vec<String>,
}

impl ListConfig {
    /// Its extensions one by one, at most [`MAX_LISTED`].
    pub fn extensions(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for member in &self.members {
            let range = member.contains('-').then(|| SlotRange::parse(member).ok()).flatten();
            match range {
                Some(range) => all.extend(range.slots().map(|slot| slot.to_string())),
                None => all.push(member.clone()),
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|extension| seen.insert(extension.clone()));
        all.truncate(MAX_LISTED);
        all
    }
}

fn sixty() -> u32 {
    60
}

fn twenty() -> u32 {
    20
}

impl LotConfig {
    /// What is wrong with the groups.
    pub(super) fn group_problems(
        &self,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        if self.groups.len() > MAX_GROUPS {
            say("groups".to_owned(), format!("at most {MAX_GROUPS} groups"));
        }
        for (i, group) in self.groups.iter().enumerate() {
            let path = format!("groups.{i}");
            let owner = format!("group {} ({})", i + 1, group.name);
            claim(numbers, group.extension.as_str(), &owner, &format!("{path}.extension"), say);
            if group.members.is_empty() || group.members.len() > MAX_MEMBERS {
                say(format!("{path}.members"), format!("between 1 and {MAX_MEMBERS} members"));
            }
            for (n, member) in group.members.iter().enumerate().filter(|(_, m)| !self.is_user(m)) {
                say(format!("{path}.members.{n}"), format!("“{member}” is no user and no user's extension"));
            }
            if !(1..=MAX_TIME_S).contains(&group.timeout) {
                say(format!("{path}.timeout"), format!("between 1 and {MAX_TIME_S} seconds"));
            }
            if group.fallback.as_deref() == Some(group.extension.as_str()) {
                say(format!("{path}.fallback"), "the group can't be its own fallback".to_owned());
            }
        }
    }

    /// What is wrong with the page groups.
    pub(super) fn page_problems(
        &self,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        if self.pages.len() > MAX_GROUPS {
            say("pages".to_owned(), format!("at most {MAX_GROUPS} page groups"));
        }
        for (i, page) in self.pages.iter().enumerate() {
            let path = format!("pages.{i}");
            let owner = format!("page group {} ({})", i + 1, page.name);
            claim(numbers, page.extension.as_str(), &owner, &format!("{path}.extension"), say);
            if page.members.is_empty() || page.members.len() > MAX_PAGED {
                say(format!("{path}.members"), format!("between 1 and {MAX_PAGED} members"));
            }
            for (n, member) in page.members.iter().enumerate().filter(|(_, m)| !self.is_user(m)) {
                say(format!("{path}.members.{n}"), format!("“{member}” is no user and no user's extension"));
            }
            if !(1..=MAX_TIME_S).contains(&page.timeout) {
                say(format!("{path}.timeout"), format!("between 1 and {MAX_TIME_S} seconds"));
            }
        }
    }

    /// What is wrong with the lists.
    pub(super) fn list_problems(
        &self,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        if self.lists.len() > MAX_LISTS {
            say("lists".to_owned(), format!("at most {MAX_LISTS} lists"));
        }
        for (i, list) in self.lists.iter().enumerate() {
            let path = format!("lists.{i}");
            claim(
                numbers,
                list.extension.as_str(),
                &format!("list {}", i + 1),
                &format!("{path}.extension"),
                say,
            );
            let members = list.extensions();
            if members.is_empty() || members.len() >= MAX_LISTED {
                say(format!("{path}.members"), format!("between 1 and {} extensions", MAX_LISTED - 1));
            }
            let lamp = |who: &str| {
                let group = self.groups.iter().any(|group| group.extension.as_str() == who);
                group || self.is_user(who) || self.lots.iter().any(|lot| lot.parkpos.contains(who))
            };
            if let Some(unknown) = members.iter().find(|member| !lamp(member)) {
                say(format!("{path}.members"), format!("“{unknown}” is no slot, no user and no group"));
            }
        }
    }

    /// Whether that is a user's name or extension.
    pub(super) fn is_user(&self, who: &str) -> bool {
        self.users.iter().any(|user| user.name == who || user.number() == who)
    }
}
