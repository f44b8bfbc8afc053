import type { LeakBudgetOptions, LeakCheckOptions } from './index';

export { inspectLeaks } from './index';

/** Rejects with an `AssertionError` that names what leaks, if what `fn` leaves behind grows with the number of its calls. */
export function assertNoLeak(fn: (call: number) => unknown, options?: LeakCheckOptions): Promise<void>;

/** Rejects with an `AssertionError` if `fn` leaves as much behind as `bytesPerIteration` or `objectsPerIteration`. */
export function assertLeaksLessThan(fn: (call: number) => unknown, options: LeakBudgetOptions): Promise<void>;
