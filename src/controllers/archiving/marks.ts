/** On a policy: something of Tidemark's is set in the server or its pods, and is taken back before the policy goes. */
export const archivingFinalizer = 'tidemark.dev/wal-archiving';
/** On a policy: `true` lets it go without taking anything back. */
export const abandonArchiving = 'tidemark.dev/abandon-archiving';
/** On a pod template: the hash of what Tidemark put into it. */
export const sidecarHash = 'tidemark.dev/wal-sidecar';
/** On a pod template: the policy whose sidecar it is. */
export const sidecarPolicy = 'tidemark.dev/wal-policy';
/** On a watcher's Deployment: what it is there for. */
export const watchMode = 'tidemark.dev/wal-mode';
/** The sidecar's container, its volume, and the start of the names of its other volumes. */
export const sidecarName = 'tidemark-wal';
/** Apart from the operator's other fields, so that an apply of nothing takes back just this. */
export const sidecarFieldManager = 'tidemark-operator-wal';
