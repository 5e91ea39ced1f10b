"""The report's style sheet: one column, cards, light and dark, nothing from outside."""

STYLE = """
:root { color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #1b1f27; --soft: #5d6675; --line: #e3e6eb;
  --good: #0f7b4b; --good-soft: #dcf5e8; --bad: #b3261e; --bad-soft: #fde5e3;
  --idle: #8a5a00; --idle-soft: #fdf0d5; --s0: #2463c9; --s1: #d4761c; --s2: #7b4bb7; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171c; --card: #1d2128; --text: #e8eaee; --soft: #9aa4b2; --line: #333a45;
  --good: #5fd39a; --good-soft: #16382a; --bad: #ff8a80; --bad-soft: #45201e;
  --idle: #f0bd5c; --idle-soft: #3d3014; --s0: #7aa7f5; --s1: #f0a357; --s2: #b795ea; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 14px; }
header { padding: 10px 4px 6px; }
h1 { font-size: 24px; line-height: 1.2; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 10px; }
h3 { font-size: 14px; margin: 16px 0 6px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: 13px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px; margin: 12px 0; }
.badge { display: inline-block; border-radius: 999px; padding: 3px 12px; font-weight: 600; }
.good { color: var(--good); } .badge.good { background: var(--good-soft); }
.bad { color: var(--bad); } .badge.bad { background: var(--bad-soft); }
.idle { color: var(--idle); } .badge.idle { background: var(--idle-soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px;
  margin: 12px 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 10px 14px; }
.tile b { display: block; font-size: 19px; line-height: 1.4; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.rules { list-style: none; margin: 0; padding: 0; }
.rules li { display: flex; gap: 10px; padding: 7px 0; border-top: 1px solid var(--line); }
.rules li:first-child { border-top: 0; }
.rules b { flex: none; width: 3.2em; }
.scroll { overflow-x: auto; margin: 0 -4px 14px; } .scroll:last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 8px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; font-size: 13px; }
tbody th { font-weight: 500; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
tbody tr:last-child > * { border-bottom: 0; }
.line { display: grid; grid-template-columns: minmax(84px, 132px) 1fr auto; gap: 10px;
  align-items: center; padding: 4px 0; font-size: 14px; }
.line > :first-child { overflow-wrap: anywhere; }
.bar { background: var(--line); border-radius: 4px; height: 9px; overflow: hidden; }
.bar > span { display: block; background: var(--s0); height: 100%; border-radius: 4px;
  min-width: 2px; }
.num { font-variant-numeric: tabular-nums; text-align: right; min-width: 4.8em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 16px; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: 14px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; } svg .grid { stroke: var(--line); }
.series polyline { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.series circle { fill: currentColor; }
.series.s0 { color: var(--s0); } .series.s1 { color: var(--s1); } .series.s2 { color: var(--s2); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--soft); }
.legend b { color: var(--text); white-space: pre; font-variant-numeric: tabular-nums; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px;
  margin-right: 6px; vertical-align: middle; }
i.s0 { background: var(--s0); } i.s1 { background: var(--s1); } i.s2 { background: var(--s2); }
@media (max-width: 480px) { table { font-size: 13px; } th, td { padding: 5px 6px; }
  tbody th { white-space: normal; min-width: 7em; } }
details { border-top: 1px solid var(--line); padding: 8px 0; }
summary { cursor: pointer; font-weight: 600; font-size: 14px; }
pre { overflow-x: auto; font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 8px 0; }
"""
