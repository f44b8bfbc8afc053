'use strict';

/**
 * Resident memory of a process: the heap's pages, external and native memory, and what the allocator keeps. KiB.
 *
 * Growth shows at once; what is freed comes back late, and a share of what the allocator ever held in pieces does not.
 */
class Resident {
  /** `options`: `base`, `touched` (share of committed pages), `heapLagS`, `mallocLagS`, `sticky` (share kept), `noise`. */
  constructor(random, options) {
    this.random = random;
    this.options = options;
    this.heap = 0;
    this.malloc = 0;
    this.peak = 0;
    this.jitter = 0;
  }

  advance(dt, heapTotal, heapUsed, external, native) {
    const { options, random } = this;
    const heap = heapUsed + (heapTotal - heapUsed) * options.touched;
    this.heap = follow(this.heap, heap, dt, options.heapLagS);
    const malloc = external + native;
    if (malloc > this.peak) this.peak = malloc;
    // Fragmentation lets go over hours, so that one peak is not a plateau for ever.
    else this.peak += (malloc - this.peak) * (1 - Math.exp(-dt / 14400));
    this.malloc = follow(this.malloc, malloc + (this.peak - malloc) * options.sticky, dt, options.mallocLagS);
    this.jitter += -this.jitter * Math.min(1, dt / 300) + options.noise * random.normal() * Math.min(1, Math.sqrt(dt / 60));
    return Math.round((options.base + this.heap + this.malloc + this.jitter) / 4) * 4;
  }
}

function follow(value, target, dt, lag) {
  if (target >= value || lag <= 0) return target;
  return value + (target - value) * (1 - Math.exp(-dt / lag));
}

module.exports = { Resident };
