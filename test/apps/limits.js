// What applications cannot do with an adopted table, so that the documentation stays true: each of these works on a
// plain table, and on the view in its place fails with the SQLSTATE that is named here, or does what is said here.
'use strict';

const assert = require('node:assert');
const makeKnex = require('knex');
const { DataSource, EntitySchema } = require('typeorm');
const { parameters, run } = require('./steps');

const knex = makeKnex({ client: 'pg', connection: parameters });
const adopted = process.env.PGDATABASE.endsWith('adopted');

const User = new EntitySchema({
  name: 'User',
  tableName: 'users',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'increment' },
    name: { type: 'text' },
    email: { type: 'varchar', nullable: true, unique: true },
    data: { type: 'jsonb', default: {} },
  },
});

// fails(NAME, SQLSTATE, WORK): on the adopted table
async function fails(name, sqlstate, work) {
  const code = await work().then(() => 'works', (error) => error.code ?? String(error));
  assert.strictEqual(code, adopted ? sqlstate : 'works', name);
  console.log(`${name}: as it should be`);
}

run(async () => {
  await fails('knex: onConflict().merge()', '42P10', () =>
    knex('users').insert({ email: 'a', name: 'a', data: {} }).onConflict('email').merge());
  await fails('knex: onConflict(column).ignore()', '42P10', () =>
    knex('users').insert({ email: 'a', name: 'a', data: {} }).onConflict('email').ignore());
  await fails('knex: onConflict().ignore() with a row that is there', '23505', () =>
    knex('users').insert({ id: 1, name: 'a', data: {} }).onConflict().ignore());
  await fails('knex: truncate()', '42809', () => knex.transaction(async (trx) => {
    await trx.raw('TRUNCATE users CASCADE');
    await trx.raw("INSERT INTO users (id, name) VALUES (1, 'again')");
  }));
  await fails('knex: alterTable()', '42809', () => knex.schema.alterTable('users', (table) => table.string('phone')));
  await fails('knex: references()', '42809', () =>
    knex.schema.createTable('visits', (table) => table.bigInteger('user_id').references('id').inTable('users')));
  await fails('COPY TO', '42809', () => knex.raw('COPY users TO \'/dev/null\''));

  const source = new DataSource({
    type: 'postgres', host: parameters.host, port: parameters.port, username: parameters.user, database: parameters.database,
    entities: [User], synchronize: false, installExtensions: false,
  });
  await source.initialize();
  await fails('typeorm: upsert()', '42P10', () => source.getRepository(User).upsert({ email: 'b', name: 'b', data: {} }, ['email']));
  await fails('typeorm: synchronize()', '42809', () => source.synchronize());
  await source.destroy();

  const { rows: [{ s }] } = await knex.raw("SELECT pg_get_serial_sequence('users', 'id') AS s");
  assert.strictEqual(s, adopted ? null : 'public.users_id_seq');
  const error = await knex('users').insert({ id: 1, name: 'again' }).catch((e) => e);
  assert.deepStrictEqual([error.code, error.constraint, error.table], ['23505', 'users_pkey', adopted ? 'users_base' : 'users']);
  console.log('the end: reached');
  await knex.destroy();
});
