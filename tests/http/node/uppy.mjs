// @uppy/xhr-upload on a page: files go to the upload location, one a request. Prints what Uppy was told.

import { open } from "./browser.mjs";

const [how, { url, files, token }] = JSON.parse(process.argv[2]);
const { browser, page, problems } = await open(how);
await page.goto(url);
const seen = await page.evaluate(async ({ files: given, token: word }) => {
  const { uploader } = await import("/uploader.js");
  const uppy = uploader("/upload", word);
  const progress = [];
  uppy.on("upload-progress", (file, { bytesUploaded, bytesTotal }) => progress.push(bytesUploaded / bytesTotal));
  for (const { name, type, base64 } of given) {
    const data = await (await fetch(`data:${type};base64,${base64}`)).blob();
    uppy.addFile({ name, type, data });
  }
  const { successful, failed } = await uppy.upload();
  return {
    successful: successful.map(({ name, uploadURL, response }) => ({ name, uploadURL, status: response.status, body: response.body })),
    failed: failed.map(({ name, error }) => ({ name, error })),
    progress: Math.max(...progress),
  };
}, { files, token });
await browser.close();
// Uppy itself writes down what failed.
console.log(JSON.stringify({ ...seen, problems: problems.filter((text) => !text.startsWith("[Uppy]")) }));
