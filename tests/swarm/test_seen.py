"""The experiments that are looked at: in order, each once, and bounded."""

from dataclasses import replace

from swarm.records import Trials
from swarm.seen import LatestTrials
from tests.swarm.record_samples import NOW_MS, TRIAL, TRIALS


def batch(author: str, number: int, count: int = 1) -> Trials:
    trial = replace(TRIAL, finished_at_ms=NOW_MS + number, title=f"{author} {number}")
    return replace(TRIALS, author=author, created_at_ms=NOW_MS + number, trials=(trial,) * count)


def test_experiments_come_in_the_order_they_finished() -> None:
    latest = LatestTrials()
    for author, number in (("b", 3), ("a", 1), ("a", 2)):
        latest.add(f"{author}{number}", batch(author, number))
        latest.add(f"{author}{number}", batch(author, number))
    seen = latest.all()
    assert [each.trial.title for each in seen] == ["a 1", "a 2", "b 3"]
    assert seen[0].author == "a" and seen[0].hardware_class == TRIALS.hardware_class
    latest.drop(["a2", "unknown"])
    assert [each.trial.title for each in latest.all()] == ["a 1", "b 3"]


def test_one_author_cannot_push_out_the_others() -> None:
    latest = LatestTrials(max_seen=1000, max_of_author=100)
    latest.add("honest", batch("honest", 0, 50))
    for number in range(300):
        latest.add(f"loud{number}", batch("loud", number, 10))
    authors = [seen.author for seen in latest.all()]
    assert authors.count("honest") == 50
    assert 80 <= authors.count("loud") <= 100


def test_all_authors_together_are_bounded() -> None:
    latest = LatestTrials(max_seen=500, max_of_author=100)
    for number in range(200):
        latest.add(f"{number}", batch(f"peer{number}", number, 10))
    assert 400 <= len(latest.all()) <= 500
    assert latest.all()[-1].author == "peer199"
