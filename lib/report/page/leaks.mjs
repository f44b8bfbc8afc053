// The leaks, the worst first: which, how fast, where in the code, on how many hosts, since when.

import { code, fold, h, section } from './dom.mjs';
import { bytes, count, counted, middle, percent, rate, rates, signedBytes, signedCount, span, time } from './format.mjs';
import { grid } from './grid.mjs';
import { pathFold, placeOf, sentence } from './path.mjs';

/** Leaks told in full at once; the others are unfolded. */
const MOST_OPEN = 5;

export function leaksSection({ leaks, leakCount, hostCount, reports }) {
  if (leaks.length === 0) {
    const said = reports > 0 ? 'No report blames anybody.' : 'No leak was reported.';
    return section('leaks', 'Leaks', h('p', { class: 'muted' }, said));
  }
  return section('leaks', leakCount === 1 ? 'The leak' : `${count(leakCount)} leaks, the worst first`,
    leaks.slice(0, MOST_OPEN).map((leak, i) => leakCard(leak, i, hostCount)),
    leaks.length > MOST_OPEN && fold(`${counted(leaks.length - MOST_OPEN, 'more leak')}`, () => leaks.slice(MOST_OPEN).map((leak, i) => leakCard(leak, i + MOST_OPEN, hostCount))),
    leakCount > leaks.length && h('p', { class: 'muted' }, `${counted(leakCount - leaks.length, 'leak')} more ${leakCount - leaks.length === 1 ? 'is' : 'are'} in heapwarden report --json.`));
}

function leakCard(leak, number, hostCount) {
  const { constructorName, pattern, holder, retainerPath, location, advice, known, fingerprint, routes, by } = leak;
  const grown = by.map(({ bytesPerSecond }) => bytesPerSecond).filter((one) => one !== null);
  const fact = (name, ...content) => h('div', null, h('dt', null, name), h('dd', null, content));
  return h('article', { class: 'leak', id: `leak-${number + 1}`, 'aria-labelledby': `leak-${number + 1}-name` },
    h('header', null, h('span', { class: 'rank', 'aria-hidden': 'true' }, `#${number + 1}`),
      h('h3', { id: `leak-${number + 1}-name` }, code(constructorName)), h('span', { class: 'tag', title: `kept by the mechanism: ${pattern}` }, pattern),
      leak.reasons.filter((reason) => reason !== 'verdict').map((reason) => h('span', { class: 'tag warn' }, `at the ${reason.replace('-', ' ')}`)),
      fingerprint && h('span', { class: 'fingerprint' }, 'fingerprint ', code(fingerprint))),
    advice && h('p', { class: 'advice' }, sentence(advice)),
    h('dl', { class: 'facts' },
      fact('How fast', howFast(grown, leak)),
      fact('Where in the code', placeOf(location) ?? h('span', { class: 'muted' }, 'the place is not known'), holder && holderLine(holder)),
      fact('On how many hosts (pods)', h('strong', null, `${count(leak.hosts)} of ${count(hostCount)}`), meter(leak.hosts, hostCount),
        h('span', { class: 'sub' }, `${counted(leak.processes, 'process', 'processes')}, ${counted(leak.reports, 'report')}, blamed first in ${count(leak.first)}`)),
      fact('Since when', h('strong', null, time(leak.since)), h('span', { class: 'sub' }, `last seen ${time(leak.until)} UTC`)),
      fact('How much', h('strong', null, bytes(leak.retainedSizeDelta)),
        h('span', { class: 'sub' }, leak.countDelta === null ? 'retained at most' : `retained at most; ${signedCount(leak.countDelta)} objects`))),
    known && h('p', { class: 'known' }, h('strong', null, 'Known leak of a package: '), code(`${known.package}${known.version ? `@${known.version}` : ''}`),
      known.fixedIn ? `, fixed in ${known.fixedIn}` : ', not fixed yet', `, ${known.reference}`),
    routes && routeLine(routes),
    leak.evidence?.confirmation && h('p', { class: 'sub' }, confirmed(leak.evidence.confirmation)),
    pathFold(constructorName, retainerPath, { open: number === 0 && by.length < 2 }),
    byFold(leak, number),
    sitesFold(leak.allocationSites),
    proofFold(leak));
}

function howFast(grown, { verdict }) {
  if (grown.length === 0) return [h('strong', null, '–'), h('span', { class: 'sub' }, 'the counters had proven nothing yet')];
  const { growthIntervalBytesPerSecond: interval, etaMs, limit } = verdict ?? {};
  if (grown.length === 1) {
    return [h('strong', null, rate(grown[0])), interval && h('span', { class: 'sub' }, `${rates(interval)}, 95 % confidence`), etaMs && h('span', { class: 'sub' }, `${span(etaMs)} to the ${limit ?? 'next'} limit`)];
  }
  return [h('strong', null, rate(middle(grown))), h('span', { class: 'sub' }, `median of ${count(grown.length)}; ${rates([Math.min(...grown), Math.max(...grown)])}`),
    etaMs && h('span', { class: 'sub' }, `newest: ${span(etaMs)} to the ${limit ?? 'next'} limit`)];
}

function holderLine({ constructorName, name, event, location }) {
  return h('span', { class: 'sub' }, 'held by ', code(constructorName), name && [' ', code(name, { class: 'strong' })], event && [', event ', code(event)], location && [' at ', placeOf(location)]);
}

function meter(part, whole) {
  const fill = h('span');
  fill.style.width = `${whole === 0 ? 0 : part / whole * 100}%`;
  return h('span', { class: 'meter', 'aria-hidden': 'true' }, fill);
}

function routeLine({ leak, reason }) {
  if (!leak) return reason && h('p', { class: 'sub' }, `No route explains it: ${reason}.`);
  const [low, high] = leak.intervalBytesPerRequest;
  return h('p', null, code(leak.route ?? '(redacted)', { class: 'strong' }), ` leaves ${count(Math.round(leak.bytesPerRequest))} bytes behind per request `,
    h('span', { class: 'muted' }, `(95 % interval ${count(Math.round(low))} to ${count(Math.round(high))}; ${percent(leak.share)} of the growth; ${counted(leak.requests, 'request')})`));
}

const OUTCOMES = {
  grew: 'went on growing in proportion', unclear: 'grew too slowly for the time between the looks to tell', new: 'was not there at the first look',
  little: 'grew by less than a tenth of what the floor\'s rate gives', stood: 'did not grow, or far less than before', gone: 'is gone',
};

function confirmed({ outcome, firstBytes, secondBytes, afterMs }) {
  return `A second look ${span(afterMs)} later: it ${OUTCOMES[outcome] ?? outcome} (${bytes(firstBytes)}, then ${bytes(secondBytes)}).`;
}

/** Who has it. */
function byFold({ by, byCount }, number) {
  if (by.length < 2) return null;
  const hosts = new Set(by.map(({ host }) => host)).size;
  return fold(`Who has it: ${counted(hosts, 'host')}, ${counted(byCount, 'process', 'processes')}`, () => grid({
    caption: `Processes with leak #${number + 1}`, length: by.length, sort: 'since',
    columns: [
      { key: 'host', title: 'Host (pod)', value: (i) => by[i].host, cell: (i) => code(by[i].host, { title: by[i].host }) },
      { key: 'pid', title: 'Process', width: '7rem', numeric: true, value: (i) => by[i].pid, cell: (i) => `${by[i].pid}${by[i].threadId ? ` worker ${by[i].threadId}` : ''}` },
      { key: 'since', title: 'Since (UTC)', width: '9.5rem', value: (i) => by[i].since, cell: (i) => time(by[i].since) },
      { key: 'until', title: 'Last seen', width: '9.5rem', value: (i) => by[i].until, cell: (i) => time(by[i].until) },
      { key: 'rate', title: 'Growth', width: '7.5rem', numeric: true, value: (i) => by[i].bytesPerSecond, cell: (i) => rate(by[i].bytesPerSecond) },
      { key: 'retained', title: 'Retained', width: '7rem', numeric: true, value: (i) => by[i].retainedSizeDelta, cell: (i) => bytes(by[i].retainedSizeDelta) },
      { key: 'reports', title: 'Reports', width: '5.5rem', numeric: true, value: (i) => by[i].reports, cell: (i) => count(by[i].reports) },
    ],
    filter: { label: 'Filter by host', text: (i) => by[i].host.toLowerCase() },
  }));
}

function sitesFold(sites) {
  if (sites.length === 0) return null;
  return fold(`Where it is allocated, ${counted(sites.length, 'stack')}`, () => h('ol', { class: 'path' }, sites.map((site) => h('li', null,
    code(site.functionName || '(anonymous)', { class: 'strong' }), ' ', placeOf(site.location), ` ${signedBytes(site.growthBytes)} over ${counted(site.looks, 'look')}`,
    h('ol', null, site.stack.slice(1, 8).map((frame) => h('li', null, code(frame.functionName || '(anonymous)'), ' ', placeOf(frame.location))))))));
}

/** What the claim rests on. */
function proofFold({ verdict, evidence, file, reportedAt, heapLimit, containerLimit }) {
  return fold('What this rests on', () => {
    const lines = [`Newest report that blames it first: ${time(reportedAt, { seconds: true })} UTC, in ${file}.`];
    if (verdict?.floors) {
      const { floors, windowMs, growthBytes, standardErrors } = verdict.floors;
      lines.push(`Verdict ${verdict.status}: ${counted(floors ?? 0, 'floor')} over ${span(windowMs)} rose by ${bytes(growthBytes)}, ${standardErrors?.toFixed(1)} standard errors from no growth.`);
    }
    if (heapLimit) lines.push(`The heap stood at ${bytes(heapLimit.usedBytes)} of its limit of ${bytes(heapLimit.limitBytes)}.`);
    if (containerLimit) lines.push(`The container held ${bytes(containerLimit.usedBytes)} of its limit of ${bytes(containerLimit.limitBytes)}.`);
    if (evidence) lines.push(evidence.rung === 'none' ? `No look at the heap: ${evidence.reason}.` : `A look at the heap (${evidence.rung}, ${evidence.mode})${evidence.reason ? `: ${evidence.reason}` : ''}.`);
    return h('ul', null, lines.map((line) => h('li', null, line)));
  });
}
