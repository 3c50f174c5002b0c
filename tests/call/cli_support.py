"""What the tests of brine call share: the command, servers to call, peers that the test plays itself. Arguments of each test:
BRINE CALL-SERVER EXCHANGE-SERVER PROTO-FOLDER"""
import os, queue, socket, subprocess, sys, tempfile, threading, unittest

if 'BRINE_CALL_CLI' not in os.environ:
    # The python3 of the path may be a build without Debian's modules.
    for python in (sys.executable, '/usr/bin/python3'):
        if subprocess.run([python, '-c', 'import msgpack'], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ['BRINE_CALL_CLI'] = '1'
            os.execv(python, [python, *sys.argv])
    print('skipped: no python3 can import msgpack (Debian: apt-get install python3-msgpack)')
    sys.exit(77)

import msgpack  # noqa: E402

BRINE, CALL_SERVER, EXCHANGE_SERVER, PROTOS = map(os.path.abspath, sys.argv[1:5])
HERE = os.path.dirname(os.path.abspath(__file__))
CALLS = ['--schema', os.path.join(HERE, 'calls.proto'), '-I', PROTOS]
EXCHANGE = ['--schema', os.path.join(PROTOS, 'exchange.proto'), '-I', PROTOS]
PATIENCE = 60  # seconds after which something that must happen counts as not happening
folder = tempfile.TemporaryDirectory()


def run(*arguments, stdin=b'', **more):
    """Exit status, standard output as bytes, standard error as text."""
    done = subprocess.run([BRINE, *arguments], input=stdin, capture_output=True, timeout=PATIENCE, **more)
    assert b'Sanitizer' not in done.stderr and b'runtime error' not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr.decode()


def call(*arguments, **more):
    return run('call', *arguments, **more)


class Server:
    """A server program, its addresses and the lines it prints."""

    def __init__(self, program):
        path = os.path.join(folder.name, 'socket%d' % len(os.listdir(folder.name)))
        self.process = subprocess.Popen([program, 'tcp://127.0.0.1:0', 'unix://' + path], stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout], daemon=True).start()
        unittest.addModuleCleanup(self.close)
        self.tcp, self.unix = (self.line().split()[-1] for _ in range(2))
        self.plain_tcp, self.plain_unix = (a.replace('tcp:', 'msgpack-rpc:').replace('unix:', 'msgpack-rpc+unix:')
                                           for a in (self.tcp, self.unix))

    def line(self):
        return self.lines.get(timeout=PATIENCE).rstrip('\n')

    def close(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        assert status == 0, status


class Peer:
    """One connection of a server that the test plays itself: does what `behave(socket)` does, in a thread."""

    def __init__(self, behave):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(PATIENCE)
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, args=[behave])
        self.thread.start()

    def serve(self, behave):
        with self.listener, self.listener.accept()[0] as connection:
            connection.settimeout(PATIENCE)
            behave(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(PATIENCE)


def read_message(connection):
    """The next plain message, and its bytes."""
    data, unpacker = b'', msgpack.Unpacker(raw=True, strict_map_key=False, object_pairs_hook=list)
    while True:
        piece = connection.recv(65536)
        if not piece:
            return None, data
        data += piece
        unpacker.feed(piece)
        for message in unpacker:
            return message, data


def answering(result):
    """A plain server that answers one request with the bytes of result."""
    def behave(connection):
        message, _ = read_message(connection)
        connection.sendall(b'\x94\x01' + msgpack.packb(message[1]) + b'\xc0' + result)
        connection.recv(1)
    return behave


def main():
    unittest.main(module='__main__', argv=sys.argv[:1])


def path_with(name, content):
    path = os.path.join(folder.name, name)
    with open(path, 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path
