import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCaches } from '../../../src/controllers/caches.ts';
import type { Manager } from '../../../src/controllers/manager.ts';
import { seenByUi } from '../../../src/controllers/seen-by-ui.ts';
import { systemClock } from '../../../src/kube/clock.ts';
import type { HttpServer } from '../../../src/observability/http.ts';
import { serveUi } from '../../../src/observability/ui/serve-ui.ts';
import { openBrowser, openPage, overflow, paleTexts, type Watched } from '../../support/ui/browser.ts';
import { ListingServer } from '../../support/ui/listing-server.ts';
import { now, policy, run } from '../../support/ui/objects.ts';
import { screenshot } from '../../support/ui/screenshot.ts';
import { world } from '../../support/ui/world.ts';

/** What a page would show if a name were markup: a dialog, a request, a global. */
const attack = `"><img src=/stolen onerror=alert(1)><script>window.hit=1</script>${'x'.repeat(120)}`;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const stop = new AbortController();
let cluster: ListingServer;
let following: Promise<unknown>;
let server: HttpServer;
let browser: Browser;

beforeAll(async () => {
  const { policies, runs, restores, recoveries, repositories } = world();
  const hostile = policy('hostile', {
    namespace: 'evil',
    spec: { source: { host: 'db.example', credentialsSecretRef: { name: 'x' } }, walArchiving: { mode: 'Stream' } },
  });
  const said = {
    ...hostile.status,
    server: { version: attack },
    conditions: [
      { ...hostile.status?.conditions?.[0], type: 'Ready', status: 'False', reason: attack, message: attack },
    ],
  };
  const failed = run('hostile-run', 'hostile', 3, { namespace: 'evil', status: { phase: 'Failed', error: attack } });
  cluster = await ListingServer.start({
    backuppolicies: [...policies, { ...hostile, status: said }],
    backupruns: [...runs, failed],
    restorerequests: restores,
    pitrrecoveries: recoveries,
    backuprepositories: repositories,
  });
  const caches = createCaches({ client: cluster.client(), clock: systemClock, log: silent, namespaces: [] });
  following = Promise.all(Object.values(caches).map((cache) => cache.run(stop.signal)));
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  const manager = { caches, leads: true, run: async () => undefined } satisfies Manager;
  const failedPage = (error: unknown) => {
    throw error;
  };
  server = await serveUi({
    port: 0,
    listen: 'Loopback',
    seen: seenByUi(manager, 'tidemark-0'),
    now: () => now,
    failed: failedPage,
  });
  browser = await openBrowser();
}, 600_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  stop.abort();
  await following?.catch(() => undefined);
  await cluster?.close();
});

const addresses = [
  '/ui',
  '/ui/policies/shop/orders',
  '/ui/policies/shop/carts',
  '/ui/policies/crm/notes',
  '/ui/policies/evil/hostile',
  '/ui/policies/no/such',
] as const;
const widths = [360, 768, 1280] as const;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const violations = 'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html))';

async function visit(address: string, width: number): Promise<Watched> {
  const watched = await openPage(browser);
  await watched.page.setViewport({ width, height: 800 });
  await watched.page.goto(`http://localhost:${server.port}${address}`, { waitUntil: 'load' });
  return watched;
}

describe.each(addresses)('%s', (address) => {
  test('asks for nothing else, complains of nothing, and is no wider than any window', async () => {
    const { page, requests, complaints } = await visit(address, 1280);
    for (const width of widths) {
      await page.setViewport({ width, height: 800 });
      expect([width, await overflow(page)]).toEqual([width, 0]);
      await screenshot(page, `${address}-${width}`);
    }
    expect(requests).toEqual([page.url()]);
    // Chromium itself tells of a page that is answered 404.
    const own = complaints.filter((each) => !(address.endsWith('/such') && each.includes('404 (Not Found)')));
    expect(own).toEqual([]);
    await page.close();
  });

  test('stands out from its ground by day and by night, and is whole to a screen reader', async () => {
    const { page } = await visit(address, 1280);
    await page.evaluate(axe);
    for (const width of [1280, 360]) {
      await page.setViewport({ width, height: 800 });
      for (const scheme of ['dark', 'light']) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        expect([scheme, await paleTexts(page)]).toEqual([scheme, []]);
        if (scheme === 'dark') await screenshot(page, `${address}-${width}-dark`);
      }
      // It takes seconds for each thousand of elements, and a card is what a row is.
      if (width === 1280 || address === '/ui') expect(await page.evaluate(violations)).toEqual([]);
    }
    await page.close();
  });
});

test('what a user wrote is text: no dialog, no request, no script, and it can be read', async () => {
  for (const address of ['/ui', '/ui/policies/evil/hostile']) {
    const { page, requests, complaints } = await visit(address, 1280);
    expect([requests, complaints]).toEqual([[page.url()], []]);
    expect(await page.evaluate('window.hit')).toBeUndefined();
    expect(await page.evaluate('document.querySelectorAll("img, script").length')).toBe(0);
    expect(await page.evaluate('document.body.textContent')).toContain('"><img src=/stolen');
    await page.close();
  }
});

test('the browser itself would not run a script, nor ask for a picture, that came into the page', async () => {
  const { page, complaints } = await visit('/ui', 1280);
  await page.evaluate(`
    document.body.insertAdjacentHTML('beforeend', '<img src="/picture"><div onclick="window.hit=1" id="trap">x</div>');
    document.querySelector('#trap').click();
    const script = document.createElement('script');
    script.textContent = 'window.hit=2';
    document.body.append(script);
  `);
  expect(await page.evaluate('window.hit')).toBeUndefined();
  await expect.poll(() => complaints).toContainEqual(expect.stringMatching(/picture was not had: csp/));
  await page.close();
});

test('it can be walked through with the keyboard alone, there and back', async () => {
  const { page } = await visit('/ui', 1280);
  const focused = () => page.evaluate('document.activeElement.textContent.trim()');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('To the content');
  await page.keyboard.press('Enter');
  for (let presses = 0; presses < 8 && (await focused()) !== 'carts'; presses += 1) await page.keyboard.press('Tab');
  expect(await focused()).toBe('carts');
  expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  expect(page.url()).toMatch(/\/ui\/policies\/shop\/carts$/);
  expect(await page.title()).toBe('shop/carts · Tidemark');
  await Promise.all([page.waitForNavigation(), page.click('nav.crumbs a')]);
  expect(page.url()).toMatch(/\/ui$/);
  await page.close();
});

test('the answer is in the first screen of a phone', async () => {
  const { page } = await visit('/ui', 360);
  const bottom = await page.evaluate('document.querySelector("h1").getBoundingClientRect().bottom');
  expect(bottom).toBeLessThan(300);
  const reason = await page.evaluate('document.querySelector("tbody .verdict").getBoundingClientRect().bottom');
  expect(reason).toBeLessThan(800);
  await page.close();
});

test('no request of a browser becomes one to the API server', async () => {
  const before = cluster.asked;
  for (const address of addresses) await (await visit(address, 1280)).page.close();
  expect(cluster.asked).toBe(before);
});
