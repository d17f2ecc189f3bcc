// What workerd loads in place of the Worker's entry.js: the same Worker, and a count of what D1 says of each of its answers.
//
// The Worker does not show what its statements cost. Here it asks D1 as ever, and what it is answered is looked at on the way: the
// figures are those of the very statements, with the very values, and D1 bills by them.

import worker from "./entry.js";

/** Since somebody last looked. */
let seen = none();
let watched = false;

function none() {
  return { statements: 0, rowsRead: 0, rowsWritten: 0, sizeAfter: 0 };
}

function count({ meta }) {
  seen.statements += 1;
  seen.rowsRead += meta.rows_read;
  seen.rowsWritten += meta.rows_written;
  seen.sizeAfter = meta.size_after;
}

/** Looks at the answers of the three methods that the Worker calls, in db.rs. */
function watch({ DB }) {
  if (watched) return;
  watched = true;
  const database = Object.getPrototypeOf(DB);
  const { batch } = database;
  database.batch = async function (statements) {
    const results = await batch.call(this, statements);
    results.forEach(count);
    return results;
  };
  const statement = Object.getPrototypeOf(DB.prepare("SELECT 1"));
  const { all } = statement;
  statement.all = async function () {
    const result = await all.call(this);
    count(result);
    return result;
  };
  // by itself it does not tell what it cost
  statement.first = async function () {
    const { results } = await this.all();
    return results[0] ?? null;
  };
}

export default {
  async fetch(request, env, ctx) {
    watch(env);
    if (new URL(request.url).pathname !== "/seen") return worker.fetch(request, env, ctx);
    const answer = Response.json(seen);
    seen = none();
    return answer;
  },

  async scheduled(controller, env, ctx) {
    watch(env);
    return worker.scheduled(controller, env, ctx);
  },
};
