// The names that a program rarely writes, since they follow from what it calls: each stands for what it is given or gives.

import {
  MemoryMonitor, captureCensus, captureSummary, diffSnapshots, histogramSnapshot, inspectLeaks, retainingPaths, startAllocationProfile, summarizeSnapshot,
  type Alert, type AlertCulprit, type AlertEvent, type AllocationFrame, type AllocationProfile, type AllocationProfileOptions, type AllocationSite,
  type AllocationSites, type CaptureMode, type CaptureResult, type Certainty, type ChannelOptions, type CollectionSummary, type ContainerRisk, type HeapLimitOptions,
  type HeapRisk, type HistogramRow, type Holder, type LastWords, type LeakBudgetOptions, type LeakCheck, type LeakCheckCulprit, type LeakCheckOptions,
  type ListenerAuditorEvents, type ListenerGrowth, type ListenerSummary, type ObjectSummary, type OomRisk, type PostmortemFinding, type RecordedEnd,
  type RecordedEvent, type RecordedException, type RecordedIncident, type RecordedSample, type Recording, type RemoteChannelOptions, type RetainingPath,
  type RouteLeak, type SnapshotHistogram, type SnapshotSummary, type Suspect, type Territory, type TimerSummary,
} from 'heapwarden';

const channel: ChannelOptions = { name: 'ops', events: ['leak'], redact: 'names', cooldownMs: 1000 };
const remote: RemoteChannelOptions = { ...channel, url: 'https://example.com', headers: { a: 'b' }, timeoutMs: 1, maxAttempts: 2, retryMs: 3, maxWaiting: 4 };
const heapLimit: HeapLimitOptions = { slackMB: 32, snapshot: true, captures: 1, waitMs: 1000 };
// @ts-expect-error: no such event
const noEvent: AlertEvent = 'boredom';
new MemoryMonitor({ heapLimit, channels: [{ type: 'webhook', ...remote }] });

export function alerted(alert: Alert): [AlertEvent, string | null | undefined, number | undefined] {
  const culprit: AlertCulprit | undefined = alert.leak?.culprits[0];
  // @ts-expect-error: of its holder an alert tells where, and not through what
  culprit?.holder?.reachedThrough;
  const holder: Pick<Holder, 'name'> | null | undefined = culprit?.holder;
  return [alert.event, holder?.name, culprit?.retainerPath.length];
}

export function risked(risk: OomRisk): number {
  const heap: HeapRisk | null = risk.kind === 'heap' ? risk : null;
  const container: ContainerRisk | null = risk.kind === 'container' ? risk : null;
  // @ts-expect-error: the kind decides
  risk.raisedToBytes;
  return (heap?.raisedToBytes ?? 0) + (container?.reclaimableBytes ?? 0);
}

export function found({ cause, schemaVersion }: PostmortemFinding, { route, intervalBytesPerRequest: [least] }: RouteLeak): [Certainty, 1, string, number] {
  return [cause.certainty, schemaVersion, route, least];
}

export async function profiled(options: AllocationProfileOptions): Promise<number> {
  const profile: AllocationProfile = startAllocationProfile(options).look();
  const sites: AllocationSites = profile.stop();
  const site: AllocationSite | undefined = sites.sites[0];
  const frame: AllocationFrame | undefined = site?.stack[0] ?? site;
  const { bytes } = await sites.writeHeapProfile('a.heapprofile');
  // @ts-expect-error: read only
  profile.isRunning = false;
  return bytes + (frame?.location?.line ?? 0) + (site?.liveBytes ?? 0);
}

export async function analysed(): Promise<unknown[]> {
  const summary: SnapshotSummary = await summarizeSnapshot('a', { territories: 10 });
  const object: ObjectSummary | undefined = summary.objects?.[0];
  const suspect: Suspect | undefined = summary.suspects[0];
  const listener: ListenerSummary | undefined = summary.listeners[0];
  const timer: TimerSummary | undefined = summary.timers[0];
  const collection: CollectionSummary | undefined = summary.collections[0];
  const territory: Territory | undefined = summary.territories?.[0];
  const histogram: SnapshotHistogram = await histogramSnapshot('a');
  const row: HistogramRow | undefined = histogram.constructors[0];
  const [way]: RetainingPath[] = await retainingPaths('a', { constructorName: 'Session' });
  const { constructors, ...census } = await captureCensus();
  const result: CaptureResult = await captureSummary();
  const mode: CaptureMode | undefined = result.mode ?? census.mode;
  await diffSnapshots(['a', 'b']);
  // @ts-expect-error: what is sought is said
  await retainingPaths('a');
  // @ts-expect-error: counts alone
  constructors[0]!.shallowSize;
  return [object?.distance, suspect?.accumulates?.count, listener?.most, timer?.callback, collection?.entries, territory?.parent, row?.shallowSize, way?.pathIds, mode];
}

export function recorded({ samples, events, words, exception, end }: Recording): unknown[] {
  const sample: RecordedSample | undefined = samples[0];
  const incidents: RecordedIncident[] = events.filter((event: RecordedEvent): event is RecordedEvent & { type: 'incident' } => event.type === 'incident');
  const last: LastWords | null = words;
  const thrown: RecordedException | null = exception;
  const ended: RecordedEnd | null = end;
  // @ts-expect-error: a signal, or null
  last?.signal satisfies string | undefined;
  return [sample?.status, incidents[0]?.phase, last?.address, thrown?.origin, ended?.exitCode];
}

export async function checked(options: LeakCheckOptions): Promise<[number | undefined, number]> {
  const check: LeakCheck = await inspectLeaks(() => {}, options);
  const culprit: LeakCheckCulprit | undefined = check.culprits[0];
  const budget: LeakBudgetOptions = { ...options, bytesPerIteration: 100 };
  return [culprit?.rounds[0]?.calls, budget.bytesPerIteration ?? 0];
}

const heard: ListenerAuditorEvents['growth'][] = [];
export const first: ListenerGrowth | undefined = heard[0]?.[0];
export { noEvent };
