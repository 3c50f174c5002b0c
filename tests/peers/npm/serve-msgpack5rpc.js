/* npm msgpack5rpc as the server, on stdin and stdout. */
'use strict';
const Session = require('msgpack5rpc');
const session = new Session([]);
let noted = null;

const methods = {
  add: ([a, b], reply) => reply(a + b),
  echo: ([value], reply) => reply(value),
  fail: (params, reply) => reply('it failed', true),
  slow: ([ms], reply) => setTimeout(() => reply(ms), ms),
  noted: (params, reply) => reply(noted),
};

session.on('request', (method, params, response) => {
  const reply = (value, isError) => response.send(value, isError);
  if (Object.hasOwn(methods, method))
    methods[method](params, reply);
  else
    reply(`no such method: ${method}`, true);
});
session.on('notification', (method, [number]) => {
  if (method === 'note')
    noted = number;
});
session.on('detach', () => process.exit(0));
session.attach(process.stdout, process.stdin);
