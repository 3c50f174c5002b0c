/* npm msgpack-rpc-lite. */
'use strict';
const {Client} = require('msgpack-rpc-lite');
let client;

require('./scenario.js')({
  connect: target => new Promise((resolve, reject) => {
    client = new Client(target);
    client.on('connect', resolve).on('error', reject);
  }),
  call: async (method, params) => (await client.request(method, ...params))[0],
  notify: (method, params) => client.notify(method, ...params),
  errorOf: reason => String(reason),
  close: () => client.close(),
});
