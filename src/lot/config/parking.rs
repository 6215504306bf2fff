//! One parking lot as an administrator describes it, in the words of Asterisk's `res_parking.conf` where it has one, and
//! what is wrong with a description.

use super::features::{Feature, Granted};
use super::{LotConfig, MAX_SLOTS, MAX_TIME_S, UserConfig, claim};
use crate::parking::SlotId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The most parkers of a lot that have a fallback of their own.
pub const MAX_FALLBACKS: usize = 1_000;
/// The most people who hear of each parked call.
pub const MAX_ANNOUNCED: usize = 32;

/// One parking lot, in the words of `res_parking.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParkingConfig {
    /// The lot's name.
    pub name: String,
    /// The extension that parks into any free slot. Several lots may share it, unless one of them says
    /// `parkext_exclusive`: then each user parks in his own `parkinglot`, else in the first.
    pub parkext: SlotId,
    /// Whether no other lot may have the same `parkext`.
    pub parkext_exclusive: bool,
    /// The slots, `"701-712"`.
    pub parkpos: SlotRange,
    /// Only users who name this in their `contexts` reach the lot's extensions; everybody, when absent.
    pub context: Option<String>,
    /// Whether the slots have lamps.
    pub parkinghints: bool,
    /// Seconds until a parked call comes back; 0: never.
    pub parkingtime: u32,
    /// Which free slot is taken.
    pub findslot: FindSlot,
    /// Whether the parker is rung when the time is over; else the call goes straight to the fallback.
    pub comebacktoorigin: bool,
    /// Seconds for which the parker is rung.
    pub comebackdialtime: u32,
    /// Whether the comeback waits while the parker is on the phone, for another `parkingtime` at most.
    pub comebackwhenidle: bool,
    /// Whether the comeback shows "703 Jane Doe" instead of "Jane Doe".
    pub comebackprefix: bool,
    /// The Alert-Info URI of a comeback, for a distinctive ring; `info=park-return` is added.
    pub comebackalertinfo: String,
    /// Who gets a call that its parker didn't take: an extension, a user, or a `sip:` URI with a literal address.
    /// With none, or when he doesn't answer either, the call goes back into its slot.
    pub fallback: Option<String>,
    /// The same for the calls of single parkers: user or extension, and who gets his. `comebackcontext` with an
    /// extension for each parker does this in Asterisk.
    pub fallbacks: BTreeMap<String, String>,
    /// Seconds for which the fallback is rung.
    pub fallbackdialtime: u32,
    /// The key that takes a parked caller out of the waiting, to the fallback.
    pub exitkey: Option<Key>,
    /// Whether parked callers hear music, ringing or nothing.
    pub parkedhears: ParkedHears,
    /// File of the music that parked callers hear; our own when absent.
    pub music: Option<PathBuf>,
    /// File of the tone that is played when a call is retrieved, or `beep`; none when absent.
    pub courtesytone: Option<PathBuf>,
    /// Who hears that tone.
    pub parkedplay: ParkedPlay,
    /// To whom the slot is spoken.
    pub sayslot: SaySlot,
    /// Users or extensions that are called with a request to answer by themselves, and hear in which slot somebody was
    /// parked.
    pub announce: Vec<String>,
    /// Who may type a blind transfer after a retrieve; whoever may anyway, when absent.
    pub parkedcalltransfers: Option<Granted>,
    /// Who may park by keys after a retrieve; whoever may anyway, when absent.
    pub parkedcallreparking: Option<Granted>,
    /// Who may hang up by keys after a retrieve; whoever may anyway, when absent.
    pub parkedcallhangup: Option<Granted>,
    /// Who may record by keys after a retrieve; whoever may anyway, when absent.
    pub parkedcallrecording: Option<Granted>,
    /// Of a dynamic lot: the one whose music and tone it has.
    #[serde(skip)]
    pub sounds_of: Option<String>,
}

impl Default for ParkingConfig {
    fn default() -> Self {
        Self {
            name: "front".to_owned(),
            parkext: SlotId::new("700").unwrap_or_else(|| SlotRange::number(700)),
            parkext_exclusive: false,
            parkpos: SlotRange { first: 701, last: 712 },
            context: None,
            parkinghints: true,
            parkingtime: 45,
            findslot: FindSlot::First,
            comebacktoorigin: true,
            comebackdialtime: 30,
            comebackwhenidle: false,
            comebackprefix: true,
            comebackalertinfo: "http://www.notused.invalid".to_owned(),
            fallback: None,
            fallbacks: BTreeMap::new(),
            fallbackdialtime: 30,
            exitkey: None,
            parkedhears: ParkedHears::Music,
            music: None,
            courtesytone: None,
            parkedplay: ParkedPlay::Caller,
            sayslot: SaySlot::Keys,
            announce: Vec::new(),
            parkedcalltransfers: None,
            parkedcallreparking: None,
            parkedcallhangup: None,
            parkedcallrecording: None,
            sounds_of: None,
        }
    }
}

impl ParkingConfig {
    /// The lot whose music and tone are heard here.
    pub fn sounds(&self) -> &str {
        self.sounds_of.as_deref().unwrap_or(&self.name)
    }

    /// What is wrong with a dynamic lot, at the user `i` who has it.
    pub(super) fn dynamic_problems(
        &self,
        i: usize,
        config: &LotConfig,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        let owner = format!("the dynamic lot “{}”", self.name);
        let shared = config.lots.iter().find(|lot| lot.parkext == self.parkext);
        match shared {
            Some(other) if other.parkext_exclusive || self.parkext_exclusive => {
                let message = format!("“{}” is exclusive to the lot “{}”", self.parkext, other.name);
                say(format!("users.{i}.parkingdynexten"), message);
            }
            Some(_) => {}
            None => {
                let path = format!("users.{i}.parkingdynexten");
                claim(numbers, self.parkext.as_str(), &owner, &path, say);
            }
        }
        if self.parkpos.contains(self.parkext.as_str()) {
            let message = format!("{} is the park extension, not a slot", self.parkext);
            say(format!("users.{i}.parkingdynpos"), message);
        }
        for slot in self.parkpos.slots() {
            claim(numbers, slot.as_str(), &owner, &format!("users.{i}.parkingdynpos"), say);
        }
    }

    /// What the lot says about a feature after a retrieve; `None`: nothing.
    pub fn granted(&self, feature: Feature) -> Option<Granted> {
        match feature {
            Feature::ParkCall => self.parkedcallreparking,
            Feature::BlindXfer => self.parkedcalltransfers,
            Feature::Disconnect => self.parkedcallhangup,
            Feature::AutoMixMon => self.parkedcallrecording,
        }
    }

    /// Who gets the calls that `parker` parked and nobody took.
    pub fn fallback_of(&self, parker: &UserConfig) -> Option<&str> {
        let own = self.fallbacks.get(&parker.name).or_else(|| self.fallbacks.get(parker.number()));
        own.or(self.fallback.as_ref()).map(String::as_str)
    }
}

/// What parked callers hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParkedHears {
    /// The lot's music.
    #[default]
    Music,
    /// A phone that rings.
    Ringing,
    /// Nothing.
    Silence,
}

/// Who hears the courtesy tone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParkedPlay {
    /// Whoever was parked.
    Parked,
    /// Whoever retrieves him.
    #[default]
    Caller,
    /// Both.
    Both,
    /// Nobody.
    No,
}

/// Which parkers hear where their call is, before they are hung up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SaySlot {
    /// Nobody.
    Never,
    /// Who parks by keys, and who dials the park extension.
    #[default]
    Keys,
    /// Who parks by a transfer, too.
    Always,
}

/// A key of a telephone: `0`–`9`, `*`, `#` or `A`–`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(char);

impl Key {
    /// The key of that letter, if there is one.
    pub fn new(letter: char) -> Option<Self> {
        let letter = letter.to_ascii_uppercase();
        matches!(letter, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(letter))
    }

    /// As reported by the media engine.
    pub fn letter(self) -> char {
        self.0
    }
}

impl TryFrom<String> for Key {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut letters = text.chars();
        let key = letters.next().and_then(Self::new).filter(|_| letters.next().is_none());
        key.ok_or_else(|| "one key of a telephone: 0 to 9, * or #".to_owned())
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.to_string()
    }
}

/// Which free slot a nondirected park takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindSlot {
    /// The lowest.
    #[default]
    First,
    /// The one after the slot that was taken last, round and round.
    Next,
    /// Any.
    Random,
}

/// Consecutive slot numbers, both ends included; written `"701-712"` or `"701"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotRange {
    /// The lowest slot.
    pub first: u32,
    /// The highest slot.
    pub last: u32,
}

impl SlotRange {
    /// Reads `"701-712"`.
    ///
    /// # Errors
    /// A sentence for the administrator when it isn't a range, runs backwards or is longer than [`MAX_SLOTS`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |t: &str| t.trim().parse::<u32>().ok();
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err("slots are written as first-last, for example \"701-712\"".to_owned());
        };
        if last < first {
            return Err(format!("the slots run backwards: write \"{last}-{first}\""));
        }
        if (last - first) as usize >= MAX_SLOTS {
            return Err(format!("a lot has at most {MAX_SLOTS} slots"));
        }
        Ok(Self { first, last })
    }

    /// The slots in order.
    pub fn slots(self) -> impl Iterator<Item = SlotId> {
        (self.first..=self.last).map(Self::number)
    }

    /// Whether `extension` is one of the slots.
    pub fn contains(self, extension: &str) -> bool {
        let plain = extension.bytes().all(|b| b.is_ascii_digit()) && !extension.starts_with('0');
        plain && extension.parse().is_ok_and(|n| (self.first..=self.last).contains(&n))
    }

    fn number(n: u32) -> SlotId {
        // Digits are always an extension; the fallback can't be reached and keeps this free of panics.
        SlotId::new(&n.to_string()).or_else(|| SlotId::new("0")).unwrap_or_else(|| Self::number(0))
    }
}

impl TryFrom<String> for SlotRange {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<SlotRange> for String {
    fn from(range: SlotRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl ParkingConfig {
    pub(super) fn problems(
        &self,
        i: usize,
        config: &LotConfig,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        let path = format!("lots.{i}");
        let owner = format!("lot {} ({})", i + 1, self.name);
        if self.name.is_empty() || self.name.contains(['"', '\\', '\r', '\n', ';']) || self.name.len() > 64 {
            say(format!("{path}.name"), "a lot's name has 1 to 64 characters without quotes".to_owned());
        }
        if config.lots.iter().take(i).any(|other| other.name == self.name) {
            say(format!("{path}.name"), format!("another lot is called “{}” already", self.name));
        }
        let sharing = config.lots.iter().take(i).find(|other| other.parkext == self.parkext);
        match sharing {
            Some(other) if self.parkext_exclusive || other.parkext_exclusive => {
                let whose = if self.parkext_exclusive { &self.name } else { &other.name };
                let message = format!("“{}” is exclusive to the lot “{whose}”", self.parkext);
                say(format!("{path}.parkext"), message);
            }
            Some(_) => {}
            None => claim(numbers, self.parkext.as_str(), &owner, &format!("{path}.parkext"), say),
        }
        if self.parkpos.contains(self.parkext.as_str()) {
            say(format!("{path}.parkpos"), format!("{} is the park extension, not a slot", self.parkext));
        }
        for slot in self.parkpos.slots() {
            claim(numbers, slot.as_str(), &owner, &format!("{path}.parkpos"), say);
        }
        let mut time = |key: &str, value: u32, least: u32| {
            if !(least..=MAX_TIME_S).contains(&value) {
                say(format!("{path}.{key}"), format!("between {least} and {MAX_TIME_S} seconds"));
            }
        };
        time("parkingtime", self.parkingtime, 0);
        time("comebackdialtime", self.comebackdialtime, 1);
        time("fallbackdialtime", self.fallbackdialtime, 1);
        if self.comebackalertinfo.contains(['<', '>', '\r', '\n']) {
            say(format!("{path}.comebackalertinfo"), "a URI without angle brackets".to_owned());
        }
        if self.exitkey.is_some() && self.fallback.is_none() && self.fallbacks.is_empty() {
            say(format!("{path}.exitkey"), "the key leads nowhere: add `fallback`".to_owned());
        }
    }

    /// What is wrong with the people that it names.
    pub(super) fn people_problems(&self, i: usize, config: &LotConfig, say: &mut impl FnMut(String, String)) {
        let known = |name: &str| config.is_user(name) || config.is_reached(name);
        if let Some(target) = self.fallback.as_deref().filter(|t| !t.starts_with("sip:") && !known(t)) {
            let message = format!("“{target}” is no user, no extension and no sip: URI");
            say(format!("lots.{i}.fallback"), message);
        }
        if self.fallbacks.len() > MAX_FALLBACKS {
            say(format!("lots.{i}.fallbacks"), format!("at most {MAX_FALLBACKS} parkers"));
        }
        if self.announce.len() > MAX_ANNOUNCED {
            say(format!("lots.{i}.announce"), format!("at most {MAX_ANNOUNCED} phones"));
        }
        if let Some(nobody) = self.announce.iter().find(|name| !config.is_user(name)) {
            say(format!("lots.{i}.announce"), format!("“{nobody}” is no user and no extension"));
        }
        for (parker, target) in self.fallbacks.iter().take(MAX_FALLBACKS) {
            let path = format!("lots.{i}.fallbacks.{parker}");
            if !config.is_user(parker) {
                say(path, format!("“{parker}” is no user and no extension: he parks nothing"));
            } else if !target.starts_with("sip:") && !known(target) {
                say(path, format!("“{target}” is no user, no extension and no sip: URI"));
            }
        }
    }
}
