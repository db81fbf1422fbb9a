import { describe, expect, it } from 'vitest';
import { changed, kindOf, manifests } from '../../unit/api/manifests.ts';
import { refusals } from '../../unit/api/refusals.ts';
import { useApiServer } from './api-server.ts';

const server = useApiServer();

describe('the API server takes every documented form, as zod reads it', () => {
  it.each(manifests().map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    '%s',
    async (_, manifest) => {
      const { object, refusal } = await server.admit(manifest);
      expect(refusal).toBeUndefined();
      expect(object?.spec).toEqual(JSON.parse(JSON.stringify(kindOf(manifest.kind).spec.parse(manifest.spec))));
    },
  );
});

describe('the API server refuses at admission, and names the field and the reason', () => {
  it.each(refusals)('$manifest with $path $value', async ({ manifest, path, value, field, message }) => {
    const { refusal } = await server.admit(changed(manifest, path, value));
    expect(refusal).toContain(field === '' ? 'spec' : `spec.${field}`);
    expect(refusal).toContain(message);
  });

  it.each(['Orders', 'a'.repeat(64)])('an object named %s', async (name) => {
    const [manifest] = manifests();
    const { refusal } = await server.admit({ kind: 'BackupPolicy', spec: manifest?.spec, metadata: { name } });
    expect(refusal).toContain('metadata.name');
  });
});
