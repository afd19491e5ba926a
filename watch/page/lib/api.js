// Reads of the node's API.
// Law: reads only; an answer that does not come is an error with a sentence.
const PATIENCE_MS = 15000;

/** The JSON under a path of `/api`. */
export async function read(path) {
  const answer = await fetch(`api/${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${path}: the node answered ${answer.status}`);
  return answer.json();
}
