//! Who there is: names, numbers and voices. The numbers are from the ranges that Ofcom keeps free for drama; how the
//! voices were made stands in `assets/LICENSE.md`.

use crate::sip::sdp::Codec;

/// Somebody who calls.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The display name; empty when the network sends none.
    pub name: &'static str,
    /// The number; empty when it is withheld.
    pub number: &'static str,
    /// What this person's telephone speaks, in order of preference.
    pub codecs: &'static [Codec],
    /// What this person says: a 16-bit mono WAV file.
    pub line: &'static [u8],
}

impl Person {
    /// Whether this person withholds name and number.
    pub fn is_withheld(&self) -> bool {
        self.name.is_empty() && self.number.is_empty()
    }
}

const LANDLINE: &[Codec] = &[Codec::Pcma, Codec::Pcmu];
const OVERSEAS: &[Codec] = &[Codec::Pcmu, Codec::Pcma];
const MOBILE: &[Codec] = &[Codec::Opus, Codec::Pcma];

macro_rules! person {
    ($name:literal, $number:literal, $codecs:expr, $file:literal) => {
        Person {
            name: $name,
            number: $number,
            codecs: $codecs,
            line: include_bytes!(concat!("../../assets/speech/", $file)),
        }
    };
}

/// The callers. Everybody has one telephone and so one call at a time.
pub const PEOPLE: [Person; 7] = [
    person!("Jane Doe", "01614960100", LANDLINE, "jane-doe.wav"),
    person!("Peter Walsh, Acme", "02079460123", LANDLINE, "peter-walsh.wav"),
    person!("Dr Patel", "07700900123", MOBILE, "dr-patel.wav"),
    person!("", "07700900456", MOBILE, "van-buyer.wav"),
    person!("", "", LANDLINE, "withheld.wav"),
    person!("María López", "01154960288", OVERSEAS, "maria-lopez.wav"),
    person!("Harold Green", "01314960417", LANDLINE, "harold-green.wav"),
];

/// What the colleague says.
pub const COLLEAGUE_LINE: &[u8] = include_bytes!("../../assets/speech/sam.wav");
