/** The page's HTML. What is in a run comes as data, and is shown as text: none of it is markup. */
import { createHash } from 'node:crypto';
import { script, style } from '../page/main.ts?bundle';

const head =
  '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>proxmo</title>';
const icon = `<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='8' rx='2' fill='%232f6fd0'/%3E%3Crect y='8' width='16' height='8' rx='2' fill='%23d9791c'/%3E%3C/svg%3E">`;

/** As the server sends it, which has the script and the style at addresses of their own. */
export function pageHtml(): string {
  return `<!doctype html><html lang="en"><head>${head}${icon}<link rel="stylesheet" href="page.css"><script src="page.js" defer></script></head><body></body></html>`;
}

/**
 * With all that belongs to it, for a file: it can load nothing, from anywhere.
 * @param held JSON without `<`, as base64 has none
 */
export function diskPageHtml(held: string): string {
  // Within a script element, these would end or change it. In JavaScript both spellings are the same.
  const code = script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(code)}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html><html lang="en"><head>${head}<meta http-equiv="Content-Security-Policy" content="${policy}">${icon}<style>${style}</style></head><body><script type="application/json" id="held">${held}</script><script>${code}</script></body></html>\n`;
}

/** As a Content-Security-Policy names what it lets in. */
function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
