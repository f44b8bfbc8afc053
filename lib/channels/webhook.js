'use strict';

const { Sender } = require('./sender');

const MARK = { critical: ':rotating_light:', error: ':warning:', warning: ':warning:', info: ':white_check_mark:' };

/** Slack reads `&`, `<` and `>` as the beginning of links and mentions. */
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
/** Inside a code span nothing else needs to be taken out. */
const code = (text) => `\`${escaped(text).replace(/`/g, "'")}\``;

/** The alert as Slack's incoming webhooks take it: `text` for notifications, `blocks` for the message. */
function slackOf(alert) {
  const { severity, message, service, host, pid, threadId, at, leak } = alert;
  const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: `${MARK[severity]} *${escaped(message).slice(0, 2800)}*` } }];
  const [first] = leak?.culprits ?? [];
  if (first) {
    const lines = [];
    if (first.location) lines.push(`*Where* ${code(`${first.location.file}:${first.location.line}`)}`);
    if (first.retainerPath.length > 0) lines.push(`*Held by* ${first.retainerPath.map(({ edge, name }) => code(edge ? `${edge} of ${name}` : name)).join(' ← ')}`);
    if (first.advice) lines.push(`*To do* ${escaped(first.advice)}`);
    if (leak.routes?.leak?.route) lines.push(`*Route* ${code(leak.routes.leak.route)}, ${Math.round(leak.routes.leak.bytesPerRequest)} bytes per request`);
    if (first.fingerprint) lines.push(`*Fingerprint* ${code(first.fingerprint)}`);
    blocks.push({ type: 'section', text: { type: 'mrkdwn', text: lines.join('\n').slice(0, 2900) } });
  }
  const who = [service, host, `pid ${pid}${threadId === 0 ? '' : `, worker ${threadId}`}`, at].filter(Boolean).map(escaped).join(' · ');
  blocks.push({ type: 'context', elements: [{ type: 'mrkdwn', text: who.slice(0, 2900) }] });
  return { text: escaped(message), blocks };
}

const ENCODE = {
  json: (alert) => JSON.stringify(alert),
  slack: (alert) => JSON.stringify(slackOf(alert)),
};

/** A channel that posts each alert to an address. */
function webhook(options) {
  return new Sender(options, ENCODE[options.format]);
}

module.exports = { webhook, slackOf };
