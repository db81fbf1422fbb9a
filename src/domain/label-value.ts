import { createHash } from 'node:crypto';

/** Kubernetes' bound on a label's value; an object's name may have 253. */
const maxLength = 63;
const digestLength = 10;

/** An object's name as the value of a label: itself, or, where that is too long, its beginning and a digest of the whole. */
export function labelValue(name: string): string {
  if (name.length <= maxLength) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, digestLength);
  return `${name.slice(0, maxLength - digestLength - 1)}-${digest}`;
}
