/** docs/configuration.md is what the schema of settings says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configurationPage } from '../../scripts/configuration.ts';
import { SettingList } from '../../src/cli/config/settings.ts';

const path = join(import.meta.dirname, '..', '..', 'docs', 'configuration.md');

it('is up to date: npm run configuration writes it anew', () => {
  expect(readFileSync(path, 'utf8')).toBe(configurationPage());
});

it.each(['train', 'sft'] as const)('has every setting of proxmo %s', (command) => {
  const page = configurationPage();
  for (const { key } of new SettingList(command).settings) expect(page).toContain(`\`${key}\``);
});
