// An application on Knex, a query builder: chained calls, JSON helpers, batches, transactions.
'use strict';

const assert = require('node:assert');
const makeKnex = require('knex');
const { parameters, person, step, run } = require('./steps');

const knex = makeKnex({ client: 'pg', connection: parameters, pool: { min: 0, max: 3 } });
const users = () => knex('users');
const byId = async (id) => (await users().where({ id }).first())?.data;

run(async () => {
  await step('there is a table', () => knex.schema.hasTable('users'));
  await step('with a column', () => knex.schema.hasColumn('users', 'data'));
  await step('read all', () => users().select('*').orderBy('id'));

  const [{ id }] = await step('create', () => users().insert({ name: 'Ada', data: person(1, 3) }).returning('id'));
  assert.deepStrictEqual(await byId(id), person(1, 3));
  await step('create, all columns back', () => users().insert({ name: 'Grace', data: JSON.stringify(person(2, 0)) }, '*'));
  await step('create several', () => users().insert([{ name: 'A', data: person(3, 1) }, { name: 'B' }], ['id', 'name', 'data']));
  await step('create in batches', () =>
    knex.batchInsert('users', Array.from({ length: 25 }, (_, n) => ({ name: `batch ${n}`, data: person(n, n % 5) })), 10).returning('id'));

  await step('read one', () => users().where({ id }).first());
  await step('read some columns', () => users().select('id', knex.raw("data ->> 'city' AS city")).whereIn('id', [1, 2, 3]).orderBy('id'));
  await step('read by a path', () => users().whereJsonPath('data', '$.dreamBook[0].year', '=', 2030).select('id').orderBy('id'));
  await step('read what contains', () => users().whereJsonSupersetOf('data', { connects: ['walk'] }).count());
  await step('extract', () => users().jsonExtract('data', '$.dreamBook[0].title', 'title').where({ id }));
  await step('page', () => users().orderBy('id').limit(3).offset(5).select('id', 'data'));
  await step('count', () => users().count('* as n').first());
  await step('pluck', () => users().whereBetween('id', [1, 4]).orderBy('id').pluck('name'));

  await step('update the document', async () => {
    const data = await byId(id);
    data.dreamBook[1].title = 'changed';
    data.dreamBook.push({ id: 'new' });
    await users().where({ id }).update({ data });
    assert.deepStrictEqual(await byId(id), data);
    return data;
  });
  await step('update with what is back', () => users().where({ id }).update({ name: 'Ada L.' }, ['id', 'name', 'data']));
  await step('update with jsonSet', () => users().where({ id }).update({ data: knex.jsonSet('data', '$.dreamBook[0].title', '"set"') }).returning('data'));
  await step('update with jsonRemove', () => users().where({ id }).update({ data: knex.jsonRemove('data', '$.connects') }).returning('data'));
  await step('update with jsonInsert', () => users().where({ id }).update({ data: knex.jsonInsert('data', '$.dreamBook[0]', '{"id": "inserted"}') }).returning('data'));
  await step('update many', () => users().where('id', '<=', 5).update({ data: knex.raw("data || '{\"seen\": true}'") }));

  await step('transaction', () =>
    knex.transaction(async (trx) => {
      const row = await trx('users').where({ id }).forUpdate().first();
      row.data.dreamBook = [];
      await trx('users').where({ id }).update({ data: row.data });
      await trx('orders').insert({ user_id: id, total: 3 });
      return trx('users').where({ id }).first('data');
    }));
  await step('nested, rolled back', () =>
    knex.transaction(async (trx) => {
      await trx.transaction(async (inner) => {
        await inner('users').where({ id }).update({ data: {} });
        throw Object.assign(new Error('no'), { code: 'ours' });
      }).catch(() => {});
      return trx('users').where({ id }).first('data');
    }));
  await step('with', () =>
    knex.with('u', users().insert({ name: 'W', data: person(7, 7) }).returning('*')).select('id', 'data').from('u'));
  await step('join', () => users().join('orders', 'orders.user_id', 'users.id').select('users.id', 'users.data', 'orders.total'));

  await step('key twice', () => users().insert({ id, name: 'again' }));
  await step('delete', () => users().where({ id }).delete(['id', 'data']));
  await step('delete many', () => users().where('name', 'like', 'batch 1%').del());
  await step('the end', () => users().select('id', 'name', 'data').orderBy('id'));
  await knex.destroy();
});
