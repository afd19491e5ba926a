// Which wins the lineage shows, and what it knows of each.
// Law: pure; an edge to a win that is not shown starts at a stub of its own, never nowhere.
export const BASELINE = "baseline";

/**
 * The graph of the newest `most` wins with all they were built on, as far as it is known.
 * Wins that nothing was built on and that nobody believes are left out where room is short.
 */
export function graphOf(lineage, most) {
  const byId = new Map(lineage.nodes.map((node) => [node.record, node]));
  const into = new Map();
  for (const edge of lineage.edges) {
    if (!into.has(edge.to)) into.set(edge.to, []);
    into.get(edge.to).push(edge);
  }
  const kept = new Set();
  const wanted = lineage.nodes.slice(-most).map((node) => node.record);
  while (wanted.length) {
    const record = wanted.pop();
    if (kept.has(record)) continue;
    kept.add(record);
    for (const edge of into.get(record) ?? []) if (edge.from !== null && byId.has(edge.from)) wanted.push(edge.from);
  }
  const nodes = lineage.nodes.filter((node) => kept.has(node.record));
  const edges = [];
  const seen = new Set();
  const missing = new Set();
  for (const edge of lineage.edges) {
    if (!kept.has(edge.to)) continue;
    const from = edge.from ?? BASELINE;
    if (from !== BASELINE && !byId.has(from)) missing.add(from);
    const key = `${from} ${edge.to} ${edge.kind}`;
    if (!seen.has(key) && from !== edge.to) edges.push({ from, to: edge.to, kind: edge.kind });
    seen.add(key);
  }
  return { nodes, edges, missing: [...missing], byId, ids: [BASELINE, ...missing, ...nodes.map((node) => node.record)] };
}

/** Neighbours for arrow keys: what a win was built on, what was built on it, who stands beside. */
export function neighbour(layout, id, key) {
  const places = new Map(layout.nodes.map((node) => [node.id, node]));
  const here = places.get(id);
  if (!here) return null;
  const near = (ids) => ids.map((other) => places.get(other)).filter(Boolean).sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0];
  if (key === "ArrowLeft") return near(layout.edges.filter((edge) => edge.to === id).map((edge) => edge.from));
  if (key === "ArrowRight") return near(layout.edges.filter((edge) => edge.from === id).map((edge) => edge.to));
  const side = key === "ArrowUp" ? -1 : key === "ArrowDown" ? 1 : 0;
  if (!side) return null;
  const beside = layout.nodes.filter((node) => (node.y - here.y) * side > 1 && Math.abs(node.x - here.x) < 60);
  return beside.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0] ?? null;
}
