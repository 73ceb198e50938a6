// What the columns of a table hold: counted once for each version of its data, when somebody looks.

import { post } from "../core/api.js";
import { load, store } from "../core/state.js";

const VERSION_CHARACTERS = 24;

// Column names with `{min, max, mean, distinct, nulls}`. Throws Problem.
export async function statistics(dataset, version, table) {
  const name = `statistics.${version.slice(0, VERSION_CHARACTERS)}.${table}`;
  const known = load(name, null) ?? (await counted(dataset, table));
  store(name, known);
  return new Map(known);
}

async function counted(dataset, table) {
  const { result, error } = await post("/runs", {
    dataset_id: dataset,
    sql: `SUMMARIZE "${table.replaceAll('"', '""')}"`,
    question: `What do the columns of ${table} hold?`,
  });
  if (!result) throw new Error(error?.message ?? "There are no statistics.");
  const at = Object.fromEntries(result.columns.map((column, index) => [column, index]));
  return result.rows.map((row) => [
    row[at.column_name],
    {
      min: row[at.min],
      max: row[at.max],
      mean: row[at.avg],
      distinct: row[at.approx_unique],
      nulls: Number(row[at.null_percentage] ?? 0),
    },
  ]);
}
