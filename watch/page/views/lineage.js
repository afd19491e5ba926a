// Who built on whom: every win a box, what it was built on at its left.
// Law: drag, pinch or the buttons move it, arrow keys walk it; the page scrolls past it freely.
import { html, useEffect, useMemo, useRef, useState, useStore, useTheme, useWidth } from "../lib/ui.js";
import d3 from "../vendor/d3.js";
import { count, counted, metric, signed } from "../lib/format.js";
import { peerColour } from "../lib/families.js";
import { EARLIER, graphOf, neighbour } from "../lib/lineage_graph.js";
import { leader } from "../lib/story.js";
import { called, plain, shortened } from "../lib/text.js";
import { Empty, Panel, winAddress } from "./bits.js";

const FEW = 60;
const BOX = { width: 196, height: 48 };
const LEAST_SCALE = 0.8;

export function Lineage({ store }) {
  const lineage = useStore(store, (state) => state.lineage);
  const board = useStore(store, (state) => state.leaderboard);
  const [all, setAll] = useState(false);
  const nodes = lineage?.nodes ?? [];
  const tools =
    nodes.length > FEW
      ? html`<button type="button" class="button" aria-pressed=${String(all)} onClick=${() => setAll(!all)}>${all ? "Newest only" : `Show all ${count(nodes.length)}`}</button>`
      : null;
  return html`
    <${Panel} id="lineage" title="Who built on whom" size="w12" note=${nodes.length ? `${counted(lineage.total, "win")}; a dashed line is a win folded in` : ""} tools=${tools}>
      ${nodes.length ? html`<${Graph} lineage=${lineage} most=${all ? Infinity : FEW} best=${leader(board)?.record} />` : html`<${Empty} title=${lineage === null ? "Reading" : "No win yet"}>The first win is built on the task's baseline. From then on each node builds on the best it knows, and folds in what others found.<//>`}
    <//>
  `;
}

/** The places of a graph's nodes, worked out by a worker that lives as long as the view. */
function useLayout(graph) {
  const [layout, setLayout] = useState(null);
  const worker = useRef(null);
  const turn = useRef(0);
  useEffect(() => {
    worker.current = new Worker(new URL("../lib/lineage_worker.js", import.meta.url), { type: "module" });
    worker.current.onmessage = ({ data }) =>
      data.turn === turn.current && setLayout({ ...data, graph: turnGraph.current });
    return () => worker.current.terminate();
  }, []);
  const turnGraph = useRef(null);
  useEffect(() => {
    turn.current += 1;
    turnGraph.current = graph;
    worker.current.postMessage({ turn: turn.current, nodes: graph.ids, edges: graph.edges, ...BOX });
  }, [graph]);
  return layout;
}

function Graph({ lineage, most, best }) {
  const graph = useMemo(() => graphOf(lineage, most, best), [lineage, most, best]);
  const layout = useLayout(graph);
  const frame = useRef(null);
  const width = useWidth(frame);
  const height = Math.min(460, Math.max(200, (layout?.height ?? 0) + 30));
  const { canvas, moved, zoomBy, fit } = useZoom(frame, layout, width, height, best);
  return html`
    <div class="lineage-frame" ref=${frame} style=${{ height: `${height}px` }}>
      ${layout ? html`<${Drawing} canvas=${canvas} layout=${layout} moved=${moved} width=${width} height=${height} best=${best} />` : html`<p class="soft lineage-wait">Laying out ${counted(graph.nodes.length, "win")} …</p>`}
      <div class="lineage-tools">
        <button type="button" class="button square" aria-label="Zoom in" onClick=${() => zoomBy(1.3)}>+</button>
        <button type="button" class="button square" aria-label="Zoom out" onClick=${() => zoomBy(1 / 1.3)}>−</button>
        <button type="button" class="button" onClick=${fit}>Fit</button>
      </div>
    </div>
  `;
}

function useZoom(frame, layout, width, height, best) {
  const canvas = useRef(null);
  const zoom = useRef(null);
  const touched = useRef(false);
  const [moved, setMoved] = useState("translate(0,0)");
  useEffect(() => {
    if (!canvas.current) return;
    zoom.current = d3
      .zoom()
      .scaleExtent([0.08, 2.5])
      .filter((event) =>
        event.type === "wheel"
          ? event.ctrlKey || event.metaKey
          : !event.button && !(event.type === "touchstart" && event.touches.length < 2),
      );
    zoom.current.on("zoom", ({ transform, sourceEvent }) => {
      if (sourceEvent) touched.current = true;
      setMoved(transform.toString());
    });
    d3.select(canvas.current).call(zoom.current).on("dblclick.zoom", null);
  }, [layout !== null]);
  const go = (transform) =>
    canvas.current && d3.select(canvas.current).call(zoom.current.transform, transform);
  const whole = () => Math.min(1, width / (layout.width + 16), height / (layout.height + 16));
  const place = (scale) => {
    const home = layout.nodes.find((node) => node.id === best) ?? layout.nodes[layout.nodes.length - 1];
    const along = (space, size, at) =>
      size * scale <= space
        ? (space - size * scale) / 2
        : Math.min(12, Math.max(space - size * scale - 12, space * 0.6 - at * scale));
    go(
      d3.zoomIdentity
        .translate(along(width, layout.width, home.x), along(height, layout.height, home.y))
        .scale(scale),
    );
  };
  useEffect(() => {
    if (layout && width && zoom.current && !touched.current) place(Math.max(LEAST_SCALE, whole()));
  }, [layout, width, height]);
  return {
    canvas,
    moved,
    zoomBy: (factor) => (
      (touched.current = true),
      d3.select(canvas.current).call(zoom.current.scaleBy, factor)
    ),
    fit: () => ((touched.current = false), place(whole())),
  };
}

const bent = d3
  .line()
  .x((point) => point.x)
  .y((point) => point.y)
  .curve(d3.curveBasis);

function Drawing({ canvas, layout, moved, width, height, best }) {
  const [at, setAt] = useState(null);
  const dark = useTheme() === "dark";
  const { byId } = layout.graph;
  const focus =
    at && layout.nodes.some((node) => node.id === at)
      ? at
      : (best ?? layout.nodes[layout.nodes.length - 1].id);
  const walk = (event) => {
    const next = neighbour(layout, focus, event.key);
    if (!next || !byId.has(next.id)) return;
    event.preventDefault();
    setAt(next.id);
    canvas.current.querySelector(`[data-record="${CSS.escape(next.id)}"]`)?.focus();
  };
  const boxes = useMemo(
    () =>
      layout.nodes.map(
        (node) =>
          html`<${Box} key=${node.id} place=${node} win=${byId.get(node.id)} hidden=${layout.graph.hidden} best=${node.id === best} focus=${node.id === focus} dark=${dark} />`,
      ),
    [layout, best, focus, dark],
  );
  const edges = useMemo(
    () =>
      layout.edges.map(
        (edge) =>
          html`<path key=${`${edge.from} ${edge.to} ${edge.kind}`} class=${`edge ${edge.kind === "parent" ? "folded" : ""}`} d=${bent(edge.points)}></path>`,
      ),
    [layout],
  );
  return html`
    <svg ref=${canvas} class="lineage" width=${width} height=${height} role="group" aria-label="Lineage of wins. Arrow keys go along what was built on what, Enter opens a win." onKeyDown=${walk}>
      <g transform=${moved}>
        <g aria-hidden="true">${edges}</g>
        ${boxes}
      </g>
    </svg>
  `;
}

function Box({ place, win, best, focus, dark, hidden }) {
  const at = `translate(${place.x - BOX.width / 2},${place.y - BOX.height / 2})`;
  if (!win) {
    const name = place.id === EARLIER ? `${counted(hidden, "earlier win")}` : "The task's baseline";
    return html`<g transform=${at} class="box origin"><rect width=${BOX.width} height=${BOX.height} rx="10"></rect><text x=${BOX.width / 2} y="28" text-anchor="middle">${name}</text></g>`;
  }
  const name = called(win.nickname, win.author);
  const title = plain(win.title);
  const standing = ["claimed", "replicated", "refuted", "incomplete", "invalid"].includes(win.state)
    ? win.state
    : "";
  return html`
    <a href=${winAddress(win.record)} class=${`box ${standing} ${best ? "best" : ""}`} data-record=${win.record} tabindex=${focus ? "0" : "-1"} transform=${at}
      aria-label=${`${shortened(title, 90)} by ${shortened(name, 32)}, ${win.state}, ${signed(win.effect)}${best ? ", the best" : ""}`}>
      <rect width=${BOX.width} height=${BOX.height} rx="10"></rect>
      <path d="M10 0.5h1v47h-1a9.5 9.5 0 0 1-9.5-9.5v-28a9.5 9.5 0 0 1 9.5-9.5z" transform="translate(0,0)" fill=${peerColour(win.author, dark)}></path>
      <svg width=${BOX.width - 6} height=${BOX.height}>
        <text class="box-title" x="20" y="20">${shortened(title, 23)}</text>
        <text class="box-by" x="20" y="37">${shortened(name, 12)}</text>
        <text class="box-value" x=${BOX.width - 12} y="37" text-anchor="end">${signed(win.effect, 3)} → ${metric(win.value, 3)}</text>
      </svg>
      <title>${shortened(title, 120)}</title>
    </a>
  `;
}
