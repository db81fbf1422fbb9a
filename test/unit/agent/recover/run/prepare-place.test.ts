import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMarker, writeMarker } from '../../../../../src/agent/recover/run/marker.ts';
import { placeOf } from '../../../../../src/agent/recover/run/place.ts';
import { finishPlace, preparePlace, putBack } from '../../../../../src/agent/recover/run/prepare-place.ts';

const mine = '11112222-0000-4000-8000-000000000001';
let root: string;
let dataDirectory: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-place-'));
  dataDirectory = join(root, 'data');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const fill = async (folder: string, text: string) => {
  await mkdir(join(folder, 'base'), { recursive: true });
  await writeFile(join(folder, 'PG_VERSION'), text);
};
const says = (folder: string) => readFile(join(folder, 'PG_VERSION'), 'utf8');
const inPlace = (isMountPoint: boolean) => placeOf({ dataDirectory, oldDataDirectory: 'before' }, isMountPoint);
const elsewhere = () => placeOf({ dataDirectory }, false);

describe.each([false, true])('in place (a mount point: %s)', (isMountPoint) => {
  const place = () => inPlace(isMountPoint);
  const old = () => join(isMountPoint ? dataDirectory : root, 'before');

  it('keeps what was there, and leaves no marker at its end', async () => {
    await fill(dataDirectory, 'old');
    await preparePlace(place(), mine);
    await fill(dataDirectory, 'new');
    await finishPlace(place(), { keepOld: true });
    expect(await says(old())).toBe('old');
    expect(await says(dataDirectory)).toBe('new');
    await expect(access(place().marker)).rejects.toThrow();
  });

  it('removes what was there at its end, where that is asked for', async () => {
    await fill(dataDirectory, 'old');
    await preparePlace(place(), mine);
    await fill(dataDirectory, 'new');
    await finishPlace(place(), { keepOld: false });
    await expect(access(old())).rejects.toThrow();
    expect((await readdir(dataDirectory)).sort()).toEqual(['PG_VERSION', 'base']);
    expect(await says(dataDirectory)).toBe('new');
  });

  it('puts it back after a failure, and nothing of the new one stays', async () => {
    await fill(dataDirectory, 'old');
    await preparePlace(place(), mine);
    await fill(dataDirectory, 'new');
    await writeFile(join(dataDirectory, 'only-new'), '');
    expect(await putBack(place())).toMatch(/the old one is back in its place/);
    expect((await readdir(dataDirectory)).sort()).toEqual(['PG_VERSION', 'base']);
    expect(await says(dataDirectory)).toBe('old');
    if (!isMountPoint) expect(await readdir(root)).toEqual(['data']);
  });

  it('goes on after a try that was killed while it laid', async () => {
    await fill(dataDirectory, 'old');
    await preparePlace(place(), mine);
    await fill(dataDirectory, 'half');
    await preparePlace(place(), mine);
    expect((await readdir(dataDirectory)).filter((name) => name === 'PG_VERSION')).toEqual([]);
    expect(await says(old())).toBe('old');
  });

  it('goes on after a try that was killed while it set aside', async () => {
    await fill(dataDirectory, 'old');
    await writeMarker(place().marker, { recovery: mine, state: 'SettingAside', old: old() });
    await preparePlace(place(), mine);
    expect(await says(old())).toBe('old');
    expect(await readMarker(place().marker)).toMatchObject({ state: 'Laying' });
  });

  it('goes on after a try that was killed while it put back', async () => {
    await fill(old(), 'old');
    if (!isMountPoint) await rm(dataDirectory, { recursive: true, force: true });
    await writeMarker(place().marker, { recovery: mine, state: 'PuttingBack', old: old() });
    await preparePlace(place(), mine);
    expect(await says(old())).toBe('old');
  });

  it('never removes a directory that may be the only copy', async () => {
    await fill(dataDirectory, 'what is this');
    await writeMarker(place().marker, { recovery: mine, state: 'Laying', old: old() });
    await expect(preparePlace(place(), mine)).rejects.toMatchObject({ reason: 'PlaceUnclear' });
    expect(await says(dataDirectory)).toBe('what is this');
  });

  it('brings back what an earlier recovery left set aside, before its own begins', async () => {
    await fill(dataDirectory, 'old');
    await preparePlace(place(), 'another-recovery');
    await fill(dataDirectory, 'half');
    await preparePlace({ ...place(), old: join(isMountPoint ? dataDirectory : root, 'again') }, mine);
    expect(await says(join(isMountPoint ? dataDirectory : root, 'again'))).toBe('old');
  });

  it('refuses a name that is taken, and touches nothing', async () => {
    await fill(dataDirectory, 'old');
    await fill(old(), 'older');
    await expect(preparePlace(place(), mine)).rejects.toMatchObject({ reason: 'OldDataDirectoryExists' });
    expect([await says(dataDirectory), await says(old())]).toEqual(['old', 'older']);
  });
});

describe('elsewhere', () => {
  it('refuses a directory that holds anything', async () => {
    await fill(dataDirectory, 'of somebody');
    await expect(preparePlace(elsewhere(), mine)).rejects.toMatchObject({ reason: 'DataDirectoryNotEmpty' });
    expect(await putBack(elsewhere())).toBe('Nothing was changed in the data directory.');
    expect(await says(dataDirectory)).toBe('of somebody');
  });

  it('takes what a try of its own left', async () => {
    await preparePlace(elsewhere(), mine);
    await fill(dataDirectory, 'half');
    await preparePlace(elsewhere(), mine);
    expect(await readdir(dataDirectory)).toEqual([]);
  });

  it('refuses what another recovery left', async () => {
    await preparePlace(elsewhere(), 'another-recovery');
    await fill(dataDirectory, 'half');
    await expect(preparePlace(elsewhere(), mine)).rejects.toMatchObject({ reason: 'DataDirectoryNotEmpty' });
  });

  it('removes the new directory after a failure', async () => {
    await preparePlace(elsewhere(), mine);
    await fill(dataDirectory, 'half');
    expect(await putBack(elsewhere())).toBe('What was laid of the new data directory was removed.');
    expect(await readdir(root)).toEqual([]);
  });

  it('says so where the folder cannot be written', async () => {
    const place = placeOf({ dataDirectory: join(root, 'missing', 'data') }, false);
    await expect(preparePlace(place, mine)).rejects.toMatchObject({ reason: 'PlaceNotWritable' });
  });
});
