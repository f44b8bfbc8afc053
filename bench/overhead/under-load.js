'use strict';

// One of the two apps under load, in a process of its own, whose figures are read and in which Heapwarden is switched on and off.

const { fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');

const isPinned = os.cpus().length >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

function start(core, script, args, ...node) {
  const [execPath, ...execArgv] = [...(isPinned ? ['taskset', '-c', String(core)] : []), ...node];
  return fork(path.join(__dirname, script), args, { execPath, execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

class UnderLoad {
  #server;
  #load;
  #directory;
  #port;

  /** The app `app`, asked over and over from now on; `flags` are its Node's. */
  static async begin(app, { node, flags = [], connections, pipelining }) {
    const one = new UnderLoad();
    one.#directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-overhead-'));
    one.#server = start(0, 'turns-server.js', [app, one.#directory], node, ...flags);
    [{ port: one.#port }] = await once(one.#server, 'message');
    one.#load = start(1, 'load.js', [one.#port, app, 100_000, connections, 0, pipelining], node);
    return one;
  }

  /** Switches to a part (see turns-server.js), with '' to none. */
  async switchTo(part) {
    await this.#ask({ part });
  }

  /** What it does for `ms` from now: `{ perSecond, cpuUs }`, the processor time of a request in microseconds. */
  async figures(ms) {
    const before = await this.#ask({});
    await passed(ms);
    const after = await this.#ask({});
    const answered = after.answered - before.answered;
    if (answered === 0) throw new Error('no request was answered');
    return { perSecond: (answered * 1000) / (after.atMs - before.atMs), cpuUs: (after.cpuUs - before.cpuUs) / answered };
  }

  /** Reads the metrics, as a scraper would. */
  scrape() {
    const headers = { authorization: 'Bearer overhead-bench-0123456789abcdef' };
    return new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port: this.#port, path: '/_heap/metrics', headers, agent: false }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`the metrics were answered ${response.statusCode}`));
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
  }

  async end() {
    this.#load.kill();
    this.#server.disconnect();
    await once(this.#server, 'exit');
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }

  async #ask(what) {
    this.#server.send(what);
    return (await once(this.#server, 'message'))[0];
  }
}

module.exports = { UnderLoad };
