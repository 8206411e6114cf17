/**
 * The layer rule: imports go one way. shaders ← kernels ← gpu ← tensor ← ops ← nn ← rl ← fleet ← view ← cli; text,
 * models, envs and runs know nothing of the upper layers. Only `src/gpu/device.node.ts` imports `webgpu`, and only
 * `*.node.ts` files, `src/runs` and the command line may use Node's own modules.
 */
const layers = ['^shaders/', '^kernels/', '^src/gpu/', '^src/tensor/', '^src/ops/', '^src/nn/', '^src/rl/', '^src/fleet/', '^src/view/', '^src/cli/'];

const oneWay = layers.flatMap((from, index) => {
  const above = layers.slice(index + 1);
  return above.length === 0 ? [] : [{ name: `${from.replace(/[\^/]/g, '')}-imports-no-layer-above`, severity: 'error', from: { path: from }, to: { path: above } }];
});

/** Files that only run under Node. */
const nodeOnly = ['\\.node\\.ts$', '^src/runs/', '^src/cli/', '^src/node\\.ts$'];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...oneWay,
    {
      name: 'base-imports-nothing',
      severity: 'error',
      comment: 'base is under everything: errors, files, number formats.',
      from: { path: '^src/base/' },
      to: { path: '^(src/(?!base/)|kernels/|shaders/)' },
    },
    {
      name: 'side-layers-know-no-engine',
      severity: 'error',
      comment: 'text, models, envs and runs stand beside the engine: of the layers they know base alone.',
      from: { path: '^src/(text|models|envs|runs)/' },
      to: { path: ['^src/(gpu|tensor|ops|nn|rl|fleet|view|cli)/', '^kernels/', '^shaders/'] },
    },
    {
      name: 'side-layers-in-their-order',
      severity: 'error',
      comment: 'Models contain tokenizers, and environments prompts: both may use text. Nothing else goes sideways.',
      from: { path: '^src/(text|models|envs|runs)/' },
      to: { path: '^src/(models|envs|runs)/', pathNot: '^src/$1/' },
    },
    {
      name: 'runs-and-text-stand-alone',
      severity: 'error',
      from: { path: '^src/(runs|text)/' },
      to: { path: '^src/(models|envs|runs|text)/', pathNot: '^src/$1/' },
    },
    {
      name: 'engine-knows-no-side-layer',
      severity: 'error',
      comment: 'The engine computes; what it is used for is known above it.',
      from: { path: '^(kernels/|src/(gpu|tensor|ops)/)' },
      to: { path: '^src/(text|models|envs|runs)/' },
    },
    {
      name: 'webgpu-only-in-device',
      severity: 'error',
      from: { path: '^(src|kernels)/', pathNot: '^src/gpu/device\\.node\\.ts$' },
      to: { path: '(^|/)webgpu(/|$)', dependencyTypes: ['npm'] },
    },
    {
      name: 'node-modules-only-in-node-files',
      severity: 'error',
      from: { path: '^(src|kernels)/', pathNot: nodeOnly },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'browser-code-imports-no-node-file',
      severity: 'error',
      from: { path: '^(src|kernels)/', pathNot: nodeOnly },
      to: { path: nodeOnly },
    },
    {
      name: 'page-stands-alone',
      severity: 'error',
      comment: 'The page is bundled for browsers, from main.ts and from what it loads late; what it shares with its server lies beside it.',
      from: { pathNot: '^src/view/page/' },
      to: { path: '^src/view/page/', pathNot: '^src/view/page/(main|credit/device)\\.ts$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^(src|kernels)/', pathNot: '\\.d\\.ts$' }, to: {} },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.wgsl', '.mjs', '.js', '.json'] },
  },
};
