import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const files = globSync('src/**/*.ts').sort();
const sourceOf = (file: string) => readFileSync(file, 'utf8');
/** Without comments: they may name what the code must not do. */
const codeOf = (file: string) => sourceOf(file).replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');

/** Which files start programs, and with what: `spawn` and `execFile` take a program and a list, and no shell reads either. */
const starters = [
  'src/agent/restore/run-tool.ts',
  'src/postgres/tools.ts',
  'src/repository/rclone-process.ts',
  'src/stream/gpg-keyring.ts',
  'src/stream/pipeline.ts',
];

test('programs are started in few places, each with a program and a list of arguments', () => {
  const found = files.filter(
    (file) => /node:child_process/.test(codeOf(file)) && !/^import type [^;]*node:child_process';$/m.test(codeOf(file)),
  );
  expect(found).toEqual(starters);
  for (const file of found) {
    const calls = [...codeOf(file).matchAll(/\b(spawn|execFile|promisify\(execFile\))\(\s*([^,)]+),\s*([^,)]+)/g)];
    expect(calls.length, file).toBeGreaterThan(0);
    for (const [, , program = '', args = ''] of calls) {
      expect(program, file).toMatch(/^('[a-z-]+'|command|stage\.command|path)$/);
      expect(args, file).toMatch(/^(\[|args|stage\.args)/);
    }
  }
});

test('no shell is asked for, and no text is run as a program', () => {
  const forbidden = [
    /\bshell\s*:\s*(true|['"`])/,
    /\bexecSync\b|\bspawnSync\b|\bexecFileSync\b|\bfork\(/,
    // Node's, which hands a text to a shell; one of that name in src/kube runs a list in a pod.
    /\bexec\b[^;]*node:child_process/,
    /(?<![.\w])eval\(|new Function\(|node:vm|\brunInThisContext\b/,
    /import\((?!'\.\/|'\.\.\/)/,
  ];
  const wrong = files.flatMap((file) =>
    forbidden.flatMap((form) => (form.test(codeOf(file)) ? [`${file}: ${form.source}`] : [])),
  );
  expect(wrong).toEqual([]);
});

/**
 * A shell that runs elsewhere: in a pod's container, or as a setting of PostgreSQL's. What its text is made of, and nothing
 * else, may be put into it; a value goes behind it, as an argument.
 */
const shells: Readonly<Record<string, readonly string[]>> = {
  'src/controllers/archiving/build-sidecar.ts': ['mounts.walSpool'],
  'src/controllers/pitr-recovery/build-recovery-job.ts': [],
  'src/controllers/pitr-recovery/plain-server.ts': ['path'],
};

test('a shell of a container runs a constant, and gets values as arguments alone', () => {
  const withShell = files.filter((file) => /'(ba|da|z|k)?sh',\s*'-[a-z]*c'/.test(codeOf(file)));
  expect(withShell).toEqual(Object.keys(shells));
  for (const file of withShell) {
    const code = codeOf(file);
    const scripts = [...code.matchAll(/'sh',\s*'-c',\s*(`[^`]*`|[A-Za-z]+)/g)].map(([, script = '']) => script);
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) {
      const text = script.startsWith('`')
        ? script
        : (new RegExp(`const ${script} = (\`[^\`]*\`)`).exec(code)?.[1] ?? `no constant ${script}`);
      expect(text).toMatch(/^`/);
      const put = [...text.matchAll(/(?<!\\)\$\{([^}]*)\}/g)].map(([, name]) => name);
      expect(
        put.filter((name) => !shells[file]?.includes(name ?? '')),
        file,
      ).toEqual([]);
    }
  }
});

/** Scripts that the agent writes for a server's container, and the two settings that are commands. */
const written: Readonly<Record<string, readonly string[]>> = {
  'src/agent/archive/script.ts': ['mostAhead', 'seconds', 'seconds * 20'],
  'src/agent/recover/run/scripts.ts': ['patience', 'watchAgent', 'major'],
  // For a person's own shell, of constants.
  'src/kubectl/completion-scripts.ts': [],
};

test('a script that is written holds numbers and its own parts', () => {
  const found = files.filter((file) => /`#!\/bin\/sh/.test(sourceOf(file)));
  expect(found).toEqual(Object.keys(written));
  for (const file of found) {
    const put = [...codeOf(file).matchAll(/(?<!\\)\$\{([^}]*)\}/g)].map(([, name = '']) => name);
    const own = new Set([...(written[file] ?? []), 'scriptName']);
    expect(
      put.filter((name) => !own.has(name)),
      file,
    ).toEqual([]);
  }
  expect(codeOf('src/agent/recover/run/scripts.ts')).toMatch(/recoverScript\(major: number\)/);
  expect(codeOf('src/agent/archive/script.ts')).toMatch(/\(seconds: number\)/);
});

test('settings of PostgreSQL that are commands are made of constants', () => {
  const found = files.filter((file) =>
    /(archive_command|restore_command|archive_cleanup_command|recovery_end_command|ssl_passphrase_command)'?,/.test(
      codeOf(file),
    ),
  );
  expect(found).toEqual([
    'src/agent/recover/run/server-arguments.ts',
    'src/agent/recover/run/settings-file.ts',
    // Reads it.
    'src/agent/watch-wal/apply-settings.ts',
    'src/agent/watch-wal/settings.ts',
    // Words of the web page.
    'src/observability/ui/policy-model.ts',
  ]);
  expect(codeOf('src/agent/watch-wal/settings.ts')).toContain(
    ['archiveCommand = `sh $', '{mounts.walSpool}/archive.sh "%p" "%f"`'].join(''),
  );
  const restore =
    /function restoreCommand\(script: string\)[\s\S]*?\n\}/.exec(
      codeOf('src/agent/recover/run/server-arguments.ts'),
    )?.[0] ?? '';
  expect([...restore.matchAll(/\$\{([^}]*)\}/g)].map(([, name]) => name)).toEqual(['script', 'script']);
  expect(codeOf('src/agent/recover/run/server-arguments.ts')).toContain("restoreCommand(join(recovery, 'get-wal.sh'))");
});

test('charts and images give no value to a shell', () => {
  const charts = globSync('charts/**/*.yaml').filter(
    (file) => /\b(sh|bash)\b.*-c|command:/.test(sourceOf(file)) && !file.includes('/crds/'),
  );
  expect(charts.filter((file) => /(-c|\bsh\b)[^\n]*\{\{/.test(sourceOf(file)))).toEqual([]);
  for (const file of globSync('images/**/*.sh')) expect(/\beval\b|\bsh -c\b/.test(sourceOf(file)), file).toBe(false);
  for (const file of globSync('images/{agent,operator}/Containerfile')) {
    expect(sourceOf(file)).toMatch(/^ENTRYPOINT \[/m);
    expect(sourceOf(file)).toMatch(/^USER 65532/m);
  }
});
