import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { ensureDebianPackages } from '../cluster/packages.ts';

/** Debian's Chromium, and letters for it. */
export const browserPackages = ['chromium', 'fonts-liberation'] as const;

/** A real Chromium without a window. As root it runs only without its sandbox; it opens nothing but pages of ours. */
export async function openBrowser(): Promise<Browser> {
  await ensureDebianPackages(browserPackages, (line) => process.stdout.write(`${line}\n`));
  return await puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    pipe: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
  });
}

/** What a page has asked for and complained of since it was opened. */
export interface Watched {
  readonly page: Page;
  readonly requests: string[];
  readonly complaints: string[];
}

export async function openPage(browser: Browser): Promise<Watched> {
  const page = await browser.newPage();
  const watched: Watched = { page, requests: [], complaints: [] };
  page.on('request', (request) => watched.requests.push(request.url()));
  page.on('console', (message) => watched.complaints.push(message.text()));
  page.on('pageerror', (error) => watched.complaints.push(String(error)));
  page.on('requestfailed', (request) =>
    watched.complaints.push(`${request.url()} was not had: ${request.failure()?.errorText}`),
  );
  page.on('dialog', (dialog) => {
    watched.complaints.push(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return watched;
}

/** CSS pixels by which the page is wider than the window; what scrolls in its own box is not counted. */
export async function overflow(page: Page): Promise<unknown> {
  return await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

/** Each text of which the colour is too close to its ground: `ratio text`. WCAG 2.2, 1.4.3. */
export async function paleTexts(page: Page, least = 4.5): Promise<unknown> {
  const find = (await readFile(join(import.meta.dirname, 'pale-texts.js'), 'utf8')).trim().replace(/;$/, '');
  return await page.evaluate(`(${find})(${least})`);
}
