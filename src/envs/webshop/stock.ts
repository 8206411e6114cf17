/**
 * What the self-made catalogue sells: departments, groups and kinds of products with the words that describe them. All
 * made up for this project.
 */

/** Values for one option. */
export type OptionPool = readonly string[];

const COLORS: OptionPool = [
  'black',
  'white',
  'red',
  'blue',
  'green',
  'yellow',
  'brown',
  'pink',
  'grey',
  'orange',
  'purple',
  'beige',
];
const CLOTHING_SIZES: OptionPool = ['small', 'medium', 'large', 'tiny', 'huge'];
const SHOE_SIZES: OptionPool = ['36', '38', '40', '42', '44'];
const VOLUMES: OptionPool = ['100 ml', '250 ml', '500 ml'];
const WEIGHTS: OptionPool = ['200 gram', '500 gram', '900 gram'];
const LENGTHS: OptionPool = ['1 meter', '2 meter', '3 meter'];
const SCENTS: OptionPool = ['vanilla', 'cedar', 'jasmine', 'citrus', 'honey'];
const FLAVORS: OptionPool = ['apple', 'ginger', 'hazelnut', 'cinnamon', 'raspberry', 'salted'];

export interface Kind {
  /** What customers ask for: `mugs`. */
  readonly query: string;
  /** What one is called in a title. */
  readonly noun: string;
  readonly materials: readonly string[];
  readonly options: Readonly<Record<string, OptionPool>>;
  /** Least and most dollars. */
  readonly price: readonly [low: number, high: number];
}

export interface Group {
  readonly name: string;
  /** What products of the group can be; each is some of these. */
  readonly attributes: readonly string[];
  readonly kinds: readonly Kind[];
}

export interface Department {
  /** Short name, the type of its tasks. */
  readonly name: string;
  /** First part of the path of its products. */
  readonly title: string;
  readonly groups: readonly Group[];
}

function kind(
  query: string,
  noun: string,
  materials: string,
  options: Kind['options'],
  low: number,
  high: number,
): Kind {
  return { query, noun, materials: materials.split(' '), options, price: [low, high] };
}

function list(text: string): readonly string[] {
  return text.split(', ');
}

export const DEPARTMENTS: readonly Department[] = [
  {
    name: 'beauty',
    title: 'Beauty',
    groups: [
      {
        name: 'Hair Care',
        attributes: list('sulfate free, cruelty free, argan oil, dry hair, color safe, long lasting'),
        kinds: [
          kind('shampoos', 'shampoo', 'herbal creamy mild', { scent: SCENTS, size: VOLUMES }, 6, 30),
          kind('hair masks', 'hair mask', 'clay butter protein', { scent: SCENTS }, 8, 34),
        ],
      },
      {
        name: 'Skin Care',
        attributes: list('fragrance free, coconut oil, sensitive skin, vitamin rich, quick drying, plant based'),
        kinds: [
          kind('face creams', 'face cream', 'aloe mineral herbal', { size: VOLUMES }, 9, 48),
          kind('body scrubs', 'body scrub', 'sugar salt clay', { scent: SCENTS, size: VOLUMES }, 7, 28),
        ],
      },
      {
        name: 'Tools',
        attributes: list('easy clean, travel size, anti static, soft grip, rust proof, gift box'),
        kinds: [
          kind('hair brushes', 'hair brush', 'bamboo plastic walnut', { color: COLORS }, 5, 26),
          kind(
            'makeup mirrors',
            'makeup mirror',
            'steel bamboo acrylic',
            { color: COLORS, size: ['round', 'oval'] },
            12,
            60,
          ),
        ],
      },
    ],
  },
  {
    name: 'electronics',
    title: 'Electronics',
    groups: [
      {
        name: 'Sound',
        attributes: list('noise cancelling, water resistant, deep bass, voice control, hands free, stereo sound'),
        kinds: [
          kind('headphones', 'headphone', 'leather plastic aluminum', { color: COLORS }, 20, 150),
          kind('speakers', 'speaker', 'fabric wooden plastic', { color: COLORS, size: ['compact', 'tower'] }, 25, 180),
        ],
      },
      {
        name: 'Power',
        attributes: list('fast charging, heavy duty, overload protection, plug and play, high speed, light weight'),
        kinds: [
          kind('usb cables', 'usb cable', 'nylon silicone rubber', { color: COLORS, length: LENGTHS }, 4, 24),
          kind('power banks', 'power bank', 'metal plastic rubber', { color: COLORS }, 18, 80),
        ],
      },
      {
        name: 'Photo',
        attributes: list('carbon fiber, quick release, shock proof, easy carry, dust cover, high definition'),
        kinds: [
          kind(
            'tripods',
            'tripod',
            'aluminum carbon steel',
            { color: COLORS, size: ['table', 'travel', 'studio'] },
            22,
            140,
          ),
          kind('camera bags', 'camera bag', 'canvas leather nylon', { color: COLORS }, 16, 90),
        ],
      },
    ],
  },
  {
    name: 'home',
    title: 'Home',
    groups: [
      {
        name: 'Kitchen',
        attributes: list('dishwasher safe, heat resistant, lead free, non stick, oven proof, wall mounted'),
        kinds: [
          kind('mugs', 'mug', 'ceramic glass enamel', { color: COLORS, size: CLOTHING_SIZES }, 5, 26),
          kind('storage jars', 'storage jar', 'glass bamboo tin', { size: CLOTHING_SIZES }, 6, 36),
          kind('frying pans', 'frying pan', 'iron copper steel', { color: COLORS }, 15, 85),
        ],
      },
      {
        name: 'Bedroom',
        attributes: list('machine washable, memory foam, fade resistant, extra soft, light blocking, pet friendly'),
        kinds: [
          kind('blankets', 'blanket', 'wool cotton fleece', { color: COLORS, size: CLOTHING_SIZES }, 15, 90),
          kind('pillows', 'pillow', 'linen cotton velvet', { color: COLORS }, 10, 50),
          kind('curtains', 'curtain', 'linen velvet cotton', { color: COLORS, length: LENGTHS }, 14, 70),
        ],
      },
      {
        name: 'Lighting',
        attributes: list('energy saving, touch control, warm light, eye care, solid base, remote switch'),
        kinds: [
          kind('table lamps', 'table lamp', 'brass marble wooden', { color: COLORS, size: CLOTHING_SIZES }, 18, 110),
          kind('floor lamps', 'floor lamp', 'steel wooden brass', { color: COLORS }, 30, 170),
        ],
      },
    ],
  },
  {
    name: 'fashion',
    title: 'Fashion',
    groups: [
      {
        name: 'Tops',
        attributes: list('slim fit, long sleeve, hand wash, button closure, quick dry, regular collar'),
        kinds: [
          kind('shirts', 'shirt', 'cotton linen silk', { color: COLORS, size: CLOTHING_SIZES }, 14, 60),
          kind('sweaters', 'sweater', 'wool cotton cashmere', { color: COLORS, size: CLOTHING_SIZES }, 22, 110),
          kind('jackets', 'jacket', 'denim leather nylon', { color: COLORS, size: CLOTHING_SIZES }, 35, 180),
        ],
      },
      {
        name: 'Shoes',
        attributes: list('rubber sole, arch support, slip resistant, open toe, ankle strap, wide fit'),
        kinds: [
          kind('sandals', 'sandal', 'leather cork canvas', { color: COLORS, size: SHOE_SIZES }, 16, 75),
          kind('sneakers', 'sneaker', 'canvas leather mesh', { color: COLORS, size: SHOE_SIZES }, 28, 130),
          kind('boots', 'boot', 'suede leather rubber', { color: COLORS, size: SHOE_SIZES }, 40, 190),
        ],
      },
    ],
  },
  {
    name: 'grocery',
    title: 'Grocery',
    groups: [
      {
        name: 'Drinks',
        attributes: list('fair trade, caffeine free, low acid, family size, slow roasted, zero sugar'),
        kinds: [
          kind('coffees', 'coffee', 'ground whole instant', { flavor: FLAVORS, size: WEIGHTS }, 5, 30),
          kind('teas', 'tea', 'green black white', { flavor: FLAVORS }, 4, 22),
          kind('juices', 'juice', 'cloudy clear pressed', { flavor: FLAVORS, size: VOLUMES }, 3, 16),
        ],
      },
      {
        name: 'Snacks',
        attributes: list('gluten free, nut free, high protein, low sodium, non gmo, individually wrapped'),
        kinds: [
          kind('granola bars', 'granola bar', 'oat quinoa seed', { flavor: FLAVORS }, 4, 24),
          kind('crackers', 'cracker', 'rye rice wheat', { flavor: FLAVORS, size: WEIGHTS }, 3, 18),
        ],
      },
    ],
  },
];

/** Makers of products: no word of these is used elsewhere. */
export const BRANDS: readonly string[] = (
  'Larkwell Nordwick Tamsin Oakhurst Brevik Calloway Dunmore Elverly Fennick Glasby Harrowgate Ilmen Jorvik Kestrel Lowther Marlow ' +
  'Norrland Orrin Penhale Quillon Rosedale Selwyn Thornby Ulverston Vantor Westmere Yarrow Zeller Ashdown Birkett'
).split(' ');
