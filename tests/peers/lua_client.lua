-- Calls a live server with lua-nvim, Neovim's Lua client (on libmpack and libuv). Argument: the address.
local Session = require('nvim.session')

local function same(a, b)
  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end
  for key, value in pairs(a) do if not same(value, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

local function expect(what, found, wanted)
  if not same(found, wanted) then
    io.stderr:write(('%s: %s instead of %s\n'):format(what, tostring(found), tostring(wanted)))
    os.exit(1)
  end
end

local scheme, where = arg[1]:match('^(%a+)://(.*)$')
local stream
if scheme == 'unix' then
  stream = require('nvim.socket_stream').open(where)
else
  local host, port = where:match('^(.*):(%d+)$')
  stream = require('nvim.tcp_stream').open(host, tonumber(port))
end
local session = Session.new(stream)

local function call(method, ...)
  local fine, result = session:request(method, ...)
  if not fine then
    io.stderr:write(method .. ': ' .. tostring(result[2]) .. '\n')
    os.exit(1)
  end
  return result
end

local function error_of(method, ...)
  local fine, reason = session:request(method, ...)
  expect(method .. ' fails', fine, false)
  return reason[2]
end

expect('value', call('add', 2, 3), 5)
expect('text', call('join', 'hé', 'llo'), 'héllo')
local values = {true, 1, 1.5, 'a', {1, {b = 2}}}
expect('values', call('collect', unpack(values)), values)
expect('error', error_of('divide', 1, 0), 'division by zero')
expect('unknown method', error_of('nobody'), "no such method: 'nobody'")
expect('wrong arguments', error_of('add', 1), 'takes 2 arguments, got 1')
expect('wrong type', error_of('add', 1, 'two'):sub(1, 8), 'field b:')

-- Handles of Neovim travel as ext, in both directions.
local buffer = call('nvim_get_current_buf')
expect('handle', buffer.id, 300)
expect('handle as argument', call('nvim_buf_line_count', buffer), 23)

local before = call('logged')
session:notify('log', 'one', 1)
session:notify('nobody')
expect('notification', call('logged'), before + 1)

-- Several calls at once: each with a callback, while the last one is waited for.
local answers = {}
for number = 1, 8 do
  session._msgpack_rpc_stream:write('hold', {number}, function(_, result) answers[#answers + 1] = result end)
end
for number = 8, 1, -1 do session:notify('let_go', number) end
expect('meanwhile', call('add', 1, 1), 2)
expect('in flight', answers, {8, 7, 6, 5, 4, 3, 2, 1})

expect('big argument', call('measure', ('x'):rep(3000000)), 3000000)
expect('big result', call('make', 3000000) == ('x'):rep(3000000), true)
os.exit(0) -- closing the session first makes luv crash when the interpreter ends
