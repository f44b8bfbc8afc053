'use strict';

// `heapwarden capabilities`: what works where this command runs.

const { capabilities } = require('../capabilities');
const { block, paint, plain } = require('./text');

const summary = 'says what works on this system, and why not';

const usage = `heapwarden capabilities [options]

Says what works on this system, with this version of Node and these flags, and of what does not, why and what happens instead. What is
asked is this process: run it where the program runs, as its user, with its environment and its flags (node --permission ...).

  --json         the same as one JSON document, as capabilities() gives it
  -h, --help

Exit codes: 0 done (whatever works), 1 the native part cannot be loaded, 2 called in a way that is not understood.
`;

const options = {
  json: { type: 'boolean' },
};

async function run(values, positionals, { UsageError, print }) {
  if (positionals.length > 0) throw new UsageError(`expected no argument, found ${JSON.stringify(positionals[0])}`);
  const found = capabilities();
  await print(values.json ? `${JSON.stringify(found, null, 2)}\n` : textOf(found));
  return found.native.available ? 0 : 1;
}

function textOf({ heapwarden, platform, arch, libc, runtime, thread, permissionModel, native, features }) {
  const system = [`${platform}-${arch}`, libc, `${runtime.name} ${runtime.version}`, permissionModel && 'permission model', !thread.isMainThread && 'worker'];
  const lines = [paint().title(plain(`heapwarden ${heapwarden} on ${system.filter(Boolean).join(', ')}`)) + '\n'];
  if (!native.available) return lines.join('') + block(native.reason.split('\n'));
  const width = Math.max(...Object.keys(features).map((name) => name.length));
  for (const [name, { available, reason, instead, ...more }] of Object.entries(features)) {
    const details = Object.entries(more).filter(([, value]) => value !== null).map(([key, value]) => `${key} ${[value].flat().join(', ')}`).join('; ');
    lines.push(`${plain(`  ${name.padEnd(width)}  ${available ? 'yes' : 'no '}  ${available ? details : reason}`)}\n`);
    if (!available && instead) lines.push(`${plain(`  ${''.padEnd(width)}       instead: ${instead}`)}\n`);
  }
  return lines.join('');
}

module.exports = { summary, usage, options, run };
