// Recommend from a genrec bundle in Node.
//
//   node recommend.mjs BUNDLE            replay golden.json: does this machine give the bundle's own answers?
//   node recommend.mjs BUNDLE 12 7 31    recommend to a visitor who had items 12, 7 and 31 (indexes of items.parquet)
import { readFileSync } from "node:fs";
import { join } from "node:path";

const load = (name) => import(name).then((module) => module.default ?? module);
const ort = await load("onnxruntime-node").catch(() => load("onnxruntime-web"));
const arrays = { int64: (data) => BigInt64Array.from(data, BigInt), bool: (data) => Uint8Array.from(data) };

const [bundle, ...history] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(bundle, name), "utf8"));
const session = await ort.InferenceSession.create(join(bundle, "recommender.onnx"));

/** inputs: {name: {dtype, shape, data}}, numbers row by row; returns items and scores, flat. */
async function ask(inputs) {
  const feeds = Object.entries(inputs).map(([name, { dtype, shape, data }]) => [
    name,
    new ort.Tensor(dtype, arrays[dtype](data), shape),
  ]);
  const { items, scores } = await session.run(Object.fromEntries(feeds));
  return { items: Array.from(items.data, Number), scores: Array.from(scores.data), k: items.dims[1] };
}

/** Same items in the same order, but where two scores differ by less than the tolerance they may be swapped. */
function isSame(found, wanted, tolerance) {
  const [batch, places] = wanted.items.shape;
  for (let row = 0; row < batch; row++) {
    const items = wanted.items.data.slice(row * places, (row + 1) * places);
    const scores = wanted.scores.data.slice(row * places, (row + 1) * places); // null stands for -inf
    for (let n = 0; n < places; n++) {
      const item = found.items[row * found.k + n];
      const score = found.scores[row * found.k + n];
      if (scores[n] === null ? item !== 0 : !(Math.abs(score - scores[n]) < tolerance)) return false;
      if (item === items[n]) continue;
      const place = items.includes(item) ? items.indexOf(item) : scores.findLastIndex((x) => x !== null);
      if (!(Math.abs(score - scores[place]) < tolerance)) return false;
    }
  }
  return true;
}

if (history.length) {
  const none = { dtype: "int64", shape: [1, 0], data: [] };
  const { items, scores } = await ask({
    history: { dtype: "int64", shape: [1, history.length], data: history }, // oldest first; zeros are padding
    user: { dtype: "int64", shape: [1], data: [0] }, // 0 is a visitor
    exclude_seen: { dtype: "bool", shape: [], data: [true] },
    banned: none, // items to keep out
    allowed: none, // where a row has a number, everything else is kept out
  });
  items.forEach((item, n) => item && console.log(item, scores[n].toFixed(4)));
} else {
  const { tolerance, requests } = read("golden.json");
  const wrong = [];
  for (const { name, inputs, outputs } of requests) {
    if (!isSame(await ask(inputs), outputs, tolerance)) wrong.push(name);
  }
  const { run } = read("manifest.json");
  console.log(`${run.name}: ${requests.length - wrong.length} of ${requests.length} golden requests give the same`);
  if (wrong.length) {
    console.error(`different: ${wrong.join("; ")}`);
    process.exit(1);
  }
}
