import { colourStyle } from '../../domain/display/colours.ts';

const more = `
:root { --band: #f6f8fa; --doubt: #8250df; --link: #0757ba; }
@media (prefers-color-scheme: dark) { :root { --band: #161b22; --doubt: #d2a8ff; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans",
  "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; margin: 0; }
header, main, footer { margin: 0 auto; max-width: 1360px; padding: 0 1.5rem; }
header { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; align-items: baseline; justify-content: space-between;
  padding-top: .9rem; padding-bottom: .7rem; color: var(--quiet); font-size: .85rem; }
header p, footer p { margin: 0; }
footer { color: var(--quiet); font-size: .8rem; padding-top: 1.5rem; padding-bottom: 2rem; }
main { outline: none; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: .16em; }
a:focus-visible, .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -100vw; } .skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .3rem .6rem; }
.brand { color: var(--text); font-size: 1rem; font-weight: 650; letter-spacing: .01em; text-decoration: none; }
.brand svg { fill: none; height: .8em; margin-right: .5em; stroke: var(--wal); stroke-linecap: round; stroke-width: 2.2; width: 1.2em; }
h1 { font-size: 1.65rem; font-weight: 650; letter-spacing: -.012em; line-height: 1.25; margin: 0; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 1.08rem; font-weight: 650; margin: 2.4rem 0 .6rem; }
h2 + p { margin-top: 0; }
.hidden { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap; width: 1px; }
.quiet, .under, .edge, time { color: var(--quiet); }
.under { display: block; font-size: .86em; overflow-wrap: anywhere; }
.under a { color: inherit; }
.icon { fill: currentColor; flex: none; height: .82em; vertical-align: -.04em; width: .82em; }
.failing { color: var(--bad); } .unknown { color: var(--doubt); } .attention { color: var(--busy); }
.suspended, .unproven { color: var(--quiet); } .sound { color: var(--good); }
.verdict { font-weight: 600; white-space: nowrap; } .verdict .icon { margin-right: .2em; }
.headline { background: var(--band); border-left: 5px solid; border-radius: 4px; margin: .3rem 0 1.6rem; padding: 1.1rem 1.4rem 1.2rem; }
.headline h1, .headline p, .headline li { color: var(--text); } .headline h1 .icon { color: currentColor; margin-right: .2em; }
.headline.failing h1 .icon { color: var(--bad); } .headline.unknown h1 .icon { color: var(--doubt); }
.headline.attention h1 .icon { color: var(--busy); } .headline.sound h1 .icon { color: var(--good); }
.headline p { margin: .5rem 0 0; max-width: 62rem; overflow-wrap: anywhere; }
.headline .verdict.failing { color: var(--bad); } .headline .verdict.unknown { color: var(--doubt); }
.counts { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; list-style: none; margin: .6rem 0 0; padding: 0; }
.findings { list-style: none; margin: .7rem 0 0; padding: 0; max-width: 66rem; }
.findings li { border-top: 1px solid var(--line); padding: .45rem 0; overflow-wrap: anywhere; }
code, .reason { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .88em; }
.reason { color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .55rem 1.1rem .55rem 0; text-align: left; vertical-align: top; }
thead th { color: var(--quiet); font-size: .82rem; font-weight: 500; padding-bottom: .35rem; white-space: nowrap; }
tbody th { font-weight: 400; min-width: 9rem; } .name { font-weight: 600; } th .cell, td .cell { overflow-wrap: anywhere; }
.short { white-space: nowrap; } .long .cell { display: block; min-width: 13rem; } .several .cell { display: block; min-width: 11.2rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 1.4rem 0 .4rem; }
.moment { display: inline-block; } .moment .age { white-space: nowrap; } .moment time { font-size: .86em; white-space: nowrap; }
td .moment time { display: block; }
.range { align-items: baseline; display: flex; gap: .45em; } .edge { flex: 0 0 2.4em; font-size: .86em; white-space: nowrap; }
td .range time { display: inline; }
.line { display: block; } td .whole { white-space: nowrap; }
.facts { display: grid; gap: .9rem 2rem; grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); margin: 0; }
.facts dt { color: var(--quiet); font-size: .82rem; } .facts dd { margin: 0; overflow-wrap: anywhere; } .facts time { display: block; font-size: .86em; }
figure { margin: 0; } figure svg { display: block; height: auto; width: 100%; } .narrow { display: none; }
details { margin-top: .6rem; } summary { color: var(--link); cursor: pointer; width: fit-content; } details li { overflow-wrap: anywhere; }
.pager { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .9rem 0; }
.crumbs { font-size: .88rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
@media (max-width: 900px) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.35rem; } .headline { padding: .9rem 1rem 1rem; }
  .wide { display: none; } .narrow { display: block; }
  thead { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; width: 1px; }
  table, tbody, tr, th, td { display: block; } tr { border-top: 1px solid var(--line); padding: .8rem 0; }
  tbody th { border: 0; font-size: 1.02rem; padding: 0 0 .25rem; }
  td { border: 0; display: flex; gap: .8rem; padding: .14rem 0; }
  td::before { color: var(--quiet); content: attr(data-name); flex: 0 0 6.4rem; font-size: .86rem; padding-top: .06rem; }
  td .cell { flex: 1; min-width: 0; } td .whole { white-space: normal; } td .moment time { display: inline; } .long .cell, .several .cell { min-width: 0; } td:has(.cell:empty) { display: none; }
  .main { display: block; } .main::before { display: none; } .short { white-space: normal; } .scroll { overflow: visible; }
}
@media print { .skip, .pager, header p { display: none; } main { max-width: none; } }`;

/** The one style of every page; what the browser may apply is named by its digest. */
export const pageStyle = `${colourStyle}${more}\n`;
