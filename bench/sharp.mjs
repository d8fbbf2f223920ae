// The peer for the misses: sharp behind node:http, doing what a careful user of it would write.
//
//   node sharp.mjs FOLDER PORT        GET /name.jpg?w=400&fm=webp&wm=1
//
// Environment: SHARP_HOME, where sharp is installed; SHARP_OUTPUT, JSON of sharp's output options for each
// format; SHARP_MARK, the watermark.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, port] = process.argv.slice(2);
// Not beside this file: the bench installs it into a folder of its own.
const sharp = createRequire(join(process.env.SHARP_HOME, "x.js"))("sharp");
const output = JSON.parse(process.env.SHARP_OUTPUT);

sharp.cache(false);
sharp.concurrency(1); // one thread a picture; node's pool of UV_THREADPOOL_SIZE renders several at once

// A fifth of the rendition's width, scaled once for each width.
const marks = new Map();
function mark(width) {
  if (!marks.has(width)) {
    marks.set(width, sharp(process.env.SHARP_MARK).resize({ width }).png().toBuffer({ resolveWithObject: true }));
  }
  return marks.get(width);
}

// In the lower right corner, 2 % of the shorter side away from the edges.
async function marked(image, width) {
  const { autoOrient: size } = await image.metadata();
  const height = Math.round((size.height * width) / size.width);
  const { data, info } = await mark(Math.round(width / 5));
  const margin = Math.round(Math.min(width, height) / 50);
  return image.composite([{ input: data, left: width - info.width - margin, top: height - info.height - margin }]);
}

createServer(async (request, response) => {
  try {
    const url = new URL(request.url, "http://localhost");
    const name = url.pathname.replace(/^.*\//, "");
    const width = Number(url.searchParams.get("w"));
    const format = url.searchParams.get("fm") ?? "jpeg";
    let image = sharp(join(folder, name), { animated: name.endsWith(".gif") })
      .autoOrient()
      .resize({ width, withoutEnlargement: true });
    if (url.searchParams.has("wm")) {
      image = await marked(image, width);
    }
    const body = await image.toFormat(format, output[format]).toBuffer();
    response.writeHead(200, { "Content-Type": `image/${format}`, "Content-Length": body.length });
    response.end(body);
  } catch (error) {
    const body = String(error);
    response.writeHead(500, { "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  }
}).listen(Number(port), "127.0.0.1", () => {
  console.log(JSON.stringify({ sharp: sharp.versions.sharp, vips: sharp.versions.vips }));
});
