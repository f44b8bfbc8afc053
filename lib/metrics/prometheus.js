'use strict';

// `heapwarden/prometheus`: our metrics in prom-client's registry, or as text without it.

const { invalidArg } = require('../errors');
const { FAMILIES, measured } = require('./families');
const { readFigures } = require('./figures');
const { CONTENT_TYPES, formatFor, renderText } = require('./text');

/** How prom-client calls what we call `merge`. */
const AGGREGATOR = { min: 'min', max: 'max', first: 'first' };

/** The text of all metrics: `{ monitor, format, accept }`, where `accept` is the header of a scrape. */
function renderMetrics({ monitor, format, accept } = {}) {
  if (format !== undefined && !(format in CONTENT_TYPES)) throw invalidArg('format', '"prometheus" or "openmetrics"', format);
  const chosen = format ?? formatFor(accept);
  return { contentType: CONTENT_TYPES[chosen], text: renderText(measured(readFigures(monitor)), chosen) };
}

/**
 * Adds the metrics to a registry of prom-client's, by default its global one; they are read when it is. Gives what takes them out again.
 */
function registerMetrics({ registry = defaultRegistry(), monitor } = {}) {
  if (typeof registry?.registerMetric !== 'function' || typeof registry.removeSingleMetric !== 'function') {
    throw invalidArg('registry', "a registry of prom-client's", registry);
  }
  const read = oncePerScrape(monitor);
  const metrics = FAMILIES.map((family) => new Metric(family, read));
  const added = [];
  try {
    for (const metric of metrics) {
      registry.registerMetric(metric);
      added.push(metric);
    }
  } catch (error) {
    unregister();
    throw error;
  }
  function unregister() {
    for (const metric of added.splice(0)) {
      if (registry.getSingleMetric(metric.key) === metric) registry.removeSingleMetric(metric.key);
    }
  }
  return { unregister };
}

function defaultRegistry() {
  // An optional peer: asked for by whoever calls without a registry.
  return require('prom-client').register;
}

/** A registry asks all its metrics in one turn: the figures are read for the first of them. */
function oncePerScrape(monitor) {
  let families;
  return (name) => {
    if (families === undefined) {
      families = new Map(measured(readFigures(monitor)).map((family) => [family.name, family]));
      queueMicrotask(() => { families = undefined; });
    }
    return families.get(name);
  };
}

/** A metric as prom-client's registry asks for it. In OpenMetrics it takes the `_total` off the name of a counter, and puts it back itself. */
class Metric {
  #family;
  #read;

  constructor(family, read) {
    this.#family = family;
    this.#read = read;
    /** By what the registry knows it, whatever it makes of the name. */
    this.key = family.name;
    this.name = family.name;
    this.help = family.help;
    this.type = family.type;
    this.aggregator = AGGREGATOR[family.merge] ?? 'sum';
  }

  async get() {
    const { name, help, type, aggregator } = this;
    const samples = this.#read(this.#family.name)?.samples ?? [];
    const values = samples.map(({ suffix, labels, value }) => ({ value, labels, ...(suffix && { metricName: name + suffix }) }));
    return { name, help, type, values, aggregator };
  }

  /** There is nothing to reset: figures are read, not kept. */
  reset() {}
}

module.exports = { renderMetrics, registerMetrics, CONTENT_TYPES };
