import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawTimeline } from '../../../src/domain/timeline/draw.ts';
import { svgTimeline } from '../../../src/domain/timeline/svg.ts';
import { htmlReport } from '../../../src/kubectl/report/html.ts';
import { summarize } from '../../../src/kubectl/report/summarize.ts';
import { htmlTimeline } from '../../../src/kubectl/timeline/html.ts';
import { openBrowser, openPage, overflow, paleTexts } from '../../support/ui/browser.ts';
import { at, now } from '../../support/ui/objects.ts';
import { screenshot } from '../../support/ui/screenshot.ts';
import { world } from '../../support/ui/world.ts';

const timeZone = 'Europe/Amsterdam';
let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-pages-'));
  const { policies, runs, recoveries } = world();
  const [orders] = policies;
  if (orders === undefined) throw new Error('the world has no policy');
  const own = runs.filter(({ spec }) => spec.policyRef.name === 'orders');
  const drawing = drawTimeline(orders, { runs: own, recoveries, now });
  await writeFile(join(folder, 'timeline.html'), htmlTimeline(drawing, timeZone));
  await writeFile(join(folder, 'report.html'), htmlReport(summarize(policies, runs, new Date(at(300)), now), timeZone));
  await writeFile(join(folder, 'timeline.svg'), svgTimeline(drawing, { width: 1000, timeZone }));
  browser = await openBrowser();
}, 600_000);
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

async function visit(file: string) {
  const watched = await openPage(browser);
  await watched.page.setViewport({ width: 1280, height: 800 });
  await watched.page.goto(pathToFileURL(join(folder, file)).href, { waitUntil: 'load' });
  return watched;
}

test.each(['timeline.html', 'report.html'])(
  '%s of kubectl tidemark needs nothing else, and can be read at any width, by day and by night',
  async (file) => {
    const { page, requests, complaints } = await visit(file);
    for (const width of [360, 768, 1280]) {
      await page.setViewport({ width, height: 800 });
      expect([width, await overflow(page)]).toEqual([width, 0]);
      for (const scheme of ['dark', 'light']) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        expect([scheme, await paleTexts(page)]).toEqual([scheme, []]);
      }
      await screenshot(page, `kubectl-${file}-${width}`);
    }
    expect([requests, complaints]).toEqual([[page.url()], []]);
    await page.close();
  },
);

test('timeline.svg opens by itself, without another file', async () => {
  const { page, requests, complaints } = await visit('timeline.svg');
  expect([requests, complaints]).toEqual([[page.url()], []]);
  expect(await page.evaluate('document.querySelectorAll("path").length')).toBeGreaterThan(20);
  await page.close();
});
