// heapwarden/vitest, which is an ES module.

import { inspectLeaks, matchers } from 'heapwarden/vitest';

matchers.toLeakLessThan(() => {}, { bytesPerIteration: 100 }).then(({ message }) => message());
// @ts-expect-error: a function is wanted
matchers.toLeak(5);
inspectLeaks(() => {}).then(({ leaked }) => leaked);
