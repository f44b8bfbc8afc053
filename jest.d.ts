import type { LeakBudgetOptions, LeakCheckOptions } from './index';

export { inspectLeaks } from './index';

/** What the guard of files reports; see docs/leak-tests.md. */
export interface PerFileOptions {
  /** Whether a file that leaves something behind fails (`error`, the default), or is told of on the console. */
  report?: 'error' | 'warn';
  /** A file that keeps so many megabytes more of the heap than was there before it is reported. Default 50. */
  heapMB?: number;
}

export interface JestSetupOptions {
  /** Whether test files that leave timers, listeners, handles or memory behind are reported. Default false. */
  perFile?: boolean | PerFileOptions;
}

/** Adds the assertions to Jest's `expect` (which importing this module does as well), and guards the files if told to. */
export function setup(options?: JestSetupOptions): void;

/** What `expect.extend` takes. */
export const matchers: {
  toLeak(fn: (call: number) => unknown, options?: LeakCheckOptions): Promise<{ pass: boolean; message(): string }>;
  toLeakLessThan(fn: (call: number) => unknown, options: LeakBudgetOptions): Promise<{ pass: boolean; message(): string }>;
};

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace jest {
    // The names of the type parameters are those of @types/jest: declarations that merge have to agree in them.
    interface Matchers<R, T = {}> {
      /** Fails if what the function leaves behind grows with the number of its calls: `await expect(fn).not.toLeak()`. */
      toLeak(options?: LeakCheckOptions): Promise<R>;
      /** Passes while the function leaves less behind than that. */
      toLeakLessThan(options: LeakBudgetOptions): Promise<R>;
    }
  }
}
