import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Adds `toLeak` and `toLeakLessThan` to `expect`.
    setupFiles: ['heapwarden/vitest'],
  },
});
