import { archiveTask, startSidecar } from './sidecar.ts';

/** Run as a process of its own, so that it can be killed: the sidecar of the folder that the argument names. */
const [root = ''] = process.argv.slice(2);
startSidecar({ root }, archiveTask());
// A sidecar has no other reason to live than what it waits for.
setInterval(() => undefined, 1000);
