"""The report's style sheet: one column, cards, light and dark, print; nothing from outside.

Colours of text have a contrast of 4.5 or more to what is behind them, those of marks 3 or more.
"""

STYLE = """
:root { color-scheme: light dark;
  --page: #f5f6f8; --card: #fff; --text: #171b22; --soft: #586172; --line: #e2e5ea;
  --grid: #e8eaee; --mark: #6b7482; --good: #0b6e43; --good-soft: #dff3e8; --bad: #b3261e;
  --bad-soft: #fce6e4; --idle: #805300; --idle-soft: #fbefd6;
  --s0: #2a5fc4; --s1: #c25e0a; --s2: #7a48b5; --s3: #11805a; --s4: #c02763; --s5: #0b7488;
  --s6: #80602a; --s7: #5f6875; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12151a; --card: #1b1f26; --text: #e8eaee; --soft: #a0a9b6; --line: #313843;
  --grid: #2b313b; --mark: #98a2b0; --good: #62d39c; --good-soft: #16382a; --bad: #ff9189;
  --bad-soft: #45201e; --idle: #efbf62; --idle-soft: #3a2f16;
  --s0: #7ea9f5; --s1: #f0a55c; --s2: #bb9bee; --s3: #5fcda0; --s4: #f58db2; --s5: #5cc6d8;
  --s6: #d1b27f; --s7: #aeb6c2; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 52px; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 940px; margin: 0 auto; padding: 20px 14px 40px; }
header { padding: 4px 4px 8px; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 8px;
  overflow-wrap: anywhere; }
h2 { font-size: 19px; line-height: 1.3; letter-spacing: -.005em; margin: 0 0 6px; }
h3 { font-size: 15px; margin: 22px 0 6px; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 6px 0; overflow-wrap: anywhere; }
.lead { font-size: 16px; max-width: 44em; }
.soft { color: var(--soft); font-size: 13px; line-height: 1.45; max-width: 52em; }
.aside { font-weight: 400; margin-left: 10px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px; margin: 14px 0; }
.badge { display: inline-block; border-radius: 999px; padding: 4px 14px; font-weight: 650; }
.good { color: var(--good); } .badge.good { background: var(--good-soft); }
.bad { color: var(--bad); } .badge.bad { background: var(--bad-soft); }
.idle { color: var(--idle); } .badge.idle { background: var(--idle-soft); }
nav { position: sticky; top: 0; z-index: 2; display: flex; gap: 4px; overflow-x: auto;
  margin: 0 -14px; padding: 8px 14px; background: var(--page); scrollbar-width: none; }
nav a { flex: none; padding: 4px 10px; border-radius: 999px; color: var(--soft);
  text-decoration: none; font-size: 13px; font-weight: 550; }
nav a:hover, nav a:focus-visible { background: var(--line); color: var(--text); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px;
  margin: 12px 0; }
.tile { display: flex; flex-direction: column; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; padding: 12px 14px; min-width: 0;
  font-variant-numeric: tabular-nums; }
.tile .name { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.tile b { font-size: 26px; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; }
.tiles.small .tile b { font-size: 19px; }
.change { font-size: 13px; }
.rules { list-style: none; margin: 8px 0 0; padding: 0; }
.rules li { display: grid; grid-template-columns: 5.4em 1fr 96px; gap: 4px 12px;
  align-items: center; padding: 8px 0; border-top: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
.rules li > span { overflow-wrap: anywhere; min-width: 0; }
.rules li > b { font-weight: 600; white-space: nowrap; }
.scroll { overflow-x: auto; margin: 4px 0 12px; } .scroll:last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; white-space: nowrap; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 550; font-size: 13px; vertical-align: bottom; }
tbody th { font-weight: 500; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card);
  padding-left: 0; }
tr > :last-child { padding-right: 2px; }
tbody tr:last-child > * { border-bottom: 0; }
table.words td, table.words th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.words tbody th { white-space: nowrap; }
.figures td, .figures tbody th { vertical-align: middle; }
.stack { display: inline-flex; flex-direction: column; line-height: 1.3; }
.measured { display: inline-flex; align-items: center; gap: 10px; }
.measured .stack { min-width: 9em; }
small { color: var(--soft); font-size: 12px; font-weight: 400; }
.whisker { flex: none; display: block; width: 96px; height: 16px; color: var(--s0); }
.whisker.good { color: var(--good); } .whisker.bad { color: var(--bad); }
.whisker circle { fill: currentColor; }
.range { stroke: currentColor; stroke-width: 2.4; stroke-linecap: round; opacity: .65; }
.mark { stroke: var(--mark); stroke-width: 1.4; }
.line { display: grid; grid-template-columns: minmax(96px, 140px) 1fr minmax(5.4em, auto);
  gap: 10px; align-items: center; padding: 4px 0; font-size: 14px; }
.line > :first-child { overflow-wrap: anywhere; }
.bar { background: var(--grid); border-radius: 3px; height: 8px; overflow: hidden; }
.bar > span { display: block; background: var(--s0); height: 100%; border-radius: 3px;
  min-width: 2px; }
.bar.pale > span { opacity: .35; }
.num { font-variant-numeric: tabular-nums; text-align: right; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(270px, 100%), 1fr));
  gap: 20px; margin: 12px 0; }
.plots { grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 4px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg.plot { max-width: 380px; }
svg text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--grid); } .ideal { stroke: var(--mark); stroke-dasharray: 4 4; }
.plot text { font-size: 9px; } .plot { color: var(--s0); } .plot circle { fill: currentColor; }
.series polyline { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.series circle { fill: currentColor; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }
.s6 { color: var(--s6); } .s7 { color: var(--s7); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--soft); }
.legend b { color: var(--text); white-space: pre; font-weight: 550;
  font-variant-numeric: tabular-nums; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px;
  margin-right: 6px; vertical-align: middle; background: currentColor; }
.heat td { background: color-mix(in srgb, var(--s0) calc(var(--w, 0%) * .5), var(--card));
  text-align: center; }
.heat td.minus { background: color-mix(in srgb, var(--s1) calc(var(--w, 0%) * .5), var(--card)); }
.heat thead th:not(:first-child) { text-align: center; }
.inner { padding-left: 14px; color: var(--soft); font-weight: 400; }
.lineage { max-width: 400px; }
.graph .edge { fill: none; stroke: currentColor; stroke-width: 1.8; opacity: .75; }
.graph .node { fill: var(--card); stroke: currentColor; stroke-width: 2.4; color: var(--mark); }
.graph .node.good { color: var(--good); fill: var(--good); }
.graph .node.idle { color: var(--idle); } .graph .node.bad { color: var(--bad); }
.graph text.name { fill: var(--text); font-size: 13px; font-weight: 600; }
.graph text.good { fill: var(--good); } .graph text.idle { fill: var(--idle); }
.graph text.bad { fill: var(--bad); }
details { border-top: 1px solid var(--line); padding: 8px 0; }
details details { margin-top: 4px; }
summary { cursor: pointer; font-weight: 550; font-size: 14px; padding: 3px 0;
  overflow-wrap: anywhere; }
pre { overflow-x: auto; font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 8px 0; }
:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; }
@media (max-width: 560px) {
  section { padding: 16px 14px; } table { font-size: 13px; } th, td { padding: 6px 5px; }
  h1 { font-size: 25px; } .tiles { grid-template-columns: 1fr 1fr; gap: 8px; }
  .tile { padding: 10px 12px; } .tile b { font-size: 23px; }
  .rules li { grid-template-columns: 5.2em 1fr; } .rules .whisker { grid-column: 2; }
  .measured { flex-direction: column-reverse; align-items: flex-end; gap: 2px; }
  .measured .whisker { width: 84px; height: 14px; } .aside { display: block; margin: 0; }
  tbody th { white-space: normal; min-width: 6.5em; }
  .figures tbody th { min-width: 5em; }
  .figures .measured { gap: 3px; } .measured .stack { min-width: 0; }
  .figures small { font-size: 11px; } }
@media print { body { background: #fff; } nav { display: none; }
  section { break-inside: avoid-page; border-radius: 0; }
  .heat td, .bar > span, .badge { print-color-adjust: exact; }
  details::details-content { content-visibility: visible; height: auto; }
  .scroll, pre { overflow: visible; white-space: normal; } pre { white-space: pre-wrap; } }
"""
