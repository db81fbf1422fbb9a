/** The sections of a configuration of rclone, as config/dump gives them. */
export type RcloneSections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * Why a remote must not be used, in a few words; undefined where nothing speaks against it. A configuration can have
 * rclone run a program, or write into the pod's own files or memory: whoever may write the Secret would run what he likes
 * beside the other Secrets of the pod, and a backup would be lost with it. What a remote stands on is looked at as well.
 */
export function whyRefused(sections: RcloneSections, name: string, seen: readonly string[] = []): string | undefined {
  const section = Object.hasOwn(sections, name) ? sections[name] : undefined;
  // rclone says by itself what it does not find.
  if (section === undefined || seen.includes(name)) return undefined;
  const options = Object.entries(section).map(([key, value]) => [key.toLowerCase(), textOf(value)] as const);
  const type = options.find(([key]) => key === 'type')?.[1];
  if (type === 'local') return `[${name}] is of the type local: a folder of the pod, which is lost with it`;
  if (type === 'memory') return `[${name}] is of the type memory, which is lost with the pod`;
  const program = options.find(([key, value]) => value !== '' && runsProgram(key));
  if (program !== undefined) return `[${name}] names a program to be run in the agent's pod (${program[0]})`;
  const foreign = options.find(([key]) => key.startsWith('override.') || key.startsWith('global.'));
  if (foreign !== undefined) return `[${name}] sets options of rclone itself (${foreign[0]})`;
  for (const remote of options.flatMap(([key, value]) => standsOn(key, value))) {
    const [, below] = /^([\p{L}\p{N}_.+@-][\p{L}\p{N}_.+@ -]*):/u.exec(remote) ?? [];
    if (below === undefined)
      return `[${name}] stands on ${JSON.stringify(remote.slice(0, 60))}, which is no remote of the same configuration`;
    const why = whyRefused(sections, below, [...seen, name]);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** rclone gives texts. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** On the server of an SFTP remote, not here. */
const remoteCommands = /^(server|md5sum|sha1sum|sha256sum|crc32sum|blake3sum|xxh3sum|xxh128sum)_command$/;

function runsProgram(key: string): boolean {
  return key === 'ssh' || (key.endsWith('command') && !remoteCommands.test(key));
}

/** alias, crypt, chunker, compress, hasher, cache: `remote`. union and combine: `upstreams`, several, combine's with a name before `=`. */
function standsOn(key: string, value: string): readonly string[] {
  if (key === 'remote') return [value];
  if (key !== 'upstreams') return [];
  const parts = value.match(/"(?:[^"]|"")*"|\S+/g) ?? [];
  return parts.map((part) => part.replaceAll('"', '').replace(/^[^:=]*=/, ''));
}
