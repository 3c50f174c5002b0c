/* npm msgpack-rpc-lite as the server. Argument: a port, or the path of a socket. */
'use strict';
const rpc = require('msgpack-rpc-lite');
let noted = null;

rpc.createServer()
    .on('add', ([a, b], reply) => reply(null, a + b))
    .on('echo', ([value], reply) => reply(null, value))
    .on('fail', (params, reply) => reply('it failed'))
    .on('slow', ([ms], reply) => setTimeout(() => reply(null, ms), ms))
    .on('note', ([number]) => { noted = number; })
    .on('noted', (params, reply) => reply(null, noted))
    .listen(...(process.argv[2].startsWith('/') ? [process.argv[2]] : [Number(process.argv[2]), '127.0.0.1']));
