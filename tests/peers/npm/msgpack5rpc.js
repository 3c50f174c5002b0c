/* npm msgpack5rpc: a session over any pair of streams. */
'use strict';
const net = require('node:net');
const Session = require('msgpack5rpc');
let session, socket;

require('./scenario.js')({
  connect: target => new Promise((resolve, reject) => {
    socket = net.connect(target, () => {
      session = new Session([]);
      session.attach(socket, socket);
      resolve();
    }).on('error', reject);
  }),
  call: (method, params) => new Promise((resolve, reject) => {
    session.request(method, params, (error, result) => (error ? reject(error) : resolve(result)));
  }),
  notify: (method, params) => session.notify(method, params),
  errorOf: reason => String(reason),
  close: () => socket.end(),
});
