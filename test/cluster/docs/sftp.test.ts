import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostAddress } from '../../support/cluster/host-address.ts';
import { type Reader, startReader } from '../../support/docs/follow.ts';
import { readPage } from '../../support/docs/page.ts';
import { type SftpServer, startSftpServer } from '../../support/sftp/server.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const page = readPage('docs/repositories.md').blocks;

/** The server listens on this host; the reader has its key, and the pods know of both by the Secret alone. */
describe('the chapter on rclone in docs/repositories.md, followed', () => {
  let scenario: Scenario;
  let server: SftpServer;
  let host: string;
  let reader: Reader & { readonly folder: string };

  beforeAll(async () => {
    scenario = await startScenario('sftp');
    host = await hostAddress();
    server = await startSftpServer(host);
    reader = await startReader(scenario, own, { atHome: true });
    const [, key = ''] = /^key_pem = (.*)$/m.exec(server.config) ?? [];
    await mkdir(join(reader.folder, '.ssh'), { mode: 0o700 });
    await writeFile(join(reader.folder, '.ssh/backup'), key.replaceAll('\\n', '\n'), { mode: 0o600 });
  });
  afterAll(async () => {
    await server?.stop();
    if (reader !== undefined) await rm(reader.folder, { recursive: true, force: true });
  });

  const own = (text: string) =>
    text
      .replace('ssh-keyscan backup.example.com', `ssh-keyscan -p ${server.port} ${host}`)
      .replace('host=backup.example.com user=backup', `host=${host} port=${server.port} user=${userInfo().username}`)
      .replace('office:backups', `office:${server.folder}/backups`);

  test('the Secret that it makes opens the repository that it shows', async () => {
    explainFailure(scenario);
    for (const words of ['rclone config create', 'remote: office:backups/prod']) {
      const block = page.find(({ text }) => text.includes(words));
      if (block === undefined) throw new Error(`docs/repositories.md has no block with ${words}`);
      await reader.follow(block);
    }
    const { status } = await scenario.condition('backuprepository', 'office', { type: 'Ready', status: 'True' }, 120);
    expect(status?.['probe']).toMatchObject({ outcome: 'Succeeded' });
  });
});
