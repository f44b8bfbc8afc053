import { expect, test } from 'vitest';

// `expect` knows the assertions from the types of heapwarden/vitest (see tsconfig.json).
test('a budget is for what is known and accepted', async () => {
  const names: string[] = [];
  const remember = (call: number): void => { names.push(`customer ${call}`); };
  await expect(remember).toLeakLessThan({ bytesPerIteration: 200, iterations: 400 });
}, 300_000);
