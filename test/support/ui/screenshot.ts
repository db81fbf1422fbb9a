import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';

/** A picture of the whole page for people, where $TIDEMARK_SCREENSHOTS names a folder; nothing reads it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.TIDEMARK_SCREENSHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  const file = `${name.replaceAll(/[^a-z0-9-]+/gi, '-').replace(/^-/, '')}.png` as const;
  await page.screenshot({ path: join(folder, file) as `${string}.png`, fullPage: true });
}
