'use strict';

const PAGE_KIB = 256;
// V8's memory reducer looks again after eight seconds; it collects at once when little is allocated, and anyway after a hundred.
const REDUCER_TICK_S = 8;
const REDUCER_WATCHDOG_S = 100;
const LOW_ALLOCATION_KIB_PER_S = 1000;
// The share of its time that V8 wants to leave to the program when it sets the next limit.
const MUTATOR_UTILISATION = 0.97;
const MIN_FACTOR = 1.1;
// A machine's time is finite: of majors closer together than this, one is told of.
const LEAST_PAUSE_S = 0.7;
const LEAST_SEMI_KIB = 1024;
const BOOT_S = 60;

/**
 * V8's heap as it looks from outside: what a program needs goes in, collections and readings come out. All sizes in KiB.
 *
 * Young space fills and is scavenged; a share of what is allocated is promoted and dies old; what the program lets go of stays in
 * use until a major collection. A major comes when the old generation reaches its limit, when external memory has grown by a
 * step since the last one, when the memory reducer says so, and, with no room left to promote into, in place of every scavenge.
 */
class Heap {
  /**
   * `options`: `limit`, `semiMax`, `promote` (share of allocation), `speed` (collector, KiB/ms), `minFactor`, `maxFactor`, `step` (least room
   * given after a major), `inflight` (seconds of allocation alive at any moment), `inflightSigma`, `tail` (chance that something large is in flight at a
   * major), `float` (share of garbage
   * that a major misses), `externalStep`, `externalYoung`, `externalPromote`, `reducer`, `bootFactor`, `fragmentation`, `returnS`, `overhead`,
   * `switches` (`[{t, set: {maxFactor, minFactor, step}}]`: tuning until a restart), `start` (live at birth).
   */
  constructor(random, options, born) {
    this.random = random;
    this.options = options;
    this.born = born;
    this.maxFactor = options.maxFactor;
    this.minFactor = options.minFactor;
    this.step = options.step;
    this.tuning = options.switches.filter((change) => change.t >= born);
    this.live = options.start;
    this.garbage = 0;
    this.young = 0;
    this.semi = Math.min(LEAST_SEMI_KIB, options.semiMax);
    this.scavenges = 0;
    this.external = 0;
    this.externalGarbage = 0;
    this.externalLimit = options.externalStep;
    this.limit = options.start * options.bootFactor + 2048;
    this.promotedRate = 0;
    this.allocRate = 0;
    this.reducerAt = Infinity;
    this.reducerLeft = 0;
    this.reducerCommitted = 0;
    this.lastMajor = -Infinity;
    this.committed = options.start * 1.1;
    this.committedTarget = 0;
  }

  /** What the old generation holds, garbage included. */
  get old() {
    return this.live + this.garbage;
  }

  /**
   * Lives through `dt` seconds from `t`, at the end of which `live` and `external` are needed, with `alloc` and `externalAlloc`
   * allocated on the way. Collections are appended to `log`.
   */
  advance(t, dt, live, alloc, external, externalAlloc, log) {
    const { options } = this;
    while (this.tuning.length > 0 && this.tuning[0].t <= t) Object.assign(this, this.tuning.shift().set);
    const weight = 1 - Math.exp(-dt / 60);
    this.allocRate += (alloc / dt - this.allocRate) * weight;
    this.promotedRate += ((alloc * options.promote + Math.max(0, live - this.live)) / dt - this.promotedRate) * weight;

    const live0 = this.live;
    const external0 = this.external;
    const liveSlope = live - live0;
    const garbageSlope = alloc * options.promote + Math.max(0, -liveSlope);
    const externalSlope = external - external0;
    const externalGarbageSlope = externalAlloc * options.externalPromote + Math.max(0, -externalSlope);
    let at = 0;
    const moveTo = (to) => {
      const part = to - at;
      this.live = live0 + liveSlope * to;
      // Majors closer together than those told of keep the garbage within the limit.
      this.garbage = Math.min(this.garbage + garbageSlope * part, Math.max(0, options.limit - this.live));
      this.external = external0 + externalSlope * to;
      this.externalGarbage += externalGarbageSlope * part;
      this.scavenge(t, dt, at, to, alloc, log);
      at = to;
    };
    for (;;) {
      const to = this.nextMajor(t, dt, at, liveSlope + garbageSlope, externalSlope + externalGarbageSlope, alloc);
      if (!(to <= 1)) break;
      moveTo(to);
      this.major(t + to * dt, log);
    }
    moveTo(1);
    this.live = live;
    this.external = external;
    this.settle(dt);
  }

  /** Whether what survives in young space might not fit into the old generation. */
  noRoom() {
    return this.options.limit - this.old < this.semi;
  }

  /** Where in the step, 0 to 1, the next major falls; past 1 for none. */
  nextMajor(t, dt, at, oldSlope, externalSlope, alloc) {
    let to = (this.reducerAt - t) / dt;
    const room = this.limit - this.old;
    if (room <= 0) to = Math.min(to, at);
    else if (oldSlope > 0) to = Math.min(to, at + room / oldSlope);
    const externalRoom = this.externalLimit - this.external - this.externalGarbage;
    if (externalRoom <= 0) to = Math.min(to, at);
    else if (externalSlope > 0) to = Math.min(to, at + externalRoom / externalSlope);
    if (this.noRoom() && alloc > 0) to = Math.min(to, at + Math.max(0, this.semi - this.young) / alloc);
    return Math.max(to, at, (this.lastMajor + LEAST_PAUSE_S - t) / dt);
  }

  /** Young space over a part of a step; the last scavenge of it is noted. */
  scavenge(t, dt, from, to, alloc, log) {
    const allocated = alloc * (to - from);
    const filled = this.young + allocated;
    if (filled < this.semi) {
      this.young = filled;
      return;
    }
    const count = Math.floor(filled / this.semi);
    const rest = filled - count * this.semi;
    const position = to - (allocated > 0 ? (rest / allocated) * (to - from) : 0);
    const survivors = this.semi * 0.03 * this.random.logNormal(0.6);
    const used = this.old - (this.garbageAfter(position, to, alloc)) + Math.min(survivors, this.semi);
    log.minor(t + position * dt, used, this.external + this.externalGarbage + this.options.externalYoung);
    this.young = rest;
    this.scavenges += count;
    // Young space doubles as long as enough survives, which a busy program soon sees to.
    if (this.semi < this.options.semiMax && this.scavenges > 4) {
      this.semi = Math.min(this.options.semiMax, this.semi * 2);
      this.scavenges = 0;
    }
  }

  /** What was promoted between a scavenge and the end of its part of the step. */
  garbageAfter(position, to, alloc) {
    return alloc * this.options.promote * (to - position);
  }

  major(t, log) {
    const { random, options } = this;
    let inflight = this.allocRate * options.inflight * random.logNormal(options.inflightSigma);
    if (random.chance(options.tail)) inflight += this.live * Math.min(0.5, random.exponential(0.06));
    const floating = this.garbage * options.float * random.next();
    this.garbage = Math.min(floating + inflight, this.live * 0.5, Math.max(0, options.limit - this.live));
    this.externalGarbage *= options.float * random.next();
    this.young = 0;
    log.major(t, this.old, this.external + this.externalGarbage);
    this.lastMajor = t;
    this.setLimit(t);
    this.externalLimit = this.external + this.externalGarbage + options.externalStep;
    this.release();
    this.reduce(t);
    // Young space does not grow without scavenges.
    if (this.noRoom() && this.semi > LEAST_SEMI_KIB) this.semi /= 2;
  }

  setLimit(t) {
    const { options } = this;
    const size = this.old;
    let factor;
    if (t - this.born < BOOT_S) {
      factor = options.bootFactor;
    } else {
      const ratio = options.speed / Math.max(1e-6, this.promotedRate / 1000);
      const a = ratio * (1 - MUTATOR_UTILISATION);
      const b = a - MUTATOR_UTILISATION;
      factor = a < b * this.maxFactor ? a / b : this.maxFactor;
      factor = Math.max(MIN_FACTOR, factor, this.minFactor);
    }
    const wanted = Math.max(size * factor, size + (t - this.born < BOOT_S ? 2048 : this.step)) + this.semi;
    // Never more than half of what is left: the nearer to the end, the more often.
    this.limit = Math.max(size + 64, Math.min(wanted, (size + options.limit) / 2));
  }

  /** Pages go back to the system after a major: some at once, the rest with time. */
  release() {
    const { random, options } = this;
    this.committedTarget = this.old * (1 + options.fragmentation) + PAGE_KIB * 4;
    const excess = this.committed - this.committedTarget;
    if (excess > 0) this.committed -= excess * random.uniform(0.2, 0.8) * (options.returnS < 300 ? 1 : 0.4);
  }

  /** After a major, one or two more may follow: V8's memory reducer, while it finds something to give back. */
  reduce(t) {
    const { random, options } = this;
    this.reducerAt = Infinity;
    if (!options.reducer) return;
    if (this.reducerLeft > 0) {
      this.reducerLeft--;
      if (this.reducerLeft === 0) {
        this.reducerCommitted = this.heapTotal();
        if (this.allocRate < 50 && this.semi > LEAST_SEMI_KIB) this.semi /= 2;
        return;
      }
    } else {
      if (this.heapTotal() < Math.max(this.reducerCommitted * 1.1, this.reducerCommitted + 10240) && !random.chance(0.12)) return;
      this.reducerLeft = random.weighted([[6, 2], [2, 1], [1, 3]]);
    }
    let ticks = 1;
    const quiet = LOW_ALLOCATION_KIB_PER_S / (LOW_ALLOCATION_KIB_PER_S + this.allocRate * 1.5);
    while (ticks * REDUCER_TICK_S < REDUCER_WATCHDOG_S && !random.chance(quiet * quiet)) ticks++;
    this.reducerAt = t + ticks * REDUCER_TICK_S * random.uniform(0.99, 1.04);
  }

  settle(dt) {
    const used = this.old * (1 + this.options.fragmentation * 0.4);
    if (this.committed < used) this.committed = used;
    const floor = Math.max(used, this.committedTarget);
    if (this.committed > floor) this.committed -= (this.committed - floor) * (1 - Math.exp(-dt / this.options.returnS));
  }

  heapTotal() {
    return Math.ceil((this.committed + this.semi * 2 + this.options.overhead) / PAGE_KIB) * PAGE_KIB;
  }

  /** The columns of one sample. */
  read() {
    const young = this.young + this.allocRate * this.options.inflight * 0.5;
    const used = this.old + Math.min(young, this.semi);
    return {
      heapUsed: used,
      heapTotal: Math.max(this.heapTotal(), Math.ceil(used / PAGE_KIB) * PAGE_KIB),
      external: this.external + this.externalGarbage + this.options.externalYoung,
    };
  }
}

module.exports = { Heap };
