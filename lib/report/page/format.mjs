// Figures and times in words: alike everywhere, and the same wherever the page is opened.

const UNITS = [[2 ** 30, 'GB'], [2 ** 20, 'MB'], [2 ** 10, 'kB']];

/** `12.3 MB`. */
export function bytes(count) {
  if (count === null || count === undefined) return '–';
  const [size, unit] = UNITS.find(([least]) => Math.abs(count) >= least) ?? [1, 'B'];
  const value = count / size;
  return `${size === 1 ? Math.round(value) : value.toFixed(Math.abs(value) >= 100 ? 0 : 1)} ${unit}`;
}

/** The same with its sign. */
export const signedBytes = (count) => (count > 0 ? `+${bytes(count)}` : bytes(count).replace('-', '−'));

const groups = new Intl.NumberFormat('en-US');
/** `12,345`. */
export const count = (number) => (number === null || number === undefined ? '–' : groups.format(number));
export const signedCount = (number) => (number > 0 ? `+${count(number)}` : count(number).replace('-', '−'));

/** `1 host`, `3 hosts`. */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A rate in the unit in which it is told best. */
export function rate(bytesPerSecond) {
  if (bytesPerSecond === null || bytesPerSecond === undefined) return '–';
  const perHour = bytesPerSecond * 3600;
  return Math.abs(bytesPerSecond) >= 100_000 ? `${bytes(bytesPerSecond * 60)}/min` : `${bytes(perHour)}/h`;
}

/** An interval of rates, in the unit of its middle. */
export function rates([low, high]) {
  const scale = Math.abs(low + high) / 2 >= 100_000 ? [60, 'min'] : [3600, 'h'];
  return `${bytes(low * scale[0])} to ${bytes(high * scale[0])}/${scale[1]}`;
}

/** `2026-11-21 09:00` (UTC), of ISO text or milliseconds. */
export function time(at, { seconds = false } = {}) {
  if (at === null || at === undefined) return '–';
  return new Date(at).toISOString().slice(0, seconds ? 19 : 16).replace('T', ' ');
}

const SPANS = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's']];
/** `2 d 4 h`; two units at most. */
export function span(ms) {
  if (ms === null || ms === undefined) return '–';
  const first = SPANS.findIndex(([size]) => ms >= size);
  if (first === -1) return `${Math.round(ms)} ms`;
  const [size, unit] = SPANS[first];
  const rest = SPANS[first + 1];
  const whole = ms < 10 * size ? Math.floor(ms / size) : Math.round(ms / size);
  const more = rest ? Math.floor((ms - whole * size) / rest[0]) : 0;
  return more > 0 && ms < 10 * size ? `${whole} ${unit} ${more} ${rest[1]}` : `${whole} ${unit}`;
}

export const percent = (share) => `${(share * 100).toFixed(share < 0.095 ? 1 : 0)} %`;

/** `server.js:12`, the whole of it, and the package. */
export function place(location) {
  if (!location) return null;
  const { file, line, column, package: name } = location;
  return { short: `${file.split(/[\\/]/).slice(-2).join('/')}:${line}`, full: `${file}:${line}${column ? `:${column}` : ''}`, package: name ?? null };
}

/** A span in two quantities: `1.2 MB`, or `0.8 to 1.9 MB` where they differ. */
export function middle(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
