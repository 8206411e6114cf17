import { describe, expect, it } from 'vitest';
import { createTaskSet } from '../../src/envs/index.ts';

describe('createTaskSet', () => {
  it('makes a named environment from plain options', async () => {
    const set = await createTaskSet('household', { receptacles: 5, maxSteps: 30 });
    expect(set.name).toBe('household');
    expect(set.maxSteps).toBe(30);
  });

  it('refuses names and options that do not exist', async () => {
    await expect(createTaskSet('attic')).rejects.toThrow('There is no environment attic; choose one of household');
    await expect(createTaskSet('toString')).rejects.toMatchObject({ code: 'config' });
    await expect(createTaskSet('household', { recepticles: 5 })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('recepticles'),
    });
  });
});
