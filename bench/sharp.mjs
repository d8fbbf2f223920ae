// The peer for the misses: sharp behind node:http, doing what a careful user of it would write.
//
//   node sharp.mjs FOLDER PORT        GET /name.jpg?w=400&fm=webp
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, port] = process.argv.slice(2);
// Not beside this file: the bench installs it into a folder of its own, and names that in SHARP_HOME.
const sharp = createRequire(join(process.env.SHARP_HOME, "x.js"))("sharp");

sharp.cache(false);
sharp.concurrency(1); // one thread a picture; node's pool of UV_THREADPOOL_SIZE renders several at once

const encode = {
  jpeg: (image) => image.jpeg({ quality: 80 }),
  webp: (image) => image.webp({ quality: 80, effort: Number(process.env.WEBP_EFFORT) }),
};

createServer(async (request, response) => {
  try {
    const url = new URL(request.url, "http://localhost");
    const format = url.searchParams.get("fm") ?? "jpeg";
    const name = url.pathname.replace(/^.*\//, "");
    const image = sharp(join(folder, name))
      .autoOrient()
      .resize({ width: Number(url.searchParams.get("w")), withoutEnlargement: true });
    const body = await encode[format](image).toBuffer();
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
