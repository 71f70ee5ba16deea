from html.parser import HTMLParser

from fadm.data.prepare.contact_sheet import MOST_ROWS, Row, draw_contact_sheet, thin_out


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.images, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        assert tag not in ("script", "link")

    def handle_data(self, data):
        self.text += data


def test_kept_and_dropped_clips_are_shown_with_the_reason():
    rows = [Row("a", "24 frames", b"strip"), Row("b", "20 pixels", b"", "face too small")]
    page = Page(draw_contact_sheet(rows, "kept <1>", 2))
    assert page.images == ["data:image/jpeg;base64,c3RyaXA="]
    kept, dropped = page.text.split("Dropped")
    assert "24 frames" in kept and "face too small" in dropped and "kept <1>" in kept
    assert "shows people" in kept and "are shown" not in kept


def test_names_cannot_become_markup():
    assert "<script>" not in draw_contact_sheet([Row("<script>", "<script>", b"x", "<script>")], "<script>", 1)


def test_many_clips_are_thinned_out_evenly():
    indices = list(range(0, 4 * MOST_ROWS, 2))
    shown = thin_out(indices)
    assert len(shown) == MOST_ROWS and shown <= set(indices) and max(shown) > 3.9 * MOST_ROWS
    assert thin_out([3, 5]) == {3, 5} and thin_out([]) == set()
    assert "1 of 9 clips are shown" in draw_contact_sheet([Row("a", "", b"")], "", 9)
