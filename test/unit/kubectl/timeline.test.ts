import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawTimeline } from '../../../src/domain/timeline/draw.ts';
import { svgTimeline } from '../../../src/domain/timeline/svg.ts';
import { htmlReport } from '../../../src/kubectl/report/html.ts';
import { summarize } from '../../../src/kubectl/report/summarize.ts';
import { htmlTimeline } from '../../../src/kubectl/timeline/html.ts';
import { terminalTimeline } from '../../../src/kubectl/timeline/terminal.ts';
import { now, useKubectl } from './kubectl.ts';
import { policy, run, story } from './objects.ts';

const world = useKubectl();
const timeZone = 'Europe/Amsterdam';

describe('timeline', () => {
  test('draws the whole story in the terminal', async () => {
    const { policy: orders, runs } = story();
    world.cluster.put(orders, ...runs);
    const { code, out } = await world.kubectl('timeline orders');
    expect(code).toBe(0);
    expect(out).toBe(
      `shop/orders, 2026-11-01 01:15:00 +01:00 to now, 2026-11-21 11:15:00 +01:00 (20 d 10 h)

Physical full         ·                         ◆                    ◆    ◆
Physical incremental                                                                  ◇
Logical                                                                        ●          ✗      ⊘
WAL                                             ━━━━━━━━━━━━━━━━░░░░░━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
Restorable                                      ▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬    ▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬
Timeline              1───────────────────────────────────────────────────2────────────────────────
Verified                                        ✔
                      ──────────────────────────│─────────────────────────│────────────────────────
                                                Nov 8                     Nov 15

◆ physical full, complete   ◇ physical incremental, complete   ● logical, complete   ✗ failed
⊘ cancelled   · expired   ━ WAL   ░ WAL missing   ▬ restorable
Restorable to any moment from 2026-11-08 01:35:00 +01:00 to 2026-11-21 11:14:00 +01:00, but for what the gaps take.
WAL is missing from 2026-11-12 07:00:00 +01:00 to 2026-11-13 07:00:00 +01:00 (1 d).
Backups: 5 complete, 1 failed, 1 cancelled, 1 expired; 1 held.
Last proof on 2026-11-10 06:00:00 +01:00: backup orders-base-1 was verified, which stands for 2026-11-08 01:35:00 +01:00.
`,
    );
  });

  test('keeps to plain letters where the terminal knows no others, and to its width', async () => {
    const { policy: orders, runs } = story();
    const drawing = drawTimeline(orders, { runs, now });
    const text = terminalTimeline(drawing, { columns: 60, colour: false, unicode: false, timeZone });
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    const picture = text.split('\n').slice(2, 12);
    for (const line of picture) expect(line.length).toBeLessThanOrEqual(60);
    expect(picture[0]).toMatch(/^Physical full +\. +F +F +F/);
    const coloured = terminalTimeline(drawing, { columns: 60, colour: true, unicode: false, timeZone });
    expect(coloured).toContain('\u001b[31mX\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is taken away.
    expect(coloured.replaceAll(/\u001b\[[0-9]+m/g, '')).toBe(text);
  });

  test('-o svg and -o html are whole files that need no other, -o json is the drawing', async () => {
    const { policy: orders, runs } = story();
    world.cluster.put(orders, ...runs);
    const svg = (await world.kubectl('timeline orders -o svg')).out;
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 0 1000 [0-9]+"/);
    expect(svg).toContain(
      '<title>orders-dump-2: Failed, 593 MB, pg_dump: &lt;b&gt;no&lt;/b&gt;, &quot;really&quot; (2026-11-19 04:20:00 +01:00)</title>',
    );
    expect(svg).toContain('prefers-color-scheme: dark');
    const html = (await world.kubectl('timeline orders -o html')).out;
    expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(html.match(/<svg /g)).toHaveLength(2);
    for (const file of [svg, html]) {
      const elsewhere = file
        .replaceAll('http://www.w3.org/2000/svg', '')
        .match(/(https?:|src=|href=|url\(|@import|<script|<link|\son[a-z]+=)/g);
      expect(elsewhere).toBeNull();
    }
    expect(JSON.parse((await world.kubectl('timeline orders -o json')).out)).toMatchObject({
      policy: 'orders',
      unplacedGaps: [],
    });
  });
});

/** The markup of a file alone: its tags with their attributes' names, and nothing of what is in them. */
function skeleton(file: string): readonly string[] {
  const tags = file.match(/<[^<>]*>/g) ?? [];
  return tags.map((tag) => tag.replaceAll(/"[^"]*"/g, '""'));
}

describe('whatever a user names, and whatever a server says', () => {
  const nasty = fc.constantFrom(
    '<script>',
    '</title>',
    '">',
    "'",
    '&amp;',
    '&',
    ']]>',
    '<!--',
    '-->',
    '`',
    '\u0000',
    '\u001b[2J',
    '\ud800',
    '\u202e',
    '</svg>',
    'onload=',
  );
  const text = fc
    .array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 6 })
    .map((parts) => parts.join(''));

  const files = (name: string, error: string) => {
    const orders = policy({}, {}, name);
    const runs = [
      run(name, '2026-11-20T00:00:00Z', { spec: { policyRef: { name: 'x' } }, status: { phase: 'Failed', error } }),
    ].map((each) => ({ ...each, spec: { ...each.spec, policyRef: { name } } }));
    const drawing = drawTimeline(orders, { runs, now });
    const report = summarize([orders], runs, new Date(0), now);
    return [
      svgTimeline(drawing, { width: 1000, timeZone }),
      htmlTimeline(drawing, timeZone),
      htmlReport(report, timeZone),
    ];
  };

  test('is text in SVG and HTML, never markup', () => {
    const harmless = files('orders', 'no room').map(skeleton);
    fc.assert(
      fc.property(text, text, (name, error) => {
        const made = files(`a${name}`, `a${error}`);
        expect(made.map(skeleton)).toEqual(harmless);
        // XML 1.0 knows no such characters, and a lone surrogate is none at all.
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what may not be in it.
        for (const file of made) expect(file).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u202e]|\p{Cs}/u);
      }),
      { numRuns: 150 },
    );
  });
});
