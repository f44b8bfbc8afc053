// The page: reads what stands in it, and draws it.

import { comparisonSection } from './comparison.mjs';
import { h } from './dom.mjs';
import { counted, time } from './format.mjs';
import { heapSection } from './heap.mjs';
import { leaksSection } from './leaks.mjs';
import { memorySection } from './memory.mjs';
import { processesSection } from './processes.mjs';
import { deathsSection, footer } from './rest.mjs';
import { themeButton } from './theme.mjs';
import { overview } from './unpack.mjs';

async function draw() {
  const model = overview();
  const hostCount = new Set(model.processes.map(({ host }) => host)).size;
  const leaks = leaksSection({ ...model, hostCount });
  const memory = memorySection(model);
  const processes = processesSection(model, {
    onShow: (process) => {
      memory.show(process);
      memory.element.scrollIntoView({ behavior: 'instant' });
      memory.element.querySelector('select').focus({ preventScroll: true });
    },
  });
  const heap = heapSection(model);
  const comparison = comparisonSection(model);
  const deaths = deathsSection(model);
  const sections = [leaks, memory.element, processes, ...heap.elements, ...comparison.elements, deaths].filter(Boolean);
  const links = sections.map((section) => h('li', null, h('a', { href: `#${section.id}` }, section.querySelector('h2').textContent.replace(/^[\d,]+ leaks.*/, 'Leaks'))));
  document.body.replaceChildren(
    h('a', { class: 'skip', href: '#leaks' }, 'Skip to the leaks'),
    h('header', { class: 'top' }, h('div', null, h('h1', null, 'Heapwarden report'), h('p', { class: 'headline' }, headline(model, hostCount))), h('nav', { 'aria-label': 'Sections' }, h('ul', null, links)), themeButton()),
    h('main', null, sections), footer(model));
  document.title = `Heapwarden: ${headline(model, hostCount)}`.slice(0, 150);
  // Grids measure themselves, charts their place: what is not in the document has no size.
  await Promise.all([memory.ready, heap.ready, comparison.ready]);
  performance.mark('heapwarden:ready');
  document.documentElement.dataset.ready = '';
}

/** The answer in a line. */
function headline({ leaks, leakCount, processes }, hostCount) {
  if (leakCount === 0) return processes.length === 0 ? 'No leak reported.' : `No leak reported; ${counted(processes.length, 'process', 'processes')} on ${counted(hostCount, 'host')}.`;
  const [worst] = leaks;
  const others = leakCount > 1 ? `, and ${counted(leakCount - 1, 'other leak')}` : '';
  // What was found at a limit alone is no proven leak.
  const does = worst.reasons.includes('verdict') ? 'leaks' : 'piles up';
  return `${worst.constructorName} ${does} on ${worst.hosts} of ${counted(hostCount, 'host')} since ${time(worst.since)} UTC${others}.`;
}

draw().catch((error) => {
  // A page that stays empty helps nobody.
  document.body.replaceChildren(h('p', { role: 'alert', class: 'failed' }, `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`));
  throw error;
});
