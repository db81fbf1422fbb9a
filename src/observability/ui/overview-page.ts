import { duration } from '../../domain/display/quantities.ts';
import { type Level, levels } from '../../domain/health/finding.ts';
import { type Content, html, type Markup } from './html.ts';
import { blindNote, policyAddress } from './layout.ts';
import type { Overview } from './overview-model.ts';
import {
  type Column,
  count,
  fitted,
  icon,
  levelWords,
  moment,
  pager,
  table,
  unbroken,
  unknown,
  verdict,
} from './parts.ts';
import type { Summary } from './summarize.ts';

/** Characters of a message; all of it stands on the policy's own page. */
const longestWords = 180;

export function overviewPage(overview: Overview): Markup {
  const { page, now, namespace, total } = overview;
  const { level, words } = headlineOf(overview);
  return html`<section class="headline ${level}"><h1>${icon(level)} ${words}</h1>
${blindNote(overview.blind)}
${overview.blind === undefined && total > 0 && countsOf(overview)}
${namespace !== undefined && html`<p>Only the namespace <b>${namespace}</b>. <a href="/ui">All namespaces</a></p>`}</section>
${total === 0 ? nothing(overview) : html`<h2 id="policies" class="hidden">Policies, the worst first</h2>${table('policies', columnsAt(now, overview.blind !== undefined), page.items)}`}
${pager(page, 'policies', (to) => overviewAddress(namespace, to))}`;
}

export function overviewAddress(namespace: string | undefined, page: number): string {
  const query = new URLSearchParams({
    ...(namespace === undefined ? {} : { namespace }),
    ...(page === 1 ? {} : { page: String(page) }),
  }).toString();
  return query === '' ? '/ui' : `/ui?${query}`;
}

/** The first thing that is read: are they safe, all of them? */
export function headlineOf({ blind, total, counts }: Pick<Overview, 'blind' | 'total' | 'counts'>): {
  readonly level: Level;
  readonly words: string;
} {
  if (blind !== undefined) return { level: 'unknown', words: 'Whether you are safe is not known here' };
  if (total === 0) return { level: 'unknown', words: 'Nothing is protected: no policy is known' };
  const worst = levels.find((level) => counts[level] > 0) ?? 'unknown';
  const some = counts[worst];
  const share =
    some === total
      ? total === 1
        ? 'The one policy'
        : `All ${count(total)} policies`
      : `${count(some)} of ${count(total)} policies`;
  const one = some === 1;
  const words: Readonly<Record<Level, string>> = {
    failing: `${share} ${one ? 'is' : 'are'} failing`,
    unknown: `Of ${lowered(share)} it is not known whether ${one ? 'it is' : 'they are'} safe`,
    attention: `${share} ${one ? 'needs' : 'need'} a look`,
    suspended: `${share} ${one ? 'is' : 'are'} suspended`,
    unproven: `${share} ${one ? 'was' : 'were'} never proven by a restore`,
    sound: `${share} ${one ? 'is' : 'are'} protected`,
  };
  return { level: worst, words: words[worst] };
}

function lowered(words: string): string {
  return words.replace(/^(All|The)/, (word) => word.toLowerCase());
}

const countWords: Readonly<Record<Level, string>> = {
  failing: 'failing',
  unknown: 'not known',
  attention: 'to look at',
  suspended: 'suspended',
  unproven: 'never proven',
  sound: 'protected',
};

function countsOf({ counts }: Overview): Markup {
  const shown = levels.filter((level) => counts[level] > 0);
  return html`<ul class="counts">${shown.map((level) => html`<li>${verdict(level, `${count(counts[level])} ${countWords[level]}`)}</li>`)}</ul>`;
}

function nothing({ namespace, blind }: Overview): Content {
  if (blind?.isFilled === false) return undefined;
  const where = namespace === undefined ? 'in the namespaces that this operator serves' : 'in this namespace';
  return html`<p>No BackupPolicy is known ${where}. Write one: <code>kubectl explain backuppolicy.spec</code></p>`;
}

const columnsAt = (now: Date, isBlind: boolean): readonly Column<Summary>[] => [
  {
    name: 'Policy',
    isName: true,
    cell: ({ namespace, name, source }) =>
      html`<a class="name" href="${policyAddress(namespace, name)}">${name}</a> <span class="under"><a href="${overviewAddress(namespace, 1)}">${namespace}</a>${source !== '' && html` · ${source}`}</span>`,
  },
  { name: 'Health', cell: ({ health }) => healthCell(health, isBlind), kind: 'main' },
  { name: 'Restorable', cell: ({ window }) => windowCell(window, now) },
  {
    name: 'Last success',
    cell: ({ lastSuccess }) => (lastSuccess === undefined ? 'none is known' : moment(lastSuccess, now)),
  },
  { name: 'Next run', cell: ({ next }) => nextCell(next, now) },
  {
    name: 'WAL behind',
    cell: ({ wal }) => walCell(wal),
    kind: 'short',
  },
  { name: 'Proof', cell: (summary) => proofCell(summary, now), kind: 'several' },
];

function walCell(wal: Summary['wal']): Content {
  if (wal === 'None') return html`<span class="quiet">not archived</span>`;
  return wal === undefined ? unknown : wal.split(', ').map((part) => html`<span class="line">${part}</span>`);
}

/** What is no longer seen is not called safe. */
function healthCell(health: Summary['health'], isBlind: boolean): Content {
  const [first, ...more] = health.findings;
  const said = isBlind ? verdict('unknown', `Was ${levelWords[health.level].toLowerCase()}`) : verdict(health.level);
  const others = more.length === 0 ? '' : ` And ${more.length} more.`;
  return html`${said} ${first !== undefined && html`<span class="under">${fitted(first.words, longestWords)}${others}</span>`}`;
}

export function windowCell(window: Summary['window'], now: Date, seconds = false): Content {
  if (window === 'None') return html`<span class="quiet">only what its backups hold</span>`;
  if (window === undefined) return unknown;
  const { from, to, gaps } = window;
  const holes = gaps > 0 && html`<span class="under">but for ${gaps} gap${gaps === 1 ? '' : 's'} in the WAL</span>`;
  return html`<span class="range"><span class="edge">from</span> ${moment(from, now, { seconds })}</span> <span class="range"><span class="edge">to</span> ${moment(to, now, { seconds })}</span>${holes}`;
}

export function nextCell(next: Summary['next'], now: Date, seconds = false): Content {
  if (next === 'Suspended') return 'suspended';
  if (next === 'NoSchedule') return html`<span class="quiet">no schedule</span>`;
  return next === undefined ? unknown : moment(next.time, now, { seconds });
}

export function proofCell({ proof, measure }: Summary, now: Date): Content {
  const took =
    proof?.seconds === undefined
      ? undefined
      : html`<span class="under">${unbroken(`restored in ${duration(proof.seconds)}`)}</span>`;
  return html`${proof === undefined ? 'none is known' : moment(proof.time, now)} ${took} <span class="under">${objectiveWords(measure)}</span>`;
}

/** RTO and RPO as the newest drill measured them, against what was asked for. */
export function objectiveWords(measure: Summary['measure']): string {
  if (measure === undefined) return 'objectives: not measured';
  const { objectivesMet, rtoSeconds, rpoSeconds } = measure;
  const figures = [
    ...(rtoSeconds === undefined ? [] : [`RTO\u00a0${duration(rtoSeconds)}`]),
    ...(rpoSeconds === undefined ? [] : [`RPO\u00a0${duration(rpoSeconds)}`]),
  ];
  return `objectives ${objectivesMet === true ? 'met' : 'missed'}${figures.length === 0 ? '' : `: ${unbroken(figures.join(', '))}`}`;
}
