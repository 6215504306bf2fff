#!/bin/sh
# Makes the sounds anew: the demo's speech/*.wav and the page's announce/*.wav by espeak-ng and sox, music.wav by
# music.py.
# Needs: apt-get install espeak-ng sox python3. The texts and the music are our own; see LICENSE.md.
set -eu
cd "$(dirname "$0")"
mkdir -p speech announce
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# file, voice, pitch, words a minute, text, silence before and after. 8 kHz, as callers from the telephone network sound; silence at the ends is
# cut to a breath; all equally loud. -D and -R: the same bytes every time.
say() {
    espeak-ng -v "$2" -p "$3" -s "$4" -w "$work/raw.wav" "$5"
    sox -D -R "$work/raw.wav" -b 16 -c 1 "$1.wav" \
        rate -v 8000 highpass 150 \
        silence 1 0.02 0.5% fade t 0.02 reverse silence 1 0.02 0.5% fade t 0.04 reverse \
        gain -n -3 compand 0.003,0.12 6:-60,-60,-35,-22,-15,-11,0,-7 0 -90 0.02 gain -n -6 pad ${6:-0.1 0.25}
}

say speech/jane-doe    en-gb+f3    55 150 "Hello, this is Jane Doe. I'd like to speak to Sam about the invoice, please."
say speech/peter-walsh en-gb+m3    40 160 "Good morning. Peter Walsh from Acme, I've a delivery for bay three, and the gate is shut. Can somebody come down?"
say speech/dr-patel    en-gb-x-rp  60 145 "Doctor Patel here. I have the results that Sam was asking for. I can hold for a moment."
say speech/van-buyer   en-us+m7    35 165 "Hi there. I saw your advert in the paper. Is the blue van still for sale?"
say speech/withheld    en-gb+f2    70 140 "Hello? I'd rather not say who I am. Could you put me through to the person in charge, please?"
say speech/maria-lopez en-us+f4    60 160 "Hello, it's Maria Lopez. I'm calling back. Somebody left me a message yesterday."
say speech/harold-green en-gb-scotland+m1 25 135 "This is Harold Green. My heating has stopped again, and your man was here only on Monday."
say speech/sam         en-gb+m5    50 155 "Hello, this is Sam. Thank you for holding. Yes, I'll see to it today. Goodbye."

# The page's words: one voice, slowly, so that they can be joined.
number=0
for word in zero one two three four five six seven eight nine; do
    say "announce/$number" en-gb+f3 50 130 "$word." "0.02 0.12"
    number=$((number + 1))
done
say announce/star en-gb+f3 50 130 "star." "0.02 0.12"
say announce/hash en-gb+f3 50 130 "hash." "0.02 0.12"
say announce/parked-on en-gb+f3 50 140 "A call is parked on" "0.02 0.15"

python3 music.py music.wav

ls -l speech/*.wav announce/*.wav music.wav
