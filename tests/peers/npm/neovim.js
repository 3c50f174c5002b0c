/* npm neovim, the client of Neovim's plugins: it takes the server for a Neovim. */
'use strict';
const assert = require('node:assert');
const net = require('node:net');
const {attach} = require('neovim');
const quiet = {level: 'error', info() {}, warn() {}, debug() {}, error() {}};
let nvim, socket;

require('./scenario.js')({
  connect: target => new Promise((resolve, reject) => {
    socket = net.connect(target, () => {
      nvim = attach({reader: socket, writer: socket, options: {logger: quiet}});
      resolve();
    }).on('error', reject);
  }),
  call: (method, params) => nvim.request(method, params),
  notify: (method, params) => nvim.notify(method, params),
  errorOf: error => error.message.slice(error.message.indexOf(': ') + 2),
  more: async () => {
    assert.strictEqual(await nvim.channelId, 1);
    assert.strictEqual(await nvim.eval('6*7'), 42);
    const buffer = await nvim.buffer; // handles travel as ext, in both directions
    assert.strictEqual(buffer.constructor.name, 'Buffer');
    assert.strictEqual(buffer.data, 300);
    assert.strictEqual(await buffer.length, 23);
  },
  close: () => socket.end(),
});
