/** One refusal a row: the manifest, what is changed in its spec, and what the answer must say and about which field. */
export interface Refusal {
  readonly manifest: string;
  readonly path: string;
  readonly value: unknown;
  readonly field: string;
  readonly message: string;
}

export function refusal(manifest: string, path: string, value: unknown, field: string, message: string): Refusal {
  return { manifest, path, value, field, message };
}
