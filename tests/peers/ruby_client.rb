# Calls a live server with ruby-neovim, Neovim's Ruby client, which takes it for a Neovim. Argument: the address.
require "neovim"

def expect(what, found, wanted)
  abort "#{what}: #{found.inspect} instead of #{wanted.inspect}" unless found == wanted
end

def error_of(method, *params)
  $session.request(method, *params)
rescue RuntimeError => error
  error.message
else
  abort "#{method} did not fail"
end

scheme, where = ARGV[0].split("://")
nvim =
  if scheme == "unix"
    Neovim.attach_unix(where)
  else
    host, port = where.split(":")
    Neovim.attach_tcp(host, port.to_i)
  end
$session = nvim.session

expect("channel", nvim.channel_id, 1)
expect("value", $session.request("add", 2, 3), 5)
expect("text", $session.request("join", "hé", "llo"), "héllo")
values = [nil, true, -1, 1.5, "a", [1, {"b" => 2}]]
expect("values", $session.request("collect", *values), values)
expect("error", error_of("divide", 1, 0), "division by zero")
expect("unknown method", error_of("nobody"), "no such method: 'nobody'")
expect("wrong arguments", error_of("add", 1), "takes 2 arguments, got 1")
expect("wrong type", error_of("add", 1, "two")[0, 8], "field b:")

# Handles of Neovim come as ext and go as integers.
buffer = $session.request("nvim_get_current_buf")
expect("handle", [buffer.class, buffer.index], [Neovim::Buffer, 300])
expect("handle as argument", $session.request("nvim_buf_line_count", buffer), 23)

before = $session.request("logged")
$session.notify("log", "one", 1)
$session.notify("nobody")
expect("notification", $session.request("logged"), before + 1)

# Several calls at once, each in a fiber of its own.
answers = []
8.times { |number| Fiber.new { answers << $session.request("hold", number) }.resume }
7.downto(0) { |number| $session.notify("let_go", number) }
expect("meanwhile", $session.request("add", 1, 1), 2)
expect("in flight", answers, 7.downto(0).to_a)

expect("big argument", $session.request("measure", "x" * 3_000_000), 3_000_000)
expect("big result", $session.request("make", 3_000_000), "x" * 3_000_000)
nvim.shutdown
