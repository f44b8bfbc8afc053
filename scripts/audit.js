'use strict';

// Known vulnerabilities in what is installed with the package, as the registry tells them. Where no registry tells any, this passes, and says so.
//
//   npm run audit

const { StepError, capture, say } = require('./steps');

/** What `npm audit --json` has answered: `{ found }`, sentences, or `{ unasked }`, why there is no answer. */
function read(output) {
  let answer;
  try {
    answer = JSON.parse(output.slice(output.search(/^\{/m), output.lastIndexOf('}') + 1));
  } catch {
    return { unasked: output.trim().split('\n').at(-1) };
  }
  if (answer.vulnerabilities === undefined) return { unasked: answer.message ?? answer.error?.summary ?? 'no report' };
  const found = Object.values(answer.vulnerabilities).map(({ name, severity, via }) => `${name}: ${severity}: ${via.map((one) => one.title ?? one).join(', ')}`);
  return { found };
}

async function main() {
  const { output } = await capture('npm', ['audit', '--omit=dev', '--json'], { quiet: true, timeoutMs: 60_000 });
  const { found, unasked } = read(output);
  if (unasked) return say(`SKIPPED: the registry answers no audit: vulnerabilities were NOT looked up (${unasked})`);
  if (found.length > 0) throw new StepError(found.join('\n'));
  say('no known vulnerabilities');
}

module.exports = { read };

if (require.main === module) {
  main().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
