"""
`swarm verify`: every record in the home, checked again from its bytes.

A start trusts the journal, since each record was validated once at the door.
This command trusts nothing: the file's structure, every signature, every rule,
and that what the journal says about a record is what the record says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import track

from cli.hints import spelled
from cli.output import console
from gossip.home import Home
from gossip.journal import Journal, Stored
from gossip.journal_faults import JournalCorrupt
from gossip.journal_rescue import rescue
from swarm.records import kind_of
from swarm.topic import private_topic, public_topic
from swarm.validation import Invalid, Scope, validate

SHOWN = 20
"""Invalid records that are named one by one."""


@dataclass(slots=True)
class Findings:
    """What was found in one journal."""

    records: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def verify(root: Path, *, rescue_damaged: bool) -> int:
    """
    Check every journal in the home; with `rescue_damaged`, repair what is wrong.

    Returns:
        The exit status: 0 when everything is valid, or was repaired.

    Raises:
        HomeInUse: A repair was asked for while a node runs there.
        JournalError: A journal cannot be read, for another reason than damage.
    """
    home = Home(root)
    paths = sorted(home.journals.glob("*.sqlite"))
    if not paths:
        print(spelled(f"no records in {root} yet: start a node with `swarm start`"))
    results = [_verify_one(home, path, rescue_damaged) for path in paths]
    return 0 if all(results) else 1


def _verify_one(home: Home, path: Path, rescue_damaged: bool) -> bool:
    task, _, label = path.stem.partition(".")
    scope = Scope(private_topic(label) if label else public_topic(task), task)
    try:
        findings = check(path, scope)
    except JournalCorrupt as error:
        print(error)
        return rescue_damaged and _rescue(home, path, scope)
    if not findings.wrong:
        print(f"{path.name}: {findings.records:,} records, all valid")
        return True
    print(f"{path.name}: {len(findings.wrong):,} of {findings.records:,} records are not valid")
    for record_id, reason in findings.wrong[:SHOWN]:
        print(f"  {record_id}: {reason}")
    if not rescue_damaged:
        print(spelled("`swarm verify --rescue` removes them and keeps a copy of the file"))
        return False
    return _rescue(home, path, scope)


def check(path: Path, scope: Scope) -> Findings:
    """
    Read one journal whole.

    Raises:
        JournalCorrupt: Its structure is damaged.
    """
    findings = Findings()
    with Journal.open(path, read_only=True) as journal:
        journal.check()
        for stored in _shown(journal):
            findings.records += 1
            if (reason := fault(stored, scope)) is not None:
                findings.wrong.append((stored.id, reason))
    return findings


def fault(stored: Stored, scope: Scope) -> str | None:
    """Why this row is not a valid record of `scope`, or None when it is."""
    try:
        valid = validate(stored.envelope, scope)
    except Invalid as invalid:
        return invalid.reason
    record = valid.record
    said = (stored.id, stored.kind, stored.author, stored.created_at_ms)
    if said != (valid.id, kind_of(record), record.author, record.created_at_ms):
        return "the journal's columns differ from what the record says"
    return None


def _shown(journal: Journal) -> Iterator[Stored]:
    screen = console()
    rows = track(
        journal.replay(),
        description="checking",
        total=journal.count(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    return (stored for _, stored in rows)


def _rescue(home: Home, path: Path, scope: Scope) -> bool:
    with home.held():
        done = rescue(path, lambda stored: fault(stored, scope) is None)
    print(f"kept {done.kept:,} valid records, left out {done.refused:,}")
    print(f"the old file is {done.damaged}; peers send what is missing at the next start")
    return True
