/**
 * The adapters that execution tests run on: SwiftShader from npm, and the best adapter of the system where there is one
 * (a GPU or lavapipe). `PROXMO_TEST_ADAPTERS=swiftshader,lavapipe` chooses others. They are looked for once a run
 * (`watch.ts`).
 */
import type { GpuContext } from '../../src/gpu/context.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { needs } from './needs.ts';

const opened = new Map<string, Promise<GpuContext>>();

/** The device of a test adapter, opened once a process. */
export function testDevice(name: string): Promise<GpuContext> {
  const known = opened.get(name);
  if (known) return known;
  const device = openDevice(name);
  opened.set(name, device);
  return device;
}

async function findAdapters(): Promise<string[]> {
  const chosen = process.env.PROXMO_TEST_ADAPTERS;
  if (chosen) return chosen.split(',');
  for (const name of ['hardware', 'lavapipe']) {
    const found = await testDevice(name).then(
      () => true,
      () => false,
    );
    if (found) return ['swiftshader', name];
  }
  return ['swiftshader'];
}

export const testAdapters: readonly string[] = await findAdapters();

/** A test adapter that stores f16; null if there is none. */
export const halfAdapter: string | null = await findHalfAdapter();
export const needsHalf = needs('an adapter that stores f16', halfAdapter);

async function findHalfAdapter(): Promise<string | null> {
  const known = process.env.PROXMO_TEST_HALF_ADAPTER;
  if (known !== undefined) return known || null;
  for (const name of testAdapters) if ((await testDevice(name)).profile.features.has('shader-f16')) return name;
  return null;
}
