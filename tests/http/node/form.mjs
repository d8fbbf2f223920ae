// A form of HTML, filled in and sent by a browser. Prints the answer that it shows then.

import { open } from "./browser.mjs";

const [how, { url, files }] = JSON.parse(process.argv[2]);
const { browser, page } = await open(how);
await page.goto(url);
await page.setInputFiles("[name=photo]", files);
const [answer] = await Promise.all([page.waitForNavigation(), page.click("button")]);
console.log(JSON.stringify({ status: answer.status(), body: await answer.text() }));
await browser.close();
