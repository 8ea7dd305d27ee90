// An application on node-postgres: plain SQL, parameters, prepared statements, transactions, cursors and COPY.
'use strict';

const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const pg = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');
const { parameters, person, step, check, run } = require('./steps');

const pool = new pg.Pool({ ...parameters, max: 3 });

async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

const shape = (result) => ({
  command: result.command,
  count: result.rowCount,
  fields: result.fields.map((f) => [f.name, f.dataTypeID, f.format]),
  rows: result.rows,
});
const query = async (...args) => shape(await pool.query(...args));
// a table has no order: where rows come as they lie
const sorted = async (...args) => {
  const result = await query(...args);
  result.rows.sort((a, b) => a.id - b.id);
  return result;
};
const byId = async (id) => (await pool.query('SELECT data FROM users WHERE id = $1', [id])).rows[0]?.data;

run(async () => {
  await step('read all', () => query('SELECT * FROM users ORDER BY id'));

  const created = await step('create', () =>
    query('INSERT INTO users (name, email, data) VALUES ($1, $2, $3) RETURNING id', ['Ada', 'ada@example.org', person(1, 3)]));
  const ada = created.rows[0].id;
  assert.deepStrictEqual(await byId(ada), person(1, 3));
  await step('create with all columns back', () =>
    query('INSERT INTO users (name, data) VALUES ($1, $2) RETURNING *', ['Grace', JSON.stringify(person(2, 0))]));
  await step('create several', () =>
    sorted('INSERT INTO users (name, data) VALUES ($1, $2), ($3, $4), ($5, DEFAULT) RETURNING id, name, data',
      ['Edsger', person(3, 1), 'Barbara', person(4, 40), 'Nobody']));
  await step('create with an id of its own', () =>
    query('INSERT INTO users (id, name, data) VALUES ($1, $2, $3) RETURNING id, data', [1000, 'Tony', person(5, 2)]));
  await step('the sequence goes on', () => query("INSERT INTO users (name) VALUES ('Next') RETURNING id, data"));

  await step('read by id', () => query('SELECT * FROM users WHERE id = $1', [ada]));
  await step('read by a field', () => query("SELECT id FROM users WHERE data ->> 'city' = $1 ORDER BY id", ['Genève']));
  await step('read what contains', () =>
    query('SELECT id FROM users WHERE data @> $1 ORDER BY id', [{ dreamBook: [{ id: 'dream-1-2' }] }]));
  await step('read by ids', () => query('SELECT id, name FROM users WHERE id = ANY ($1) ORDER BY id', [[1, 2, 1000]]));
  await step('read a page', () => query('SELECT id, data FROM users WHERE id > $1 ORDER BY id LIMIT 3', [4]));
  await step('count and add up', () =>
    query("SELECT count(*), sum(jsonb_array_length(data -> 'dreamBook')) FROM users WHERE jsonb_typeof(data -> 'dreamBook') = 'array'"));
  await step('read elements', () =>
    query("SELECT id, dream ->> 'title' AS title FROM users, jsonb_array_elements(data -> 'dreamBook') dream WHERE id < 4 ORDER BY 1, 2"));
  await step('read nothing', () => query('SELECT * FROM users WHERE id = $1', [-1]));

  // prepared: the sixth execution may have another plan than the first
  for (let i = 1; i <= 8; i++) {
    await step(`prepared read ${i}`, () =>
      query({ name: 'by-id', text: 'SELECT id, name, data FROM users WHERE id = $1', values: [i] }));
    await step(`prepared write ${i}`, () =>
      query({
        name: 'write', text: 'UPDATE users SET data = $2, name = $3 WHERE id = $1 RETURNING id, name, data',
        values: [i, person(i, i), `new ${i}`],
      }));
    assert.deepStrictEqual(await byId(i), person(i, i));
  }
  for (let i = 1; i <= 7; i++) {
    await step(`prepared insert ${i}`, () =>
      query({ name: 'insert', text: 'INSERT INTO users (name, data) VALUES ($1, $2) RETURNING id', values: [`p ${i}`, person(i, 2)] }));
  }

  await step('update the whole document', async () => {
    const data = await byId(ada);
    data.dreamBook.unshift({ id: 'first', title: 'Before all' });
    data.dreamBook.pop();
    data.profile.goals.reverse();
    data.connects = null;
    const result = await query('UPDATE users SET data = $2 WHERE id = $1 RETURNING data', [ada, data]);
    assert.deepStrictEqual(result.rows[0].data, data);
    return result;
  });
  await step('update with the same', async () => query('UPDATE users SET data = $2 WHERE id = $1', [ada, await byId(ada)]));
  await step('update a column', () => query('UPDATE users SET name = upper(name) WHERE id = $1 RETURNING name', [ada]));
  await step('update with jsonb_set', () =>
    query("UPDATE users SET data = jsonb_set(data, '{dreamBook,1,title}', $2) WHERE id = $1 RETURNING data", [ada, '"Other"']));
  await step('update with a subscript', () =>
    query("UPDATE users SET data['profile']['goals'][0]['text'] = '\"rest\"' WHERE id = $1 RETURNING data", [ada]));
  await step('append', () =>
    query("UPDATE users SET data = jsonb_set(data, '{dreamBook}', data -> 'dreamBook' || $2::jsonb) WHERE id = $1 RETURNING data -> 'dreamBook' AS d",
      [ada, JSON.stringify({ id: 'last', title: 'Appended' })]));
  await step('remove a key', () => query("UPDATE users SET data = data - 'connects' WHERE id = $1 RETURNING data", [ada]));
  await step('update many', () =>
    sorted("UPDATE users SET data = data || '{\"seen\": 1.50}' WHERE id <= 9 RETURNING id, data -> 'seen' AS seen"));
  await step('update from another table', () =>
    sorted("UPDATE users u SET name = v.name FROM (VALUES (1, 'one'), (2, 'two')) v (id, name) WHERE u.id = v.id RETURNING u.id, u.name, u.data"));
  await step('update nobody', () => query("UPDATE users SET data = '{}' WHERE id = -1"));

  await step('insert and use what came back', () =>
    query('WITH u AS (INSERT INTO users (name, data) VALUES ($1, $2) RETURNING id) INSERT INTO orders (user_id, total) SELECT id, 12.50 FROM u RETURNING user_id, total',
      ['Orderer', person(6, 2)]));
  await step('join', () => query('SELECT u.name, u.data, o.total FROM orders o JOIN users u ON u.id = o.user_id'));
  await step('insert from a select', () =>
    query("INSERT INTO users (name, data) SELECT 'copy of ' || name, data FROM users WHERE id <= 3 ORDER BY id RETURNING id, name, data"));

  await step('transaction', () =>
    transaction(async (client) => {
      const { rows: [row] } = await client.query('SELECT id, data FROM users WHERE id = $1 FOR UPDATE', [ada]);
      row.data.dreamBook.push({ id: 'in-transaction' });
      await client.query('UPDATE users SET data = $2 WHERE id = $1', [ada, row.data]);
      const again = await client.query('SELECT data FROM users WHERE id = $1', [ada]);
      assert.deepStrictEqual(again.rows[0].data, row.data);
      row.data.dreamBook[0].title = 'twice in one transaction';
      await client.query('UPDATE users SET data = $2 WHERE id = $1', [ada, row.data]);
      await client.query('SAVEPOINT s');
      await client.query("UPDATE users SET data = '{\"dreamBook\": []}' WHERE id = $1", [ada]);
      await client.query('ROLLBACK TO s');
      return shape(await client.query('SELECT data FROM users WHERE id = $1', [ada]));
    }));
  await step('rolled back', () =>
    transaction(async (client) => {
      await client.query("UPDATE users SET data = '{}'");
      await client.query('DELETE FROM users WHERE id = 1');
      await client.query('SELECT 1 / 0');
    }));
  await step('as before', async () => [await byId(ada), await byId(1)]);
  await step('an error and on', () =>
    transaction(async (client) => {
      await client.query('SAVEPOINT s');
      await client.query('INSERT INTO users (id, name, data) VALUES (1, $1, $2)', ['again', person(1, 1)]).then(
        () => check(false, 'a key twice'), () => client.query('ROLLBACK TO s'));
      return shape(await client.query('INSERT INTO users (id, name, data) VALUES (2000, $1, $2) RETURNING id', ['after', person(1, 1)]));
    }));
  await step('serial transactions', async () => {
    // one after the other, each waits for the lock of the one before
    await Promise.all([1, 2, 3].map((n) =>
      transaction(async (client) => {
        const { rows: [row] } = await client.query('SELECT data FROM users WHERE id = 9 FOR UPDATE');
        row.data.counter = (row.data.counter ?? 0) + 1;
        row.data.dreamBook.push({ id: `by-${row.data.counter}` });
        await client.query('UPDATE users SET data = $1 WHERE id = 9', [row.data]);
        return n;
      })));
    return byId(9);
  });
  await step('repeatable read', () =>
    transaction(async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      const before = await client.query('SELECT data FROM users WHERE id = 8');
      await pool.query("UPDATE users SET data = data || '{\"later\": true, \"dreamBook\": [{\"id\": \"new\"}]}' WHERE id = 8");
      const after = await client.query('SELECT data FROM users WHERE id = 8');
      assert.deepStrictEqual(after.rows, before.rows);
      return shape(after);
    }));
  await step('serialization failure', () =>
    transaction(async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      await client.query('SELECT 1 FROM users');
      await pool.query("UPDATE users SET data = data || '{\"later\": false}' WHERE id = 8");
      await client.query("UPDATE users SET data = data || '{\"late\": true}' WHERE id = 8");
    }));

  await step('key twice', () => query('INSERT INTO users (id, name) VALUES (1, $1)', ['x']));
  await step('address twice', () => query('INSERT INTO users (name, email) VALUES ($1, $2)', ['x', 'ada@example.org']));
  await step('no name', () => query('INSERT INTO users (data) VALUES ($1)', [person(1, 1)]));
  await step('no object', () => query("INSERT INTO users (name, data) VALUES ('x', '[]')"));
  await step('no json', () => query("INSERT INTO users (name, data) VALUES ('x', '{')"));
  await step('no such user', () => query('INSERT INTO orders (user_id, total) VALUES (-1, 1)'));

  await step('cursor', async () => {
    const client = await pool.connect();
    const cursor = client.query(new Cursor('SELECT id, data FROM users WHERE id <= $1 ORDER BY id', [9]));
    const parts = [];
    for (let rows; (rows = await cursor.read(4)).length > 0;) parts.push(rows);
    await cursor.close();
    client.release();
    return parts;
  });
  await step('copy in', async () => {
    const client = await pool.connect();
    const lines = [1, 2, 3].map((n) => `copied ${n}\t${JSON.stringify(person(n, n)).replaceAll('\\', '\\\\')}\n`);
    await pipeline(Readable.from(lines), client.query(copy.from('COPY users (name, data) FROM STDIN')));
    client.release();
    return query("SELECT id, name, data FROM users WHERE name LIKE 'copied%' ORDER BY id");
  });
  await step('copy out', async () => {
    const client = await pool.connect();
    let text = '';
    for await (const chunk of client.query(copy.to('COPY (SELECT id, data FROM users WHERE id < 4 ORDER BY id) TO STDOUT'))) text += chunk;
    client.release();
    return text;
  });

  await step('delete', () => query('DELETE FROM users WHERE id = $1 RETURNING id, name, data', [ada]));
  await step('it is gone', async () => (await byId(ada)) ?? null);
  await step('delete who has orders', () => query("DELETE FROM users WHERE name = 'Orderer'"));
  await step('orders are gone', () => query('SELECT count(*) FROM orders'));
  await step('the end', () => query('SELECT id, name, email, data FROM users ORDER BY id'));
  await pool.end();
});
