/**
 * Templates against what Jinja2 makes of them, as transformers sets it up; written by test/oracle/jinja_templates.py.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Template } from '../../src/text/jinja/template.ts';
import { JinjaError, UnsupportedError } from '../../src/text/jinja/values.ts';

interface Case {
  readonly topic: string;
  readonly template: string;
  readonly text?: string;
  readonly error?: string;
}

const { variables, cases } = JSON.parse(readFileSync(new URL('../fixtures/jinja.json', import.meta.url), 'utf8')) as {
  readonly variables: Record<string, unknown>;
  readonly cases: readonly Case[];
};

/** The text, or why there is none. */
function render(template: string): { readonly text?: string; readonly error?: unknown } {
  try {
    return { text: new Template(template).render(variables) };
  } catch (error) {
    return { error };
  }
}

/** What is refused by name of all that Jinja2 renders. */
const refused = ['{{ s|safe|upper }}', "{{ '<'|safe ~ '>' }}"];

describe.each([...new Set(cases.map(({ topic }) => topic))])('%s', (topic) => {
  test('is as Jinja2 has it', () => {
    const own = cases.filter((each) => each.topic === topic && !refused.includes(each.template));
    expect(own.length).toBeGreaterThan(50);
    const differ = own.flatMap(({ template, text, error: expected }) => {
      const got = render(template);
      const isSame = text === undefined ? got.error instanceof JinjaError : got.text === text;
      return isSame ? [] : [{ template, got: got.text ?? String(got.error), due: text ?? expected }];
    });
    expect(differ).toEqual([]);
  });
});

test.each<readonly [template: string, name: string]>([
  ...refused.map((template) => [template, 'a use of text marked as safe'] as const),
  ['{% include "x" %}', 'the tag "include"'],
  ['{% block a %}{% endblock %}', 'the tag "block"'],
  ['{{ s|urlize }}', 'the filter "urlize"'],
  ['{{ s.translate({}) }}', 'the method str.translate'],
  ['{{ o|map("string") }}', 'printing a generator or function'],
  ['{{ 2 ** 60 }}', 'whole numbers beyond 2^53'],
  ['{{ strftime_now("%c") }}', 'the date format %c'],
  ['{{ "a" * 10000000 }}', 'texts and lists longer than 1000000'],
])('%s is refused by name', (template, name) => {
  const { error } = render(template);
  expect(error).toBeInstanceOf(UnsupportedError);
  expect((error as Error).message).toBe(name);
});

test('names of JavaScript mean nothing', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    expect(render(`{{ ${name} }}|{{ s.${name} }}|{{ d.${name} }}|{{ l['${name}'] }}`).text).toBe('|||');
    expect(render(`{{ s|${name} }}`).error).toBeInstanceOf(JinjaError);
    expect(render(`{{ s is ${name} }}`).error).toBeInstanceOf(JinjaError);
  }
});

test('the time is that of the clock, in English', () => {
  const at = () => new Date(2024, 6, 5, 15, 4, 9);
  const format = '%Y-%m-%d %H:%M:%S %d %b %Y, %A %B %e %I %p %y %a 100%%';
  expect(new Template(`{{ strftime_now('${format}') }}`).render({}, at)).toBe(
    '2024-07-05 15:04:09 05 Jul 2024, Friday July  5 03 PM 24 Fri 100%',
  );
});
