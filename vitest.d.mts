import type { LeakBudgetOptions, LeakCheckOptions } from './index.js';

export { inspectLeaks } from './index.js';

/** What `expect.extend` takes. */
export declare const matchers: {
  toLeak(fn: (call: number) => unknown, options?: LeakCheckOptions): Promise<{ pass: boolean; message(): string }>;
  toLeakLessThan(fn: (call: number) => unknown, options: LeakBudgetOptions): Promise<{ pass: boolean; message(): string }>;
};

declare module 'vitest' {
  // The names of the type parameters are Vitest's: declarations that merge have to agree in them.
  interface Assertion<T = any> {
    /** Fails if what the function leaves behind grows with the number of its calls: `await expect(fn).not.toLeak()`. */
    toLeak(options?: LeakCheckOptions): Promise<void>;
    /** Passes while the function leaves less behind than that. */
    toLeakLessThan(options: LeakBudgetOptions): Promise<void>;
  }
}
