//! What the lot says and sounds: recordings of words, put together to "a call is parked on seven zero one", and short
//! tones. Which leg hears what is decided elsewhere.

use crate::media::{Clip, Cue, FRAME, Pattern, RATE_HZ};
use crate::parking::SlotId;
use std::collections::BTreeMap;

/// The most announcements that are kept ready; beyond it they are put together afresh.
const MAX_KEPT: usize = 1_024;
/// Before the first word, so that it isn't lost while the far end gets ready to hear.
const LEAD_MS: usize = 300;
/// Before the first word to a phone that answers by itself: it plays a tone of its own first.
const PAGE_LEAD_MS: usize = 900;
/// Between the two times that a page is said.
const PAUSE_MS: usize = 600;

/// Recordings of words, all at 48 kHz.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// "A call is parked on".
    pub parked_on: Vec<i16>,
    /// A word for each of `0`–`9`, `*` and `#`.
    pub letters: BTreeMap<char, Vec<i16>>,
}

impl Words {
    /// "A call is parked on …", once. `None` for an extension with a letter that there is no word for.
    pub fn say(&self, slot: &SlotId) -> Option<Vec<i16>> {
        let mut samples = self.parked_on.clone();
        for letter in slot.as_str().chars() {
            samples.extend(self.letters.get(&letter)?);
        }
        Some(samples)
    }

    /// The same for a page group: said twice, with silence around it.
    pub fn page(&self, slot: &SlotId) -> Option<Clip> {
        let once = self.say(slot)?;
        let said = [silence(PAGE_LEAD_MS), once.clone(), silence(PAUSE_MS), once, silence(PAUSE_MS)].concat();
        Some(Clip::new(&said, RATE_HZ))
    }

    fn told(&self, slot: &SlotId) -> Option<Clip> {
        Some(Clip::new(&[silence(LEAD_MS), self.say(slot)?].concat(), RATE_HZ))
    }
}

/// What a leg is to hear once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prompt {
    /// Where the call is that it parked.
    Slot(SlotId),
    /// The same, for a phone that was called to hear it.
    Page(SlotId),
    /// The courtesy tone of that lot.
    Courtesy(String),
    /// What was asked for by keys isn't done.
    Refused,
}

/// Everything that can be said.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    words: Words,
    courtesy: BTreeMap<String, Clip>,
    refused: Option<Clip>,
    kept: BTreeMap<Prompt, Clip>,
}

impl Prompts {
    pub(super) fn set_words(&mut self, words: Words) {
        self.words = words;
        self.kept.clear();
    }

    pub(super) fn set_courtesy_tone(&mut self, lot: &str, tone: Clip) {
        self.courtesy.insert(lot.to_owned(), tone);
    }

    /// Forgets the tones of lots that are to have none.
    pub(super) fn clear_courtesy_tones(&mut self) {
        self.courtesy.clear();
    }

    /// The recording; `None` when there is none.
    pub(super) fn clip(&mut self, prompt: &Prompt) -> Option<Clip> {
        match prompt {
            Prompt::Courtesy(lot) => self.courtesy.get(lot).cloned(),
            Prompt::Refused => Some(self.refused.get_or_insert_with(|| tone(Cue::Waiting)).clone()),
            Prompt::Slot(slot) | Prompt::Page(slot) => {
                if let Some(clip) = self.kept.get(prompt) {
                    return Some(clip.clone());
                }
                let page = matches!(prompt, Prompt::Page(_));
                let clip = if page { self.words.page(slot) } else { self.words.told(slot) }?;
                if self.kept.len() < MAX_KEPT {
                    self.kept.insert(prompt.clone(), clip.clone());
                }
                Some(clip)
            }
        }
    }
}

/// The short courtesy beep.
pub fn beep() -> Clip {
    tone(Cue::Beep)
}

/// A cue that ends by itself, as a recording.
fn tone(cue: Cue) -> Clip {
    /// No cue is longer: 2 s.
    const LONGEST_FRAMES: usize = 100;
    let mut pattern = Pattern::cue(cue, crate::media::Country::INTERNATIONAL);
    let mut samples = silence(LEAD_MS);
    for _ in 0..LONGEST_FRAMES {
        if pattern.is_over() {
            break;
        }
        let mut frame = [0; FRAME];
        pattern.mix_into(&mut frame);
        samples.extend(frame);
    }
    Clip::new(&samples, RATE_HZ)
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * RATE_HZ as usize / 1_000]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let word = |letter: char| (letter, vec![letter as i16; 480]);
        Words { parked_on: vec![1; 960], letters: "0123456789*#".chars().map(word).collect() }
    }

    fn slot(id: &str) -> SlotId {
        SlotId::new(id).unwrap()
    }

    #[test]
    fn a_slot_is_spoken_letter_by_letter_and_what_has_no_word_is_not() {
        let said = words().say(&slot("7*1")).unwrap();
        assert_eq!(said.len(), 960 + 3 * 480);
        assert_eq!((said[0], said[960], said[1_440], said[1_920]), (1, '7' as i16, '*' as i16, '1' as i16));
        assert!(words().say(&slot("bay")).is_none());
    }

    #[test]
    fn what_was_said_is_kept_until_there_are_other_words_and_within_bounds() {
        let mut prompts = Prompts::default();
        assert!(prompts.clip(&Prompt::Slot(slot("701"))).is_none(), "without words nothing is said");
        prompts.set_words(words());
        for n in 0..2_000 {
            assert!(prompts.clip(&Prompt::Page(slot(&n.to_string()))).is_some());
        }
        assert_eq!(prompts.kept.len(), MAX_KEPT);
        prompts.set_words(Words::default());
        assert!(prompts.clip(&Prompt::Page(slot("1"))).is_none());
    }

    #[test]
    fn tones_are_short_and_are_heard() {
        for cue in [Cue::Beep, Cue::Waiting] {
            let tone = tone(cue);
            assert!((0.3..2.0).contains(&(tone.samples().len() as f32 / RATE_HZ as f32)), "{cue:?}");
            assert!(tone.samples().iter().any(|sample| sample.unsigned_abs() > 1_000), "{cue:?}");
        }
    }
}
