import type { Hook } from '../../api/hooks.ts';
import { type HookList, named } from '../../domain/hooks/name.ts';
import { mounts as places } from '../../domain/mounts.ts';
import type { HookWork } from '../../domain/task.ts';

interface Source {
  readonly name: string;
  readonly key: string;
  /** The file's name. */
  readonly path: string;
}

/** The Secrets of HTTP hooks: one volume a hook, only the keys that it names, and optional: the agent says what is missing. */
export function hookVolumes(hooks: HookWork | undefined) {
  if (hooks === undefined) return [];
  const lists: readonly HookList[] = ['preBackup', 'postBackup'];
  return lists
    .flatMap((list) => named(hooks, list))
    .flatMap(({ list, index, hook }) => {
      const sources = sourcesOf(hook);
      if (sources.length === 0) return [];
      const projected = sources.map(({ name, key, path }) => ({
        secret: { name, items: [{ key, path }], optional: true },
      }));
      return [
        {
          name: `hook-${list === 'preBackup' ? 'pre' : 'post'}-${index}`,
          path: places.hook(list, index),
          readOnly: true,
          source: { projected: { defaultMode: 0o440, sources: projected } },
        },
      ];
    });
}

function sourcesOf({ http }: Hook): readonly Source[] {
  const { headers = [], caSecretRef } = http ?? {};
  return [
    ...headers.map(({ secretKeyRef }, index) => ({ ...secretKeyRef, path: `header-${index}` })),
    ...(caSecretRef === undefined ? [] : [{ ...caSecretRef, path: 'ca' }]),
  ];
}
