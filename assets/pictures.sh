#!/bin/sh
# Makes the pictures anew: the demo is played by keys in a terminal of tmux, and what stands there is drawn by picture.py.
# The binary is the first argument, else target/release/parkdeck. A sound server with a headset that isn't there plays along.
# Needs: apt-get install tmux python3 pulseaudio.
set -eu
cd "$(dirname "$0")"
binary=$(realpath "${1:-../target/release/parkdeck}")
home=$(mktemp -d)
socket="parkdeck-pictures-$$"
on() { tmux -L "$socket" "$@"; }
trap 'on kill-server 2>/dev/null || true; kill "$sound" 2>/dev/null || true; sleep 0.3; rm -rf "$home"' EXIT

# A home of its own: no configuration of whoever makes the pictures is in them.
mkdir -m 700 "$home/run"
cat >"$home/card.pa" <<CARD
load-module module-native-protocol-unix socket=$home/run/sound auth-anonymous=1
load-module module-null-sink norewinds=1 sink_name=ear sink_properties=device.description=USB-Headset
load-module module-null-sink norewinds=1 sink_name=room sink_properties=device.description=Speakers
load-module module-null-sink norewinds=1 sink_name=mouth
load-module module-sine sink=mouth frequency=300
load-module module-remap-source master=mouth.monitor source_name=microphone source_properties=device.description=USB-Headset
set-sink-volume mouth 0x6000
set-default-sink ear
set-default-source microphone
CARD
env -i PATH="$PATH" HOME="$home" XDG_RUNTIME_DIR="$home/run" pulseaudio -n -F "$home/card.pa" --daemonize=no \
    --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes >"$home/sound.txt" 2>&1 &
sound=$!
sleep 2
start() { # name, columns, rows, command
    on -f /dev/null new-session -d -s "$1" -x "$2" -y "$3" \
        "env -i PATH='$PATH' HOME='$home' XDG_RUNTIME_DIR='$home/run' PULSE_SERVER='unix:$home/run/sound' TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8 $4"
    on set-option -t "$1" status off
}
keys() { # name, key …: each far enough from the one before to be meant
    window=$1
    shift
    for key in "$@"; do
        on send-keys -t "$window" "$key"
        sleep 0.8
    done
}
wait_for() { # name, text
    for _ in $(seq 300); do
        on capture-pane -t "$1" -p | grep -q "$2" && return 0
        sleep 0.1
    done
    echo "“$2” never came:" >&2
    on capture-pane -t "$1" -p >&2
    return 1
}
draw() { # name, picture
    sleep 0.5
    on capture-pane -t "$1" -p -e -N | python3 picture.py >"$2.svg"
    echo "$2.svg"
}

start board 110 30 "$binary demo --seed 21"
wait_for board "RINGING.*Jane"
draw board tour
keys board C-t Enter
wait_for board "talking.*Jane"
keys board n
on send-keys -t board -l "about the invoice, for Sam"
keys board Enter p
wait_for board "■.*Jane"
wait_for board "RINGING"
keys board Enter
wait_for board "talking"
keys board p
wait_for board "702 ■"
wait_for board "RINGING"
keys board Enter
wait_for board "talking"
draw board board

start wall 110 30 "$binary wallboard --demo"
wait_for wall "2 parked"
draw wall wallboard
on kill-session -t wall

keys board t
on send-keys -t board -l "sa"
draw board transfer
keys board Escape '?'
draw board help
keys board Escape ,
draw board settings
# The theme's row is the sixth; each is worn as soon as it is chosen.
keys board Down Down Down Down Down
for theme in light high-contrast mono; do
    keys board Enter Down Enter Escape
    draw board "board-$theme"
    keys board , Down Down Down Down Down
done
