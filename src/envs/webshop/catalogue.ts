/**
 * The shop's catalogue: products as its pages, its search and its reward know them, read from the JSON of WebShop's
 * data files. The original's rules hold. Products with an id of more than ten characters and repeated ids are left out,
 * a missing price is 100 dollars, names and values of options are in lower case, and a slash in a value becomes ` | `.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { formatFloat, strip } from './pythonText.ts';

export interface Product {
  /** The product's id: Amazon's standard identification number. */
  readonly asin: string;
  /** Department, for example `beauty`. */
  readonly category: string;
  /** The search that the product was found with, which stands for its kind: `men's jeans`. */
  readonly query: string;
  /** The path of departments, separated by `›`. */
  readonly productCategory: string;
  readonly title: string;
  readonly description: string;
  readonly bullets: readonly string[];
  /** In dollars: one price, or the bounds of a range, which need not be in order. */
  readonly prices: readonly number[];
  /** `$10.04`, or `$10.04 to $25.0`. */
  readonly priceText: string;
  /** Names of options with their values, in the order of the page. */
  readonly options: ReadonlyMap<string, readonly string[]>;
  readonly attributes: readonly string[];
  readonly instruction: Instruction | null;
  readonly humanInstructions: readonly HumanInstruction[];
}

/** A sentence that asks for the product, made from a template. */
export interface Instruction {
  readonly text: string;
  readonly attributes: readonly string[];
}

/** A sentence that a person wrote to ask for the product. */
export interface HumanInstruction extends Instruction {
  readonly options: readonly string[];
}

/** One data file: its name, for messages, and its JSON. */
export interface DataFile {
  readonly name: string;
  readonly json: unknown;
}

export interface CatalogueFiles {
  /** `items_shuffle_*.json`: a list of products. */
  readonly products: DataFile;
  /** `items_ins_v2_*.json`: attributes and synthetic instructions by product. */
  readonly attributes: DataFile;
  /** `items_human_ins*.json`: human instructions by product; null where none are needed. */
  readonly humanInstructions: DataFile | null;
}

/** Longest id of a product. */
const ASIN_LENGTH = 10;
const DEFAULT_PRICE = 100;

const optionValues = z.array(z.looseObject({ value: z.string() }));

const productSchema = z.looseObject({
  asin: z.string(),
  name: z.string(),
  full_description: z.string(),
  small_description: z.union([z.array(z.string()), z.string()]),
  pricing: z.string().nullish(),
  product_category: z.string(),
  category: z.string(),
  query: z.string(),
  customization_options: z.union([z.record(z.string(), optionValues.nullable()), z.literal('')]).nullish(),
});

const attributesSchema = z.looseObject({
  attributes: z.array(z.string()).optional(),
  instruction: z.string().nullish(),
  instruction_attributes: z.array(z.string()).min(1).nullish(),
});

const humanInstructionsSchema = z.array(
  z.looseObject({
    instruction: z.string(),
    instruction_attributes: z.array(z.string()),
    instruction_options: z.array(z.string()),
  }),
);

/**
 * Reads the data files.
 *
 * @throws {ProxmoError} `file` that names the file, the product and the field that is not as it should be.
 */
export function readCatalogue(files: CatalogueFiles): Product[] {
  const { name, json } = files.products;
  if (!Array.isArray(json)) throw damaged(name, 'it should be a list of products');
  const attributes = recordsOf(files.attributes);
  const humanInstructions = files.humanInstructions === null ? null : recordsOf(files.humanInstructions);
  const products = new Map<string, Product>();
  json.forEach((item: unknown, index) => {
    const asin = typeof item === 'object' && item !== null && 'asin' in item ? String(item.asin) : '';
    const where = `product ${index + 1}${asin === '' ? '' : ` (${asin})`}`;
    const raw = check(productSchema, item, name, where);
    if (asin === 'nan' || asin.length > ASIN_LENGTH || products.has(asin)) return;
    const extra = attributes.has(asin)
      ? check(attributesSchema, attributes.get(asin), files.attributes.name, `product ${asin}`)
      : {};
    const written = humanInstructions?.get(asin) ?? [];
    const human = check(humanInstructionsSchema, written, files.humanInstructions?.name ?? '', `product ${asin}`);
    products.set(asin, {
      ...describe(raw, name, where),
      ...instruct(extra, files.attributes.name, asin),
      humanInstructions: human.map(fromHuman),
    });
  });
  return [...products.values()];
}

/** The text of a product that searches look into. */
export function searchText({ title, description, bullets, options }: Product): string {
  const choices = [...options].map(([name, values]) => `${name}: ${values.join(', ')}`).join(', and ');
  return [title, description, bullets[0] ?? '', choices].join(' ').toLowerCase();
}

/** What the reward takes for the attributes of a product that the data has none for. */
const NO_ATTRIBUTES: readonly string[] = ['DUMMY_ATTR'];

function instruct(
  raw: z.infer<typeof attributesSchema>,
  file: string,
  asin: string,
): Pick<Product, 'attributes' | 'instruction'> {
  const { attributes = NO_ATTRIBUTES, instruction = null, instruction_attributes: asked } = raw;
  if (instruction === null) return { attributes, instruction };
  if (!asked) throw damaged(file, `product ${asin} has an instruction but no instruction_attributes`);
  return { attributes, instruction: { text: instruction, attributes: asked } };
}

function fromHuman(raw: z.infer<typeof humanInstructionsSchema>[number]): HumanInstruction {
  return { text: raw.instruction, attributes: raw.instruction_attributes, options: raw.instruction_options };
}

type Described = Omit<Product, 'attributes' | 'instruction' | 'humanInstructions'>;

function describe(raw: z.infer<typeof productSchema>, file: string, where: string): Described {
  const prices = readPrices(raw.pricing ?? '', file, where);
  return {
    asin: raw.asin,
    category: raw.category,
    query: strip(raw.query.toLowerCase()),
    productCategory: raw.product_category,
    title: raw.name,
    description: raw.full_description,
    bullets: typeof raw.small_description === 'string' ? [raw.small_description] : raw.small_description,
    prices,
    priceText: prices.map((price) => `$${formatFloat(price)}`).join(' to '),
    options: readOptions(raw.customization_options ?? ''),
  };
}

/** `$10.04` or `$10.04 - $25.00`, with anything around the digits. */
function readPrices(text: string, file: string, where: string): readonly number[] {
  if (text === '') return [DEFAULT_PRICE];
  const amounts = text
    .split('$')
    .slice(1)
    .map((amount) => amount.replace(/[^\d.]/g, ''));
  if (amounts.length === 0 || !amounts.every((amount) => /^(?:\d+\.?\d*|\.\d+)$/.test(amount))) {
    throw damaged(file, `${where} has the pricing "${text}", which is not an amount in dollars or two`);
  }
  return amounts.slice(0, 2).map(Number);
}

function readOptions(
  raw: Exclude<z.infer<typeof productSchema>['customization_options'], null | undefined>,
): Product['options'] {
  const options = new Map<string, readonly string[]>();
  for (const [name, values] of Object.entries(raw === '' ? {} : raw)) {
    if (values === null) continue;
    options.set(
      name.toLowerCase(),
      values.map(({ value }) => strip(value).replaceAll('/', ' | ').toLowerCase()),
    );
  }
  return options;
}

function recordsOf({ name, json }: DataFile): ReadonlyMap<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw damaged(name, 'it should be an object with a key for each product');
  return new Map(Object.entries(json));
}

function check<S extends z.ZodType>(schema: S, value: unknown, file: string, where: string): z.infer<S> {
  return checked(schema, value, (problem) => damaged(file, `${where}: ${problem}`));
}

function damaged(file: string, what: string): ProxmoError {
  return new ProxmoError('file', `webshop: ${file}: ${what}; put the original file in its place.`);
}
