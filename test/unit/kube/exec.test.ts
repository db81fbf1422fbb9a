import { beforeEach, describe, expect, test } from 'vitest';
import type { ExecClient } from '../../../src/kube/client.ts';
import { ExecLost } from '../../../src/kube/exec.ts';
import { clientOf } from '../../../src/kube/request.ts';
import { ExecServer, exited, success } from '../../support/exec-server.ts';
import { certificateOf } from './tls-server.ts';

let server: ExecServer;
let client: ExecClient;
beforeEach(async () => {
  server = await ExecServer.start();
  client = clientOf({
    url: server.url,
    namespace: 'shop',
    credentials: async () => ({ tls: {}, headers: { authorization: 'Bearer token-of-the-agent' } }),
  });
  return async () => {
    await client.close();
    await server.close();
  };
});

const run = (command: readonly string[] = ['psql', '-c', 'checkpoint'], signal = AbortSignal.timeout(120_000)) =>
  client.exec({ namespace: 'shop', pod: 'orders-db-0', container: 'postgres', command }, signal);

describe('a command in a container', () => {
  test('is asked for as a list, by the account of the client, with no input', async () => {
    await run(['sh', '-c', 'echo "a b" && c', '+&=%']);
    const [asked] = server.asked;
    expect(asked?.url.pathname).toBe('/api/v1/namespaces/shop/pods/orders-db-0/exec');
    expect(asked?.url.searchParams.getAll('command')).toEqual(['sh', '-c', 'echo "a b" && c', '+&=%']);
    expect(Object.fromEntries(asked?.url.searchParams ?? [])).toMatchObject({
      container: 'postgres',
      stdin: 'false',
      stdout: 'true',
      stderr: 'true',
      tty: 'false',
    });
    expect(asked?.headers).toMatchObject({
      authorization: 'Bearer token-of-the-agent',
      'sec-websocket-protocol': 'v4.channel.k8s.io',
    });
  });

  test('that succeeds has exit code 0, and what it said on both channels', async () => {
    server.onExec = (channels) => {
      channels.say(1, '');
      channels.say(1, 'CHECK');
      channels.say(2, 'POINT\n');
      channels.say(3, success);
      channels.close();
    };
    expect(await run()).toEqual({ exitCode: 0, message: '', output: 'CHECKPOINT\n' });
  });

  test('that fails has its exit code', async () => {
    server.onExec = (channels) => {
      channels.say(2, 'no such role');
      channels.say(3, exited(2));
    };
    expect(await run()).toMatchObject({ exitCode: 2, output: 'no such role' });
  });

  test('that could not be begun has none', async () => {
    const message = 'error executing command in container: exec: "psq": executable file not found in $PATH';
    server.onExec = (channels) =>
      channels.say(3, JSON.stringify({ status: 'Failure', reason: 'InternalError', message }));
    expect(await run()).toEqual({ exitCode: undefined, message, output: '' });
  });

  test('says as much as it likes, and the end of it is kept', async () => {
    server.onExec = (channels) => {
      for (let line = 0; line < 2000; line += 1) channels.say(1, `line ${line}\n`.padEnd(100, '.'));
      channels.say(3, exited(1));
    };
    const { output } = await run();
    expect(output.length).toBe(4096);
    expect(output).toContain('line 1999');
    expect(output).not.toContain('line 1900');
  });

  test('whose status comes in pieces is understood', async () => {
    server.onExec = (channels) => {
      const said = exited(7);
      channels.say(3, said.slice(0, 20));
      channels.say(3, said.slice(20));
    };
    expect(await run()).toMatchObject({ exitCode: 7 });
  });

  test.each(['close', 'reset'] as const)('is lost where the connection ends by a %s before it did', async (end) => {
    server.onExec = (channels) => {
      channels.say(1, 'at work');
      channels[end]();
    };
    await expect(run()).rejects.toMatchObject({ name: 'ExecLost', opened: true });
  });

  test.each(['null', '[]', '7', '{"details": {"causes": "x"}}', '{"status": 1}'])(
    'whose status is %s is lost: nobody knows what became of it',
    async (status) => {
      server.onExec = (channels) => {
        channels.say(3, status);
        channels.close();
      };
      await expect(run()).rejects.toThrow(ExecLost);
    },
  );

  test('that is not allowed is refused in the API server’s words, without the command, which may hold a secret', async () => {
    server.refuse = {
      status: 403,
      body: { kind: 'Status', reason: 'Forbidden', message: 'pods "orders-db-0" is forbidden: cannot get pods/exec' },
    };
    const refused = run(['psql', 'password=canary-9hT2vXq7']);
    await expect(refused).rejects.toMatchObject({ name: 'ApiError', status: 403, reason: 'Forbidden' });
    const error = await refused.catch((cause: Error) => cause);
    expect(String((error as Error).message)).toContain('cannot get pods/exec');
    expect(String((error as Error).message)).not.toContain('canary');
  });

  test('of an API server that is not there was not begun', async () => {
    await server.close();
    await expect(run()).rejects.toMatchObject({ name: 'ExecLost', opened: false });
    server = await ExecServer.start();
  });

  test('goes to an API server whose certificate is known, and to no other', async () => {
    const [known, other] = await Promise.all([certificateOf('api'), certificateOf('other')]);
    const secure = await ExecServer.start(known);
    try {
      for (const [ca, fits] of [[known.cert, true] as const, [other.cert, false] as const]) {
        const own = clientOf({
          url: secure.url,
          namespace: 'shop',
          credentials: async () => ({ tls: { ca }, headers: {} }),
        });
        const command = { namespace: 'shop', pod: 'orders-db-0', container: 'postgres', command: ['true'] };
        const ended = own.exec(command, AbortSignal.timeout(120_000));
        if (fits) expect(await ended).toMatchObject({ exitCode: 0 });
        else await expect(ended).rejects.toMatchObject({ name: 'ExecLost', opened: false });
        await own.close();
      }
      expect(secure.asked).toHaveLength(1);
    } finally {
      await secure.close();
    }
  });

  test('is let go when it is not waited for any more', async () => {
    const stop = new AbortController();
    server.onExec = () => stop.abort(new Error('enough'));
    await expect(run(['sleep', '1000'], stop.signal)).rejects.toThrow('enough');
  });
});
