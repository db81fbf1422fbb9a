import type { Command } from 'commander';
import type { Run } from '../options.ts';
export function addReport(_program: Command, _run: Run): void {}
