// What the applications share: documents, and steps that print one line each.
'use strict';

const parameters = {
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  user: process.env.PGUSER,
  database: process.env.PGDATABASE,
};

// A document as such applications have them: lists of things with ids, some without, numbers of every kind
function person(n, dreams) {
  return {
    city: n % 2 ? 'Genève' : 'São Paulo',
    active: n % 3 === 0,
    score: n * 1.5,
    tags: ['a', 'b'],
    nothing: null,
    dreamBook: Array.from({ length: dreams }, (_, i) => ({
      id: `dream-${n}-${i}`,
      title: `Dream "${i}" of ${n}; it's \\ 😀`,
      year: 2030 + i,
      milestones: [{ id: 1, done: false }, 'first', null, 2.5],
    })),
    connects: n % 4 ? [{ with: n + 1 }, { with: n + 2 }, 'walk', 7, null, [[]]] : [],
    profile: { goals: [{ id: n, text: 'read' }, { id: String(n), text: 'write' }], focus: {} },
  };
}

// What differs between two runs of the same application: times, and nothing else
function steady(value) {
  return JSON.stringify(value, (key, v) => {
    if (v instanceof Error) return { error: v.code, constraint: v.constraint, column: v.column };
    return key === 'created_at' || key === 'createdAt' ? typeof v : v;
  });
}

async function step(name, work) {
  let result;
  try {
    result = await work();
  } catch (error) {
    if (!error.code && !error.driverError) throw error;
    result = error.driverError ?? error;
  }
  console.log(`${name}: ${steady(result)}`);
  return result;
}

function check(truth, what) {
  if (!truth) throw new Error(`not as it should be: ${what}`);
}

// run(APP): exit status 1 and the reason when it does not come to its end
function run(app) {
  app().catch((error) => {
    console.log(`died: ${error.stack}`);
    process.exitCode = 1;
  });
}

module.exports = { parameters, person, step, check, run };
