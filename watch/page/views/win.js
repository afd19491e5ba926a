// One win, whole: what it changes, why, its evidence, who measured it again, who built on it.
// Law: read when it is opened; lives under `#/win/ID`, so that it can be shared and gone back from.
import { html, useEffect, useRef, useState, useStore, useTheme } from "../lib/ui.js";
import { read } from "../lib/api.js";
import {
  age,
  bytes,
  count,
  counted,
  duration,
  fromNano,
  metric,
  percent,
  signed,
  when,
} from "../lib/format.js";
import { gainOf } from "../lib/story.js";
import { called, plain, plainLines, shortId, shortened } from "../lib/text.js";
import { Family, IntervalBar, State, Who, winAddress } from "./bits.js";
import { Diff } from "./diff.js";
import { Evidence, pairsOf, seenIn } from "./evidence.js";
import { hardwareName } from "./peers.js";

const ADDRESS = /^#\/win\/([A-Za-z0-9%]{1,200})$/;

const asked = () => {
  const found = ADDRESS.exec(location.hash);
  return found ? decodeURIComponent(found[1]) : null;
};

/** The record that the address names; null where it names none. */
function useAsked() {
  const [record, setRecord] = useState(asked);
  useEffect(() => {
    const look = () => setRecord(asked());
    addEventListener("hashchange", look);
    addEventListener("popstate", look);
    return () => (removeEventListener("hashchange", look), removeEventListener("popstate", look));
  }, []);
  const leave = () => {
    history.pushState(null, "", location.pathname + location.search);
    setRecord(null);
  };
  return [record, leave];
}

export function WinSheet({ store }) {
  const [record, leave] = useAsked();
  return record ? html`<${Sheet} record=${record} leave=${leave} store=${store} />` : null;
}

function useRecord(record, version) {
  const [answer, setAnswer] = useState({ record: null, win: null, error: null });
  useEffect(() => {
    let wanted = true;
    read(`records/${encodeURIComponent(record)}`).then(
      (win) => wanted && setAnswer({ record, win, error: null }),
      (error) =>
        wanted &&
        setAnswer((before) =>
          before.record === record && before.win ? before : { record, win: null, error },
        ),
    );
    return () => (wanted = false);
  }, [record, version]);
  return answer.record === record ? answer : { win: null, error: null };
}

function Sheet({ record, leave, store }) {
  const dialog = useRef(null);
  const version = useStore(store, (state) => state.lineage?.version);
  const { win, error } = useRecord(record, version);
  useEffect(() => {
    const sheet = dialog.current;
    sheet.showModal();
    return () => sheet.close();
  }, []);
  useEffect(() => {
    dialog.current.scrollTop = 0;
    dialog.current.querySelector("h2")?.focus();
  }, [record, win !== null]);
  const away = (event) => event.target === dialog.current && leave();
  return html`
    <dialog ref=${dialog} class="sheet" aria-labelledby="win-title" onCancel=${(event) => (event.preventDefault(), leave())} onClick=${away}>
      <div class="sheet-body">
        <button type="button" class="button square sheet-close" aria-label="Close" onClick=${leave}>✕</button>
        ${win ? html`<${Win} win=${win} store=${store} />` : html`<h2 id="win-title" tabindex="-1">${error ? "This win cannot be shown" : "Reading …"}</h2>${error ? html`<p class="soft">The node does not hold it, or cannot be reached. It may have been replaced by a newer one.</p>` : null}`}
      </div>
    </dialog>
  `;
}

function Win({ win, store }) {
  const dark = useTheme() === "dark";
  const task = useStore(store, (state) => state.status?.task) ?? { direction: "minimize" };
  const lineage = useStore(store, (state) => state.lineage);
  const milestone = useStore(store, (state) => state.milestones)?.milestones.find(
    (each) => each.record === win.record,
  );
  const pairs = pairsOf(win.pairs);
  const effect =
    win.verdict?.effect ??
    (win.entry && {
      mean: win.entry.effect,
      low: win.entry.effect_low,
      high: win.entry.effect_high,
      n: win.entry.pairs,
    });
  return html`
    <header class="win-head">
      <p class="win-marks"><${State} state=${win.verdict?.state ?? win.entry?.state} replications=${win.verdict?.confirming} /><${Family} family=${win.family} />${milestone ? html`<span class="state milestone-mark"><span aria-hidden="true">★</span><bdi>${shortened(plain(milestone.text), 60)}</bdi></span>` : null}</p>
      <h2 id="win-title" tabindex="-1"><bdi>${plain(win.title)}</bdi></h2>
      <p class="soft win-by"><${Who} peer=${win.author} nickname=${win.nickname} dark=${dark} /> · ${when(win.created_at_ms)} · ${age(win.created_at_ms, Date.now())}</p>
    </header>
    ${effect ? html`<${Effect} effect=${effect} win=${win} task=${task} />` : null}
    ${plain(win.rationale) ? html`<section class="win-part"><h3>Why</h3><div class="rationale">${plainLines(win.rationale).map((line, index) => html`<p key=${index}>${line}</p>`)}</div></section>` : null}
    <section class="win-part"><h3>What it changes</h3><${Diff} diff=${win.diff ?? ""} /></section>
    <section class="win-part"><h3>Evidence, pair by pair</h3>
      <p class="soft part-note">Base and candidate were trained on the same seeds on the author's machine (<bdi>${hardwareName(win.environment?.hardware_class)}</bdi>).</p>
      <${Evidence} pairs=${pairs} task=${task} label="Pairs measured by the author" /></section>
    <${Replications} win=${win} task=${task} dark=${dark} />
    <${Kin} win=${win} lineage=${lineage} dark=${dark} />
    <${Facts} win=${win} task=${task} />
  `;
}

function Effect({ effect, win, task }) {
  const ends = [gainOf(task, effect.low), gainOf(task, effect.high)];
  const gain = gainOf(task, effect.mean);
  const reach = Math.max(...ends, gain, Math.abs(gain)) || 1;
  return html`
    <div class="win-effect">
      <p class="figure"><span class=${`number ${gain > 0 ? "good" : "bad"}`}>${signed(effect.mean)}</span><span class="figure-unit">${plain(task.unit)}${win.entry?.value == null ? "" : html`, to <b class="number">${metric(win.entry.value)}</b>`}</span></p>
      <${IntervalBar} gain=${gain} low=${Math.min(...ends)} high=${Math.max(...ends)} reach=${reach} state=${win.verdict?.state} />
      <p class="faint number">95 % interval ${signed(effect.low)} to ${signed(effect.high)}, ${counted(effect.n, "pair")} in all</p>
    </div>
  `;
}

function Replications({ win, task, dark }) {
  const list = win.replications ?? [];
  const verdict = win.verdict;
  return html`
    <section class="win-part"><h3>Measured again by others</h3>
      ${list.length ? html`<p class="soft part-note">${counted(verdict?.voices ?? list.length, "voice")}${Number.isFinite(verdict?.confirming) ? `, ${count(verdict.confirming)} of them agree` : ""}. Their seeds and held-out text follow from their own signatures, so nobody could know them before.</p>` : html`<p class="soft part-note">Nobody has yet. Until then this is its author's word, signed but not verified.</p>`}
      <ul class="replications">
        ${list.map(
          (each) => html`<li key=${each.record} class=${each.counts ? "" : "silent"}>
          <details>
            <summary><${Who} peer=${each.author} nickname=${each.nickname} dark=${dark} /><span class="number seen">${seenIn(pairsOf(each.pairs))}</span><span class="faint">${hardwareName(each.environment?.hardware_class)}${each.counts ? "" : ", does not count"}</span></summary>
            <${Evidence} pairs=${pairsOf(each.pairs)} task=${task} label=${`Pairs measured by ${called(each.nickname, each.author)}`} />
            ${each.challenge_pairs?.length ? html`<p class="soft part-note">On the text that only the checker could know: <span class="number">${seenIn(pairsOf(each.challenge_pairs))}</span></p>` : null}
          </details>
        </li>`,
        )}
      </ul>
    </section>
  `;
}

function Kin({ win, lineage, dark }) {
  const byId = new Map((lineage?.nodes ?? []).map((node) => [node.record, node]));
  const later = win.built_on_by ?? [];
  const named = (records) =>
    html`<ul class="relatives">${records.map((record) => html`<${Relative} key=${record} record=${record} node=${byId.get(record)} dark=${dark} />`)}</ul>`;
  return html`
    <section class="win-part"><h3>Built on</h3>
      ${win.base ? named([win.base]) : html`<p class="soft">The task's baseline.</p>`}
      ${win.parents?.length ? html`<h4>Folded in</h4>${named(win.parents)}` : null}
    </section>
    <section class="win-part"><h3>Who built on it</h3>${later.length ? named(later) : html`<p class="soft">Nobody yet.</p>`}</section>
  `;
}

const Relative = ({ record, node, dark }) => html`
  <li><a href=${winAddress(record)}><bdi>${node ? shortened(plain(node.title), 90) : `win ${shortId(record)}`}</bdi></a>
    ${node ? html` <${Who} peer=${node.author} nickname=${node.nickname} dark=${dark} /> <span class="number good">${signed(node.effect)}</span>` : null}</li>
`;

function Facts({ win, task }) {
  const { environment = {}, entry } = win;
  const facts = [
    ["Hardware", hardwareName(environment.hardware_class)],
    ["Time per experiment", duration(environment.milliseconds / 1000)],
    ["Peak memory", bytes(environment.peak_memory_bytes)],
    ["PyTorch", plain(environment.torch_version)],
    ["Isolation", plain(environment.isolation)],
    ["Proposed by", plain(win.proposer)],
    ["Holdout", entry?.holdout == null ? "–" : metric(entry.holdout)],
    ["Rank", entry?.rank ?? "–"],
  ];
  if (Array.isArray(win.blocks) && win.blocks.length) {
    const helped = win.blocks.filter(
      (block) => gainOf(task, fromNano(block.candidate_nano - block.base_nano)) > 0,
    ).length;
    facts.push([
      "Held-out files better",
      `${count(helped)} of ${count(win.blocks.length)} (${percent(helped / win.blocks.length)})`,
    ]);
  }
  return html`
    <section class="win-part"><h3>Under which conditions</h3>
      <dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
      <p class="soft part-note">Measure it yourself: <code class="command">swarm replay ${plain(win.record)}</code></p>
    </section>
  `;
}
