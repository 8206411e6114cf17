/** The adapter that a run computes on, for its record. */
import type { JsonObject } from '../runs/json.ts';
import type { Engine } from '../tensor/engine.ts';

export function describeAdapter(engine: Engine): JsonObject {
  const { name, vendor, architecture, driver, profile } = engine.gpu.adapter;
  return { name, vendor, architecture, driver, kind: profile.kind, features: [...profile.features] };
}
