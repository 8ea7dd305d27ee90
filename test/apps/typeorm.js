// An application on TypeORM: entities that are loaded, changed and saved.
'use strict';

const assert = require('node:assert');
const { DataSource, EntitySchema, In, MoreThan } = require('typeorm');
const { parameters, person, step, run } = require('./steps');

const User = new EntitySchema({
  name: 'User',
  tableName: 'users',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'increment' },
    name: { type: 'text' },
    email: { type: 'varchar', length: 200, nullable: true, unique: true },
    data: { type: 'jsonb', default: {} },
    createdAt: { name: 'created_at', type: 'timestamptz', createDate: true },
  },
  relations: { orders: { type: 'one-to-many', target: 'Order', inverseSide: 'user' } },
});
const Order = new EntitySchema({
  name: 'Order',
  tableName: 'orders',
  columns: { id: { type: 'int', primary: true, generated: 'increment' }, total: { type: 'numeric', precision: 10, scale: 2 } },
  relations: { user: { type: 'many-to-one', target: 'User', joinColumn: { name: 'user_id' }, inverseSide: 'orders' } },
});
const source = new DataSource({
  type: 'postgres', host: parameters.host, port: parameters.port, username: parameters.user, database: parameters.database,
  entities: [User, Order], synchronize: false, uuidExtension: 'pgcrypto', installExtensions: false,
});

run(async () => {
  await source.initialize();
  const users = source.getRepository(User);
  const orders = source.getRepository(Order);
  const reload = (id) => users.findOneByOrFail({ id });

  await step('find all', () => users.find({ order: { id: 'ASC' } }));
  const ada = users.create({ name: 'Ada', email: 'ada@example.org', data: person(1, 3) });
  await step('save a new one', () => users.save(ada));
  assert.deepStrictEqual((await reload(ada.id)).data, person(1, 3));
  await step('save several', () => users.save([1, 2, 3].map((n) => users.create({ name: `n ${n}`, data: person(n, n) }))));
  await step('insert', () => users.insert([{ name: 'i', data: person(4, 20) }, { name: 'no document' }]));

  await step('find one', () => users.findOneBy({ name: 'i' }));
  await step('find some', () => users.find({ where: { id: In([1, 2, 3]) }, select: { id: true, data: true }, order: { id: 'ASC' } }));
  await step('find a page', () => users.findAndCount({ where: { id: MoreThan('2') }, order: { id: 'DESC' }, take: 3, skip: 1 }));
  await step('query builder', () =>
    users.createQueryBuilder('u').where("u.data ->> 'city' = :city", { city: 'Genève' }).orderBy('u.id').getMany());
  await step('exists', () => users.existsBy({ id: ada.id }));

  await step('change and save', async () => {
    const user = await reload(ada.id);
    user.data.dreamBook[0].title = 'changed';
    user.data.dreamBook.splice(1, 1);
    user.data.connects.push({ with: 99 });
    await users.save(user);
    assert.deepStrictEqual((await reload(ada.id)).data, user.data);
    return user;
  });
  await step('save unchanged', async () => users.save(await reload(ada.id)));
  await step('save an old one', async () => {
    const user = await reload('3');
    user.data.dreamBook = user.data.dreamBook.reverse();
    await users.save(user);
    return reload('3');
  });
  await step('update', () => users.update({ id: ada.id }, { data: { dreamBook: [{ id: 1 }, { id: '1' }], profile: null } }));
  await step('updated', () => reload(ada.id));
  await step('update with the query builder', () =>
    users.createQueryBuilder().update().set({ data: () => "jsonb_set(data, '{dreamBook,0,x}', '1.50')" }).where({ id: ada.id }).returning('data').execute());

  await step('relations', async () => {
    await orders.save(orders.create({ total: '9.90', user: ada }));
    return users.find({ where: { id: ada.id }, relations: { orders: true } });
  });
  await step('transaction', () =>
    source.transaction(async (manager) => {
      const user = await manager.findOne(User, { where: { id: ada.id }, lock: { mode: 'pessimistic_write' } });
      user.data.dreamBook.push({ id: 'locked' });
      await manager.save(User, user);
      return manager.findOneBy(User, { id: ada.id });
    }));
  await step('rolled back', () =>
    source.transaction(async (manager) => {
      await manager.update(User, { id: ada.id }, { data: {} });
      await manager.query('SELECT 1 / 0');
    }));
  await step('as before', () => reload(ada.id));
  await step('increment', () => orders.increment({ user: { id: ada.id } }, 'total', 1));
  await step('address twice', () => users.insert({ name: 'x', email: 'ada@example.org' }));
  await step('upsert an order', () => orders.upsert({ id: 500, total: '1.00', user: { id: ada.id } }, ['id']));

  await step('remove', async () => users.remove(await reload(ada.id)));
  await step('delete', () => users.delete({ name: 'i' }));
  await step('the end', () => users.find({ order: { id: 'ASC' } }));
  await source.destroy();
});
