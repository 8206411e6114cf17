"""Writes test/fixtures/jinja.json: small templates, and what transformers makes of them.

    pip install transformers jinja2==3.1.6
    python test/oracle/jinja_templates.py && npx biome format --write test/fixtures/jinja.json

Each case is a template with its variables and its text, or `error` where rendering it fails. The first part is written by hand, by topic; the second is put
together at random from expressions of every kind. Variables are JSON, whose numbers with a fraction are floats.
"""
import json
import os
import random

from transformers.utils.chat_template_utils import _compile_jinja_template

FILE = os.path.join(os.path.dirname(__file__), "..", "fixtures", "jinja.json")

VARIABLES = {
    "b": True, "n": None, "i": 7, "f": 2.5, "s": "It's a \"Test\"", "e": "", "u": "naïve 漢字 🙂 x", "w": " \t pad\u00a0ded\u2003 \n",
    "l": [3, 1, 2], "m": ["b", "A", "c"], "d": {"a": 1, "b": [True, None], "items": "own"}, "x": {}, "y": [],
    "o": [{"name": "Bo", "age": 3, "tags": ["p"]}, {"name": "al", "age": 1, "tags": []}, {"name": "Cy", "age": 2}],
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi "},
        {"role": "assistant", "content": "<think>hm</think>\n\nyes", "tool_calls": [{"function": {"name": "go", "arguments": {"to": "desk", "n": 2}}}]},
        {"role": "tool", "content": "done"},
    ],
    "tools": [{"type": "function", "function": {"name": "go", "parameters": {"type": "object", "properties": {"to": {"type": ["string", "null"]}}, "required": ["to"]}}}],
}

PRINTED = """
b  n  i  f  s  e  u  l  m  d  x  y  o  missing  d.a  d.b  d.items  d['items']  d.missing  true  none  True  None  1.0  3.0e5  1e16  1e-5  0.1  -0.0
(1, 2)  (1,)  ()  1, 2  [1, 'a', "it's", '"', none, true, 1.5, {'k': (1, 2)}]  {1: 2, 'a': none, true: 3}  range(3)  range(1, 9, 3)  d.items()  d.keys()  d.values()
'a\\nb'  ['a\\nb\\t\\\\', '\\u00e9', '\\x07', '\\u200b']  "q'q"  'q"q'  'a' 'b'
namespace(a=1)  i // 2  -7 // 2  7 // -2  -7 % 3  7 % -3  -7.5 % 2  7.5 // 2  2 ** 3  2 ** -1  2 ** 3 ** 2  -2 ** 2  i / 2  8 / 2  1 + true  'a' * 3  3 * 'ab'  [1] * 2  (1,) + (2,)
[1] + [2]  'a' + 'b'  'a' ~ 1 ~ none ~ true ~ 1.0  1 + 2 ~ 3  'a' ~ 1 + 2  1 ~ 2 * 3  i - -1  +i  -f  not b  not n  b and i  n and i  n or i  e or 'z'  y or x or 0
1 == 1.0  1 == true  'a' == 'a'  [1] == [1.0]  [1] == (1,)  d == d  {'a': 1} == {'a': 1.0}  none == none  missing == nothing  missing == none  '1' == 1  0 == false  e == false
1 < 2 < 3  3 > 2 > 2  1 < 2 == 2  'a' < 'b'  'a' < 'B'  [1, 2] < [1, 3]  (1,) < (1, 0)  1 != 1.0  1 <= 1  2 >= 3  'é' > 'z'
2 in l  '2' in l  'a' in 'cat'  'a' in d  1 in d  missing in l  'x' in missing  2 not in l  not 2 in l  [1] in [[1.0]]  true in [1]  none in [none]
i if b  i if n  (i if n) is defined  i if n else f  1 if n else 2 if b else 3  b if i else f if n else s
l[0]  l[-1]  l[5]  l[1:]  l[:-1]  l[::-1]  l[::2]  l[-2:]  l[10:]  l[5:1:-2]  s[0]  u[2]  u[-3]  u[6:9]  u[::-1]  (1, 2, 3)[1:]  range(9)[2]  range(9)[-1]  m.0  d['b'][0]  messages[0].role  messages[0]['role']
d['a', 'b']  d.get('a')  d.get('zz')  d.get('zz', 5)  d.get('b')[0]  d.copy()  n.a  i.a  s.zz  l.zz  l['zz']  b['a']
""".strip()

FILTERED = """
b|string  n|string  f|string  l|string  d|string  missing|string|length  u|length  w|trim  w|trim|length  '--a-'|trim('-')  s|upper  s|lower  s|title  'they\\'re BILL\\'s-own (x)'|title  'ñAÑ fOO'|capitalize  'ß'|capitalize
l|sort  m|sort  m|sort(case_sensitive=true)  m|sort(reverse=true)  o|sort(attribute='age')|map(attribute='name')|list  o|sort(attribute='name')|map(attribute='name')|join(',')  o|sort(attribute='age,name', reverse=true)|map(attribute='age')|list
l|join  l|join(', ')  m|join('-')  [1, none, true, 1.5]|join(' ')  o|join('+', attribute='name')  u|join('.')  l|first  l|last  y|first  y|last  s|first  u|last  d|first  l|reverse|list  s|reverse  u|reverse
l|sum  [1.5, 2]|sum  o|sum(attribute='age')  l|sum(start=10)  y|sum  l|max  l|min  m|max  m|min  o|max(attribute='age')  y|max  l|length  d|length  s|length  missing|length  l|count
l|unique|list  ['a', 'A', 'b']|unique|list  ['a', 'A', 'b']|unique(case_sensitive=true)|list  [1, 1.0, true, '1']|unique|list  o|map(attribute='age')|list  o|map(attribute='tags.0')|list  o|map(attribute='tags', default=[])|list  o|map(attribute='zz', default='-')|join
m|map('upper')|list  m|map('replace', 'b', 'z')|list  l|map('string')|join('|')  [1, none, 0, 'a', '']|select|list  [1, none, 0]|reject|list  l|select('odd')|list  l|select('greaterthan', 1)|list  l|reject('equalto', 2)|list  [1, 'a', 1.5]|select('string')|list
o|selectattr('tags')|list|length  o|selectattr('age', 'gt', 1)|map(attribute='name')|list  o|rejectattr('age', 'equalto', 1)|map(attribute='name')|list  o|selectattr('tags', 'defined')|list|length  messages|selectattr('role', 'equalto', 'user')|first  messages|selectattr('role', 'in', ['user', 'tool'])|map(attribute='content')|list
d|tojson  o|tojson  tools|tojson  tools|tojson(indent=2)  tools|tojson(indent=4)  x|tojson(indent=2)  [[], {}, [1]]|tojson(indent=1)  u|tojson  u|tojson(ensure_ascii=true)  s|tojson  w|tojson  '\\x07\\x7f/<&>'|tojson  3.0|tojson  1e20|tojson  1e-7|tojson  f|tojson  i|tojson  n|tojson  b|tojson
(1, 2)|tojson  {1: 2, true: none}|tojson  {'b': 1, 'a': {'d': 1, 'c': 2}}|tojson(sort_keys=true)  d|tojson(separators=(',', ':'))  d|tojson(separators=(',', ':'), indent=2)  missing|tojson  range(2)|tojson  l|tojson(indent=0)
d|dictsort  {'b': 1, 'A': 2}|dictsort  {'b': 1, 'A': 2}|dictsort(true)  {'b': 1, 'a': 2}|dictsort(by='value')  {'b': 1, 'a': 2}|dictsort(reverse=true)  d|items|list  missing|items|list  d|list  s|list|length  missing|list
missing|default('z')  missing|d  n|default('z')  n|default('z', true)  e|default('z', boolean=true)  d.zz|default('q')  missing|default  f|round  2.5|round  3.5|round  2.675|round(2)  7|round  f|round(method='ceil')  2.341|round(2, 'floor')  1.005|round(2)  -0.5|round
'42'|int  '42.9'|int  ' 7 '|int  'x'|int  'x'|int(3)  '0x1f'|int(0, 16)  'ff'|int(base=16)  '-3'|int  '1_0'|int  none|int  true|int  -2.7|int  '1e3'|int  l|int  '3.5'|float  'x'|float  'x'|float(1.5)  7|float  '1e3'|float  missing|default(1)|int
-3|abs  f|abs  -f|abs  '%s-%s'|format('a', 1)  '%(a)s'|format(a=2)  '%05.1f|%5s|%-5s|%d'|format(2.25, 'ab', 'cd', 7.9)  s|replace('T', 't')  'aaa'|replace('a', 'b', 2)  'aXbX'|replace('X', '')  12|replace(1, 3)  s|wordcount  'a b'|center(9)
'a\\nb\\n\\nc'|indent  'a\\nb'|indent(2)  'a\\n\\nb'|indent(2, true)  'a\\n\\nb'|indent(2, true, true)  'a\\nb'|indent('> ', first=true)  'a\\n'|indent  ''|indent  l|batch(2)|list  l|batch(2, 0)|list  '<a>'|e  '<a>'|escape  '<a>'|safe  s|safe|upper  '<'|safe ~ '>'
""".strip()

METHODS = """
s.upper()  s.lower()  s.title()  'aB c'.swapcase()  'ab cd'.capitalize()  w.strip()  w.lstrip()  w.rstrip()  'xxaxx'.strip('x')  'xyaxy'.lstrip('yx')  '</s>a'.removeprefix('</s>')  'a.b'.removesuffix('.b')  'a b\\u0020 c'.split()  ' a b c '.split(none, 1)  'a,b,,c'.split(',')  'a,b,c'.split(',', 1)
'a b c'.rsplit(none, 1)  ' a b\\u0020 c '.rsplit(maxsplit=1)  'a,b,c'.rsplit(',', 1)  'a\\nb\\r\\nc\\n'.splitlines()  'a\\nb'.splitlines(true)  'a-b-c'.partition('-')  'a-b-c'.rpartition('-')  'abc'.partition('z')  'abcabc'.find('c')  'abcabc'.rfind('c')  'abc'.find('z')  u.find('x')  'abcabc'.index('b', 2)  'aaa'.count('a')  'aaaa'.count('aa')
s.startswith('It')  s.startswith(('x', 'It'))  s.endswith('x')  s.endswith('"', 3)  'abc'.startswith('b', 1)  'abc'.replace('b', '')  'aaa'.replace('a', 'b', 1)  'abc'.replace('', '-')  ', '.join(m)  ''.join(['a'])  '-'.join(d)  'ab'.center(6, '*')  'ab'.ljust(4) ~ '|'  'ab'.rjust(4, '.')  '7'.zfill(3)  '-7'.zfill(4)
'abc'.isalpha()  'ab1'.isalnum()  ''.isalpha()  '12'.isdecimal()  ' '.isspace()  'AB1'.isupper()  'ab'.islower()  'é'.isascii()  '{} {}'.format(1, 'a')  '{0}{1}{0}'.format('a', 'b')  '{a}'.format(a=1)  '{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c')  '{:05d} {:+} {:,}'.format(42, 3, 1234567)  '{:.2f} {:e} {:g} {:.1%}'.format(2.005, 12345.678, 0.00001, 0.256)
'{!r} {!s}'.format('a', 'b')  '{[0]} {.real}'.format(l)  '{0[a]}'.format(d)  '{{}}'.format()  '{:x} {:b} {:o} {:X}'.format(255, 5, 8, 255)  '%s' % 'a'  '%s %s' % ('a', 1)  '%d%%' % 5  '%.3f' % f  '%r' % s  '%5.1f|' % 2.25  '%-6s|' % 'ab'  '%+d' % 5  '%x' % 255  '%e' % 12345.678  '%g' % 0.0001  '%(a)s %(b)s' % d  '%s' % l  '%s' % none  '%c' % 'x'  '%s' % (l,)
l.count(1)  l.index(2)  (1, 2, 1).count(1)  d.items()|list  d.items()|map('first')|list  d.keys()|list  d.values()|list  'a'.upper().lower()  messages[-1]['content'].strip()  messages[2].content.split('</think>')[-1].lstrip('\\n')  l.append(1)  d.update({})  d.pop('a')  s.__class__  s.zz()  l.copy()
""".strip()

TESTED = """
b is boolean  i is boolean  i is integer  b is integer  f is integer  f is float  i is number  b is number  s is number  s is string  n is none  missing is defined  missing is undefined  n is defined  d is mapping  l is mapping  l is iterable  s is iterable  i is iterable  d is iterable  missing is iterable  range(2) is iterable
l is sequence  s is sequence  d is sequence  i is sequence  n is sequence  range is callable  s is callable  i is odd  i is even  i is divisibleby(7)  i is divisibleby 2  b is true  b is false  1 is true  n is sameas none  1 is eq 1  1 is equalto 2  1 is ne 2  2 is gt 1  2 is lessthan 1  2 is in l  2 is in [1]  'a' is in 'cat'
'ab' is lower  'AB' is upper  'Ab' is lower  '1' is lower  s is not string  missing is not defined  not missing is defined  b is not false  i is not none and b  'upper' is filter  'zz' is filter  'odd' is test  '<'|safe is escaped  d.a is defined  d.zz is defined  i is defined and i > 5  (i is defined) == true  '' is none  f is odd
""".strip()

STATEMENTS = [
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{{ loop.depth }}{% endfor %}",
    "{% for x in y %}a{% else %}none{% endfor %}|{% for x in l %}a{% else %}none{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}none{% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in u %}[{{ c }}]{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", "{% for a, b in l %}{{ a }}{% endfor %}",
    "{% for x in i %}{{ x }}{% endfor %}", "{% for x in n %}{{ x }}{% endfor %}", "{% for x in missing %}{{ x }}{% else %}e{% endfor %}", "{% for x in range(3) %}{{ x }}{% endfor %}{{ x }}",
    "{% for x in l %}a{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}a{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for z in l %}{{ z }}{% if z == x %}{% break %}{% endif %}{% endfor %};{% endfor %}", "{% for x in [1] %}{% continue %}{% else %}else{% endfor %}", "{% for x in [1] %}t{% break %}{% else %}else{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{{ x if x is number else '(' ~ loop(x) ~ ')' }}{{ loop.depth }}{% endfor %}",
    "{% set a = 1 %}{% for x in l %}{{ a }}{% set a = a + x %}{% endfor %}{{ a }}", "{% set ns = namespace(a=1) %}{% for x in l %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{{ ns.zz }}",
    "{% set a, c = 1, 2 %}{{ a }}{{ c }}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}x{{ i }}{% endset %}{{ a }}{{ a is string }}", "{% set a | upper | replace('X', 'y') %}x{{ i }}{% endset %}{{ a }}", "{% set d.a = 1 %}", "{% set nsx.a = 1 %}",
    "{% if b %}{% set q = 1 %}{% endif %}{{ q }}", "{% if n %}{% set q = 1 %}{% endif %}{{ q }}|", "{% if n %}1{% elif e %}2{% elif b %}3{% else %}4{% endif %}", "{% if l and not y %}t{% endif %}{% if x %}f{% else %}e{% endif %}", "{% if missing %}1{% else %}0{% endif %}",
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}{{ f(1, c=5) }}{{ f(b=3, a=4) }}", "{% macro f(a) %}[{{ a }}]{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, z=3) }}{{ f() }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(z=2) }}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{{ i }}{% endcall %}", "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) f() %}{{ a }}-{{ b }}{% endcall %}", "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% set a = 1 %}{% macro f() %}{{ a }}{% endmacro %}{% set a = 2 %}{{ f() }}", "{% macro f() %}{% set a = 5 %}{{ a }}{% endmacro %}{{ f() }}{{ a }}", "{% macro f(a=none) %}{{ a }}{{ a is none }}{% endmacro %}{{ f(none) }}{{ f() }}", "{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}{{ f(none) }}", "{% macro f() %}{{ kwargs.items()|list }}{% endmacro %}{{ f(**d) }}", "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*l) }}", "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(1, **{'b': 2}) }}",
    "{% with a = 1, c = 2 %}{{ a }}{{ c }}{% endwith %}{{ a }}", "{% set a = 1 %}{% with a = 2, c = a %}{{ a }}{{ c }}{% endwith %}{{ a }}", "{% filter upper %}ab{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% raw %}{{ a }} {% if %}{% endraw %}!", "a\n{%- raw -%}\n x \n{%- endraw -%}\n b", "{% raw %}\n  {% endraw %}\nx", "{# comment {{ x }} #}a{#- b -#} c", "a {#- b #} c\n{# d #}\ne", "{{ '{{' }}{{ '}}' }}{{ '{%' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{{'a': 1}}}", "{{ {'a': {'b': 1}} }}",
    "{% generation %}a{% set q = 1 %}{% endgeneration %}{{ q }}", "x\n    {%- generation -%}\n  a\n {%- endgeneration %}\n y", "{% if b %}\n  yes\n{% endif %}\nend\n", "  {% if b %}\n  yes\n  {% endif %}\n  end\n\n", "  {%+ if b %}\n  yes\n  {%+ endif %}\n", "{% if b +%}\nyes\n{% endif +%}\nend", "a  {%- if b -%}  \n b \n {%- endif -%}\n c",
    "a\t {{- i -}} \n b", "{{ i }}\n{{ i }}\n", "line\n\n", "\n", "", "a\r\nb\rc\n", "{% for x in l %}\r\n  {{ x }}\r\n{% endfor %}\r\n", "{{ 'a\r\nb' }}", "{{ raise_exception('no ' ~ i) }}", "{% print i, s %}", "{{ i|zz }}", "{% if n %}{{ i|zz }}{% endif %}ok", "{% if n %}{{ i is zz }}{% endif %}ok", "{{ zz() }}", "{{ i() }}",
    "{{ missing.a }}", "{{ missing['a'] }}", "{{ missing() }}", "{{ missing + 1 }}", "{{ missing < 1 }}", "{{ -missing }}", "{{ 'a' + 1 }}", "{{ 1 + 'a' }}", "{{ n + 1 }}", "{{ l + (1,) }}", "{{ 1 < 'a' }}", "{{ [1] < (1,) }}", "{{ 1 / 0 }}", "{{ l['a'] }}", "{{ 1 in 5 }}", "{{ 1 in 'a' }}", "{{ {[1]: 2} }}", "{{ i.a.b }}", "{{ '%s' }}{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ 'a' % 1 }}", "{{ '{}'.format() }}",
    "{% if %}", "{% for x %}", "{{ }}", "{{ 1 2 }}", "{% endif %}", "{{ a", "{% if b %}", "{{ 'a }}", "{{ (1 }}", "{{ 1 ) }}", "{% zz %}", "{{ a.'b' }}", "{{ not }}", "{% break %}", "{% macro f(a=1, b) %}{% endmacro %}", "{{ f(a=1, 2) }}", "{{ 1 is odd is even }}",
    "{%- set system = messages[0].content if messages[0].role == 'system' else '' -%}\n{%- for m in messages %}\n{%- if m.role == 'assistant' and m.tool_calls is defined %}\n{{- '<|' ~ m.role ~ '|>' }}\n{%- for t in m.tool_calls %}\n{%- set t = t.function %}\n{{- '\\n<tool_call>\\n{\"name\": \"' ~ t.name ~ '\", \"arguments\": ' }}\n{{- t.arguments | tojson }}\n{{- '}\\n</tool_call>' }}\n{%- endfor %}\n{%- else %}\n{{- m.content | trim }}\n{%- endif %}\n{%- endfor %}",
    "{% set ns = namespace(found=false, last=messages|length - 1) %}{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{% if not ns.found and m.role == 'user' and m.content is string and not (m.content.startswith('<tool>') and m.content.endswith('</tool>')) %}{% set ns.found = true %}{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}{{ ns.found }}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 1) and m.role != 'system' %}{{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}",
    "{% for t in tools %}{{ t.function.name }}({% for k, v in t.function.parameters.properties.items() %}{{ k }}: {{ v.type | join(' | ') if v.type is not string else v.type }}{{ ', ' if not loop.last }}{% endfor %}){% endfor %}",
    "{% macro render(v, depth=0) -%}{%- if v is mapping -%}{%- for k, w in v | dictsort -%}{{ '  ' * depth }}{{ k }}:\n{{ render(w, depth + 1) }}{%- endfor -%}{%- elif v is iterable and v is not string -%}{%- for w in v -%}{{ render(w, depth + 1) }}{%- endfor -%}{%- else -%}{{ '  ' * depth }}{{ v }}\n{% endif -%}{%- endmacro %}{{ render(tools) }}",
    "{{ bos_token }}{% for m in messages %}{% set content = '[INST] ' + m['content'] | trim + ' [/INST]' if m.role == 'user' else m.content %}{{ content }}{% endfor %}", "{{ joiner('|')() }}{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{{ dict(a=1, **{'b': 2}) }}{{ dict([('x', 1)]) }}", "{% set a = l|map('string') %}{{ a|list }}{{ a|list }}", "{{ l|map('string')|first }}{{ l|select|last }}",
]

# Expressions of one kind of value, which the random part puts together.
ATOMS = {
    "int": ["i", "0", "1", "-3", "12", "l|length", "u|length", "l[0]", "o[0].age", "loopless|default(4)"],
    "float": ["f", "0.5", "-1.25", "3.0", "1e-3", "i / 2"],
    "text": ["s", "e", "u", "w", "'ab'", "'A-b c'", "'12'", "messages[1].content", "d['items']", "m[1]"],
    "list": ["l", "m", "y", "[1, 'a', none]", "u.split()", "d.keys()|list", "(1, 2)", "range(4)", "[1.0, true]"],
    "any": ["b", "n", "d", "x", "missing", "d.zz", "o[2].tags", "true", "none"],
}
GROW = {
    "int": ["{int} + {int}", "{int} * {int}", "{int} - {int}", "{int} // {int}", "{int} % {int}", "{list}|length", "{text}|length", "{text}.count('a')", "{text}.find('b')", "-{int}", "({int})", "{int} if {any} else {int}", "{int}|abs", "{float}|int", "{list}|map('int')|sum"],
    "float": ["{float} + {int}", "{float} * {float}", "{int} / {int}", "{float}|round(1)", "{int}|float", "{float} % {int}", "({float})", "{float} // {float}"],
    "text": ["{text} ~ {any}", "{text} + {text}", "{text}|upper", "{text}|title", "{text}|trim", "{text}[1:]", "{text}[::-1]", "{text}.strip()", "{text}|replace('a', {text})", "{any}|string", "{any}|tojson", "{list}|join({text})", "{text} * 2", "{text}|capitalize", "'%s|%5.1f' % ({text}, {float})", "'{{}}-{{!r}}'.format({any}, {text})", "{text}|indent(2)", "({text})", "{text} if {any} else {text}", "{text}.split('b')[0]", "{list}|tojson(indent=1)", "{text}|default('q')", "{text}|center(9)", "{text}.partition('-')[2]"],
    "list": ["{list}[1:]", "{list}[::-1]", "{list}|list", "{list}|reverse|list", "{text}|list", "{text}.split()", "[{any}, {int}]", "{list}|map('string')|list", "{list}|select|list", "{list}|unique|list", "{list}|reject('none')|list", "{text}.splitlines()", "({any}, {text})", "{list}|batch(2)|list", "{list}|map('string')|sort"],
    "any": ["{int} == {float}", "{int} < {float}", "{text} in {text}", "{any} in {list}", "{list} == {list}", "not {any}", "{any} and {any}", "{any} or {text}", "{any} is none", "{any} is defined", "{any} is string", "{int} is odd", "{list}|first", "{list}|last", "{list}[0]", "{int}", "{float}", "{text}", "{list}", "{{'k': {any}, 2: {list}}}", "{text} < {text}", "{int} < {int} < {int}", "{any} is mapping", "{any} is iterable", "{text}.startswith({text})", "{list}|max", "{list}|sort", "{any} == {any}", "{any} is number"],
}
rng = random.Random(11)


def grown(kind, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(ATOMS[kind])
    form = rng.choice(GROW[kind])
    result = ""
    while form:
        start = form.find("{")
        if start < 0:
            return result + form
        if form.startswith("{{", start) or form.startswith("}}", start):
            result += form[: start + 1]
            form = form[start + 2 :]
            continue
        end = form.index("}", start)
        inner = grown(form[start + 1 : end], depth - 1)
        # Without parentheses where that changes nothing, and sometimes where it does.
        wrapped = f"({inner})" if " " in inner and rng.random() < 0.85 else inner
        result += form[:start].replace("}}", "}") + wrapped
        form = form[end + 1 :]
    return result


def rendered(template):
    try:
        return {"text": _compile_jinja_template(template).render(**VARIABLES)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0][:120]}


def main():
    topics = {}
    for topic, expressions in {"printed": PRINTED, "filtered": FILTERED, "methods": METHODS, "tested": TESTED}.items():
        topics[topic] = ["{{ " + each.strip() + " }}" for line in expressions.split("\n") for each in line.split("  ")]
    topics["statements"] = STATEMENTS
    topics["random"] = ["{{ " + grown("any", 3) + " }}" for _ in range(700)]
    cases = [{"topic": topic, "template": each, **rendered(each)} for topic, templates in topics.items() for each in templates]
    # A generator's text has its address in it.
    cases = [case for case in cases if " object at 0x" not in case.get("text", "") and len(case.get("text", "")) < 2000]
    with open(FILE, "w") as file:
        json.dump({"variables": VARIABLES, "cases": cases}, file, ensure_ascii=False)
    print(len(cases), "cases,", sum("error" in case for case in cases), "of them fail")


main()
