#!/usr/bin/env python3
"""Suspend to RAM and resume, for real: a console in a virtual machine, its lot on this computer.

By hand, not in CI (a virtual machine without KVM takes its time):
    apt-get install --no-install-recommends qemu-system-x86 busybox-static tmux baresip
    tests/suspend.py [--seconds 100] [--program target/debug/parkdeck]
It prints how many seconds after the wake-up registration, lamps and the light of the server were right again, and
ends with 1 when they were not. The kernel is Debian's own, fetched as a package and only unpacked.

The guest has the program, its libraries, a static busybox and the module of its network card; the console runs in a pty
on its first serial line, which tmux draws, and a shell on the second. A caller is parked before, a second one while the guest
sleeps: the board has to show both afterwards, though nobody could tell it of the second.
"""

import argparse
import glob
import math
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

# The longest that the guest may take to boot, and to be right again after the wake-up, in seconds.
BOOT_PATIENCE = 240
FRESH_PATIENCE = 60
COLUMNS, ROWS = 100, 30
# Where the lot is, seen from both sides alike; on the loopback of a network namespace of the script's own.
HOST = "198.51.100.1"
OWN_NETWORK = "PARKDECK_SUSPEND_NETWORK"

GUEST_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /tmp /root; mount -t devpts pts /dev/pts
insmod /e1000.ko
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
export HOME=/root TERM=xterm-256color LANG=C.UTF-8 PATH=/bin
(while read -r line; do sh -c "$line"; done < /dev/ttyS1 > /dev/ttyS1 2>&1) &
/tools/stty -F /dev/ttyS0 raw -echo
cd /root
/tools/script -qfc '/tools/stty rows ROWS cols COLUMNS; exec parkdeck --config /root/config.toml' /dev/null \\
    < /dev/ttyS0 > /dev/ttyS0 2>&1
echo the console has ended > /dev/ttyS0
sleep 9999
"""

CONFIG = """[account]
user = "reception"
server = "{host}:{port}"
password_file = "password"
expires = 60
[lot]
dialect = "parkdeck"
park_extension = "700"
slots = "701-704"
[sound]
enabled = false
"""

LOT = """listen = "{host}:{port}"
realm = "office.test"
max_expires = 60
digest = "md5"
[[users]]
name = "reception"
secret = "reception-secret"
display_name = "Reception"
extension = "100"
[[users]]
name = "jane"
secret = "jane-secret"
display_name = "Jane Doe"
extension = "101"
[[users]]
name = "peter"
secret = "peter-secret"
display_name = "Peter Walsh"
extension = "102"
[[lots]]
name = "front"
parkext = "700"
parkpos = "701-704"
parkingtime = 3600
"""


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kernel():
    """Debian's kernel in a folder of its own: downloaded as a package, and only unpacked."""
    folder = tempfile.mkdtemp(prefix="parkdeck-kernel-")
    depends = subprocess.check_output(["apt-cache", "depends", "linux-image-amd64"], text=True)
    package = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    subprocess.check_call(["apt-get", "download", package], cwd=folder, stdout=subprocess.DEVNULL)
    subprocess.check_call(["dpkg-deb", "-x", *glob.glob(f"{folder}/{package}*.deb"), folder])
    print(f"the kernel is in {folder}: --kernel uses it again")
    return folder


def enter_network(wish):
    """Begins once more, in a network namespace where nothing but this script is."""
    arguments = ["--seconds", str(wish.seconds), "--program", wish.program, "--kernel", wish.kernel or kernel()]
    os.environ[OWN_NETWORK] = "1"
    os.execvp("unshare", ["unshare", "--net", "--map-root-user", sys.executable, __file__, *arguments])


def initramfs(folder, program, module, port):
    """Everything that the guest has, as a cpio archive."""
    root = Path(folder, "root")
    for name in ["bin", "tools", "proc", "sys", "dev", "root"]:
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    shutil.copy(program, root / "bin/parkdeck")
    subprocess.call(["strip", root / "bin/parkdeck"])
    shutil.copy(module, root / "e1000.ko")
    tools = [shutil.which(tool) for tool in ["script", "stty"]]
    for tool in tools:
        shutil.copy(tool, root / "tools")
    for library in re.findall(r"(/\S+)", "".join(subprocess.check_output(["ldd", it], text=True) for it in [program, *tools])):
        target = root / library.rstrip(":").lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.rstrip(":"), target)
    init = GUEST_INIT.replace("ROWS", str(ROWS)).replace("COLUMNS", str(COLUMNS))
    for name, text, mode in [
        ("init", init, 0o755),
        ("root/config.toml", CONFIG.format(host=HOST, port=port), 0o600),
        ("root/password", "reception-secret", 0o600),
    ]:
        (root / name).write_text(text)
        (root / name).chmod(mode)
    archive = Path(folder, "initramfs")
    names = subprocess.check_output(["find", ".", "-mindepth", "1"], cwd=root)
    with open(archive, "wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=root, input=names, stdout=out, check=True,
                       stderr=subprocess.DEVNULL)
    return archive


class Board:
    """What the guest's first serial line shows, drawn by a tmux of our own."""

    def __init__(self, folder, command):
        self.tmux = ["tmux", "-S", f"{folder}/tmux"]
        subprocess.check_call([*self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS),
                               "-y", str(ROWS), *command])
        subprocess.check_call([*self.tmux, "set", "-g", "status", "off"])

    def text(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p"], capture_output=True, text=True).stdout

    def keys(self, *keys):
        subprocess.check_call([*self.tmux, "send-keys", *keys])

    def wait(self, what, is_so, patience):
        """Seconds until it was so."""
        began = time.monotonic()
        while time.monotonic() < began + patience:
            if is_so(self.text()):
                return time.monotonic() - began
            time.sleep(0.05)
        raise SystemExit(f"not within {patience} s: {what}\n{self.text()}")

    def close(self):
        subprocess.call([*self.tmux, "kill-server"], stderr=subprocess.DEVNULL)


def say_to(port, line):
    """A line to the guest's shell or to QEMU's monitor."""
    with socket.create_connection(("127.0.0.1", port)) as there:
        there.sendall(f"{line}\n".encode())
        time.sleep(0.5)


def caller(folder, user, port, number):
    """A phone without sound that calls that number."""
    home = Path(folder, user)
    home.mkdir()
    (home / "config").write_text(
        f"poll_method epoll\nsip_listen {HOST}:{free_port(socket.SOCK_DGRAM)}\nnet_interface {HOST}\n"
        f"audio_source aufile,{home}/tone.wav\naudio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n"
        "ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n"
        "module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\n"
        "module_app account.so\nmodule_app menu.so\n"
    )
    with wave.open(f"{home}/tone.wav", "wb") as tone:
        tone.setparams((1, 2, 8000, 0, "NONE", ""))
        second = b"".join(struct.pack("<h", int(8000 * math.sin(n * math.tau / 8))) for n in range(8_000))
        # When it ends, baresip hangs up.
        tone.writeframes(second * 1_800)
    (home / "accounts").write_text(f"<sip:{user}@{HOST}:{port};transport=udp>;auth_user={user};auth_pass={user}-secret;audio_codecs=pcmu\n")
    (home / "contacts").write_text("")
    log = open(home / "log", "wb")
    return subprocess.Popen(["baresip", "-f", home, "-e", f"d sip:{number}@{HOST}:{port}"], stdin=subprocess.PIPE,
                            stdout=log, stderr=log)


def slot_of(board, slot):
    """What the panel to the right says of a slot, with the lines below it."""
    panel = [line.split("│")[2] for line in board.splitlines() if line.count("│") >= 3]
    for at, line in enumerate(panel):
        if re.match(rf"\d? ?{slot}\b", line.strip()):
            return " ".join(panel[at:at + 3])
    return ""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=100, help="for how long the guest sleeps")
    options.add_argument("--program", default="target/debug/parkdeck")
    options.add_argument("--kernel", help="a folder into which the kernel's package was unpacked already")
    wish = options.parse_args()
    if not os.environ.get(OWN_NETWORK):
        enter_network(wish)
    for command in ["ip link set lo up", f"ip addr add {HOST}/32 dev lo"]:
        subprocess.check_call(command.split())
    folder = tempfile.mkdtemp(prefix="parkdeck-suspend-")
    port, shell, monitor = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    running, board = [], None
    try:
        [image] = glob.glob(f"{wish.kernel}/boot/vmlinuz-*")
        [module] = glob.glob(f"{wish.kernel}/lib/modules/*/kernel/drivers/net/ethernet/intel/e1000/e1000.ko*")
        archive = initramfs(folder, wish.program, module, port)
        lot = Path(folder, "lot.toml")
        lot.write_text(LOT.format(host=HOST, port=port))
        lot.chmod(0o600)
        with open(f"{folder}/lot.log", "wb") as log:
            environment = {**os.environ, "XDG_STATE_HOME": folder}
            running.append(subprocess.Popen([wish.program, "lot", "--config", lot], stdout=log, stderr=log,
                                            env=environment))
        guest = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none",
                 "-no-reboot", "-kernel", image, "-initrd", str(archive), "-append", "quiet console=ttyS2 panic=1",
                 "-nic", "user,model=e1000", "-serial", "stdio",
                 "-serial", f"tcp:127.0.0.1:{shell},server=on,wait=off",
                 "-serial", f"file:{folder}/kernel.log", "-monitor", f"tcp:127.0.0.1:{monitor},server=on,wait=off"]
        board = Board(folder, guest)
        took = board.wait("registered", lambda text: "● reachable" in text, BOOT_PATIENCE)
        print(f"booted and registered after {took:.0f} s")
        running.append(caller(folder, "jane", port, "100"))
        board.wait("Jane rings", lambda text: "RINGING" in text, 60)
        board.keys("Enter")
        board.wait("Jane talks", lambda text: "talking" in text, 30)
        board.keys("p")
        board.wait("Jane is parked", lambda text: "Jane" in slot_of(text, 701), 30)
        print(board.text())
        say_to(shell, "echo mem > /sys/power/state")
        time.sleep(5)
        asleep = board.text()
        running.append(caller(folder, "peter", port, "700"))
        time.sleep(wish.seconds - 5)
        if board.text() != asleep:
            raise SystemExit(f"the guest did not sleep:\n{board.text()}\n{Path(folder, 'kernel.log').read_text()[-2000:]}")
        print(f"slept for {wish.seconds} s; a registration lasts 60 s there, a subscription 300 s")
        registered = Path(folder, "lot.log").read_text().count('Registered { user: "reception"')
        say_to(monitor, "system_wakeup")
        woken = time.monotonic()
        # In the order in which they are looked for; each is told when it is so for the first time.
        awaited = {
            "the board is drawn again": lambda text: text != asleep,
            "it says that it doesn't know": lambda text: "stale" in text or "not registered" in text,
            "registered again": lambda _: Path(folder, "lot.log").read_text().count('Registered { user: "reception"')
            > registered,
            "it shows who was parked meanwhile": lambda text: "Peter" in slot_of(text, 702),
            "all is fresh": lambda text: "Peter" in slot_of(text, 702) and "Jane" in slot_of(text, 701)
            and "● reachable" in text and "lamps fresh" in text,
        }
        while awaited:
            text, after = board.text(), time.monotonic() - woken
            for what in [what for what, is_so in awaited.items() if is_so(text)]:
                print(f"{after:5.1f} s after the wake-up: {what}")
                del awaited[what]
            if after > FRESH_PATIENCE:
                raise SystemExit(f"not within {FRESH_PATIENCE} s: {', '.join(awaited)}\n{text}")
            time.sleep(0.05)
        print(board.text())
    finally:
        if board:
            board.close()
        for process in running:
            process.kill()
        if sys.exc_info()[0]:
            print(f"what was written is in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)


main()
