#!/usr/bin/env python3
"""Proves that brine call moves streams in both directions, and how calls end: every exit status, signals, deadlines, pipes that
close early, answers that do not fit."""
import json, os, signal, socket, subprocess, time, unittest
from cli_support import *


def setUpModule():
    global server, other
    server, other = Server(CALL_SERVER), Server(CALL_SERVER)  # nobody reads what other says: calls that may be cut go there


class Streams(unittest.TestCase):
    def numbers(self, output):
        return [int(json.loads(line)['value']) for line in output.splitlines()]

    def test_answers(self):
        for address in (server.tcp, server.unix):
            status, output, errors = call(*CALLS, address, 'Count', '{"value": 1000}')
            self.assertEqual((status, errors), (0, ''))
            self.assertEqual(self.numbers(output), list(range(1, 1001)))
        status, output, errors = call(*CALLS, '--pretty', server.tcp, 'Count', '{"value": 3, "pad": "AA=="}')
        self.assertEqual(status, 1)
        self.assertEqual(self.numbers(output), [1, 2, 3])
        self.assertIn('as asked (error 100', errors)

    def test_uploads(self):
        for stdin, total in ((b'', (0, 0)), (b'{"value": 5}', (5, 1)), (b'{"value":1}{"value":\n"2"}\n\n {}', (3, 3)),
                             (b'{"value":1}\n' * 20000, (20000, 20000))):
            status, output, errors = call(*CALLS, server.unix, 'Sum', stdin=stdin)
            self.assertEqual((status, errors), (0, ''))
            self.assertEqual(json.loads(output), {'sum': str(total[0]), 'count': total[1]})

    def test_both_ways_at_once(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'Double'], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        for number in range(50):  # each answer comes before the next question is asked
            process.stdin.write(b'{"value": %d}' % number)
            self.assertEqual(self.numbers(process.stdout.readline()), [2 * number])
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b'')
        self.assertEqual((process.wait(PATIENCE), process.stderr.read()), (0, b''))
        process.stdout.close()
        process.stderr.close()
        status, output, _ = call(*CALLS, server.tcp, 'Double', stdin=b''.join(b'{"value": %d}\n' % n for n in range(5000)))
        self.assertEqual((status, self.numbers(output)), (0, [2 * n for n in range(5000)]))

    def test_an_answer_before_the_end_of_the_upload(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'First'], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, bufsize=0)
        process.stdin.write(b'{"value": 9}\n{"value": 10}\n')
        self.assertEqual(self.numbers(process.stdout.readline()), [9])
        self.assertEqual(process.wait(PATIENCE), 0)
        process.stdin.close()
        process.stdout.close()

    def test_wrong_items_end_the_call(self):
        for stdin, text in ((b'{"value": 1} {"valu": 2}', 'item 2 of standard input: calls.Number has no field'),
                            (b'{"value": 1} 7', 'item 2'), (b'{"value": 1', 'item 1'), (b'hello', "'hello'"),
                            (b'{"pad": "AAAAAAA="}', 'item 1'), (b'[' * 3000000, 'item 1')):
            status, output, errors = call(*CALLS, other.tcp, 'Sum', stdin=stdin)
            self.assertEqual((status, output), (2, b''))
            self.assertIn(text, errors)
            self.assertLessEqual(len(errors.splitlines()), 2)
        status, _, errors = call(*CALLS, '--json-errors', other.tcp, 'Sum', stdin=b'7')
        self.assertEqual((status, json.loads(errors)['status'], json.loads(errors)['error']), (2, 2, 'TYPE'))

    def test_a_wrong_item_cancels(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'Double'], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        process.stdin.write(b'{"value": 1}')
        self.assertEqual(self.numbers(process.stdout.readline()), [2])
        process.stdin.write(b'{"value": "x"}')
        self.assertIn(b'item 2 of standard input', process.communicate(timeout=PATIENCE)[1])
        self.assertEqual(process.returncode, 2)
        self.assertEqual(server.line(), 'cut')

    def test_what_cannot_be_a_stream(self):
        for arguments in ([*CALLS, server.plain_tcp, 'Sum'], [*CALLS, '--notify', server.tcp, 'Count'],
                          [*CALLS, server.tcp, 'Sum', '{}']):
            status, output, errors = call(*arguments)
            self.assertEqual((status, output), (2, b''))
            self.assertIn('stream', errors)

    def test_I11_closed_output(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'Count', '{"value": 100000000}'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(self.numbers(process.stdout.readline()), [1])
        process.stdout.close()
        self.assertEqual((process.wait(PATIENCE), process.stderr.read()), (141, b''))
        process.stderr.close()
        self.assertEqual(server.line(), 'cut')

    def test_closed_output_is_seen_while_nothing_comes(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'Wait'], stdout=subprocess.PIPE)
        self.assertEqual(server.line(), 'waiting')
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE), 141)
        self.assertEqual(server.line(), 'cancelled')

    def test_a_slow_reader_is_waited_for(self):
        process = subprocess.Popen([BRINE, 'call', *CALLS, server.tcp, 'Count', '{"value": 20000}'], stdout=subprocess.PIPE)
        time.sleep(0.3)  # the pipe is full by now, or fills later: both are right
        output = process.stdout.read()
        self.assertEqual((process.wait(PATIENCE), len(self.numbers(output))), (0, 20000))
        process.stdout.close()


class Ends(unittest.TestCase):
    def start(self, *arguments, **more):
        return subprocess.Popen([BRINE, 'call', *CALLS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def test_signals_cancel(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start(server.unix, 'Wait')
            self.assertEqual(server.line(), 'waiting')
            process.send_signal(number)
            self.assertEqual(process.communicate(timeout=PATIENCE), (b'', b''))
            self.assertEqual(process.returncode, 128 + number)
            self.assertEqual(server.line(), 'cancelled')

    def test_signals_end_a_stalled_output(self):
        process = self.start(server.tcp, 'Count', '{"value": 100000000}')
        os.read(process.stdout.fileno(), 1)
        time.sleep(0.3)  # nobody reads: the pipe fills
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 130)
        process.communicate()
        self.assertEqual(server.line(), 'cut')

    def test_ignored_signals_stay_ignored(self):
        process = self.start('--timeout', '4s', server.unix, 'Wait',
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.assertEqual(server.line(), 'waiting')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 4)
        process.communicate()
        self.assertEqual(server.line(), 'cancelled')

    def test_deadlines(self):
        def say_nothing(connection):
            while connection.recv(65536):
                pass
        for scheme in ('tcp', 'msgpack-rpc'):
            for timeout in ('200', '200ms'):
                with Peer(say_nothing) as peer:
                    status, output, errors = call('--timeout', timeout, scheme + '://' + peer.address, 'm')
                self.assertEqual((status, output), (4, b''))
                self.assertIn('200 ms', errors)
        status, output, errors = call(*CALLS, '--timeout', '3s', server.tcp, 'Wait')
        self.assertEqual((status, output), (4, b''))
        self.assertEqual((server.line(), server.line()), ('waiting', 'cancelled'))
        # A plain caller cannot cancel: the server goes on waiting.
        errors = call(*CALLS, '--timeout', '200', '--json-errors', other.plain_tcp, 'Wait')[2]
        self.assertEqual([json.loads(errors)[key] for key in ('status', 'error', 'code')], [4, 'DEADLINE', 3])
        self.assertEqual(call('--timeout', 'none', server.tcp, 'echo'), (0, b'[]\n', ''))

    def test_nobody_there(self):
        for address in ('tcp://127.0.0.1:1', 'unix://' + os.path.join(folder.name, 'nobody'), 'msgpack-rpc://127.0.0.1:1'):
            for more in ([], ['--notify']):
                status, output, errors = call(*more, address, 'm')
                self.assertEqual((status, output), (3, b''))
                self.assertIn('is the server running?', errors)
        errors = call('--json-errors', 'tcp://127.0.0.1:1', 'm')[2]
        self.assertEqual([json.loads(errors)[key] for key in ('status', 'error')], [3, 'CONNECT'])
        self.assertNotIn('code', json.loads(errors))

    def test_lost(self):
        def lose(connection):
            read_message(connection)
        for scheme in ('tcp', 'msgpack-rpc'):
            with Peer(lose) as peer:
                status, output, errors = call(scheme + '://' + peer.address, 'm')
            self.assertEqual((status, output), (5, b''))
            self.assertIn('may have run', errors)

    def test_another_protocol(self):
        def speak_http(connection):
            connection.recv(65536)
            connection.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
            connection.recv(65536)
        with Peer(speak_http) as peer:
            status, output, errors = call('tcp://' + peer.address, 'm')
        self.assertEqual((status, output), (3, b''))
        self.assertIn('HTTP', errors)

    def test_answers_that_do_not_fit(self):
        schema = path_with('other.proto', 'syntax = "proto3"; package calls; message Q { repeated string value = 1; }\n'
                           'message R { int32 value = 1; } service Calls { rpc Same(Q) returns (R);\n'
                           'rpc Count(R) returns (stream S); } message S { string value = 1; }\n')
        status, output, errors = call('--schema', schema, other.tcp, 'Same', '{"value": ["x"]}')
        self.assertEqual((status, output), (6, b''))
        self.assertIn('the answer does not fit the schema: field value', errors)
        status, output, errors = call('--schema', schema, other.tcp, 'Count', '{"value": 3}')
        self.assertEqual((status, output), (6, b''))
        self.assertIn('field value', errors)

    def test_hostile_error_texts(self):
        text = 'x\x1b[2J\n\u202e' + 'y' * 100
        status, output, errors = call(*CALLS, server.tcp, 'Fail', json.dumps({'code': 7, 'text': text, 'detail': 5}))
        self.assertEqual((status, output), (1, b''))
        self.assertRegex(errors, r'\Abrine call: x\\x1b\[2J\\n\\u202ey+ \(error 7 from the server\)\ndata: \[5,\{"\$bin":""\}\]\n\Z')

    def test_error_texts_cut_inside_a_character(self):
        for size in range(118, 128):
            text = 'x' * size + '\u00e9' * 400
            status, _, errors = call(*CALLS, '--json-errors', server.tcp, 'Fail', json.dumps({'code': 7, 'text': text}))
            self.assertEqual((status, json.loads(errors)['text'][:size + 9]), (1, text[:size + 9]))
            errors = call(*CALLS, '--json-errors', other.tcp, 'Sum', stdin=b'{"%s": 1}' % text.encode())[2]
            self.assertIn('no field', json.loads(errors)['text'])

    def test_cancelled_by_the_server(self):
        status, _, errors = call(*CALLS, '--json-errors', server.tcp, 'Fail', '{"code": 4, "text": "no more"}')
        self.assertEqual((status, json.loads(errors)),
                         (1, {'status': 1, 'error': 'CANCELLED', 'code': 4, 'text': 'no more'}))

    def test_I11_full_and_closed_output(self):
        long = os.path.join(PROTOS, 'neovim.proto')  # more than any buffer of output holds
        with open('/dev/full', 'wb') as full:
            for arguments in (['call', server.tcp, 'echo', '1'], ['call', '--help'], ['call', *CALLS, '--template', 'Count'],
                              ['call', *CALLS, other.tcp, 'Count', '{"value": 5}'], ['describe', long],
                              ['call', server.tcp, 'echo', '-s', 'x' * 100000]):
                done = subprocess.run([BRINE, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
                self.assertEqual(done.returncode, 2, arguments)
                self.assertIn(b'cannot write the output: No space left on device', done.stderr)
        for arguments in (['call', server.tcp, 'echo', '1'], ['describe', long]):
            for preset in (True, False):  # whatever the parent did with SIGPIPE
                reader, writer = os.pipe()
                os.close(reader)
                process = subprocess.Popen([BRINE, *arguments], stdout=writer, stderr=subprocess.PIPE, restore_signals=preset)
                os.close(writer)
                self.assertEqual(process.communicate(timeout=PATIENCE)[1], b'')
                self.assertEqual(process.returncode, 141)

    def test_output_into_a_socket_that_was_closed(self):
        """It ends before the answer, which never comes."""
        reader, writer = socket.socketpair()

        def behave(connection):
            connection.recv(1 << 16)
            reader.close()
            connection.recv(1)
        with Peer(behave) as peer, writer:
            done = subprocess.run([BRINE, 'call', 'msgpack-rpc://' + peer.address, 'm'], stdout=writer,
                                  stderr=subprocess.PIPE, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (141, b''))

    def test_closed_standard_descriptors(self):
        for closed, shown in (('<&-', b'[1]\n'), ('>&-', b''), ('2>&-', b'[1]\n'), ('<&- >&- 2>&-', b'')):
            done = subprocess.run(['sh', '-c', '"$0" call "$1" echo 1 ' + closed, BRINE, server.tcp], capture_output=True,
                                  timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, shown, b''), closed)
        done = subprocess.run(['sh', '-c', '"$0" dump <&-', BRINE], capture_output=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (2, b''))
        self.assertIn(b'cannot read -: Bad file descriptor', done.stderr)

    def test_a_parent_that_ignores_its_children(self):
        done = subprocess.run([BRINE, 'call', *CALLS, server.tcp, 'Sum'], input=b'{"value": 1}', capture_output=True,
                              timeout=PATIENCE, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((done.returncode, done.stderr), (0, b''))


if __name__ == '__main__':
    main()
