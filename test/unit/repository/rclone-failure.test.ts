import { expect, test } from 'vitest';
import { RcloneError, rcloneFailure } from '../../../src/repository/rclone-failure.ts';

const call = { what: 'list offsite:b', remote: 'offsite:b', configFrom: 'the Secret store' };

// In the words of rclone and of Go. An object that is not there is an answer; a file of the pod that is not there is none.
test.each([
  [
    'failed to read private key file: open /home/me/.ssh/id_ed25519: no such file or directory',
    500,
    'WrongConfiguration',
  ],
  [
    "couldn't parse known_hosts_file: open /home/me/.ssh/known_hosts: no such file or directory",
    500,
    'WrongConfiguration',
  ],
  ['failed to read private key file: open /root/.ssh/id_rsa: permission denied', 500, 'WrongConfiguration'],
  ["couldn't connect to ssh-agent: SSH agent requested but SSH_AUTH_SOCK not-specified", 500, 'WrongConfiguration'],
  ['error in ListJSON: directory not found', 404, 'NoSuchObject'],
  ['object not found', 404, 'NoSuchObject'],
  ['Move failed: file does not exist', 500, 'NoSuchObject'],
  ["NewFs: couldn't connect SSH: ssh: handshake failed: knownhosts: key is unknown", 500, 'UntrustedHost'],
  ["NewFs: couldn't connect SSH: dial tcp 10.0.0.1:22: connect: connection refused", 500, 'StoreUnreachable'],
  ['Update Create failed: sftp: "Permission denied" (SSH_FX_PERMISSION_DENIED)', 500, 'AccessDenied'],
])('%s', (words, status, reason) => {
  expect(rcloneFailure(new RcloneError(status, words), call)).toMatchObject({ reason });
});
