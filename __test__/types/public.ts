// Every public name, used as a TypeScript program uses it.

import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import {
  HeapwardenError, ListenerAuditor, MemoryMonitor, auditListeners, capabilities, captureSummary, diffSnapshots, inspectLeaks, readRecording, startAllocationProfile, summarizeSnapshot, writeSnapshot,
  type Capabilities, type Capability, type FunctionCount, type HandleSummary, type ListenerAudit, type ListenerAuditorOptions, type ListenerCount, type ListenerGrowth,
  type WaiterSummary, type AnalysisOptions, type AnalysisProgress, type ConfirmedBy, type ConstructorDelta, type ConstructorSummary, type Culprit, type KnownLeak, type LadderRung, type LeakConfirmation, type LeakDecision, type LeakReport, type Logger, type MonitorEvents,
  type MonitorOptions, type Pattern, type Recording, type RetainerStep, type Sample, type SnapshotDiff, type SnapshotOptions,
  type SnapshotSource, type SnapshotSummary, type SourceLocation, type ThresholdCrossing, type Verdict, type VerdictEvidence,
  type WrittenSnapshot,
} from 'heapwarden';
import { assertLeaksLessThan, assertNoLeak } from 'heapwarden/testing';
import 'heapwarden/register';

const logger: Logger = { warn(details, message) { console.warn(message, details); } };
const options: MonitorOptions = { intervalMs: 30_000, alertThresholdMB: 500, maxSamples: 20, historyBytes: 0, evidence: 'auto', directory: '/tmp', maxFiles: 5, maxBytes: 1e9, logger };
// @ts-expect-error: not one of the words
const wrong: MonitorOptions = { evidence: 'some' };

const monitor: MemoryMonitor = new MemoryMonitor(options).start().stop();
new MemoryMonitor();

monitor.on('sample', (sample) => {
  const used: number = sample.heapUsed + sample.gc.pauseMs;
  const floor: number | null = sample.postGcFloor;
  // @ts-expect-error: null until a major collection was seen
  const sure: number = sample.postGcFloor;
  return [used, floor, sure];
});
monitor.once('leak', (report: LeakReport) => {
  const [first]: Culprit[] = report.culprits;
  const place: SourceLocation | null | undefined = first?.location;
  const pattern: Pattern | undefined = first?.pattern;
  const steps: RetainerStep[] = first?.retainerPath ?? [];
  const grown: ConstructorDelta[] = report.constructors;
  const version: 1 = report.schemaVersion;
  const written: { file: string; line: number } | undefined = place?.generated;
  const owner: string | undefined = place?.package;
  const known: KnownLeak | null | undefined = first?.known;
  const again: [string | undefined, string | undefined, string | null | undefined] = [first?.fingerprint, first?.firstSeen, known?.fixedIn];
  const holder: Culprit['holder'] | undefined = first?.holder;
  const rungs: LadderRung[] = report.evidence.ladder;
  const second: LeakConfirmation | null = report.evidence.confirmation;
  const decided: LeakDecision | undefined = second?.decisions[0];
  // @ts-expect-error: null where it is not known
  const cpu: number = rungs[0]!.cpuMs;
  const fate: [string | null | undefined, boolean] = [holder?.name, decided?.outcome === 'grew'];
  const held: [string | null | undefined, SourceLocation | undefined] = [first?.holder?.name, first?.holder?.reachedThrough];
  return [place, pattern, steps, grown, version, written, owner, again, held, cpu, fate];
});
monitor.on('suspect', (suspicion: Verdict) => {
  const by: ConfirmedBy | undefined = suspicion.evidence.confirmedBy;
  // @ts-expect-error: there only if looks confirmed it
  const captures: number = suspicion.evidence.confirmedBy.captures;
  return [by?.holder, captures];
});
monitor.on('oom-risk', (risk) => {
  if (risk.kind === 'container') return [risk.reclaimableBytes, risk.reason === 'pace'];
  const slack: number = risk.raisedToBytes - risk.limitBytes;
  return [risk.usedBytes, slack, risk.at, risk.report];
});
monitor.on('container-limit', (report) => report.containerLimit?.usedBytes);
monitor.on('postmortem', ({ cause, evidence, culpritsFrom }) => {
  const code: number | null = cause.exitCode;
  return [cause.kind === 'container-limit', code, evidence[0]?.certainty === 'inferred', culpritsFrom?.file];
});
const watched: MonitorOptions = { containerWatch: false, postmortem: true };
monitor.on('heap-limit', (report, file) => {
  const limit: number | undefined = report.heapLimit?.limitBytes;
  return [report.reason === 'heap-limit', limit, file.length];
});
const atLimit: MonitorOptions[] = [{ heapLimit: false }, { heapLimit: { slackMB: 32, snapshot: true, captures: 1, waitMs: 20_000 } }];
// @ts-expect-error: a number of megabytes
const noSlack: MonitorOptions = { heapLimit: { slackMB: '32' } };
monitor.on('threshold', (crossing: ThresholdCrossing) => crossing.metric === 'rss');
monitor.on('recovered', ({ from }) => from === 'leak');
monitor.on('error', (error) => error.message);
monitor.on('listeners', (growth) => growth.growthPerHour);
// @ts-expect-error: a LeakReport has no such field
monitor.on('leak', (report) => report.nothing);
const names: (keyof MonitorEvents)[] = ['sample', 'suspect', 'leak', 'oom-risk', 'heap-limit', 'container-limit', 'postmortem', 'threshold', 'recovered', 'listeners', 'error'];

const sample: Sample = monitor.sample();
const samples: Sample[] = monitor.report();
const spent: number = sample.cpuMs + sample.allocatedBytes + sample.requests;
const verdict: Verdict = monitor.verdict();
const evidence: VerdictEvidence = verdict.evidence;

const series: string = monitor.exportSeries();
const again: string = monitor.exportSeries({});
// @ts-expect-error: a file is written in its own time
const written: string = monitor.exportSeries({ path: 'a.jsonl' });

export async function exported(): Promise<number> {
  const { path, bytes }: { path: string; bytes: number } = await monitor.exportSeries({ path: 'a.jsonl' });
  return path.length + bytes;
}

export async function snapshots(): Promise<void> {
  const how: SnapshotOptions = { path: 'a.heapsnapshot', compress: 'zstd', mode: 'inline', summary: true, sourceMaps: false, signal: new AbortController().signal };
  const written: WrittenSnapshot = await writeSnapshot(how);
  const { evicted, evictionError }: { evicted: string[]; evictionError?: string } = await writeSnapshot({ maxFiles: 3, maxBytes: 2 ** 30 });
  // @ts-expect-error: a number of bytes, not a word for it
  await writeSnapshot({ maxBytes: '1 GB' });
  const summary: SnapshotSummary | null = written.summary;
  const biggest: ConstructorSummary | undefined = summary?.constructors[0];
  const read: SnapshotSummary = await summarizeSnapshot(written.path, { chunkBytes: 4096 });
  const told: AnalysisProgress[] = [];
  const watched: AnalysisOptions = { signal: AbortSignal.timeout(1000), onProgress: (progress) => told.push(progress) };
  const sources: SnapshotSource[] = [createReadStream('a'), new URL('file:///a'), Readable.from([Buffer.alloc(1)])];
  for (const source of sources) await summarizeSnapshot(source, watched);
  const profile = startAllocationProfile({ samplingIntervalBytes: 32_768, maxMs: 60_000 });
  const found = profile.look().stop();
  const { sites: [site], endedBy } = found;
  const place: [string, number | undefined, number, string] = [site!.functionName, site!.location?.line, site!.growthBytes, endedBy];
  const { bytes: profileBytes }: { bytes: number } = await found.writePprof('a.pb.gz');
  new MemoryMonitor({ allocationSites: { maxMs: 1000, files: true } });
  // @ts-expect-error: true, false or an object
  new MemoryMonitor({ allocationSites: 'on' });
  void [place, profileBytes];
  const reason: string | null = (await diffSnapshots(['a', 'b', 'c'], watched)).matchedByReason;
  // @ts-expect-error: bytes alone are no source
  await summarizeSnapshot(Buffer.alloc(1));
  const { summary: now, pauseMs } = await captureSummary({ sourceMaps: true });
  const diff: SnapshotDiff = await diffSnapshots([written.path, written.path], { sourceMaps: false });
  // @ts-expect-error: two of them
  await diffSnapshots([written.path]);
  try {
    await summarizeSnapshot('none');
  } catch (error) {
    if (error instanceof HeapwardenError) console.log(error.code, error.offset);
  }
  console.log(biggest?.retainedSize, read.nodeCount, now.edgeCount, pauseMs, diff.matchedBy, reason, written.fileBytes, evicted.length, evictionError);
}

console.log(spent, series, again, written, wrong, names, sample, samples, verdict, evidence);

const auditorOptions: ListenerAuditorOptions = { intervalMs: 1000, resources: false, locate: 'none' };
// @ts-expect-error: not one of the words
const badAuditor: ListenerAuditorOptions = { locate: 'always' };
const auditor: ListenerAuditor = new ListenerAuditor(auditorOptions).watch(process, 'process').watch(new AbortController().signal).start().stop();
auditor.on('growth', (growth: ListenerGrowth) => {
  const per: number | null = growth.growthPerHour;
  const at: SourceLocation | null = growth.location;
  const [first]: FunctionCount[] = growth.functions;
  const kind: 'emitter' | 'target' | 'resource' = growth.kind;
  return [per, at, first?.count, kind, growth.reason === 'max-listeners'];
});
const counts: ListenerCount[] = auditor.audit();
const was: boolean = auditor.unwatch(process);
const ours: ListenerAuditor = monitor.auditor;
// @ts-expect-error: a number is no emitter
auditor.watch(5);
const quiet: MonitorOptions = { listeners: false };
auditListeners({ mode: 'inline' }).then((audit: ListenerAudit) => {
  const steps: RetainerStep[] | undefined = audit.listeners[0]?.retainerPath;
  const handle: HandleSummary | undefined = audit.handles[0];
  const waiter: WaiterSummary | undefined = audit.waiters[0];
  return [steps, handle?.owner, waiter?.how, audit.resources.Timeout, audit.promises.awaited, audit.pauseMs];
});
export { badAuditor, counts, was, ours, quiet };

const recorded: Recording = readRecording('a.hwr');
if (recorded.life.ended === 'signal') recorded.life.words.signal satisfies string | null;
for (const event of recorded.events) {
  if (event.type === 'incident') event.limitBytes.toFixed();
}
new MemoryMonitor({ blackBox: { bytes: 1 << 20, files: 3 } }).recordingPath?.length;
// @ts-expect-error: not a number
new MemoryMonitor({ blackBox: 5 });
async function leakTests(): Promise<void> {
  const { leaked, culprits, growthBytesPerIteration, message, rung, reason } = await inspectLeaks(
    async (call: number) => call, { iterations: 500, rounds: 5, warmup: 0, settleMs: 50, setup() {}, teardown: async () => {} });
  const perCall: number | undefined = culprits[0]?.countPerIteration;
  const pattern: Pattern | undefined = culprits[0]?.pattern;
  const known: [boolean, number, string, 'counts' | 'snapshots', string | null] = [leaked, growthBytesPerIteration, message, rung, reason];
  await assertNoLeak(() => [perCall, pattern, known], { iterations: 100 });
  await assertLeaksLessThan(() => {}, { bytesPerIteration: 200, objectsPerIteration: 1 });
  // @ts-expect-error: a budget is required
  await assertLeaksLessThan(() => {});
}
void leakTests;

const able: Capabilities = capabilities();
const cloned: Capability = able.features.clone;
const [whyNot, groups]: [string | null, 1 | 2 | null | undefined] = [cloned.reason ?? cloned.instead, able.features.containerLimit.version];
// @ts-expect-error: no such feature
const none: Capability = able.features.telepathy;
export { groups, none, whyNot };
