"""pynvim's session as the server, on stdin and stdout; it begins with a notification of its own."""
import asyncio

from pynvim.msgpack_rpc import ErrorResponse, stdio_session

noted = []
session = stdio_session()


def fail():
    raise ErrorResponse("it failed")


def slow(milliseconds):
    import time
    time.sleep(milliseconds / 1000)
    return milliseconds


METHODS = {"add": lambda a, b: a + b, "echo": lambda value: value, "fail": fail, "slow": slow, "noted": lambda: noted[-1]}


def on_request(name, args):
    if name not in METHODS:
        raise ErrorResponse("no such method: " + name)
    return METHODS[name](*args)


def on_notification(name, args):
    if name == "note":
        noted.append(args[0])


session.run(on_request, on_notification)
