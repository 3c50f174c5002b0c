-- Neovim as the client of a live server: sockconnect() with {rpc = true}. Run as
--   nvim --headless --clean -c 'luafile neovim.lua' with BRINE_ADDRESS set; ends with status 0 or 1.
local function play()
  local scheme, where = vim.env.BRINE_ADDRESS:match('^(%a+)://(.*)$')
  local over = scheme == 'unix' and 'pipe' or 'tcp'
  local channel = vim.fn.sockconnect(over, where, {rpc = true})
  local function expect(what, found, wanted)
    if not vim.deep_equal(found, wanted) then
      error(what .. ': ' .. vim.inspect(found) .. ' instead of ' .. vim.inspect(wanted), 0)
    end
  end
  local function call(method, ...) return vim.rpcrequest(channel, method, ...) end
  local function error_of(method, ...)
    local fine, text = pcall(vim.rpcrequest, channel, method, ...)
    if fine then error(method .. ' did not fail', 0) end
    return text
  end
  local function ends_with(what, text, wanted)
    if text:sub(-#wanted) ~= wanted then error(what .. ': ' .. text, 0) end
  end

  expect('value', call('add', 2, 3), 5)
  expect('text', call('join', 'hé', 'llo'), 'héllo')
  local values = {true, -1, 1.5, 'a', {1, {b = 2}}}
  expect('values', call('collect', unpack(values)), values)
  ends_with('error', error_of('divide', 1, 0), 'division by zero')
  ends_with('unknown method', error_of('nobody'), "no such method: 'nobody'")
  ends_with('wrong arguments', error_of('add', 1), 'takes 2 arguments, got 1')
  if not error_of('add', 1, 'two'):find('field b: ', 1, true) then error('wrong type', 0) end

  local before = call('logged')
  vim.rpcnotify(channel, 'log', 'one', 1)
  vim.rpcnotify(channel, 'nobody')
  expect('notification', call('logged'), before + 1)

  -- Several connections at once.
  local other = vim.fn.sockconnect(over, where, {rpc = true})
  expect('second connection', vim.rpcrequest(other, 'add', 1, 1), 2)
  vim.fn.chanclose(other)

  -- The server calls Neovim, on a connection of its own, and Neovim calls the server from inside of that call.
  local function newest()
    local last = 0
    for _, it in ipairs(vim.api.nvim_list_chans()) do last = math.max(last, it.id) end
    return last
  end
  local own = scheme == 'unix' and vim.fn.serverstart() or vim.fn.serverstart('127.0.0.1:0')
  local last = newest()
  vim.rpcnotify(channel, 'attach', (scheme == 'unix' and 'msgpack-rpc+unix://' or 'msgpack-rpc://') .. own)
  if not vim.wait(20000, function() return newest() > last end) then
    error('the server did not connect to ' .. own, 0)
  end
  vim.rpcnotify(channel, 'call_back', ('rpcrequest(%d, "add", 20, 22)'):format(channel))
  if not vim.wait(20000, function() return call('called_back') ~= vim.NIL end) then
    error('the server did not get an answer from Neovim', 0)
  end
  expect('called back', call('called_back'), 42)

  expect('big argument', call('measure', ('x'):rep(2000000)), 2000000)
  expect('big result', call('make', 2000000), ('x'):rep(2000000))
  vim.fn.chanclose(channel)
end

local fine, text = pcall(play)
if not fine then
  io.stderr:write(tostring(text) .. '\n')
  vim.cmd('cquit 1')
end
vim.cmd('qall!')
