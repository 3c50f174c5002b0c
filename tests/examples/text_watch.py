"""Proves: the full-screen example goes on drawing and taking keys while sources print, stall, are stopped and die.

text_watch.py TEXT_WATCH BRINE"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WATCH, BRINE = sys.argv[1:3]
PATIENCE = 30

if not shutil.which("tmux"):
    print("skipped: no tmux")
    sys.exit(77)

folder = tempfile.mkdtemp(prefix="brine-watch-")
address = f"unix://{folder}/socket"
started = []


def tmux(*words):
    return subprocess.run(["tmux", "-S", f"{folder}/tmux", "-f", "/dev/null", *words], check=True, capture_output=True,
                          text=True).stdout


def screen():
    return tmux("capture-pane", "-p", "-t", "watch")


def expect(pattern, what=None):
    """Waits until the screen shows it."""
    began = time.monotonic()
    while not (match := re.search(pattern, text := screen(), re.M)):
        if time.monotonic() > began + PATIENCE:
            raise AssertionError(f"{what or pattern} did not show:\n{text}")
        time.sleep(0.02)
    return match


def clock():
    return float(expect(r"(\d+\.\d) s ").group(1))


def keys():
    return int(expect(r"(\d+) keys").group(1))


def still_alive(what):
    """The clock goes on, and a key is taken."""
    before, pressed = clock(), keys()
    tmux("send-keys", "-t", "watch", "x")
    took = time.monotonic()
    while keys() == pressed:
        assert time.monotonic() < took + PATIENCE, f"no key is taken {what}:\n{screen()}"
    took = time.monotonic() - took
    until = time.monotonic() + PATIENCE
    while clock() < before + 0.5:
        assert time.monotonic() < until, f"the clock stands {what}:\n{screen()}"
    print(f"{what}: a key was taken after {took * 1000:.0f} ms")


def source(name, script):
    process = subprocess.Popen([BRINE, "run", "--name", name, address, "--", "sh", "-c", script])
    started.append(process)
    return process


try:
    tmux("new-session", "-d", "-x", "100", "-y", "20", "-s", "watch", f"{WATCH} {address} 2>{folder}/errors; echo status $?; cat")
    expect(r"0 sources")
    talker = source("talker", "i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.05; done")
    expect(r"^talker +\d+ live")
    expect(r"line \d+$")
    stalled = source("stalled", "printf 'half a line'; sleep 100")
    expect(r"2 sources")
    tmux("send-keys", "-t", "watch", "j")
    expect(r"half a line$")
    expect(r"^stalled +0 quiet")
    still_alive("with one that stalls")
    talker.send_signal(signal.SIGSTOP)
    expect(r"^talker +\d+ quiet")
    still_alive("with one that is stopped")
    talker.send_signal(signal.SIGCONT)
    expect(r"^talker +\d+ live")
    stalled.kill()
    expect(r"^stalled +\d+ cut off")
    still_alive("with one that was killed")
    flood = source("flood", "exec yes")
    expect(r"^flood +\d+ live")
    still_alive("while one prints as fast as it can, without end")
    flood.kill()
    expect(r"^flood +\d+ cut off")
    source("much", "yes | head -n 200000; exit 3")
    expect(r"^much +200000 ended 3")
    source("evil", r"printf '\033[2J\033]0;x\007\n'")
    expect(r"^evil +1 ended 0")
    expect(r"5 sources")
    tmux("send-keys", "-t", "watch", "j", "j", "j")
    expect(r"\\x1b\[2J")
    tmux("send-keys", "-t", "watch", "q")
    expect(r"^status 0")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
    try:
        tmux("kill-server")
    except subprocess.CalledProcessError:
        pass
    if os.path.getsize(f"{folder}/errors"):
        with open(f"{folder}/errors") as errors:
            print(errors.read())
    shutil.rmtree(folder)
