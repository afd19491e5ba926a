// A unified diff as lines with numbers, and which words of a line changed.
// Law: total; any text gives lines, what is not understood is shown as context.
import { plainLines } from "./text.js";

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** Lines as {kind: "file" | "hunk" | "added" | "removed" | "context", before, after, text}. */
export function diffLines(diff) {
  const lines = plainLines(diff);
  if (lines.length && lines[lines.length - 1] === "") lines.pop();
  let before = 0;
  let after = 0;
  let inside = false;
  const out = lines.map((line, index) => {
    const hunk = HUNK.exec(line);
    if (hunk) {
      [before, after, inside] = [Number(hunk[1]), Number(hunk[2]), true];
      return { kind: "hunk", text: line };
    }
    if (!inside || line.startsWith("\\")) return { kind: "file", text: line };
    if (line.startsWith("+")) return { kind: "added", after: after++, text: line.slice(1) };
    if (line.startsWith("-") && !isFileHead(line, lines[index + 1]))
      return { kind: "removed", before: before++, text: line.slice(1) };
    if (line.startsWith(" ") || line === "")
      return { kind: "context", before: before++, after: after++, text: line.slice(1) };
    inside = false;
    return { kind: "file", text: line };
  });
  markWords(out);
  return out;
}

const isFileHead = (line, next) => line.startsWith("--- ") && (next ?? "").startsWith("+++ ");

/** How many lines come and go. */
export const diffSize = (lines) => ({
  added: lines.filter((line) => line.kind === "added").length,
  removed: lines.filter((line) => line.kind === "removed").length,
});

/** In runs of as many removed as added lines, mark where each differs from its partner. */
function markWords(lines) {
  for (let start = 0; start < lines.length; start += 1) {
    if (lines[start].kind !== "removed") continue;
    let middle = start;
    while (lines[middle]?.kind === "removed") middle += 1;
    let end = middle;
    while (lines[end]?.kind === "added") end += 1;
    if (end - middle === middle - start) {
      for (let i = 0; i < middle - start; i += 1) markPair(lines[start + i], lines[middle + i]);
    }
    start = Math.max(start, end - 1);
  }
}

function markPair(one, other) {
  const most = Math.min(one.text.length, other.text.length);
  let head = 0;
  while (head < most && one.text[head] === other.text[head]) head += 1;
  let tail = 0;
  while (
    tail < most - head &&
    one.text[one.text.length - 1 - tail] === other.text[other.text.length - 1 - tail]
  )
    tail += 1;
  if (head + tail < most * 0.25) return;
  one.mark = [head, one.text.length - tail];
  other.mark = [head, other.text.length - tail];
}
