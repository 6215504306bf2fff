//! What is known of parked calls, as data: wall-clock times outside, the program's own moments inside. Pure.

use crate::desk::{DialogKey, MAX_LINES, MAX_SLOTS, ParkedCall};
use crate::parking::{Identity, Moment, SlotId, Strength, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The format's number.
const FORMAT: u32 = 2;
/// The format before it, with one account only; it is read still.
const FORMAT_OF_ONE: u32 = 1;
/// The most accounts that are kept.
const MAX_ACCOUNTS: usize = MAX_LINES;
/// How long a parked call is remembered.
///
/// A moment can't be before its origin, and a call that was parked before this program started must have a true
/// wait: choose the origin of all moments this long before the program's start ([`HEAD_START`]).
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// What the program's clock should show when it starts, so that what happened before has a moment as well.
pub const HEAD_START: Moment = MAX_AGE;

/// Who was parked where, with wall-clock times (milliseconds since 1970, UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    format: u32,
    accounts: Vec<Account>,
}

/// The file of the format before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfOne {
    #[serde(rename = "format")]
    _format: u32,
    account: String,
    parked: Vec<Remembered>,
}

/// One account's slots; another account's memory means nothing to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: String,
    parked: Vec<Remembered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    slot: SlotId,
    parkee: Identity,
    parker: Identity,
    since_ms: u64,
    since_inferred: bool,
    note: Text,
    comes_back_at_ms: Option<u64>,
    comes_back_inferred: bool,
    ours: bool,
    strength: Strength,
    key: Option<DialogKey>,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    told_by: Text,
}

impl Snapshot {
    /// Takes down who is parked at each account. `origin_ms` is the wall-clock time of moment zero.
    /// At most [`MAX_SLOTS`] calls of an account are kept.
    pub fn of<'p>(
        accounts: impl IntoIterator<Item = (&'p str, &'p [(SlotId, ParkedCall)])>,
        origin_ms: u64,
    ) -> Self {
        let wall = |moment: Moment| origin_ms.saturating_add(ms(moment));
        let remember = |(slot, call): &(SlotId, ParkedCall)| Remembered {
            slot: slot.clone(),
            parkee: call.parkee.clone(),
            parker: call.parker.clone(),
            since_ms: wall(call.since),
            since_inferred: call.since_inferred,
            note: call.note.clone(),
            comes_back_at_ms: call.comes_back_at.map(|(at, _)| wall(at)),
            comes_back_inferred: call.comes_back_at.is_some_and(|(_, inferred)| inferred),
            ours: call.ours,
            strength: call.strength,
            key: call.key.clone(),
            told_by: call.told_by.clone(),
        };
        let account = |(account, parked): (&str, &[(SlotId, ParkedCall)])| Account {
            account: account.to_owned(),
            parked: parked.iter().take(MAX_SLOTS).map(remember).collect(),
        };
        Self { format: FORMAT, accounts: accounts.into_iter().take(MAX_ACCOUNTS).map(account).collect() }
    }

    /// Gives an account's calls back in the moments of a program whose origin is `origin_ms`, as of `now`.
    ///
    /// Empty for an account that isn't in it. A call older than [`MAX_AGE`] is forgotten. Where the wall clock was set back
    /// meanwhile, nobody has waited less than nothing: such a time becomes `now`.
    pub fn recall(&self, account: &str, origin_ms: u64, now: Moment) -> Vec<(SlotId, ParkedCall)> {
        let Some(account) = self.accounts.iter().find(|a| a.account == account) else { return Vec::new() };
        let now_ms = origin_ms.saturating_add(ms(now));
        let moment = |wall_ms: u64| Duration::from_millis(wall_ms.saturating_sub(origin_ms));
        let young = |r: &Remembered| now_ms.saturating_sub(r.since_ms) <= ms(MAX_AGE);
        let recall = |r: Remembered| {
            let call = ParkedCall {
                parkee: r.parkee,
                parker: r.parker,
                since: moment(r.since_ms).min(now),
                since_inferred: r.since_inferred,
                note: r.note,
                comes_back_at: r.comes_back_at_ms.map(|at| (moment(at), r.comes_back_inferred)),
                ours: r.ours,
                strength: r.strength,
                key: r.key,
                told_by: r.told_by,
            };
            (r.slot, call)
        };
        account.parked.iter().take(MAX_SLOTS).filter(|r| young(r)).cloned().map(recall).collect()
    }

    /// The file's content.
    pub fn to_json(&self) -> Vec<u8> {
        // Plain strings and numbers always serialise; an empty file would be set aside as corrupt, no worse.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// In words: not JSON, not this format, or damaged.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match head.format {
            FORMAT => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            FORMAT_OF_ONE => {
                let one: OfOne = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                let accounts = vec![Account { account: one.account, parked: one.parked }];
                Ok(Self { format: FORMAT, accounts })
            }
            other => Err(format!("it has format {other}, this program knows {FORMAT}")),
        }
    }
}

fn ms(moment: Moment) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MIDNIGHT_MS: u64 = 1_800_000_000_000;

    fn slot(id: &str) -> SlotId {
        SlotId::new(id).unwrap()
    }

    fn jane(since: Moment) -> ParkedCall {
        ParkedCall {
            parkee: Identity::new("Jane Doe", "0161 496 0100"),
            parker: Identity::new("Reception", "100"),
            since,
            since_inferred: false,
            note: Text::new("invoice \"7\"\u{1b}"),
            comes_back_at: Some((since + 4 * MINUTE, true)),
            ours: true,
            strength: Strength::Exact,
            key: Some(DialogKey("a;b=\"c\"".to_owned())),
            told_by: Text::default(),
        }
    }

    #[test]
    fn a_wait_goes_on_through_a_restart() {
        // Parked ten minutes into the first run.
        let parked_at = HEAD_START + 10 * MINUTE;
        let origin = MIDNIGHT_MS - ms(HEAD_START);
        let json = Snapshot::of([("a@pbx", &[(slot("701"), jane(parked_at))][..])], origin).to_json();
        // The second run starts one minute after that.
        let second_origin = MIDNIGHT_MS + ms(13 * MINUTE) - ms(HEAD_START);
        let recalled = Snapshot::from_json(&json).unwrap().recall("a@pbx", second_origin, HEAD_START);
        let (id, call) = &recalled[0];
        assert_eq!((id.as_str(), HEAD_START - call.since), ("701", 3 * MINUTE));
        assert_eq!(call.comes_back_at, Some((HEAD_START + MINUTE, true)));
        let expected = ParkedCall { since: call.since, comes_back_at: call.comes_back_at, ..jane(parked_at) };
        assert_eq!(*call, expected, "everything else comes back as it was");
    }

    #[test]
    fn a_wait_is_never_negative_when_the_clock_was_set_back() {
        let json = Snapshot::of([("a", &[(slot("701"), jane(HEAD_START))][..])], MIDNIGHT_MS).to_json();
        let back = MIDNIGHT_MS - ms(60 * MINUTE);
        let recalled = Snapshot::from_json(&json).unwrap().recall("a", back, HEAD_START);
        assert_eq!(recalled[0].1.since, HEAD_START);
    }

    #[test]
    fn what_is_old_or_anothers_is_forgotten() {
        let snapshot = Snapshot::of([("a", &[(slot("701"), jane(HEAD_START))][..])], MIDNIGHT_MS);
        assert!(snapshot.clone().recall("b", MIDNIGHT_MS, HEAD_START).is_empty());
        let next_day = MIDNIGHT_MS + ms(MAX_AGE) + 1;
        assert!(snapshot.recall("a", next_day, HEAD_START).is_empty());
    }

    #[test]
    fn without_a_head_start_a_wait_begins_with_the_program() {
        let snapshot = Snapshot::of([("a", &[(slot("701"), jane(MINUTE))][..])], MIDNIGHT_MS);
        let recalled = snapshot.recall("a", MIDNIGHT_MS + ms(5 * MINUTE), Moment::ZERO);
        assert_eq!(recalled[0].1.since, Moment::ZERO);
    }

    #[test]
    fn each_account_finds_its_own_callers_though_the_slots_have_the_same_numbers() {
        let bob = ParkedCall { parkee: Identity::new("Bob Roe", "202"), ..jane(HEAD_START) };
        let (front, yard) = (vec![(slot("701"), jane(HEAD_START))], vec![(slot("701"), bob)]);
        let snapshot = Snapshot::of([("a@front", &front[..]), ("a@yard", &yard[..])], MIDNIGHT_MS);
        let read = Snapshot::from_json(&snapshot.to_json()).unwrap();
        for (account, name) in [("a@front", "Jane Doe"), ("a@yard", "Bob Roe")] {
            let recalled = read.recall(account, MIDNIGHT_MS, HEAD_START);
            assert_eq!((recalled.len(), recalled[0].1.parkee.name.as_str()), (1, name));
        }
    }

    #[test]
    fn a_file_of_the_version_before_is_still_read() {
        let one =
            serde_json::to_value(Snapshot::of([("a", &[(slot("701"), jane(MINUTE))][..])], MIDNIGHT_MS));
        let one = one.unwrap();
        let old = serde_json::json!({
            "format": 1, "account": "a", "parked": one["accounts"][0]["parked"],
        });
        let read = Snapshot::from_json(old.to_string().as_bytes()).unwrap();
        assert_eq!(read.recall("a", MIDNIGHT_MS, MINUTE), [(slot("701"), jane(MINUTE))]);
    }

    #[test]
    fn a_damaged_or_strange_file_is_refused_in_words() {
        let good = Snapshot::of([("a", &[(slot("701"), jane(MINUTE))][..])], MIDNIGHT_MS).to_json();
        for cut in 0..good.len() {
            assert!(Snapshot::from_json(&good[..cut]).is_err(), "cut at {cut}");
        }
        let text = String::from_utf8(good).unwrap();
        assert!(
            Snapshot::from_json(text.replace("\"format\": 2", "\"format\": 9").as_bytes())
                .unwrap_err()
                .contains('9')
        );
        assert!(Snapshot::from_json(text.replace("\"701\"", "\"7 1\"").as_bytes()).is_err());
        assert!(
            Snapshot::from_json(text.replace("Jane Doe", "Jane\\u001b[2J").as_bytes())
                .is_ok_and(|m| { m.recall("a", MIDNIGHT_MS, MINUTE)[0].1.parkee.name.as_str() == "Jane[2J" })
        );
    }

    #[test]
    fn the_number_of_calls_is_bounded() {
        let many: Vec<_> = (0..2_000).map(|n| (slot(&n.to_string()), jane(MINUTE))).collect();
        let snapshot = Snapshot::of([("a", &many[..])], MIDNIGHT_MS);
        assert_eq!(snapshot.recall("a", MIDNIGHT_MS, MINUTE).len(), MAX_SLOTS);
    }
}
