#!/usr/bin/env python3
"""Proves what brine call does as a whole: calls with and without a schema, framed and plain servers over TCP and Unix sockets,
every option, hostile answers, and that what brine dump --json prints comes back as the same bytes."""
import json, os, random, subprocess, unittest
from cli_support import *

import msgpack  # behind cli_support, which looks for it


def setUpModule():
    global server, exchange
    server, exchange = Server(CALL_SERVER), Server(EXCHANGE_SERVER)


class Untyped(unittest.TestCase):
    ARGUMENTS = ['1', '-5', '2.5', 'true', 'null', '"text"', '[1,[2]]', '{"a":{"b":[]}}', '{"$bin":"AAE="}',
                 '{"$ext":[5,"AA=="]}', '{"$int":"18446744073709551615"}', '{"$map":[[1,2],[1,3]]}', '{"$float":"NaN"}']

    def test_both_wires_and_transports(self):
        for address in (server.tcp, server.unix, server.plain_tcp, server.plain_unix):
            status, output, errors = call(address, 'echo', *self.ARGUMENTS)
            self.assertEqual((status, errors), (0, ''))
            self.assertEqual(output.decode(), '[%s]\n' % ','.join(self.ARGUMENTS))

    def test_no_arguments(self):
        self.assertEqual(call(server.tcp, 'echo'), (0, b'[]\n', ''))

    def test_the_next_address_is_tried(self):
        nobody = 'tcp://127.0.0.1:1,unix://' + os.path.join(folder.name, 'nobody')
        self.assertEqual(call(nobody + ',' + server.unix, 'echo', '1'), (0, b'[1]\n', ''))

    def test_strings_and_files(self):
        path = path_with('argument.json', '{\n "a": [1, 2]\n}\n')
        status, output, errors = call(server.tcp, 'echo', '-s', '-x', '@' + path, '-', '--string', '@"\n\x1b', stdin=b' 7\n')
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(json.loads(output), ['-x', {'a': [1, 2]}, 7, '@"\n\x1b'])
        self.assertNotIn(b'\x1b', output)
        self.assertEqual(call(server.tcp, 'echo', '@-', stdin=b'"x"'), (0, b'["x"]\n', ''))
        self.assertEqual(call(server.tcp, 'echo', '--', '-5', '1'), (0, b'[-5,1]\n', ''))

    def test_large_messages(self):
        text = '"%s"' % ('x' * 3000000)
        status, output, errors = call(server.tcp, 'echo', '-', stdin=text.encode())
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(output.decode(), '[%s]\n' % text)

    def test_layout_of_the_output(self):
        pretty = b'[\n  1,\n  {\n    "a": 2\n  }\n]\n'
        self.assertEqual(call('--pretty', server.tcp, 'echo', '1', '{"a": 2}')[1], pretty)
        self.assertEqual(call('--pretty', '--compact', server.tcp, 'echo', '1', '{"a": 2}')[1], b'[1,{"a":2}]\n')
        for arguments, expected in ((['echo', '1', '{"a": 2}'], pretty), (['--compact', 'echo', '1'], b'[1]\n')):
            primary, secondary = os.openpty()
            done = subprocess.run([BRINE, 'call', server.tcp, *arguments], stdin=subprocess.DEVNULL, stdout=secondary,
                                  timeout=PATIENCE)
            os.close(secondary)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(os.read(primary, 4096).replace(b'\r\n', b'\n'), expected)
            os.close(primary)

    def test_notifications(self):
        for address in (server.tcp, server.plain_unix):
            self.assertEqual(call('--notify', address, 'echo', '1'), (0, b'', ''))
            self.assertEqual(server.line(), 'notified')

    def test_errors_of_the_server(self):
        for address in (server.tcp, server.plain_tcp):
            status, output, errors = call(address, 'nosuch')
            self.assertEqual((status, output), (1, b''))
            self.assertIn('no such method', errors)
        status, output, errors = call(server.tcp, 'calls.Calls/Count', '5')
        self.assertEqual((status, output), (1, b''))
        self.assertIn('--schema', errors.splitlines()[1])

    def test_answers_are_harmless_text(self):
        hostile = b'\x1b]0;x\x07\r\x7f\xc2\x9b\xe2\x80\xae'
        with Peer(answering(msgpack.packb([hostile.decode(), {hostile.decode(): 1}]))) as peer:
            status, output, errors = call('msgpack-rpc://' + peer.address, 'm')
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(json.loads(output), [hostile.decode(), {hostile.decode(): 1}])
        self.assertRegex(output, rb'\A[ -~]+\n\Z')

        def fail(connection):
            message, _ = read_message(connection)
            connection.sendall(msgpack.packb([1, message[1], [7, hostile.decode(), {'\x1b': '\x1b'}], None]))
            connection.recv(1)
        for more in ([], ['--json-errors']):
            with Peer(fail) as peer:
                status, output, errors = call(*more, 'msgpack-rpc://' + peer.address, 'm')
            self.assertEqual((status, output), (1, b''))
            self.assertRegex(errors, r'\A([ -~]+\n){1,2}\Z')
            self.assertIn('\\u001b', errors.lower())


class Typed(unittest.TestCase):
    def place(self, request, *more, address=None):
        return call(*EXCHANGE, *more, address or exchange.unix, 'Place', json.dumps(request))

    def test_an_order(self):
        for address in (exchange.tcp, exchange.unix, exchange.plain_tcp, exchange.plain_unix):
            status, output, errors = self.place({'symbol': 'ACME', 'quantity': '10', 'clientReference': 'r\u00e9f',
                                                 'limit': 5, 'side': 'SIDE_BUY', 'tags': {'a': 'b'},
                                                 'good_until': '2030-01-01T00:00:00Z'}, address=address)
            self.assertEqual((status, errors), (0, ''))
            receipt = json.loads(output)
            self.assertEqual(receipt['client_reference'], 'r\u00e9f')
            self.assertEqual(receipt['open_quantity'], '5')
            self.assertEqual(receipt['fills'][0]['price'], '12050')
            self.assertRegex(receipt['accepted_at'], r'^20\d\d-\d\d-\d\dT')

    def test_names_of_the_method(self):
        for name in ('Quote', 'Exchange.Quote', 'exchange.Exchange/Quote'):
            status, output, _ = call(*EXCHANGE, exchange.tcp, name, '{"symbols": ["BRINE"]}')
            self.assertEqual(status, 0)
            self.assertEqual(json.loads(output)['quotes']['BRINE']['bid'], '4199')

    def test_descriptor_sets(self):
        path = os.path.join(folder.name, 'exchange.desc')
        subprocess.run(['protoc', '--include_imports', '--descriptor_set_out=' + path, '-I', PROTOS,
                        os.path.join(PROTOS, 'exchange.proto')], check=True)
        self.assertEqual(call('--schema', path, exchange.tcp, 'Note', '{"text": "x"}'), (0, b'{}\n', ''))

    def test_no_argument_is_an_empty_request(self):
        self.assertEqual(call(*EXCHANGE, exchange.tcp, 'Quote'), (0, b'{"quotes":{}}\n', ''))

    def test_notifications(self):
        self.assertEqual(call(*EXCHANGE, '--notify', exchange.tcp, 'Note', '{"text": "from a test"}'), (0, b'', ''))
        while 'from a test' not in exchange.line():
            pass

    def test_error_data(self):
        request = {'symbol': 'ACME', 'quantity': 5000}
        status, output, errors = self.place(request)
        self.assertEqual((status, output), (1, b''))
        self.assertEqual(errors, 'brine call: the quantity must be 1 to 1000 (error 100 from the server)\n'
                                 'data: [2,"ACME",1000]\n')
        errors = self.place(request, '--error-type', 'Rejection')[2]
        rejection = {'reason': 'REASON_BAD_QUANTITY', 'symbol': 'ACME', 'limit': '1000'}
        self.assertEqual(json.loads(errors.splitlines()[1][len('data: '):]), rejection)
        status, output, errors = self.place(request, '--error-type', 'exchange.Rejection', '--json-errors')
        self.assertEqual((status, output), (1, b''))
        self.assertEqual(json.loads(errors), {'status': 1, 'error': 'REMOTE', 'code': 100, 'data': rejection,
                                              'text': 'the quantity must be 1 to 1000'})
        # Data that are something else are shown as they are.
        self.assertIn('data: [2,"ACME",1000]', self.place(request, '--error-type', 'Order')[2])

    def test_metadata(self):
        path = path_with('secret', 'hunter2\r\n')
        status, output, errors = call(*CALLS, '-m', 'user=me', '--metadata', 'token=@' + path, '-m', 'a==b', server.tcp,
                                      'Metadata')
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(json.loads(output), {'value': {'user': 'me', 'token': 'hunter2', 'a': '=b'}})

    def test_metadata_is_never_printed(self):
        nobody = 'unix://' + os.path.join(folder.name, 'nobody')
        for arguments in (['-m', 'token=hunter2', server.plain_tcp, 'm'], ['-m', '=hunter2', server.tcp, 'm'],
                          ['-m', 'hunter2', server.tcp, 'm'], ['-m', 'token=hunter2', nobody, 'm'],
                          ['-m', 'token=hunter2' + 'x' * 9000, server.tcp, 'echo']):
            status, output, errors = call(*arguments)
            self.assertIn(status, (2, 3), arguments)
            self.assertNotIn('hunter2', errors)
            self.assertEqual(output, b'')

    def test_templates_are_requests(self):
        status, output, errors = call(*EXCHANGE, '--template', 'Place')
        self.assertEqual((status, errors), (0, ''))
        template = json.loads(output)
        self.assertEqual(set(template), {'symbol', 'side', 'quantity', 'limit', 'client_reference', 'good_until', 'tags'})
        self.assertEqual(call(*EXCHANGE, '--template', exchange.tcp, 'Place')[1], output)
        template.update(symbol='ACME', quantity=1)
        self.assertEqual(self.place(template)[0], 0)

    def test_what_does_not_fit_is_not_sent(self):
        nobody = 'unix://' + os.path.join(folder.name, 'nobody')
        for request, text in (('{"symbl": "ACME"}', 'no field "symbl"; it has symbol'), ('[1]', 'found an array'),
                              ('{"quantity": "x"}', 'field quantity'), ('{"limit": 1, "stop": 2}', 'oneof'),
                              ('{"side": "BUY"}', 'SIDE_BUY'), ('{"good_until": "soon"}', 'field good_until'),
                              ('{"tags": {"a": 1}}', 'field tags[0].value'), ('{"symbol": "a", "symbol": "b"}', 'duplicate')):
            status, output, errors = call(*EXCHANGE, nobody, 'Place', request)
            self.assertEqual((status, output), (2, b''), request)
            self.assertIn(text, errors)


class Usage(unittest.TestCase):
    def test_help_fits_the_screen(self):
        for arguments in (['call', '--help'], ['call', '-h'], ['help', 'call']):
            status, output, errors = run(*arguments)
            self.assertEqual((status, errors), (0, ''))
            self.assertLessEqual(max(map(len, output.decode().splitlines())), 80)
            self.assertIn(b'Exit status: 0', output)

    def test_wrong_usage_says_what_to_do(self):
        for arguments in ([], ['tcp://127.0.0.1:1'], ['--what', server.tcp, 'm'], ['-q', server.tcp, 'm'],
                          [server.tcp, 'm', '--timeout'], [server.tcp, 'm', '--timeout', '0'], [server.tcp, 'm', '--timeout', 'x'],
                          [server.tcp, 'm', '--timeout', '5 s'], [server.tcp, 'm', '--timeout', '-1'],
                          [server.tcp, 'm', '--timeout', '99999999999999999999'],
                          [server.tcp, 'm', '--timeout', '9999999999999999999h'], ['--template', 'm'],
                          [*CALLS, '--template', server.tcp, 'Sum', '{}'], ['--error-type', 'X', server.tcp, 'm'],
                          [*CALLS, server.tcp, 'Same', '{}', '{}'], [server.tcp, 'm', '-', '@-'], ['nonsense', 'm'],
                          ['tcp://127.0.0.1', 'm'], [server.tcp, 'm', '--metadata', 'x'],
                          [server.tcp, 'm', *['-m', 'a=b'] * 65], ['--wh\x1bat', server.tcp, 'm']):
            status, output, errors = call(*arguments)
            self.assertEqual((status, output), (2, b''), arguments)
            self.assertIn('Try: brine call --help', errors)
            self.assertEqual(len(errors.splitlines()), 2)
            self.assertNotIn('\x1b', errors)

    def test_arguments_that_are_no_json(self):
        for argument, text in (('hello', '--string'), ('\x1b[2J', '\\x1b[2J'), ('{"a": 1,}', 'line 1'), ('[1', 'argument 1'),
                               ('', 'argument 1'), ('1 2', 'end of file'), ('{"a":1,"a":2}', 'duplicate'), ('"\ud800"', ''),
                               ('18446744073709551616', '$int'), ('[' * 3000, 'depth'), ('[' * 31 + ']' * 31, 'nested'),
                               ('{"$bin": "?"}', 'base64'), ('{"$what": 1}', '$map'), ('@' + folder.name, 'directory'),
                               ('@' + os.path.join(folder.name, 'none'), 'cannot open')):
            status, output, errors = call(server.tcp, 'echo', argument.encode('utf-8', 'surrogatepass'))
            self.assertEqual((status, output), (2, b''), argument)
            self.assertIn(text, errors)
            self.assertLessEqual(len(errors.splitlines()), 2)
            self.assertRegex(errors, r'\A([ -~]+\n)+\Z')
        self.assertEqual(call(server.tcp, 'echo', '[' * 30 + ']' * 30)[0], 0)
        self.assertEqual(call(server.tcp, 'echo', '-', stdin=b' ' * (33 << 20))[0], 2)
        self.assertEqual(call(server.tcp, 'echo', '-s', b'\xff')[0], 2)

    def test_names_that_cannot_be(self):
        for address in (server.tcp, server.plain_tcp):
            for name in ('', 'x' * 256):
                for more in ([], ['--notify']):
                    status, output, errors = call(*more, address, name)
                    self.assertEqual((status, output), (2, b''))
                    self.assertIn('expected 1 to 255', errors)
                    self.assertNotIn('answer', errors)

    def test_names_that_are_not_there(self):
        for arguments, text in (([*CALLS, server.tcp, 'Wat'], 'it has calls.Calls/Count'),
                                ([*CALLS, '--error-type', 'Wat', server.tcp, 'Wait'], 'no message Wat'),
                                (['--schema', folder.name + '/none.proto', server.tcp, 'm'], ''),
                                (['--schema', BRINE, server.tcp, 'm'], 'no descriptor set')):
            status, output, errors = call(*arguments)
            self.assertEqual((status, output), (2, b''), arguments)
            self.assertIn(text, errors)


class Describe(unittest.TestCase):
    def describe(self, *arguments):
        return run('describe', '-I', PROTOS, *arguments)

    def test_methods(self):
        status, output, errors = self.describe(os.path.join(HERE, 'calls.proto'))
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(output.decode().splitlines()[:2], ['calls.Calls/Count(calls.Number) returns (stream calls.Number)',
                                                            'calls.Calls/Double(stream calls.Number) returns (stream calls.Number)'])
        self.assertEqual(self.describe(os.path.join(HERE, 'twice.proto'))[1],
                         b'twice.Other/Place(twice.Nothing) returns (twice.Nothing)  // on the wire: other_place\n')

    def test_messages(self):
        schema = os.path.join(PROTOS, 'exchange.proto')
        status, output, errors = self.describe(schema, 'Order')
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(output.decode(), """message exchange.Order {
  string symbol = 1;
  exchange.Side side = 2;  // SIDE_UNSPECIFIED, SIDE_BUY, SIDE_SELL
  int64 quantity = 3;
  oneof {
    int64 limit = 4;
    int64 stop = 5;
  }
  optional string client_reference = 6;
  google.protobuf.Timestamp good_until = 7;
  map<string, string> tags = 8;
}
""")
        output = self.describe(schema, 'Exchange/Place', 'Fill')[1].decode()
        self.assertIn('exchange.Exchange/Place(exchange.Order) returns (exchange.Receipt)\nmessage exchange.Order {', output)
        self.assertIn('  repeated exchange.Fill fills = 4;\n', output)
        self.assertIn('message exchange.Fill {', output)

    def test_wrong_usage(self):
        schema = os.path.join(PROTOS, 'exchange.proto')
        for arguments, text in (([], 'which schema?'), ([schema, 'Wat'], 'no message Wat'), (['none.proto'], 'none.proto'),
                                (['--wat', schema], '--wat'), (['-I'], 'wants a value')):
            status, output, errors = run('describe', *arguments) if arguments == ['-I'] else self.describe(*arguments)
            self.assertEqual((status, output), (2, b''), arguments)
            self.assertIn(text, errors)

    def test_help_fits_the_screen(self):
        status, output, _ = run('describe', '--help')
        self.assertEqual(status, 0)
        self.assertLessEqual(max(map(len, output.decode().splitlines())), 80)


class RoundTrip(unittest.TestCase):
    """brine dump --json shows a request; brine call sends it again: the same bytes."""

    def random_value(self, rng, depth):
        kind = rng.randrange(12 if depth else 8)
        if kind == 0:
            return rng.choice([None, True, False])
        if kind in (1, 2):
            return rng.choice([1, -1]) * (rng.getrandbits(64) >> rng.randrange(1, 65))
        if kind == 3:
            return rng.choice([0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, float('nan'), float('inf'), -float('inf'), rng.random()])
        if kind == 4:
            return ''.join(rng.choice('ab$\0\x1b\u00e9\u202e\U0001f600"\\') for _ in range(rng.randrange(5)))
        if kind == 5:
            return rng.randbytes(rng.randrange(5))
        if kind == 6:
            return msgpack.ExtType(rng.randrange(128), rng.randbytes(rng.randrange(20)))
        if kind == 7:
            return msgpack.Timestamp(rng.randrange(-62135596800, 253402300800), rng.choice([0, rng.randrange(10**9)]))
        if kind in (8, 9):
            return [self.random_value(rng, depth - 1) for _ in range(rng.randrange(5))]
        return {'$' * rng.randrange(2) + rng.choice('abc') + str(i) if rng.randrange(8) else rng.randrange(99):
                self.random_value(rng, depth - 1) for i in range(rng.randrange(5))}

    def test_many_random_values(self):
        rng, sent = random.Random(1), []

        def record(connection):
            message, data = read_message(connection)
            sent.append(data)
            connection.sendall(b'\x94\x01' + msgpack.packb(message[1]) + b'\xc0\xc0')
            connection.recv(1)
        for _ in range(20):
            params = msgpack.packb([self.random_value(rng, 5) for _ in range(50)])
            request = b'\x94\x00\x01\xa1m' + params
            status, output, _ = run('dump', '--json', '--wire', 'plain', stdin=request)
            self.assertEqual(status, 0)
            arguments = [json.dumps(value) for value in json.loads(output)['params']]
            with Peer(record) as peer:
                self.assertEqual(call('msgpack-rpc://' + peer.address, 'm', '--', *arguments), (0, b'null\n', ''))
            self.assertEqual(sent.pop()[-len(params):], params)


if __name__ == '__main__':
    main()
