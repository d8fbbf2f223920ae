// conf/www in a browser: what a person does there, step by step. Prints what was seen on the way.

import { readFile } from "node:fs/promises";

import { open } from "./browser.mjs";

const [how, { url, token, photographs, notes, screenshot }] = JSON.parse(process.argv[2]);
const { browser, context, page, problems } = await open(how, { permissions: ["clipboard-read", "clipboard-write"] });
const seen = {};

const address = () => page.inputValue("#address");
const text = (selector) => page.textContent(selector);
/** Until the rendition on the page is the one of the address: its size is told, and nothing is under way. */
const settled = (size) =>
  page.waitForFunction(
    (wanted) => !document.querySelector("#canvas[aria-busy]") && document.querySelector("#fact-size").textContent === wanted,
    size);
const stored = (count) => page.waitForFunction((n) => document.querySelectorAll("#pictures li").length === n, count);
const number = (name, value) => page.fill(`.range:has(#c-${name}) .number input`, value);

// Without a token, the page asks for one: typed, and Enter.
await page.goto(url);
await page.waitForSelector("#token-dialog[open]");
await page.keyboard.type(token);
await page.keyboard.press("Enter");
await page.waitForSelector("#token-dialog", { state: "hidden" });
await page.waitForFunction((t) => sessionStorage.getItem("ngx_media token") === t, token);

// A visitor with the printed address: the token goes from it into the tab.
await page.evaluate(() => sessionStorage.clear());
await page.goto("about:blank");
await page.goto(`${url}#token=${token}`);
await page.waitForFunction(() => location.hash === "");
seen.url = page.url();

// By keyboard alone from the top to the files.
await page.keyboard.press("Tab");
await page.keyboard.press("Tab");
await page.keyboard.press("Tab");
seen.focus = await page.evaluate(() => document.activeElement.id);

// A photograph is chosen, and a file that is none.
await page.setInputFiles("#files", [photographs[0], notes]);
await stored(1);
await page.waitForSelector("#queue .failed");
seen.refused = await text("#queue .failed .state");
await page.click("#queue .failed button:has-text('Dismiss')");
await settled("800 × 533");
seen.first = await address();
const key = await page.getAttribute(".picture[aria-current]", "data-key");
seen.facts = { format: await text("#fact-format"), bytes: await text("#fact-bytes"), share: await text("#fact-share") };
seen.pixels = await page.evaluate(() => {
  const image = document.querySelector("#rendition");
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" }).then((blob) => blob.arrayBuffer())
    .then((buffer) => Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
    .then(btoa);
});
if (screenshot) {
  await page.screenshot({ path: screenshot });
}

// The knobs: a slider by its keys, numbers, choices by their keys.
await page.focus("#c-w");
await page.keyboard.press("ArrowLeft");
await settled("790 × 527");
await number("w", "300");
await number("h", "300");
await page.focus("[name=fit][value=inside]");
await page.keyboard.press("ArrowRight");
await page.check("[name=fm][value=webp]", { force: true });
await settled("300 × 300");
seen.knobs = await address();
const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
seen.download = download.suggestedFilename();

// What goes wrong is said, and whose fault it is.
await page.click("summary:has-text('Look')");
await number("blur", "999");
await page.waitForSelector("#problem:not([hidden])");
seen.problem = await text("#problem");
seen.guilty = await page.locator(".guilty label").first().textContent();
await page.click("#controls [type=reset]");
await settled("800 × 533");
seen.guiltyAfter = await page.locator(".guilty").count();

// Addresses to take away.
await page.check("[name=link-kind][value=html]", { force: true });
seen.html = await address();
await page.check("[name=link-kind][value=url]", { force: true });
await page.click("#copy");
await page.waitForFunction(() => document.querySelector("#copy").textContent === "Copied");
seen.clipboard = await page.evaluate(() => navigator.clipboard.readText());

// Another one is dropped, and the first one again.
const drop = async (name, path) => {
  const bytes = Array.from(await readFile(path));
  await page.evaluate(({ name, bytes }) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
  }, { name, bytes });
};
await drop("second.jpg", photographs[1]);
await stored(2);
await drop("again.jpg", photographs[0]);
await page.waitForFunction(() => document.querySelector("#status").textContent.includes("again.jpg"));
seen.again = await text("#status");
seen.count = await page.locator("#pictures li").count();

// They are still there after a reload, and their thumbnails are pictures.
await page.reload();
await stored(2);
await page.waitForFunction(() => [...document.querySelectorAll("#pictures img")].every((image) => image.naturalWidth === 120));

// One is deleted, once that is confirmed.
await page.click(`.picture[data-key]:not([data-key="${key}"])`);
await page.waitForFunction((first) => !document.querySelector("#address").value.includes(first), key);
seen.deleted = await address();
await page.click("#remove");
await page.click("#remove-dialog [value=cancel]");
await page.click("#remove");
await page.click("#remove-dialog [value=remove]");
await stored(1);

// Every field has a name, every picture a text.
seen.nameless = await page.$$eval("input, select, textarea, button", (fields) =>
  fields.filter((field) => !(field.labels?.length || field.ariaLabel || field.textContent.trim() || field.querySelector("img[alt]")))
    .map((field) => field.outerHTML));
seen.textless = await page.$$eval("img:not([alt])", (images) => images.length);

// Dark where the system is, unless told otherwise.
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
await page.emulateMedia({ colorScheme: "light" });
seen.light = await ground();
await page.emulateMedia({ colorScheme: "dark" });
seen.dark = await ground();
await page.selectOption("#theme", "light");
seen.chosen = await ground();

seen.problems = problems;
await context.close();
await browser.close();
console.log(JSON.stringify(seen));
