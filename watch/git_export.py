"""
The lineage of wins as commits.

Every win that can be rebuilt is a commit: its tree is the task's files with the
win's changes, its first parent is what it was built on, the others are the wins
folded in, its author is the peer. `best` is the leader's branch, what nobody has
built on yet is a branch of its own, and replicated wins are tagged.

Law: a function of the records. Nothing is taken from the clock, the machine or the
order in which records came, numbers are printed from integers, and text is made
safe by rules that no version of Unicode changes; so nodes with the same records make
the same commits, id for id. What may still change with more records (verdicts, who
leads) stands in refs and tags, never in a commit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from swarm.board import Claim
from swarm.lineage import Incomplete, InvalidWin, Linked, RecentTrees, resolve_tree
from swarm.ranking import Ranked
from swarm.records import Pair, PeerId, RecordId, Replication, Win, from_nano
from swarm.task import Task
from swarm.verdict import Evidence
from swarm.visible_text import short_id, slug, steady
from watch.git_export_objects import GitObject, ObjectId, Signature, commit, tag, tree
from watch.git_export_store import BASELINE, BEST, REPLICATED, WINS
from watch.plot import BELIEVED

_DOMAIN = "research-swarm.invalid"
_CACHED_TREES = 4096
_LINE_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Commit:
    """A win, or the baseline (`record` is None), with every object it is made of."""

    record: RecordId | None
    objects: tuple[GitObject, ...]

    @property
    def id(self) -> ObjectId:
        """The commit's id."""
        return self.objects[-1].id


def commits(
    task: Task, frozen: Mapping[str, bytes], wins: Mapping[RecordId, Win]
) -> Iterator[Commit]:
    """
    The baseline and every win that can be rebuilt, each after all it was built on.

    Args:
        frozen: Content of the task's files that never change; part of every tree, so
            that what is checked out runs.
    """
    first = Commit(None, (*(made := tree({**frozen, **task.baseline})), _first(task, made[-1].id)))
    yield first
    known: dict[RecordId, ObjectId] = {}
    trees = RecentTrees(_CACHED_TREES)
    for record in _ancestors_first(wins):
        win = wins[record]
        base = first.id if win.base is None else known.get(win.base)
        if base is None:
            continue
        try:
            changed = resolve_tree(record, wins, task.baseline, task.editable, trees)
        except (Incomplete, InvalidWin):
            continue
        parents = [base]
        parents += [known[fold] for fold in win.parents if fold in known]
        made = tree({**frozen, **changed})
        peer = _peer(win.nickname, win.author, win.created_at_ms)
        text = _message(record, win, task, known)
        last = commit(made[-1].id, dict.fromkeys(parents), peer, _swarm(win.created_at_ms), text)
        known[record] = last.id
        yield Commit(record, (*made, last))


def refs(
    known: Mapping[RecordId | None, ObjectId],
    claims: Mapping[RecordId, Claim],
    places: Sequence[Ranked],
    replications: Collection[Replication],
) -> tuple[dict[str, ObjectId], list[GitObject]]:
    """
    Our refs by full name, and the tags they point at.

    Args:
        known: The ids of all commits, the baseline's under None.
        claims: The wins of the board.
        places: The findings, the best believed first.
    """
    baseline = known[None]
    leader = next(
        (
            known[record]
            for place in places
            if place.finding.state in BELIEVED
            for record in place.finding.records[:1]
            if record in known
        ),
        baseline,
    )
    found = {BEST: leader, BASELINE: baseline}
    tips = _tips(known, claims)
    names = _names(tips)
    found |= {f"{WINS}/{names[tip]}": known[tip] for tip in tips if known[tip] != leader}
    tags: list[GitObject] = []
    replicated = [place for place in places if place.finding.state == "replicated"]
    names = _names([place.finding.records[0] for place in replicated])
    for place in replicated:
        record = place.finding.records[0]
        if record in known:
            title = slug(steady(claims[record].title))
            name = f"{title}-{names[record]}" if title else names[record]
            made = tag(
                known[record],
                f"replicated/{name}",
                _swarm(_last_heard(place, replications, claims[record].created_at_ms)),
                _verdict(place),
            )
            found[f"{REPLICATED}/{name}"] = made.id
            tags.append(made)
    return found, tags


def _ancestors_first(wins: Mapping[RecordId, Win]) -> Iterator[RecordId]:
    links = {
        record: [link for link in (win.base, *win.parents) if link is not None and link in wins]
        for record, win in sorted(wins.items())
    }
    return iter(TopologicalSorter(links).static_order())


def _tips(
    known: Mapping[RecordId | None, ObjectId], wins: Mapping[RecordId, Linked]
) -> list[RecordId]:
    """The wins that no other commit contains."""
    inner = {
        link
        for record in known
        if record is not None
        for link in (wins[record].base, *wins[record].parents)
    }
    return sorted(record for record in known if record is not None and record not in inner)


def _names(records: Sequence[RecordId]) -> dict[RecordId, str]:
    """Short names of records; the whole id of those that end alike."""
    short: dict[str, list[RecordId]] = {}
    for record in records:
        short.setdefault(short_id(record), []).append(record)
    return {
        record: name if len(same) == 1 else record
        for name, same in short.items()
        for record in same
    }


def _first(task: Task, tree_id: ObjectId) -> GitObject:
    text = f"Baseline of {steady(task.name)}\n\n{steady(task.title)}\n\nTask: {task.id}"
    return commit(tree_id, (), _swarm(0), _swarm(0), text)


def _peer(nickname: str, author: PeerId, at_ms: int) -> Signature:
    return Signature(nickname, f"{author}@{_DOMAIN}", at_ms)


def _swarm(at_ms: int) -> Signature:
    return Signature("Research Swarm", f"export@{_DOMAIN}", at_ms)


def _message(record: RecordId, win: Win, task: Task, known: Mapping[RecordId, ObjectId]) -> str:
    """Title, reason and evidence; a reason is quoted, so that it cannot pass for a trailer."""
    lines = [_said(win.title), ""]
    lines += [f"> {_said(line)}".rstrip() for line in win.rationale.strip().split("\n")]
    lines += ["", *_evidence(win.pairs, task), "", _machine(win), ""]
    lines += [f"Record: {record}", f"Base: {win.base or 'baseline'}"]
    lines += [
        f"Folded-in: {fold}{'' if fold in known else ' (not in this history)'}"
        for fold in win.parents
    ]
    lines += [f"Peer: {win.author}", f"Family: {_said(win.family)}"]
    lines += [f"Proposed-by: {_said(win.proposer)}", f"Task: {task.id}"]
    return "\n".join(lines)


def _said(text: str) -> str:
    return steady(text)[:_LINE_LENGTH] or "—"


def _evidence(pairs: Sequence[Pair], task: Task) -> Iterator[str]:
    """The measurements, from integers; square roots are the same on every machine."""
    changes = [pair.candidate_nano - pair.base_nano for pair in pairs]
    mean = sum(changes) / len(changes)
    words = f"{task.metric.name} {_signed(mean)} {steady(task.metric.unit)} over {len(pairs)} pairs"
    if len(changes) > 1:
        squares = math.fsum((change - mean) ** 2 for change in changes)
        error = math.sqrt(squares / (len(changes) - 1) / len(changes))
        words += f", standard error {from_nano(round(error)):.6f}"
    yield words
    for pair, change in zip(pairs, changes, strict=True):
        base, candidate = from_nano(pair.base_nano), from_nano(pair.candidate_nano)
        yield f"  seed {pair.seed}: {base:.6f} -> {candidate:.6f} ({_signed(change)})"


def _signed(nano: float) -> str:
    return f"{from_nano(round(nano)):+.6f}"


def _machine(win: Win) -> str:
    where = win.environment
    return (
        f"Measured on {_said(where.hardware_class)}, {_said(where.device)}, "
        f"torch {_said(where.torch_version)}, {where.milliseconds // 1000} s, "
        f"{where.peak_memory_bytes >> 20} MiB at most, isolation {_said(where.isolation)}"
    )


def _verdict(place: Ranked) -> str:
    finding = place.finding
    lines = [f"Replicated: confirmed by {finding.verdict.confirming} other peers", ""]
    for evidence in sorted(finding.voices):
        changes = [candidate - base for _, base, candidate in evidence.pairs]
        mean = _signed(sum(changes) / len(changes))
        lines.append(f"{evidence.author}: {mean} over {len(changes)} pairs on fresh text")
    return "\n".join(lines)


def _last_heard(place: Ranked, replications: Collection[Replication], made_at_ms: int) -> int:
    """When the newest measurement that counts was made."""
    wins = set(place.finding.records)
    times = [
        each.created_at_ms
        for each in replications
        if each.win in wins and Evidence.of(each) in place.finding.voices
    ]
    return max(times, default=made_at_ms)
