/// <reference types="node" />

import { EventEmitter } from 'node:events';

/**
 * A place in a source file; lines and columns count from 1.
 *
 * Where the file that runs has a source map (Node's own with `--enable-source-maps`, inside the file, or beside it), this is the place in
 * the source.
 */
export interface SourceLocation {
  /** A path; the URL (`webpack://...`) where the source map names none. */
  file: string;
  line: number;
  column: number;
  /** The same place in the file that runs; there if a source map led to another one. */
  generated?: { file: string; line: number; column: number };
  /** The npm package in `node_modules` that the file belongs to, as `name@version`. */
  package?: string;
}

/** Settings of a {@link MemoryMonitor}. */
export interface MonitorOptions {
  /** Time between two samples, from 10 ms to a day. Default: 30 000. */
  intervalMs?: number;
  /** Used heap at which `threshold` is raised. Default: 90 % of the nearest limit, V8's or the container's. */
  alertThresholdMB?: number;
  /** How many samples `report()` gives. Default: 20. */
  maxSamples?: number;
  /**
   * Memory for the record that `exportSeries()` gives, from 16 KiB to 64 MiB, or 0 for none. Default: 256 KiB, which is about a day
   * and a half at the default interval. Taken when the monitor is made, never more.
   */
  historyBytes?: number;
  /**
   * What is taken when a leak is suspected or called. `summary`: two looks at the heap, each of which stops this thread for about
   * 50 ms a megabyte of heap; and up to four at a suspicion, which may confirm it before the counters alone prove it. `snapshot`:
   * the same, and the last one is kept as a file. `none`: nothing. `auto` (default): as `summary` while the heap is small (128 MB
   * at the end of the warm-up and at a suspicion, 256 MB at a leak) and memory for it is there, as `none` otherwise; the report
   * says why.
   */
  evidence?: 'auto' | 'summary' | 'snapshot' | 'none';
  /** Where files go. Default: `heapwarden-evidence` in the working directory. Made when first needed. */
  directory?: string;
  /** As for {@link SnapshotOptions}. */
  maxFiles?: number;
  /** As for {@link SnapshotOptions}. */
  maxBytes?: number;
  /**
   * Where what survives was allocated: V8's sampling heap profiler, switched on by a suspicion for `maxMs`, told in
   * `LeakReport.allocationSites`. Default: false. `files`: whether its last look is kept as well, for DevTools and for pprof; default: where
   * `evidence` is `snapshot`. See docs/allocation-sites.md.
   */
  allocationSites?: boolean | (AllocationProfileOptions & { files?: boolean });
  /** Whether listeners, timers and handles are counted, too, as a {@link ListenerAuditor} does. Default: true. */
  listeners?: boolean;
  /**
   * Whether this life is recorded in a file of fixed size that outlives the process, whatever it dies of (docs/black-box.md; Linux). Default:
   * true if `directory` is given, and under `heapwarden/register`. `bytes`: length of the file, from 256 KiB to 64 MiB, 1 MiB by default;
   * `files`: how many recordings there may be in `directory`, those of living processes not counted, 10 by default.
   */
  blackBox?: boolean | { bytes?: number; files?: number };
  /**
   * What is done when the heap comes to its limit: the limit is raised, the heap looked at, a LeakReport written into `directory` by native code,
   * and `oom-risk` emitted. Default: true. See docs/heap-limit.md.
   */
  heapLimit?: boolean | HeapLimitOptions;
  /** Whether the memory of the process's container is followed, and told of with `oom-risk` (docs/postmortem.md; Linux). Default: true. */
  containerWatch?: boolean;
  /**
   * Whether lives recorded in `directory` that ended badly are told of, with `postmortem`, some moments after the start. Default: as `blackBox`, in
   * the main thread.
   */
  postmortem?: boolean;
  /** Whether completed requests are counted by route, so that the route that leaks can be named. Default: true. See docs/routes.md. */
  routes?: boolean;
  /** Told of what nobody listens to. Default: `process.emitWarning` with a code. */
  logger?: Logger;
  /** Where alerts go beside the events. Default: nowhere. See docs/alerts.md. */
  channels?: (AlertChannel | 'event' | 'warning')[];
  /** How long a process that ends by itself waits for channels that have something to send, from 0 to 60 000. Default: 2000. */
  flushMs?: number;
  /** What alerts call the program. Default: `OTEL_SERVICE_NAME`. */
  service?: string;
}

/** What a channel may be told. */
export type AlertEvent =
  | 'leak' | 'threshold' | 'recovered' | 'oom-risk' | 'heap-limit' | 'container-limit' | 'postmortem' | 'listeners' | 'error';

/** Settings of every channel. */
export interface ChannelOptions {
  /** In metrics and warnings. Default: the type and its number. */
  name?: string;
  /** What it is told. Default: all; of a webhook all but `listeners` and `error`. */
  events?: AlertEvent[];
  /** What of names it is told (docs/redaction.md). Default: `names`. */
  redact?: RedactionLevel;
  /** How long an alert of the same fingerprint is not told again. Default: an hour. */
  cooldownMs?: number;
}

/** Settings of a channel that sends over HTTP. */
export interface RemoteChannelOptions extends ChannelOptions {
  /** `http:` or `https:`. Never told in an error or a log. */
  url: string;
  headers?: Record<string, string>;
  /** How long an attempt may take, from 10. Default: 10 000. */
  timeoutMs?: number;
  /** Default: 6. */
  maxAttempts?: number;
  /** The wait before the second attempt, doubled before each further one and shortened at random. Default: 1000. */
  retryMs?: number;
  /** How many alerts may wait; then the oldest is dropped and counted. Default: 16. */
  maxWaiting?: number;
}

/** A place that alerts go to. */
export type AlertChannel =
  | (ChannelOptions & { type: 'event' | 'warning' })
  | (ChannelOptions & { type: 'log'; logger: Logger & { info?(details: object, message: string): void; error?(details: object, message: string): void } })
  | (ChannelOptions & { type: 'file'; path: string; /** The file then becomes `path.1`. Default: 10 MiB. */ maxBytes?: number })
  | (RemoteChannelOptions & { type: 'webhook'; /** Default: `json`. */ format?: 'json' | 'slack' })
  | (RemoteChannelOptions & { type: 'otlp' });

/** What is sent of a culprit. */
export type AlertCulprit = Omit<Culprit, 'holder' | 'retainerPath'> & {
  holder: Pick<Holder, 'constructorName' | 'name' | 'location'> | null;
  retainerPath: Pick<RetainerStep, 'name' | 'edge'>[];
};

/** What channels send, redacted. */
export interface Alert {
  schemaVersion: 1;
  event: AlertEvent;
  severity: 'critical' | 'error' | 'warning' | 'info';
  /** What of names it tells. */
  redaction: RedactionLevel;
  /** ISO 8601. */
  at: string;
  /** The same for the same cause in each process; in this process alone where it is made of names that are not told. */
  fingerprint: string;
  /** A line for a person. */
  message: string;
  service: string | null;
  host: string;
  pid: number;
  threadId: number;
  node: string;
  /** Of `leak`, `heap-limit` and `container-limit`. */
  leak?: Pick<LeakReport, 'reportedAt' | 'heapLimit' | 'containerLimit' | 'routes' | 'pauseMs'> & {
    verdict: Omit<Verdict, 'evidence'>;
    /** Three at most. */
    culprits: AlertCulprit[];
    evidence: Pick<LeakReport['evidence'], 'mode' | 'rung'>;
  };
  risk?: Omit<HeapRisk, 'report'> | Pick<ContainerRisk, 'kind' | 'reason' | 'at' | 'usedBytes' | 'limitBytes'>;
  /** Of `postmortem`. */
  death?: Pick<PostmortemFinding, 'pid' | 'threadId' | 'node' | 'startedAt' | 'lastSeenAt' | 'endedAt' | 'cause'> & { culprits: AlertCulprit[] };
  threshold?: ThresholdCrossing;
  listeners?: Omit<ListenerGrowth, 'functions' | 'retainerPath' | 'stack'>;
  /** Of a recovery: what is over. */
  from?: 'leak' | 'threshold';
  error?: { code: string | null; name: string };
}

/** The route that the growth of the floor comes from. */
export interface RouteLeak {
  /** Method and pattern: `GET /users/:id`. */
  route: string;
  /** What each request leaves behind. */
  bytesPerRequest: number;
  /** An interval that holds it with 95 % confidence. */
  intervalBytesPerRequest: [number, number];
  /** Its requests over the floors. */
  requests: number;
  /** The part of the floor's growth that this is. */
  share: number;
}

/** What the floors say of the routes. */
export interface RouteNote {
  /** Null where no route alone explains the growth. */
  leak: RouteLeak | null;
  /** Why none is named; null where one is. */
  reason: string | null;
  /** How many floors, or means of some that follow each other, it rests on. */
  floors: number;
}

/** All figures of a monitor's thread. */
export interface MonitorMetrics {
  threadId: number;
  /** The last sample; null before the first. */
  sample: Sample | null;
  verdict: Verdict;
  /** Since the monitor was made, by kind; `step`: incremental marking and weak callbacks. */
  gc: Record<'minor' | 'major' | 'step', { count: number; pauseMs: number }>;
  allocatedBytes: number;
  requests: number;
  routes: { route: string; requests: number }[];
  /** How often each event was told. */
  alerts: Record<'sample' | 'suspect' | AlertEvent, number>;
  listeners: Record<'emitter' | 'target', { targets: number; listeners: number }>;
  /** What keeps the event loop alive, as `process.getActiveResourcesInfo()` calls it. */
  resources: Record<string, number>;
  /** Looks at the heap in this thread, whoever asked for them. */
  captures: { counts: Record<'clone' | 'inline' | 'none', Record<'taken' | 'refused' | 'aborted' | 'failed', number>>; pauseMs: number };
  channels: { channel: string; sent: number; failed: number; dropped: number; retried: number; suppressed: number; waiting: number }[];
  /** What all of this costs: processor time of the sampling thread, of this thread and of clones; memory of the record. */
  own: { samplingCpuMs: number; javascriptMs: number; cloneCpuMs: number; bytes: number };
}

/** What is done at the heap's limit. */
export interface HeapLimitOptions {
  /**
   * By how much the limit is raised, so that the process can be drained, from 1. Default: a tenth of the limit, 16 at least and 256 at most, and
   * no more than a quarter of the memory that the process can still take.
   */
  slackMB?: number;
  /**
   * Whether the snapshot is kept as a file in `directory`, within `maxFiles` and `maxBytes`. Default: false. Without the bridge to V8 this
   * has Node write one: `v8.setHeapSnapshotNearHeapLimit(1)`.
   */
  snapshot?: boolean;
  /** How many times in the life of the thread, from 1 to 100; each raises the limit by the slack. Default: 1. */
  captures?: number;
  /** How long a process that dies waits for a report that a clone is still writing. Default: 20 000; two minutes at least for process 1. */
  waitMs?: number;
}

/** V8's heap limit was reached: the process may end soon. */
export interface HeapRisk {
  kind: 'heap';
  /** `heap-limit-fatal`: V8 has given up without asking, and ends the process when the report is written. */
  reason: 'heap-limit' | 'heap-limit-fatal';
  /** ISO 8601. */
  at: string;
  usedBytes: number;
  limitBytes: number;
  raisedToBytes: number;
  /** Where the LeakReport is, or will be: `heap-limit` tells when. */
  report: string;
}

/** The container is about to be full: the kernel may kill the process. See docs/postmortem.md. */
export interface ContainerRisk {
  kind: 'container';
  /** Nearly full; full within seconds at this pace; full and waiting for memory; an allocation that failed, or a process beside that was killed. */
  reason: 'level' | 'pace' | 'stalled' | 'oom';
  /** ISO 8601. */
  at: string;
  /** What the container holds that the kernel cannot take back. */
  usedBytes: number;
  /** What the kernel can take back: page cache. */
  reclaimableBytes: number;
  limitBytes: number;
}

/** A limit is near. */
export type OomRisk = HeapRisk | ContainerRisk;

/** How certain a claim is: said by the process or the kernel, or following from figures. */
export type Certainty = 'certain' | 'inferred';

/** What a recording says of the end of a life. See docs/postmortem.md and docs/postmortem.schema.json. */
export interface PostmortemFinding {
  schemaVersion: 1;
  /** The recording. */
  file: string;
  pid: number;
  /** 0 is the main thread. */
  threadId: number;
  node: string;
  title: string;
  /** ISO 8601, as all times here. */
  startedAt: string;
  /** The last moment of which anything is known. */
  lastSeenAt: string;
  /** Null where the end was not recorded. */
  endedAt: string | null;
  intervalMs: number;
  cause: {
    kind: 'running' | 'clean-exit' | 'exit' | 'stopped' | 'terminated' | 'heap-limit' | 'container-limit' | 'native-growth' | 'fatal-error'
      | 'uncaught-exception' | 'killed';
    certainty: Certainty;
    /** In words. */
    what: string;
    /** As a shell tells it: 128 and the signal's number for a signal. */
    exitCode: number | null;
    signal: string | null;
  };
  /** What the cause rests on. */
  evidence: { certainty: Certainty; text: string }[];
  /** What grew in the last minutes. */
  growth: { kind: 'none' | 'heap' | 'external' | 'native'; rssBytes: number; heapBytes: number; externalBytes: number; overMs: number };
  last: {
    at: string;
    heapUsedBytes: number;
    heapAgeMs: number;
    heapLimitBytes: number;
    floorBytes: number | null;
    externalBytes: number;
    rssBytes: number;
    containerHeldBytes: number | null;
    containerLimitBytes: number | null;
  } | null;
  verdict: Verdict | null;
  exception: { at: string; origin: 'uncaughtException' | 'unhandledRejection'; text: string } | null;
  /** As the last report of this life has them. */
  culprits: Culprit[];
  culpritsFrom: { file: string | null; reportedAt: string | null; reason: string } | null;
  /** What the last look at the heap found, as it was recorded. */
  summary: unknown;
  events: { at: string; kind: 'verdict' | 'threshold' | 'incident' | 'capture' | 'exception' | 'note'; text: string }[];
  series: { at: string; heapUsed: number; floor: number | null; external: number; rss: number }[];
  damage: { part: string; offset: number; torn: number; lost: number }[];
}

/** The part of a logger that is used; pino, bunyan and `console` have it. */
export interface Logger {
  warn(details: object, message: string): void;
}

/** One reading. Figures that end in `MB` are rounded; the others are bytes. */
export interface Sample {
  /** ISO 8601. */
  timestamp: string;
  heapUsedMB: number;
  heapTotalMB: number;
  externalMB: number;
  rssMB: number;
  heapUsed: number;
  heapTotal: number;
  /** Memory outside the heap that JavaScript objects hold, array buffers included. */
  external: number;
  arrayBuffers: number;
  /** Of the whole process. */
  rss: number;
  /** Where V8 gives up. */
  heapLimit: number;
  /** The control group's limit; null where there is none. */
  containerLimit: number | null;
  /** What the control group uses, page cache included. */
  containerUsed: number | null;
  /** Used heap after the last major collection; null until there was one. */
  postGcFloor: number | null;
  /** Age of the heap's figures: more than some milliseconds where the thread was too busy to answer. */
  heapAgeMs: number;
  /** Collections since the sample before. */
  gc: { minor: number; major: number; pauseMs: number };
  /** Processor time of the process since the sample before, user and system; 0 in the first. */
  cpuMs: number;
  /** Allocated on the V8 heap since the sample before. */
  allocatedBytes: number;
  /** Requests to this thread's HTTP servers since the sample before; HTTP/2 where Node tells of it (22 and later). */
  requests: number;
}

/** What the counters say. */
export interface Verdict {
  status: 'warming-up' | 'healthy' | 'suspect' | 'leak';
  /** `fragmentation`: resident memory that neither V8, nor buffers, nor live allocations of the C library explain (glibc only). */
  kind: 'heap' | 'external' | 'native' | 'fragmentation' | 'none';
  /** Slope of the post-GC floor; 0 unless suspect or leak. */
  growthBytesPerSecond: number;
  /** An interval that holds the slope with 95 % confidence; null unless suspect or leak. */
  growthIntervalBytesPerSecond: [number, number] | null;
  /** Since when it grows at the latest (ISO 8601); null unless suspect or leak. */
  since: string | null;
  /** Until the nearest limit at this rate; null where it does not grow or no limit is known. */
  etaMs: number | null;
  /** Whose limit that is: V8's (`--max-old-space-size`) or the control group's. */
  limit: 'heap' | 'container' | null;
  /** What to do, where objects of the program are not at fault. */
  advice: string | null;
  /** The numbers behind it. */
  evidence: VerdictEvidence;
}

/** The numbers behind a verdict. */
export interface VerdictEvidence {
  /** Points that it rests on. */
  floors: number;
  /** How many of them a collection left as they are; the others had the garbage to be expected taken away. */
  exactFloors: number;
  firstFloorBytes: number;
  lastFloorBytes: number;
  windowMs: number;
  /** Growth over the window, what the load explains taken away. */
  growthBytes: number;
  /** The growth that would have been too small to speak of. */
  minimumEffectBytes: number;
  /** Standard errors from no growth, widened for autocorrelation: rules out chance. */
  standardErrors: number;
  /** The window in four parts: the smallest rise from one to the next, as a share of the mean rise: rules out a step. */
  smallestStepShare: number;
  /** The last of these rises, likewise: rules out growth that is over. */
  lateShare: number;
  /** By how much, in Schwarz's criterion, a line beats saturating growth and a step; null where the points are too few to tell. */
  straightness: number | null;
  /** The end's height above all that was before, as a share of the growth; null where nothing was before. */
  recordShare: number | null;
  /** Growth before the window, as a multiple of the window's; 0 where there is no past. */
  earlierPace: number;
  /** What the load moves this memory by, as a share of the growth. */
  loadShare: number;
  /** What all signs together weigh (docs/detector.md); null for a suspicion, and where the limit was near. */
  weight: number | null;
  /** Whether the limit was so near that less proof was asked. */
  urgent: boolean;
  /** What looks at the heap confirmed that the counters alone had not proven; there only if they did. */
  confirmedBy?: ConfirmedBy;
}

/** What was seen to grow with the floor, by a steady share of it, from each look at the heap to the next. */
export interface ConfirmedBy {
  constructorName: string;
  /** What holds it, from the nearest retainer outwards. */
  holder: string;
  /** Looks at the heap that agree. */
  captures: number;
  /** Its growth over these looks, with what it keeps alive. */
  growthBytesPerSecond: number;
}

/** One retainer on the way from a leaking object out to the GC root. */
export interface RetainerStep {
  /** The retainer's class; `(closure) name` for a function. */
  name: string;
  /** The property, variable or slot by which it holds the step before. */
  edge: string;
  /** Where the function is written, for functions. */
  location: SourceLocation | null;
}

/** How memory is kept. */
export type Pattern =
  | 'listener' | 'closure' | 'collection' | 'timer' | 'promise' | 'buffer' | 'pool' | 'global' | 'string' | 'unknown';

/** What the growth piles up in: the Map, the array, the emitter. */
export interface Holder {
  constructorName: string;
  /** The variable or property by which it is held itself; null where the program gave none. */
  name: string | null;
  /** The event whose listeners they are. */
  event?: string;
  /**
   * Where the variable, the field or the property is declared; where no text tells, the function or class that has it. See docs/known-leaks.md.
   */
  location: SourceLocation | null;
  /** The function or class by which it is reached; there if `location` is a declaration that was found through it. */
  reachedThrough?: SourceLocation;
}

/** One cause of growth. */
export interface Culprit {
  constructorName: string;
  /**
   * Of plain objects (`Object`) what most of them have: the names of their properties, in order, twenty at most; without those that hold a
   * small whole number, which a snapshot of V8's does not tell of. Empty for objects of a class, and where they differ or are dictionaries.
   */
  properties: string[];
  pattern: Pattern;
  countDelta: number;
  sizeDelta: number;
  retainedSizeDelta: number;
  /** What they pile up in; null where they have no owner in common. */
  holder: Holder | null;
  /** From one of the leaking objects outwards. */
  retainerPath: RetainerStep[];
  /**
   * Of listeners and timers the function that is called; else the constructor, if it is the program's; else where the holder is declared, or
   * the nearest function of the program on the path.
   */
  location: SourceLocation | null;
  advice: string;
  /**
   * What the same leak has in another process, release, or version of Node: 16 hexadecimal digits. What it is made of, and what not, is
   * described in docs/known-leaks.md.
   */
  fingerprint: string;
  /** The leak of a published package that it is; null where none is known. Not there where no files were read (`sourceMaps: false`). */
  known?: KnownLeak | null;
  /**
   * In a LeakReport: since when it is known, ISO 8601. The earliest time that one of the fifty newest reports in `directory` has with this
   * fingerprint, or the time of this report.
   */
  firstSeen?: string;
}

/** A leak that a published package is known to have. */
export interface KnownLeak {
  package: string;
  /** The version that is installed; null where only the fingerprint told. */
  version: string | null;
  /** The first version without it; null where there is none. */
  fixedIn: string | null;
  /** The public issue: `owner/repository#number`, or a URL. */
  reference: string;
}

/** What changed in one class; sizes are self sizes in bytes. */
export interface ConstructorDelta {
  constructorName: string;
  addedCount: number;
  removedCount: number;
  countDelta: number;
  addedSize: number;
  removedSize: number;
  sizeDelta: number;
  /** With `shallowSizes: 'devtools'`: where the class is written, where V8 recorded it. */
  location?: SourceLocation;
}

/** A function on a stack. */
export interface AllocationFrame {
  /** Empty where it has none. */
  functionName: string;
  /** Where the function begins: V8 does not keep the line that allocated. Null for V8's own and for what is compiled from text. */
  location: SourceLocation | null;
}

/** A stack whose allocations pile up: from look to look more of them are alive. The innermost function is named. */
export interface AllocationSite extends AllocationFrame {
  /** Innermost first, without Node's own functions, unless there are no others. */
  stack: AllocationFrame[];
  /** Alive at the last look, of what was allocated since sampling began; an estimate. */
  liveBytes: number;
  /** Objects, likewise; a rougher estimate. */
  liveCount: number;
  /** How much more that is than at the first look. */
  growthBytes: number;
  /** At how many looks, each after another major collection, some of it was alive. */
  looks: number;
}

/** What is told of a leak. */
export interface LeakReport {
  schemaVersion: 1;
  /** `verdict`: a leak was proven. `heap-limit`, `container-limit`: a limit was near, whatever the verdict was. */
  reason: 'verdict' | 'heap-limit' | 'container-limit';
  /** ISO 8601. */
  reportedAt: string;
  pid: number;
  threadId: number;
  /** `process.version`. */
  node: string;
  /** The machine's name, of a container its own. */
  host?: string;
  verdict: Verdict;
  /** There if `reason` is `heap-limit`. */
  heapLimit?: { usedBytes: number; limitBytes: number; raisedToBytes: number };
  /** There if `reason` is `container-limit`. */
  containerLimit?: { usedBytes: number; limitBytes: number };
  /** Largest first, but for what a second look decided (`evidence.confirmation`); empty where no graph could be taken. */
  culprits: Culprit[];
  /** Classes that grew most, twenty at most. */
  constructors: ConstructorDelta[];
  /** Constructors with more objects than at the baseline, most growth first; there if `evidence.rung` is `census`. */
  census?: { constructorName: string; count: number; countDelta: number }[];
  /** Which route's requests leave the growth behind; there if requests of routes were counted. */
  routes?: RouteNote;
  /** Largest steady growth first, ten at most; empty unless `allocationSites` is set. */
  allocationSites: AllocationSite[];
  /** Snapshots and profiles that were kept. */
  files: string[];
  /** How long the evidence stopped this thread. */
  pauseMs: number;
  evidence: {
    /** Where it was looked at: in a clone of the process, or in the process itself. */
    mode: 'clone' | 'inline' | 'none';
    /** What was looked at: a snapshot or, where there was no memory for one, the number of objects by constructor. */
    rung: 'snapshot' | 'census' | 'none';
    /** Why there is none, or why it is not what it could be. */
    reason: string | null;
    baselineAt: string | null;
    /**
     * How the baseline's objects were matched with those of the evidence. `id`: by V8's object ids. `path`: by constructor and retaining
     * path, where these do not correspond. `constructor`: by counts and sizes alone; only comparisons without culprits are.
     */
    matchedBy: 'id' | 'path' | 'constructor' | null;
    /** Why not by `id`: what became of the object ids. */
    matchedByReason: string | null;
    /** Where heap figures come from. */
    heapSource: 'bridge' | 'node:v8';
    /** Why there are no allocation sites; null where there are. */
    allocationSitesReason: string | null;
    /** When sampling ended, for this leak's suspicion or an earlier one. */
    allocationSitesAt: string | null;
    /** The rungs that were taken for this report, in their order: the counters, the baseline, and up to eight looks. */
    ladder: LadderRung[];
    /** What a second look decided; null where the first left no doubt. */
    confirmation: LeakConfirmation | null;
  };
}

/** A step of the ladder that was taken for a report, with what it cost. See docs/diagnosis.md. */
export interface LadderRung {
  rung: 'counters' | 'census' | 'graph' | 'confirmation';
  /** In a clone of the process, or in the process itself. */
  mode: 'clone' | 'inline';
  /** When it began (ISO 8601). */
  at: string;
  /** How long the thread stood still for it: of a clone the fork, inline all of V8's work, of the counters all samples together. */
  pauseMs: number;
  /** How long it took; of the counters, since they began. */
  durationMs: number;
  /** Processor time of the clone, user and system; null where that is not known. */
  cpuMs: number | null;
  /** The most memory that the clone had to itself; null where that is not known. */
  peakBytes: number | null;
  /** What asked for it. */
  why: string;
}

/** A second look at what the first left in doubt. Culprits that grew again lead; those that stood are behind all others. */
export interface LeakConfirmation {
  /** What the doubt was. */
  why: string;
  /** Why no second look was taken; null where one was. */
  reason: string | null;
  /** When the second look was taken. */
  at: string | null;
  /** How long after the first. */
  afterMs: number | null;
  /** One for each fingerprint, in the order of `culprits`; those that are gone come last. */
  decisions: LeakDecision[];
}

/** What was decided of one culprit. */
export interface LeakDecision {
  fingerprint: string;
  constructorName: string;
  /**
   * `grew`: it went on growing, in proportion. `unclear`: it grows too slowly for the time between the looks to tell. `new`: it was not among
   * the culprits of the first look. `little`: it grew, by less than a tenth of what the floor's rate gives. `stood`: it did not grow, or far
   * less than before. `gone`: it is no longer among the culprits.
   */
  outcome: 'grew' | 'unclear' | 'new' | 'little' | 'stood' | 'gone';
  /** What it retained at the first look, since the baseline. */
  firstBytes: number;
  /** The same at the second look. */
  secondBytes: number;
}

/** A figure above its threshold. */
export interface ThresholdCrossing {
  metric: 'heapUsed' | 'rss';
  valueBytes: number;
  thresholdBytes: number;
}

/** The events of a {@link MemoryMonitor} and what their listeners are given. */
export interface MonitorEvents {
  sample: [sample: Sample];
  /** There may be a leak: looked into, where `evidence` allows it. A healthy process, too, may be suspected about once a day. */
  suspect: [verdict: Verdict];
  leak: [report: LeakReport];
  threshold: [crossing: ThresholdCrossing];
  /** V8's heap limit or the container's is near: the time to stop taking work. A report follows with `heap-limit` or `container-limit`. */
  'oom-risk': [risk: OomRisk];
  /** What the heap held at its limit, and the file that the report is in. */
  'heap-limit': [report: LeakReport, file: string];
  /** What fitted of evidence when the container was nearly full. */
  'container-limit': [report: LeakReport];
  /** A life recorded in `directory` ended as its program did not mean it to. Each is told once, to whoever starts first. */
  postmortem: [finding: PostmortemFinding];
  recovered: [from: { from: 'leak' | 'threshold' }];
  /** Listeners, timers or handles that only ever become more, or Node's own warning that an emitter has many. */
  listeners: [growth: ListenerGrowth];
  error: [error: Error];
  /** What the channel `event` is told. */
  alert: [alert: Alert];
}

/**
 * Watches the memory of this thread's heap and of the process, and says when it leaks.
 *
 * Never keeps the process alive. Where nobody listens to an event other than `sample` and `suspect`, the `logger` is told.
 */
export class MemoryMonitor extends EventEmitter {
  constructor(options?: MonitorOptions);
  /** Starts sampling. Does nothing where it runs already. */
  start(): this;
  /** Stops sampling and takes every hook, thread and handle back. The record stays. */
  stop(): this;
  /** What counts listeners while the monitor runs: `monitor.auditor.watch(bus, 'bus')` has those of `bus` counted, too. */
  readonly auditor: ListenerAuditor;
  /** Takes a sample now, between the clock's ticks, and gives it. */
  sample(): Sample;
  /** The file in which this life is recorded; null where it is not, and while the monitor is stopped. */
  readonly recordingPath: string | null;
  /** The last `maxSamples` samples, oldest first. */
  report(): Sample[];
  /** What the counters say, as of the last sample. */
  verdict(): Verdict;
  /** The newest LeakReport; null where none was made. Its text may hold names that data gave: see `redactReport`. */
  leakReport(): LeakReport | null;
  /** Requests by route, as far as they were counted, and the route that the floor's growth comes from. */
  routes(): RouteNote & { counted: { route: string; requests: number }[] };
  /** All figures at once: what metrics are made of. Some 20 microseconds. */
  metrics(): MonitorMetrics;
  /** Waits until the channels have sent what they hold, for `timeoutMs` (default: `flushMs`) at most; says whether they have. */
  flush(timeoutMs?: number): Promise<boolean>;
  /**
   * All that the detector was fed, oldest first, as lines of JSON: what `heapwarden replay` judges again. As far back as
   * `historyBytes` reaches. The format is described in docs/series.md. A full record of the default size, 3 MB of text, takes this
   * thread some 6 ms.
   */
  exportSeries(options?: { path?: undefined }): string;
  /** The same, as a file that appears whole or not at all, readable by its owner alone; made off this thread. */
  exportSeries(options: { path: string }): Promise<{ path: string; bytes: number }>;
  [Symbol.dispose](): void;

  on<E extends keyof MonitorEvents>(event: E, listener: (...args: MonitorEvents[E]) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once<E extends keyof MonitorEvents>(event: E, listener: (...args: MonitorEvents[E]) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  off<E extends keyof MonitorEvents>(event: E, listener: (...args: MonitorEvents[E]) => void): this;
  off(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** Settings of a snapshot. */
export interface SnapshotOptions {
  /**
   * The file. Default: a name of its own in `directory`. An existing file is replaced when the new one is whole. Compressed, it
   * gets `.gz` or `.zst` at its end unless it has it.
   */
  path?: string;
  /** Where the file goes without `path`. Default: `heapwarden-evidence` in the working directory. */
  directory?: string;
  /**
   * How many snapshots `directory` may hold. Default: 10. When the new one is complete, the oldest of our own names are removed until all
   * are within both limits; never the new one, nor a file that somebody named. Without effect with `path`.
   */
  maxFiles?: number;
  /** How many bytes they may take together. Default: 10 GiB. */
  maxBytes?: number;
  /** Compresses the file as it is written; the pause does not grow by it. Default: false. */
  compress?: false | 'gzip' | 'zstd';
  /**
   * `clone`: in a copy-on-write clone of the process, so that this thread stops for the fork alone. `inline`: here, where the thread stops
   * until V8 is through. Default: `auto`, in a clone where one can be made (Linux) and fits into memory, and inline otherwise.
   */
  mode?: 'auto' | 'clone' | 'inline';
  /** Whether to summarise the snapshot while it is written. Default: true. */
  summary?: boolean;
  /**
   * How much of the heap's contents is told; the rest never reaches the disk. `names`: no values of strings, and of properties and classes
   * the names that the program's text spells. `shape`: none but V8's, JavaScript's and Node's. Default: `full`. See docs/redaction.md.
   */
  redact?: RedactionLevel;
  /**
   * Whether places are led back to their sources, and packages named: files that the places name are read, with their maps and
   * package.json, off this thread, none over 16 MiB and 64 MiB in all. Default: true.
   */
  sourceMaps?: boolean;
  /**
   * Rejects with the signal's reason and leaves no file. While V8 makes the snapshot this thread stands still and cannot abort;
   * it takes effect before and after that.
   */
  signal?: AbortSignal;
}

/** How much of a heap's contents may be told. See docs/redaction.md. */
export type RedactionLevel = 'full' | 'names' | 'shape';

/**
 * A copy of a LeakReport, a verdict or a part of them with what may be told at `level` (default: `names`). A report that was read from a file
 * is judged more strictly: nothing is known of its names then.
 */
export function redactReport<T extends object>(report: T, level?: RedactionLevel): T;

/** All instances of one class, after DevTools' Summary. Sizes are bytes. */
export interface ConstructorSummary {
  /** As DevTools names it: plain objects by their properties, `{id, name}`. Classes of one name in different places are different rows. */
  constructorName: string;
  /** How many there are that take any memory. */
  count: number;
  /** Their own bytes, with the stores that belong to one of them alone. */
  shallowSize: number;
  /** What they keep alive; an instance inside another instance is counted once. */
  retainedSize: number;
  /** Steps from the global objects to the nearest; 100 000 000 and more where only V8 or Node refers to any. */
  distance: number;
  /** Where the class is written, where V8 recorded it. */
  location: SourceLocation | null;
}

/** An object of a snapshot. Sizes are bytes. */
export interface ObjectSummary {
  /** V8's number of the object, as DevTools shows it: `@12345`. */
  id: number;
  constructorName: string;
  shallowSize: number;
  retainedSize: number;
  distance: number;
}

/** Where memory piles up: an object, or a class as a whole. */
export interface Suspect {
  constructorName: string;
  /** Null for a class; 0 where ids were not kept (see `objects`). */
  id: number | null;
  count: number;
  retainedSize: number;
  /** The part of the whole heap, from 0 to 1. */
  share: number;
  /** What it mostly holds. */
  accumulates: { constructorName: string; count: number; retainedSize: number } | null;
  /** From the object outwards to the root. */
  retainerPath: RetainerStep[];
  location: SourceLocation | null;
}

/** Who listens to one event on all emitters, or event targets, of one class. */
export interface ListenerSummary {
  constructorName: string;
  event: string;
  /** How many emitters have listeners to it, how many listeners there are, and how many the emitter with most has. */
  emitters: number;
  count: number;
  most: number;
  /** Where the first of `functions` that is not Node's own is written. */
  location: SourceLocation | null;
  /** The ten functions that are there most often; what `once` wraps, not the wrapper. Listeners that were collected do not count. */
  functions: FunctionCount[];
}

/** The functions that one place in the source has made. */
export interface FunctionCount {
  /** Of an object with `handleEvent` its class; empty where it has none. */
  name: string;
  location: SourceLocation | null;
  count: number;
}

/** The timers of one function. */
export interface TimerSummary {
  /** `Timeout` or `Immediate`. */
  constructorName: string;
  /** The function's name; empty where it has none. */
  callback: string;
  count: number;
  location: SourceLocation | null;
}

/** A Map, Set, array, or plain object with many properties. */
export interface CollectionSummary {
  /** 0 where ids were not kept (see `objects`). */
  id: number;
  constructorName: string;
  /** Of an array, up to the last that is an object; of a Map or Set of plain numbers, how many it has room for. */
  entries: number;
  retainedSize: number;
}

/** What a snapshot contains. */
export interface SnapshotSummary {
  nodeCount: number;
  edgeCount: number;
  totalShallowSize: number;
  /** The class that retains most first. */
  constructors: ConstructorSummary[];
  /** The largest first: objects, then classes. */
  suspects: Suspect[];
  /** The most listeners first. */
  listeners: ListenerSummary[];
  /** The most timers first. */
  timers: TimerSummary[];
  /** `awaited`: not settled, with somebody waiting. */
  promises: { count: number; awaited: number };
  /** The one that retains most first. */
  collections: CollectionSummary[];
  /** The objects that retain most; there if `objects` asked for some. */
  objects?: ObjectSummary[];
  /** Who holds how much, each after its dominator, the root first; there if `territories` asked for some. No byte is in two that stand side by side. */
  territories?: Territory[];
}

/** An object that retains much, or the objects of one class that one of these dominates at first hand. Sizes are bytes. */
export interface Territory {
  /** The place of the dominator in the list; null of the root. */
  parent: number | null;
  constructorName: string;
  /** The variable or property by which the dominator refers to it; empty where it has none, or does so over other objects. */
  edge: string;
  /** 1, or how many objects of the class these are. */
  count: number;
  shallowSize: number;
  /** What would be freed with them. */
  retainedSize: number;
}

/** A snapshot on disk. */
export interface WrittenSnapshot {
  path: string;
  /** Length of the snapshot's text. */
  bytes: number;
  /** Length of the file: the same, unless it is compressed. */
  fileBytes: number;
  /** Where it was taken. */
  mode: CaptureMode;
  /** Why it was taken inline though `mode` was `auto`, or why one clone was not enough; null where there is nothing to say. */
  reason: string | null;
  /** How long this thread stood still: for the fork alone, if it was taken in a clone. */
  pauseMs: number;
  /** Until the file was complete and analysed. */
  durationMs: number;
  /** Null where `summary` was false, and where the analysis failed. */
  summary: SnapshotSummary | null;
  /** Why the file is there and its summary is not. */
  summaryError?: string;
  /** The older snapshots that had to make way, the oldest first. */
  evicted: string[];
  /** Why one that had to make way is still there. */
  evictionError?: string;
}

/** Settings of a {@link ListenerAuditor}. */
export interface ListenerAuditorOptions {
  /** Time between two counts, from 10 ms to a day. Default: 30 000. */
  intervalMs?: number;
  /** Whether what keeps the event loop alive (timers, sockets, requests) is counted as well. Default: true. */
  resources?: boolean;
  /**
   * `auto` (default): growth is told with file and line and what keeps the emitter, from a clone of the process (Linux); once in ten
   * minutes at most, up to 1 GB of heap, and where memory for it is there. `none`: with the functions' names alone.
   */
  locate?: 'auto' | 'none';
}

/** A count that goes up and stays up. */
export interface ListenerGrowth {
  /** `rising`: the counts prove it. `max-listeners`: Node warned (`MaxListenersExceededWarning`), which may be by design. */
  reason: 'rising' | 'max-listeners';
  kind: 'emitter' | 'target' | 'resource';
  /** As given to `watch`; null for an emitter that is known by Node's warning only. */
  label: string | null;
  /** Of a resource what Node calls it: `Timeout`, `TCPSocketWrap`. */
  constructorName: string;
  /** Null for a resource, and where all events of an emitter together grow. Symbols as `Symbol(name)`. */
  event: string | null;
  count: number;
  /** Growth over the window that proves it; all of them where Node warned. */
  countDelta: number;
  /** Null where Node warned. */
  growthPerHour: number | null;
  /** When that window began (ISO 8601); null where Node warned. */
  since: string | null;
  /** The functions that are there most often. Without a look at the heap by name alone. */
  functions: FunctionCount[];
  /** Where the first of them is written; where Node warned, the line that added the last listener. Null where it is not known. */
  location: SourceLocation | null;
  /** From the emitter outwards to the root; empty without a look at the heap. */
  retainerPath: RetainerStep[];
  /** Where the last listener was added, where Node warned. */
  stack: string | null;
  /** Of how many emitters, of one class and label, the figures are the sum: with many sockets that leak alike there is one event. */
  emitters: number;
}

/** A count, as `audit()` gives it. */
export interface ListenerCount {
  kind: 'emitter' | 'target' | 'resource';
  label: string | null;
  constructorName: string;
  /** Null for a resource. */
  event: string | null;
  count: number;
  /** Since there were eight of them, and when that was; 0 and null where there never were. */
  countDelta: number;
  since: string | null;
}

/** Events of a {@link ListenerAuditor}. */
export interface ListenerAuditorEvents {
  /** Once, and again whenever the count has doubled. */
  growth: [growth: ListenerGrowth];
}

/**
 * Counts the listeners of emitters and event targets on a timer, and says when they only ever become more. `process` is watched from
 * the start. Holds what it watches weakly, never keeps the process alive.
 *
 * While it runs, `process` has one more listener to `warning`, however many auditors there are.
 */
export class ListenerAuditor extends EventEmitter {
  constructor(options?: ListenerAuditorOptions);
  /** Watches an EventEmitter or EventTarget (an AbortSignal is one). Watched already, it gets the new label. */
  watch(target: EventEmitter | EventTarget | AbortSignal, label?: string): this;
  /** Says whether it was watched. */
  unwatch(target: object): boolean;
  /** Counts now, between the timer's ticks, which counts as one of them. The most listeners first. */
  audit(): ListenerCount[];
  /** What is watched, and how many listeners it has in all. Counts as no tick. */
  totals(): Record<'emitter' | 'target', { targets: number; listeners: number }>;
  /** Does nothing where it runs already. */
  start(): this;
  /** Leaves no timer and no listener behind; what is watched stays so. */
  stop(): this;
  [Symbol.dispose](): void;

  on<E extends keyof ListenerAuditorEvents>(event: E, listener: (...args: ListenerAuditorEvents[E]) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once<E extends keyof ListenerAuditorEvents>(event: E, listener: (...args: ListenerAuditorEvents[E]) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  off<E extends keyof ListenerAuditorEvents>(event: E, listener: (...args: ListenerAuditorEvents[E]) => void): this;
  off(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** What the event loop knows of, by kind and owner. */
export interface HandleSummary {
  /** `TCP`, `Pipe`, `FSEvent`, `Process`. */
  constructorName: string;
  /** The class by which the program uses it: `Socket`, `Server`, `FSWatcher`, `ChildProcess`. */
  owner: string;
  /** Open ones, and closed ones that something still holds. */
  count: number;
  /** From the owner of one of them outwards to the root. */
  retainerPath: RetainerStep[];
}

/** A function that waits for promises that are not settled. */
export interface WaiterSummary extends FunctionCount {
  /** At an `await`, or given to `then`, `catch` or `finally`. */
  how: 'await' | 'then';
}

/** What is alive in this thread and waits for something. The most first, each. */
export interface ListenerAudit extends CaptureResult {
  /** `retainerPath`: from the emitter with most listeners outwards to the root. */
  listeners: (ListenerSummary & { retainerPath: RetainerStep[] })[];
  timers: TimerSummary[];
  handles: HandleSummary[];
  promises: SnapshotSummary['promises'];
  waiters: WaiterSummary[];
  /** What keeps the event loop alive, as `process.getActiveResourcesInfo()` calls it. */
  resources: Record<string, number>;
}

/** What changed between two snapshots; of three, what grew in both intervals. */
export interface SnapshotDiff {
  /**
   * `id`: by class and V8's object id; each object that came or went is known. Where ids do not correspond (a clone, another process, an
   * inspector session that was closed in between): `path`, by constructor and retaining path; of the objects of one class that are held in
   * one way it is known how many came or went. Without culprits `constructor`: only counts and sizes of each class are compared.
   */
  matchedBy: 'id' | 'path' | 'constructor';
  /** Why they do not correspond; null where they do. */
  matchedByReason: string | null;
  /** Largest growth first. */
  constructors: ConstructorDelta[];
  culprits: Culprit[];
}

/** Where a capture was taken: in a clone of the process, or in the process itself, whose thread stopped meanwhile. */
export type CaptureMode = 'clone' | 'inline';

/** How a capture was taken. */
export interface CaptureResult {
  mode: CaptureMode;
  /** Why it was taken inline though `mode` was `auto`, or why one clone was not enough; null where there is nothing to say. */
  reason: string | null;
  /** How long this thread stood still: for the fork alone, if it was taken in a clone. */
  pauseMs: number;
  durationMs: number;
}

/**
 * Writes a snapshot of this thread's heap. A name that exists is a whole file, readable by its owner.
 *
 * Rejects with `HEAPWARDEN_ERR_NO_ROOM` where memory is too short even for an inline one, with `HEAPWARDEN_ERR_CLONE` where `mode` is
 * `clone` and three clones gave no result, with `HEAPWARDEN_ERR_BUSY` where one is running and another one waits.
 */
export function writeSnapshot(options?: SnapshotOptions): Promise<WrittenSnapshot>;

/** The summary of this thread's heap; nothing on disk. Rejects as {@link writeSnapshot} does. */
export function captureSummary(options?: Pick<SnapshotOptions, 'mode' | 'signal' | 'sourceMaps' | 'redact'>): Promise<CaptureResult & { summary: SnapshotSummary }>;

/**
 * Who listens to what, on every live emitter and event target of this thread, watched or not, with the place of each function; its
 * timers, handles and promises. A snapshot in a clone of the process where one can be made. Rejects as {@link writeSnapshot} does.
 */
export function auditListeners(options?: Pick<SnapshotOptions, 'mode' | 'signal' | 'redact'>): Promise<ListenerAudit>;

/**
 * How many objects of each constructor are alive in this thread, most first: a quarter of a snapshot's time, and one heap of memory
 * instead of eight. Before Node 20 by way of a snapshot. Rejects as {@link writeSnapshot} does.
 */
export function captureCensus(options?: Pick<SnapshotOptions, 'mode' | 'signal'>): Promise<CaptureResult & {
  constructors: { constructorName: string; count: number }[];
}>;

/**
 * A snapshot to be read: a path (a named pipe too), or a stream or other async iterable of its bytes; plain, gzip or zstd, told
 * by the first bytes. A stream is read only as fast as it is analysed, and destroyed if that ends early.
 */
export type SnapshotSource = string | URL | AsyncIterable<Uint8Array | string>;

/** How far an analysis is. */
export interface AnalysisProgress {
  /** What is being done; comparisons read more than once. */
  stage: 'reading' | 'holding' | 'distances' | 'dominators' | 'retained' | 'classes' | 'paths' | 'writing' | 'done';
  /** Bytes of all inputs taken so far, compressed ones as they are stored. */
  bytes: number;
  /** Bytes of all inputs; null unless all are files. */
  totalBytes: number | null;
}

/** Settings of an analysis, which runs off this thread. */
export interface AnalysisOptions {
  /** Ends the analysis: it rejects with the signal's reason, at once. */
  signal?: AbortSignal;
  /** Told of each change of stage and of progress within it, ten times a second at most, never after the end. What it throws rejects. */
  onProgress?: (progress: AnalysisProgress) => void;
  /**
   * Whether places are led back to their sources, and packages named: files that the places name are read, with their maps and
   * package.json, off this thread, none over 16 MiB and 64 MiB in all. Switch it off for a snapshot of
   * another machine that has other files by the same names. Default: true.
   */
  sourceMaps?: boolean;
}

/**
 * What a snapshot contains. `chunkBytes`: how much the parser is given at a time (256 KiB).
 *
 * Memory follows the graph and not the text: a compressed file can hold a graph a thousand times its size, so that files from
 * strangers want a limit on the process or a `signal`.
 */
export function summarizeSnapshot(
  source: SnapshotSource,
  options?: AnalysisOptions & {
    chunkBytes?: number;
    /** How many of the objects that retain most are listed in `objects`. Default: 0. Above that, ids take 4 bytes a node. */
    objects?: number;
    /** How many of the objects that retain most stand for themselves in `territories`. Default: 0. */
    territories?: number;
    /**
     * `devtools` (default): shallow sizes and classes as DevTools shows them, to the byte. `file`: as they stand in the file, with `Object`
     * one class and the stores of arrays and Maps under `(array)`.
     */
    shallowSizes?: 'devtools' | 'file';
    /** How many threads may work at a time. Default: 1. Two take some more memory and end sooner. */
    threads?: number;
  },
): Promise<SnapshotSummary>;

/** Objects of one class, counted. */
export interface HistogramRow {
  /** The class as it stands in the file; for what has none its kind: `(string)`, `Function`. */
  constructorName: string;
  count: number;
  /** Their own bytes, as they stand in the file. */
  shallowSize: number;
}

/** A snapshot, counted. */
export interface SnapshotHistogram {
  nodeCount: number;
  totalShallowSize: number;
  /** The class that takes most first. */
  constructors: HistogramRow[];
}

/**
 * How many objects of each class there are, and their own bytes.
 *
 * Reads the nodes only, in a few megabytes whatever the size of the snapshot: for a crash, for a container at its limit.
 */
export function histogramSnapshot(source: SnapshotSource, options?: AnalysisOptions & { chunkBytes?: number }): Promise<SnapshotHistogram>;

/** An object, and what keeps it alive. */
export interface RetainingPath {
  /** V8's number of the object, as DevTools shows it: `@12345`. */
  id: number;
  /** `(closure) name` for functions; empty where the snapshot has no object of this id. */
  constructorName: string;
  shallowSize: number;
  /** From the object outwards to the root, the shortest; empty where nothing holds it. */
  retainerPath: RetainerStep[];
  /** The ids of all objects on it up to the root, V8's own among them. */
  pathIds: number[];
  /** Whether the path goes on beyond what is told of it. */
  truncated: boolean;
  location: SourceLocation | null;
}

/** What keeps chosen objects alive: those with these ids, in this order, or the first of a class (10, if nothing is said). */
export function retainingPaths(
  source: SnapshotSource,
  options: AnalysisOptions & { chunkBytes?: number } & (
    { ids: readonly number[]; constructorName?: undefined } | { constructorName: string; limit?: number; ids?: undefined }),
): Promise<RetainingPath[]>;

/** What grew from the first snapshot to the second; of three, what grew in both intervals. Two are held at a time. */
export function diffSnapshots(
  paths: readonly [before: SnapshotSource, after: SnapshotSource] | readonly [first: SnapshotSource, second: SnapshotSource, third: SnapshotSource],
  options?: AnalysisOptions & {
    chunkBytes?: number;
    /**
     * Whether to say what the growth hangs on. Default: true. Without, and with `shallowSizes: 'file'`, only the nodes are read: ten
     * times as fast, in a fifth of a file's size of memory.
     */
    culprits?: boolean;
    /**
     * `file` (default): sizes and classes as they stand in the file. `devtools`: as DevTools' Comparison shows them, to the byte: stores
     * count for the object that owns them, plain objects are told apart by their properties, classes by where they are written.
     */
    shallowSizes?: 'file' | 'devtools';
  },
): Promise<SnapshotDiff>;

/** Settings of a profile of allocations. */
export interface AllocationProfileOptions {
  /** Bytes allocated between two samples, on average, from 1024. Default: 201 608. */
  samplingIntervalBytes?: number;
  /** When it ends by itself, up to an hour. Default: 600 000. */
  maxMs?: number;
}

/** A profile that is being taken. */
export interface AllocationProfile {
  /** Whether it has not ended. */
  readonly isRunning: boolean;
  /** Takes a look now, beside the seven that are taken in `maxMs`: V8 collects the whole heap first. */
  look(): this;
  /** Ends it with a last look, and gives what was found; the same again if it has ended. */
  stop(): AllocationSites;
}

/** What a profile of allocations found. */
export interface AllocationSites {
  /** Largest steady growth first, ten at most. */
  sites: AllocationSite[];
  /** How many looks were taken. */
  looks: number;
  durationMs: number;
  /** How long the looks stopped this thread. */
  pauseMs: number;
  /** `other-profiler`: somebody else stopped V8's sampler, of which there is one. */
  endedBy: 'stop' | 'time' | 'other-profiler';
  /** Why there are no sites; null where there are. */
  reason: string | null;
  /** Writes the last look in full as a `.heapprofile`, which DevTools loads in its Memory panel. Whole or not at all, for its owner alone. */
  writeHeapProfile(path: string): Promise<{ path: string; bytes: number }>;
  /** The same for pprof: `inuse_objects` and `inuse_space`, compressed with gzip. */
  writePprof(path: string): Promise<{ path: string; bytes: number }>;
}

/**
 * Samples where this thread allocates what survives. Never keeps the process alive.
 *
 * Throws `HEAPWARDEN_ERR_BUSY` where a sampling heap profiler runs already, which is left alone, and `HEAPWARDEN_ERR_UNSUPPORTED` where
 * Node has no inspector.
 */
export function startAllocationProfile(options?: AllocationProfileOptions): AllocationProfile;

/** A sample in a recording, with what the counters said then. */
export interface RecordedSample extends Sample {
  status: Verdict['status'];
  kind: Verdict['kind'];
}

/** A limit that came near. */
export interface RecordedIncident {
  kind: 'heap-limit' | 'container-limit';
  phase: 'began' | 'captured' | 'over';
  usedBytes: number;
  limitBytes: number;
  /** V8's limit as it was raised meanwhile; 0 where it was not. */
  raisedToBytes: number;
  reason: string;
}

/** Something that happened between two samples. `at`: ISO 8601. */
export type RecordedEvent = { at: string } & (
  | { type: 'major-gc'; usedBytes: number; externalBytes: number }
  | { type: 'pause'; kind: 'minor' | 'major' | 'step'; pauseMs: number }
  | {
    type: 'verdict'; status: Verdict['status']; kind: Verdict['kind'];
    growthBytesPerSecond: number; etaMs: number | null; limit: Verdict['limit'];
  }
  | { type: 'threshold'; metric: 'heapUsed' | 'rss'; valueBytes: number; thresholdBytes: number }
  | { type: 'recovered'; from: 'leak' | 'threshold' }
  | { type: 'capture'; what: string; pauseMs: number; durationMs: number }
  | ({ type: 'incident' } & RecordedIncident)
  | { type: 'count'; what: string; count: number; countDelta: number }
  | { type: 'note'; text: string }
  | {
    type: 'container'; heldBytes: number; reclaimableBytes: number; limitBytes: number; max: number; oom: number; oomKill: number; group: string;
  });

/** What a fatal signal left. */
export interface LastWords {
  at: string;
  /** Null for one without a name here. */
  signal: 'SIGABRT' | 'SIGSEGV' | 'SIGBUS' | 'SIGILL' | 'SIGFPE' | 'SIGTRAP' | null;
  number: number;
  /** `si_code`: above 0 where the processor raised it. */
  code: number;
  /** Of the fault, hexadecimal. */
  address: string;
  osThread: number;
  /** The process that sent it; 0 for a fault. */
  sender: number;
  /** How long the death was put off for a report that was being written. */
  waitedMs: number;
}

/** An exception that nobody caught. */
export interface RecordedException {
  at: string;
  origin: 'uncaughtException' | 'unhandledRejection';
  /** Its stack, or what else it says of itself; 3000 characters at most. */
  text: string;
}

/** The mark of a clean end. */
export interface RecordedEnd {
  at: string;
  kind: 'exit' | 'teardown' | 'stopped';
  exitCode: number | null;
}

/** What a recording of a process's life tells, as far as the file is whole. */
export interface Recording {
  header: {
    bytes: number; startedAt: string; pid: number; threadId: number; osThread: number; intervalMs: number;
    heapLimit: number; containerLimit: number | null; bootId: string; node: string; title: string;
  };
  /** Whether the process that writes it lives; null where the file system does not tell. */
  alive: boolean | null;
  /** How the life ended, as far as the process itself recorded it. */
  life: { startedAt: string; lastSeen: string } & (
    | { ended: 'clean'; end: RecordedEnd }
    | { ended: 'uncaught'; exception: RecordedException; end: RecordedEnd | null; words: LastWords | null }
    | { ended: 'heap-limit'; at: string; incident: RecordedIncident; end: RecordedEnd | null; words: LastWords | null }
    | { ended: 'signal'; words: LastWords }
    | { ended: 'container-limit'; at: string; incident: RecordedIncident }
    | { ended: 'unknown' });
  /** Oldest first, without a gap. */
  samples: RecordedSample[];
  /** The newest figures: those of the last tick's beginning, where the process died within it. */
  lastSample: RecordedSample | null;
  verdict: Verdict | null;
  /** Oldest first, without a gap. */
  events: RecordedEvent[];
  words: LastWords | null;
  exception: RecordedException | null;
  end: RecordedEnd | null;
  /** What the last look at the heap found. */
  summary: { at: string; value: unknown } | null;
  /** The last leak report, shortened. */
  report: { at: string; value: unknown } | null;
  /** What is not whole, by part of the file: where reading stopped, what is torn, and how many whole records are older and not told. */
  damage: { part: string; offset: number; torn: number; lost: number }[];
}

/** Reads the recording of a process's life, of whatever is left of it. Throws `HEAPWARDEN_ERR_RECORDING` for what is none. */
export function readRecording(path: string): Recording;
/** How a function is tested for leaks. See docs/leak-tests.md. */
export interface LeakCheckOptions {
  /** Calls that are judged, all rounds together. Default 1000. */
  iterations?: number;
  /** Rounds that they are divided into, from 4 to 100. Default 4. */
  rounds?: number;
  /** Calls before the first round: what a program does once is then done. Default a tenth of `iterations`, and 10 at least. */
  warmup?: number;
  /** Before each round, the warm-up as well. */
  setup?: () => unknown;
  /** After each round, whatever became of it. */
  teardown?: () => unknown;
  /** How long timers and sockets that the calls have left may take to go away, after each round. Default 100. */
  settleMs?: number;
}

/** What a function may leave behind at each call, and how that is tested. One of the two limits at least. */
export interface LeakBudgetOptions extends LeakCheckOptions {
  bytesPerIteration?: number;
  objectsPerIteration?: number;
}

/** A cause of growth that is proportional to calls. Its `countDelta`, `sizeDelta` and `retainedSizeDelta` are those of `rounds`. */
export interface LeakCheckCulprit extends Culprit {
  /** Objects that stay for each call; 0 where only sizes grow, of a text for one. */
  countPerIteration: number;
  /** Bytes that stay for each call, with all that the objects keep alive. */
  bytesPerIteration: number;
  /** What it did in each of the two rounds that were looked at in snapshots. */
  rounds: { calls: number; count: number; bytes: number }[];
}

/** What a leak test found. */
export interface LeakCheck {
  /** Whether anything grew in proportion to the calls, in every round. */
  leaked: boolean;
  /** What did, the one that keeps most first. */
  culprits: LeakCheckCulprit[];
  /**
   * Calls that were judged. More than were asked for where growth was seen only in the last rounds and was looked into in two more, or where a
   * round would have had fewer than 25 calls.
   */
  iterations: number;
  /** Bytes that stay for each call, of all culprits; 0 where nothing leaks. */
  growthBytesPerIteration: number;
  /** Objects that stay for each call, likewise. */
  growthObjectsPerIteration: number;
  /** Constructors with more objects after every round; only where no culprits could be looked for, see `reason`. */
  constructors: { constructorName: string; counts: number[] }[];
  /** What was needed to tell: counts of objects and bytes, or snapshots. */
  rung: 'counts' | 'snapshots';
  /** Why no culprits could be looked for; null where they could. */
  reason: string | null;
  /** What the calls took, and what all of it took. */
  callsMs: number;
  durationMs: number;
  /** All that for a terminal, 100 columns wide at most. */
  message: string;
}

/**
 * Calls `fn` in rounds, collects garbage in between, and tells what grows in proportion to the calls: an object for each call, one in ten, or
 * bytes. What grows once does not count: a cache that fills, a singleton, compiled code. `fn` gets the number of the call; what it returns is
 * awaited.
 *
 * Stops this thread for counts of its objects and, where these are suspicious, for three snapshots. Rejects with what `fn` throws.
 */
export function inspectLeaks(fn: (call: number) => unknown, options?: LeakCheckOptions): Promise<LeakCheck>;

/**
 * Has a request counted under `pattern`, with its method before it: for frameworks whose routes are not known (Express and Fastify are). A
 * pattern (`/users/:id`), never a path: routes past the 64th count as one.
 */
export function nameRoute(request: object, pattern: string): void;

/** Whether something works here. */
export interface Capability {
  available: boolean;
  /** Why not; null where it works. */
  reason: string | null;
  /** What happens instead, where anything does; null where it works. */
  instead: string | null;
}

/** What works in a thread of a process: see {@link capabilities} and docs/capabilities.md. */
export interface Capabilities {
  /** The version of this package. */
  heapwarden: string;
  platform: string;
  arch: string;
  /** The C library that the native part is for; null elsewhere than on Linux. */
  libc: 'glibc' | 'musl' | null;
  /** `process.version`. */
  node: string;
  runtime: { name: 'node' | 'bun' | 'deno' | 'electron'; version: string };
  thread: { threadId: number; isMainThread: boolean };
  /** Whether Node's permission model is on. It does not bind native code. */
  permissionModel: boolean;
  /** Whether the native part could be loaded; nothing works without. */
  native: { available: boolean; reason: string | null };
  features: {
    /** V8's own functions, called without JavaScript. */
    bridge: Capability;
    /** Exact floors from inside the garbage collector. */
    gcHooks: Capability;
    /** Floors at all: without them no leak is ever called. */
    floors: Capability;
    /** Fresh figures while the event loop is blocked. */
    blockedLoop: Capability;
    residentSet: Capability & { source?: 'procfs' | 'node' };
    /** What the C allocator has handed out. */
    nativeHeap: Capability;
    /** Snapshots in the process itself. `shortage`: what memory lacks for one now. */
    inlineSnapshots: Capability & { source?: 'bridge' | 'node'; shortage?: string | null };
    /**
     * Snapshots in a clone of the process. `shortage`: what memory lacks for one now. `lastFailure`: why the last clone of this thread came
     * to nothing (a limit on processes, a seccomp filter), which only a try can tell; null once one came to its end.
     */
    clone: Capability & { shortage?: string | null; lastFailure?: string | null };
    /** Objects counted by constructor at about one heap of memory. */
    census: Capability;
    /** The report at the heap's limit. `outOfMemory`: also where V8 asks nobody. */
    nearHeapLimit: Capability & { outOfMemory?: boolean };
    /** The recording that outlives the process. */
    blackBox: Capability;
    /** Last words in the recording, by handlers of fatal signals. */
    fatalSignals: Capability;
    /** Deaths told of at the next start. */
    postmortem: Capability;
    /** The memory control groups' limit. */
    containerLimit: Capability & { version?: 1 | 2 | null; limitBytes?: number | null };
    /** The watch that tells a container's end before it comes. */
    containerWatch: Capability;
    /** How long the container's processes have waited for memory. */
    pressure: Capability;
    /** `places`: how it finds the lines of listeners; `resources`: whether timers and handles are counted. */
    listenerAuditor: Capability & { places?: 'clone' | 'inline' | 'none'; resources?: boolean };
    /** `collectsAtEachLook`: V8 collects the whole heap at each look. */
    allocationSites: Capability & { collectsAtEachLook?: boolean };
    requestCounts: Capability;
    /** `HEAPWARDEN_SNAPSHOT_SIGNAL`. */
    snapshotSignal: Capability;
    sourceMaps: Capability;
    compression: Capability & { formats?: ('gzip' | 'zstd')[] };
    leakTests: Capability;
  };
}

/**
 * Says what works in this thread of this process and, of what does not, why and what happens instead: the platform, the version of Node,
 * flags, the permission model, the environment and the container are asked at the moment of the call. Cheap, and never throws.
 */
export function capabilities(): Capabilities;

/** Every error of this package. */
export class HeapwardenError extends Error {
  /** `HEAPWARDEN_ERR_<KIND>`. */
  code: string;
  /**
   * For a bad input: the byte at which it went wrong. In the file for `HEAPWARDEN_ERR_COMPRESSION_TRUNCATED` and `_CORRUPT`, in
   * the snapshot's text otherwise.
   */
  offset?: number;
}
