// Lays the lineage out, away from the page's thread.
// Law: gets ids and edges, gives places; knows no text of any peer.
import dagre from "../vendor/dagre.js";
import { inLayers } from "./layers.js";

const SPACE = { rankdir: "LR", nodesep: 14, ranksep: 54, marginx: 12, marginy: 12, ranker: "tight-tree" };
const DAGRE_MOST = 150;

addEventListener("message", ({ data: { turn, ...graph } }) => {
  const layout = graph.nodes.length <= DAGRE_MOST ? withDagre(graph) : inLayers(graph, SPACE);
  postMessage({ turn, ...layout });
});

/** Few crossings, for as many wins as can be looked at; its time grows with the square of them. */
function withDagre({ nodes, edges, width, height }) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph(SPACE);
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of nodes) graph.setNode(id, { width, height });
  for (const { from, to, kind } of edges) graph.setEdge(from, to, { weight: kind === "base" ? 3 : 1 }, kind);
  dagre.layout(graph);
  return {
    nodes: nodes.map((id) => ({ id, x: graph.node(id).x, y: graph.node(id).y })),
    edges: edges.map((edge) => ({ ...edge, points: graph.edge(edge.from, edge.to, edge.kind).points })),
    width: graph.graph().width,
    height: graph.graph().height,
  };
}
