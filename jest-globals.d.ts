import type { LeakBudgetOptions, LeakCheckOptions } from './index';

export * from './jest';

declare module '@jest/expect' {
  interface Matchers<R extends void | Promise<void>> {
    /** Fails if what the function leaves behind grows with the number of its calls: `await expect(fn).not.toLeak()`. */
    toLeak(options?: LeakCheckOptions): Promise<R>;
    /** Passes while the function leaves less behind than that. */
    toLeakLessThan(options: LeakBudgetOptions): Promise<R>;
  }
}
