// `expect` of @types/jest, with the types of heapwarden/jest.
import 'heapwarden/jest';

test('typed', async () => {
  const checked: Promise<void> = expect((call: number) => call).not.toLeak({ iterations: 400, warmup: 10, setup: async () => {} });
  await checked;
  await expect(() => {}).toLeak();
  await expect(() => {}).toLeakLessThan({ bytesPerIteration: 200 });
  await expect(() => {}).not.toLeakLessThan({ objectsPerIteration: 1, rounds: 5 });
  // @ts-expect-error: misspelt
  await expect(() => {}).not.toLeak({ iteration: 400 });
  // @ts-expect-error: a limit is needed
  await expect(() => {}).toLeakLessThan();
  // @ts-expect-error: limits are toLeakLessThan's
  await expect(() => {}).not.toLeak({ bytesPerIteration: 200 });
});
