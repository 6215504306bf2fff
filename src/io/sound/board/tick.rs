//! The tick: slices are heard, frames are sent; and the review four times a second.

use super::super::order::{Feed, Frame, Notice, Trash};
use super::{Board, Outlet, SILENCE_AGAIN_MS, SILENCE_TOLD_MS, send};
use crate::media::{FRAME, SLICE, Sink};
use std::time::Duration;

impl Board {
    /// Some stream is heard, or a cue: that happens slice by slice.
    pub(in crate::io::sound) fn hears(&self) -> bool {
        !self.cue.is_over() || self.lines.iter().flatten().any(|line| line.decodes)
    }

    /// The `number`th slice of a frame: hears every stream into `headset`.
    pub(in crate::io::sound) fn listen(&mut self, now: Duration, number: usize, headset: &mut [i16; SLICE]) {
        headset.fill(0);
        let slice = number * SLICE..(number + 1) * SLICE;
        for (line, heard) in self.lines.iter_mut().zip(&mut self.heard) {
            let Some(line) = line.as_mut().filter(|line| line.decodes) else { continue };
            let Some(media) = line.media.as_mut() else { continue };
            let Some(heard) = heard.as_chunks_mut().0.get_mut(number) else { continue };
            media.pull(now, heard);
            if let Some(tape) = line.tape.as_mut()
                && number == 0
            {
                tape.advance();
            }
            if line.sink == Sink::Headset {
                mix(headset, heard);
                if let Some(beep) = line.tape.as_ref().and_then(|tape| tape.beep.get(slice.clone())) {
                    mix(headset, beep);
                }
            } else if let Some(tape) = &line.tape {
                // Whoever this stream is bridged with hears the tone too.
                mix(heard, &tape.beep);
            }
        }
        self.cue.mix_into(headset);
    }

    /// Once a frame: sends every stream its next one.
    pub(in crate::io::sound) fn say(
        &mut self,
        now: Duration,
        microphone: &[i16; FRAME],
        outlet: &mut impl Outlet,
    ) {
        let mut sound = [0; FRAME];
        for (place, line) in self.lines.iter_mut().enumerate() {
            let Some(line) = line else { continue };
            let Some(media) = line.media.as_mut().filter(|media| media.config().send) else { continue };
            let codec = media.config().codec;
            let next = line.feed.next(codec, microphone, &mut sound);
            if let Frame::With(other) = next
                && let Some(heard) = self.places.get(&other).and_then(|place| self.heard.get(*place))
            {
                mix(&mut sound, heard);
            }
            if let Frame::Of(other) = next
                && !line.passes
            {
                let heard = self.places.get(&other).and_then(|place| self.heard.get(*place));
                sound.copy_from_slice(heard.unwrap_or(&[0; FRAME]));
            }
            let is_sound = match next {
                Frame::Sound | Frame::With(_) => true,
                Frame::Of(_) => !line.passes,
                Frame::Encoded(_) | Frame::Over => false,
            };
            if let Some(tape) = line.tape.as_mut()
                && is_sound
            {
                let them = self.heard.get(place).filter(|_| line.decodes);
                tape.take(&sound, them.unwrap_or(&[0; FRAME]));
                mix(&mut sound, &tape.beep);
            }
            let length = match next {
                Frame::Sound | Frame::With(_) => media.push(now, &sound, &mut self.out),
                Frame::Encoded(payload) => media.push_encoded(now, payload, &mut self.out),
                Frame::Of(_) if line.passes && !media.is_dialling() => 0,
                Frame::Of(_) if line.passes => media.push_encoded(now, &[], &mut self.out),
                Frame::Of(_) => media.push(now, &sound, &mut self.out),
                Frame::Over => {
                    outlet.tell(Notice::PromptEnded { stream: line.id });
                    outlet.discard(Trash::Feed(std::mem::replace(&mut line.feed, Feed::Silence)));
                    media.push(now, &[0; FRAME], &mut self.out)
                }
            };
            send(&line.socket, media, self.out.get(..length).unwrap_or(&[]));
        }
    }

    /// Four times a second: figures, and who has fallen silent.
    pub(in crate::io::sound) fn review(&mut self, now: Duration, outlet: &mut impl Outlet) {
        for line in self.lines.iter_mut().flatten() {
            let Some(media) = &mut line.media else { continue };
            let length = media.report(now, &mut self.out);
            if media.wants_fresh_keys() {
                outlet.tell(Notice::KeysAging { stream: line.id });
            }
            let Some(media) = &line.media else { continue };
            line.send_report(media, self.out.get(..length).unwrap_or(&[]));
            outlet.tell(Notice::Figures { stream: line.id, figures: media.figures() });
            if !media.config().receive {
                continue;
            }
            let silent_ms =
                u32::try_from(now.saturating_sub(line.silent_from).as_millis()).unwrap_or(u32::MAX);
            let due = SILENCE_TOLD_MS.into_iter().find(|ms| *ms > line.silence_told);
            let due = due.unwrap_or(line.silence_told.saturating_add(SILENCE_AGAIN_MS));
            if silent_ms >= due {
                line.silence_told = due;
                outlet.tell(Notice::StreamSilent { stream: line.id, silent_ms });
            }
        }
    }
}

/// Adds a sound to another.
fn mix(sum: &mut [i16], sound: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(sound) {
        *sum = sum.saturating_add(*sample);
    }
}
