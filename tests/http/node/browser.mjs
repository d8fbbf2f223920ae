// A headless Chromium, and what goes wrong on its pages.

export async function open({ playwright, chromium: executablePath }, options = {}) {
  const { chromium } = await import(playwright);
  const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : []; // Chromium has none for root
  const browser = await chromium.launch({ executablePath, args: [...sandbox, "--disable-dev-shm-usage"] });
  const context = await browser.newContext({ viewport: { width: 1500, height: 1000 }, ...options });
  const patience = 20000 * Number(process.env.SLOW ?? 1);
  context.setDefaultTimeout(patience);
  context.setDefaultNavigationTimeout(patience);
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // A status of 4xx is written down by Chromium itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      problems.push(message.text());
    }
  });
  return { browser, context, page, problems };
}
