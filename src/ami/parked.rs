//! What a block says of one parked call.

use super::block::Block;
use crate::parking::{Identity, SlotId, Text};

/// The longest name of a channel or of a call, in bytes.
const MAX_NAME: usize = 256;

/// A phone or trunk as the server names it: `PJSIP/bob`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device(String);

impl Device {
    /// Of a dial string (`PJSIP/bob`) or of a channel (`PJSIP/bob-0000001a`).
    pub fn of(name: &str) -> Self {
        let number = |tail: &str| tail.len() == 8 && tail.bytes().all(|b| b.is_ascii_hexdigit());
        match name.rsplit_once('-') {
            Some((device, tail)) if number(tail) => Self(device.to_owned()),
            _ => Self(name.to_owned()),
        }
    }

    /// Whether it is the SIP phone of this user.
    pub fn is_phone_of(&self, user: &str) -> bool {
        let technology = |word: &str| word.eq_ignore_ascii_case("PJSIP") || word.eq_ignore_ascii_case("SIP");
        self.0.split_once('/').is_some_and(|(tech, name)| technology(tech) && name == user)
    }

    /// Whether the server names it so. Technologies are written in capitals or not, endpoints as they are.
    pub fn is_called(&self, name: &str) -> bool {
        match (self.0.split_once('/'), name.split_once('/')) {
            (Some((tech, endpoint)), Some((named_tech, named))) => {
                tech.eq_ignore_ascii_case(named_tech) && endpoint == named
            }
            _ => false,
        }
    }

    /// The server's name for it: `PJSIP/bob`. Written by the server: to be shown as text only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people call it: `bob`.
    pub fn name(&self) -> Text {
        Text::new(self.0.split_once('/').map_or(self.0.as_str(), |(_, name)| name))
    }
}

/// One parked call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The slot.
    pub slot: SlotId,
    /// What names this very call on the server, until it restarts.
    pub unique_id: String,
    /// Whom he called with: the same for all channels of one conversation.
    pub linked_id: String,
    /// His own phone or trunk.
    pub device: Device,
    /// Who he is: to be compared only, unless the server said that he may be shown.
    pub parkee: Identity,
    /// Whether the server has been asked whether he may be shown, and has answered or won't.
    pub vetted: bool,
    /// The phone that parked him.
    pub parker_device: Device,
    /// Who has that phone: as known by its name only, until the server said that more may be shown.
    pub parker: Identity,
    /// For how long he has been there.
    pub parked_for_s: u32,
    /// After how long he goes back; `None`: never, or the server doesn't say.
    pub comes_back_in_s: Option<u32>,
}

/// A parked call with what is not for everybody's eyes.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub call: Parked,
    pub lot: String,
    /// His channel, to ask about.
    pub channel: String,
    /// Who he is, shown or not.
    pub parkee: Identity,
    /// With whom he was connected when he was parked: with who parked him, unless he did so himself.
    pub connected: Identity,
}

/// Reads it; `None` where what is needed is missing or makes no sense.
pub(super) fn read(block: &Block) -> Option<Read> {
    let (channel, unique_id) = (name(block, "ParkeeChannel")?, name(block, "ParkeeUniqueid")?);
    let parkee = identity(block, "ParkeeCallerID");
    let parker_device = Device::of(block.known("ParkerDialString"));
    let device = Device::of(&channel);
    let number = |key| block.get(key).and_then(|value| value.parse::<u32>().ok());
    let call = Parked {
        slot: SlotId::new(block.get("ParkingSpace")?)?,
        unique_id,
        linked_id: name(block, "ParkeeLinkedid").unwrap_or_default(),
        parkee: Identity::withheld(parkee.number.as_str()),
        vetted: false,
        parker: Identity { name: parker_device.name(), ..Identity::default() },
        parked_for_s: number("ParkingDuration").unwrap_or(0),
        // Nought is what a lot without an end says.
        comes_back_in_s: number("ParkingTimeout").filter(|left| *left > 0),
        parker_device,
        device,
    };
    let own = call.parker_device == call.device;
    let connected = if own { Identity::default() } else { identity(block, "ParkeeConnectedLine") };
    Some(Read { call, lot: block.get("Parkinglot")?.to_owned(), channel, parkee, connected })
}

/// Number and name behind this prefix.
pub(super) fn identity(block: &Block, prefix: &str) -> Identity {
    let of = |part: &str| block.known(&format!("{prefix}{part}"));
    Identity::new(of("Name"), of("Num"))
}

/// A channel's or a call's name, if it is one.
pub(super) fn name(block: &Block, key: &str) -> Option<String> {
    let value = block.known(key);
    let fits = !value.is_empty() && value.len() <= MAX_NAME && !value.chars().any(char::is_control);
    fits.then(|| value.to_owned())
}
