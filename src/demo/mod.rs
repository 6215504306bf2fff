//! The demo: a lot on loopback, callers who ring, speak, wait and give up, and a colleague who fetches a parked call
//! now and then. All of them are real SIP and RTP user agents; nothing here knows the console.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `people` | who there is: names, numbers, voices |
//! | `cast` | who rings when and how patient he is: a seeded director in virtual time |
//! | `phone` | a telephone: one user agent, its calls and their sound |
//! | `outside` | the callers, on one line from the outside |
//! | `colleague` | Sam, extension 101: watches the lamps, fetches, answers |
//! | `troupe` | all of them as one machine without a clock or a socket |
//! | `stage` | sockets, clock and media thread for the troupe |
//! | `show` | `parkdeck demo`: the lot, the troupe and the console together |

mod cast;
mod colleague;
mod outside;
mod people;
mod phone;
mod show;
mod stage;
#[cfg(test)]
mod tests;
mod troupe;

pub use cast::{Cast, Entrance, Patience};
pub use people::{PEOPLE, Person};
pub use show::{Wish, lot_config, run};
pub use stage::{Performance, perform};
pub use troupe::{Script, Seat, Troupe, Voices};

use secrecy::SecretString;

/// Somebody for whom the demo's lot has an account.
#[derive(Clone, Debug)]
pub struct User {
    /// The name in the address and in the digest.
    pub name: &'static str,
    /// The digest secret, another one each time.
    pub secret: SecretString,
    /// What other phones show.
    pub display_name: &'static str,
    /// The number that rings this user; none for the line from the outside.
    pub extension: Option<&'static str>,
    /// Whether the lot believes whom this user says is calling (the line from the outside).
    pub assert_identity: bool,
    /// Whether this user may park, retrieve and see who is parked.
    pub may_park: bool,
}

/// The extension that the callers ring.
pub const RECEPTION: &str = "100";
/// The colleague's extension.
pub const COLLEAGUE: &str = "101";
/// The name of the receptionist's account.
pub const RECEPTION_USER: &str = "reception";
/// The name of the colleague's account.
pub const COLLEAGUE_USER: &str = "sam";
/// The name of the line on which callers come in.
pub const OUTSIDE_USER: &str = "outside";

/// The accounts that the demo's lot needs. `seed` decides the secrets: take it from the system's randomness, since
/// anybody on this machine can reach the lot.
pub fn users(seed: u64) -> Vec<User> {
    use rand::{Rng, SeedableRng};
    let mut chance = rand::rngs::StdRng::seed_from_u64(seed);
    let mut user = |name, display_name, extension, outside| User {
        name,
        secret: SecretString::from(format!("{:016x}{:016x}", chance.next_u64(), chance.next_u64())),
        display_name,
        extension,
        assert_identity: outside,
        may_park: !outside,
    };
    vec![
        user(RECEPTION_USER, "Reception", Some(RECEPTION), false),
        user(COLLEAGUE_USER, "Sam", Some(COLLEAGUE), false),
        user(OUTSIDE_USER, "Outside line", None, true),
    ]
}
