import type { LeakBudgetOptions, LeakCheckOptions } from './index.js';

export { inspectLeaks } from './index.js';

/** What `expect.extend` takes. */
export declare const matchers: {
  toLeak(fn: (call: number) => unknown, options?: LeakCheckOptions): Promise<{ pass: boolean; message(): string }>;
  toLeakLessThan(fn: (call: number) => unknown, options: LeakBudgetOptions): Promise<{ pass: boolean; message(): string }>;
};

declare global {
  // Vitest's `Assertion` has all that Chai's has. It is not declared anew itself: its type parameters differ from one major version to the next.
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Chai {
    interface Assertion {
      /** Fails if what the function leaves behind grows with the number of its calls: `await expect(fn).not.toLeak()`. */
      toLeak(options?: LeakCheckOptions): Promise<void>;
      /** Passes while the function leaves less behind than that. */
      toLeakLessThan(options: LeakBudgetOptions): Promise<void>;
    }
  }
}
