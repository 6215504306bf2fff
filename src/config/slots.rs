//! Lists of slots as people write them: `"701-709"`, `"701, 705-709"`, or a list of such.

use crate::desk::MAX_SLOTS;
use crate::parking::SlotId;

/// Reads a list of slots from one or several texts, in their order.
///
/// A range keeps its leading zeros (`"071-079"`). Both ends are included.
///
/// # Errors
/// A sentence for the administrator: not an extension, backwards, twice, none, or more than [`MAX_SLOTS`].
pub fn slot_list<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<SlotId>, String> {
    let mut slots: Vec<SlotId> = Vec::new();
    for part in texts.into_iter().flat_map(|text| text.split(',')).map(str::trim) {
        for slot in range(part)? {
            if slots.contains(&slot) {
                return Err(format!("slot {slot} is listed twice"));
            }
            if slots.len() == MAX_SLOTS {
                return Err(format!("a board has at most {MAX_SLOTS} slots"));
            }
            slots.push(slot);
        }
    }
    if slots.is_empty() { Err("there must be at least one slot".to_owned()) } else { Ok(slots) }
}

/// One slot, or the slots from the first to the last of a range of digits.
fn range(part: &str) -> Result<Vec<SlotId>, String> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let ends =
        part.split_once('-').map(|(a, b)| (a.trim(), b.trim())).filter(|(a, b)| digits(a) && digits(b));
    let Some((first, last)) = ends else {
        let slot = SlotId::new(part);
        return slot.map(|s| vec![s]).ok_or_else(|| {
            let part = crate::parking::Text::new(part);
            format!("“{part}” is no slot: write \"701-709\", or a list of extensions")
        });
    };
    let (Ok(low), Ok(high)) = (first.parse::<u32>(), last.parse::<u32>()) else {
        return Err("a slot's number is too long".to_owned());
    };
    if high < low {
        return Err(format!("the slots run backwards: write \"{last}-{first}\""));
    }
    if (high - low) as usize >= MAX_SLOTS {
        return Err(format!("a board has at most {MAX_SLOTS} slots"));
    }
    let width = first.len();
    Ok((low..=high).filter_map(|n| SlotId::new(&format!("{n:0width$}"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Result<String, String> {
        let slots = slot_list(texts.iter().copied())?;
        Ok(slots.iter().map(SlotId::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn ranges_lists_and_both() {
        assert_eq!(list(&["701-704"]).unwrap(), "701 702 703 704");
        assert_eq!(list(&["701", "703"]).unwrap(), "701 703");
        assert_eq!(list(&["701 - 702, 710", "orbit-a"]).unwrap(), "701 702 710 orbit-a");
        assert_eq!(list(&["098-101"]).unwrap(), "098 099 100 101");
        assert_eq!(slot_list(["1-500"]).unwrap().len(), 500);
    }

    #[test]
    fn what_is_no_list_is_refused_in_words() {
        for (texts, part) in [
            (&["709-701"][..], "write \"701-709\""),
            (&["701", "701"], "701 is listed twice"),
            (&["1-501"], "at most 500"),
            (&["1-300", "301-501"], "at most 500"),
            (&["0-4294967295"], "at most 500"),
            (&["0-4294967296"], "too long"),
            (&["seven hundred"], "“seven hundred” is no slot"),
            (&[""], "no slot"),
            (&[], "at least one"),
        ] {
            let refusal = list(texts).unwrap_err();
            assert!(refusal.contains(part), "{texts:?}: {refusal}");
        }
    }
}
