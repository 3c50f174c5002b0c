#!/usr/bin/env python3
"""Proves what only the whole command shows: exit statuses, files and pipes of every kind, closed and full outputs, options,
colours, golden texts, and that its JSON is what the lists beside the captures say. Usage: dump_cli.py BRINE VECTORS [--golden]

--golden writes the golden files anew instead of comparing them."""
import ast, base64, collections, json, os, re, subprocess, sys, tempfile, unittest

BRINE, VECTORS = map(os.path.abspath, sys.argv[1:3])
GOLDEN = '--golden' in sys.argv
CAPTURES = os.path.join(VECTORS, 'captures')
NAMES = sorted(name[:-8] for name in os.listdir(CAPTURES) if name.endswith('.c2s.bin'))
SESSION = [os.path.join(CAPTURES, 'framed-session.%s.bin' % side) for side in ('c2s', 's2c')]
WORDS = {0: 'request', 1: 'response', 2: 'notification', 3: 'item', 4: 'upload', 8: 'cancel', 16: 'hello', 17: 'welcome',
         18: 'ping', 19: 'pong', 20: 'goaway'}
Ext = collections.namedtuple('Ext', 'code data')


def run(*arguments, stdin=b'', **more):
    done = subprocess.run([BRINE, *arguments], input=stdin, capture_output=True, timeout=60, **more)
    assert b'Sanitizer' not in done.stderr and b'runtime error' not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr.decode()


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def refuse(text):
    raise ValueError('not JSON: ' + text)


def records(output):
    return [json.loads(line, parse_constant=refuse) for line in output.decode('ascii').splitlines()]


def expected_objects(name, side):
    """Offset, length and object (None where the list cuts it) of one direction, out of NAME.txt."""
    with open(os.path.join(CAPTURES, name + '.txt'), encoding='utf-8') as file:
        part = file.read().split('# MessagePack objects in ')[1 if side == 'c2s' else 2]
    found = []
    for line in part.splitlines()[1:]:
        match = re.match(r' *(\d+) +(\d+) (.*)$', line)
        if match:
            text = re.sub(r'ExtType\(code=(-?\d+), data=(b.*?)\)', r'("ExtType", \1, \2)', match[3])
            try:
                value = ast.literal_eval(text)
            except SyntaxError:
                value = None
            found.append((int(match[1]), int(match[2]), value))
    return found


def to_json(value):
    """An object of the lists as the documented mapping writes it."""
    if isinstance(value, bytes):
        return {'$bin': base64.b64encode(value).decode()}
    if isinstance(value, tuple) and value[:1] == ('ExtType',):
        return {'$ext': [value[1], base64.b64encode(value[2]).decode()]}
    if isinstance(value, str) and any(0xdc80 <= ord(c) <= 0xdcff for c in value):
        return {'$str': base64.b64encode(value.encode('utf-8', 'surrogateescape')).decode()}
    if isinstance(value, int) and abs(value) >= 1 << 53:
        return {'$int': str(value)}
    if isinstance(value, list):
        return [to_json(element) for element in value]
    if isinstance(value, dict):
        return {key: to_json(element) for key, element in value.items()}
    return value


class Objects(unittest.TestCase):
    def check_record(self, record, message):
        kind = message[0]
        if kind not in WORDS:
            self.assertEqual(record['message'], to_json(message))
            return
        self.assertEqual(record['type'], WORDS.get(kind))
        if kind in (0, 1, 3, 4, 8):
            self.assertEqual(record['id'], message[1])
        rest = [to_json(element) for element in message[1 if kind in (2, 16, 17, 18, 19, 20) else 2:]]
        if kind in (0, 2):
            method = rest[0] if isinstance(rest[0], str) else base64.b64decode(rest[0]['$bin']).decode()
            self.assertEqual([record['method'], record['params'], record.get('opts')],
                             [method, rest[1], rest[2] if len(rest) > 2 else None])
        elif kind == 1:
            self.assertEqual([record.get('error'), record.get('result')], rest)
        elif kind in (3, 4):
            self.assertEqual(record.get('item', 'end' in record), rest[0] if rest else True)
        elif kind in (16, 17):
            self.assertEqual(record['hello'], rest[0])
        elif kind in (18, 19):
            self.assertEqual(record['token'], rest[0])
        elif kind == 20:
            self.assertEqual([record['code'], record['text'], record['grace_ms']], rest)

    def test_every_capture_decodes_to_its_list(self):
        compared = 0
        for name in NAMES:
            for side in ('c2s', 's2c'):
                path = os.path.join(CAPTURES, '%s.%s.bin' % (name, side))
                status, output, _ = run('dump', '--json', path)
                unsound = name == 'framed-session' and side == 'c2s'  # it ends in a reserved type
                self.assertEqual(status, 1 if unsound else 0, path)
                expected = expected_objects(name, side)
                if name == 'framed-session':
                    expected = expected[1::2]  # every other object is a length
                got = records(output)
                self.assertEqual(len(got), len(expected), path)
                self.assertEqual(sum(r.get('prefix', 0) + r['size'] for r in got), os.path.getsize(path))
                for record, (offset, size, value) in zip(got, expected):
                    self.assertEqual((record['offset'] + record.get('prefix', 0), record['size']), (offset, size))
                    if value is not None:
                        if kind_is_credit(value):
                            self.assertEqual(record['credit'], value[2])
                        else:
                            self.check_record(record, value)
                        compared += 1
        self.assertGreater(compared, 280)

    def test_both_directions_together_have_all_of_each(self):
        for name in NAMES:
            paths = [os.path.join(CAPTURES, '%s.%s.bin' % (name, side)) for side in ('c2s', 's2c')]
            together = records(run('dump', '--json', *paths)[1])
            for path, side in zip(paths, ('c2s', 's2c')):
                alone = records(run('dump', '--json', '--direction', side, path)[1])
                mine = [r for r in together if r['direction'] == side]
                self.assertEqual([r['offset'] for r in mine], [r['offset'] for r in alone])
            asked = {(r['direction'], r['id']): r['method'] for r in together if r['type'] == 'request'}
            answers = [r for r in together if r['type'] == 'response']
            self.assertTrue(answers)
            for r in answers:
                caller = 's2c' if r['direction'] == 'c2s' else 'c2s'
                self.assertEqual(r['method'], asked[caller, r['id']])
            # No answer before its question.
            seen = set()
            for r in together:
                if r['type'] == 'request':
                    seen.add((r['direction'], r['id']))
                elif r['type'] == 'response':
                    self.assertIn(('s2c' if r['direction'] == 'c2s' else 'c2s', r['id']), seen)


def kind_is_credit(value):
    return value[0] in (5, 6)


class Golden(unittest.TestCase):
    maxDiff = None

    def compare(self, name, *arguments):
        path = os.path.join(VECTORS, 'dump', name)
        _, output, errors = run('dump', *arguments)
        if GOLDEN:
            with open(path, 'wb') as file:
                file.write(output)
        self.assertEqual(output.decode(), read(path).decode(), errors)

    def test_framed(self):
        self.compare('framed-session.out', '--text-max', '40', *SESSION)

    def test_plain(self):
        self.compare('pynvim-vs-fake.out', '--text-max', '40',
                     *[os.path.join(CAPTURES, 'pynvim-vs-fake.%s.bin' % side) for side in ('c2s', 's2c')])

    def test_typed(self):
        paths = [os.path.join(VECTORS, 'dump', 'exchange.%s.bin' % side) for side in ('c2s', 's2c')]
        schema = os.path.join(VECTORS, 'dump', 'exchange.desc')
        self.compare('exchange.out', '--schema', schema, *paths)
        self.compare('exchange.json', '--json', '--schema', schema, *paths)


class Streams(unittest.TestCase):
    def feed_slowly(self, content, *arguments):
        process = subprocess.Popen([BRINE, 'dump', *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, bufsize=0)
        for at in range(len(content)):
            process.stdin.write(content[at:at + 1])
        output = process.communicate()[0]
        return process.returncode, output

    def test_byte_by_byte_is_the_same(self):
        for name in ('rpclib-server.s2c', 'nvim-as-client.c2s', 'npm-neovim.s2c'):
            path = os.path.join(CAPTURES, name + '.bin')
            self.assertEqual(self.feed_slowly(read(path)), run('dump', path)[:2])

    def test_standard_input(self):
        content = read(SESSION[1])
        whole = run('dump', SESSION[1])
        self.assertEqual(run('dump', stdin=content), whole)
        self.assertEqual(run('dump', '-', stdin=content), whole)
        self.assertEqual(run('dump', SESSION[0], '-', stdin=content), run('dump', *SESSION))

    def test_what_is_known_is_shown_before_more_comes(self):
        process = subprocess.Popen([BRINE, 'dump'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        process.stdin.write(bytes.fromhex('0392120a'))
        self.assertIn(b'ping          10', process.stdout.readline())
        process.stdin.close()
        self.assertEqual(process.wait(), 0)
        process.stdout.close()

    def test_empty_is_sound(self):
        self.assertEqual(run('dump', os.devnull), (0, b'', ''))

    def test_truncated_is_said(self):
        status, output, errors = run('dump', stdin=read(SESSION[1])[:30])
        self.assertEqual(status, 1)
        self.assertIn(b'truncated frame, have 30 of 41 bytes', output)
        self.assertIn('not sound', errors)

    def test_other_protocols_are_undecoded(self):
        status, output, _ = run('dump', '--json', stdin=b'GET / HTTP/1.1\r\n\r\n')
        self.assertEqual(status, 1)
        got = records(output)
        self.assertEqual(bytes.fromhex(''.join(r['hex'] for r in got)), b'GET / HTTP/1.1\r\n\r\n')
        self.assertEqual({r['type'] for r in got}, {'undecoded'})
        self.assertIn('HTTP', got[0]['fault'])

    def test_I09_files_of_every_kind(self):
        with tempfile.TemporaryDirectory() as folder:
            status, output, errors = run('dump', folder)
            self.assertEqual((status, output), (2, b''))
            self.assertIn('directory', errors)
            self.assertEqual(run('dump', os.path.join(folder, 'none'))[0], 2)
            fifo = os.path.join(folder, 'fifo')
            os.mkfifo(fifo)
            process = subprocess.Popen([BRINE, 'dump', fifo], stdout=subprocess.PIPE)
            with open(fifo, 'wb') as file:
                file.write(read(SESSION[1]))
            self.assertEqual(process.communicate()[0], run('dump', SESSION[1])[1])
            sparse = os.path.join(folder, 'sparse')
            with open(sparse, 'wb') as file:
                file.truncate(300 << 20)
            status, output, _ = run('dump', '--json', sparse)
            self.assertEqual(status, 1)
            self.assertEqual(sum(r['size'] for r in records(output)), 300 << 20)
            self.assertLess(len(output), 4096)

    def test_I09_endless_input(self):
        with open('/dev/zero', 'rb') as zero:
            process = subprocess.Popen([BRINE, 'dump'], stdin=zero, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertIn(b'00 x 67108864', process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(60), 141)
            self.assertEqual(process.stderr.read(), b'')
            process.stderr.close()

    def test_I11_closed_output(self):
        for preset in (True, False):  # whatever the parent did with SIGPIPE
            reader, writer = os.pipe()
            os.close(reader)
            process = subprocess.Popen([BRINE, 'dump', *SESSION], stdout=writer, stderr=subprocess.PIPE,
                                       restore_signals=preset)
            os.close(writer)
            self.assertEqual(process.communicate()[1], b'')
            self.assertEqual(process.returncode, 141)

    def test_I11_full_disk(self):
        for arguments in (['dump', *SESSION], ['dump', '--help'], ['--help'], ['--version']):
            with open('/dev/full', 'wb') as full:
                process = subprocess.run([BRINE, *arguments], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(process.returncode, 2)
            self.assertIn(b'cannot write the output', process.stderr)


class Options(unittest.TestCase):
    def test_help_fits_the_screen(self):
        for arguments in (['--help'], ['dump', '--help'], ['help', 'dump'], ['help']):
            status, output, _ = run(*arguments)
            self.assertEqual(status, 0)
            self.assertLessEqual(max(map(len, output.decode().splitlines())), 80)

    def test_version(self):
        self.assertRegex(run('--version')[1], rb'^brine \d+\.\d+\.\d+\n$')

    def test_wrong_usage_says_what_to_do(self):
        for arguments in ([], ['dmp'], ['--what'], ['help', 'dmp'], ['dump', '--what'], ['dump', '--max', '3'],
                          ['dump', '--max', 'x'], ['dump', '--wire', 'odd'], ['dump', '--schema'], ['dump', 'a', 'b', 'c'],
                          ['dump', '--text-max', '-1'], ['dump', '-', '-'], ['dump', '--direction', 'c2s', 'a', 'b'],
                          ['dump', '--color', 'sometimes'], ['dm\x1bp'], ['dump', '--max', '99999999999999999999']):
            status, output, errors = run(*arguments)
            self.assertEqual((status, output), (2, b''), arguments)
            self.assertIn('Try: brine', errors)
            self.assertNotIn('\x1b', errors)

    def test_max(self):
        self.assertEqual(run('dump', '--max', '69K', SESSION[1])[0], 0)
        status, output, _ = run('dump', '--max', '64K', SESSION[1])
        self.assertEqual(status, 1)
        self.assertIn(b'70009', output)
        self.assertEqual(run('dump', '--max', '64K', '--resync', SESSION[1])[0], 1)

    def test_wire_and_resync(self):
        middle = read(SESSION[1])[5:]
        status, output, _ = run('dump', '--resync', stdin=middle)
        self.assertEqual(status, 1)
        self.assertIn(b'response      #11', output)
        self.assertIn(b'undecoded', output)
        plain = read(os.path.join(CAPTURES, 'ruby-client.c2s.bin'))
        self.assertEqual(run('dump', '--wire', 'plain', stdin=plain)[0], 0)
        self.assertEqual(run('dump', '--wire', 'framed', stdin=plain)[0], 1)

    def test_colours(self):
        ping = bytes.fromhex('03921201')
        environment = {key: value for key, value in os.environ.items() if key != 'NO_COLOR'}
        self.assertNotIn(b'\x1b', run('dump', stdin=ping, env=environment)[1])
        self.assertIn(b'\x1b[', run('dump', '--color', 'always', stdin=ping, env=environment)[1])
        self.assertNotIn(b'\x1b', run('dump', '--json', '--color', 'always', stdin=ping)[1])
        for no_colour, expected in ((None, True), ('1', False)):
            primary, secondary = os.openpty()
            more = dict(environment, NO_COLOR=no_colour) if no_colour else environment
            process = subprocess.Popen([BRINE, 'dump'], stdin=subprocess.PIPE, stdout=secondary, env=more)
            process.communicate(ping)
            os.close(secondary)
            self.assertEqual(b'\x1b[' in os.read(primary, 4096), expected)
            os.close(primary)

    def test_I13_secrets(self):
        path = os.path.join(VECTORS, 'dump', 'exchange.c2s.bin')
        for more in ([], ['--json'], ['--hex'], ['--json', '--hex']):
            hidden, shown = run('dump', *more, path)[1], run('dump', '--show-secrets', *more, path)[1]
            self.assertNotIn(b'Bearer', hidden)
            self.assertIn(b'Bearer', shown)
            self.assertNotIn(b'426561726572', hidden)


class Schemas(unittest.TestCase):
    PROTO = 'syntax = "proto3";\npackage p;\nmessage Q { int32 x = 1; map<string, Q> m = 2; }\n' \
            'service S { rpc M(Q) returns (Q); }\n'
    CALL = bytes.fromhex('94 00 01 a5') + b'p.S/M' + bytes.fromhex('92 05 81 a1 61 92 06 80')

    def test_proto_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path, wrong, user = (os.path.join(folder, name) for name in ('-s.proto', 'wrong.proto', 'user.proto'))
            os.mkdir(os.path.join(folder, 'sub'))
            with open(path, 'w') as file:
                file.write(self.PROTO)
            with open(wrong, 'w') as file:
                file.write('syntax = "proto3";\nmessage Q {\n  int32 x = 70000;\n}\n')
            with open(os.path.join(folder, 'sub', 'q.proto'), 'w') as file:
                file.write('syntax = "proto3"; package p; message Q { int32 x = 1; }')
            with open(user, 'w') as file:
                file.write('syntax = "proto3"; package p; import "q.proto"; service S { rpc M(Q) returns (Q); }')
            status, output, errors = run('dump', '--schema', '-s.proto', stdin=self.CALL, cwd=folder)
            self.assertEqual((status, errors), (0, ''))
            self.assertIn(b'p.S/M(x=5, m={"a": {x=6, m={}}})', output)
            status, output, errors = run('dump', '--schema', wrong, stdin=self.CALL)
            self.assertEqual((status, output), (2, b''))
            self.assertRegex(errors, r'wrong\.proto:3:\d+')
            status, _, errors = run('dump', '--schema', user, stdin=self.CALL)
            self.assertEqual(status, 2)
            self.assertIn('q.proto', errors)
            status, output, _ = run('dump', '--schema', user, '-I', os.path.join(folder, 'sub'), stdin=self.CALL)
            self.assertEqual(status, 0)
            self.assertIn(b'the schema does not fit', output)
            status, _, errors = run('dump', '--schema', path, stdin=self.CALL, env={'PATH': folder})
            self.assertEqual(status, 2)
            self.assertIn('protobuf-compiler', errors)

    def test_what_is_no_schema(self):
        for path in (SESSION[0], os.devnull + 'x', VECTORS):
            status, output, errors = run('dump', '--schema', path, SESSION[1])
            self.assertEqual((status, output), (2, b''))
            self.assertTrue(errors.startswith('brine dump: '), errors)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
