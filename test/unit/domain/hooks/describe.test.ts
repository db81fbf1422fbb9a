import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeHook, hide, hostOf, secretsOfUrl, tailOf } from '../../../../src/domain/hooks/describe.ts';

const common = { timeoutSeconds: 60, onError: 'Fail' } as const;

describe('what is told of a hook', () => {
  test('is of a URL the host alone', () => {
    const url = 'https://user:hunter2@hc.example.com:8443/ping/0b1c-uuid?token=t0ken#x';
    expect(describeHook({ ...common, http: { url, method: 'POST' } })).toBe('POST to hc.example.com:8443');
    expect(hostOf('https://[bad')).toBe('a URL that cannot be read');
  });

  test('is of a command the program alone', () => {
    const exec = { command: ['psql', '-c', "alter role x password 'secret'"] };
    expect(describeHook({ ...common, exec })).toBe('psql in the pod');
    expect(describeHook({ ...common, exec }, 'orders-db-0')).toBe('psql in pod orders-db-0');
  });
});

describe('what is repeated of an answer', () => {
  test('has nothing of the URL but its host', () => {
    const url = 'https://hooks.example.com/services/T0123456/B0123456/abcdefgh?key=k%20eyed-value';
    const said = 'Cannot POST /services/T0123456/B0123456/abcdefgh, key k eyed-value, at hooks.example.com';
    const told = hide(said, secretsOfUrl(url));
    expect(told).toBe('Cannot POST …, key …, at hooks.example.com');
  });

  test('has none of a URL’s longer pieces, whatever the server makes of them', () => {
    const piece = fc.stringMatching(/^[a-zA-Z0-9]{8,40}$/);
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), piece, (path, token) => {
        const secrets = secretsOfUrl(`https://h.example/${path.join('/')}?t=${token}`);
        const told = hide([...path, token].join(' and '), secrets);
        for (const secret of [...path, token]) expect(told).not.toContain(secret);
      }),
    );
  });

  test('is its end, on one line, without what moves a cursor', () => {
    expect(tailOf('a\n\u001b[31mb\u0000\r\n c  ')).toBe('a [31mb c');
    expect(tailOf(`${'x'.repeat(500)}end`, 10)).toBe('…xxxxxxxend');
  });
});
