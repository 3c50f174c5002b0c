"""Calls a live server with client.py: value, error, notification, deadline. Arguments: the server's address, tcp or unix."""
import socket
import sys

from client import Client

scheme, where = sys.argv[1].split("://")
if scheme == "unix":
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(where)
else:
    connected = socket.create_connection(where.rsplit(":", 1))
connected.settimeout(20)
client = Client(connected)


def error_of(method, *params, **options):
    try:
        client.call(method, *params, **options)
    except RuntimeError as error:
        return error.args
    sys.exit(f"{method} did not fail")


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


expect("value", client.call("add", 2, 3), 5)
expect("struct", client.call("calc.Calc/Echo", 7, "ACME", 1.5, -10, True, [1, 2], [8, 9]),
       [7, "ACME", 1.5, -10, True, [1, 2], [8, 9]])
expect("error", error_of("calc.Calc/Refuse", 4711), (4711, "refused\n4711", [4711, -4711]))
expect("no such method", error_of("nobody"), (2, "no such method: 'nobody'"))
expect("bad argument", error_of("add", 2, "three")[0], 1)
client.notify("calc.Calc/Note")
expect("deadline", error_of("calc.Calc/Hold", ttl=40)[0], 3)
expect("afterwards", client.call("add", 2**40, 1, ttl=10000), 2**40 + 1)
