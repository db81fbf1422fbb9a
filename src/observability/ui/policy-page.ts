import type { Condition } from '../../api/condition.ts';
import { sentences } from '../../domain/timeline/legend.ts';
import { svgTimeline } from '../../domain/timeline/svg.ts';
import { type Content, html, type Markup, made } from './html.ts';
import { blindNote, policyAddress } from './layout.ts';
import { nextCell, overviewAddress, proofCell, windowCell } from './overview-page.ts';
import { type Column, count, icon, levelWords, moment, table, unknown, verdict } from './parts.ts';
import type { PolicyView } from './policy-model.ts';
import { repositoriesSection } from './policy-repositories.ts';
import { retentionSection } from './policy-retention.ts';
import { runsSection } from './policy-runs.ts';
import { worksSection } from './policy-works.ts';

export function policyPage(view: PolicyView): Markup {
  const { namespace, name, health } = view.summary;
  // What is no longer seen is not called safe.
  const [level, word] =
    view.blind === undefined
      ? [health.level, levelWords[health.level]]
      : (['unknown', `was ${levelWords[health.level]}`] as const);
  return html`<nav class="crumbs" aria-label="Where this is"><a href="/ui">All policies</a> / <a href="${overviewAddress(namespace, 1)}">${namespace}</a></nav>
<section class="headline ${level}"><h1>${icon(level)} ${name}: ${word.toLowerCase()}</h1>
${blindNote(view.blind)}
${findings(view)}</section>
${facts(view)}
${picture(view)}
${runsSection(view, (page) => `${policyAddress(namespace, name)}${page === 1 ? '' : `?page=${page}`}`)}
${worksSection(view)}
${verifications(view)}
${retentionSection(view)}
${repositoriesSection(view)}
${conditions(view)}`;
}

function findings({ summary, now }: PolicyView): Content {
  const { findings: found } = summary.health;
  if (found.length === 0)
    return html`<p>The last backups succeeded in time, everything that the policy asks for is known to be done, and a backup of it was brought back.</p>`;
  return html`<ul class="findings">${found.map(
    ({ level, words, reason, since }) =>
      html`<li>${verdict(level)} ${words} ${reason !== undefined && html`<span class="reason">${reason}</span>`}${since !== undefined && html` <span class="quiet">since ${moment(since, now, { seconds: true })}</span>`}</li>`,
  )}</ul>`;
}

function facts({ summary, facts: known, repositories, now }: PolicyView): Markup {
  const at = (time: string | undefined) => moment(time, now, { seconds: true });
  const list: readonly (readonly [string, Content])[] = [
    ['Restorable', windowCell(summary.window, now, true)],
    ['Last success', summary.lastSuccess === undefined ? 'none is known' : at(summary.lastSuccess)],
    ['Last failure', summary.lastFailure === undefined ? 'none is known' : at(summary.lastFailure)],
    ['Next run', nextCell(summary.next, now, true)],
    ['WAL', archiving(summary.wal, known.archiving, known.lastArchived)],
    ['Proof', proofCell(summary, now)],
    ['Source', summary.source || unknown],
    ['Server', known.server ?? unknown],
    ['Repositories', repositories.map(([name]) => name).join(', ')],
    ['Schedules', schedules(known.schedules)],
  ];
  return html`<h2 class="hidden">At a glance</h2><dl class="facts">${list.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
  )}</dl>`;
}

function archiving(lag: PolicyView['summary']['wal'], mode: string, last: string | undefined): Content {
  if (lag === 'None') return 'not archived';
  return html`${lag === undefined ? unknown : html`${lag} behind`} <span class="under">${mode}${last !== undefined && html`, up to <code>${last}</code>`}</span>`;
}

function schedules(all: PolicyView['facts']['schedules']): Content {
  if (all.length === 0) return 'none';
  return all.map(({ name, words }) => html`<span class="under"><b>${name}</b> <code>${words}</code></span>`);
}

function picture({ drawing, undrawn }: PolicyView): Markup {
  const draw = (width: number) => made(svgTimeline(drawing, { width, timeZone: 'Etc/UTC', inPage: true }));
  const left = undrawn > 0 && html`<p class="quiet">${count(undrawn)} older backups lie before the picture begins.</p>`;
  return html`<h2 id="window">Restorable window</h2>
<figure><div class="wide">${draw(1100)}</div><div class="narrow">${draw(360)}</div></figure>${left}
<details><summary>The picture in words</summary><ul>${sentences(drawing, 'Etc/UTC').map((words) => html`<li>${words}</li>`)}</ul></details>`;
}

type Verification = PolicyView['verifications'][number];

function verifications({ verifications: last, nextVerification, now }: PolicyView): Markup {
  const columns: readonly Column<Verification>[] = [
    { name: 'Method', isName: true, cell: ({ method }) => method, kind: 'short' },
    { name: 'Outcome', cell: ({ outcome }) => outcomeWords(outcome) },
    { name: 'When', cell: ({ time, startTime }) => moment(time ?? startTime, now, { seconds: true }) },
    { name: 'Backup', cell: ({ run, backupID }) => run ?? backupID ?? unknown },
    { name: 'By', cell: ({ name }) => name },
    { name: 'Message', cell: ({ message, reason }) => message || reason, kind: 'long' },
  ];
  const next =
    nextVerification !== undefined && html`<p>The next is due ${moment(nextVerification, now, { seconds: true })}.</p>`;
  return html`<h2 id="verification">Verification</h2>
${last.length === 0 ? html`<p>No scheduled verification is known.</p>` : table('verification', columns, last)}${next}`;
}

function outcomeWords(outcome: Verification['outcome']): Markup {
  if (outcome === 'Good') return verdict('sound', 'Good');
  if (outcome === 'Bad') return verdict('failing', 'Bad');
  return outcome === 'Unknown' ? verdict('unknown', 'Not known') : verdict('unproven', 'Under way');
}

function conditions({ conditions: said, now }: PolicyView): Markup {
  const columns: readonly Column<Condition>[] = [
    { name: 'Condition', isName: true, cell: ({ type }) => type },
    { name: 'Status', cell: ({ status }) => status, kind: 'short' },
    { name: 'Reason', cell: ({ reason }) => html`<span class="reason">${reason}</span>` },
    { name: 'Since', cell: ({ lastTransitionTime }) => moment(lastTransitionTime, now, { seconds: true }) },
    { name: 'Message', cell: ({ message }) => message, kind: 'long' },
  ];
  return html`<h2 id="conditions">Conditions</h2>
${said.length === 0 ? html`<p>The operator has said none yet.</p>` : table('conditions', columns, said)}`;
}
