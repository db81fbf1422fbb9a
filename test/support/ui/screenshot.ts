import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';

/** A picture of the whole page for people, under $TIDEMARK_SCREENSHOTS where that is set; nothing reads it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.TIDEMARK_SCREENSHOTS ?? join(tmpdir(), 'tidemark-screenshots');
  await mkdir(folder, { recursive: true });
  const file = `${name.replaceAll(/[^a-z0-9-]+/gi, '-').replace(/^-/, '')}.png`;
  await page.screenshot({ path: join(folder, file) as `${string}.png`, fullPage: true });
}
