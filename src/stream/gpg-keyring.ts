import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, gpg } from './gpg.ts';
import { inOnePiece } from './in-one-piece.ts';
import { runPipeline } from './pipeline.ts';
import { StageFailed } from './stage-failed.ts';

const homes = new Set<string>();
const opened = new Map<string, Promise<string>>();
const patience = 30_000;

/** Whether this is the folder of a keyring, and not a file of age's. */
export function isKeyring(path: string): boolean {
  return homes.has(path);
}

/** A folder with these public keys, of this process alone, which goes with it. Rejects with the StageFailed of gpg. */
export function openPublicKeys(file: string): Promise<string> {
  return open(file, 'public');
}

/**
 * A folder with these private keys. gpg leaves them to an agent, which is ours, and ends with the folder or with this
 * process, however that ends. Rejects with a StageFailed.
 */
export function openPrivateKeys(file: string): Promise<string> {
  return open(file, 'private');
}

/** The same file is opened once; a Secret that has changed is another. */
async function open(file: string, kind: 'public' | 'private'): Promise<string> {
  const content = await readFile(file);
  const key = `${kind} ${createHash('sha256').update(content).digest('hex')}`;
  const known = opened.get(key) ?? makeHome(content, kind);
  opened.set(key, known);
  known.catch(() => opened.delete(key));
  return known;
}

async function makeHome(keys: Buffer, kind: 'public' | 'private'): Promise<string> {
  // Short: the path of a socket has 107 bytes at most.
  const home = await mkdtemp(join(tmpdir(), 'tidemark-gpg-'));
  try {
    if (kind === 'private') await startAgent(home);
    const input = inOnePiece(keys);
    await runPipeline([gpg(home, ['--import'])], { signal: AbortSignal.timeout(patience), input, stdout: 'ignore' })
      .finished;
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
  if (homes.size === 0) process.once('exit', closeKeyrings);
  homes.add(home);
  return home;
}

/** All of this process, with their agents. */
export function closeKeyrings(): void {
  for (const home of homes) rmSync(home, { recursive: true, force: true });
  homes.clear();
  opened.clear();
}

/**
 * It ends by itself when its folder is removed, or, soon, when the command that it was started with has ended: cat, which
 * lasts as long as this process holds its input. It serves when that runs.
 */
async function startAgent(home: string): Promise<void> {
  const args = ['--homedir', home, '--daemon', '--batch', '--quiet', '--no-options', '--disable-scdaemon', '--', 'cat'];
  const agent = spawn('gpg-agent', args, { stdio: ['pipe', 'pipe', 'pipe'], env: environment() });
  const said: Buffer[] = [];
  agent.stderr.on('data', (piece: Buffer) => said.push(piece));
  agent.stdin.on('error', () => undefined);
  const signal = AbortSignal.timeout(patience);
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (how: string, cause?: unknown) =>
        reject(new StageFailed(how, { command: 'gpg-agent', stderr: Buffer.concat(said).toString(), cause }));
      agent.once('error', (error) => fail(`could not be started (${error.message})`, error));
      agent.once('exit', (code) => fail(`exited with code ${code}`));
      signal.addEventListener('abort', () => fail('did not answer'), { once: true });
      agent.stdout.once('data', () => resolve());
      agent.stdin.write('.');
    });
  } catch (error) {
    agent.kill('SIGKILL');
    throw error;
  }
  // It is no reason for this process to go on.
  agent.unref();
  for (const pipe of [agent.stdin, agent.stdout, agent.stderr]) {
    if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
  }
}
