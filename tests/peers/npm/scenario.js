/* scenario.js - what every npm client is asked to do. A client's own file says how it connects, calls and notifies:
 *
 *   scenario({connect, call, notify, close, errorOf})
 *
 * connect(target): target is {host, port} or {path}. call(method, params): a promise of the result. errorOf(reason): the
 * text of what a failed call gave. oneAtATime: the client takes each read of its socket for one whole message, so that
 * answers must neither come together nor in pieces. */
'use strict';
const assert = require('node:assert');

function target(address) {
  const [scheme, where] = address.split('://');
  if (scheme === 'unix')
    return {path: where};
  const colon = where.lastIndexOf(':');
  return {host: where.slice(0, colon), port: Number(where.slice(colon + 1))};
}

async function play(client) {
  const {call, notify} = client;
  const failed = async (method, params) => {
    try {
      await call(method, params);
    } catch (reason) {
      return client.errorOf(reason);
    }
    throw new Error(`${method} did not fail`);
  };

  assert.strictEqual(await call('add', [2, 3]), 5);
  assert.strictEqual(await call('join', ['hé', 'llo']), 'héllo');
  const values = [null, true, -1, 1.5, 'a', [1, {b: 2}]];
  assert.deepStrictEqual(await call('collect', values), values);
  assert.strictEqual(await failed('divide', [1, 0]), 'division by zero');
  assert.strictEqual(await failed('nobody', []), "no such method: 'nobody'");
  assert.strictEqual(await failed('add', [1]), 'takes 2 arguments, got 1');
  assert.match(await failed('add', [1, 'two']), /^field b: /);

  const before = await call('logged', []);
  notify('log', ['one', 1]);
  notify('nobody', []);
  assert.strictEqual(await call('logged', []), before + 1);

  if (!client.oneAtATime) {
    const numbers = Array.from({length: 16}, (_, i) => i);
    const held = numbers.map(number => call('hold', [number]));
    assert.deepStrictEqual(await Promise.all(numbers.map(number => call('add', [number, 1]))), numbers.map(number => number + 1));
    numbers.reverse().forEach(number => notify('let_go', [number]));
    assert.deepStrictEqual(await Promise.all(held), numbers.reverse());
  }
  const size = client.oneAtATime ? 8000 : 2000000;
  assert.strictEqual(await call('measure', ['x'.repeat(2000000)]), 2000000);
  assert.strictEqual(await call('make', [size]), 'x'.repeat(size));
}

module.exports = async client => {
  const patience = setTimeout(() => {
    console.error('no end after 60 s');
    process.exit(1);
  }, 60000);
  try {
    await client.connect(target(process.argv[2]));
    await play(client);
    if (client.more)
      await client.more();
    await client.close();
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  clearTimeout(patience);
};
