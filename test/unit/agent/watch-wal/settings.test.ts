import { describe, expect, test } from 'vitest';
import {
  archiveCommand,
  decideArchiving,
  decideRemoval,
  type FileSetting,
  type ServerSettings,
} from '../../../../src/agent/watch-wal/settings.ts';

const stock = {
  archive_mode: 'off',
  archive_command: '',
  archive_library: '',
  archive_timeout: '0',
  wal_level: 'replica',
  max_wal_senders: '10',
};

interface Setup {
  readonly effective?: Readonly<Record<string, string>>;
  readonly commandLine?: readonly string[];
  readonly automatic?: Readonly<Record<string, string>>;
  readonly file?: Readonly<Record<string, string>>;
  readonly hidden?: boolean;
  readonly mayAlter?: readonly string[];
  readonly major?: number;
}

function server(setup: Setup): ServerSettings {
  const { effective = {}, commandLine = [], automatic = {}, file = {}, hidden = false, major = 17 } = setup;
  const values = { ...stock, ...effective };
  const lines = (from: Readonly<Record<string, string>>, inAuto: boolean): readonly FileSetting[] =>
    Object.entries(from).map(([name, setting]) => ({ name, setting, automatic: inAuto }));
  return {
    effective: new Map(
      Object.entries(values).map(([name, raw]) => [
        name,
        {
          setting: name === 'archive_command' && values.archive_mode === 'off' ? '(disabled)' : raw,
          raw,
          source: commandLine.includes(name) ? 'command line' : 'configuration file',
        },
      ]),
    ),
    files: hidden ? undefined : [...lines(file, false), ...lines(automatic, true)],
    mayAlter: new Set(setup.mayAlter ?? Object.keys(stock)),
    role: 'tidemark',
    major,
  };
}

const written = { archive_command: archiveCommand, archive_timeout: '60', archive_mode: 'on' };
const setAll = [
  `ALTER SYSTEM SET archive_command = 'sh /var/run/tidemark/wal/archive.sh "%p" "%f"'`,
  "ALTER SYSTEM SET archive_timeout = '60'",
  "ALTER SYSTEM SET archive_mode = 'on'",
];

describe('setting archiving up', () => {
  test('a server that does not archive gets the three settings and needs a restart', () => {
    const decision = decideArchiving(server({}), 60);
    expect(decision).toMatchObject({ state: { state: 'RestartNeeded' }, statements: setAll, reload: false });
  });

  test('what is written already is not written again', () => {
    const decision = decideArchiving(server({ automatic: written }), 60);
    expect(decision).toMatchObject({ state: { state: 'RestartNeeded' }, statements: [], reload: false });
  });

  test('in effect, it is Set', () => {
    const decision = decideArchiving(server({ effective: written, automatic: written }), 60);
    expect(decision).toEqual({ state: { state: 'Set' }, statements: [], reload: false });
  });

  test('another archive_timeout is read at once, because the script is there', () => {
    const decision = decideArchiving(server({ effective: written, automatic: written }), 300);
    expect(decision).toEqual({
      state: { state: 'Set' },
      statements: ["ALTER SYSTEM SET archive_timeout = '300'"],
      reload: true,
    });
  });

  test('a minimal wal_level is raised before archive_mode is switched on', () => {
    const { statements } = decideArchiving(server({ effective: { wal_level: 'minimal', max_wal_senders: '0' } }), 60);
    expect(statements).toEqual(["ALTER SYSTEM SET wal_level = 'replica'", ...setAll]);
  });

  test('where archive_mode is on already, it is left alone, and nothing is reloaded before the script is there', () => {
    const decision = decideArchiving(server({ effective: { archive_mode: 'on' }, file: { archive_mode: 'on' } }), 60);
    expect(decision).toMatchObject({
      state: { state: 'RestartNeeded' },
      statements: setAll.slice(0, 2),
      reload: false,
    });
  });

  test('without a look into the files, what is in effect counts', () => {
    expect(decideArchiving(server({ effective: written, hidden: true }), 60)).toMatchObject({
      state: { state: 'Set' },
      statements: [],
    });
    expect(decideArchiving(server({ hidden: true }), 60).statements).toEqual(setAll);
  });

  test('settings that somebody else wrote into the configuration are as good, without any right to change them', () => {
    const decision = decideArchiving(server({ effective: written, file: written, mayAlter: [] }), 60);
    expect(decision).toMatchObject({ state: { state: 'Set' }, statements: [] });
    const pinned = { effective: written, commandLine: Object.keys(written), mayAlter: [] };
    expect(decideArchiving(server(pinned), 60)).toMatchObject({ state: { state: 'Set' }, statements: [] });
  });
});

describe('what is refused', () => {
  test.each([
    ['archive_command', { archive_mode: 'on', archive_command: 'pgbackrest archive-push %p' }],
    ['archive_command', { archive_mode: 'always', archive_command: 'test ! -f /x/%f && cp %p /x/%f' }],
    ['archive_library', { archive_mode: 'on', archive_library: 'basic_archive' }],
  ])('a foreign %s at work', (name, effective) => {
    const decision = decideArchiving(server({ effective }), 60);
    expect(decision).toMatchObject({ state: { state: 'Refused', reason: 'ForeignArchiver' }, statements: [] });
    expect(decision.state.message).toContain(`ALTER SYSTEM RESET ${name}`);
    expect(decision.state.message).toContain('walArchiving.mode: Stream');
  });

  test.each(['', '/bin/true', 'true', ':', '/usr/bin/false', 'exit 0'])(
    '%j keeps nothing and is no archiver',
    (command) => {
      const effective = { archive_mode: 'on', archive_command: command };
      expect(decideArchiving(server({ effective }), 60).state.state).toBe('RestartNeeded');
    },
  );

  test('a foreign command that archive_mode keeps from working is replaced', () => {
    const foreign = { archive_command: 'cp %p /x/%f' };
    expect(decideArchiving(server({ effective: foreign, file: foreign }), 60).statements).toEqual(setAll);
  });

  test.each([
    ['archive_mode', { archive_mode: 'off' }],
    ['wal_level', { wal_level: 'minimal' }],
    ['archive_command', { archive_command: 'cp %p /x/%f' }],
  ])('%s on the command line, with a value that does not do', (name, effective) => {
    const decision = decideArchiving(server({ effective, commandLine: [name] }), 60);
    expect(decision).toMatchObject({ state: { state: 'Refused', reason: 'SettingPinned' }, statements: [] });
    expect(decision.state.message).toContain(name);
  });

  test('a pinned archive_timeout is no hindrance and is left', () => {
    const setup = {
      effective: { ...written, archive_timeout: '10' },
      automatic: written,
      commandLine: ['archive_timeout'],
    };
    expect(decideArchiving(server(setup), 60)).toEqual({ state: { state: 'Set' }, statements: [], reload: false });
  });

  test.each([
    [17, 'GRANT ALTER SYSTEM ON PARAMETER archive_command, archive_timeout, archive_mode TO "tidemark"'],
    [14, 'ALTER ROLE "tidemark" SUPERUSER'],
  ])('a role without the right, on PostgreSQL %d', (major, remedy) => {
    const { state, statements } = decideArchiving(server({ mayAlter: [], major }), 60);
    expect(state).toMatchObject({ state: 'Refused', reason: 'MayNotAlterSystem' });
    expect(state.message).toContain(remedy);
    expect(statements).toEqual([]);
  });

  test('a server that allows no ALTER SYSTEM', () => {
    const { state } = decideArchiving(server({ effective: { allow_alter_system: 'off' } }), 60);
    expect(state).toMatchObject({ state: 'Refused', reason: 'AlterSystemDisabled' });
    expect(state.message).toContain(archiveCommand);
  });

  test('every sentence fits into the status', () => {
    const long = { archive_mode: 'on', archive_command: 'x'.repeat(5000) };
    expect(decideArchiving(server({ effective: long }), 60).state.message?.length).toBeLessThan(1024);
  });
});

describe('taking it back', () => {
  test('what was written is reset, and nothing is reloaded', () => {
    expect(decideRemoval(server({ effective: written, automatic: written }))).toEqual({
      state: { state: 'Removed' },
      statements: [
        'ALTER SYSTEM RESET archive_mode',
        'ALTER SYSTEM RESET archive_command',
        'ALTER SYSTEM RESET archive_timeout',
      ],
      reload: false,
    });
  });

  test('where nothing is ours, nothing is touched', () => {
    const theirs = { archive_mode: 'on', archive_command: 'cp %p /x/%f' };
    for (const setup of [{}, { effective: theirs, automatic: theirs }, { effective: written, file: written }]) {
      expect(decideRemoval(server({ ...setup, mayAlter: [] }))).toEqual({
        state: { state: 'Removed' },
        statements: [],
        reload: false,
      });
    }
  });

  test('an archive_mode that was not written by us stays', () => {
    const automatic = { archive_command: archiveCommand, archive_timeout: '60' };
    const { statements } = decideRemoval(server({ effective: written, file: { archive_mode: 'on' }, automatic }));
    expect(statements).toEqual(['ALTER SYSTEM RESET archive_command', 'ALTER SYSTEM RESET archive_timeout']);
  });

  test.each([
    ['0', true],
    ['10', false],
  ])('wal_level with max_wal_senders %s goes back: %s', (max_wal_senders, back) => {
    const automatic = { ...written, wal_level: 'replica' };
    const { statements } = decideRemoval(server({ effective: { ...written, max_wal_senders }, automatic }));
    expect(statements.includes('ALTER SYSTEM RESET wal_level')).toBe(back);
  });

  test('a role that lost its right says so', () => {
    const { state } = decideRemoval(server({ effective: written, automatic: written, mayAlter: [] }));
    expect(state).toMatchObject({ state: 'Refused', reason: 'MayNotAlterSystem' });
  });

  test('without a look into the files, it is reset where it is in effect', () => {
    expect(decideRemoval(server({ effective: written, hidden: true })).statements).toHaveLength(3);
    expect(decideRemoval(server({ hidden: true, mayAlter: [] })).statements).toEqual([]);
  });
});

describe('summarize_wal, where increments are scheduled', () => {
  const archives = { effective: { ...written, summarize_wal: 'off' }, automatic: written };
  const all = [...Object.keys(stock), 'summarize_wal'];
  const decide = (setup: Setup, wanted = true) => decideArchiving(server({ mayAlter: all, ...setup }), 60, wanted);

  test('is set and read at once, when the server archives', () => {
    expect(decide(archives)).toEqual({
      state: { state: 'Set' },
      statements: ["ALTER SYSTEM SET summarize_wal = 'on'"],
      reload: true,
    });
  });

  test('is left alone where no increment is scheduled, where it is on, and where the server does not know it', () => {
    const nothing = { state: { state: 'Set' }, statements: [], reload: false };
    expect(decide(archives, false)).toEqual(nothing);
    expect(decide({ ...archives, effective: { ...written, summarize_wal: 'on' } })).toEqual(nothing);
    expect(decide({ ...archives, effective: written })).toEqual(nothing);
  });

  test('waits until the server archives: with a minimal wal_level it would not start', () => {
    const effective = { wal_level: 'minimal', max_wal_senders: '0', summarize_wal: 'off' };
    expect(decide({ effective }).statements).toEqual(["ALTER SYSTEM SET wal_level = 'replica'", ...setAll]);
  });

  test('that is written and not read yet is read', () => {
    const automatic = { ...written, summarize_wal: 'on' };
    expect(decide({ ...archives, automatic })).toEqual({ state: { state: 'Set' }, statements: [], reload: true });
  });

  test.each<[string, Setup]>([
    ['the role may not', { mayAlter: Object.keys(stock) }],
    ['the command line says off', { commandLine: ['summarize_wal'] }],
  ])('hinders no archiving where %s, and the command is told', (_, setup) => {
    const { state, statements, reload } = decide({ ...archives, ...setup });
    expect({ statements, reload }).toEqual({ statements: [], reload: false });
    expect(state).toMatchObject({ state: 'Set', reason: 'SummarizeWalOff' });
    expect(state.message).toContain('ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();');
  });

  test('is taken back before everything else, and is in nobody’s way who may not', () => {
    const automatic = { ...written, summarize_wal: 'on' };
    const setup = { effective: automatic, automatic };
    const resets = ['archive_mode', 'archive_command', 'archive_timeout'].map((name) => `ALTER SYSTEM RESET ${name}`);
    const removal = (mayAlter: readonly string[]) => decideRemoval(server({ ...setup, mayAlter })).statements;
    expect(removal(all)).toEqual(['ALTER SYSTEM RESET summarize_wal', ...resets]);
    expect(removal(Object.keys(stock))).toEqual(resets);
  });
});
