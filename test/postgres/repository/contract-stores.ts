import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Store } from '../../../src/repository/store.ts';
import { volumeStore } from '../../../src/repository/volume.ts';
import { openAzure, startAzurite } from '../../support/azure/server.ts';
import { openGcs, startGcsServer } from '../../support/gcs/server.ts';
import { openS3 } from '../../support/s3/open.ts';
import { startS3Server } from '../../support/s3/server.ts';
import { openSftp, startSftpServer } from '../../support/sftp/server.ts';

/** One kind of store over a server of its own. */
export interface Kind {
  readonly name: string;
  /** Whether the store itself refuses a second writer. */
  readonly conditionalPut: boolean;
  readonly start: () => Promise<Started>;
}

export interface Started {
  readonly store: Store;
  /** Puts files of one byte there by another way, where the store's own takes a while. */
  readonly seed?: (keys: readonly string[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export const kinds: readonly Kind[] = [
  {
    name: 's3 (versitygw)',
    conditionalPut: true,
    async start() {
      const server = await startS3Server();
      await server.createBucket('backups');
      return { store: openS3({ ...server, bucket: 'backups' }), stop: server.stop };
    },
  },
  {
    name: 'volume',
    conditionalPut: true,
    async start() {
      const mount = await mkdtemp(join(tmpdir(), 'tidemark-volume-'));
      const store = volumeStore({ mount, path: 'pre/fix', claimName: 'disk' });
      return { store, stop: () => rm(mount, { recursive: true, force: true }) };
    },
  },
  {
    name: 'azureBlob (Azurite)',
    conditionalPut: true,
    async start() {
      const server = await startAzurite();
      await server.container('backups').create();
      return { store: openAzure({ ...server, container: 'backups' }), stop: server.stop };
    },
  },
  {
    name: 'googleCloudStorage (fake-gcs-server)',
    conditionalPut: true,
    async start() {
      const server = await startGcsServer();
      await server.createBucket('backups');
      return { store: openGcs({ ...server, bucket: 'backups' }), stop: server.stop };
    },
  },
  {
    name: 'rclone (SFTP, sshd)',
    conditionalPut: false,
    async start() {
      const server = await startSftpServer();
      const root = join(server.folder, 'pre/fix');
      return {
        store: openSftp(server, `offsite:${root}`),
        async seed(keys) {
          await mkdir(dirname(join(root, keys[0] ?? '')), { recursive: true });
          for (const key of keys) await writeFile(join(root, key), 'x');
        },
        stop: server.stop,
      };
    },
  },
];
