#!/usr/bin/env python3
"""Composes the music on hold: eight bars in three-four time, 20 s, which join end to start without a click.

Every note is added to a circle of samples, so what rings on at the end sounds at the beginning. Standard library only.
"""
import array
import math
import sys
import wave

RATE = 16_000
BEATS, SECONDS = 24, 20
LENGTH = RATE * SECONDS
BEAT = LENGTH // BEATS
assert BEAT * BEATS <= LENGTH

# Bass note and four notes above it for each bar, as MIDI numbers: C, Am, F, G, Em, Am, Dm, G7.
BARS = [
    (48, (64, 67, 71, 74)), (45, (60, 64, 67, 72)), (41, (60, 65, 69, 72)), (43, (59, 62, 67, 74)),
    (40, (59, 64, 67, 71)), (45, (60, 64, 69, 72)), (38, (57, 62, 65, 72)), (43, (59, 62, 65, 71)),
]
# Which of the four is plucked on each half beat of a bar.
FIGURE = [0, 1, 2, 3, 2, 1]
# A slow melody over it: beat, MIDI number, beats held.
MELODY = [(0, 79, 2), (2, 76, 1), (3, 76, 2), (5, 74, 1), (6, 72, 2), (8, 77, 1), (9, 74, 3),
          (12, 71, 2), (14, 74, 1), (15, 76, 2), (17, 72, 1), (18, 69, 2), (20, 72, 1), (21, 71, 3)]

circle = [0.0] * LENGTH


def hertz(midi):
    return 440.0 * 2 ** ((midi - 69) / 12)


def note(start, midi, seconds, level, partials, attack, decay):
    """Adds a note: partials as (multiple, level), attack and decay in seconds."""
    count = int(RATE * seconds)
    fade = RATE // 20
    step = 2 * math.pi * hertz(midi) / RATE
    for i in range(count):
        t = i / RATE
        envelope = min(1.0, t / attack) * math.exp(-t / decay) * min(1.0, (count - i) / fade)
        value = sum(a * math.sin(step * m * i) * math.exp(-t * (m - 1) * 1.5) for m, a in partials)
        circle[(start + i) % LENGTH] += level * envelope * value


PLUCK = [(1, 1.0), (2, 0.45), (3, 0.2), (4, 0.1)]
FLUTE = [(1, 1.0), (2, 0.18), (3, 0.06)]
for bar, (bass, chord) in enumerate(BARS):
    start = bar * 3 * BEAT
    note(start, bass, 2.6, 0.30, [(1, 1.0), (2, 0.3)], 0.02, 1.1)
    for tone in chord[:3]:
        note(start, tone - 12, 2.9, 0.05, FLUTE, 0.5, 4.0)
    for half, which in enumerate(FIGURE):
        note(start + half * BEAT // 2, chord[which], 1.6, 0.15, PLUCK, 0.005, 0.55)
for beat, tone, held in MELODY:
    note(beat * BEAT, tone, held * BEAT / RATE + 0.4, 0.12, FLUTE, 0.06, 1.4)

peak = max(map(abs, circle))
samples = array.array("h", (round(v / peak * 0.5 * 32767) for v in circle))
if sys.byteorder == "big":
    samples.byteswap()
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(RATE)
    out.writeframes(samples.tobytes())
