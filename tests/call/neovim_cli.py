#!/usr/bin/env python3
"""Proves that brine call calls a server that has nothing of ours in it."""
import os, shutil, socket, subprocess, sys, time, unittest
from cli_support import *

if not shutil.which('nvim'):
    print('skipped: no nvim (Debian: apt-get install neovim)')
    sys.exit(77)


class Neovim(unittest.TestCase):
    def setUp(self):
        self.path = path = os.path.join(folder.name, 'nvim.sock')
        self.process = subprocess.Popen(['nvim', '--headless', '-u', 'NONE', '-i', 'NONE', '--listen', path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = 'msgpack-rpc+unix://' + path
        deadline = time.monotonic() + PATIENCE
        while not self.listens() and time.monotonic() < deadline:
            time.sleep(0.05)

    def listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.path) == 0

    def tearDown(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        os.unlink(self.path)

    def test_calls(self):
        self.assertEqual(call(self.address, 'nvim_eval', '-s', '1+1'), (0, b'2\n', ''))
        self.assertEqual(call(self.address, 'nvim_buf_set_lines', '0', '0', '-1', 'true', '["a","b"]'), (0, b'null\n', ''))
        self.assertEqual(call(self.address, 'nvim_buf_get_lines', '{"$ext":[0,"AQ=="]}', '0', '-1', 'true')[:2],
                         (0, b'["a","b"]\n'))
        self.assertEqual(call(self.address, 'nvim_get_current_buf')[:2], (0, b'{"$ext":[0,"AQ=="]}\n'))
        status, output, errors = call(self.address, 'nvim_eval', '-s', '1+')
        self.assertEqual((status, output), (1, b''))
        self.assertIn('Invalid expression', errors)

    def test_notifications(self):
        """Neovim drops what it has not begun when its caller closes. So what the command sent goes there by a connection that
        stays, and a request behind it, which is answered in its turn, tells what the notification did."""
        answers = []

        def relay(connection):
            sent = b''.join(iter(lambda: connection.recv(65536), b''))
            with socket.socket(socket.AF_UNIX) as neovim:
                neovim.settimeout(PATIENCE)
                neovim.connect(self.path)
                neovim.sendall(sent + msgpack.packb([0, 7, 'nvim_eval', ['g:noted']]))
                answers.append(read_message(neovim)[0])
        with Peer(relay) as peer:
            self.assertEqual(call('--notify', 'msgpack-rpc://' + peer.address, 'nvim_command', '-s', 'let g:noted = 41 + 1'),
                             (0, b'', ''))
        self.assertEqual(answers, [[1, 7, None, 42]])


if __name__ == '__main__':
    main()
