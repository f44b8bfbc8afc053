'use strict';

// Metrics as text: Prometheus's format 0.0.4, and OpenMetrics 1.0.

const CONTENT_TYPES = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const escapedHelp = (text) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
const escapedValue = (text) => escapedHelp(String(text)).replace(/"/g, '\\"');

function valueOf(value) {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}

function line(name, { suffix = '', labels, value }) {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapedValue(text)}"`);
  return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${valueOf(value)}\n`;
}

/** The text. In OpenMetrics a counter's family has no `_total`, its samples do, and a unit is told. */
function renderText(families, format) {
  const open = format === 'openmetrics';
  let text = '';
  for (const { name, type, help, unit, samples } of families) {
    const family = open && type === 'counter' ? name.replace(/_total$/, '') : name;
    text += `# HELP ${family} ${open ? escapedValue(help) : escapedHelp(help)}\n# TYPE ${family} ${type}\n`;
    if (open && unit && family.endsWith(`_${unit}`)) text += `# UNIT ${family} ${unit}\n`;
    for (const sample of samples) text += line(name, sample);
  }
  return open ? `${text}# EOF\n` : text;
}

/** What a scraper wants, by its `Accept`: OpenMetrics where it asks for it at least as much as for plain text. */
function formatFor(accept = '') {
  let best = { format: 'prometheus', quality: 0 };
  for (const part of String(accept).slice(0, 1000).split(',')) {
    const [type, ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    const version = parameters.find((parameter) => parameter.startsWith('version='))?.slice(8).replace(/"/g, '');
    const format = type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0') ? 'openmetrics' : type === 'text/plain' ? 'prometheus' : undefined;
    if (format !== undefined && quality > best.quality) best = { format, quality };
  }
  return best.format;
}

module.exports = { CONTENT_TYPES, renderText, formatFor };
