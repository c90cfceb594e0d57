// A model exported to ONNX, asked from JavaScript. Not run by the tests: it needs Node 18 or newer and `npm install onnxruntime-node`.
//
//   likewise export model --onnx films.onnx
//   node onnx_answers.mjs films.onnx

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-node";

const file = process.argv[2] ?? "films.onnx";
const session = await ort.InferenceSession.create(file);
const ids = JSON.parse(await readFile(`${file}.ids.json`, "utf8"));
const rowOf = new Map(ids.titles.map((title, row) => [title, row]));

const whole = (numbers) => new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), [numbers.length]);

/** Titles and predicted ratings, for the row of a known user or for a visitor's ratings by title. */
async function ask({ user = -1, ratings = {}, seen = [], k = 5 }) {
  const rows = Object.keys(ratings).map((title) => rowOf.get(title));
  const found = await session.run({
    user: whole([user]),
    items: whole(rows),
    ratings: new ort.Tensor("float32", Float32Array.from(Object.values(ratings)), [rows.length]),
    exclude: whole([...rows, ...seen]),
    allowed: new ort.Tensor("bool", new Uint8Array(0), [0]), // empty: all items
    k: whole([k]),
  });
  return Array.from(found.rows.data, (row, n) => [ids.titles[Number(row)], found.responses.data[n]]);
}

console.log("A visitor:", await ask({ ratings: { "Toy Story (1995)": 5, "Finding Nemo (2003)": 5, "Heat (1995)": 2 } }));
console.log("User 42:", await ask({ user: ids.users.indexOf(42) }));
