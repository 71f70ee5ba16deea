from fadm.data.prepare.summary import MOST_LISTED, PreparationSummary


def note(key: str, reason: str = "", **values) -> dict:
    return {"key": key, "identity": "x", "frames": 4, "seconds": 1.5, "reason": reason, "detail": "", **values}


def result(file: str, *notes: dict, problem: str = "") -> dict:
    return {"file": file, "problem": problem, "seconds": 10.0, "notes": list(notes)}


def test_what_was_kept_and_dropped_is_counted():
    results = [
        result("a.mp4", note("a0"), note("a1", identity="y"), note("a2", "too short", detail="0.1 s")),
        result("b.mp4", note("b0", "too short"), note("b1", "face lost")),
        result("c.mp4", problem="it is damaged"),
    ]
    summary = PreparationSummary.from_results(results)
    assert (summary.videos, summary.seconds, summary.clips, summary.frames) == (3, 30, 2, 8)
    assert (summary.identities, summary.seconds_kept) == (2, 3)
    assert summary.dropped == {"too short": 2, "face lost": 1} and summary.unreadable == {"c.mp4": "it is damaged"}
    assert summary.dropped_clips[0] == {"key": "a2", "reason": "too short", "detail": "0.1 s"}
    assert summary.table().splitlines() == [
        "      read  3  recordings (30 s of video)",
        "      kept  2  clips with 8 frames of 2 identities",
        "   dropped  2  too short",
        "   dropped  1  face lost",
        "unreadable  1  c.mp4: it is damaged",
    ]
    assert PreparationSummary.from_dict(summary.as_dict() | {"options": {}}) == summary


def test_a_long_list_of_unreadable_files_is_cut():
    results = [result(f"{i}.mp4", problem="no") for i in range(MOST_LISTED + 5)]
    table = PreparationSummary.from_results(results).table()
    assert len(table.splitlines()) == 2 + MOST_LISTED + 1 and "5  more, named in summary.json" in table
