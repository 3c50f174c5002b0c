"""A Brine client, from proto/WIRE.md alone: a frame is a MessagePack integer, the size, then an array of that many bytes."""
import itertools
import msgpack

class Client:
    def __init__(self, connected_socket):
        self.socket, self.unpacker, self.ids = connected_socket, msgpack.Unpacker(), itertools.count(1)

    def send(self, *message):
        body = msgpack.packb(message)
        self.socket.sendall(msgpack.packb(len(body)) + body)

    def receive(self):
        while True:
            for value in self.unpacker:
                if isinstance(value, list):  # what stands between the messages are their sizes
                    return value
            self.unpacker.feed(self.socket.recv(65536) or exit("the server closed the connection"))

    def call(self, method, *params, **options):
        call_id = next(self.ids)
        self.send(0, call_id, method, params, options)
        while (answer := self.receive())[:2] != [1, call_id]:
            pass
        if answer[2] is not None:
            raise RuntimeError(*answer[2])  # code, text, perhaps data
        return answer[3]

    def notify(self, method, *params):
        self.send(2, method, params)
