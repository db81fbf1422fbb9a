import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseParent, type ParentCandidate, type Wanted } from '../../../../src/domain/increment/choose-parent.ts';

const server = { systemIdentifier: '7', timeline: 1, version: '17.13', dataChecksums: true, position: 10_000n };

function backup(backupID: string, hours: number, more: Partial<ParentCandidate> = {}): ParentCandidate {
  return {
    backupID,
    type: 'Full',
    parent: undefined,
    checksum: `sha256:${backupID}`,
    encryptedFor: '',
    systemIdentifier: '7',
    timeline: 1,
    version: '17.13',
    begin: BigInt(hours) * 100n,
    completionTime: new Date(hours * 3_600_000),
    dataChecksums: true,
    isListed: true,
    isWhole: true,
    isDistrusted: false,
    ...more,
  };
}

const on = (parent: ParentCandidate, type: ParentCandidate['type'] = 'Incremental') => ({
  type,
  parent: { backupID: parent.backupID, checksum: parent.checksum },
});

const full = backup('full', 1);
const first = backup('first', 2, on(full));
const second = backup('second', 3, on(first));

function choose(backups: readonly ParentCandidate[], more: Partial<Wanted> = {}) {
  return chooseParent({
    type: 'Incremental',
    server,
    summaries: { enabled: true, available: [{ timeline: 1, start: 0n, end: 9_000n }] },
    repositories: [{ name: 'offsite', backups }],
    ...more,
  });
}

const parentOf = (choice: ReturnType<typeof choose>) =>
  choice.kind === 'Increment' ? choice.chain.map(({ backupID }) => backupID) : choice.reason;

describe('the parent', () => {
  it('of an increment is the newest backup, of whatever type, with all that it stands on', () => {
    expect(parentOf(choose([full, second, first]))).toEqual(['second', 'first', 'full']);
    const differential = backup('differential', 4, on(full, 'Differential'));
    expect(parentOf(choose([full, first, second, differential]))).toEqual(['differential', 'full']);
  });

  it('of a differential is the newest full backup', () => {
    const older = backup('older', 0);
    expect(parentOf(choose([older, full, first, second], { type: 'Differential' }))).toEqual(['full']);
  });

  it('is the one before, where the newest cannot be relied on', () => {
    for (const fault of [{ isWhole: false }, { isDistrusted: true }, { isListed: false }])
      expect(parentOf(choose([full, first, { ...second, ...fault }]))).toEqual(['first', 'full']);
  });

  it('is in every repository, and the same there', () => {
    const other = (backups: readonly ParentCandidate[]) => ({
      repositories: [
        { name: 'offsite', backups: [full, first, second] },
        { name: 'local', backups },
      ],
    });
    expect(parentOf(choose([], other([full, first, second])))).toEqual(['second', 'first', 'full']);
    expect(parentOf(choose([], other([full, first])))).toEqual(['first', 'full']);
    expect(parentOf(choose([], other([full, { ...first, checksum: 'sha256:swapped' }, second])))).toEqual(['full']);
    expect(parentOf(choose([], other([full, { ...first, isWhole: false }, second])))).toEqual(['full']);
    expect(choose([], other([]))).toMatchObject({ reason: 'ParentMissing', message: expect.stringContaining('local') });
  });

  it('has another digest where it is encrypted for others, and is the same by what it holds', () => {
    const sealed = { encryptedFor: 'age age1…', isListed: true };
    const [own, next] = [
      { ...full, ...sealed, checksum: 'sha256:sealed-full' },
      {
        ...first,
        ...sealed,
        checksum: 'sha256:sealed-first',
        parent: { backupID: 'full', checksum: 'sha256:sealed-full' },
      },
    ];
    const repositories = (backups: readonly ParentCandidate[]) => ({
      repositories: [
        { name: 'offsite', backups: [full, first] },
        { name: 'local', backups },
      ],
    });
    expect(parentOf(choose([], repositories([own, next])))).toEqual(['first', 'full']);
    expect(parentOf(choose([], repositories([own, { ...next, begin: 7n }])))).toEqual(['full']);
    expect(parentOf(choose([], repositories([{ ...own, checksum: 'sha256:swapped' }, next])))).toEqual(['full']);
  });
});

describe('a full backup is made, for the reason of the newest', () => {
  it.each<[string, readonly ParentCandidate[], Partial<Wanted>]>([
    ['NoParent', [], {}],
    ['SummarizeWalOff', [full], { summaries: { enabled: false, available: [] } }],
    ['TimelineSwitched', [full, first], { server: { ...server, timeline: 2 } }],
    ['VersionChanged', [full, first], { server: { ...server, version: '17.14' } }],
    ['ChecksumsChanged', [full], { server: { ...server, dataChecksums: false } }],
    ['OtherServer', [full], { server: { ...server, systemIdentifier: '8' } }],
    ['ServerBehind', [full], { server: { ...server, position: 99n } }],
    ['ParentUnreadable', [{ ...full, isListed: false }], {}],
    ['ParentDamaged', [{ ...full, isWhole: false }, first], {}],
    ['ParentFailedVerification', [{ ...full, isDistrusted: true }, first], {}],
    ['ParentMissing', [first], {}],
    ['SummariesGone', [full], { summaries: { enabled: true, available: [{ timeline: 1, start: 150n, end: 300n }] } }],
  ])('%s', (reason, backups, more) => {
    const choice = choose(backups, more);
    expect(parentOf(choice)).toBe(reason);
    expect(choice).toMatchObject({ message: expect.stringMatching(/^[A-Z].*\.$/) });
  });

  it('of parents that stand on one another', () => {
    const one = backup('one', 1, { type: 'Incremental', parent: { backupID: 'two', checksum: 'sha256:two' } });
    const two = backup('two', 2, on(one));
    expect(parentOf(choose([one, two]))).toBe('ParentMissing');
  });
});

describe('whatever there is', () => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const candidate = fc.record({
    hours: fc.integer({ min: 1, max: 50 }),
    type: fc.constantFrom('Full' as const, 'Incremental' as const, 'Differential' as const),
    parentAt: fc.integer({ min: 0, max: 4 }),
    swapped: fc.boolean(),
    timeline: fc.constantFrom(1, 1, 1, 2),
    version: fc.constantFrom('17.13', '17.13', '17.14'),
    isWhole: fc.constantFrom(true, true, false),
    isListed: fc.constantFrom(true, true, false),
    isDistrusted: fc.constantFrom(false, false, true),
  });

  it('what is chosen is a whole chain of this server and version in every repository, and the newest such', () => {
    fc.assert(
      fc.property(
        fc.array(candidate, { maxLength: 5 }),
        fc.subarray(ids),
        fc.boolean(),
        (drawn, kept, differential) => {
          const backups = drawn.map(({ hours, type, parentAt, swapped, ...more }, index) => {
            const parent = { backupID: ids[parentAt] ?? '', checksum: `sha256:${swapped ? 'x' : ids[parentAt]}` };
            return backup(ids[index] ?? '', hours, { ...more, type, parent: type === 'Full' ? undefined : parent });
          });
          const there = backups.filter(({ backupID }) => kept.includes(backupID));
          const type = differential ? 'Differential' : 'Incremental';
          const repositories = [
            { name: 'one', backups },
            { name: 'two', backups: there },
          ];
          const choice = choose([], { type, repositories });
          const usable = (each: ParentCandidate, seen: readonly string[] = []): boolean =>
            there.includes(each) &&
            !seen.includes(each.backupID) &&
            each.timeline === 1 &&
            each.version === '17.13' &&
            each.isWhole &&
            !each.isDistrusted &&
            (each.type === 'Full' ||
              there.some(
                (other) =>
                  other.backupID === each.parent?.backupID &&
                  other.checksum === each.parent.checksum &&
                  usable(other, [...seen, each.backupID]),
              ));
          const good = backups.filter(
            (each) => each.isListed && usable(each) && (!differential || each.type === 'Full'),
          );
          const newest = Math.max(...good.map(({ completionTime }) => completionTime.getTime()));
          if (choice.kind === 'Full') expect(good).toEqual([]);
          else {
            expect(good).toContain(choice.parent);
            expect(choice.parent.completionTime.getTime()).toBe(newest);
            expect(choice.chain.at(-1)?.type).toBe('Full');
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
