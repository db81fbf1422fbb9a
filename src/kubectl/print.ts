import { stringify } from 'yaml';
import type { Terminal } from './terminal.ts';

export type Format = 'json' | 'yaml';

/** A value whole, for a program. */
export function printAs(terminal: Terminal, format: Format, value: unknown): void {
  terminal.out(format === 'json' ? JSON.stringify(value, undefined, 2) : yaml(value));
}

/** Objects as `kubectl get -o` gives several. */
export function objectList(items: readonly unknown[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}

/** Long lines stay whole, and no value is written as a reference to another. */
export function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
