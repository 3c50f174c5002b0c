#!/usr/bin/env python3
"""Proves that the order of the files in a descriptor set, or in protoc's request, changes nothing: not what brine says, not
the C that is generated; and that sets which no protoc writes (circles, files missing or twice, types missing or twice,
structs without an end) are errors that name what and where, whatever their size.
Usage: order_cli.py BRINE PROTOC-GEN-BRINE PROTO-FOLDER"""
import itertools, os, resource, subprocess, sys, tempfile, unittest

BRINE, PLUGIN, PROTOS = map(os.path.abspath, sys.argv[1:4])
SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'order')
OWN = ['zones.proto', 'shapes.proto', 'board.proto', 'api.proto']
TYPES = ['order.zones.Point', 'Zone', 'Corner', 'Frame', 'Shape', 'Board', 'Request', 'Reply', 'keep', 'Draw/Keep']
SECONDS_MOST = 40  # of the processor: what takes longer grows faster than its input
PACKED = {bool: lambda v: b'\xc3' if v else b'\xc2', type(None): lambda v: b'\xc0', int: lambda v: pack_int(v),
          str: lambda v: bytes([0xa0 | len(v)]) + v.encode(), list: lambda v: bytes([0x90 | len(v)]) + b''.join(map(pack, v)),
          dict: lambda v: bytes([0x80 | len(v)]) + b''.join(pack(k) + pack(w) for k, w in v.items())}


def pack_int(value):
    return bytes([value]) if value < 128 else b'\xcd' + value.to_bytes(2, 'big')


def pack(value):
    return PACKED[type(value)](value)


def frames(*messages):
    return b''.join(pack_int(len(body)) + body for body in map(pack, messages))


def varint(value):
    out = b''
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def put(number, value):
    """One field of protobuf: a varint, or text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def proto(name, *parts, imports=()):
    """A file of the package that its name begins with."""
    package = name.split('.')[0]
    return put(1, name) + put(2, package) + b''.join(put(3, path) for path in imports) + b''.join(parts) + put(12, 'proto3')


def message(name, *fields):
    return put(4, put(1, name) + b''.join(fields))


def member(number, type_name, embed=True, label=1):
    options = put(8, put(50830, put(7, 1))) if embed else b''
    return put(2, put(1, 'f%d' % number) + put(3, number) + put(4, label) + put(5, 11) + put(6, type_name) + options)


def text(number):
    return put(2, put(1, 'f%d' % number) + put(3, number) + put(4, 1) + put(5, 9))


def service(name, type_name):
    return put(6, put(1, name) + put(2, put(1, 'M') + put(2, type_name) + put(3, type_name)))


def file_set(files):
    return b''.join(put(1, file) for file in files)


def unpack(data):
    """The fields of a protobuf message that have a length."""
    at, found = 0, []

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = data[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
    while at < len(data):
        key, value = take(), take()
        if key & 7 == 2:
            found.append((key >> 3, data[at:at + value]))
            at += value
    return found


def run(*arguments, stdin=b''):
    done = subprocess.run(arguments, input=stdin, capture_output=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MOST, SECONDS_MOST)))
    assert b'Sanitizer' not in done.stderr and b'runtime error' not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout, done.stderr.decode()


def compile_request(files, names):
    """What protoc-gen-brine answers: its error (None: none) and its files."""
    request = b''.join(put(1, name) for name in names) + b''.join(put(15, file) for file in files)
    status, output, errors = run(PLUGIN, stdin=request)
    assert status == 0, errors
    fields = unpack(output)
    error = [value.decode() for number, value in fields if number == 1]
    return error[0] if error else None, sorted(value for number, value in fields if number == 15)


def name_of(file):
    return dict(unpack(file))[1].decode()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    def say(self, files):
        """All that brine says of a set: exit statuses and outputs."""
        path = self.write('set.desc', file_set(files))
        return [run(BRINE, 'describe', path), run(BRINE, 'describe', path, *TYPES),
                run(BRINE, 'call', '--template', '--schema', path, 'Draw/Put'),
                run(BRINE, 'dump', '--json', '--schema', path, *self.recorded),
                run(BRINE, 'dump', '--schema', path, *self.recorded)]


class Orders(Case):
    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder.name, 'protoc.desc')
        subprocess.run(['protoc', '-I', SCHEMAS, '-I', PROTOS, '--include_imports', '--include_source_info', '-o', path,
                        'api.proto'], check=True)
        with open(path, 'rb') as file:
            self.files = [value for _, value in unpack(file.read())]
        self.own = [file for file in self.files if name_of(file) in OWN]
        self.others = [file for file in self.files if name_of(file) not in OWN]
        self.assertEqual([name_of(file) for file in self.own], OWN)
        point, zone = [3, 4, 'start'], [[[5, 1]], {'north': [6, 0]}, 2]
        frame = [point, [7, 8, 'end'], zone]
        shape = [frame, None, None, 2, {9: frame}]
        board = [shape, [shape, [frame, point]], {'park': zone}, {'window': frame}, 1]
        self.recorded = [self.write('c2s', frames([0, 1, 'order.api.Draw/Put', [board, point, None]], [0, 2, 'keep', board],
                                                  [0, 3, 'order.api.Draw/Watch', [board], {'win': 2}])),
                         self.write('s2c', frames([1, 1, None, [[0, 1, 2], shape]], [3, 3, shape], [1, 3, None, None],
                                                  [1, 2, None, zone]))]

    def orders(self):
        for own in itertools.permutations(self.own):
            yield self.others + list(own)
        yield self.own[::-1] + self.others
        yield self.files[::-1]

    def test_brine_says_the_same_of_each_order(self):
        wanted = self.say(self.files)
        self.assertEqual([status for status, _, _ in wanted], [0] * 5, wanted)
        dumped = wanted[-1][1].decode()
        self.assertIn('to={x=7, y=8, label="end"}, zone={corners=[{at=5, side=RIGHT}], by_name={"north": {at=6, side=LEFT}}, '
                      'colour=GREEN}', dumped)
        # Of two methods with one name the one stays whose file is imported.
        self.assertIn('(first={frame=', [line for line in dumped.splitlines() if 'keep' in line][0])
        self.assertIn(b'order.board.Archive/Keep', wanted[1][1])
        for files in self.orders():
            with self.subTest([name_of(file) for file in files]):
                self.assertEqual(self.say(files), wanted)

    def test_the_same_c_is_made_of_each_order(self):
        error, wanted = compile_request(self.files, OWN)
        self.assertIsNone(error)
        self.assertEqual(len(wanted), 2 * len(OWN))
        for files in self.orders():
            self.assertEqual(compile_request(files, OWN[::-1]), (None, wanted))

    def test_versions_are_compared_in_each_order(self):
        # The C type of "label" becomes bytes, its number stays.
        changed = [file.replace(b'\x28\x09\x52\x05label', b'\x28\x0c\x52\x05label') for file in self.files]
        self.assertNotEqual(changed, self.files)
        older = self.write('old.desc', file_set(self.files[::-1]))
        self.assertEqual(run(PLUGIN, '--check', older, self.write('new.desc', file_set(self.files))), (0, b'', ''))
        said = {run(PLUGIN, '--check', older, self.write('new.desc', file_set(files)))[:2] for files in (changed, changed[::-1])}
        self.assertEqual(said, {(1, b'zones.proto:15:3: field "label" was string and is bytes (was zones.proto:15:3)\n')})

    def test_structs_are_laid_out_behind_what_they_hold(self):
        # Neither an import nor the place in the file says that B comes first: A embeds it, and holds it in a map.
        entry = put(3, put(1, 'F3Entry') + put(2, put(1, 'key') + put(3, 1) + put(4, 1) + put(5, 9))
                    + put(2, put(1, 'value') + put(3, 2) + put(4, 1) + put(5, 11) + put(6, '.a.C')) + put(7, put(7, 1)))
        a = proto('a.x', put(4, put(1, 'A') + member(1, '.b.B') + text(2) + member(3, '.a.A.F3Entry', False, 3) + entry),
                  message('C', *map(text, range(1, 6))), service('S', '.a.A'))
        b = proto('b.x', message('B', *map(text, range(1, 9))))
        words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight']
        recorded = self.write('c2s', frames([0, 1, 'a.S/M', [words, 'end', {'key': words[:5]}]]))
        for files in ([a, b], [b, a]):
            status, output, _ = run(BRINE, 'dump', '--schema', self.write('set.desc', file_set(files)), recorded)
            self.assertEqual(status, 0)
            fields = ['f%d="%s"' % (i + 1, word) for i, word in enumerate(words)]
            self.assertIn('f1={%s}, f2="end", f3={"key": {%s}}' % (', '.join(fields), ', '.join(fields[:5])), output.decode())

    def test_a_file_that_comes_twice_is_one(self):
        wanted = self.say(self.files)
        # As cat(1) of two sets makes it.
        self.assertEqual(self.say(self.files + self.files[::-1]), wanted)
        self.assertEqual(compile_request(self.files * 2, OWN), compile_request(self.files, OWN))


A_HOLDS_B = message('A', member(1, '.b.B'))
B_HOLDS_A = message('B', member(1, '.a.A'))
CHAIN = [proto('f%d.x' % i, message('M', *([member(1, '.f%d.M' % (i + 1))] if i < 40 else [])),
               imports=['f%d.x' % (i + 1)] if i < 40 else []) for i in range(41)]
DOUBLING = proto('a.proto', message('M0', text(1)),
                 *[message('M%d' % i, member(1, '.a.M%d' % (i - 1)), member(2, '.a.M%d' % (i - 1))) for i in range(1, 28)])
# What is said of sets that no protoc writes.
FAULTS = [
    ('two files whose messages embed each other', 'a.proto: "f1" embeds message "B", which embeds this one, itself or by way of others',
     [proto('a.proto', A_HOLDS_B, imports=['b.proto']), proto('b.proto', B_HOLDS_A)]),
    ('the same of three', 'a.proto: "f1" embeds message "B", which embeds this one, itself or by way of others',
     [proto('a.proto', A_HOLDS_B), proto('b.proto', message('B', member(1, '.c.C'))),
      proto('c.proto', message('C', member(1, '.a.A')), imports=['a.proto'])]),
    ('one file whose messages embed each other', 'a.proto: "f1" embeds message "B", which must stand before this one',
     [proto('a.proto', message('A', member(1, '.a.B')), message('B', member(1, '.a.A')))]),
    ('a message that embeds itself', 'a.proto: "f1" embeds message "A", which must stand before this one',
     [proto('a.proto', message('A', member(1, '.a.A')))]),
    ('structs without end', 'makes messages embed each other deeper than 28 levels', CHAIN),
    ('structs that double', 'message "M15" has 98302 fields with those of the messages that it embeds, at most 65536', [DOUBLING]),
    ('files that import each other', 'b.proto: "a.proto" cannot be imported here, for it imports this file',
     [proto('a.proto', imports=['b.proto']), proto('b.proto', imports=['a.proto'])]),
    ('a file that imports itself', 'a.proto: "a.proto" cannot be imported here', [proto('a.proto', imports=['a.proto'])]),
    ('a file that is not there',
     'a.proto: type ".b.B" of field "f1" is unknown: "b.proto", which a.proto imports, is not there (protoc --include_imports',
     [proto('a.proto', A_HOLDS_B, imports=['b.proto'])]),
    ('the import of an import', 'unknown: "b.proto", which c.proto imports, is not there',
     [proto('a.proto', A_HOLDS_B, imports=['c.proto']), proto('c.proto', imports=['b.proto'])]),
    ('a type that is not there', 'a.proto: type ".b.B" of field "f1" is unknown\n', [proto('a.proto', A_HOLDS_B)]),
    ('a request that is not there', 'a.proto: type ".b.B" of method "M" is unknown\n', [proto('a.proto', service('S', '.b.B'))]),
    ('a file twice', 'file "b.proto" is there twice, with different contents\n',
     [proto('a.proto', A_HOLDS_B), proto('b.proto', message('B')), proto('b.proto', message('B', text(1)))]),
    ('a message twice', 'b.x: "b.B" is defined already (b.proto)\n', [proto('b.proto', message('B')), proto('b.x', message('B'))]),
    ('a service twice', 'b.x: "b.S" is defined already (b.proto)\n',
     [proto('a.proto', message('A')), proto('b.proto', service('S', '.a.A')), proto('b.x', service('S', '.a.A'))]),
    ('a service for a type', 'a.proto: "b.S" is a service, not a type\n',
     [proto('a.proto', message('A', member(1, '.b.S'))), proto('b.proto', service('S', '.a.A'))]),
    ('a package that would colour the terminal', 'a.proto: "\\x1b[31m" is no name for a package\n',
     [put(1, 'a.proto') + put(2, '\x1b[31m') + message('A') + put(12, 'proto3')]),
    ('more files than any project has', '4097 files, at most 4096 are allowed\n', [proto('f%d.x' % i) for i in range(4097)]),
]


class Faults(Case):
    def test_faults_are_told_alike_in_each_order(self):
        for name, wanted, files in FAULTS:
            with self.subTest(name):
                said, errors = set(), set()
                for order in (files, files[::-1]):
                    path = self.write('set.desc', file_set(order))
                    said.add(run(BRINE, 'describe', path))
                    errors.add(compile_request(order, [name_of(files[0])])[0])
                self.assertEqual((len(said), len(errors)), (1, 1))
                (status, output, text), error = said.pop(), errors.pop()
                self.assertEqual((status, output), (2, b''))
                self.assertIn(wanted, text)
                self.assertIn(wanted.rstrip('\n'), error)
                with open(path, 'wb') as file:
                    file.write(file_set(files))
                self.assertEqual(run(PLUGIN, '--check', path, path)[0], 2)

    def test_what_is_not_needed_may_be_missing(self):
        path = self.write('set.desc', file_set([proto('a.proto', message('A'), service('S', '.a.A'), imports=['b.proto'])]))
        self.assertEqual(run(BRINE, 'describe', path), (0, b'a.S/M(a.A) returns (a.A)\n', ''))

    def test_a_file_to_be_generated_is_there(self):
        error, files = compile_request([proto('a.proto')], ['b.proto'])
        self.assertIn('file "b.proto" is to be generated and is not there', error)
        self.assertEqual(files, [])

    def test_the_place_of_bad_bytes_is_told(self):
        good = file_set([proto('a.proto', message('A'))])
        for bad in (good + b'\x0a\x7f', good + put(1, put(1, 'b.proto') + b'\x0a\x7f')):
            status, _, errors = run(BRINE, 'describe', self.write('set.desc', bad))
            self.assertEqual(status, 2)
            self.assertRegex(errors, r'set.desc is no descriptor set \(fault at byte %d or behind\)' % (len(bad)))


class Sizes(Case):
    def describe(self, files):
        return run(BRINE, 'describe', self.write('set.desc', file_set(files)), 'S/M')

    def test_many_messages_embed_one(self):
        many = 400000
        file = proto('a.proto', message('M'), *[message('M%d' % i, member(1, '.a.M')) for i in range(many)],
                     service('S', '.a.M%d' % (many - 1)))
        status, output, errors = self.describe([file])
        self.assertEqual((status, errors), (0, ''))
        self.assertIn(b'a.M f1 = 1;', output)

    def test_long_chains(self):
        many = 4096
        chain = [proto('f%d.x' % i, message('M', *([member(1, '.f%d.M' % (i + 1), False)] if i + 1 < many else [])),
                       *([service('S', '.f0.M')] if i == 0 else []), imports=['f%d.x' % (i + 1)] if i + 1 < many else [])
                 for i in range(many)]
        for files in (chain, chain[::-1]):
            self.assertEqual(self.describe(files)[0], 0)
        chain[-1] = proto('f%d.x' % (many - 1), message('M'), imports=['f0.x'])
        status, _, errors = self.describe(chain)
        self.assertEqual(status, 2)
        self.assertIn('cannot be imported here', errors)

    def test_everybody_imports_everybody(self):
        names = ['f%04d.x' % i for i in range(1500)]
        files = [proto(name, imports=names[:i] * 2) for i, name in enumerate(names)]
        self.assertEqual(self.describe(files[::-1] + [proto('s.x', message('M'), service('S', '.s.M'))])[0], 0)

    def test_many_files_to_generate(self):
        files = [proto('f%d.x' % i) for i in range(4096)]
        error, made = compile_request(files, ['f%d.x' % (i % 4096) for i in range(400000)])
        self.assertIsNone(error)
        self.assertEqual(len(made), 2 * len(files))

    def test_comparisons_have_an_end(self):
        many = 4096
        values = put(5, put(1, 'E') + b''.join(put(2, put(1, 'V%d' % i) + put(2, i)) for i in range(many)))
        closed = put(8, put(50830, put(4, 1)))
        fields = [put(2, put(1, 'f%d' % i) + put(3, i) + put(4, 1) + put(5, 14) + put(6, '.a.E') + closed)
                  for i in range(1, many + 1)]
        services = [put(6, put(1, 'S%d' % i) + b''.join(put(2, put(1, 'M%d' % j) + put(2, '.a.M') + put(3, '.a.M'))
                                                        for j in range(many))) for i in range(25)]
        most = put(7, put(50830, put(3, many)))
        older = self.write('old.desc', file_set([proto('a.proto', values, put(4, put(1, 'M') + b''.join(fields) + most), *services)]))
        self.assertEqual(run(PLUGIN, '--check', older, older), (0, b'', ''))

    def test_templates_have_an_end(self):
        levels = [message('M%d' % i, *[member(n, '.a.M%d' % (i + 1), False) for n in range(1, 31)]) for i in range(9)]
        path = self.write('set.desc', file_set([proto('a.proto', *levels, message('M9', text(1)), service('S', '.a.M0'))]))
        status, output, errors = run(BRINE, 'call', '--template', '--compact', '--schema', path, 'M')
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(output.count(b'{'), 1 + 30 + 30 ** 2)


unittest.main(argv=sys.argv[:1], verbosity=1)
