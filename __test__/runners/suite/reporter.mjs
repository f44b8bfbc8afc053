// What node:test says of each test, as one line of JSON.

export default async function* report(events) {
  for await (const { type, data } of events) {
    const isTest = (type === 'test:pass' || type === 'test:fail') && data.details.type !== 'suite' && !/^\S+\.m?js$/.test(data.name);
    if (!isTest) continue;
    const error = data.details.error?.cause ?? data.details.error;
    yield `${JSON.stringify({ title: data.name, passed: type === 'test:pass', message: error?.message ?? '', ms: data.details.duration_ms })}\n`;
  }
}
