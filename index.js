'use strict';

// First, so that what is wrong with the installation is said before anything else can be.
require('./lib/load');
const { capabilities } = require('./lib/capabilities');
const { MemoryMonitor } = require('./lib/monitor');
const { ListenerAuditor, auditListeners } = require('./lib/listeners');
const { HeapwardenError } = require('./lib/errors');
const { nameRoute } = require('./lib/routes');
const {
  writeSnapshot, captureSummary, captureCensus, summarizeSnapshot, histogramSnapshot, retainingPaths, diffSnapshots,
} = require('./lib/snapshot');
const { redactReport } = require('./lib/redact');
const { readRecording } = require('./lib/recording');

module.exports.MemoryMonitor = MemoryMonitor;
module.exports.ListenerAuditor = ListenerAuditor;
module.exports.auditListeners = auditListeners;
module.exports.nameRoute = nameRoute;
module.exports.HeapwardenError = HeapwardenError;
module.exports.writeSnapshot = writeSnapshot;
module.exports.captureSummary = captureSummary;
module.exports.captureCensus = captureCensus;
module.exports.summarizeSnapshot = summarizeSnapshot;
module.exports.histogramSnapshot = histogramSnapshot;
module.exports.retainingPaths = retainingPaths;
module.exports.diffSnapshots = diffSnapshots;
module.exports.redactReport = redactReport;
// Not for each program that starts a monitor.
module.exports.startAllocationProfile = (options) => require('./lib/allocation-sites').startAllocationProfile(options);
module.exports.readRecording = readRecording;
module.exports.capabilities = capabilities;
module.exports.inspectLeaks = (fn, options) => require('./lib/testing/inspect').inspectLeaks(fn, options);
