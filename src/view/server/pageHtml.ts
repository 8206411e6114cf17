/** The page's HTML, which holds nothing of a run: all of that comes as data, and is shown as text. */

const head =
  '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>proxmo</title>';
const icon = `<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='8' rx='2' fill='%232f6fd0'/%3E%3Crect y='8' width='16' height='8' rx='2' fill='%23d9791c'/%3E%3C/svg%3E">`;

/** As the server sends it. */
export function pageHtml(): string {
  return `<!doctype html><html lang="en"><head>${head}${icon}<link rel="stylesheet" href="page.css"><script src="page.js" defer></script></head><body></body></html>`;
}
