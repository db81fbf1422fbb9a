import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BackupPolicy } from '../../../../src/api/kinds.ts';
import { answerOf } from '../../../../src/observability/ui/answer.ts';
import { overviewOf } from '../../../../src/observability/ui/overview-model.ts';
import { headlineOf } from '../../../../src/observability/ui/overview-page.ts';
import { at, condition, now, policy, recovery, restore, run } from '../../../support/ui/objects.ts';
import { type Sight, shelvesOf } from '../../../support/ui/shelves.ts';
import { type World, world } from '../../../support/ui/world.ts';

const ask = (address: string, of: Partial<World> = world(), sight: Sight = {}) => {
  const { status, body } = answerOf(address, shelvesOf(of, sight), now);
  return { status, body, words: wordsOf(body) };
};
const overview = (of: Partial<World>, sight: Sight = {}) => overviewOf(shelvesOf(of, sight), { page: 1 }, now);

/** What a reader of a page reads, without its style. */
function wordsOf(page: string): string {
  return page
    .replaceAll(/<(style|title|desc)>.*?<\/\1>/gs, ' ')
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll(/\s+/g, ' ');
}

describe('the overview', () => {
  test('says first whether all are safe, and lists the worst first', () => {
    const { status, words } = ask('/ui');
    expect(status).toBe(200);
    expect(words).toContain('1 of 12 policies is failing');
    for (const counted of ['1 failing', '1 not known', '1 to look at', '1 suspended', '1 never proven', '7 protected'])
      expect(words).toContain(counted);
    const order = overview(world()).page.items.map(({ namespace, name }) => `${namespace}/${name}`);
    expect(order.slice(0, 7)).toEqual([
      'shop/carts',
      'billing/ledger',
      'billing/invoices',
      'crm/contacts',
      'crm/notes',
      'plain/accounts',
      'plain/audit',
    ]);
  });

  test('has of each policy the reason, the window, the ages, the WAL, the proof and the objectives', () => {
    const { words } = ask('/ui?namespace=shop');
    expect(words).toContain('the disk of carts-db-0 is full');
    expect(words).toContain('2026-11-07 16:15 UTC');
    expect(words).toContain('9 h 54 min ago');
    expect(words).toContain('1.05 MB 3 s');
    expect(words).toContain('objectives met: RTO 41 s, RPO 2 s');
    expect(words).toContain('but for 1 gap in the WAL');
    expect(words).toContain('restored in 41 s');
    expect(words).not.toContain('ledger');
    expect(ask('/ui?namespace=billing').words).toContain('objectives missed: RTO 30 min 10 s, RPO 2 s');
  });

  test('says unknown where nothing is known, and never a zero or an empty cell', () => {
    const bare = { ...policy('bare'), status: undefined } as unknown as BackupPolicy;
    const { words } = ask('/ui', { policies: [bare] });
    expect(words).toContain('Of the one policy it is not known whether it is safe');
    expect(words).toContain('none is known');
    expect(words.match(/not known/g)?.length).toBeGreaterThanOrEqual(4);
    expect(words).not.toMatch(/Protected|1970|NaN|undefined|\b0 s\b/);
  });

  test('without a policy nothing is protected', () => {
    expect(ask('/ui', {}).words).toContain('Nothing is protected: no policy is known');
    expect(ask('/ui?namespace=none').words).toContain('No BackupPolicy is known in this namespace');
  });

  test.each<[string, string]>([
    ['shop', '1 of 2 policies is failing'],
    ['billing', 'Of 1 of 2 policies it is not known whether it is safe'],
    ['crm', '1 of 2 policies is suspended'],
    ['plain', 'All 6 policies are protected'],
  ])('of %s says: %s', (namespace, words) => {
    expect(ask(`/ui?namespace=${namespace}`).words).toContain(words);
  });

  test('believes nothing before the collections are filled, nor when they stand still', () => {
    const unfilled = ask('/ui', world(), { isSynced: false });
    expect(unfilled.status).toBe(503);
    expect(unfilled.words).toContain('Whether you are safe is not known here');
    expect(ask('/ui', {}, { isSynced: false }).words).not.toContain('No BackupPolicy is known');
    const stale = ask('/ui', world(), { staleFor: 125_000 });
    expect(stale.status).toBe(200);
    expect(stale.words).toContain('has not heard from the API server for 2 min 5 s');
    expect(stale.words).toContain('Was protected');
    expect(stale.body).not.toContain('class="verdict sound"');
    expect(ask('/ui/policies/plain/mail', world(), { staleFor: 125_000 }).words).toContain('mail: was protected');
    expect(headlineOf(overview({ policies: [] }, { staleFor: 61_000 })).level).toBe('unknown');
    expect(ask('/ui', world(), { staleFor: 20_000 }).words).toContain('1 of 12 policies is failing');
  });

  test('says which replica it is, and whether that leads', () => {
    expect(ask('/ui').words).toContain('replica tidemark-7c9f-abcde, which leads');
    expect(ask('/ui', world(), { leads: false }).words).toContain('which follows: it watches the same objects');
  });

  test('a policy that cannot be read is unknown, and hides no other', () => {
    const odd = { ...policy('odd'), spec: undefined } as unknown as BackupPolicy;
    const { words } = ask('/ui', { policies: [odd, policy('orders')], runs: [run('orders-daily', 'orders', 10)] });
    expect(words).toContain('This policy cannot be read');
    expect(words).toContain('1 protected');
  });

  test('refreshes itself only where it was asked to', () => {
    expect(ask('/ui').body).not.toContain('http-equiv="refresh"');
    expect(ask('/ui?refresh=on').body).toContain('<meta http-equiv="refresh" content="60">');
  });
});

describe('the page of a policy', () => {
  test('has the findings, the picture, the runs, what was brought back, retention, repositories, conditions', () => {
    const { status, words, body } = ask('/ui/policies/shop/orders');
    expect(status).toBe(200);
    for (const heading of [
      'Restorable window',
      'Backups 119',
      'Restores, recoveries, drills 5',
      'Verification',
      'Retention',
      'Repositories',
      'Conditions',
    ])
      expect(words).toContain(heading);
    expect(body.match(/<svg xmlns/g)).toHaveLength(2);
    expect(words).toContain('WAL is missing from 2026-11-11 10:15:00 +00:00 to 2026-11-12 10:15:00 +00:00 (1 d).');
    expect(words).toContain('Running 42 %');
    expect(words).toContain('593 MB stored 5.22 to 1');
    expect(words).toContain('local-disk: failed put was denied');
    expect(words).toContain('Found bad');
    expect(words).toContain('To 2026-11-17T05:15:00Z as the new instance orders-recovered');
    expect(words).toMatch(/fire-drill-3 Drill Completed .*? 41 s 2 s met/);
    expect(words).toMatch(/before-the-delete Recovery Failed .*? not known not known not measured The volume/);
    expect(words).toMatch(/bring-orders-back Restore/);
    expect(words).toMatch(/orders-verify Verification/);
    // Its object is gone; the policy's status still tells of it.
    expect(words).toMatch(/fire-drill-1 Drill Completed .*? 1 min 35 s 3 s met/);
    expect(words).toMatch(/orders-base-0 Delete in 6 min .*? outside recoveryWindow/);
    expect(words).toContain('1,204');
    expect(words).toContain('Not ready');
  });

  test('shows the newest runs, and the way to the older ones', () => {
    const first = ask('/ui/policies/shop/orders');
    expect(first.words).toContain('backups 1 to 50 of 119 Next backups');
    expect(first.body).toContain('href="/ui/policies/shop/orders?page=2#backups"');
    const last = ask('/ui/policies/shop/orders?page=9');
    expect(last.words).toContain('backups 101 to 119 of 119 Previous backups');
  });

  test('has of a host that nothing was told of nothing but unknowns', () => {
    const bare = { ...policy('bare'), status: undefined } as unknown as BackupPolicy;
    const { words } = ask('/ui/policies/shop/bare', { policies: [bare] });
    expect(words).toContain('bare: not known');
    expect(words).toContain('No backup is known.');
    expect(words).toContain('None is known: nobody has tried.');
    expect(words).toContain('There is none');
    expect(words).not.toMatch(/1970|NaN|undefined/);
  });

  test('of nobody’s is 404, and repeats nothing of what was asked', () => {
    const { status, body } = ask('/ui/policies/shop/%3Cscript%3Ealert');
    expect(status).toBe(404);
    expect(body).not.toMatch(/alert/);
  });

  test('leaves out runs of another policy or namespace, and hooks and questions, which may hold secrets', () => {
    const hooks = { preBackup: [], postBackup: [{ http: { url: 'https://example.com/TOKEN' } }] };
    const spec = {
      hooks,
      verification: { cron: '0 5 * * 6', assertions: [{ database: 'orders', query: 'select HIDDEN', expect: 't' }] },
    };
    const foreign = run('foreign', 'orders', 3, { namespace: 'billing' });
    const { body } = ask('/ui/policies/shop/orders', { policies: [policy('orders', { spec })], runs: [foreign] });
    expect(body).not.toMatch(/TOKEN|HIDDEN|foreign|db-backup/);
  });
});

/** The tags of a page with the names of their attributes, and nothing of what is in them. */
function skeleton(page: string): readonly string[] {
  return (page.match(/<[^<>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""'));
}

describe('whatever a user names, and whatever a server says', () => {
  const nasty = fc.constantFrom(
    '<script>',
    '</title>',
    '"><img src=x onerror=alert(1)>',
    "'",
    '&amp;',
    '`',
    '<!--',
    '\u0000',
    '\u202e',
    '\ud800',
    '</style>',
    '</svg>',
    'javascript:',
  );
  const text = fc
    .array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 5 })
    .map((parts) => `a${parts.join('')}`);

  const hostile = (words: string): Partial<World> => {
    const conditions = [condition('Ready', 'False', words, words), condition(words, 'False', words, words)];
    const named = <Shape extends { readonly metadata: object }>(object: Shape, spec: object): Shape => ({
      ...object,
      metadata: { ...object.metadata, name: words, namespace: words },
      spec,
    });
    const base = policy('x', {
      spec: { source: { host: 'db', credentialsSecretRef: { name: 'x' } }, walArchiving: { mode: 'Stream' } },
    });
    const verification = {
      method: 'Physical',
      name: words,
      scheduledTime: words,
      startTime: words,
      outcome: 'Bad',
      message: words,
      reason: words,
    };
    const status = {
      ...base.status,
      conditions,
      server: { version: words },
      wal: { lastArchivedSegment: words, lagBytes: words },
      drills: [{ name: words, time: at(3), outcome: 'Failed', reason: words }],
      retention: { plan: [{ run: words, action: words, reason: words, repository: words }] },
      verification: { last: [verification] },
    };
    const failed = {
      status: { phase: 'Failed', error: words, repositories: [{ name: words, state: 'Failed', message: words }] },
    };
    const said = { status: { phase: words, error: words } };
    const source = { policyRef: { name: words } };
    const latest = { latest: { policyRef: { name: words }, method: 'Logical' } };
    return {
      policies: [
        {
          ...named(base, { ...base.spec, source: { host: words }, repositoryRefs: [{ name: words }] }),
          status,
        } as unknown as BackupPolicy,
      ],
      runs: [
        named(run('x', 'x', 3, failed), { policyRef: { name: words }, method: 'Physical', type: 'Full', hold: false }),
      ],
      recoveries: [
        named(recovery('x', 'x', 2, said), {
          ...recovery('y', 'x', 2).spec,
          source,
          recoveryTarget: { targetName: words },
        }),
      ],
      restores: [
        named(restore('x', 2, said), { ...restore('y', 2).spec, source: latest, target: { server: { host: words } } }),
      ],
    };
  };
  const pages = (words: string) => {
    const seen = shelvesOf(hostile(words));
    const own = encodeURIComponent(words.toWellFormed());
    return ['/ui', `/ui/policies/${own}/${own}`].map((address) => answerOf(address, seen, now));
  };

  test('is text, never markup', () => {
    const harmless = pages('abc').map(({ body }) => skeleton(body));
    fc.assert(
      fc.property(text, (words) => {
        fc.pre(words.isWellFormed());
        const made = pages(words);
        expect(made.map(({ status }) => status)).toEqual([200, 200]);
        expect(made.map(({ body }) => skeleton(body))).toEqual(harmless);
      }),
      { numRuns: 60 },
    );
  });

  test('names that no address can hold do not break the list', () => {
    const lone = policy('a');
    const policies = [{ ...lone, metadata: { ...lone.metadata, name: 'a\ud800b' } }];
    expect(ask('/ui', { policies }).status).toBe(200);
  });
});

test('2,000 policies and 20,000 runs make pages of bounded size, quickly', () => {
  const many: Partial<World> = {
    policies: Array.from({ length: 2000 }, (_, index) => policy(`orders-${index}`)),
    runs: Array.from({ length: 20_000 }, (_, index) =>
      run(`run-${index}`, index < 12_000 ? 'orders-7' : `orders-${index % 2000}`, 10 + index / 100),
    ),
  };
  const seen = shelvesOf(many);
  answerOf('/ui', seen, now);
  const begun = performance.now();
  const list = answerOf('/ui?page=20', seen, now);
  const between = performance.now();
  const one = answerOf('/ui/policies/shop/orders-7', seen, now);
  const [first, second] = [between - begun, performance.now() - between];
  expect(wordsOf(list.body)).toContain('policies 1,901 to 2,000 of 2,000');
  expect(wordsOf(one.body)).toContain('backups 1 to 50 of 12,00');
  expect(wordsOf(one.body)).toContain('older backups lie before the picture begins');
  expect(list.body.length).toBeLessThan(400_000);
  expect(one.body.length).toBeLessThan(600_000);
  console.info(
    `overview ${first.toFixed(0)} ms, ${list.body.length} bytes; policy ${second.toFixed(0)} ms, ${one.body.length} bytes`,
  );
  expect(first).toBeLessThan(2000);
  expect(second).toBeLessThan(2000);
});
