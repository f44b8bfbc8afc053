// The probe as a module in TypeScript: types are stripped by Node.
import { createRequire } from 'node:module';

type Probe = { probe(heapwarden: object): Promise<void> };
const require = createRequire(import.meta.url);
const { probe }: Probe = require('./probe.js');
await probe(require('../..'));
