import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getWalScript, recoverScript } from '../../../../../src/agent/recover/run/scripts.ts';

const name = '000000010000000000000007';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-scripts-'));
  for (const each of ['want', 'have', 'absent', 'error', 'bin']) await mkdir(join(folder, each));
  await writeFile(join(folder, 'get-wal.sh'), getWalScript());
  await writeFile(join(folder, 'recover.sh'), recoverScript(15));
  await writeFile(join(folder, 'alive'), '1\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = async (script: string, ...args: readonly string[]) => {
  const env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
  try {
    const { stderr } = await promisify(execFile)('sh', [join(folder, script), ...args], { env, timeout: 20_000 });
    return { code: 0, stderr };
  } catch (error) {
    const { code, stderr } = error as { readonly code: number; readonly stderr: string };
    return { code, stderr };
  }
};
const getWal = () => run('get-wal.sh', name, join(folder, 'RECOVERYXLOG'));
const appears = async (path: string) => {
  while (!(await readdir(join(folder, path, '..'))).includes(path.split('/').at(-1) ?? '')) await delay(10);
};

describe('get-wal.sh', () => {
  it('asks, waits, and puts the file where the server wants it', async () => {
    const asked = getWal();
    await appears(`want/${name}`);
    await writeFile(join(folder, 'have', name), 'wal');
    expect(await asked).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, 'RECOVERYXLOG'), 'utf8')).toBe('wal');
    expect(await readdir(join(folder, 'have'))).toEqual([]);
  });

  it('says 1 for what is proven absent, and takes the answer away', async () => {
    await writeFile(join(folder, 'absent', name), '');
    expect(await getWal()).toMatchObject({ code: 1 });
    expect(await readdir(join(folder, 'absent'))).toEqual([]);
  });

  it('says more than 125 and why where the file cannot be had', async () => {
    await writeFile(join(folder, 'error', name), 'the store is away\n');
    expect(await getWal()).toMatchObject({ code: 126, stderr: 'the store is away\n' });
  });

  it('says more than 125 where it cannot ask', async () => {
    await rm(join(folder, 'want'), { recursive: true });
    expect((await getWal()).code).toBeGreaterThan(125);
  });

  it('asks again, as its request may have been taken for the one before it', async () => {
    const asked = getWal();
    await appears(`want/${name}`);
    await rm(join(folder, 'want', name));
    await appears(`want/${name}`);
    await writeFile(join(folder, 'absent', name), '');
    expect(await asked).toMatchObject({ code: 1 });
  });
});

/** As if the minute were over soon. */
const impatient = (script: string) => script.replace(/-gt \d+/, '-gt 3');

describe('without a sign of the agent', () => {
  it('get-wal.sh ends, and not as if the archive had ended', async () => {
    await writeFile(join(folder, 'get-wal.sh'), impatient(getWalScript()));
    expect(await getWal()).toMatchObject({ code: 127 });
  });

  it('recover.sh shuts the server down', async () => {
    await writeFile(join(folder, 'recover.sh'), impatient(recoverScript(15)));
    await writeFile(join(folder, 'arguments'), '');
    await writeFile(
      join(folder, 'server.cjs'),
      "process.on('SIGINT', () => process.exit(0)); setInterval(() => undefined, 1000);",
    );
    await server(`exec "${process.execPath}" "${folder}/server.cjs"`);
    expect(await run('recover.sh')).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, 'exit'), 'utf8')).toBe('0\n');
  });
});

const server = async (lines: string) => {
  const path = join(folder, 'bin', 'postgres');
  const version = '[ "$1" = --version ] && { echo "postgres (PostgreSQL) 15.18 (Debian)"; exit 0; }';
  await writeFile(path, `#!/bin/sh\n${version}\n${lines}\n`);
  await chmod(path, 0o755);
};

describe('recover.sh', () => {
  it('gives the server its arguments as they are, shuts it down, and leaves its exit code', async () => {
    // A shell's background child cannot trap what the shell has it ignore; PostgreSQL can.
    const program = `const [, , , folder] = process.argv; const fs = require('node:fs');
process.on('SIGINT', () => process.exit(0)); setInterval(() => undefined, 1000);
fs.writeFileSync(folder + '/said', process.argv.slice(2).join('\\n') + '\\n');`;
    await writeFile(join(folder, 'server.cjs'), program);
    await server(`exec "${process.execPath}" "${folder}/server.cjs" "$@"`);
    const wild = '-c\nrecovery_target_name=it\'s $(touch /tmp/never) \\ "done"';
    await writeFile(join(folder, 'arguments'), `-D\n${folder}\n${wild}\n`);
    const running = run('recover.sh');
    await appears('said');
    await writeFile(join(folder, 'stop'), '');
    expect(await running).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, 'said'), 'utf8')).toBe(`-D\n${folder}\n${wild}\n`);
    expect(await readFile(join(folder, 'exit'), 'utf8')).toBe('0\n');
  });

  it('says how a server ended by itself, and starts it again where it is told to', async () => {
    await server('echo "FATAL:  $1"; exit 3');
    await writeFile(join(folder, 'arguments'), 'first\n');
    const running = run('recover.sh');
    await appears('ended');
    expect(await readFile(join(folder, 'ended'), 'utf8')).toBe('3\n');
    await rm(join(folder, 'ended'));
    await writeFile(join(folder, 'arguments'), 'second\n');
    await writeFile(join(folder, 'restart'), '');
    await appears('ended');
    await writeFile(join(folder, 'stop'), '');
    expect(await running).toMatchObject({ code: 3 });
    expect(await readFile(join(folder, 'server.log'), 'utf8')).toBe('FATAL:  first\nFATAL:  second\n');
  });

  it('takes no server of another major', async () => {
    await writeFile(join(folder, 'recover.sh'), recoverScript(14));
    await writeFile(join(folder, 'arguments'), '');
    await server('exit 0');
    expect(await run('recover.sh')).toMatchObject({ code: 127 });
    expect(await readFile(join(folder, 'exit'), 'utf8')).toBe('127\n');
    expect(await readFile(join(folder, 'server.log'), 'utf8')).toMatch(/no server of PostgreSQL 14/);
  });

  it('starts nothing where it is to stop already', async () => {
    await server('exit 3');
    await writeFile(join(folder, 'arguments'), '');
    await writeFile(join(folder, 'stop'), '');
    expect(await run('recover.sh')).toMatchObject({ code: 0 });
  });
});
