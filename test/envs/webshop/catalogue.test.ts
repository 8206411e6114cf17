/**
 * Reading the catalogue: the rules of the original's loader, and what happens to files that are not as they should be.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { type Product, readCatalogue, searchText } from '../../../src/envs/webshop/catalogue.ts';
import { readCatalogueFiles } from '../../../src/envs/webshop/data.node.ts';
import { CATALOGUE, needsRecordings, readLines } from './recorded.ts';
import { ATTRIBUTES, CHAIR, HUMAN_INSTRUCTIONS, LAMP, SOAP, tinyFiles } from './tinyShop.ts';

const readProduct = (changes: Readonly<Record<string, unknown>>): Product =>
  readCatalogue(tinyFiles({ products: [{ ...LAMP, ...changes }] }))[0]!;

describe('readCatalogue', () => {
  it('reads products as pages, search and reward know them', () => {
    const [lamp, chair, soap] = readCatalogue(tinyFiles());
    expect(lamp).toEqual({
      asin: 'B0LAMP0001',
      category: 'garden',
      query: 'desk lamps',
      productCategory: 'Home › Lighting › Desk Lamps',
      title: 'Brightwell Desk Lamp  ',
      description: 'A lamp for long evenings.',
      bullets: ['Warm light', '', ' Solid base\n'],
      prices: [24.5],
      priceText: '$24.5',
      options: new Map([
        ['color', ['black | gold', 'peppermint cookie']],
        ['size', ['small', 'large']],
      ]),
      attributes: ['warm light', 'easy assemble'],
      instruction: {
        text: 'Find me easy assemble desk lamps with warm light',
        attributes: ['easy assemble', 'warm light'],
      },
      humanInstructions: [
        { text: 'i need a small desk lamp.', attributes: ['warm light'], options: ['small'] },
        { text: 'any lamp will do', attributes: [], options: [] },
      ],
    });
    expect(chair).toMatchObject({ prices: [80, 120], priceText: '$80.0 to $120.0', bullets: ['Sturdy wood frame'] });
    expect(soap).toMatchObject({ prices: [100], priceText: '$100.0', instruction: null });
  });

  it('leaves out repeated ids and those that are too long', () => {
    const products = [
      LAMP,
      { ...CHAIR, asin: LAMP.asin },
      { ...SOAP, asin: 'B0TOOLONG01' },
      { ...SOAP, asin: 'nan' },
      CHAIR,
    ];
    expect(readCatalogue(tinyFiles({ products })).map(({ asin }) => asin)).toEqual([LAMP.asin, CHAIR.asin]);
  });

  it('gives a product without attributes one that nothing matches', () => {
    expect(readCatalogue(tinyFiles({ attributes: {} }))[0]).toMatchObject({
      attributes: ['DUMMY_ATTR'],
      instruction: null,
    });
  });

  it.each([
    ['$1,299.00', [1299], '$1299.0'],
    ['$30 - $20', [30, 20], '$30.0 to $20.0'],
    ['$1 - $2 - $3', [1, 2], '$1.0 to $2.0'],
    ['', [100], '$100.0'],
  ])('reads the pricing %j', (pricing, prices, priceText) => {
    expect(readProduct({ pricing })).toMatchObject({ prices, priceText });
  });

  it('searches title, description, first bullet and options, in lower case', () => {
    expect(searchText(readProduct({}))).toBe(
      'brightwell desk lamp   a lamp for long evenings. warm light color: black | gold, peppermint cookie, and size: small, large',
    );
  });

  it.each([
    [{ products: {} }, 'items_shuffle_3.json: it should be a list of products'],
    [
      { products: [{ ...LAMP, name: null }] },
      'items_shuffle_3.json: product 1 (B0LAMP0001): `name` must be text, not null;',
    ],
    [{ products: [LAMP, 7] }, 'items_shuffle_3.json: product 2: '],
    [{ products: [{ ...LAMP, pricing: 'free' }] }, 'product 1 (B0LAMP0001) has the pricing "free"'],
    [{ products: [{ ...LAMP, pricing: '$1.2.3' }] }, 'product 1 (B0LAMP0001) has the pricing "$1.2.3"'],
    [
      { products: [{ ...LAMP, customization_options: { color: [{}] } }] },
      '`customization_options.color.0.value` is not set',
    ],
    [{ attributes: [] }, 'items_ins_v2_3.json: it should be an object'],
    [
      { attributes: { [LAMP.asin]: { attributes: 'red' } } },
      'items_ins_v2_3.json: product B0LAMP0001: `attributes` must be a list, not "red";',
    ],
    [{ attributes: { [LAMP.asin]: { instruction: 'Find me' } } }, 'has an instruction but no instruction_attributes'],
    [
      { humanInstructions: { [LAMP.asin]: [{}] } },
      'items_human_ins_3.json: product B0LAMP0001: `0.instruction` is not set;',
    ],
  ])('refuses %j', (changes, message) => {
    expect(() => readCatalogue(tinyFiles(changes))).toThrow(message);
    expect(() => readCatalogue(tinyFiles(changes))).toThrow(ProxmoError);
  });

  it('reads any JSON or refuses it with a typed error', () => {
    const field = fc.constantFrom(...Object.keys(LAMP));
    fc.assert(
      fc.property(field, fc.jsonValue(), fc.jsonValue(), (name, value, attributes) => {
        try {
          readCatalogue(tinyFiles({ products: [{ ...LAMP, [name]: value }], attributes }));
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProxmoError', code: 'file' });
        }
      }),
    );
  });

  it('gives the documents of the original index', needsRecordings, async () => {
    const products = readCatalogue(await readCatalogueFiles(CATALOGUE, 'synthetic'));
    const documents = readLines<{ id: string; contents: string }>(`${CATALOGUE}/index_documents.jsonl.gz`);
    expect(products.map((product) => ({ id: product.asin, contents: searchText(product) }))).toEqual(documents);
  });
});

describe('data files', () => {
  const folders: string[] = [];
  const makeFolder = (files: Readonly<Record<string, unknown>>): string => {
    const folder = mkdtempSync(join(tmpdir(), 'proxmo-webshop-'));
    folders.push(folder);
    for (const [name, json] of Object.entries(files)) {
      const text = typeof json === 'string' ? json : JSON.stringify(json);
      writeFileSync(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
    }
    return folder;
  };
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  it('may be compressed, and the ending tells which belong together', async () => {
    const path = makeFolder({
      'items_shuffle_3.json.gz': [LAMP],
      'items_ins_v2_3.json': ATTRIBUTES,
      'items_ins_v2_1000.json': {},
      'items_human_ins.json.gz': HUMAN_INSTRUCTIONS,
    });
    const files = await readCatalogueFiles(path, 'human');
    expect(files.products).toEqual({ name: 'items_shuffle_3.json.gz', json: [LAMP] });
    expect(files.attributes.json).toEqual(ATTRIBUTES);
    expect(files.humanInstructions?.json).toEqual(HUMAN_INSTRUCTIONS);
    expect((await readCatalogueFiles(path, 'synthetic')).humanInstructions).toBeNull();
  });

  it('may share a folder with other catalogues if one of them is named', async () => {
    const path = makeFolder({
      'items_shuffle.json': [SOAP],
      'items_shuffle_3.json': [LAMP],
      'items_ins_v2.json': {},
      'items_ins_v2_3.json': ATTRIBUTES,
    });
    await expect(readCatalogueFiles(path, 'synthetic')).rejects.toThrow(
      'holds several catalogues (items_shuffle.json, items_shuffle_3.json)',
    );
    const files = await readCatalogueFiles(join(path, 'items_shuffle_3.json'), 'synthetic');
    expect(files).toMatchObject({ products: { json: [LAMP] }, attributes: { name: 'items_ins_v2_3.json' } });
  });

  it.each([
    [{}, 'holds no items_shuffle_*.json'],
    [{ 'items_shuffle_3.json': [] }, 'has no items_ins_v2_3.json'],
    [{ 'items_shuffle_3.json': '[{"asin": "B0', 'items_ins_v2_3.json': {} }, 'items_shuffle_3.json cannot be read'],
    [{ 'items_shuffle_3.json.gz': [], 'items_ins_v2_3.json': {} }, 'has no items_human_ins_3.json'],
  ])('that are missing or cut short are named: %j', async (files, message) => {
    await expect(readCatalogueFiles(makeFolder(files), 'human')).rejects.toThrow(message);
  });

  it('that are damaged archives are named, and so is a folder that is not there', async () => {
    const path = makeFolder({ 'items_ins_v2_3.json': {} });
    writeFileSync(join(path, 'items_shuffle_3.json.gz'), 'not compressed');
    await expect(readCatalogueFiles(path, 'synthetic')).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining('items_shuffle_3.json.gz'),
    });
    await expect(readCatalogueFiles(join(path, 'nowhere'), 'synthetic')).rejects.toThrow('there is no');
  });
});
