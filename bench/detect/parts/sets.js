'use strict';

// Memory that follows something: load, sessions, connections, or nothing but chance.

const { Wander } = require('../load');
const { Part, approach } = require('./part');

/** A working set in proportion to load, `tau` seconds behind it. */
class LoadSet extends Part {
  constructor({ amount, tau, pool = 'heap' }) {
    super();
    Object.assign(this, { amount, tau, pool, level: 0 });
  }

  step(now) {
    this.level = approach(this.level, now.load, now.dt, this.tau);
    this[this.pool] = this.amount * this.level;
  }
}

/** A working set that wanders around its mean: a sum of reversions on several time scales (`taus`), `spread` in all (relative). */
class WanderingSet extends Part {
  constructor({ amount, spread, taus, pool = 'heap' }, random) {
    super();
    Object.assign(this, { amount, pool });
    this.sigma = spread / Math.sqrt(taus.length);
    this.wanders = taus.map((tau) => new Wander(random, tau));
    this.boot = 0;
  }

  step(now) {
    this.boot = approach(this.boot, 1, now.dt, 60);
    let level = 1;
    for (const wander of this.wanders) level += this.sigma * wander.step(now.dt);
    this[this.pool] = this.amount * this.boot * Math.max(0.02, level);
  }
}

/** Sessions that live for `ttl` seconds, removed by a sweep each `sweep` seconds; `amount` at mean load. */
class SessionStore extends Part {
  constructor({ amount, ttl, sweep }) {
    super();
    Object.assign(this, { amount, ttl, sweep, bins: [], kept: 0, swept: 0, fillS: ttl, straight: true });
    this.binS = Math.max(30, ttl / 200);
  }

  step(now) {
    const size = (this.amount * now.load * now.dt) / this.ttl;
    const { bins } = this;
    const last = bins[bins.length - 1];
    if (last !== undefined && now.uptime - last.from < this.binS) last.size += size;
    else bins.push({ from: now.uptime, size });
    this.kept += size;
    if (now.uptime - this.swept < this.sweep) return;
    this.swept = now.uptime;
    // The youngest entry of a bin decides.
    let gone = 0;
    while (gone < bins.length && bins[gone].from + this.binS + this.ttl < now.uptime) this.kept -= bins[gone++].size;
    if (gone > 0) bins.splice(0, gone);
    this.heap = this.kept;
  }
}

/** Connections opened when too few and closed when idle: `members` at mean load, `size` each, in `heap` and `native` shares. */
class Pool extends Part {
  constructor({ members, size, idle, nativeShare = 0 }) {
    super();
    Object.assign(this, { members, size, idle, nativeShare, open: 2, idleSince: 0 });
  }

  step(now) {
    const needed = Math.max(2, Math.round(this.members * now.load * now.random.uniform(0.8, 1.2)));
    if (needed >= this.open) {
      this.open = needed;
      this.idleSince = now.uptime;
    } else if (now.uptime - this.idleSince > this.idle) {
      this.open = Math.max(needed, this.open - Math.max(1, Math.round(this.open * 0.15)));
      this.idleSince = now.uptime - this.idle * 0.8;
    }
    this.heap = this.open * this.size * (1 - this.nativeShare);
    this.native = this.open * this.size * this.nativeShare;
  }
}

/** Long polls, uploads, websockets: memory only while in flight, on a load of its own that drifts; `amount` at its mean. */
class LongRequests extends Part {
  constructor({ amount, hold, drift, tau, externalShare = 0, follow = 0.5 }, random) {
    super();
    Object.assign(this, { amount, hold, drift, externalShare, follow, level: 0 });
    this.wander = new Wander(random, tau);
  }

  step(now) {
    const own = Math.exp(this.drift * this.wander.step(now.dt) - (this.drift * this.drift) / 2);
    const wanted = own * (1 - this.follow + this.follow * now.load);
    this.level = approach(this.level, wanted, now.dt, this.hold);
    this.heap = this.amount * this.level * (1 - this.externalShare);
    this.external = this.amount * this.level * this.externalShare;
    this.externalAlloc = (this.external / this.hold) * now.dt;
  }
}

module.exports = { LoadSet, LongRequests, Pool, SessionStore, WanderingSet };
