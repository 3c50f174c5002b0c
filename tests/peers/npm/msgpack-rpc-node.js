/* npm msgpack-rpc-node. */
'use strict';
const {Client, TcpClient, UnixClient} = require('msgpack-rpc-node');
let client;

require('./scenario.js')({
  oneAtATime: true,
  connect: target => {
    client = target.path ? new Client(UnixClient, target.path) : new Client(TcpClient, target.port, target.host);
    return client.connect();
  },
  call: (method, params) => client.call(method, ...params),
  notify: (method, params) => client.notify(method, ...params),
  errorOf: reason => String(reason),
  close: () => client.close(),
});
