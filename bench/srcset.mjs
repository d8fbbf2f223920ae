// What a program can do with sharp that knows all sizes of a picture beforehand. No server around it.
//
//   node srcset.mjs IDIOM WIDTHS FILE       prints {"cpu": milliseconds of CPU for one set}
//
// IDIOM: `clone`, pipelines that branch off one input, as sharp's documentation shows it; `raw`, which decodes
// once, to the largest width, and makes the others of these pixels. WIDTHS: such as 320,640. Environment as for
// sharp.mjs.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [idiom, list, file] = process.argv.slice(2);
const sharp = createRequire(join(process.env.SHARP_HOME, "x.js"))("sharp");
const output = JSON.parse(process.env.SHARP_OUTPUT);
const widths = list.split(",").map(Number);

sharp.cache(false);
sharp.concurrency(1);

async function set() {
  let input = sharp(readFileSync(file)).autoOrient();
  if (idiom === "raw") {
    const { data, info } = await input.resize({ width: Math.max(...widths) }).raw().toBuffer({ resolveWithObject: true });
    input = sharp(data, { raw: info });
  }
  await Promise.all(
    widths.flatMap((width) =>
      ["jpeg", "webp"].map((format) =>
        input.clone().resize({ width, withoutEnlargement: true }).toFormat(format, output[format]).toBuffer(),
      ),
    ),
  );
}

await set();
let best = Infinity;
for (let i = 0; i < 3; i++) {
  const before = process.cpuUsage();
  await set();
  const { user, system } = process.cpuUsage(before);
  best = Math.min(best, (user + system) / 1000);
}
console.log(JSON.stringify({ cpu: best }));
