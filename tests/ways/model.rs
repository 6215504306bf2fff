//! The reference model: who is connected to whom, at every moment, and what may never be. It knows no SIP and no
//! console; a server's rules (`asterisk.rs` …) move people about in it, and it judges every move.

use parkdeck::parking::{Identity, Moment};
use std::collections::BTreeMap;

/// A console's leg at the server, by whatever number the server gives it.
pub type Leg = u64;

/// One of the [`CALLERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerId(pub usize);

/// Who calls this house: number and name. The last withholds both.
pub const CALLERS: [(&str, &str); 6] = [
    ("01614960100", "Jane Doe"),
    ("01614960101", "Bob Roe"),
    ("01614960102", "Dr Patel"),
    ("01614960103", "Acme Ltd"),
    ("01614960104", "Eve Moe"),
    ("", ""),
];
pub const JANE: CallerId = CallerId(0);
pub const BOB: CallerId = CallerId(1);
pub const PATEL: CallerId = CallerId(2);
pub const ACME: CallerId = CallerId(3);
pub const EVE: CallerId = CallerId(4);
pub const NOBODY: CallerId = CallerId(5);

impl CallerId {
    pub fn number(self) -> &'static str {
        CALLERS[self.0].0
    }

    /// Whether a board that shows this party means him.
    pub fn is(self, party: &Identity) -> bool {
        if self == NOBODY { party.is_withheld() } else { party.number.as_str() == self.number() }
    }

    pub fn name(self) -> &'static str {
        if self == NOBODY { "the withheld caller" } else { CALLERS[self.0].1 }
    }
}

/// Where a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// He has no call.
    Outside,
    /// He hears ringing; the leg is the console's that rings.
    Ringing(Leg),
    /// He and whoever has that leg hear each other.
    With(Leg),
    /// In a slot, by its index.
    Slot(usize),
    /// Out of his slot, and about to ring at his parker's.
    Returning,
    /// With a colleague at a plain phone.
    Colleague,
}

/// How a caller's call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// He hung up himself.
    OwnWish,
    /// Somebody said goodbye to him: the operator by a key, or the colleague.
    Dismissed,
    /// The server's own rule: nobody answered for so long, or it was restarted.
    ServersRule,
    /// A console's doing, which nobody wished.
    Lost(&'static str),
}

/// Everybody's place.
pub struct Model {
    places: BTreeMap<CallerId, Place>,
    /// How each last call ended.
    pub ends: BTreeMap<CallerId, Why>,
    pub parks: usize,
    pub retrieves: usize,
    /// The promises that were broken.
    pub broken: Vec<String>,
    /// What happened, for whoever reads of a failure.
    pub story: Vec<String>,
}

impl Model {
    pub fn new() -> Self {
        let places = (0..CALLERS.len()).map(|i| (CallerId(i), Place::Outside)).collect();
        Self { places, ends: BTreeMap::new(), parks: 0, retrieves: 0, broken: Vec::new(), story: Vec::new() }
    }

    pub fn place(&self, caller: CallerId) -> Place {
        self.places[&caller]
    }

    /// Everybody who has a call, and where he is.
    pub fn inside(&self) -> impl Iterator<Item = (CallerId, Place)> + '_ {
        self.places.iter().filter(|(_, place)| **place != Place::Outside).map(|(who, place)| (*who, *place))
    }

    /// Who is at that place, if it is one for a single person.
    pub fn who_is(&self, place: Place) -> Option<CallerId> {
        self.places.iter().find(|(_, at)| **at == place).map(|(who, _)| *who)
    }

    /// Who hears, or will hear, that leg.
    pub fn caller_of(&self, leg: Leg) -> Option<CallerId> {
        self.who_is(Place::With(leg)).or_else(|| self.who_is(Place::Ringing(leg)))
    }

    /// Somebody goes to another place. Where there is a caller already, the two would hear each other.
    pub fn moves(&mut self, now: Moment, caller: CallerId, to: Place) {
        let single = matches!(to, Place::Slot(_) | Place::With(_) | Place::Ringing(_));
        if let Some(other) = self.who_is(to).filter(|other| single && *other != caller) {
            self.join(now, caller, other);
        }
        if let Some(place) = self.places.get_mut(&caller) {
            let from = std::mem::replace(place, to);
            self.parks += usize::from(matches!(to, Place::Slot(_)));
            self.retrieves += usize::from(matches!((from, to), (Place::Slot(_), Place::With(_))));
        }
        self.note(now, &format!("{} is now {to:?}", caller.name()));
    }

    /// Two callers hear each other: never.
    pub fn join(&mut self, now: Moment, one: CallerId, other: CallerId) {
        self.breaks(now, &format!("{} and {} were joined", one.name(), other.name()));
    }

    /// His call is over.
    pub fn ends(&mut self, now: Moment, caller: CallerId, why: Why) {
        if let Some(place) = self.places.get_mut(&caller) {
            *place = Place::Outside;
        }
        self.ends.insert(caller, why);
        self.note(now, &format!("{} has no call any more: {why:?}", caller.name()));
        if let Why::Lost(how) = why {
            self.breaks(now, &format!("{} was lost: {how}", caller.name()));
        }
    }

    pub fn note(&mut self, now: Moment, what: &str) {
        self.story.push(format!("{now:?} server: {what}"));
    }

    pub fn breaks(&mut self, now: Moment, what: &str) {
        self.broken.push(format!("{now:?}: {what}"));
    }
}
