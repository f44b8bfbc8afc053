// Deaths, and what could not be read.

import { code, fold, h, section } from './dom.mjs';
import { count, counted, time } from './format.mjs';
import { grid } from './grid.mjs';

export function deathsSection({ deaths }) {
  if (deaths.length === 0) return null;
  return section('deaths', 'Deaths', grid({
    caption: counted(deaths.length, 'life that ended badly', 'lives that ended badly'), length: deaths.length,
    columns: [
      { key: 'file', title: 'Recording', value: (i) => deaths[i].file, cell: (i) => code(deaths[i].file, { title: deaths[i].file }) },
      { key: 'at', title: 'When (UTC)', width: '12rem', value: (i) => deaths[i].endedAt, cell: (i) => time(deaths[i].endedAt, { seconds: true }) },
      { key: 'pid', title: 'Process', width: '7rem', numeric: true, value: (i) => deaths[i].pid, cell: (i) => `${deaths[i].pid}${deaths[i].threadId ? ` w${deaths[i].threadId}` : ''}` },
      { key: 'what', title: 'Of what', value: (i) => deaths[i].cause.what, cell: (i) => `${deaths[i].cause.what}${deaths[i].cause.certainty === 'inferred' ? ' (inferred)' : ''}` },
    ],
    filter: { label: 'Filter by recording or cause', text: (i) => `${deaths[i].file} ${deaths[i].cause.what}`.toLowerCase() },
  }));
}

export function footer({ version, redaction, unreadable, passedOver, from, to, reports }) {
  const told = {
    full: 'It tells names as they are: whoever has it can read what the evidence says.', names: 'Names that data may have given are left out (level names).',
    shape: 'Names, files and places of the program are left out (level shape).',
  };
  return h('footer', null,
    unreadable.length > 0 && fold(`${counted(unreadable.length, 'file')} could not be read`, () => h('ul', null, unreadable.map(({ file, message }) => h('li', null, code(file), `: ${message}`)))),
    passedOver.files > 0 && h('p', null, `${count(passedOver.files)} older files were passed over.`),
    passedOver.snapshots > 0 && h('p', null, `${counted(passedOver.snapshots, 'snapshot')} ${passedOver.snapshots === 1 ? 'was' : 'were'} not looked at (--snapshots).`),
    h('p', null, `heapwarden ${version}. ${reports > 0 ? `${counted(reports, 'report')}, ${time(from)} to ${time(to)} UTC. ` : ''}${told[redaction]} All times are UTC. This page loads nothing.`));
}
