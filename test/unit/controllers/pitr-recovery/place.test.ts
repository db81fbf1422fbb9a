import { expect, test } from 'vitest';
import { placeLike, placePlainly, placeWithin } from '../../../../src/controllers/pitr-recovery/place.ts';
import { server } from './things.ts';

const at = (mountPath: string, more: object = {}) => {
  const like = server();
  return server({ container: { ...like.container, volumeMounts: [{ name: 'pgdata', mountPath, ...more }] } });
};

test('a copy has its data where the original has it', () => {
  expect(placeLike(server(), '/var/lib/postgresql/data/pgdata')).toEqual({
    dataDirectory: '/var/lib/postgresql/data/pgdata',
    mountPath: '/var/lib/postgresql/data',
    served: { mountPath: '/var/lib/postgresql/data' },
  });
});

test('a data directory that is a mount gets a folder on the new volume, since a volume’s root is not its own', () => {
  const expected = (folder: string) => ({
    dataDirectory: `/data/${folder}`,
    servedDirectory: '/data',
    mountPath: '/data',
    served: { mountPath: '/data', subPath: folder },
  });
  expect(placeLike(at('/data'), '/data')).toEqual(expected('pgdata'));
  expect(placeLike(at('/elsewhere'), '/data')).toEqual(expected('pgdata'));
  // The original's own folder, which its init containers may know by name.
  expect(placeLike(at('/data', { subPath: 'x' }), '/data')).toEqual(expected('x'));
});

test('without a workload, the mount is where an image may declare a volume of its own', () => {
  expect(placePlainly('/var/lib/postgresql/data')).toMatchObject({
    mountPath: '/var/lib/postgresql/data',
    dataDirectory: '/var/lib/postgresql/data/pgdata',
  });
  expect(placePlainly('/var/lib/postgresql/data/pgdata')).toMatchObject({
    mountPath: '/var/lib/postgresql/data',
    dataDirectory: '/var/lib/postgresql/data/pgdata',
  });
  expect(placePlainly('/pgdata')).toMatchObject({ mountPath: '/pgdata', dataDirectory: '/pgdata/pgdata' });
});

test('in place, the workload’s own claim is mounted as the workload mounts it', () => {
  expect(placeWithin(server(), '/var/lib/postgresql/data/pgdata')).toMatchObject({
    claim: 'pgdata-orders-db-0',
    mountPath: '/var/lib/postgresql/data',
    dataDirectory: '/var/lib/postgresql/data/pgdata',
  });
  expect(placeWithin(at('/var/lib/pg/', { subPath: 'db' }), '/var/lib/pg/15')).toMatchObject({
    mountPath: '/var/lib/pg',
    subPath: 'db',
  });
  const claim = { name: 'pgdata', persistentVolumeClaim: { claimName: 'by-hand' } };
  const deployment = server({ kind: 'Deployment', claimTemplates: [], pod: { containers: [], volumes: [claim] } });
  expect(placeWithin(deployment, '/var/lib/postgresql/data')).toMatchObject({ claim: 'by-hand' });
});

test.each([
  ['no volume', server(), '/srv/pg'],
  ['an emptyDir', server(), '/data/pg'],
  ['a path that each pod has for itself', at('/pg', { subPathExpr: '$(POD)' }), '/pg/data'],
])('in place, %s is refused', (_, workload, directory) => {
  expect(placeWithin(workload, directory)).toMatchObject({ reason: 'NoPersistentVolume', mayCome: false });
});
