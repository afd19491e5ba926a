"""How the page of an archive looks; light or dark as the reader's system is."""

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --quiet: #5d6872; --paper: #ffffff;
  --ground: #f6f7f8; --line: #dfe3e7; --link: #0b5cad; --good: #1a7f37; --bad: #b3261e;
  --more: #e6f4ea; --less: #fdeceb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --quiet: #9aa5b1;
  --paper: #1b2127; --ground: #12161a; --line: #303841; --link: #7fb8f5; --good: #5ec97f;
  --bad: #ff8a80; --more: #16351f; --less: #3d1a18; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
header p, .quiet, footer { color: var(--quiet); }
a { color: var(--link); }
figure { margin: 0; }
.paper { background: #ffffff; border: 1px solid var(--line); border-radius: 10px; padding: .75rem; }
.paper img { display: block; width: 100%; height: auto; }
.wide { overflow-x: auto; }
.story { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; }
.story dt { font-weight: 600; text-align: right; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th { text-align: left; font-weight: 500; color: var(--quiet); font-size: .85rem; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:nth-child(-n+3) { white-space: nowrap; }
tr.refuted td, tr.invalid td, tr.incomplete td { color: var(--quiet); }
.bar { vertical-align: middle; overflow: visible; }
.zero { stroke: var(--line); }
.reach { stroke: var(--quiet); stroke-width: 1.5; }
.state { font-size: .8rem; padding: .05rem .5rem; border-radius: 99px; white-space: nowrap;
  border: 1px solid var(--line); color: var(--quiet); }
.state.replicated { color: var(--good); border-color: currentColor; }
.state.refuted, .state.invalid { color: var(--bad); border-color: currentColor; }
details { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  margin: .5rem 0; padding: .25rem 1rem; }
details[open] { padding-bottom: 1rem; }
summary { cursor: pointer; padding: .4rem 0; overflow-wrap: anywhere; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
details p { overflow-wrap: anywhere; }
.diff { overflow-x: auto; background: var(--ground); border-radius: 6px; padding: .75rem;
  font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
.more { background: var(--more); }
.less { background: var(--less); }
.at { color: var(--quiet); }
.pairs { width: auto; margin: .5rem 1.5rem .5rem 0; display: inline-table; font-size: .85rem; }
.pairs caption { text-align: left; color: var(--quiet); padding-bottom: .2rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem;
  font-size: .85rem; margin: .75rem 0 0; }
.facts dt { color: var(--quiet); }
footer { padding: 2rem 1.25rem 3rem; font-size: .9rem; }
"""
