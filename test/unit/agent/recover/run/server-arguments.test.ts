import { describe, expect, it } from 'vitest';
import { postgresTime, serverArguments, settingFloors } from '../../../../../src/agent/recover/run/server-arguments.ts';
import { recoveryTarget } from '../../../../../src/api/pitr-recovery.ts';

const places = { recovery: '/run/recovery', dataDirectory: '/data/pg', configFile: undefined };
const lines = (target: object, { major = 15, standby = false } = {}) =>
  serverArguments(
    recoveryTarget.parse(target),
    { targetTimeline: 3, major },
    new Map([['max_connections', 200]]),
    places,
    {
      standby,
    },
  );
const targets = (target: object, options?: { readonly standby?: boolean }) =>
  lines(target, options).filter((line) => /^recovery_target(_time|_lsn|_xid|_name|)=./.test(line));

describe('the server’s arguments', () => {
  it.each([
    [{ targetTime: '2026-11-21T10:15:00.1234567Z' }, 'recovery_target_time=2026-11-21 10:15:00.123456+00:00'],
    [{ targetLSN: '0/EC000138' }, 'recovery_target_lsn=0/EC000138'],
    [{ targetXID: '740' }, 'recovery_target_xid=740'],
    [{ targetName: "it's" }, "recovery_target_name=it's"],
    [{ targetImmediate: true }, 'recovery_target=immediate'],
  ])('name the one target of %o', (target, expected) => {
    expect(targets(target)).toEqual([expected]);
  });

  it('name none where replay goes to the end, or the server stays a standby', () => {
    expect(targets({})).toEqual([]);
    expect(targets({ targetLSN: '0/1' }, { standby: true })).toEqual([]);
  });

  it('empty the other targets before the one is set', () => {
    const all = lines({ targetLSN: '0/1' }).filter((line) => /^recovery_target(_time|_lsn|_xid|_name|)=/.test(line));
    expect(all.slice(0, 5).every((line) => line.endsWith('='))).toBe(true);
    expect(all).toHaveLength(6);
  });

  it('say the timeline as a number, and the backup’s own for its end', () => {
    expect(lines({})).toContain('recovery_target_timeline=3');
    expect(lines({ targetImmediate: true })).toContain('recovery_target_timeline=current');
  });

  it('know a library of archiving only where the server does', () => {
    expect(lines({}, { major: 15 })).toContain('archive_library=');
    expect(lines({}, { major: 14 })).not.toContain('archive_library=');
  });

  it('never hold a line break', () => {
    expect(() => lines({ targetName: 'a\nb' })).toThrow();
  });

  it('take the highest of each setting that replay needs, and no other setting', () => {
    const floors = settingFloors([
      { name: 'max_connections', value: '100' },
      { name: 'max_connections', value: '300' },
      { name: 'shared_buffers', value: '16384' },
      { name: 'max_wal_senders', value: 'ten' },
    ]);
    expect([...floors]).toEqual([['max_connections', 300]]);
  });

  it('keep a numeric offset', () => {
    expect(postgresTime('2026-11-21t10:15:00+01:00')).toBe('2026-11-21 10:15:00+01:00');
  });
});
