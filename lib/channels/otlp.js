'use strict';

// Alerts as OpenTelemetry log records: OTLP over HTTP, in JSON.

const { version } = require('../../package.json');
const { Sender } = require('./sender');

/** OpenTelemetry's numbers of severities. */
const SEVERITY = { critical: [21, 'FATAL'], error: [17, 'ERROR'], warning: [13, 'WARN'], info: [9, 'INFO'] };

const text = (value) => ({ stringValue: String(value) });
const attribute = (key, value) => ({ key, value: typeof value === 'number' ? numberOf(value) : text(value) });
/** 64-bit whole numbers are strings in OTLP's JSON. */
const numberOf = (value) => (Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value });

/** What is told of the process. */
function resourceOf({ service, host, pid }) {
  return [
    attribute('service.name', service ?? 'unknown_service:node'),
    attribute('host.name', host),
    attribute('process.pid', pid),
    attribute('process.runtime.name', 'nodejs'),
    attribute('process.runtime.version', process.versions.node),
  ];
}

/** What is told of the alert. */
function attributesOf(alert) {
  const { event, fingerprint, threadId, leak, threshold } = alert;
  const list = [
    attribute('heapwarden.event', event),
    attribute('heapwarden.fingerprint', fingerprint),
    attribute('thread.id', threadId),
  ];
  if (leak) {
    list.push(attribute('heapwarden.leak.kind', leak.verdict.kind));
    list.push(attribute('heapwarden.leak.growth_bytes_per_second', leak.verdict.growthBytesPerSecond));
    const [first] = leak.culprits;
    if (first) {
      list.push(attribute('heapwarden.leak.constructor', first.constructorName));
      if (first.fingerprint) list.push(attribute('heapwarden.leak.fingerprint', first.fingerprint));
      if (first.location) {
        list.push(attribute('code.file.path', first.location.file));
        list.push(attribute('code.line.number', first.location.line));
      }
    }
    if (leak.routes?.leak?.route) list.push(attribute('http.route', leak.routes.leak.route));
  }
  if (threshold) list.push(attribute('heapwarden.threshold.metric', threshold.metric));
  list.push(attribute('heapwarden.alert', JSON.stringify(alert)));
  return list;
}

/** The body of a request to `/v1/logs`. */
function logsOf(alert) {
  const [severityNumber, severityText] = SEVERITY[alert.severity];
  const time = `${BigInt(Date.parse(alert.at)) * 1_000_000n}`;
  return {
    resourceLogs: [{
      resource: { attributes: resourceOf(alert) },
      scopeLogs: [{
        scope: { name: 'heapwarden', version },
        logRecords: [{
          timeUnixNano: time,
          observedTimeUnixNano: time,
          severityNumber,
          severityText,
          eventName: `heapwarden.${alert.event}`,
          body: text(alert.message),
          attributes: attributesOf(alert),
        }],
      }],
    }],
  };
}

/** A channel that posts each alert to a collector. */
function otlpLogs(options) {
  const url = new URL(options.url);
  if (!url.pathname.endsWith('/v1/logs')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/logs`;
  return new Sender({ ...options, url }, (alert) => JSON.stringify(logsOf(alert)));
}

module.exports = { otlpLogs, logsOf };
