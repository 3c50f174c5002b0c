"""Calls a live server by plain MessagePack-RPC, written by hand with the msgpack package. Argument: the address."""
import itertools
import socket
import sys

import msgpack


class Client:
    def __init__(self, address):
        scheme, where = address.split("://")
        if scheme == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(where)
        else:
            self.socket = socket.create_connection(where.rsplit(":", 1))
        self.socket.settimeout(60)
        self.unpacker = msgpack.Unpacker(raw=False, max_buffer_size=2**26)
        self.ids = itertools.count()
        self.early = {}

    def send(self, *message):
        self.socket.sendall(msgpack.packb(message))

    def begin(self, method, *params):
        call_id = next(self.ids)
        self.send(0, call_id, method, params)
        return call_id

    def receive(self):
        while True:
            for message in self.unpacker:
                return message
            self.unpacker.feed(self.socket.recv(65536) or sys.exit("the server closed the connection"))

    def finish(self, call_id):
        """(error, result) of that call."""
        while call_id not in self.early:
            kind, answered, error, result = self.receive()
            expect("type of an answer", kind, 1)
            self.early[answered] = (error, result)
        return self.early.pop(call_id)

    def call(self, method, *params):
        return self.finish(self.begin(method, *params))

    def notify(self, method, *params):
        self.send(2, method, params)


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


client = Client(sys.argv[1])
expect("value", client.call("add", 2, 3), (None, 5))
expect("values of each kind", client.call("collect", None, True, -1, 2**63, 1.5, "hé", b"\xff", [], {"a": [1]}),
       (None, [None, True, -1, 2**63, 1.5, "hé", b"\xff", [], {"a": [1]}]))
expect("text", client.call("join", "hé", "llo"), (None, "héllo"))
expect("method as bin", client.call(b"add", 2**40, 1), (None, 2**40 + 1))
expect("error", client.call("divide", 1, 0), ("division by zero", None))
expect("unknown method", client.call("nobody"), ("no such method: 'nobody'", None))
expect("too few arguments", client.call("add", 1), ("takes 2 arguments, got 1", None))
expect("too many arguments", client.call("add", 1, 2, 3), ("takes 2 arguments, got 3", None))
error, result = client.call("add", 1, "two")
expect("wrong type", (error[:8], result), ("field b:", None))
error, result = client.call("add", 1, 2**64 - 1)
expect("out of range", (error[:8], result), ("field b:", None))

before = client.call("logged")[1]
client.notify("log", "one", 1)
client.notify("log", "two")  # wrong, and so dropped
client.notify("nobody")
client.notify("log", "three", 3)
expect("notifications", client.call("logged"), (None, before + 2))

held = [client.begin("hold", number) for number in range(50)]
added = [client.begin("add", number, 1) for number in range(50)]
expect("in flight", [client.finish(call)[1] for call in added], [number + 1 for number in range(50)])
for number in reversed(range(50)):
    client.notify("let_go", number)
expect("held", [client.finish(call)[1] for call in held], list(range(50)))

client.ids = itertools.repeat(7)
for _ in range(3):
    client.begin("add", 1, 1)
expect("one id three times", [client.receive() for _ in range(3)], [[1, 7, None, 2]] * 3)
for strange in (-1, -2**63, 2**32, 2**64 - 1):
    client.send(0, strange, "add", [1, 1])
    expect("strange id", client.receive(), [1, strange, None, 2])
client.ids = itertools.count(1)

expect("big argument", client.call("measure", "x" * 5_000_000), (None, 5_000_000))
expect("big result", client.call("make", 5_000_000), (None, "x" * 5_000_000))
client.socket.shutdown(socket.SHUT_WR)
expect("nothing unasked", (client.socket.recv(1), list(client.unpacker)), (b"", []))
