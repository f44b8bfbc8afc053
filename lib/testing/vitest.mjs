// heapwarden/vitest: imported, it adds the assertions to Vitest's `expect`. As a setup file or from a test.

// Whoever imports this has it.
// eslint-disable-next-line n/no-missing-import
import { expect } from 'vitest';
import matchersModule from './matchers.js';
import inspectModule from './inspect.js';

expect.extend(matchersModule.matchers);

export const { matchers } = matchersModule;
export const { inspectLeaks } = inspectModule;
