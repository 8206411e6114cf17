/** A report is for others, who need not read what this user is called. */
import { homedir } from 'node:os';

/** Puts `~` in the place of this user's home folder, in text, JSON or Markdown. */
export function withoutHome(text: string, home = homedir()): string {
  // Of a process without a user it is the root of all paths.
  if (home.length < 2) return text;
  const inMarkdown = home.replace(/[<>*_`[\]|\\]/g, '\\$&');
  const inJson = JSON.stringify(home).slice(1, -1);
  return [inMarkdown, inJson, home].reduce((rest, form) => rest.replaceAll(wholeName(form), '~'), text);
}

/** A path, where it is not the beginning of a longer name. */
function wholeName(path: string): RegExp {
  return new RegExp(`${path.replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&')}(?![\\w.-])`, 'g');
}
