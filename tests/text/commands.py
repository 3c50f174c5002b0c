"""Proves: brine run and brine listen carry programs that nobody changed: what they print comes when they print it, in whole
lines, whatever the bytes, however many talk, stop or die; input, signals and exit status go through.

commands.py BRINE SOURCES HELLO PROTOS"""
import array
import fcntl
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

BRINE, SOURCES, HELLO, PROTOS = sys.argv[1:5]
PATIENCE = 30  # seconds; nothing takes so long unless it hangs
SOON = 10      # seconds; what is meant is milliseconds, and what is proved is that it comes at all while the program runs

# Freed memory that AddressSanitizer keeps for its checks is not the program's.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
os.environ["MALLOC_ARENA_MAX"] = "2"


def peak(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


class Listener:
    """brine listen, with its output read here."""

    def __init__(self, folder, *options, stdout=subprocess.PIPE):
        self.address = f"unix://{folder}/socket"
        self.errors = open(f"{folder}/errors", "w+b")
        self.process = subprocess.Popen([BRINE, "listen", *options, self.address], stdin=subprocess.PIPE, stdout=stdout,
                                        stderr=self.errors)
        self.unread = b""
        self.await_error(b"listening on")

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def await_error(self, text):
        until = time.monotonic() + PATIENCE
        while text not in self.error_text():
            if time.monotonic() > until or self.process.poll() is not None and text not in self.error_text():
                raise AssertionError(f"{text} was not told: {self.error_text()}")
            time.sleep(0.01)

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read_some(self, until):
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
        more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else None
        if more:
            self.unread += more
        return more

    def expect(self, text, within=PATIENCE):
        """Reads until text came; what stood before it is dropped. How long it took."""
        began = time.monotonic()
        while text not in self.unread:
            if not self.read_some(began + within):
                raise AssertionError(f"{text} did not come within {within} s, but {self.unread[-500:]}: {self.error_text()}")
        self.unread = self.unread[self.unread.index(text) + len(text):]
        return time.monotonic() - began

    def expect_lines(self, count):
        until = time.monotonic() + PATIENCE
        while self.unread.count(b"\n") < count:
            if not self.read_some(until):
                raise AssertionError(f"{count} lines did not come, but {self.unread}")
        lines = self.unread.split(b"\n")
        self.unread = b"\n".join(lines[count:])
        return lines[:count]

    def rest(self):
        while self.read_some(time.monotonic() + PATIENCE):
            pass
        out, self.unread = self.unread, b""
        return out

    def end(self):
        """Its exit status."""
        if self.process.stdin:
            self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        told = self.error_text()
        self.errors.close()
        assert b"Sanitizer" not in told and b"runtime error" not in told, told.decode()
        return status

    def stop(self):
        self.process.terminate()
        return self.end()


class Recorder(threading.Thread):
    """Stands between both sides of one connection and keeps what crosses, each way in a file."""

    def __init__(self, folder, address):
        super().__init__()
        self.folder, self.target = folder, address.removeprefix("unix://")
        self.address = f"unix://{folder}/recorded"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(f"{folder}/recorded")
        self.listening.listen(1)
        self.start()

    def run(self):
        caller, callee = self.listening.accept()[0], socket.socket(socket.AF_UNIX)
        callee.connect(self.target)
        ways = {caller: (callee, open(f"{self.folder}/c2s", "wb")), callee: (caller, open(f"{self.folder}/s2c", "wb"))}
        while ways:
            for source in select.select(list(ways), [], [], PATIENCE)[0]:
                target, file = ways[source]
                data = source.recv(1 << 16)
                file.write(data)
                if data:
                    target.sendall(data)
                else:
                    target.shutdown(socket.SHUT_WR)
                    file.close()
                    del ways[source]
        for one in (caller, callee, self.listening):
            one.close()


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="brine-text-")
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        shutil.rmtree(self.folder)

    def listen(self, *options, **more):
        listener = Listener(self.folder, *options, **more)
        self.started.append(listener.process)
        self.addCleanup(listener.errors.close)
        return listener

    def run_program(self, listener, *words, **more):
        process = subprocess.Popen([BRINE, "run", *words], **more)
        self.started.append(process)
        return process

    def talk(self, listener, program, exchanges, options=()):
        """Lines to a program and what it says to each, each while it runs on; then the end of input. Its exit status."""
        if not shutil.which(program[0]):
            print(f"skipped: no {program[0]}")
            self.skipTest(f"no {program[0]}")
        running = self.run_program(listener, *options, listener.address, "--", *program)
        slowest = 0
        for said, answer in exchanges:
            listener.send(said)
            slowest = max(slowest, listener.expect(answer))
        print(f"{' '.join(program)}: slowest answer after {slowest * 1000:.1f} ms")
        listener.process.stdin.close()
        listener.process.stdin = None
        status = running.wait(PATIENCE)
        self.assertEqual(listener.end(), status)
        # The first answer may have waited for the program to start.
        self.assertLess(slowest, SOON)
        return status

    # ---- programs that nobody changed ----

    def test_bc(self):
        listener = self.listen("-i", "--once")
        self.assertEqual(self.talk(listener, ["bc", "-q"], [(b"2+3\n", b"5\n"), (b"scale=3\n1/3\n", b".333\n")]), 0)

    def test_python(self):
        listener = self.listen("-i", "--once", "--escape", "never")
        exchanges = [(b"", b">>> "), (b"print(6 * 7)\n", b"42"), (b"x = 'sp' + 'am'; print(x)\n", b"spam\n")]
        running = self.run_program(listener, listener.address, "--", sys.executable, "-i", "-q")
        for said, answer in exchanges:
            listener.send(said)
            listener.expect(answer)
        listener.send(b"raise SystemExit(7)\n")
        self.assertEqual(running.wait(PATIENCE), 7)
        self.assertEqual(listener.end(), 7)

    def test_awk(self):
        for awk in ("mawk", "gawk"):
            with self.subTest(awk):
                listener = self.listen("-i", "--once")
                self.assertEqual(self.talk(listener, [awk, '{ print NR ": " $1 } END { exit 4 }'],
                                           [(b"spam\n", b"1: spam\n"), (b"eggs and ham\n", b"2: eggs\n")]), 4)

    def test_grep(self):
        listener = self.listen("-i", "--once")
        self.assertEqual(self.talk(listener, ["grep", "am"], [(b"spam\neggs\n", b"spam\n"), (b"ham\n", b"ham\n")]), 0)

    def test_programs_that_close_their_output_are_not_hung_up_on(self):
        for options in ([], ["--pty-output"]):
            with self.subTest(options):
                listener = self.listen("--once")
                running = self.run_program(listener, *options, listener.address, "--", "sh", "-c",
                                           "echo spam; exec <&- >&- 2>&-; sleep 0.3; exit 3")
                self.assertEqual((running.wait(PATIENCE), listener.rest(), listener.end()), (3, b"sh: spam\n", 3))

    def test_grep_with_its_output_alone_on_a_terminal(self):
        listener = self.listen("-i", "--once")
        exchanges = [(b"spam\n", b"spam\n"), (b"ham\n", b"ham\n")]
        self.assertEqual(self.talk(listener, ["grep", "am"], exchanges, ["--pty-output"]), 0)

    def test_a_program_that_prints_to_a_stream(self):
        """Without brine run; what it printed is here while it sleeps, unless this side was asleep itself."""
        for _ in range(5):
            listener = self.listen("--once")
            running = subprocess.Popen([HELLO, listener.address])
            self.started.append(running)
            listener.expect(b"text_hello: spam\n")
            runs_on = running.poll() is None
            listener.expect(b"text_hello: eggs\n")
            self.assertEqual((running.wait(PATIENCE), listener.end()), (0, 0))
            if runs_on:
                return
        self.fail("it had always ended when its first line came")

    def test_dump_shows_it(self):
        listener = self.listen("--once")
        recorder = Recorder(self.folder, listener.address)
        running = self.run_program(listener, "--pipe", recorder.address, "--", "sh", "-c",
                                   "echo spam; printf '\\377' >&2; exit 3")
        self.assertEqual((running.wait(PATIENCE), listener.end()), (3, 3))
        recorder.join()
        done = subprocess.run([BRINE, "dump", "-I", PROTOS, "--schema", f"{PROTOS}/brine/text.proto", f"{self.folder}/c2s",
                               f"{self.folder}/s2c"], capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done)
        for what in (rb'brine.text.Text/Write', rb'begin=\{session=\d+, name="sh"\}', rb'sequence=[12], stream="(stdout)?", text="spam\\n"',
                     rb'stream="stderr", data=h"ff"', rb'end=\{status=3', rb'Write = \{pieces=4, size=6\}'):
            self.assertRegex(done.stdout, what)

    # ---- bytes ----

    def round_trip(self, data, options):
        """Through cat, which is told the end of input as soon as all of it was sent."""
        listener = self.listen("-i", "--raw", "--once")
        running = self.run_program(listener, *options, listener.address, "--", "cat")
        os.set_blocking(listener.process.stdin.fileno(), False)
        sent = 0
        until = time.monotonic() + PATIENCE
        while sent < len(data):
            self.assertLess(time.monotonic(), until, f"{sent} bytes went, {len(listener.unread)} of {len(data)} came")
            _, room, _ = select.select([], [listener.process.stdin], [], 0.01)
            if room:
                try:
                    sent += os.write(listener.process.stdin.fileno(), data[sent:sent + (1 << 16)])
                except BlockingIOError:
                    pass
            while listener.read_some(time.monotonic()):
                pass
        listener.process.stdin.close()
        listener.process.stdin = None
        came = listener.rest()
        self.assertEqual(len(came), len(data))
        self.assertTrue(came == data)
        self.assertEqual((running.wait(PATIENCE), listener.end()), (0, 0))

    def test_any_bytes_through_pipes(self):
        self.round_trip(random.Random(1).randbytes(1 << 20) + bytes(range(256)), ["--pipe"])

    def test_any_bytes_through_a_terminal(self):
        """Also characters with a meaning for terminals, and lines longer than terminals hold."""
        data = random.Random(2).randbytes(100000) + bytes(range(256)) * 2 + b"y" * 20000 + b"\n" + b"\x04\x16\x03" * 3000
        self.round_trip(data, [])

    def lines_file(self):
        """Lines of 1 byte to 64 MiB, of any bytes."""
        noise = random.Random(3).randbytes(1 << 20).replace(b"\n", b"\0")
        path = f"{self.folder}/lines"
        with open(path, "wb") as file:
            for size in (1, 2, 100, 65535, 65536, 65537, 1 << 20, 64 << 20, 0, 7):
                file.write((noise * (size // len(noise) + 1))[:size] + b"\n")
            file.write(b"no newline at the end")
        return path

    def same_files(self, one, other):
        self.assertEqual(os.path.getsize(one), os.path.getsize(other))
        subprocess.run(["cmp", one, other], check=True)

    def test_lines_of_any_length_into_files(self):
        path = self.lines_file()
        os.mkdir(f"{self.folder}/out")
        listener = self.listen("--dir", f"{self.folder}/out", "--once")
        running = self.run_program(listener, "--pipe", "--name", "../a b", listener.address, "--", "cat", path)
        self.assertEqual(running.wait(PATIENCE * 2), 0)
        self.assertEqual(listener.end(), 0)
        self.assertEqual(os.listdir(f"{self.folder}/out"), ["_._a_b.stdout"])
        self.same_files(path, f"{self.folder}/out/_._a_b.stdout")

    def test_a_folder_that_is_none(self):
        for folder in (f"{self.folder}/none", BRINE):
            done = subprocess.run([BRINE, "listen", "--dir", folder, f"unix://{self.folder}/socket"], stderr=subprocess.PIPE,
                                  timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"brine listen: cannot write into", done.stderr)

    def test_lines_of_any_length_as_whole_lines_in_little_memory(self):
        path = self.lines_file()
        with open(f"{self.folder}/shown", "wb") as shown:
            listener = self.listen("--names", "never", stdout=shown)
            before = peak(listener.process)
            running = self.run_program(listener, "--pipe", listener.address, "--", "cat", path)
            self.assertEqual(running.wait(PATIENCE * 2), 0)
            grown = peak(listener.process) - before
            self.assertEqual(listener.stop(), 0)
        print(f"lines of up to 64 MiB: the listener grew by {grown:.1f} MiB")
        self.assertLess(grown, 24)
        with open(path, "ab") as file:
            file.write(b"\n")
        self.same_files(path, f"{self.folder}/shown")

    def test_terminals_are_shown_what_they_would_obey(self):
        listener = self.listen("--escape", "always", "--once")
        evil = b"\x1b]0;owned\x07 \xff \0 \xc2\x9b2J \xe2\x80\xaeabc\ttab\r \xc3\xa4\n"
        with open(f"{self.folder}/evil", "wb") as file:
            file.write(evil)
        running = self.run_program(listener, "--name", "\x1b[2Jname", listener.address, "--", "cat", f"{self.folder}/evil")
        self.assertEqual(running.wait(PATIENCE), 0)
        shown = listener.rest()
        self.assertEqual(listener.end(), 0)
        self.assertEqual(shown, b"\\x1b[2Jname: \\x1b]0;owned\\x07 \\xff \\x00 \\u009b2J \\u202eabc\ttab\\r \xc3\xa4\n")
        for byte in shown:
            self.assertTrue(byte >= 0x20 or byte in b"\t\n", shown)

    def test_characters_that_come_in_parts(self):
        """Also those of a long line, which comes back from a file in parts; what never becomes a character is shown as bytes."""
        text = "a" + "\u00e9" * 20000 + "\u20ac" * 20000 + "\U0001f600"
        with open(f"{self.folder}/long", "wb") as file:
            file.write(text.encode() + b"\n\xe2\x82\nend \xf0\x9f\x98")
        for options in ([], ["-i"]):
            with self.subTest(options):
                listener = self.listen("--escape", "always", "--names", "never", "--once", *options)
                program = f"import os\nfor c in open('{self.folder}/long', 'rb').read():\n os.write(1, bytes([c]))"
                words = [sys.executable, "-c", program] if options else ["cat", f"{self.folder}/long"]
                running = self.run_program(listener, "--pipe", listener.address, "--", *words)
                shown = listener.rest()
                self.assertEqual((running.wait(PATIENCE), listener.end()), (0, 0))
                self.assertEqual(shown, text.encode() + b"\n\\xe2\\x82\nend \\xf0\\x9f\\x98\n")

    # ---- signals and ends ----

    def test_a_call_whose_output_nobody_reads_ends_when_told(self):
        """Its items are larger than what is left in the pipe."""
        listener = self.listen("-i")
        schema = ["--schema", f"{PROTOS}/brine/text.proto", "-I", PROTOS]
        reading = subprocess.Popen([BRINE, "call", *schema, listener.address, "Read", '{"name": "x"}'], stdout=subprocess.PIPE)
        self.started.append(reading)
        listener.await_error(b"x began")
        listener.send(b"\x01" * 40000)
        until, waiting = time.monotonic() + PATIENCE, array.array("i", [0])
        while waiting[0] < 40000:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)
            fcntl.ioctl(reading.stdout, termios.FIONREAD, waiting)
        time.sleep(0.3)
        reading.terminate()
        self.assertEqual(reading.wait(PATIENCE), 128 + signal.SIGTERM)
        listener.process.kill()
        listener.end()

    def test_signals_reach_the_program_from_both_sides(self):
        trap = 'trap "echo got; exit 5" INT TERM; echo ready; while :; do sleep 0.05; done'
        for who in ("run", "listener"):
            with self.subTest(who):
                listener = self.listen("-i", "--once")
                running = self.run_program(listener, listener.address, "--", "sh", "-c", trap)
                listener.expect(b"ready\n")
                (running if who == "run" else listener.process).send_signal(signal.SIGINT)
                listener.expect(b"got\n")
                self.assertEqual((running.wait(PATIENCE), listener.end()), (5, 5))

    def test_a_program_that_does_not_read_holds_nobody_up(self):
        """More was typed for it than anybody keeps; others are shown, and two interrupts end the listener."""
        listener = self.listen("-i")
        self.run_program(listener, listener.address, "--", "sh", "-c", "echo deaf; exec sleep 60")
        listener.expect(b"deaf\n")
        os.set_blocking(listener.process.stdin.fileno(), False)
        typed, standing = 0, 0
        while standing < 20:
            try:
                typed += os.write(listener.process.stdin.fileno(), b"y" * 1023 + b"\n")
                standing = 0
            except BlockingIOError:
                standing += 1
                time.sleep(0.02)
        self.assertLess(typed, 1 << 20)
        self.assertEqual(self.run_program(listener, listener.address, "--", "echo", "spam").wait(PATIENCE), 0)
        listener.expect(b"spam\n")
        listener.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        listener.process.send_signal(signal.SIGINT)
        self.assertEqual(listener.process.wait(PATIENCE), 0)
        listener.process.stdin.close()
        listener.process.stdin = None
        listener.end()

    def test_a_number_that_signals_are_sent_to_is_the_program_s(self):
        """A program that has ended keeps its number while its listener, which stands still, may send signals."""
        listener = self.listen("-i", "--once")
        running = self.run_program(listener, listener.address, "--", "sh", "-c", "echo $$; exec sleep 60")
        process = int(listener.expect_lines(1)[0])
        listener.process.send_signal(signal.SIGSTOP)
        os.kill(process, signal.SIGKILL)
        until, state = time.monotonic() + PATIENCE, ""
        while state != "Z":
            self.assertLess(time.monotonic(), until)
            state = self.read(f"/proc/{process}/stat").split(b") ")[1][:1].decode()
        time.sleep(0.1)
        self.assertIsNone(running.poll())
        self.assertTrue(os.path.exists(f"/proc/{process}"))
        listener.process.send_signal(signal.SIGCONT)
        self.assertEqual((running.wait(PATIENCE), listener.end()), (128 + signal.SIGKILL,) * 2)

    def test_ends_that_cannot_be(self):
        """Told by a peer, which is brine call."""
        for end, status in (({"signal": 2147483647}, 1), ({"signal": -1}, 1), ({"signal": 64}, 128 + 64), ({"status": -1}, 255)):
            with self.subTest(end):
                listener = self.listen("--once")
                pieces = [{"begin": {"name": "x"}}, {"sequence": 1, "text": "spam\n"}, {"sequence": 2, "end": end}]
                said = subprocess.run([BRINE, "call", "--schema", f"{PROTOS}/brine/text.proto", "-I", PROTOS, listener.address,
                                       "Write"], input=json.dumps(pieces)[1:-1].replace("}, {", "} {").encode(),
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
                self.assertEqual(said.returncode, 1 if status == 1 else 0, said.stderr)
                self.assertEqual((listener.rest(), listener.end()), (b"x: spam\n", status))

    def test_a_signal_that_only_the_listener_uses(self):
        listener = self.listen()
        listener.process.send_signal(signal.SIGUSR1)
        self.assertEqual(self.run_program(listener, listener.address, "--", "echo", "spam").wait(PATIENCE), 0)
        listener.expect(b"spam\n")
        self.assertEqual(listener.stop(), 0)

    def test_a_program_that_dies_of_a_signal(self):
        listener = self.listen("--once")
        running = self.run_program(listener, "--pipe", listener.address, "--", "sh", "-c", "echo spam; kill -SEGV $$")
        self.assertEqual(running.wait(PATIENCE), 128 + signal.SIGSEGV)
        self.assertEqual(listener.rest(), b"sh: spam\n")
        self.assertEqual(listener.end(), 128 + signal.SIGSEGV)

    def test_a_source_that_is_killed_was_cut_off(self):
        listener = self.listen("--once")
        running = self.run_program(listener, listener.address, "--", "sh", "-c", "echo spam; exec sleep 60")
        listener.expect(b"sh: spam\n")
        running.kill()
        running.wait()
        self.assertEqual(listener.process.wait(PATIENCE), 1)
        self.assertIn(b"sh was cut off", listener.error_text())
        listener.end()

    def test_a_listener_that_goes_away(self):
        for options, status in (([], 128 + signal.SIGHUP), (["--pipe"], 128 + signal.SIGPIPE)):
            with self.subTest(options):
                listener = self.listen()
                running = self.run_program(listener, *options, listener.address, "--", "sh", "-c",
                                           "while :; do echo spam; sleep 0.02; done", stderr=subprocess.PIPE)
                listener.expect(b"spam\n")
                listener.process.kill()
                listener.end()
                self.assertEqual(running.wait(PATIENCE), status)
                self.assertIn(b"takes no more", running.stderr.read())

    def test_background_programs_do_not_keep_it(self):
        listener = self.listen("--once")
        running = self.run_program(listener, "--pipe", listener.address, "--", "sh", "-c", f"sleep {2 * PATIENCE} & echo spam")
        self.assertEqual(running.wait(PATIENCE), 0)
        self.assertEqual(listener.rest(), b"sh: spam\n")
        listener.end()

    def test_nobody_listens_and_nothing_to_run(self):
        address = f"unix://{self.folder}/nobody"
        done = subprocess.run([BRINE, "run", address, "--", "true"], stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"brine listen", done.stderr)
        self.assertEqual(subprocess.run([BRINE, "run"], stderr=subprocess.DEVNULL).returncode, 125)
        listener = self.listen()
        for program, status in (("no-such-program", 127), (self.folder, 126)):
            done = subprocess.run([BRINE, "run", listener.address, "--", program], stderr=subprocess.PIPE, timeout=PATIENCE)
            self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(listener.stop(), 0)

    def test_only_this_machine_unless_told(self):
        for host in ("0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "127.example.invalid", "localhost.example.invalid"):
            done = subprocess.run([BRINE, "listen", f"tcp://{host}:0"], stderr=subprocess.PIPE, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"--anybody", done.stderr)

    def test_started_with_closed_descriptors(self):
        """None of what is opened takes their place."""
        for closed in ("<&-", ">&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                process = subprocess.Popen(["sh", "-c", f'exec "$0" listen --once "$1" {closed}', BRINE,
                                            f"unix://{self.folder}/socket"], stdout=subprocess.PIPE)
                self.started.append(process)
                until = time.monotonic() + PATIENCE
                while not os.path.exists(f"{self.folder}/socket"):
                    self.assertLess(time.monotonic(), until)
                    time.sleep(0.01)
                done = subprocess.run(["sh", "-c", f'exec "$0" run "$1" -- sh -c "echo spam; exit 3" {closed}', BRINE,
                                       f"unix://{self.folder}/socket"], timeout=PATIENCE)
                self.assertEqual(done.returncode, 3)
                self.assertEqual(process.communicate(timeout=PATIENCE)[0], b"" if ">" in closed else b"sh: spam\n")
                self.assertEqual(process.returncode, 3)

    def test_a_parent_that_ignores_its_children(self):
        listener = self.listen("--once")
        running = self.run_program(listener, listener.address, "--", "sh", "-c", "exit 3",
                                   preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((running.wait(PATIENCE), listener.end()), (3, 3))

    def test_no_input(self):
        listener = self.listen("-i", "--once")
        running = self.run_program(listener, "--no-input", listener.address, "--", "sh", "-c", "cat; echo end")
        self.assertEqual(running.wait(PATIENCE), 0)
        self.assertEqual(listener.rest(), b"end\n")
        self.assertEqual(listener.end(), 0)

    def test_times_and_streams_and_names(self):
        listener = self.listen("--time", "--once")
        running = self.run_program(listener, "--pipe", "--name", "job", listener.address, "--", "sh", "-c",
                                   "echo spam; echo eggs >&2")
        self.assertEqual(running.wait(PATIENCE), 0)
        shown = listener.rest()
        listener.end()
        when = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} "
        self.assertEqual(sorted(re.sub(when, b"@", shown).splitlines()), [b"@job/stderr: eggs", b"@job: spam"])

    def test_output_that_nobody_reads(self):
        listener = self.listen("--once")
        listener.process.stdout.close()
        listener.process.stdout = None
        self.run_program(listener, listener.address, "--", "sh", "-c", "echo spam; sleep 60", stderr=subprocess.DEVNULL)
        self.assertEqual(listener.end(), 141)

    # ---- many ----

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def sources(self, listener, *words):
        process = subprocess.Popen([SOURCES, listener.address, *map(str, words)], stdout=subprocess.PIPE)
        self.started.append(process)
        return process, [int(process.stdout.readline()) for _ in range(words[0])]

    def check_lines(self, text, sources, lines, size, killed=None):
        following = [0] * sources
        for line in text.splitlines():
            match = re.fullmatch(rb"s(\d+): s(\d+) (\d+) (x*)", line)
            self.assertTrue(match, line[:200])
            prefix, source, number = (int(match.group(i)) for i in (1, 2, 3))
            self.assertEqual((prefix, number, len(match.group(4))), (source, following[source], size))
            following[source] += 1
        for source, count in enumerate(following):
            if source != killed:
                self.assertEqual(count, lines, f"source {source}")
        return following

    def test_a_hundred_sources(self):
        """One of them is killed, and the listener is stopped for a second."""
        with open(f"{self.folder}/shown", "w+b") as shown:
            listener = self.listen(stdout=shown)
            before = peak(listener.process)
            progress = f"{self.folder}/progress"
            process, children = self.sources(listener, 100, 1000, 10, progress, 57)
            half = sum(len(f"s57 {line} {'x' * 10}\n") for line in range(500))
            until = time.monotonic() + PATIENCE
            while struct.unpack("100Q", self.read(progress)[:800])[57] < half:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.001)
            listener.process.send_signal(signal.SIGSTOP)
            os.kill(children[57], signal.SIGKILL)
            time.sleep(1)
            listener.process.send_signal(signal.SIGCONT)
            self.assertEqual(process.wait(PATIENCE * 2), 0)
            listener.await_error(b"s57 was cut off")
            grown = peak(listener.process) - before
            self.assertEqual(listener.stop(), 0)
            shown.seek(0)
            counts = self.check_lines(shown.read(), 100, 1000, 10, killed=57)
        print(f"100 sources: {sum(counts)} lines, all whole and in order; the listener grew by {grown:.1f} MiB")
        self.assertEqual(counts[57], 501)
        self.assertLess(grown, 16)

    def test_a_listener_that_stops_reading(self):
        """Its output is not read: the sources stand still, and neither it nor they grow."""
        sources, lines, size = 8, 4096, 1000
        progress = f"{self.folder}/progress"
        listener = self.listen()
        before = peak(listener.process)
        process, _ = self.sources(listener, sources, lines, size, progress)

        def printed():
            return sum(struct.unpack(f"{sources}Q", self.read(progress)[:8 * sources]))
        stands, now = -1, 0
        while stands != now or now == 0:
            stands, now = now, (time.sleep(0.5), printed())[1]
        total = sources * lines * (size + 9)
        grown = peak(listener.process) - before
        print(f"nobody reads: of {total >> 20} MiB the sources printed {now / 2**20:.1f}; the listener grew by {grown:.1f} MiB")
        self.assertLess(now, total / 3)
        self.assertLess(grown, 16)
        until = time.monotonic() + PATIENCE * 2
        text = bytearray()
        while process.poll() is None or select.select([listener.process.stdout], [], [], 0.1)[0]:
            self.assertLess(time.monotonic(), until)
            if listener.read_some(time.monotonic() + 0.1):
                text += listener.unread
                listener.unread = b""
        self.assertEqual(process.returncode, 0)
        self.check_lines(bytes(text), sources, lines, size)
        self.assertLess(peak(listener.process) - before, 16)
        self.assertEqual(listener.stop(), 0)

    def test_parts_of_lines_of_several_sources(self):
        listener = self.listen()
        script = "import sys, time\nfor c in sys.argv[1] * 20 + '\\n':\n print(c, end='', flush=True); time.sleep(.01)"
        running = [self.run_program(listener, "--name", name, listener.address, "--", sys.executable, "-c", script, name)
                   for name in "abc"]
        self.assertEqual([process.wait(PATIENCE) for process in running], [0, 0, 0])
        shown = listener.expect_lines(3)
        self.assertEqual(sorted(shown), [b"a: " + b"a" * 20, b"b: " + b"b" * 20, b"c: " + b"c" * 20])
        self.assertEqual(listener.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
