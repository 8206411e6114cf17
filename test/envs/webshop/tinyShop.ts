/** A shop of three products in WebShop's data format, for tests that want to see every string. */
import type { CatalogueFiles } from '../../../src/envs/webshop/catalogue.ts';

export const LAMP = {
  asin: 'B0LAMP0001',
  name: 'Brightwell Desk Lamp  ',
  full_description: 'A lamp for long evenings.',
  small_description: ['Warm light', '', ' Solid base\n'],
  pricing: '$24.50',
  product_category: 'Home › Lighting › Desk Lamps',
  category: 'garden',
  query: ' Desk Lamps ',
  customization_options: {
    Color: [{ value: ' Black/Gold ' }, { value: 'peppermint cookie' }],
    Size: [{ value: 'Small' }, { value: 'Large' }],
    Note: null,
  },
};

export const CHAIR = {
  asin: 'B0CHAIR001',
  name: 'Oakfield Chair',
  full_description: '',
  small_description: 'Sturdy wood frame',
  pricing: '$80 - $120.00',
  product_category: 'Home › Furniture › Chairs',
  category: 'garden',
  query: 'chairs',
  customization_options: '',
};

export const SOAP = {
  asin: 'B0SOAP0001',
  name: 'Lavender Soap',
  full_description: 'Soap with lavender oil.',
  small_description: ['Cruelty free'],
  pricing: null,
  product_category: 'Beauty › Bath › Soaps',
  category: 'beauty',
  query: 'soaps',
  customization_options: {},
};

export const ATTRIBUTES = {
  [LAMP.asin]: {
    attributes: ['warm light', 'easy assemble'],
    instruction: 'Find me easy assemble desk lamps with warm light',
    instruction_attributes: ['easy assemble', 'warm light'],
  },
  [CHAIR.asin]: {
    attributes: ['wood frame'],
    instruction: 'Find me chairs with wood frame',
    instruction_attributes: ['wood frame'],
  },
  [SOAP.asin]: { attributes: [] },
};

export const HUMAN_INSTRUCTIONS = {
  [LAMP.asin]: [
    {
      instruction: 'i need a small desk lamp.',
      instruction_attributes: ['warm light'],
      instruction_options: ['small'],
    },
    { instruction: 'any lamp will do', instruction_attributes: [], instruction_options: [] },
  ],
};

/** The data files with any of them replaced. */
export function tinyFiles(
  changes: { products?: unknown; attributes?: unknown; humanInstructions?: unknown } = {},
): CatalogueFiles {
  const { products = [LAMP, CHAIR, SOAP], attributes = ATTRIBUTES, humanInstructions = HUMAN_INSTRUCTIONS } = changes;
  return {
    products: { name: 'items_shuffle_3.json', json: products },
    attributes: { name: 'items_ins_v2_3.json', json: attributes },
    humanInstructions: { name: 'items_human_ins_3.json', json: humanInstructions },
  };
}
