"""Calls a live server with pynvim, Neovim's Python client, which takes it for a Neovim. Argument: the address."""
import sys

import pynvim


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


def error_of(method, *params):
    try:
        nvim.request(method, *params)
    except pynvim.NvimError as error:
        return str(error)
    sys.exit(f"{method} did not fail")


scheme, where = sys.argv[1].split("://")
if scheme == "unix":
    nvim = pynvim.attach("socket", path=where)
else:
    host, port = where.rsplit(":", 1)
    nvim = pynvim.attach("tcp", address=host, port=int(port))

expect("channel", nvim.channel_id, 1)
expect("value", nvim.request("add", 2, 3), 5)
expect("eval", nvim.eval("6*7"), 42)
expect("text", nvim.request("join", "hé", "llo"), "héllo")
expect("values", nvim.request("collect", None, True, -1, 1.5, "a", [1, {"b": 2}]), [None, True, -1, 1.5, "a", [1, {"b": 2}]])
expect("error", error_of("divide", 1, 0), "division by zero")
expect("error of eval", error_of("nvim_eval", "1+"), "Vim:E15: Invalid expression: 1+")
expect("unknown method", error_of("nobody"), "no such method: 'nobody'")
expect("wrong arguments", error_of("add", 1), "takes 2 arguments, got 1")
expect("wrong type", error_of("add", 1, "two")[:8], "field b:")

# Handles of Neovim travel as ext, in both directions.
buffer = nvim.current.buffer
expect("handle", (type(buffer).__name__, buffer.number), ("Buffer", 300))
expect("handle as argument", len(buffer), 23)

before = nvim.request("logged")
nvim.request("log", "one", 1, async_=True)  # a notification
nvim.request("nobody", async_=True)
expect("notification", nvim.request("logged"), before + 1)

# Several calls at once, each in a greenlet of its own.
answers = []


def caller(number):
    answers.append(nvim.request("hold", number))


def last_caller():
    for number in range(8):
        nvim.request("let_go", number)
    nvim.stop_loop()


def begin():
    for number in range(8):
        nvim._session.threadsafe_call(caller, number)
    nvim._session.threadsafe_call(last_caller)


nvim.run_loop(None, None, begin)
expect("in flight", answers, list(range(8)))

expect("big argument", nvim.request("measure", "x" * 3_000_000), 3_000_000)
expect("big result", nvim.request("make", 3_000_000), "x" * 3_000_000)
nvim.close()
