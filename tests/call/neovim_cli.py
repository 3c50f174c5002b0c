#!/usr/bin/env python3
"""Proves that brine call calls a server that has nothing of ours in it."""
import os, shutil, subprocess, sys, time, unittest
from cli_support import *

if not shutil.which('nvim'):
    print('skipped: no nvim (Debian: apt-get install neovim)')
    sys.exit(77)


class Neovim(unittest.TestCase):
    def setUp(self):
        path = os.path.join(folder.name, 'nvim.sock')
        self.process = subprocess.Popen(['nvim', '--headless', '-u', 'NONE', '-i', 'NONE', '--listen', path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = 'msgpack-rpc+unix://' + path
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.05)

    def tearDown(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def test_calls(self):
        self.assertEqual(call(self.address, 'nvim_eval', '-s', '1+1'), (0, b'2\n', ''))
        self.assertEqual(call(self.address, 'nvim_buf_set_lines', '0', '0', '-1', 'true', '["a","b"]'), (0, b'null\n', ''))
        self.assertEqual(call(self.address, 'nvim_buf_get_lines', '{"$ext":[0,"AQ=="]}', '0', '-1', 'true')[:2],
                         (0, b'["a","b"]\n'))
        self.assertEqual(call(self.address, 'nvim_get_current_buf')[:2], (0, b'{"$ext":[0,"AQ=="]}\n'))
        status, output, errors = call(self.address, 'nvim_eval', '-s', '1+')
        self.assertEqual((status, output), (1, b''))
        self.assertIn('Invalid expression', errors)
        # This one drops what it has not begun when its caller closes, so that a notification may need another try.
        deadline = time.monotonic() + PATIENCE
        noted = 0
        while not noted and time.monotonic() < deadline:
            self.assertEqual(call('--notify', self.address, 'nvim_command', '-s', 'let g:noted = 1'), (0, b'', ''))
            noted = int(call(self.address, 'nvim_eval', '-s', 'exists("g:noted")')[1])
        self.assertEqual(noted, 1)


if __name__ == '__main__':
    main()
