// A peer for the misses: ipx, as its own server runs it, asked in the way that sharp.mjs is asked.
//
//   node ipx.mjs FOLDER PORT        GET /name.jpg?w=400&fm=webp
//
// Environment: PEER_HOME, where ipx is installed; PEER_QUALITY, JSON of a quality for each format.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, port] = process.argv.slice(2);
const home = createRequire(join(process.env.PEER_HOME, "x.js"));
const { createIPX, ipxFSStorage } = await import(pathToFileURL(home.resolve("ipx")));
const quality = JSON.parse(process.env.PEER_QUALITY);
const sharp = createRequire(home.resolve("ipx"))("sharp");

sharp.cache(false);
sharp.concurrency(1);

const ipx = createIPX({ storage: ipxFSStorage({ dir: folder }) });

createServer(async (request, response) => {
  try {
    const url = new URL(request.url, "http://localhost");
    const format = url.searchParams.get("fm") ?? "jpeg";
    const modifiers = { width: url.searchParams.get("w"), format, quality: String(quality[format]) };
    const { data } = await ipx(url.pathname.replace(/^.*\//, ""), modifiers).process();
    response.writeHead(200, { "Content-Type": `image/${format}`, "Content-Length": data.length });
    response.end(data);
  } catch (error) {
    const body = String(error);
    response.writeHead(500, { "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  }
}).listen(Number(port), "127.0.0.1");
